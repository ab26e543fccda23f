//! Whether rows that are appended mean what the table holds.

use arrow_schema::{Field, Schema};

use super::schema::{Role, role, would_misread};
use crate::{Error, Result};

/// Compares the roles of rows with those of the table that they go to.
///
/// Columns without a role take that of the table, except where it is a convention that their values may
/// not follow: boxes, masks and keypoints. Indices without names are those of the table's classes.
///
/// # Errors
/// `Schema` with both roles.
pub(super) fn check_roles(table: &Schema, rows: &Schema, place: &str) -> Result<()> {
    for field in rows.fields() {
        let Ok(known) = table.field_with_name(field.name()) else {
            continue;
        };
        let (held, given) = (role(known), role(field));
        let differs = match (&held, &given) {
            // Widths are compared value by value, with the row.
            (Some(Role::Embedding { .. }), Some(Role::Embedding { .. })) => false,
            (Some(Role::Category { .. }), Some(Role::Category { .. })) | (Some(_), None) => {
                would_misread(held.as_ref(), given.as_ref())
            }
            (Some(held), Some(given)) => held != given,
            // The table would lose what the rows say.
            (None, Some(Role::Category { names })) => !names.is_empty(),
            (None, given) => would_misread(None, given.as_ref()),
        };
        if differs {
            return Err(differing(field, held.as_ref(), given.as_ref(), place));
        }
    }
    Ok(())
}

fn differing(field: &Field, held: Option<&Role>, given: Option<&Role>, place: &str) -> Error {
    let hint = match (held, given) {
        (Some(_), None) => "convert the values if need be, and give the column the table's role",
        (None, _) => "take the role from the column, or write another table",
        _ => "convert the values to the table's role, or write another table",
    };
    Error::Schema {
        column: field.name().clone(),
        expected: told(held),
        found: told(given),
        place: place.to_owned(),
        hint: hint.into(),
    }
}

/// A role for people, as the format writes it.
fn told(role: Option<&Role>) -> String {
    role.map_or_else(
        || "a column without a role".to_owned(),
        |role| serde_json::to_string(role).unwrap_or_else(|_| format!("{role:?}")),
    )
}
