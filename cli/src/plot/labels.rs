//! Names of categories beside their points, so that the picture is read without matching colours.

use std::collections::BTreeMap;

use super::categories::Categories;
use super::palette::INK;
use super::scene::{Anchor, Item, Rect, Text};
use super::space::Places;
use super::text::{Fonts, Style};

/// Size in a panel whose smaller side is [`SIDE`].
const SIZE: f32 = 16.0;
const SIDE: f32 = 760.0;
/// How fast labels grow with the panel: slower than the clusters, or small ones are not read.
const GROWTH: f32 = 0.75;
const LARGEST: f32 = 22.0;
/// Below this size labels cannot be read, and their halos hide the clusters.
const SMALLEST: f32 = 9.0;
/// Longer names are shortened; in parts of the size, as what follows.
const WIDTH: f32 = 150.0 / SIZE;
/// Side of the cells in which points are counted.
const CELL: f32 = 26.0 / SIZE;
/// A label must stand where at least this share of the points is its category's.
const PURITY: f32 = 0.6;

/// How labels are set in this panel; `None` where it is too small for any.
fn style(panel: &Rect) -> Option<Style> {
    let side = panel.width.min(panel.height);
    let size = (SIZE * (side / SIDE).powf(GROWTH)).min(LARGEST);
    // Halves of a unit: a picture a little wider keeps its labels.
    let size = (size * 2.0).round() / 2.0;
    (size >= SMALLEST).then(|| Style::bold(size))
}

/// A label for each category that has a place where it prevails and a label hides no other label;
/// none in a small panel.
pub(super) fn labels(
    places: &Places,
    categories: &Categories,
    panel: &Rect,
    fonts: &Fonts,
) -> Vec<Item> {
    let Some(style) = style(panel) else {
        return Vec::new();
    };
    let side = CELL * style.size;
    let cell = |(x, y): (f32, f32)| ((x / side).floor() as i32, (y / side).floor() as i32);
    // Points of each category in each cell; ordered maps keep the result the same.
    let mut cells: BTreeMap<(i32, i32), Vec<u32>> = BTreeMap::new();
    for (row, &line) in categories.of.iter().enumerate() {
        if places.outside.binary_search(&row).is_err() {
            let counts = cells.entry(cell(places.at[row])).or_default();
            counts.resize(categories.entries.len(), 0);
            counts[line] += 1;
        }
    }
    let around = |(column, row): (i32, i32), line: usize| {
        let (mut own, mut all) = (0u32, 0u32);
        for (dx, dy) in (-1..=1).flat_map(|dx| (-1..=1).map(move |dy| (dx, dy))) {
            if let Some(counts) = cells.get(&(column + dx, row + dy)) {
                own += counts.get(line).copied().unwrap_or(0);
                all += counts.iter().sum::<u32>();
            }
        }
        (own, all)
    };
    let mut lines: Vec<usize> = (0..categories.entries.len()).collect();
    lines.sort_by_key(|&line| std::cmp::Reverse(categories.entries[line].count));
    let mut taken: Vec<Rect> = Vec::new();
    let mut items = Vec::new();
    for line in lines {
        let entry = &categories.entries[line];
        if !entry.named || entry.name.trim().is_empty() {
            continue;
        }
        let mut spots: Vec<(u32, (i32, i32))> = cells
            .keys()
            .map(|&spot| (around(spot, line), spot))
            .filter(|((own, all), _)| *own > 0 && *own as f32 >= PURITY * *all as f32)
            .map(|((own, _), spot)| (own, spot))
            .collect();
        spots.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        let text = fonts.shorten(&entry.name, style, WIDTH * style.size);
        let width = fonts.width(&text, style);
        // A few points here and there are no place to name.
        let enough = |own: u32| own as usize * 20 >= entry.count;
        for &(_, spot) in spots.iter().take_while(|(own, _)| enough(*own)).take(12) {
            let (x, y) = middle(places, categories, line, |at| {
                let (column, row) = cell(at);
                (column - spot.0).abs() <= 1 && (row - spot.1).abs() <= 1
            });
            let room = panel.width - width - 8.0;
            let left = (x - width / 2.0 - panel.x - 4.0).clamp(0.0, room.max(0.0)) + panel.x + 4.0;
            let top = (y - style.size / 2.0).clamp(
                panel.y + 4.0,
                (panel.bottom() - style.size - 6.0).max(panel.y + 4.0),
            );
            let area = Rect {
                x: left - 3.0,
                y: top - 2.0,
                width: width + 6.0,
                height: style.size + 4.0,
            };
            if width + 8.0 > panel.width || taken.iter().any(|other| other.overlaps(&area)) {
                continue;
            }
            taken.push(area);
            items.push(Item::Text(Text {
                x: left + width / 2.0,
                y: top + style.size * 0.86,
                text,
                style,
                color: INK,
                anchor: Anchor::Middle,
                upwards: false,
                halo: true,
            }));
            break;
        }
    }
    items
}

/// Mean place of a category's points among those that `near` accepts.
fn middle(
    places: &Places,
    categories: &Categories,
    line: usize,
    near: impl Fn((f32, f32)) -> bool,
) -> (f32, f32) {
    let (mut x, mut y, mut count) = (0.0f64, 0.0f64, 0.0f64);
    for (&at, _) in places
        .at
        .iter()
        .zip(&categories.of)
        .filter(|(at, of)| **of == line && near(**at))
    {
        x += f64::from(at.0);
        y += f64::from(at.1);
        count += 1.0;
    }
    ((x / count.max(1.0)) as f32, (y / count.max(1.0)) as f32)
}
