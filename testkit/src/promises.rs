//! What a run must hold, by what its trainings were told.

use std::collections::BTreeMap;

use emberlens::collect::Silent;
use emberlens::run::{Project, RunReader};
use emberlens::storage::Location;
use emberlens::table::{DeltaTable, values};
use emberlens::{Error, ErrorKind};

use crate::training::{FLUSH_ROWS, PROJECT, RUN, Said, loss_of};

/// How sure it is that something is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Certainty {
    /// It was acknowledged.
    There,
    /// Somebody began to take it back and was cut off.
    Maybe,
    /// It was taken back, and that was acknowledged.
    Gone,
}

#[derive(Clone, Debug)]
struct Pass {
    epoch: i64,
    /// Rows that were acknowledged.
    rows: i64,
    is_finalized: bool,
    certainty: Certainty,
}

/// Everything that was acknowledged of a run, by all its trainings.
#[derive(Clone, Debug, Default)]
pub struct Promises {
    is_started: bool,
    is_completed: bool,
    resuming: Option<i64>,
    passes: BTreeMap<String, Pass>,
    /// Value, epoch.
    scalars: Vec<(f64, i64, Certainty)>,
}

/// Epoch, example and loss.
type Row = (i64, i64, f32);

/// What was found in a run that keeps its promises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Rows that were promised and are there.
    pub promised_rows: u64,
    /// Rows in the table, those too that nobody had been promised yet.
    pub rows: u64,
    /// Passes that readers see.
    pub passes: usize,
    /// Scalars.
    pub scalars: usize,
}

impl Promises {
    /// Takes note of what a training said.
    pub fn hear(&mut self, said: &Said) {
        match said {
            Said::Resuming(epoch) => {
                self.resuming = Some(*epoch);
                self.is_completed = false;
                self.doubt(*epoch, Certainty::Maybe);
            }
            Said::Started => {
                self.is_started = true;
                if let Some(epoch) = self.resuming.take() {
                    self.doubt(epoch, Certainty::Gone);
                }
            }
            Said::Scalar { epoch, value } => {
                self.scalars.push((*value, *epoch, Certainty::There));
            }
            Said::Rows { epoch, pass, rows } => self.promise(pass, *epoch, *rows, false),
            Said::Pass { epoch, pass, rows } => self.promise(pass, *epoch, *rows, true),
            Said::Completed => self.is_completed = true,
        }
    }

    /// Whether the run was ever started.
    pub fn is_started(&self) -> bool {
        self.is_started
    }

    /// The epoch after the last one of which something was acknowledged.
    pub fn next_epoch(&self) -> i64 {
        let passes = self.passes.values().map(|pass| pass.epoch);
        let scalars = self.scalars.iter().map(|(_, epoch, _)| *epoch);
        passes.chain(scalars).max().map_or(0, |epoch| epoch + 1)
    }

    fn promise(&mut self, pass: &str, epoch: i64, rows: i64, is_finalized: bool) {
        let pass = self.passes.entry(pass.to_owned()).or_insert(Pass {
            epoch,
            rows,
            is_finalized,
            certainty: Certainty::There,
        });
        (pass.rows, pass.is_finalized) = (rows, is_finalized);
    }

    fn doubt(&mut self, from_epoch: i64, certainty: Certainty) {
        let passes = self.passes.values_mut();
        let scalars = self.scalars.iter_mut();
        let all = passes.map(|pass| (pass.epoch, &mut pass.certainty));
        for (epoch, known) in all.chain(scalars.map(|(_, epoch, known)| (*epoch, known))) {
            if epoch >= from_epoch && *known != Certainty::Gone {
                *known = certainty;
            }
        }
    }

    /// Reads the run below `root` in every way and compares it with what was promised.
    ///
    /// # Errors
    /// What is lost, doubled, half there or cannot be read.
    pub fn check(&self, root: &Location) -> Result<Kept, String> {
        let read = |error: Error| format!("it cannot be read: {}", error.chain());
        let project = Project::at(root.clone(), PROJECT).map_err(read)?;
        let runs = project.runs().map_err(read)?;
        if let Some(damaged) = runs.into_iter().find_map(Result::err) {
            return Err(format!("a run is damaged: {}", damaged.error.chain()));
        }
        let reader = match project.open_run(RUN) {
            Ok(reader) => reader,
            Err(error) if !self.is_started && is_not_there(&error) => return Ok(Kept::default()),
            Err(error) => return Err(read(error)),
        };
        let verified = reader.verify(&Silent).map_err(read)?;
        if let Some(problem) = verified.problems.first() {
            return Err(format!("verify is not content: {}", problem.chain()));
        }
        if self.is_completed && reader.status().name() != "completed" {
            return Err(format!(
                "it is {} and was completed",
                reader.status().name()
            ));
        }
        let (promised_rows, rows) = self.check_stored(&reader)?;
        Ok(Kept {
            promised_rows,
            rows,
            passes: self.check_passes(&reader)?,
            scalars: self.check_scalars(&reader)?,
        })
    }

    /// The rows in the table, whatever readers make of them: those promised and all.
    fn check_stored(&self, reader: &RunReader) -> Result<(u64, u64), String> {
        let mut stored: BTreeMap<String, Vec<Row>> = BTreeMap::new();
        for (pass, row) in stored_rows(reader).map_err(|error| error.chain())? {
            stored.entry(pass).or_default().push(row);
        }
        for (pass, rows) in &stored {
            let ids: Vec<i64> = rows.iter().map(|(_, id, _)| *id).collect();
            let count = ids.len() as i64;
            if ids != (0..count).collect::<Vec<_>>() {
                return Err(format!("pass {pass} holds the rows {ids:?}"));
            }
            if count % FLUSH_ROWS != 0 {
                return Err(format!("pass {pass} holds half a flush: {count} rows"));
            }
            if let Some((epoch, id, loss)) = rows
                .iter()
                .find(|(epoch, id, loss)| *loss != loss_of(*epoch, *id))
            {
                return Err(format!("row {id} of epoch {epoch} has the loss {loss}"));
            }
        }
        let mut promised = 0;
        for (id, pass) in &self.passes {
            let there = stored.get(id).map_or(0, |rows| rows.len() as i64);
            if pass.certainty == Certainty::There && there < pass.rows {
                return Err(format!(
                    "pass {id} of epoch {}: {there} rows are left of {} acknowledged",
                    pass.epoch, pass.rows
                ));
            }
            promised += pass.rows.unsigned_abs();
        }
        let rows = stored.values().map(|rows| rows.len() as u64).sum();
        Ok((promised, rows))
    }

    /// The passes that readers see: whole, and all that were finalized.
    fn check_passes(&self, reader: &RunReader) -> Result<usize, String> {
        let seen = reader.passes("default");
        for pass in &seen {
            let place = reader
                .metrics("default")
                .split(&pass.split)
                .epoch(pass.epoch);
            let ids: Vec<i64> = place.values("example_id").map_err(|error| error.chain())?;
            let count = i64::try_from(pass.rows).unwrap_or(i64::MAX);
            if ids != (0..count).collect::<Vec<_>>() {
                return Err(format!("pass {} reads as {ids:?}", pass.pass_id));
            }
        }
        for (id, pass) in &self.passes {
            let shows = seen.iter().find(|seen| seen.pass_id == *id);
            match (pass.certainty, shows) {
                (Certainty::There, None) if pass.is_finalized => {
                    return Err(format!("pass {id} was finalized and is not seen"));
                }
                (Certainty::Gone, Some(_)) => {
                    return Err(format!("pass {id} was taken back and is seen"));
                }
                (_, Some(seen)) if pass.is_finalized && seen.rows != pass.rows.unsigned_abs() => {
                    return Err(format!("pass {id} has {} rows of {}", seen.rows, pass.rows));
                }
                _ => {}
            }
        }
        Ok(seen.len())
    }

    fn check_scalars(&self, reader: &RunReader) -> Result<usize, String> {
        let found = reader.scalars().map_err(|error| error.chain())?;
        let mut numbers: Vec<u64> = found.iter().map(|scalar| scalar.value.to_bits()).collect();
        numbers.sort_unstable();
        if let Some(twice) = numbers.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!(
                "the scalar {} is there twice",
                f64::from_bits(twice[0])
            ));
        }
        for (value, epoch, certainty) in &self.scalars {
            let is_there = found
                .iter()
                .any(|scalar| scalar.value == *value && scalar.epoch == Some(*epoch));
            match certainty {
                Certainty::There if !is_there => {
                    return Err(format!("the scalar {value} of epoch {epoch} is lost"));
                }
                Certainty::Gone if is_there => {
                    return Err(format!(
                        "the scalar {value} of epoch {epoch} was taken back"
                    ));
                }
                _ => {}
            }
        }
        Ok(found.len())
    }
}

/// No run yet, or one of which not even the first document is there.
fn is_not_there(error: &Error) -> bool {
    match error {
        Error::Corrupt { reason, .. } => reason.contains("it was never wholly created"),
        error => error.kind() == ErrorKind::NotFound,
    }
}

/// Pass, epoch, example and loss of every row of the latest version, complete or not.
fn stored_rows(reader: &RunReader) -> emberlens::Result<Vec<(String, Row)>> {
    let place = reader.location().join("metrics/default");
    if !DeltaTable::exists(&place)? {
        return Ok(Vec::new());
    }
    let rows = DeltaTable::open(place)?.snapshot()?.read(None)?;
    let passes = values::<String>(&rows, "pass_id")?;
    let epochs = values::<i64>(&rows, "epoch")?;
    let ids = values::<i64>(&rows, "example_id")?;
    let losses = values::<f32>(&rows, "loss")?;
    let numbers = epochs.into_iter().zip(ids).zip(losses);
    let numbers = numbers.map(|((epoch, id), loss)| (epoch, id, loss));
    Ok(passes.into_iter().zip(numbers).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::Training;

    fn trained() -> (Location, Promises) {
        let root = Location::open("memory://").unwrap();
        let mut promises = Promises::default();
        let mut training = Training {
            number: 0,
            first_epoch: 0,
            epochs: 3,
            flushes: 2,
        };
        training
            .train(&root, &mut |said| promises.hear(&said))
            .unwrap();
        (training.number, training.first_epoch) = (1, 2);
        training
            .train(&root, &mut |said| promises.hear(&said))
            .unwrap();
        (root, promises)
    }

    #[test]
    fn a_training_that_nobody_disturbed_keeps_every_promise() {
        let (root, promises) = trained();
        let kept = promises.check(&root).unwrap();
        assert_eq!((kept.passes, kept.scalars), (5, 5));
        assert_eq!(
            kept.rows,
            5 * 14,
            "the pass of epoch 2 that was replaced is gone"
        );
    }

    #[test]
    fn what_is_missing_is_missed() {
        let (root, mut promises) = trained();
        promises.hear(&Said::Rows {
            epoch: 9,
            pass: "none".into(),
            rows: 7,
        });
        let error = promises.check(&root).unwrap_err();
        assert!(error.contains("0 rows are left of 7"), "{error}");

        let (root, mut promises) = trained();
        promises.hear(&Said::Scalar {
            epoch: 0,
            value: 0.25,
        });
        assert!(promises.check(&root).unwrap_err().contains("is lost"));

        let (root, mut promises) = trained();
        promises.hear(&Said::Resuming(0));
        promises.check(&root).unwrap();
        promises.hear(&Said::Started);
        assert!(promises.check(&root).unwrap_err().contains("taken back"));
    }

    #[test]
    fn a_row_that_is_there_twice_is_found() {
        let (root, promises) = trained();
        let project = Project::at(root.clone(), PROJECT).unwrap();
        let place = project
            .open_run(RUN)
            .unwrap()
            .location()
            .join("metrics/default");
        let table = DeltaTable::open(place).unwrap();
        let rows = table.snapshot().unwrap().read(None).unwrap();
        table.append("twice", 0, &[rows.slice(0, 1)]).unwrap();
        assert!(promises.check(&root).is_err());
    }
}
