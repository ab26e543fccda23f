//! The layers of points: their size, strength and order.

use emberlens::reduce::scramble;

use super::categories::Categories;
use super::color::Rgb;
use super::figure::OnTop;
use super::palette::{MISSING, PLAIN, value_color};
use super::scale::Range;
use super::scene::{Item, Mark, Paint, Points, Rect, Shape};
use super::space::Places;

/// From this number on, points in a plane are shaded by density.
const DENSE: usize = 50_000;
/// A category with a smaller share than this is drawn over the shading, to be seen at all.
const RARE: f32 = 0.002;
/// How far the categories of the farthest points are on their way to the lightness of the paper.
/// With more, or with less of the hue, one category's far points look like another's near ones.
pub(super) const FADE: f32 = 0.2;
/// Cells on each side of the panel for judging how far points spread.
const CELLS: usize = 40;
/// Steps of nearness: enough to look continuous, few enough to share SVG symbols.
const STEPS: f32 = 10.0;

/// What the colours say, resolved for each point.
pub(super) enum Meaning<'a> {
    Nothing,
    Categories(&'a Categories),
    Values {
        values: &'a [f32],
        range: Option<Range>,
        on_top: OnTop,
    },
}

impl Meaning<'_> {
    fn missing(&self, row: usize) -> bool {
        match self {
            Meaning::Nothing => false,
            Meaning::Categories(categories) => {
                entry(categories, row).is_none_or(|entry| entry.color == MISSING)
            }
            Meaning::Values { values, .. } => values.get(row).is_none_or(|value| value.is_nan()),
        }
    }

    /// How much a point matters, from 0 to 1.
    fn emphasis(&self, row: usize) -> f32 {
        match self {
            Meaning::Values {
                values,
                range,
                on_top,
            } => match (values.get(row), range) {
                (Some(&value), Some(range)) if !value.is_nan() => {
                    emphasis(range.position(value), *on_top)
                }
                _ => 0.0,
            },
            _ => 0.0,
        }
    }

    /// Order by how much points matter, also beyond the ends of the range.
    fn rank(&self, row: usize) -> f32 {
        match self {
            Meaning::Values { values, on_top, .. } => match (values.get(row), on_top) {
                (Some(&value), OnTop::High) => value,
                (Some(&value), OnTop::Low) => -value,
                (None, _) => f32::NAN,
            },
            _ => 0.0,
        }
    }

    fn look(&self, row: usize) -> (Rgb, Shape) {
        match self {
            Meaning::Nothing => (PLAIN, Shape::Circle),
            _ if self.missing(row) => (MISSING, Shape::Circle),
            Meaning::Categories(categories) => entry(categories, row)
                .map_or((MISSING, Shape::Circle), |entry| (entry.color, entry.shape)),
            Meaning::Values { .. } => (value_color(self.emphasis(row)), Shape::Circle),
        }
    }
}

fn entry(categories: &Categories, row: usize) -> Option<&super::categories::Entry> {
    categories.entries.get(*categories.of.get(row)?)
}

/// Turns a position within a range into how much it matters.
pub(super) fn emphasis(position: f32, on_top: OnTop) -> f32 {
    match on_top {
        OnTop::High => position,
        OnTop::Low => 1.0 - position,
    }
}

/// Radius of the points: smaller the more there are, the less of the panel they spread over, and
/// the smaller the panel is.
pub(super) fn radius(places: &[(f32, f32)], panel: &Rect) -> f32 {
    let unit = (panel.width * panel.height).sqrt() / 760.0;
    let crowd = places.len().max(1) as f32 / spread(places, panel).sqrt();
    (6.0 * unit * (1000.0 / crowd).powf(0.38)).clamp(1.0, 6.5)
}

/// Share of the panel's cells that have a point.
fn spread(places: &[(f32, f32)], panel: &Rect) -> f32 {
    let mut taken = [false; CELLS * CELLS];
    for &(x, y) in places {
        let cell =
            |from: f32, length: f32| ((from / length * CELLS as f32) as usize).min(CELLS - 1);
        let (column, row) = (
            cell(x - panel.x, panel.width),
            cell(y - panel.y, panel.height),
        );
        taken[row * CELLS + column] = true;
    }
    // A few points are not crowded because they leave most cells empty.
    let most = places.len().clamp(1, CELLS * CELLS) as f32;
    taken.iter().filter(|taken| **taken).count() as f32 / most
}

/// Opacity of the points: lower the more there are.
fn alpha(points: usize) -> f32 {
    (0.9 * (3000.0 / points.max(1) as f32).powf(0.12)).clamp(0.5, 0.9)
}

/// The layers, in drawing order.
pub(super) fn layers(places: &Places, meaning: &Meaning<'_>, panel: &Rect) -> Vec<Item> {
    let count = places.at.len();
    let radius = radius(&places.at, panel);
    let in_space = !places.nearness.is_empty();
    let order = order(places, meaning);
    let mark = |row: usize| {
        let (x, y) = places.at[row];
        let (color, shape) = meaning.look(row);
        let near = places
            .nearness
            .get(row)
            .map(|near| (near * STEPS).round() / STEPS);
        let near = near.unwrap_or(1.0);
        let size = if in_space { 0.7 + 0.4 * near } else { 1.0 };
        Mark {
            x,
            y,
            radius: radius * size,
            // Shapes are not told apart when they are a few pixels wide.
            shape: if radius < 2.0 { Shape::Circle } else { shape },
            color: match meaning {
                // The lightness says the value; only the size says how near the point is.
                Meaning::Values { .. } => color,
                _ => color.lighter(FADE * (1.0 - near)),
            },
            weight: 1.0,
        }
    };
    let layer = |marks, paint| {
        Item::Points(Points {
            area: *panel,
            marks,
            paint,
        })
    };
    if count < DENSE || in_space {
        let rim = radius >= 2.5;
        let alpha = alpha(count);
        return vec![layer(
            order.into_iter().map(mark).collect(),
            Paint::Over { alpha, rim },
        )];
    }
    // Seen among all others, one by one.
    let large = |row| Mark {
        radius: (radius * 2.0).max(3.5),
        ..mark(row)
    };
    let over = Paint::Over {
        alpha: 1.0,
        rim: true,
    };
    match meaning {
        Meaning::Values {
            values,
            range,
            on_top,
        } => {
            let missing = order
                .iter()
                .take_while(|&&row| meaning.missing(row))
                .count();
            let (without, with) = order.split_at(missing);
            let first = with.len() - enlarged(values.len(), *range, *on_top).min(with.len());
            let weigh = |&row: &usize| Mark {
                weight: meaning.emphasis(row),
                ..mark(row)
            };
            vec![
                layer(without.iter().map(|&row| mark(row)).collect(), Paint::Mixed),
                layer(with.iter().map(weigh).collect(), Paint::Mean),
                layer(with[first..].iter().map(|&row| large(row)).collect(), over),
            ]
        }
        Meaning::Nothing => vec![layer(order.into_iter().map(mark).collect(), Paint::Mixed)],
        Meaning::Categories(categories) => {
            let share = |row: usize| {
                entry(categories, row).map_or(1.0, |entry| entry.count as f32 / count as f32)
            };
            let (rare, common): (Vec<usize>, Vec<usize>) = order
                .into_iter()
                .partition(|&row| share(row) < RARE && !meaning.missing(row));
            // Where categories mix, the frequent one does not hide the others entirely.
            let weigh = |row| {
                let weight = if meaning.missing(row) {
                    0.05
                } else {
                    1.0 / share(row).sqrt()
                };
                Mark {
                    weight,
                    ..mark(row)
                }
            };
            vec![
                layer(common.into_iter().map(weigh).collect(), Paint::Mixed),
                layer(rare.into_iter().map(large).collect(), over),
            ]
        }
    }
}

/// How many of `points` with a value are drawn over the shading: the most extreme ones, if the
/// range leaves any out at the end that matters; the mean would hide them.
pub(super) fn enlarged(points: usize, range: Option<Range>, on_top: OnTop) -> usize {
    let beyond = range.and_then(|range| match on_top {
        OnTop::High => range.above,
        OnTop::Low => range.below,
    });
    match beyond {
        Some((rows, _)) if points >= DENSE => rows.min(points / 500),
        _ => 0,
    }
}

/// Rows in drawing order: from far to near in space; without a value first; what matters most last;
/// otherwise shuffled, so that no category covers the others. The same for the same rows.
fn order(places: &Places, meaning: &Meaning<'_>) -> Vec<usize> {
    let outside = |row: &usize| places.outside.binary_search(row).is_ok();
    let mut rows: Vec<(usize, bool, f32, u64)> = (0..places.at.len())
        .filter(|row| !outside(row))
        .map(|row| {
            let rank = match places.nearness.get(row) {
                Some(&near) => near,
                None => meaning.rank(row),
            };
            (row, !meaning.missing(row), rank, scramble(row as u64))
        })
        .collect();
    let in_space = !places.nearness.is_empty();
    rows.sort_unstable_by(|a, b| {
        let valued = if in_space {
            std::cmp::Ordering::Equal
        } else {
            a.1.cmp(&b.1)
        };
        valued.then(a.2.total_cmp(&b.2)).then(a.3.cmp(&b.3))
    });
    rows.into_iter().map(|(row, ..)| row).collect()
}
