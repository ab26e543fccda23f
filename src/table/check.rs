//! What every batch of a table is checked for before it is written.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, RecordBatchOptions};
use arrow_cast::cast;
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::columns::check_column_name;
use super::convert::{convert, refused_type, stored_type};
use super::schema::{self, Role};
use super::values::Place;
use crate::{Error, Result};

/// The schema under which a table stores columns of `schema`.
///
/// # Errors
/// `Invalid` for no columns, a name that is empty, repeated or holds characters that tables refuse,
/// a type that tables do not have, a role that does not fit its column, or two weight columns.
pub(super) fn stored_schema(schema: &Schema, place: &str) -> Result<SchemaRef> {
    if schema.fields().is_empty() {
        let hint = "give at least one column";
        return Err(Error::invalid(
            "columns",
            place,
            "a table needs a column",
            hint,
        ));
    }
    let mut fields: Vec<Field> = Vec::with_capacity(schema.fields().len());
    let mut weight: Option<&str> = None;
    for field in schema.fields() {
        check_name(field.name(), &fields, place)?;
        let data_type = stored_type(field.data_type())
            .ok_or_else(|| refused_type(field.name(), field.data_type(), place))?;
        let role = schema::role(field);
        if let Some(role) = &role {
            check_role(field.name(), &data_type, role, place)?;
        }
        if role == Some(Role::Weight)
            && let Some(first) = weight.replace(field.name())
        {
            return Err(Error::invalid(
                "role",
                format!("weight of column `{}`", field.name()),
                format!("`{first}` is the weight already"),
                "a table has one weight column: take the role from the other",
            ));
        }
        let stored = Field::new(field.name(), data_type, true);
        fields.push(stored.with_metadata(field.metadata().clone()));
    }
    Ok(Arc::new(Schema::new(fields)))
}

fn check_name(name: &str, known: &[Field], place: &str) -> Result<()> {
    check_column_name(name)?;
    if known
        .iter()
        .any(|field| field.name().to_lowercase() == name.to_lowercase())
    {
        return Err(Error::DuplicateColumn {
            column: name.to_owned(),
            first: place.to_owned(),
            second: "the same table (names are compared without case)".into(),
        });
    }
    Ok(())
}

fn check_role(column: &str, data_type: &DataType, role: &Role, place: &str) -> Result<()> {
    use super::schema::ImageStorage;
    let number = data_type.is_integer() || data_type.is_floating();
    let (fits, needed) = match role {
        Role::Category { .. } => (data_type.is_integer(), "integers, the class indices"),
        Role::Embedding { .. } => (*data_type == schema::embedding_type(), "a list of f32"),
        Role::Weight => (number, "numbers"),
        Role::Probability => (data_type.is_floating(), "floats"),
        Role::Image {
            storage: ImageStorage::Bytes,
        } => (
            *data_type == DataType::Binary,
            "bytes, an encoded image each",
        ),
        Role::Image {
            storage: ImageStorage::Url,
        }
        | Role::Url => (*data_type == DataType::Utf8, "strings, a URL each"),
        Role::Boxes { .. }
        | Role::OrientedBoxes { .. }
        | Role::Masks { .. }
        | Role::Keypoints { .. } => (data_type.is_nested(), "lists or structs"),
        Role::ClassMask { .. } => (
            *data_type == DataType::Binary,
            "bytes, an encoded image each",
        ),
        Role::Id => (true, "anything"),
    };
    if fits {
        return Ok(());
    }
    Err(Error::Schema {
        column: column.to_owned(),
        expected: needed.to_owned(),
        found: data_type.to_string(),
        place: format!("its role in {place}"),
        hint: "convert the column or give it another role".into(),
    })
}

/// Brings batches to a table's schema and checks their values, counting rows for the errors.
pub(super) struct BatchCheck {
    schema: SchemaRef,
    place: String,
    next_row: u64,
}

impl BatchCheck {
    pub(super) fn new(schema: SchemaRef, place: &str, first_row: u64) -> Self {
        Self {
            schema,
            place: place.to_owned(),
            next_row: first_row,
        }
    }

    /// The batch with the table's column order, types and roles.
    ///
    /// # Errors
    /// `Invalid` for a missing or unknown column, another type or embedding width, a weight that is
    /// null, negative, NaN or infinite.
    pub(super) fn check(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        for field in batch.schema_ref().fields() {
            if self.schema.index_of(field.name()).is_err() {
                return Err(Error::MissingColumn {
                    column: field.name().clone(),
                    place: self.place.clone(),
                    available: schema::names(&self.schema),
                });
            }
        }
        let mut arrays = Vec::with_capacity(self.schema.fields().len());
        for field in self.schema.fields() {
            arrays.push(self.column(batch, field)?);
        }
        self.next_row += batch.num_rows() as u64;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(|error| Error::invalid("batch", &self.place, error.to_string(), "check it"))
    }

    fn column(&self, batch: &RecordBatch, field: &Field) -> Result<ArrayRef> {
        let name = field.name();
        let Some(array) = batch.column_by_name(name) else {
            if matches!(schema::role(field), Some(Role::Weight)) {
                return self.whole_weights(batch.num_rows(), field);
            }
            return Err(Error::MissingColumn {
                column: name.clone(),
                place: format!("the rows for {}", self.place),
                available: schema::names(batch.schema_ref()),
            });
        };
        if stored_type(array.data_type()).as_ref() != Some(field.data_type()) {
            return Err(Error::Schema {
                column: name.clone(),
                expected: field.data_type().to_string(),
                found: array.data_type().to_string(),
                place: self.place.clone(),
                hint: "convert it, or write another table".into(),
            });
        }
        let place = Place {
            column: name,
            first_row: self.next_row,
        };
        let array = convert(array, field.data_type(), place)?;
        match schema::role(field) {
            Some(Role::Embedding { width }) => check_widths(&array, width, place)?,
            Some(Role::Weight) => check_weights(&array, place)?,
            _ => {}
        }
        Ok(array)
    }

    /// Rows without a weight weigh 1.
    fn whole_weights(&self, rows: usize, field: &Field) -> Result<ArrayRef> {
        let ones: ArrayRef = Arc::new(Int64Array::from(vec![1; rows]));
        cast(&ones, field.data_type())
            .map_err(|error| Error::storage("fill in weights", &self.place, error))
    }
}

fn check_widths(array: &ArrayRef, width: usize, place: Place<'_>) -> Result<()> {
    let lists = array.as_list::<i32>();
    let other = (0..lists.len())
        .find(|&row| lists.is_valid(row) && lists.value_length(row) as usize != width);
    match other {
        None => Ok(()),
        Some(row) => Err(place.value(
            row,
            format!("an embedding of width {}", lists.value_length(row)),
            format!("width {width}"),
            "embeddings of one column have one width; use another column for the others",
        )),
    }
}

fn check_weights(array: &ArrayRef, place: Place<'_>) -> Result<()> {
    let hint = "a weight is a number of 0 or more; 0 leaves the row out";
    if let Some(row) = (0..array.len()).find(|&row| array.is_null(row)) {
        return Err(place.value(row, "null", "a weight", hint));
    }
    let weights = as_f64(array, place)?;
    match weights
        .iter()
        .position(|weight| !(weight.is_finite() && *weight >= 0.0))
    {
        None => Ok(()),
        Some(row) => Err(place.value(row, weights[row].to_string(), "a weight", hint)),
    }
}

/// Numbers of any type as f64; weights need no more precision.
pub(super) fn as_f64(array: &ArrayRef, place: Place<'_>) -> Result<Vec<f64>> {
    Ok(match array.data_type() {
        DataType::Float64 => array.as_primitive::<Float64Type>().values().to_vec(),
        DataType::Float32 => {
            let values = array.as_primitive::<Float32Type>().values();
            values.iter().map(|&value| f64::from(value)).collect()
        }
        _ => {
            let wide = cast(array, &DataType::Int64).map_err(|error| {
                Error::invalid("column", place.column, error.to_string(), "use numbers")
            })?;
            let values = wide.as_primitive::<Int64Type>().values();
            values.iter().map(|&value| value as f64).collect()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Column, Columns};
    use ndarray::arr2;

    fn checked(columns: Columns) -> Result<RecordBatch> {
        let batch = columns.into_batch("t")?;
        BatchCheck::new(
            stored_schema(batch.schema_ref(), "table `t`")?,
            "table `t`",
            100,
        )
        .check(&batch)
    }

    #[test]
    fn bad_weights_are_named_with_their_row() {
        for (bad, shown) in [
            (-0.5_f32, "-0.5"),
            (f32::NAN, "NaN"),
            (f32::INFINITY, "inf"),
        ] {
            let weights = Column::from(vec![1.0_f32, 0.0, bad]).role(Role::Weight);
            let error = checked(Columns::new().with("w", weights)).unwrap_err();
            assert!(matches!(error, Error::Value { row: 102, .. }), "{error}");
            assert!(error.to_string().contains(shown), "{error}");
        }
        let weights = Column::from(vec![Some(1.0_f32), None]).role(Role::Weight);
        let error = checked(Columns::new().with("w", weights))
            .unwrap_err()
            .to_string();
        assert!(error.contains("null in row 101"), "{error}");
        let weights = Column::from(vec![0_i64, 3]).role(Role::Weight);
        assert!(
            checked(Columns::new().with("w", weights)).is_ok(),
            "integer weights are fine"
        );
    }

    #[test]
    fn columns_are_brought_to_the_order_of_the_table() {
        let first = Columns::new()
            .with("a", vec![1_i32])
            .with("b", vec!["x"])
            .into_batch("t")
            .unwrap();
        let schema = stored_schema(first.schema_ref(), "table `t`").unwrap();
        let mut check = BatchCheck::new(schema, "table `t`", 0);
        let swapped = Columns::new()
            .with("b", vec!["y"])
            .with("a", vec![2_i32])
            .into_batch("t")
            .unwrap();
        assert_eq!(
            check.check(&swapped).unwrap().schema_ref().field(0).name(),
            "a"
        );
        let other = Columns::new()
            .with("a", vec![2_i64])
            .with("b", vec!["y"])
            .into_batch("t")
            .unwrap();
        let error = check.check(&other).unwrap_err().to_string();
        assert!(
            error.contains("`a`") && error.contains("Int64") && error.contains("Int32"),
            "{error}"
        );
        let fewer = Columns::new()
            .with("a", vec![2_i32])
            .into_batch("t")
            .unwrap();
        assert!(
            matches!(check.check(&fewer), Err(Error::MissingColumn { column, .. }) if column == "b")
        );
        let more = swapped_with_extra();
        assert!(
            matches!(check.check(&more), Err(Error::MissingColumn { column, .. }) if column == "c")
        );
    }

    fn swapped_with_extra() -> RecordBatch {
        let columns = Columns::new()
            .with("a", vec![1_i32])
            .with("b", vec!["x"])
            .with("c", vec![true]);
        columns.into_batch("t").unwrap()
    }

    #[test]
    fn another_embedding_width_is_refused_with_its_row() {
        let wide = Column::embedding(arr2(&[[1.0_f32, 2.0], [3.0, 4.0]]).view());
        let lying = wide.role(Role::Embedding { width: 3 });
        let error = checked(Columns::new().with("e", lying)).unwrap_err();
        assert!(matches!(error, Error::Value { row: 100, .. }), "{error}");
    }

    #[test]
    fn a_role_that_does_not_fit_is_refused() {
        let labels = Column::from(vec!["cat"]).role(Role::category(["cat"]));
        let error = checked(Columns::new().with("label", labels))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("`label`") && error.contains("class indices"),
            "{error}"
        );
    }

    #[test]
    fn names_that_parquet_readers_refuse_come_with_a_better_one() {
        let error = checked(Columns::new().with("sepal length (cm)", vec![1.0_f32])).unwrap_err();
        assert!(
            error.to_string().contains("call it `sepal_length_cm`"),
            "{error}"
        );
    }
}
