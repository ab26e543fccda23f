//! Where the parts of a figure stand.

use super::categories::Categories;
use super::figure::{Color, Coordinates, Figure};
use super::labels;
use super::legend;
use super::palette::{FRAME, INK, QUIET};
use super::points::{self, Meaning};
use super::scale::{Range, count};
use super::scene::{Anchor, Item, Rect, Scene, Text};
use super::space::{self, Places};
use super::text::{Fonts, Style, clean};

const TITLE: Style = Style::bold(24.0);
const SUBTITLE: Style = Style::regular(16.0);
const AXIS: Style = Style::regular(14.0);
/// From this size of the smaller side on, titles have their whole size.
const ROOMY: f32 = 600.0;
/// Between the panel and the legend.
const GAP: f32 = 24.0;
/// More arrows than this would be a second frame.
const ARROWS: usize = 500;

/// Lays out a checked figure.
pub(super) fn scene(figure: &Figure, fonts: &Fonts) -> Scene {
    let edge = (figure.width.min(figure.height) * 0.032).clamp(12.0, 30.0);
    let mut items = Vec::new();
    let top = headline(figure, fonts, edge, &mut items);
    let panel = panel(figure, fonts, edge, top);
    let key = Rect {
        x: panel.right() + GAP,
        y: panel.y,
        width: (figure.width - panel.right() - GAP - edge).max(1.0),
        // Beside the note below the panel, too.
        height: (figure.height - edge - panel.y).max(panel.height),
    };
    let lines = legend::lines_that_fit(key.height);
    let categories = match &figure.color {
        Color::Categories { names, codes, .. } => Some(Categories::new(names, codes, lines)),
        _ => None,
    };
    let meaning = match (&figure.color, &categories) {
        (Color::Values { values, on_top, .. }, _) => Meaning::Values {
            values,
            range: Range::of(values.iter().copied()),
            on_top: *on_top,
        },
        (_, Some(categories)) => Meaning::Categories(categories),
        _ => Meaning::Nothing,
    };
    let margin = panel.width.min(panel.height) * 0.04 + frame_room(figure);
    let places = space::place(&figure.coordinates, &panel, margin);
    let radius = points::radius(&places.at, &panel);
    if let Some(cage) = &places.cage {
        for &[from, to] in &cage.edges {
            items.push(Item::Line {
                from,
                to,
                color: FRAME,
            });
        }
    }
    items.extend(points::layers(&places, &meaning, &panel));
    if let Some(categories) = &categories {
        items.extend(labels::labels(&places, categories, &panel, fonts));
    }
    if places.cage.is_none() {
        arrows(&places, &panel, &mut items);
        items.push(Item::Frame {
            area: panel,
            color: FRAME,
        });
    }
    axes(figure, fonts, &panel, &places, &mut items);
    match (&figure.color, &categories, &meaning) {
        (Color::Categories { title, .. }, Some(categories), _) => {
            items.extend(legend::categories(
                &key,
                title,
                categories,
                radius >= 2.0,
                fonts,
            ));
        }
        (
            Color::Values { title, .. },
            _,
            Meaning::Values {
                values,
                range,
                on_top,
            },
        ) => {
            items.extend(legend::bar(
                &key,
                title,
                values,
                *range,
                *on_top,
                fonts,
                places.cage.is_none(),
            ));
        }
        _ => {}
    }
    Scene {
        width: figure.width,
        height: figure.height,
        title: clean(&figure.title),
        description: describe(figure, &categories),
        items,
    }
}

/// Title and subtitle; returns where they end.
fn headline(figure: &Figure, fonts: &Fonts, edge: f32, items: &mut Vec<Item>) -> f32 {
    let mut y = edge;
    let room = figure.width - 2.0 * edge;
    let lines = [
        (&figure.title, TITLE, INK),
        (&figure.subtitle, SUBTITLE, QUIET),
    ];
    // Small pictures are for their points.
    let small = (figure.width.min(figure.height) / ROOMY).sqrt().min(1.0);
    for (line, style, color) in lines {
        let size = (style.size * small).max(11.0);
        let style = Style { size, ..style };
        if line.trim().is_empty() {
            continue;
        }
        y += style.size;
        items.push(Item::Text(Text {
            x: edge,
            y: y - style.size * 0.16,
            text: fonts.shorten(&clean(line), style, room),
            style,
            color,
            anchor: Anchor::Start,
            upwards: false,
            halo: false,
        }));
        y += 8.0;
    }
    if y > edge { y + 8.0 } else { y }
}

/// Where the points are drawn; on whole units, so that its lines are crisp.
fn panel(figure: &Figure, fonts: &Fonts, edge: f32, top: f32) -> Rect {
    let most = (figure.width * 0.25).clamp(120.0, 320.0);
    let key = match &figure.color {
        Color::None => 0.0,
        Color::Categories { title, names, .. } => {
            legend::names_width(title, names, fonts).clamp(90.0, most) + GAP
        }
        Color::Values { title, .. } => legend::bar_width(title, fonts).clamp(90.0, most) + GAP,
    };
    let flat = matches!(figure.coordinates, Coordinates::Plane(_));
    let named = |axis: usize| flat && figure.axes.get(axis).is_some_and(|name| !name.is_empty());
    let left = edge + if named(1) { 24.0 } else { 0.0 };
    // Room for the name of the first axis and for the note below the panel.
    let below = edge + if flat { 24.0 } else { 0.0 };
    Rect {
        x: left.round() + 0.5,
        y: top.round() + 0.5,
        width: (figure.width - left - edge - key).floor().max(50.0),
        height: (figure.height - top - below).floor().max(50.0),
    }
}

/// Names of axes in space stand inside the panel.
fn frame_room(figure: &Figure) -> f32 {
    match figure.coordinates {
        Coordinates::Plane(_) => 0.0,
        Coordinates::Space(..) => 18.0,
    }
}

fn axes(figure: &Figure, fonts: &Fonts, panel: &Rect, places: &Places, items: &mut Vec<Item>) {
    let base = panel.bottom() + 19.0;
    let mut write = |x: f32, y: f32, text: String, anchor: Anchor, upwards: bool| {
        // In space a line of the box may lie behind.
        let halo = places.cage.is_some();
        items.push(Item::Text(Text {
            x,
            y,
            text,
            style: AXIS,
            color: QUIET,
            anchor,
            upwards,
            halo,
        }));
    };
    let note = outside_note(places);
    let note_width = note
        .as_ref()
        .map_or(0.0, |note| fonts.width(note, AXIS) + 20.0);
    if let Some(note) = note {
        let note = fonts.shorten(&note, AXIS, panel.width);
        write(panel.right(), base, note, Anchor::End, false);
    }
    let name = |axis: usize, room: f32| axis_name(&clean(&figure.axes[axis]), fonts, room);
    match &places.cage {
        None => {
            let room = panel.width - 2.0 * note_width;
            if !figure.axes[0].is_empty() && room > 40.0 {
                write(panel.center().0, base, name(0, room), Anchor::Middle, false);
            }
            if !figure.axes[1].is_empty() {
                let (x, y) = (panel.x - 10.0, panel.center().1);
                write(x, y, name(1, panel.height), Anchor::Middle, true);
            }
        }
        Some(cage) => {
            for (axis, &((x, y), (right, down))) in cage.axes.iter().enumerate() {
                let text = name(axis, panel.width / 4.0);
                if text.is_empty() {
                    continue;
                }
                let half = fonts.width(&text, AXIS) / 2.0;
                let (x, y) = (x + right * (12.0 + half), y + down * 18.0 + 5.0);
                let x = x.clamp(panel.x + half, (panel.right() - half).max(panel.x + half));
                write(
                    x,
                    y.clamp(panel.y + 14.0, panel.bottom() - 4.0),
                    text,
                    Anchor::Middle,
                    false,
                );
            }
        }
    }
}

/// As much of the name of an axis as fits, cut where a part of it ends; empty where no part fits.
fn axis_name(name: &str, fonts: &Fonts, room: f32) -> String {
    let ends = [" of ", ", "].map(|end| name.find(end).unwrap_or(name.len()));
    let parts = [name.len(), ends[0], ends[1]];
    let fits = |end: &&usize| fonts.width(&name[..**end], AXIS) <= room;
    match parts.iter().find(fits) {
        Some(&end) => name[..end].to_owned(),
        None if room < 80.0 => String::new(),
        None => fonts.shorten(name, AXIS, room),
    }
}

fn outside_note(places: &Places) -> Option<String> {
    let rows = places.outside.len();
    let how = if places.cage.is_none() {
        " (arrows)"
    } else {
        ""
    };
    match rows {
        0 => None,
        1 => Some(format!("1 point lies outside{how}")),
        rows => Some(format!("{} points lie outside{how}", count(rows))),
    }
}

/// Arrows at the frame towards the points outside.
fn arrows(places: &Places, panel: &Rect, items: &mut Vec<Item>) {
    let (x, y) = panel.center();
    for &row in places.outside.iter().take(ARROWS) {
        let (dx, dy) = (places.at[row].0 - x, places.at[row].1 - y);
        let length = f64::from(dx).hypot(f64::from(dy));
        if length.is_nan() || length == 0.0 {
            continue;
        }
        let (ux, uy) = (
            (f64::from(dx) / length) as f32,
            (f64::from(dy) / length) as f32,
        );
        // The frame, less the arrow's length, is met along one of the axes.
        let reach = [
            (ux, panel.width / 2.0 - 6.0),
            (uy, panel.height / 2.0 - 6.0),
        ]
        .map(|(part, half)| {
            if part == 0.0 {
                f32::INFINITY
            } else {
                half / part.abs()
            }
        });
        let tip = reach[0].min(reach[1]);
        let at = |along: f32, across: f32| {
            (
                x + ux * (tip + along) - uy * across,
                y + uy * (tip + along) + ux * across,
            )
        };
        let corners = vec![at(0.0, 0.0), at(-13.0, 5.0), at(-13.0, -5.0)];
        items.push(Item::Polygon { corners, fill: INK });
    }
}

fn describe(figure: &Figure, categories: &Option<Categories>) -> String {
    let points = count(figure.coordinates.len());
    let color = match (&figure.color, categories) {
        (Color::Values { title, .. }, _) => format!(", coloured by {title}"),
        (Color::Categories { title, .. }, Some(categories)) => {
            let line =
                |entry: &super::categories::Entry| format!("{} {}", entry.name, count(entry.count));
            let entries: Vec<String> = categories.entries.iter().map(line).collect();
            format!(", coloured by {title}: {}", entries.join(", "))
        }
        _ => String::new(),
    };
    clean(&format!(
        "{} Scatter plot of {points} points{color}.",
        figure.subtitle
    ))
}
