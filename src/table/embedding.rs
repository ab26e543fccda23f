//! Reading embedding columns as matrices.

use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{Array, ArrayRef, ListArray, RecordBatch};
use arrow_schema::DataType;
use ndarray::Array2;

use super::schema::{self, Role};
use super::values::{Place, find, null, wrong_type};
use crate::{Error, Result};

/// Reads an embedding column as a matrix.
///
/// # Shapes and units
/// `[rows, width]`, row-major; `width` is that of the column's role, else of the first row.
///
/// # Errors
/// `Invalid` when the column is missing, is no list of f32, holds a null, or has rows of different
/// widths; the text names the column and the row.
///
/// ```
/// use emberlens::table::{Column, Columns, embedding};
/// let rows = ndarray::arr2(&[[1.0_f32, 2.0], [3.0, 4.0]]);
/// let batch = Columns::new().with("e", Column::embedding(rows.view())).into_batch("example")?;
/// assert_eq!(embedding(&batch, "e")?, rows);
/// # Ok::<(), emberlens::Error>(())
/// ```
pub fn embedding(batch: &RecordBatch, column: &str) -> Result<Array2<f32>> {
    let array = find(batch, column)?;
    let role = batch
        .schema_ref()
        .field_with_name(column)
        .ok()
        .and_then(schema::role);
    let width = match role {
        Some(Role::Embedding { width }) => Some(width),
        _ => None,
    };
    let (rows, width) = embedding_rows(
        array,
        width,
        Place {
            column,
            first_row: 0,
        },
    )?;
    matrix(rows, array.len(), width, column)
}

/// The f32 values of all rows, one after the other, and the width of a row.
pub(super) fn embedding_rows(
    array: &ArrayRef,
    width: Option<usize>,
    place: Place<'_>,
) -> Result<(Vec<f32>, usize)> {
    let Some(list) = f32_list(array) else {
        return Err(wrong_type("a matrix of f32", "a list of f32", array, place));
    };
    let width = width
        .or_else(|| (!list.is_empty()).then(|| list.value_length(0) as usize))
        .unwrap_or(0);
    // Not by the width, which a table of others may claim as it likes.
    let mut rows = Vec::with_capacity(list.values().len());
    for row in 0..list.len() {
        if list.is_null(row) {
            return Err(null("a list of f32", row, list.data_type(), place));
        }
        let values = list.value(row);
        if values.len() != width {
            return Err(place.value(
                row,
                format!("{} values", values.len()),
                format!("a row of {width}"),
                "embeddings of one column have one width; write the others to another column",
            ));
        }
        if values.null_count() > 0 {
            return Err(null("f32", row, list.data_type(), place));
        }
        rows.extend_from_slice(values.as_primitive::<Float32Type>().values());
    }
    Ok((rows, width))
}

/// The rows as a matrix.
pub(super) fn matrix(
    rows: Vec<f32>,
    count: usize,
    width: usize,
    column: &str,
) -> Result<Array2<f32>> {
    Array2::from_shape_vec((count, width), rows).map_err(|error| {
        Error::invalid(
            "column",
            column,
            error.to_string(),
            "check the width in the column's role",
        )
    })
}

/// The array as a list of f32, if it is one.
pub(super) fn f32_list(array: &ArrayRef) -> Option<&ListArray> {
    let list = array.as_list_opt::<i32>()?;
    (list.value_type() == DataType::Float32).then_some(list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Column, Columns, values};
    use ndarray::arr2;

    fn batch(column: Column) -> RecordBatch {
        Columns::new().with("x", column).into_batch("test").unwrap()
    }

    #[test]
    fn an_embedding_is_a_matrix_even_without_rows() {
        let rows = arr2(&[[1.0_f32, f32::NAN], [3.0, 4.0], [5.0, 6.0]]);
        let read = embedding(&batch(Column::embedding(rows.view())), "x").unwrap();
        assert_eq!(read.dim(), (3, 2));
        assert!(read[[0, 1]].is_nan() && read[[2, 1]] == 6.0);
        let sliced = batch(Column::embedding(rows.view())).slice(1, 2);
        assert_eq!(
            embedding(&sliced, "x").unwrap(),
            arr2(&[[3.0_f32, 4.0], [5.0, 6.0]])
        );
        let none = Array2::<f32>::zeros((0, 5));
        assert_eq!(
            embedding(&batch(Column::embedding(none.view())), "x")
                .unwrap()
                .dim(),
            (0, 5)
        );
    }

    #[test]
    fn rows_of_different_widths_are_lists_but_no_embedding() {
        let wide = Column::embedding(arr2(&[[1.0_f32, 2.0]]).view());
        let wider = Column::embedding(arr2(&[[1.0_f32, 2.0, 3.0]]).view());
        let parts = [wide.values().as_ref(), wider.values().as_ref()];
        let ragged = Column::from_array(arrow_select::concat::concat(&parts).unwrap());
        let ragged = batch(ragged);
        assert_eq!(
            values::<Vec<f32>>(&ragged, "x").unwrap(),
            [vec![1.0, 2.0], vec![1.0, 2.0, 3.0]]
        );
        let error = embedding(&ragged, "x").unwrap_err().to_string();
        assert!(
            error.contains("row 1") && error.contains('3') && error.contains('2'),
            "{error}"
        );
    }
}
