//! Placing rows by fitted projections, and the files that their coordinates are written to.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float32Array, RecordBatch};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;
use ndarray::{Array2, Axis};

use super::groups::Group;
use super::reduction::Reduction;
use super::rows::Rows;
use super::source::Source;
use crate::reduce::{Projection, Watch};
use crate::run::{PassRecord, axes};
use crate::storage::Location;
use crate::table::{DataFile, FileWriter};
use crate::{Error, Result};

/// The projections that place the rows of one group, one for each parameter set.
pub(super) struct Placement {
    pub(super) group: Group,
    pub(super) models: Vec<Box<dyn Projection>>,
    /// What they were learnt from, unless that was elsewhere.
    pub(super) fitted: Option<Fitted>,
}

/// The rows that projections were learnt from, and the coordinates that they got then.
pub(super) struct Fitted {
    pub(super) pass: PassRecord,
    /// Their numbers within the rows of the pass that have an embedding, ascending.
    pub(super) ordinals: Vec<u64>,
    /// For each parameter set `[rows, dims]`.
    pub(super) coordinates: Vec<Array2<f32>>,
}

/// Rows that were placed, by what became of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) rows: u64,
    pub(super) not_finite: u64,
    pub(super) without: u64,
}

impl Counts {
    pub(super) fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.not_finite += other.not_finite;
        self.without += other.without;
    }
}

/// Coordinates on their way into files; those of no commit are deleted when it is dropped.
pub(super) struct Stage {
    folder: Location,
    dims: usize,
    writer: Option<(FileWriter, SchemaRef)>,
}

/// The files of a stage, whole; deleted when it is dropped before a commit took them.
pub(super) struct Staged {
    pub(super) folder: Location,
    pub(super) schema: SchemaRef,
    pub(super) files: Vec<DataFile>,
}

impl Reduction<'_> {
    /// Places all rows of the groups into the stages, one for each parameter set.
    pub(super) fn place(
        &self,
        source: &Source<'_>,
        placements: &[Placement],
        stages: &mut [Stage],
    ) -> Result<Counts> {
        let passes = placements
            .iter()
            .flat_map(|placement| &placement.group.passes);
        let total: u64 = passes.map(|pass| pass.rows).sum();
        let label = format!("placing {}", self.column);
        self.progress.start(&label, total);
        let counts = self.place_batches(source, placements, stages, total);
        self.progress.end();
        counts
    }

    fn place_batches(
        &self,
        source: &Source<'_>,
        placements: &[Placement],
        stages: &mut [Stage],
        total: u64,
    ) -> Result<Counts> {
        let mut groups = HashMap::new();
        for (index, placement) in placements.iter().enumerate() {
            let passes = placement.group.passes.iter();
            groups.extend(passes.map(|pass| (pass.pass_id.as_str(), index)));
        }
        let watch = self.watch().quiet();
        let mut cursors = vec![Cursor::default(); placements.len()];
        let mut counts = Counts::default();
        for batch in source.all(self.filter.split.as_deref())? {
            self.check_cancelled()?;
            let batch = batch?;
            let group_of = |pass: &Option<String>| groups.get(pass.as_deref()?).copied();
            let missing = batch.without.iter().filter_map(group_of);
            counts.without += missing.count() as u64;
            let passes = batch.passes()?;
            let of_row: Vec<Option<usize>> = passes.iter().map(group_of).collect();
            let mut shares = Vec::with_capacity(placements.len());
            for (index, placement) in placements.iter().enumerate() {
                let rows = (0..passes.len()).filter(|&row| of_row[row] == Some(index));
                shares.push(cursors[index].share(placement, &batch, rows, &passes));
            }
            for (set, stage) in stages.iter_mut().enumerate() {
                let mut coordinates = Array2::zeros((passes.len(), stage.dims));
                for (placement, share) in placements.iter().zip(&shares) {
                    share.place(placement, set, &batch, &mut coordinates, &watch)?;
                }
                stage.write(&batch, &of_row, &coordinates)?;
            }
            let placed = of_row
                .iter()
                .zip(&batch.finite)
                .filter(|(of, _)| of.is_some());
            let finite = placed.clone().filter(|&(_, &finite)| finite).count() as u64;
            counts.rows += finite;
            counts.not_finite += placed.count() as u64 - finite;
            let done = counts.rows + counts.not_finite + counts.without;
            self.progress.update(done.min(total));
        }
        Ok(counts)
    }
}

/// How far the rows of a fitted pass were met.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    /// Rows of the pass so far.
    ordinal: u64,
    /// Fitted rows so far.
    fitted: usize,
}

/// The rows of one batch that belong to one group.
#[derive(Debug, Default)]
struct Share {
    /// Rows that were fitted, and which of the fitted rows each is.
    fitted: Vec<(usize, usize)>,
    others: Vec<usize>,
}

impl Cursor {
    fn share(
        &mut self,
        placement: &Placement,
        batch: &Rows,
        rows: impl Iterator<Item = usize>,
        passes: &[Option<String>],
    ) -> Share {
        let mut share = Share::default();
        for row in rows {
            let mut is_fitted = false;
            if let Some(fitted) = &placement.fitted
                && passes[row].as_deref() == Some(fitted.pass.pass_id.as_str())
            {
                is_fitted = fitted.ordinals.get(self.fitted) == Some(&self.ordinal);
                self.ordinal += 1;
            }
            if is_fitted {
                share.fitted.push((row, self.fitted));
                self.fitted += 1;
            } else if batch.finite[row] {
                share.others.push(row);
            }
        }
        share
    }
}

impl Share {
    /// Fills in the coordinates of these rows by one parameter set.
    fn place(
        &self,
        placement: &Placement,
        set: usize,
        batch: &Rows,
        coordinates: &mut Array2<f32>,
        watch: &Watch<'_>,
    ) -> Result<()> {
        if let Some(fitted) = &placement.fitted {
            for &(row, index) in &self.fitted {
                let known = fitted.coordinates[set].row(index);
                coordinates.row_mut(row).assign(&known);
            }
        }
        if self.others.is_empty() {
            return Ok(());
        }
        let rows = batch.embeddings.select(Axis(0), &self.others);
        let placed = placement.models[set].transform_watched(rows.view(), watch)?;
        for (&row, placed) in self.others.iter().zip(placed.outer_iter()) {
            coordinates.row_mut(row).assign(&placed);
        }
        Ok(())
    }
}

impl Stage {
    pub(super) fn new(folder: Location, dims: usize) -> Self {
        Self {
            folder,
            dims,
            writer: None,
        }
    }

    /// Writes the rows of a batch that belong to a group; those that are not finite with nulls.
    fn write(
        &mut self,
        batch: &Rows,
        of_row: &[Option<usize>],
        coordinates: &Array2<f32>,
    ) -> Result<()> {
        let chosen: BooleanArray = of_row.iter().map(|of| Some(of.is_some())).collect();
        self.write_rows(&batch.keys, &batch.finite, &chosen, coordinates)
    }

    /// Writes the chosen rows.
    pub(super) fn write_rows(
        &mut self,
        keys: &RecordBatch,
        finite: &[bool],
        chosen: &BooleanArray,
        coordinates: &Array2<f32>,
    ) -> Result<()> {
        if chosen.true_count() == 0 {
            return Ok(());
        }
        let (writer, schema) = self.writer.get_or_insert_with(|| {
            let schema = schema(keys, self.dims);
            let writer = FileWriter::starting_at(self.folder.clone(), schema.clone(), 0);
            (writer, schema)
        });
        let valid = NullBuffer::from(finite.to_vec());
        let mut columns = keys.columns().to_vec();
        for axis in coordinates.axis_iter(Axis(1)) {
            let values = axis.to_vec().into();
            columns.push(Arc::new(Float32Array::new(values, Some(valid.clone()))) as ArrayRef);
        }
        let joined = RecordBatch::try_new(schema.clone(), columns)
            .and_then(|all| filter_record_batch(&all, chosen))
            .map_err(|error| {
                Error::storage("join coordinates to their rows", self.folder.url(), error)
            })?;
        writer.write(&joined)
    }

    /// Puts the last rows into the store; `None` when there were none.
    pub(super) fn finish(mut self) -> Result<Option<Staged>> {
        let Some((writer, schema)) = &mut self.writer else {
            return Ok(None);
        };
        let staged = Staged {
            folder: self.folder.clone(),
            schema: schema.clone(),
            files: writer.finish()?,
        };
        Ok(Some(staged))
    }
}

impl Drop for Stage {
    /// Deletes what was written and is not staged.
    fn drop(&mut self) {
        if let Some((writer, _)) = self.writer.take() {
            writer.abandon();
        }
    }
}

impl Drop for Staged {
    /// Deletes the files that no commit took.
    fn drop(&mut self) {
        for file in &self.files {
            // Readers never see the file, so a failure costs room and nothing else.
            if let Err(error) = self.folder.join(&file.name).delete() {
                tracing::warn!(file = file.name, %error, "an unused data file stays behind");
            }
        }
    }
}

/// Keys, then the axes.
fn schema(keys: &RecordBatch, dims: usize) -> SchemaRef {
    let mut fields = keys.schema().fields().to_vec();
    let axis = |name| Arc::new(Field::new(name, DataType::Float32, true));
    fields.extend(axes(dims).into_iter().map(axis));
    Arc::new(Schema::new(fields))
}
