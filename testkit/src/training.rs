//! A small training that says what the library acknowledged, for whoever cuts it off.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use emberlens::Result;
use emberlens::run::{At, IfExists, MetricsTableWriter, Project};
use emberlens::storage::Location;
use emberlens::table::Columns;

/// The project that a training writes to.
pub const PROJECT: &str = "p";
/// The name of its run.
pub const RUN: &str = "r";
/// Rows between two flushes; they are committed together or not at all.
pub const FLUSH_ROWS: i64 = 7;

/// Something that the library said `Ok` to, or that was begun.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// The run is about to be taken up from this epoch: what it holds from there on may go.
    Resuming(i64),
    /// The run was started, or taken up.
    Started,
    /// A scalar was flushed.
    Scalar {
        /// Its epoch.
        epoch: i64,
        /// Its value, which no other scalar has.
        value: f64,
    },
    /// So many rows of a pass were flushed.
    Rows {
        /// Its epoch.
        epoch: i64,
        /// The pass.
        pass: String,
        /// All its rows so far.
        rows: i64,
    },
    /// A pass was finalized.
    Pass {
        /// Its epoch.
        epoch: i64,
        /// The pass.
        pass: String,
        /// Its rows.
        rows: i64,
    },
    /// The run was completed.
    Completed,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resuming(epoch) => write!(f, "said resuming {epoch}"),
            Self::Started => write!(f, "said started"),
            Self::Scalar { epoch, value } => write!(f, "said scalar {epoch} {value}"),
            Self::Rows { epoch, pass, rows } => write!(f, "said rows {epoch} {pass} {rows}"),
            Self::Pass { epoch, pass, rows } => write!(f, "said pass {epoch} {pass} {rows}"),
            Self::Completed => write!(f, "said completed"),
        }
    }
}

impl FromStr for Said {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let unknown = || format!("{line:?} says nothing");
        let words: Vec<&str> = line.split(' ').collect();
        let number = |word: &str| word.parse::<i64>().map_err(|_| unknown());
        Ok(match *words.as_slice() {
            ["said", "resuming", epoch] => Self::Resuming(number(epoch)?),
            ["said", "started"] => Self::Started,
            ["said", "scalar", epoch, value] => Self::Scalar {
                epoch: number(epoch)?,
                value: value.parse().map_err(|_| unknown())?,
            },
            ["said", "rows", epoch, pass, rows] => Self::Rows {
                epoch: number(epoch)?,
                pass: pass.to_owned(),
                rows: number(rows)?,
            },
            ["said", "pass", epoch, pass, rows] => Self::Pass {
                epoch: number(epoch)?,
                pass: pass.to_owned(),
                rows: number(rows)?,
            },
            ["said", "completed"] => Self::Completed,
            _ => return Err(unknown()),
        })
    }
}

/// How a training goes.
#[derive(Clone, Copy, Debug)]
pub struct Training {
    /// Told in its scalars: which of the trainings of a run it is.
    pub number: i64,
    /// The epoch that it begins, or is resumed, at.
    pub first_epoch: i64,
    /// How many epochs it goes on for.
    pub epochs: i64,
    /// Flushes in every pass.
    pub flushes: i64,
}

impl Training {
    /// Trains below `root` and says everything that was acknowledged, as soon as it was.
    ///
    /// A training with a number above 0 takes the run of the one before it up.
    ///
    /// # Errors
    /// The library's first one.
    pub fn train(&self, root: &Location, say: &mut dyn FnMut(Said)) -> Result<()> {
        let project = Project::at(root.clone(), PROJECT)?;
        let run = project.run(RUN);
        let run = match self.number {
            0 => run.start()?,
            _ => {
                say(Said::Resuming(self.first_epoch));
                let resumed = run.if_exists(IfExists::Resume);
                resumed.from_epoch(self.first_epoch).start()?
            }
        };
        say(Said::Started);
        run.log_parameters(&BTreeMap::from([("training", self.number)]))?;
        for epoch in self.first_epoch..self.first_epoch + self.epochs {
            let value = (self.number * 1_000_000 + epoch) as f64;
            run.log(&[("loss", value)], At::epoch(epoch))?;
            run.flush()?;
            say(Said::Scalar { epoch, value });
            let mut writer = MetricsTableWriter::new(&run).split("train").epoch(epoch);
            let mut rows = 0;
            for flush in 0..self.flushes {
                writer.add_batch(batch(epoch, rows, rows + 3))?;
                writer.add_batch(batch(epoch, rows + 3, rows + FLUSH_ROWS))?;
                rows += FLUSH_ROWS;
                // The last rows are flushed by `finalize`.
                if flush + 1 < self.flushes {
                    writer.flush()?;
                    let pass = writer.pass_id().to_owned();
                    say(Said::Rows { epoch, pass, rows });
                }
            }
            writer.finalize()?;
            let pass = writer.pass_id().to_owned();
            say(Said::Pass { epoch, pass, rows });
        }
        run.complete()?;
        say(Said::Completed);
        Ok(())
    }
}

/// The loss of a row, so that every row can be told from every other.
pub fn loss_of(epoch: i64, example_id: i64) -> f32 {
    (epoch * 1000 + example_id) as f32
}

/// Rows of an epoch, from one `example_id` to before another.
fn batch(epoch: i64, from: i64, to: i64) -> Columns {
    let ids: Vec<i64> = (from..to).collect();
    let losses: Vec<f32> = ids.iter().map(|&id| loss_of(epoch, id)).collect();
    Columns::new().with("example_id", ids).with("loss", losses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_survives_a_pipe() {
        let pass = || "01k".to_owned();
        for said in [
            Said::Resuming(2),
            Said::Started,
            Said::Scalar {
                epoch: 1,
                value: 1_000_001.0,
            },
            Said::Rows {
                epoch: 1,
                pass: pass(),
                rows: 14,
            },
            Said::Pass {
                epoch: 1,
                pass: pass(),
                rows: 21,
            },
            Said::Completed,
        ] {
            assert_eq!(said.to_string().parse::<Said>().unwrap(), said);
        }
        assert!("said nothing".parse::<Said>().is_err());
    }
}
