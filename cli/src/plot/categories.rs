//! Categories as the legend lists them.

use super::color::Rgb;
use super::palette::{CATEGORIES, MISSING, OTHER};
use super::scale::count;
use super::scene::Shape;
use super::text::clean;

/// One line of the legend.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) color: Rgb,
    pub(super) shape: Shape,
    pub(super) count: usize,
    /// A category itself, not what is left over or has no value.
    pub(super) named: bool,
}

/// The lines of the legend, and which of them each point belongs to.
pub(super) struct Categories {
    pub(super) entries: Vec<Entry>,
    pub(super) of: Vec<usize>,
}

impl Categories {
    /// At most `most` lines for categories (up to the 20 colours there are), one of them for all
    /// that are too rare to have their own, and one more for points without a value.
    pub(super) fn new(names: &[String], codes: &[Option<u32>], most: usize) -> Self {
        let mut counts = vec![0usize; names.len()];
        let mut missing = 0;
        for code in codes {
            match code.and_then(|code| counts.get_mut(code as usize)) {
                Some(count) => *count += 1,
                None => missing += 1,
            }
        }
        let most = most.clamp(2, CATEGORIES.len());
        let mut shown: Vec<usize> = (0..names.len()).collect();
        let mut rest = 0..0;
        if names.len() > CATEGORIES.len() || names.len() > most {
            shown.retain(|&code| counts[code] > 0);
            // Stable: of equally frequent categories the first ones are shown.
            shown.sort_by_key(|&code| std::cmp::Reverse(counts[code]));
            if shown.len() > most {
                rest = 0..shown.len() - (most - 1);
                shown.truncate(most - 1);
            }
            shown.sort_unstable();
        }
        // As many colours as names keep their place; a selection takes them in order.
        let keep = names.len() <= CATEGORIES.len();
        let mut line_of = vec![usize::MAX; names.len()];
        let mut entries = Vec::new();
        for &code in shown.iter().filter(|&&code| counts[code] > 0) {
            let place = if keep { code } else { entries.len() };
            line_of[code] = entries.len();
            entries.push(Entry {
                name: clean(&names[code]),
                color: CATEGORIES[place % CATEGORIES.len()],
                shape: shape(place),
                count: counts[code],
                named: true,
            });
        }
        let other = entries.len();
        if !rest.is_empty() {
            let shown: usize = entries.iter().map(|entry| entry.count).sum();
            entries.push(Entry {
                name: format!("{} other categories", count(rest.len())),
                color: OTHER,
                shape: Shape::Circle,
                count: codes.len() - missing - shown,
                named: false,
            });
        }
        let none = entries.len();
        if missing > 0 {
            entries.push(Entry {
                name: "no value".to_owned(),
                color: MISSING,
                shape: Shape::Circle,
                count: missing,
                named: false,
            });
        }
        let line = |code: &Option<u32>| match code.and_then(|code| line_of.get(code as usize)) {
            Some(&line) => line.min(other),
            None => none,
        };
        Categories {
            of: codes.iter().map(line).collect(),
            entries,
        }
    }
}

/// A second cue beside the colour: each eight categories have another shape.
fn shape(place: usize) -> Shape {
    match place / 8 {
        0 => Shape::Circle,
        1 => Shape::Diamond,
        _ => Shape::Triangle,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|i| format!("class {i}")).collect()
    }

    #[test]
    fn rare_categories_are_put_together_and_every_point_is_counted_once() {
        // Category i has i + 1 points.
        let codes: Vec<Option<u32>> = (0..300u32)
            .flat_map(|i| vec![Some(i); i as usize + 1])
            .chain([None; 7])
            .collect();
        let categories = Categories::new(&names(300), &codes, 20);
        assert_eq!(categories.entries.len(), 21);
        assert_eq!(categories.entries[0].name, "class 281");
        assert_eq!(categories.entries[19].name, "281 other categories");
        assert_eq!(categories.entries[20].count, 7);
        for (line, entry) in categories.entries.iter().enumerate() {
            let points = categories.of.iter().filter(|&&of| of == line).count();
            assert_eq!(points, entry.count, "{}", entry.name);
        }
    }

    #[test]
    fn colours_do_not_depend_on_which_categories_have_points() {
        let all = Categories::new(&names(10), &[Some(0), Some(7)], 20);
        let one = Categories::new(&names(10), &[Some(7)], 20);
        assert_eq!(all.entries[1].color, one.entries[0].color);
        assert_eq!(one.entries.len(), 1);
    }

    #[test]
    fn no_names_leave_only_points_without_a_value() {
        let categories = Categories::new(&[], &[None, None], 20);
        assert_eq!(categories.entries.len(), 1);
        assert_eq!(categories.of, [0, 0]);
    }
}
