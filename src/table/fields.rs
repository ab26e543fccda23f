//! What a schema that is written has more than, or other than, the table.

use arrow_schema::{DataType, Schema};
use delta_kernel::engine::arrow_conversion::TryIntoKernel;
use delta_kernel::schema::StructField;

use crate::{Error, Result};

/// The fields of `written` that the table lacks; an error when one is there with another type.
pub(super) fn new_fields(
    table: &Schema,
    written: &Schema,
    place: &str,
) -> Result<Vec<StructField>> {
    let mut added = Vec::new();
    for field in written.fields() {
        match table.fields().find(field.name()) {
            Some((_, known)) if same_type(known.data_type(), field.data_type()) => {}
            Some((_, known)) => {
                return Err(Error::Schema {
                    column: field.name().clone(),
                    expected: known.data_type().to_string(),
                    found: field.data_type().to_string(),
                    place: place.to_owned(),
                    hint: "convert it, or write to another stream".into(),
                });
            }
            None => {
                let nullable = field.as_ref().clone().with_nullable(true);
                added.push((&nullable).try_into_kernel().map_err(|error| {
                    Error::invalid(
                        "schema",
                        field.name(),
                        error.to_string(),
                        "use another type",
                    )
                })?);
            }
        }
    }
    Ok(added)
}

/// Type equality that looks through the names of list items.
pub(super) fn same_type(left: &DataType, right: &DataType) -> bool {
    match (left, right) {
        (DataType::List(left), DataType::List(right)) => {
            same_type(left.data_type(), right.data_type())
        }
        (DataType::Struct(left), DataType::Struct(right)) => {
            left.len() == right.len()
                && left.iter().zip(right).all(|(left, right)| {
                    left.name() == right.name() && same_type(left.data_type(), right.data_type())
                })
        }
        _ => left == right,
    }
}
