//! What to split a table into.

use crate::{Error, Result};

/// How far fractions may be from 1 in sum: as far as decimals of six digits are.
const TOLERANCE: f64 = 1e-6;

/// How to split a table; see [`Table::split`](crate::table::Table::split).
#[derive(Clone, Debug, PartialEq)]
pub struct Splitting {
    parts: Parts,
    pub(super) stratify: Option<String>,
    pub(super) seed: u64,
    pub(super) allows_small_strata: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Parts {
    Fractions(Vec<(String, f64)>),
    Counts(Vec<(String, u64)>),
}

impl Splitting {
    /// Parts by their share of the rows; the shares add up to 1.
    pub fn fractions(parts: impl IntoIterator<Item = (impl Into<String>, f64)>) -> Self {
        let parts = parts.into_iter().map(|(name, share)| (name.into(), share));
        Self::new(Parts::Fractions(parts.collect()))
    }

    /// Parts by their number of rows; the numbers add up to the rows of the table.
    pub fn counts(parts: impl IntoIterator<Item = (impl Into<String>, u64)>) -> Self {
        let parts = parts.into_iter().map(|(name, rows)| (name.into(), rows));
        Self::new(Parts::Counts(parts.collect()))
    }

    fn new(parts: Parts) -> Self {
        Self {
            parts,
            stratify: None,
            seed: 0,
            allows_small_strata: false,
        }
    }

    /// Gives every part each value of this column in proportion: a category, integers, bools, strings or
    /// dates.
    pub fn stratify(mut self, column: impl Into<String>) -> Self {
        self.stratify = Some(column.into());
        self
    }

    /// The seed; 0 unless it is set.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Lets a stratum have fewer rows than there are parts: some of them are then without it.
    pub fn allow_small_strata(mut self) -> Self {
        self.allows_small_strata = true;
        self
    }

    pub(super) fn names(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        match &self.parts {
            Parts::Fractions(parts) => Box::new(parts.iter().map(|(name, _)| name.as_str())),
            Parts::Counts(parts) => Box::new(parts.iter().map(|(name, _)| name.as_str())),
        }
    }

    /// The rows of every part of a table of `rows` rows.
    pub(super) fn sizes(&self, rows: u64, table: &str) -> Result<Vec<u64>> {
        if rows == 0 {
            let hint = "append rows first";
            return Err(Error::invalid("table", table, "it has no rows", hint));
        }
        self.check_names()?;
        let sizes = match &self.parts {
            Parts::Fractions(parts) => rounded(&checked_fractions(parts)?, rows),
            Parts::Counts(parts) => {
                let counts: Vec<u64> = parts.iter().map(|(_, count)| *count).collect();
                let total: u128 = counts.iter().map(|&count| u128::from(count)).sum();
                if total != u128::from(rows) {
                    return Err(Error::invalid(
                        "counts",
                        shown(&counts),
                        format!("they add up to {total}, and table `{table}` has {rows} rows"),
                        "give every row a part",
                    ));
                }
                counts
            }
        };
        match self.names().zip(&sizes).find(|(_, size)| **size == 0) {
            None => Ok(sizes),
            Some((name, _)) => Err(Error::invalid(
                "part",
                name,
                format!("it would get none of the {rows} rows of table `{table}`"),
                "give it a larger share, or leave it out",
            )),
        }
    }

    fn check_names(&self) -> Result<()> {
        let mut known: Vec<&str> = Vec::new();
        for name in self.names() {
            let reason = match () {
                () if name.trim().is_empty() => "a part needs a name",
                () if known.contains(&name) => "two parts have this name",
                () => {
                    known.push(name);
                    continue;
                }
            };
            let hint = "give every part a name of its own";
            return Err(Error::invalid("part", format!("{name:?}"), reason, hint));
        }
        match known.is_empty() {
            false => Ok(()),
            true => Err(Error::invalid(
                "parts",
                "none",
                "there is nothing to split into",
                "name the parts, for example (\"train\", 0.8) and (\"valid\", 0.2)",
            )),
        }
    }
}

fn checked_fractions(parts: &[(String, f64)]) -> Result<Vec<f64>> {
    let fractions: Vec<f64> = parts.iter().map(|(_, fraction)| *fraction).collect();
    if let Some((name, fraction)) = parts
        .iter()
        .find(|(_, fraction)| !(fraction.is_finite() && *fraction > 0.0))
    {
        return Err(Error::invalid(
            format!("fraction of part `{name}`"),
            fraction,
            "a fraction is a number above 0",
            "leave a part without rows out",
        ));
    }
    let total: f64 = fractions.iter().sum();
    if (total - 1.0).abs() > TOLERANCE {
        return Err(Error::invalid(
            "fractions",
            shown(&fractions),
            format!("they add up to {total}"),
            "make them add up to 1",
        ));
    }
    Ok(fractions.iter().map(|fraction| fraction / total).collect())
}

fn shown(numbers: &[impl ToString]) -> String {
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    numbers.join(", ")
}

/// Whole numbers that add up to `rows`, by the largest remainder; of equal ones the first.
fn rounded(fractions: &[f64], rows: u64) -> Vec<u64> {
    let exact: Vec<f64> = fractions
        .iter()
        .map(|fraction| fraction * rows as f64)
        .collect();
    let mut sizes: Vec<u64> = exact.iter().map(|share| share.floor() as u64).collect();
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by(|&a, &b| exact[b].fract().total_cmp(&exact[a].fract()));
    let left = rows.saturating_sub(sizes.iter().sum());
    for &part in order.iter().take(usize::try_from(left).unwrap_or(0)) {
        sizes[part] += 1;
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(fractions: &[f64], rows: u64) -> Result<Vec<u64>> {
        let names = ["a", "b", "c", "d"].into_iter();
        Splitting::fractions(names.zip(fractions.iter().copied())).sizes(rows, "t")
    }

    #[test]
    fn sizes_are_rounded_by_the_largest_remainder() {
        assert_eq!(sizes(&[0.8, 0.1, 0.1], 1000).unwrap(), [800, 100, 100]);
        // 5.6, 0.7, 0.7
        assert_eq!(sizes(&[0.8, 0.1, 0.1], 7).unwrap(), [5, 1, 1]);
        assert_eq!(sizes(&[0.5, 0.5], 3).unwrap(), [2, 1]);
        // 0.29 x 100 is 28.999999999999996 in floats.
        assert_eq!(sizes(&[0.29, 0.71], 100).unwrap(), [29, 71]);
        let third = 1.0 / 3.0;
        assert_eq!(sizes(&[third; 3], 10).unwrap(), [4, 3, 3]);
        assert_eq!(
            sizes(&[0.333333, 0.333333, 0.333334], 9).unwrap(),
            [3, 3, 3]
        );
    }

    #[test]
    fn parts_that_cannot_be_are_refused() {
        let message = |splitting: Splitting| splitting.sizes(10, "t").unwrap_err().to_string();
        for bad in [0.0, -0.5, f64::NAN, f64::INFINITY] {
            assert!(sizes(&[1.0, bad], 10).is_err(), "{bad}");
        }
        let error = sizes(&[0.8, 0.1], 10).unwrap_err().to_string();
        assert!(
            error.contains("0.8, 0.1") && error.contains("add up to 0.9"),
            "{error}"
        );
        let error = sizes(&[0.99, 0.01], 10).unwrap_err().to_string();
        assert!(
            error.contains("part = b") && error.contains("none of the 10 rows"),
            "{error}"
        );
        let twins = Splitting::fractions([("a", 0.5), ("a", 0.5)]);
        assert!(message(twins).contains("two parts"));
        assert!(message(Splitting::fractions([(" ", 1.0)])).contains("needs a name"));
        assert!(message(Splitting::counts([] as [(&str, u64); 0])).contains("nothing to split"));
        let error = message(Splitting::counts([("a", 7), ("b", 2)]));
        assert!(
            error.contains("7, 2") && error.contains("add up to 9"),
            "{error}"
        );
        assert!(message(Splitting::counts([("a", u64::MAX), ("b", 11)])).contains("add up to"));
        assert!(message(Splitting::counts([("a", 10), ("b", 0)])).contains("part = b"));
        assert!(Splitting::counts([("a", 1)]).sizes(0, "t").is_err());
    }
}
