//! Named columns of one batch: what collectors return and writers take.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array,
    ListArray, NullArray, RecordBatch, StringArray,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field, Schema};
use ndarray::ArrayView2;

use super::convert::{is_refused, stored_name};
use super::schema::{self, Role};
use crate::{Error, Result};

/// One column: values, and optionally the role that says how to show and use them.
///
/// Built with `from` a vector: `f32`, `f64`, `i32`, `i64`, `bool`, strings, bytes, or `Option`s of
/// the numbers (a `None` is null); [`Column::embedding`] takes a matrix.
///
/// ```
/// use emberlens::table::{Column, Role};
/// let predicted = Column::from(vec![3_i32, 1]).role(Role::category(["a", "b", "c", "d"]));
/// assert_eq!(predicted.len(), 2);
/// ```
#[derive(Clone, Debug)]
pub struct Column {
    values: ArrayRef,
    role: Option<Role>,
}

impl Column {
    /// A column from any Arrow array; [`Columns::into_batch`] checks that tables can hold its type.
    pub fn from_array(values: ArrayRef) -> Self {
        Self { values, role: None }
    }

    /// An embedding column.
    ///
    /// # Shapes and units
    /// `rows` `[batch, width]`; every later batch of the stream must have the same width. One batch
    /// holds fewer than 2^31 values; [`Columns::into_batch`] refuses a larger one.
    pub fn embedding(rows: ArrayView2<'_, f32>) -> Self {
        let width = rows.ncols();
        let role = Some(Role::Embedding { width });
        if exceeds_list_offsets(rows.nrows(), width) {
            // The values are left out: what is refused needs no copy of them.
            return Self {
                values: Arc::new(NullArray::new(rows.nrows())),
                role,
            };
        }
        let item = Arc::new(Field::new("element", DataType::Float32, true));
        let values = match rows.as_slice() {
            Some(values) => Float32Array::from(values.to_vec()),
            None => Float32Array::from_iter_values(rows.iter().copied()),
        };
        let offsets = OffsetBuffer::from_repeated_length(width, rows.nrows());
        let lists = ListArray::new(item, offsets, Arc::new(values), None);
        Self {
            values: Arc::new(lists),
            role,
        }
    }

    /// Embeddings of the instances of samples (words, boxes): one matrix per sample.
    ///
    /// ```
    /// use emberlens::table::{Column, Columns};
    /// use ndarray::{Array2, arr2};
    /// let words = [arr2(&[[1.0_f32, 2.0], [3.0, 4.0]]), Array2::zeros((0, 2))];
    /// let column = Column::instance_embeddings(&words.each_ref().map(|words| words.view()));
    /// assert_eq!(column.len(), 2);
    /// assert!(Columns::new().with("words", column).into_batch("example").is_ok());
    /// ```
    ///
    /// # Shapes and units
    /// Each `[instances, width]`; any number of instances, also none. One batch holds fewer than
    /// 2^31 values; [`Columns::into_batch`] refuses a larger one.
    pub fn instance_embeddings(samples: &[ArrayView2<'_, f32>]) -> Self {
        let size = |sample: &ArrayView2<'_, f32>| sample.len().max(sample.nrows());
        if exceeds_list_offsets(samples.iter().map(size).sum(), 1) {
            return Self::from_array(Arc::new(NullArray::new(samples.len())));
        }
        let element = |data_type| Arc::new(Field::new("element", data_type, true));
        let widths = samples
            .iter()
            .flat_map(|sample| std::iter::repeat_n(sample.ncols(), sample.nrows()));
        let all = Float32Array::from_iter_values(samples.iter().flatten().copied());
        let vectors = ListArray::new(
            element(DataType::Float32),
            OffsetBuffer::from_lengths(widths),
            Arc::new(all),
            None,
        );
        let counts = samples.iter().map(ArrayView2::nrows);
        Self::from_array(Arc::new(ListArray::new(
            element(vectors.data_type().clone()),
            OffsetBuffer::from_lengths(counts),
            Arc::new(vectors),
            None,
        )))
    }

    /// Sets how the column is shown and used.
    pub fn role(mut self, role: Role) -> Self {
        self.role = Some(role);
        self
    }

    /// The role, if any.
    pub fn get_role(&self) -> Option<&Role> {
        self.role.as_ref()
    }

    /// The values.
    pub fn values(&self) -> &ArrayRef {
        &self.values
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// True when there are no rows.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

macro_rules! column_from {
    ($($value:ty => $array:ident),* $(,)?) => {$(
        impl From<Vec<$value>> for Column {
            fn from(values: Vec<$value>) -> Self {
                Self::from_array(Arc::new($array::from(values)))
            }
        }
    )*};
}
column_from! {
    f32 => Float32Array, f64 => Float64Array, i32 => Int32Array, i64 => Int64Array,
    bool => BooleanArray, String => StringArray, &str => StringArray,
    Option<f32> => Float32Array, Option<f64> => Float64Array, Option<i32> => Int32Array,
    Option<i64> => Int64Array, Option<bool> => BooleanArray, Option<String> => StringArray,
}

impl From<Vec<Vec<u8>>> for Column {
    fn from(values: Vec<Vec<u8>>) -> Self {
        Self::from_array(Arc::new(BinaryArray::from_iter_values(values)))
    }
}

/// Named columns of one batch, in the order they were added; one row per sample.
///
/// ```
/// use emberlens::table::Columns;
/// let columns = Columns::new().with("loss", vec![0.1_f32, 2.3]).with("accuracy", vec![1.0_f32, 0.0]);
/// assert_eq!(columns.rows(), Some(2));
/// assert!(columns.into_batch("example").is_ok());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Columns {
    columns: Vec<(String, Column)>,
}

impl Columns {
    /// No columns.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a column; a second column of the same name is reported by [`Columns::into_batch`].
    pub fn with(mut self, name: impl Into<String>, column: impl Into<Column>) -> Self {
        self.push(name, column);
        self
    }

    /// Adds a column in place.
    pub fn push(&mut self, name: impl Into<String>, column: impl Into<Column>) {
        self.columns.push((name.into(), column.into()));
    }

    /// Adds all columns of another batch.
    pub fn extend(&mut self, other: Columns) {
        self.columns.extend(other.columns);
    }

    /// The column of that name.
    pub fn get(&self, name: &str) -> Option<&Column> {
        self.columns
            .iter()
            .find_map(|(own, column)| (own == name).then_some(column))
    }

    /// Names and columns in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Column)> {
        self.columns
            .iter()
            .map(|(name, column)| (name.as_str(), column))
    }

    /// Names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|(name, _)| name.as_str())
    }

    /// Number of columns.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// True when there are no columns.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Rows of the first column; `None` without columns.
    pub fn rows(&self) -> Option<usize> {
        self.columns.first().map(|(_, column)| column.len())
    }

    /// Names, types and roles of the columns, which need no rows.
    ///
    /// ```
    /// use emberlens::table::Columns;
    /// let schema = Columns::new().with("loss", Vec::<f32>::new()).schema()?;
    /// assert_eq!(schema.field(0).name(), "loss");
    /// # Ok::<(), emberlens::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Columns::into_batch`].
    pub fn schema(&self) -> Result<Schema> {
        let batch = self.clone().into_batch("a schema")?;
        Ok(batch.schema().as_ref().clone())
    }

    /// Checks names, lengths and types and makes an Arrow batch; `place` is named in errors.
    ///
    /// # Errors
    /// `Invalid` for a name that is empty, repeated or not allowed in Delta tables, columns that differ in length, or a type that
    /// Delta tables do not have (unsigned integers, dictionaries, ...).
    pub fn into_batch(self, place: &str) -> Result<RecordBatch> {
        let rows = self.rows().unwrap_or(0);
        let mut fields: Vec<Field> = Vec::with_capacity(self.columns.len());
        let mut arrays = Vec::with_capacity(self.columns.len());
        for (name, column) in self.columns {
            check_column(&name, &column, rows, place)?;
            if fields
                .iter()
                .any(|known| known.name().eq_ignore_ascii_case(&name))
            {
                return Err(Error::DuplicateColumn {
                    column: name,
                    first: place.to_owned(),
                    second: "the same batch (names are compared without case)".into(),
                });
            }
            fields.push(schema::field(
                &name,
                column.values.data_type().clone(),
                column.role.as_ref(),
            )?);
            arrays.push(column.values);
        }
        let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options).map_err(
            |error| {
                Error::invalid(
                    "columns",
                    place,
                    error.to_string(),
                    "check the column types",
                )
            },
        )
    }
}

/// Refuses names that Delta tables do not have.
pub(super) fn check_column_name(name: &str) -> Result<()> {
    if !name.trim().is_empty() && !name.contains(is_refused) {
        return Ok(());
    }
    Err(Error::invalid(
        "column name",
        format!("{name:?}"),
        "a column name is not empty and holds no space, control character or ,;{}()=",
        match stored_name(name) {
            clean if clean.is_empty() => "name it".to_owned(),
            clean => format!("call it `{clean}`"),
        },
    ))
}

/// Whether the lists of an embedding column end beyond Arrow's 32-bit offsets.
fn exceeds_list_offsets(rows: usize, width: usize) -> bool {
    rows.checked_mul(width)
        .is_none_or(|values| i32::try_from(values).is_err())
}

fn check_column(name: &str, column: &Column, rows: usize, place: &str) -> Result<()> {
    check_column_name(name)?;
    if column.len() != rows {
        return Err(Error::Shape {
            column: name.to_owned(),
            expected: rows,
            found: column.len(),
            place: place.to_owned(),
        });
    }
    if let Some(Role::Embedding { width }) = column.role
        && exceeds_list_offsets(rows, width)
    {
        return Err(Error::invalid(
            format!("column `{name}`"),
            format!("{rows} x {width} values"),
            format!("one batch of embeddings holds fewer than 2^31 values ({place})"),
            "pass fewer rows at a time",
        ));
    }
    if !storable(column.values.data_type()) {
        return Err(Error::Schema {
            column: name.to_owned(),
            expected:
                "signed integers, floats, bool, strings, bytes, timestamps, lists and structs"
                    .into(),
            found: column.values.data_type().to_string(),
            place: place.to_owned(),
            hint: "convert it, for example u32 to i64".into(),
        });
    }
    Ok(())
}

/// Whether a Delta table has this type.
fn storable(data_type: &DataType) -> bool {
    match data_type {
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Utf8
        | DataType::Binary
        | DataType::Date32
        | DataType::Timestamp(arrow_schema::TimeUnit::Microsecond, _) => true,
        DataType::List(item) => storable(item.data_type()),
        DataType::Struct(fields) => fields.iter().all(|field| storable(field.data_type())),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    #[test]
    fn an_embedding_keeps_its_width_as_role() {
        let column = Column::embedding(arr2(&[[1.0_f32, 2.0, 3.0], [4.0, 5.0, 6.0]]).view());
        assert_eq!(column.get_role(), Some(&Role::Embedding { width: 3 }));
        assert_eq!(column.len(), 2);
    }

    #[test]
    fn a_batch_of_embeddings_beyond_list_offsets_is_refused_without_a_copy_of_it() {
        // One value seen 2^32 times: a copy would take 16 GiB.
        let one = ndarray::arr2(&[[1.0_f32]]);
        let huge = one.broadcast((1 << 16, 1 << 16)).unwrap();
        let error = Columns::new()
            .with("embedding", Column::embedding(huge))
            .into_batch("collector `x`")
            .unwrap_err()
            .to_string();
        assert!(error.contains("65536 x 65536"), "{error}");
        assert!(error.contains("fewer rows at a time"), "{error}");
    }

    #[test]
    fn a_name_that_tables_do_not_have_is_refused_with_one_that_they_have() {
        for (name, hint) in [("my loss", "my_loss"), ("a\nb", "a_b"), (" ", "name it")] {
            let columns = Columns::new().with(name, vec![0.0_f32]);
            let error = columns.into_batch("x").unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Invalid);
            assert!(error.to_string().contains(hint), "{error}");
        }
    }

    #[test]
    fn a_short_column_is_named_with_both_lengths() {
        let error = Columns::new()
            .with("loss", vec![0.0_f32, 1.0])
            .with("margin", vec![0.0_f32])
            .into_batch("collector `x`")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("margin") && error.contains("1 rows") && error.contains('2'),
            "{error}"
        );
    }

    #[test]
    fn a_repeated_name_is_refused() {
        let columns = Columns::new()
            .with("loss", vec![0.0_f32])
            .with("Loss", vec![0.0_f32]);
        assert!(matches!(
            columns.into_batch("x"),
            Err(Error::DuplicateColumn { .. })
        ));
    }

    #[test]
    fn an_unsigned_column_is_refused_with_the_way_out() {
        let column = Column::from_array(Arc::new(arrow_array::UInt32Array::from(vec![1])));
        let error = Columns::new()
            .with("id", column)
            .into_batch("x")
            .unwrap_err();
        assert!(error.to_string().contains("i64"), "{error}");
    }
}
