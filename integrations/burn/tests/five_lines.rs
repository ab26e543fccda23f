//! A plain Burn program needs at most five changed lines, none of them in the model.
#![allow(clippy::unwrap_used, clippy::panic)]

const BEFORE: &str = include_str!("../examples/before_after/before.rs");
const AFTER: &str = include_str!("../examples/before_after/after.rs");
const SHOWN: &str = include_str!("../examples/before_after.md");

/// Lines with their 0-based places.
type Lines<'a> = Vec<(usize, &'a str)>;

/// Lines to remove and lines to add: the smallest such difference,
/// found through the longest common subsequence.
fn difference<'a>(before: &[&'a str], after: &[&'a str]) -> (Lines<'a>, Lines<'a>) {
    let mut common = vec![vec![0_usize; after.len() + 1]; before.len() + 1];
    for i in (0..before.len()).rev() {
        for j in (0..after.len()).rev() {
            common[i][j] = match before[i] == after[j] {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let (mut removed, mut added) = (Vec::new(), Vec::new());
    while i < before.len() || j < after.len() {
        if i < before.len() && j < after.len() && before[i] == after[j] {
            i += 1;
            j += 1;
        } else if j == after.len() || (i < before.len() && common[i + 1][j] >= common[i][j + 1]) {
            removed.push((i, before[i]));
            i += 1;
        } else {
            added.push((j, after[j]));
            j += 1;
        }
    }
    (removed, added)
}

#[test]
fn at_most_five_lines_change() {
    let (before, after): (Vec<_>, Vec<_>) = (BEFORE.lines().collect(), AFTER.lines().collect());
    let (removed, added) = difference(&before, &after);
    assert!(!added.is_empty());
    assert!(added.len() <= 5, "{added:#?}");
    // Every removed line has its new form among the added ones.
    assert!(removed.len() <= added.len(), "{removed:#?}");
}

#[test]
fn nothing_changes_inside_the_model() {
    let (before, after): (Vec<_>, Vec<_>) = (BEFORE.lines().collect(), AFTER.lines().collect());
    let (removed, added) = difference(&before, &after);
    let start = |lines: &[&str]| {
        lines
            .iter()
            .position(|line| line.contains("#[derive(Module"))
    };
    let end = |lines: &[&str]| lines.iter().position(|line| line.starts_with("fn main"));
    for (lines, changed) in [(&before, &removed), (&after, &added)] {
        let model = start(lines).unwrap()..end(lines).unwrap();
        assert!(changed.iter().all(|(place, _)| !model.contains(place)));
    }
}

#[test]
fn the_document_shows_exactly_these_lines() {
    let (before, after): (Vec<_>, Vec<_>) = (BEFORE.lines().collect(), AFTER.lines().collect());
    let (removed, added) = difference(&before, &after);
    let shown = |sign: &str| -> Vec<&str> {
        let lines = SHOWN.lines().filter_map(|line| line.strip_prefix(sign));
        lines.collect()
    };
    let lines = |changes: &[(usize, &'static str)]| -> Vec<&str> {
        changes.iter().map(|&(_, line)| line).collect()
    };
    assert_eq!(shown("-"), lines(&removed));
    assert_eq!(shown("+"), lines(&added));
}

#[test]
fn the_difference_finds_changes() {
    let (removed, added) = difference(&["a", "b", "c"], &["a", "x", "c", "d"]);
    assert_eq!(removed, [(1, "b")]);
    assert_eq!(added, [(1, "x"), (3, "d")]);
}
