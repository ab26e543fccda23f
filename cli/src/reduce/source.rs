//! The rows of a run, placed by a projection without changing the run.

use arrow_array::RecordBatch;
use emberlens::embedding::{EmbeddingColumn, EmbeddingRows, RowsToFit};
use emberlens::reduce::{Projection, Watch};
use emberlens::run::PassRecord;
use emberlens::table::values;
use emberlens::{Error, Result};
use ndarray::{Array2, ArrayView1, Axis};

/// What was learnt from, and the coordinates that it got then.
pub struct Learnt {
    pub rows: RowsToFit,
    pub coordinates: Array2<f32>,
}

/// Rows with their coordinates, NaN for a row that is not finite.
pub struct Placed {
    pub keys: Vec<RecordBatch>,
    pub coordinates: Array2<f32>,
}

/// Places all rows that have an embedding.
///
/// # Memory
/// One batch of embeddings; all keys and coordinates.
pub fn place(
    column: &EmbeddingColumn<'_>,
    by: &dyn Projection,
    learnt: Option<&Learnt>,
    watch: &Watch<'_>,
) -> Result<Placed> {
    let mut own = learnt.map(Own::new);
    let (mut keys, mut pieces) = (Vec::new(), Vec::new());
    for rows in column.all()? {
        let rows = rows?;
        if rows.finite.is_empty() {
            continue; // no row of this batch has a vector
        }
        pieces.push(place_batch(&rows, by, own.as_mut(), watch)?);
        keys.push(rows.keys);
    }
    let pieces: Vec<_> = pieces.iter().map(|piece| piece.view()).collect();
    let coordinates = match pieces.is_empty() {
        true => Array2::zeros((0, by.dims())),
        false => ndarray::concatenate(Axis(0), &pieces)
            .map_err(|error| Error::storage("joining rows", "the coordinates", error))?,
    };
    Ok(Placed { keys, coordinates })
}

fn place_batch(
    rows: &EmbeddingRows,
    by: &dyn Projection,
    own: Option<&mut Own<'_>>,
    watch: &Watch<'_>,
) -> Result<Array2<f32>> {
    let mut places = Array2::from_elem((rows.finite.len(), by.dims()), f32::NAN);
    let mut others: Vec<usize> = (0..rows.finite.len()).collect();
    if let Some(own) = own {
        let passes = values::<Option<String>>(&rows.keys, "pass_id")?;
        // Methods that optimise coordinates place a fitted row elsewhere than they left it.
        others.retain(|&row| match own.next_of(passes[row].as_deref()) {
            Some(known) => {
                places.row_mut(row).assign(&known);
                false
            }
            None => true,
        });
    }
    others.retain(|&row| rows.finite[row]);
    if !others.is_empty() {
        let x = rows.embeddings.select(Axis(0), &others);
        let placed = by.transform_watched(x.view(), watch)?;
        for (&row, place) in others.iter().zip(placed.outer_iter()) {
            places.row_mut(row).assign(&place);
        }
    }
    Ok(places)
}

/// How far the rows that were learnt from were met.
struct Own<'a> {
    learnt: &'a Learnt,
    /// Rows of their pass so far.
    ordinal: u64,
    /// Of these, those that were learnt from.
    met: usize,
}

impl<'a> Own<'a> {
    fn new(learnt: &'a Learnt) -> Self {
        Self {
            learnt,
            ordinal: 0,
            met: 0,
        }
    }

    /// Takes the next row, of this pass; its coordinates if it was learnt from.
    fn next_of(&mut self, pass: Option<&str>) -> Option<ArrayView1<'a, f32>> {
        let rows = &self.learnt.rows;
        if pass != Some(&rows.pass.pass_id) {
            return None;
        }
        let is_next = rows.ordinals.get(self.met) == Some(&self.ordinal);
        self.ordinal += 1;
        is_next.then(|| {
            self.met += 1;
            self.learnt.coordinates.row(self.met - 1)
        })
    }
}

/// The finite rows of a pass, and their examples.
pub fn finite_of_pass(
    column: &EmbeddingColumn<'_>,
    pass: &PassRecord,
) -> Result<(Array2<f32>, Vec<Option<i64>>)> {
    let (mut pieces, mut ids) = (Vec::new(), Vec::new());
    for rows in column.of_pass(pass)? {
        let rows = rows?;
        let numbers = (0..rows.finite.len()).filter(|&row| rows.finite[row]);
        let numbers: Vec<usize> = numbers.collect();
        if !numbers.is_empty() {
            let of_rows = values::<Option<i64>>(&rows.keys, "example_id")?;
            ids.extend(numbers.iter().map(|&row| of_rows[row]));
            pieces.push(rows.embeddings.select(Axis(0), &numbers));
        }
    }
    let pieces: Vec<_> = pieces.iter().map(|piece| piece.view()).collect();
    let rows = match pieces.is_empty() {
        true => Array2::zeros((0, 0)),
        false => ndarray::concatenate(Axis(0), &pieces)
            .map_err(|error| Error::storage("joining rows", "a pass", error))?,
    };
    Ok((rows, ids))
}

impl Placed {
    /// The coordinates of the finite rows of a pass, in the order of [`finite_of_pass`].
    pub fn of_pass(&self, pass: &PassRecord) -> Result<Array2<f32>> {
        let (mut rows, mut first) = (Vec::new(), 0);
        for keys in &self.keys {
            let passes = values::<Option<String>>(keys, "pass_id")?;
            let own = passes.iter().enumerate();
            let own = own.filter(|(_, id)| id.as_deref() == Some(&pass.pass_id));
            rows.extend(own.map(|(row, _)| first + row));
            first += passes.len();
        }
        Ok(finite(self.coordinates.select(Axis(0), &rows)))
    }
}

/// The rows without NaN and infinities.
pub fn finite(matrix: Array2<f32>) -> Array2<f32> {
    let rows = matrix.outer_iter().enumerate();
    let finite = rows.filter(|(_, row)| row.iter().all(|value| value.is_finite()));
    let numbers: Vec<usize> = finite.map(|(number, _)| number).collect();
    match numbers.len() == matrix.nrows() {
        true => matrix,
        false => matrix.select(Axis(0), &numbers),
    }
}
