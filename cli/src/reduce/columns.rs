//! Rows of Arrow batches as one matrix of f32, and the columns that say which rows they are.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType, Schema};
use emberlens::{Error, Result};
use ndarray::Array2;

use crate::narrow::Narrowing;

/// Columns that identify a row; those that the input has stand beside its coordinates.
const KEYS: [&str; 6] = ["example_id", "id", "split", "epoch", "pass_id", "instance"];

/// A matrix and the keys of its rows.
pub struct Rows {
    pub matrix: Array2<f32>,
    /// In the order of the rows; without columns when the input has no keys.
    pub keys: Vec<RecordBatch>,
    /// What was lost on the way to f32.
    pub notes: Vec<String>,
}

/// The columns to read: those of the matrix, then the keys that the input has.
///
/// # Errors
/// `MissingColumn` and `Schema` for a column that cannot be part of a matrix.
pub fn wanted<'a>(schema: &'a Schema, columns: &'a [String], place: &str) -> Result<Vec<&'a str>> {
    for column in columns {
        let Ok(field) = schema.field_with_name(column) else {
            return Err(Error::MissingColumn {
                column: column.clone(),
                place: place.to_owned(),
                available: usable(schema),
            });
        };
        if !is_vector(field.data_type()) && !is_number(field.data_type()) {
            return Err(Error::Schema {
                column: column.clone(),
                expected: "numbers or lists of floats".into(),
                found: field.data_type().to_string(),
                place: "a matrix".into(),
                hint: format!(
                    "name other columns with --column; there are: {}",
                    usable(schema)
                ),
            });
        }
    }
    let keys = KEYS.into_iter().filter(|key| {
        schema.field_with_name(key).is_ok() && !columns.iter().any(|column| column == key)
    });
    Ok(columns.iter().map(String::as_str).chain(keys).collect())
}

/// Collects batches of [`wanted`] columns into one matrix, row by row.
pub struct Gather<'a> {
    columns: &'a [String],
    place: &'a str,
    expected_rows: usize,
    values: Vec<f32>,
    /// Of each column; empty before the first row.
    widths: Vec<usize>,
    keys: Vec<RecordBatch>,
    rows: usize,
    /// Of the columns that hold f64 or large integers.
    narrowings: BTreeMap<usize, Narrowing>,
}

impl<'a> Gather<'a> {
    pub fn new(columns: &'a [String], place: &'a str, expected_rows: usize) -> Self {
        Self {
            columns,
            place,
            expected_rows,
            values: Vec::new(),
            widths: Vec::new(),
            keys: Vec::new(),
            rows: 0,
            narrowings: BTreeMap::new(),
        }
    }

    /// Takes in the rows of one batch.
    ///
    /// # Errors
    /// `Value` for a row without a value, or of another width than the first; `NonFinite` for an
    /// f64 beyond the range of f32.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let columns = self.columns;
        let parts = columns.iter().enumerate().map(|(index, name)| {
            let array = batch
                .column_by_name(name)
                .ok_or_else(|| Error::MissingColumn {
                    column: name.clone(),
                    place: self.place.to_owned(),
                    available: usable(batch.schema_ref()),
                })?;
            self.part(index, array)
        });
        let parts: Vec<Array2<f32>> = parts.collect::<Result<_>>()?;
        if self.rows == 0 {
            self.widths = parts.iter().map(Array2::ncols).collect();
        }
        self.reserve(batch.num_rows())?;
        match parts.as_slice() {
            [only] => self.values.extend(only),
            several => {
                for row in 0..batch.num_rows() {
                    several
                        .iter()
                        .for_each(|part| self.values.extend(part.row(row)));
                }
            }
        }
        self.rows += batch.num_rows();
        let keys = batch.schema_ref().fields().iter().enumerate();
        let keys = keys.filter(|(_, field)| !self.columns.contains(field.name()));
        let keys: Vec<usize> = keys.map(|(index, _)| index).collect();
        let keys = batch.project(&keys).map_err(|error| self.failed(error))?;
        self.keys.push(keys);
        Ok(())
    }

    fn reserve(&mut self, rows: usize) -> Result<()> {
        let width: usize = self.widths.iter().sum();
        let room = match self.rows {
            // All at once, where the number of rows is known beforehand.
            0 => self
                .values
                .try_reserve_exact(self.expected_rows.max(rows).saturating_mul(width)),
            _ => self.values.try_reserve(rows.saturating_mul(width)),
        };
        room.map_err(|_| Error::TooLarge {
            what: format!("reading {}", self.place),
            needed: (self.expected_rows as u64).saturating_mul(width as u64 * 4),
            limit: isize::MAX as u64,
            hint: "read fewer rows".into(),
        })
    }

    /// The matrix of all rows.
    ///
    /// # Errors
    /// `Invalid` for a column of f64 that f32 cannot tell apart.
    pub fn finish(self) -> Result<Rows> {
        let lost = self.narrowings.values().map(Narrowing::finish);
        let lost: Vec<Option<String>> = lost.collect::<Result<_>>()?;
        let shape = (self.rows, self.widths.iter().sum());
        Ok(Rows {
            matrix: Array2::from_shape_vec(shape, self.values)
                .map_err(|error| Error::storage("joining rows", self.place, error))?,
            keys: self.keys,
            notes: lost.into_iter().flatten().collect(),
        })
    }

    /// One column of a batch as a matrix.
    fn part(&mut self, index: usize, array: &ArrayRef) -> Result<Array2<f32>> {
        let columns = self.columns;
        let (name, width) = (columns[index].as_str(), self.widths.get(index).copied());
        if let Some(row) = (0..array.len()).find(|row| array.is_null(*row)) {
            return Err(self.value(name, row, "nothing"));
        }
        let (values, width) = match array.data_type() {
            DataType::List(_) => self.list(name, array.as_list::<i32>(), width)?,
            DataType::LargeList(_) => self.list(name, array.as_list::<i64>(), width)?,
            DataType::FixedSizeList(_, width) => {
                let list = array.as_fixed_size_list();
                (list.values().clone(), usize::try_from(*width).unwrap_or(0))
            }
            _ => (array.clone(), 1),
        };
        if let Some(at) = (0..values.len()).find(|at| values.is_null(*at)) {
            return Err(self.value(name, at / width.max(1), "a list with a missing number"));
        }
        let (values, is_exact) = match values.data_type() {
            of if is_wide_integer(of) => {
                let to = |values, of| arrow_cast::cast(values, of).map_err(|e| self.failed(e));
                let wide = to(&values, &DataType::Float64)?;
                let is_exact = to(&wide, of)? == values;
                (wide, is_exact)
            }
            _ => (values, true),
        };
        let narrow = match values.as_primitive_opt::<Float64Type>() {
            Some(wide) => {
                let (first, place) = (self.rows, format!("`{name}` of {}", self.place));
                let narrowing = self.narrowings.entry(index);
                let narrowing = narrowing.or_insert_with(|| Narrowing::new(place));
                let wide = wide.values().iter().enumerate();
                let narrow = wide.map(|(at, &value)| {
                    let (row, column) = (first + at / width.max(1), at % width.max(1));
                    narrowing.narrow_wide(row, column, (value, is_exact))
                });
                narrow.collect::<Result<Vec<f32>>>()?
            }
            None => {
                let narrow = arrow_cast::cast(&values, &DataType::Float32);
                let narrow = narrow.map_err(|error| self.failed(error))?;
                narrow.as_primitive::<Float32Type>().values().to_vec()
            }
        };
        let shape = (array.len(), width);
        Array2::from_shape_vec(shape, narrow)
            .map_err(|error| Error::storage("joining rows", self.place, error))
    }

    /// The values of a list and their number per row, which must be that of the rows before.
    fn list<O: arrow_array::OffsetSizeTrait>(
        &self,
        name: &str,
        list: &arrow_array::GenericListArray<O>,
        width: Option<usize>,
    ) -> Result<(ArrayRef, usize)> {
        let lengths = || list.offsets().lengths();
        let width = width.or_else(|| lengths().next()).unwrap_or(0);
        if let Some((row, length)) = lengths().enumerate().find(|(_, length)| *length != width) {
            return Err(Error::Value {
                column: name.to_owned(),
                row: (self.rows + row) as u64,
                found: format!("{length} numbers"),
                expected: format!("a row of {width}"),
                hint: "rows of a matrix have one width; leave the others out".into(),
            });
        }
        let offsets = list.offsets();
        let first = offsets.first().map_or(0, |offset| offset.as_usize());
        let last = offsets.last().map_or(0, |offset| offset.as_usize());
        Ok((list.values().slice(first, last - first), width))
    }

    fn value(&self, name: &str, row: usize, found: &str) -> Error {
        Error::Value {
            column: name.to_owned(),
            row: (self.rows + row) as u64,
            found: found.to_owned(),
            expected: "numbers".to_owned(),
            hint: "leave such rows out first".into(),
        }
    }

    fn failed(&self, error: ArrowError) -> Error {
        Error::storage("joining rows", self.place, error)
    }
}

fn is_number(of: &DataType) -> bool {
    of.is_numeric() && !matches!(of, DataType::Decimal128(..) | DataType::Decimal256(..))
        || *of == DataType::Boolean
}

/// Integers that f32 may not tell apart.
fn is_wide_integer(of: &DataType) -> bool {
    of.is_integer() && of.primitive_width().is_some_and(|bytes| bytes >= 4)
}

fn is_vector(of: &DataType) -> bool {
    match of {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            is_number(item.data_type())
        }
        _ => false,
    }
}

/// The columns that can be part of a matrix, for errors.
pub fn usable(schema: &Schema) -> String {
    let fields = schema.fields().iter();
    let usable = fields.filter_map(|field| match field.data_type() {
        of if is_vector(of) => Some(format!("{} (vectors)", field.name())),
        of if is_number(of) => Some(field.name().clone()),
        _ => None,
    });
    match usable.collect::<Vec<_>>().as_slice() {
        [] => "no column of numbers".into(),
        names => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use arrow_array::builder::{FixedSizeListBuilder, Float32Builder};
    use arrow_array::types::Float64Type as F64;
    use arrow_array::{Float64Array, Int32Array, ListArray};
    use ndarray::arr2;

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        let columns = columns.into_iter().map(|(name, array)| (name, array, true));
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    }

    fn lists(rows: &[Option<Vec<Option<f64>>>]) -> ArrayRef {
        Arc::new(ListArray::from_iter_primitive::<F64, _, _>(rows.to_vec()))
    }

    fn gather(columns: &[&str], batches: &[RecordBatch]) -> Result<Rows> {
        let columns: Vec<String> = columns.iter().map(|&name| name.to_owned()).collect();
        let mut gather = Gather::new(&columns, "test", 0);
        for batch in batches {
            let schema = batch.schema();
            let wanted = wanted(&schema, &columns, "test")?;
            let wanted = wanted.iter().map(|name| schema.index_of(name).unwrap());
            gather.add(&batch.project(&wanted.collect::<Vec<_>>()).unwrap())?;
        }
        gather.finish()
    }

    fn told(columns: &[&str], batches: &[RecordBatch]) -> String {
        match gather(columns, batches) {
            Ok(rows) => panic!("{:?}", rows.matrix),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn lists_and_numbers_stand_side_by_side_over_batches() {
        let one = batch(vec![
            ("id", Arc::new(Int32Array::from(vec![7, 8]))),
            (
                "v",
                lists(&[
                    Some(vec![Some(1.0), Some(2.0)]),
                    Some(vec![Some(3.0), Some(4.0)]),
                ]),
            ),
            ("n", Arc::new(Int32Array::from(vec![5, 6]))),
        ]);
        let rows = gather(
            &["n", "v"],
            &[one.slice(0, 0), one.clone(), one.slice(1, 1)],
        )
        .unwrap();
        let expected = [[5.0, 1.0, 2.0], [6.0, 3.0, 4.0], [6.0, 3.0, 4.0]];
        assert_eq!(rows.matrix, arr2(&expected));
        let ids: usize = rows.keys.iter().map(RecordBatch::num_rows).sum();
        assert_eq!((ids, rows.keys[0].num_columns()), (3, 1));
    }

    #[test]
    fn lists_of_one_size_by_type_are_read_from_the_middle_too() {
        let mut builder = FixedSizeListBuilder::new(Float32Builder::new(), 2);
        for row in 0..3 {
            builder.values().append_slice(&[row as f32, 10.0]);
            builder.append(true);
        }
        let all = batch(vec![("v", Arc::new(builder.finish()))]);
        let rows = gather(&["v"], &[all.slice(1, 2)]).unwrap();
        assert_eq!(rows.matrix, arr2(&[[1.0, 10.0], [2.0, 10.0]]));
    }

    #[test]
    fn rows_that_do_not_fit_are_named() {
        let good = batch(vec![("v", lists(&[Some(vec![Some(1.0)])]))]);
        let wide = batch(vec![("v", lists(&[Some(vec![Some(1.0), Some(2.0)])]))]);
        let text = told(&["v"], &[good.clone(), wide]);
        assert!(
            text.contains("row 1") && text.contains("2 numbers"),
            "{text}"
        );
        let missing = batch(vec![("v", lists(&[None]))]);
        assert!(told(&["v"], &[good.clone(), missing]).contains("row 1"));
        let hole = batch(vec![("v", lists(&[Some(vec![None])]))]);
        assert!(told(&["v"], &[hole]).contains("a missing number"));
        let huge = batch(vec![("n", Arc::new(Float64Array::from(vec![0.0, 1e300])))]);
        let text = told(&["n"], &[huge]);
        assert!(
            text.contains("1e300") && text.contains("row 1, column 0"),
            "{text}"
        );
    }

    #[test]
    fn what_f32_cannot_hold_is_told_by_column() {
        let tiny = batch(vec![
            ("n", Arc::new(Float64Array::from(vec![0.5, 1.0]))),
            (
                "v",
                lists(&[Some(vec![Some(1.0)]), Some(vec![Some(1e-50)])]),
            ),
        ]);
        let rows = gather(&["n", "v"], &[tiny.slice(0, 1), tiny.slice(1, 1)]).unwrap();
        assert_eq!(rows.matrix, arr2(&[[0.5, 1.0], [1.0, 0.0]]));
        let [note] = rows.notes.as_slice() else {
            panic!("{:?}", rows.notes);
        };
        assert!(note.contains("`v` of test") && note.contains("row 1, column 0: 1e-50"));
        let near = batch(vec![(
            "n",
            Arc::new(Float64Array::from(vec![1e9, 1e9 + 1.0])),
        )]);
        assert!(told(&["n"], &[near]).contains("all equal as float32"));
    }

    #[test]
    fn columns_that_cannot_be_part_of_a_matrix_are_refused_with_those_that_can() {
        let text = batch(vec![
            ("name", Arc::new(arrow_array::StringArray::from(vec!["a"]))),
            ("v", lists(&[Some(vec![Some(1.0)])])),
        ]);
        assert!(told(&["name"], std::slice::from_ref(&text)).contains("v (vectors)"));
        assert!(told(&["none"], &[text]).contains("v (vectors)"));
    }
}
