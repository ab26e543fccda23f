//! Aggregates of a run as a table: one line per epoch.

use std::collections::BTreeMap;
use std::fmt::Write;

use emberlens::run::RunReader;

use crate::program::Failure;

/// The scalars of these names at every epoch, each under its heading.
pub fn table(run: &RunReader, columns: &[(&str, &str)]) -> Result<String, Failure> {
    let mut epochs: BTreeMap<i64, BTreeMap<String, f64>> = BTreeMap::new();
    for scalar in run.scalars()? {
        if let Some(epoch) = scalar.epoch {
            epochs
                .entry(epoch)
                .or_default()
                .insert(scalar.name, scalar.value);
        }
    }
    // An epoch that was trained but not collected has none of them.
    epochs.retain(|_, known| {
        columns
            .iter()
            .any(|(_, scalar)| known.contains_key(*scalar))
    });
    let mut out = String::from("  epoch");
    for (heading, _) in columns {
        write!(out, "  {heading:>16}")?;
    }
    writeln!(out)?;
    for (epoch, known) in &epochs {
        write!(out, "  {epoch:>5}")?;
        for (_, scalar) in columns {
            match known.get(*scalar) {
                Some(value) => write!(out, "  {value:>16.4}")?,
                None => write!(out, "  {:>16}", "-")?,
            }
        }
        writeln!(out)?;
    }
    Ok(out)
}
