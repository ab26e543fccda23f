//! What the colours mean: a list of categories or a bar of values.

use super::categories::Categories;
use super::figure::OnTop;
use super::palette::{FRAME, INK, MISSING, QUIET, value_color};
use super::points::{emphasis, enlarged};
use super::scale::{Range, count, number, ticks};
use super::scene::{Anchor, Item, Mark, Rect, Shape, Text};
use super::text::{Fonts, Style, clean};

const TITLE: Style = Style::bold(16.0);
/// Distance from the top to the first line.
const HEAD: f32 = 34.0;
/// The same where there is little room for the lines.
const SMALLEST_HEAD: f32 = 22.0;
/// Height of a line where there is room.
const LINE: f32 = 26.0;
/// The least height of a line that is still legible.
const SMALLEST_LINE: f32 = 11.0;

/// How many lines of categories fit.
pub(super) fn lines_that_fit(height: f32) -> usize {
    // One more for points without a value.
    (((height - SMALLEST_HEAD) / SMALLEST_LINE) as usize).saturating_sub(1)
}

/// Width of the list of these categories.
pub(super) fn names_width(title: &str, names: &[String], fonts: &Fonts) -> f32 {
    // Only as many as can be listed, or a column of a million names would be measured.
    let style = Style::regular(15.0);
    let shown = names
        .iter()
        .take(200)
        .map(|name| fonts.width(&clean(name), style));
    let more = if names.len() > 20 {
        fonts.width("000,000 other categories", style)
    } else {
        0.0
    };
    let longest = shown.fold(more, f32::max);
    let counts = 24.0 + 14.0 + fonts.width("0,000,000", style);
    (longest + counts).max(fonts.width(&clean(title), TITLE))
}

/// Width of a bar of values with what is written beside it.
pub(super) fn bar_width(title: &str, fonts: &Fonts) -> f32 {
    let note = fonts.width("00,000 above, up to 0000", Style::regular(14.0));
    note.max(fonts.width(&clean(title), TITLE))
}

fn text(x: f32, y: f32, text: String, style: Style, anchor: Anchor) -> Item {
    let color = if anchor == Anchor::End { QUIET } else { INK };
    Item::Text(Text {
        x,
        y,
        text,
        style,
        color,
        anchor,
        upwards: false,
        halo: false,
    })
}

fn title(area: &Rect, name: &str, style: Style, fonts: &Fonts) -> Item {
    let name = fonts.shorten(&clean(name), style, area.width);
    text(
        area.x,
        area.y + style.size - 2.0,
        name,
        style,
        Anchor::Start,
    )
}

fn dot(x: f32, y: f32, radius: f32, shape: Shape, color: super::color::Rgb) -> Item {
    let mark = Mark {
        x,
        y,
        radius,
        shape,
        color,
        weight: 1.0,
    };
    Item::Mark { mark, rim: true }
}

/// Marker, name and count of each category.
pub(super) fn categories(
    area: &Rect,
    name: &str,
    categories: &Categories,
    shapes: bool,
    fonts: &Fonts,
) -> Vec<Item> {
    let lines = categories.entries.len().max(1) as f32;
    // Lines come closer before the title does.
    let head = (area.height - SMALLEST_LINE * 1.4 * lines).clamp(SMALLEST_HEAD, HEAD);
    let pitch = ((area.height - head) / lines).min(LINE);
    let style = Style::regular((pitch * 0.62).clamp(9.0, 15.0));
    let widest = categories
        .entries
        .iter()
        .map(|entry| fonts.width(&count(entry.count), style))
        .fold(0.0, f32::max);
    let indent = 24.0;
    let room = area.width - indent - widest - 14.0;
    // Counts stand close to the names, not at the far edge of a wide legend.
    let names: Vec<String> = categories
        .entries
        .iter()
        .map(|entry| fonts.shorten(&entry.name, style, room))
        .collect();
    let longest = names
        .iter()
        .map(|name| fonts.width(name, style))
        .fold(0.0, f32::max);
    let end = area.x + indent + longest.max(40.0).min(room) + 14.0 + widest;
    let size = (TITLE.size * head / HEAD).max(11.0);
    let mut items = vec![title(area, name, Style { size, ..TITLE }, fonts)];
    for (line, (entry, name)) in categories.entries.iter().zip(names).enumerate() {
        let middle = area.y + head + pitch * (line as f32 + 0.5);
        let base = middle + style.size * 0.36;
        let shape = if shapes { entry.shape } else { Shape::Circle };
        items.push(dot(
            area.x + 8.0,
            middle,
            (pitch * 0.24).min(6.0),
            shape,
            entry.color,
        ));
        items.push(text(area.x + indent, base, name, style, Anchor::Start));
        items.push(text(end, base, count(entry.count), style, Anchor::End));
    }
    items
}

/// A bar of colours with ticks, pointed where values lie beyond its ends.
pub(super) fn bar(
    area: &Rect,
    name: &str,
    values: &[f32],
    range: Option<Range>,
    on_top: OnTop,
    fonts: &Fonts,
    flat: bool,
) -> Vec<Item> {
    let small = Style::regular(14.0);
    let mut items = vec![title(area, name, TITLE, fonts)];
    let missing = values.iter().filter(|value| value.is_nan()).count();
    let mut bottom = area.y + HEAD;
    if let Some(range) = range {
        let above = range.above.map(|(rows, most)| beyond(rows, "above", most));
        let below = range
            .below
            .map(|(rows, least)| beyond(rows, "below", least));
        let tail = 34.0 + 24.0;
        let bar = Rect {
            x: area.x,
            y: area.y + HEAD + if above.is_some() { 40.0 } else { 4.0 },
            width: 20.0,
            height: (area.height - HEAD - 84.0 - tail).clamp(40.0, 340.0),
        };
        let colors: Vec<_> = (0..=32)
            .map(|step| value_color(emphasis(step as f32 / 32.0, on_top)))
            .collect();
        let (first, last) = (colors[0], colors[32]);
        items.push(Item::Ramp { area: bar, colors });
        let tip = |base: f32, point: f32, fill| {
            let corners = vec![(bar.x, base), (bar.right(), base), (bar.center().0, point)];
            Item::Polygon { corners, fill }
        };
        let mut note = |line: String, y: f32| {
            let line = fonts.shorten(&line, small, area.width);
            items.push(text(area.x, y, line, small, Anchor::Start));
        };
        bottom = bar.bottom() + 8.0;
        if let Some(line) = above.clone() {
            note(line, area.y + HEAD + 10.0);
        }
        if let Some(line) = below.clone() {
            note(line, bar.bottom() + 36.0);
            bottom += 36.0;
        }
        if above.is_some() {
            items.push(tip(bar.y, bar.y - 14.0, last));
        }
        if below.is_some() {
            items.push(tip(bar.bottom(), bar.bottom() + 14.0, first));
        }
        for tick in ticks(range.low, range.high, ((bar.height / 55.0) as usize).max(2)) {
            let y = bar.bottom() - bar.height * range.position(tick.value as f32);
            items.push(Item::Line {
                from: (bar.right(), y),
                to: (bar.right() + 5.0, y),
                color: FRAME,
            });
            let label = fonts.shorten(&tick.label, small, area.width - 30.0);
            items.push(text(
                bar.right() + 10.0,
                y + 5.0,
                label,
                small,
                Anchor::Start,
            ));
        }
    }
    let top = if flat {
        enlarged(values.len(), range, on_top)
    } else {
        0
    };
    if top > 0 {
        let which = if on_top == OnTop::High {
            "highest"
        } else {
            "lowest"
        };
        let line = format!("the {} {which}", count(top));
        let line = fonts.shorten(&line, small, area.width - 24.0);
        items.push(dot(
            area.x + 10.0,
            bottom + 16.0,
            4.0,
            Shape::Circle,
            value_color(1.0),
        ));
        items.push(text(
            area.x + 26.0,
            bottom + 21.0,
            line,
            small,
            Anchor::Start,
        ));
        bottom += 24.0;
    }
    if missing > 0 {
        let line = fonts.shorten(
            &format!("no value: {}", count(missing)),
            small,
            area.width - 24.0,
        );
        items.push(dot(
            area.x + 10.0,
            bottom + 16.0,
            6.0,
            Shape::Circle,
            MISSING,
        ));
        items.push(text(
            area.x + 26.0,
            bottom + 21.0,
            line,
            small,
            Anchor::Start,
        ));
    }
    items
}

fn beyond(rows: usize, side: &str, end: f32) -> String {
    let extreme = if side == "above" { "up to" } else { "down to" };
    format!(
        "{} {side}, {extreme} {}",
        count(rows),
        number(f64::from(end))
    )
}
