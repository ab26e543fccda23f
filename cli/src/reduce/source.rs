//! The vectors of a run: which stream holds them, which pass is learnt from, and their rows.

use arrow_array::cast::AsArray;
use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use emberlens::run::{Metrics, PassRecord, RunReader};
use emberlens::{Error, Result};
use ndarray::{Array2, Axis};

use super::columns::{Gather, Rows, usable, wanted};
use super::place::Watcher;

/// The split that is learnt from where there is one of that name.
const TRAIN: &str = "train";

/// A column of vectors in one stream of a run.
pub struct Source<'a> {
    reader: &'a RunReader,
    stream: String,
    columns: [String; 1],
    /// In words, for errors.
    pub place: String,
}

impl<'a> Source<'a> {
    /// The stream that has the column.
    ///
    /// # Errors
    /// `NotFound` for a stream that the run does not have; `MissingColumn` with the columns there
    /// are; `Invalid` when several streams have the column.
    pub fn find(reader: &'a RunReader, column: &str, stream: Option<&str>) -> Result<Self> {
        let (mut having, mut available) = (Vec::new(), Vec::new());
        let streams = match stream {
            Some(stream) => vec![stream.to_owned()],
            None => reader.streams(),
        };
        for stream in streams {
            let batches = reader.metrics(&stream).batches()?;
            available.push(format!("{} (stream `{stream}`)", usable(batches.schema())));
            if batches.schema().field_with_name(column).is_ok() {
                having.push(stream);
            }
        }
        match having.as_slice() {
            [stream] => Ok(Self {
                reader,
                place: format!("stream `{stream}` of run `{}`", reader.id()),
                stream: stream.clone(),
                columns: [column.to_owned()],
            }),
            [] => Err(Error::MissingColumn {
                column: column.to_owned(),
                place: format!("run `{}`", reader.id()),
                available: match available.is_empty() {
                    true => "no metrics yet".into(),
                    false => available.join("; "),
                },
            }),
            several => Err(Error::invalid(
                "--column",
                column,
                format!("several streams have it: {}", several.join(", ")),
                "name one with --stream",
            )),
        }
    }

    /// All rows of the stream.
    pub fn metrics(&self) -> Metrics<'a> {
        self.reader.metrics(&self.stream)
    }

    /// The rows of one pass.
    pub fn of_pass(&self, pass: &PassRecord) -> Metrics<'a> {
        self.metrics().split(&pass.split).epoch(pass.epoch)
    }

    /// The latest complete pass of `train`, else of any split, as reductions in the run choose it.
    pub fn pass_to_fit(&self) -> Result<PassRecord> {
        let mut passes = self.reader.passes(&self.stream);
        let train = passes.iter().rposition(|pass| pass.split == TRAIN);
        match (train, passes.len()) {
            (_, 0) => Err(Error::NotFound {
                what: "complete pass",
                name: "of any split".into(),
                hint: format!("stream `{}` has none yet", self.stream),
                place: self.reader.url(),
            }),
            (train, count) => Ok(passes.swap_remove(train.unwrap_or(count - 1))),
        }
    }

    /// The rows that have a vector, batch by batch.
    pub fn batches(&self, of: Metrics<'a>) -> Result<impl Iterator<Item = Result<Rows>>> {
        let schema = of.batches()?.schema().clone();
        let wanted = wanted(&schema, &self.columns, &self.place)?;
        let batches = of.columns(&wanted).batches()?;
        Ok(batches.map(move |batch| {
            let mut gather = Gather::new(&self.columns, &self.place, 0);
            gather.add(&with_vector(&batch?, &self.columns[0], &self.place)?)?;
            gather.finish()
        }))
    }

    /// The rows that have a vector, all at once.
    pub fn read(&self, of: Metrics<'a>, watcher: &Watcher<'_>) -> Result<Rows> {
        let schema = of.batches()?.schema().clone();
        let wanted = wanted(&schema, &self.columns, &self.place)?;
        let rows: u64 = of.passes().iter().map(|pass| pass.rows).sum();
        let mut gather = Gather::new(&self.columns, &self.place, rows as usize);
        for batch in of.columns(&wanted).batches()? {
            watcher.check("reading")?;
            gather.add(&with_vector(&batch?, &self.columns[0], &self.place)?)?;
        }
        gather.finish()
    }
}

/// The rows of a batch whose vector is not null.
fn with_vector(batch: &RecordBatch, column: &str, place: &str) -> Result<RecordBatch> {
    let Some(vectors) = batch.column_by_name(column) else {
        return Ok(batch.clone());
    };
    let keep: BooleanArray = (0..vectors.len())
        .map(|row| Some(vectors.is_valid(row)))
        .collect();
    filter_record_batch(batch, &keep)
        .map_err(|error| Error::storage("selecting rows", place, error))
}

/// The rows without NaN and infinities, and their numbers.
pub fn finite(matrix: Array2<f32>) -> (Array2<f32>, Vec<usize>) {
    let rows = matrix.outer_iter().enumerate();
    let finite = rows.filter(|(_, row)| row.iter().all(|value| value.is_finite()));
    let numbers: Vec<usize> = finite.map(|(number, _)| number).collect();
    match numbers.len() == matrix.nrows() {
        true => (matrix, numbers),
        false => (matrix.select(Axis(0), &numbers), numbers),
    }
}

/// Which rows belong to the pass.
pub fn rows_of_pass(keys: &[RecordBatch], pass: &str) -> Vec<bool> {
    let ids = keys
        .iter()
        .filter_map(|keys| keys.column_by_name("pass_id")?.as_string_opt::<i32>());
    ids.flat_map(|ids| ids.iter().map(|id| id == Some(pass)))
        .collect()
}
