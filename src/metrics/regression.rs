//! Regression: how far every prediction is from its target.

use ndarray::{ArrayView2, Axis, Zip};

use crate::table::{Column, Columns};
use crate::{Error, Result};

/// Per-sample regression columns of one batch.
///
/// | column | type | meaning |
/// |---|---|---|
/// | `error` | f32 | `prediction - target`, mean over the targets of the sample |
/// | `absolute_error` | f32 | `abs(prediction - target)`, mean over the targets |
/// | `squared_error` | f32 | `(prediction - target)^2`, mean over the targets |
/// | `prediction` | f32, or list of f32 for several targets | the prediction |
/// | `target` | f32, or list of f32 for several targets | the target |
/// | `error_by_target`, `absolute_error_by_target`, `squared_error_by_target` | list of f32, only for several targets | the same errors, one value for each target |
///
/// The means of `absolute_error` and `squared_error` over the samples are the mean absolute and
/// the mean squared error. NaN and infinities are stored as they come out.
///
/// # Shapes and units
/// `predictions` and `targets` `[batch, targets]`, in the unit of the targets (squared for
/// `squared_error`).
///
/// # Errors
/// `Invalid` when the shapes differ or there is no target.
///
/// ```
/// use emberlens::metrics::regression_columns;
/// let (predictions, targets) = (ndarray::arr2(&[[1.5_f32], [0.0]]), ndarray::arr2(&[[1.0], [2.0]]));
/// let columns = regression_columns(predictions.view(), targets.view())?;
/// assert_eq!(columns.rows(), Some(2));
/// # Ok::<(), emberlens::Error>(())
/// ```
pub fn regression_columns(
    predictions: ArrayView2<'_, f32>,
    targets: ArrayView2<'_, f32>,
) -> Result<Columns> {
    if predictions.dim() != targets.dim() || predictions.ncols() == 0 {
        return Err(Error::invalid(
            "predictions",
            format!("{:?}", predictions.shape()),
            format!("the targets have the shape {:?}", targets.shape()),
            "both are [batch, targets] with one target or more",
        ));
    }
    let rows = predictions.nrows();
    let count = predictions.ncols() as f64;
    let [mut errors, mut absolute, mut squared] = [(); 3].map(|()| Vec::with_capacity(rows));
    for (predicted, wanted) in predictions
        .axis_iter(Axis(0))
        .zip(targets.axis_iter(Axis(0)))
    {
        let (mut sum, mut sum_absolute, mut sum_squared) = (0.0, 0.0, 0.0);
        Zip::from(&predicted)
            .and(&wanted)
            .for_each(|&value, &target| {
                let error = f64::from(value) - f64::from(target);
                sum += error;
                sum_absolute += error.abs();
                sum_squared += error * error;
            });
        errors.push((sum / count) as f32);
        absolute.push((sum_absolute / count) as f32);
        squared.push((sum_squared / count) as f32);
    }
    let mut columns = Columns::new()
        .with("error", errors)
        .with("absolute_error", absolute)
        .with("squared_error", squared)
        .with("prediction", values(predictions))
        .with("target", values(targets));
    if predictions.ncols() > 1 {
        let of = |error: fn(f64) -> f64| {
            let each = Zip::from(&predictions).and(&targets);
            let each = each
                .map_collect(|&value, &target| error(f64::from(value) - f64::from(target)) as f32);
            float_lists(each.view())
        };
        columns.push("error_by_target", of(|error| error));
        columns.push("absolute_error_by_target", of(f64::abs));
        columns.push("squared_error_by_target", of(|error| error * error));
    }
    Ok(columns)
}

/// Numbers for one target, lists for several.
fn values(matrix: ArrayView2<'_, f32>) -> Column {
    if matrix.ncols() == 1 {
        matrix.iter().copied().collect::<Vec<f32>>().into()
    } else {
        float_lists(matrix)
    }
}

/// A list for each row, without a role: it is no embedding.
pub(super) fn float_lists(matrix: ArrayView2<'_, f32>) -> Column {
    Column::from_array(Column::embedding(matrix).values().clone())
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Float32Type;
    use arrow_schema::DataType;
    use ndarray::{Array2, arr2};

    use super::*;

    #[test]
    fn one_target_is_a_number_and_several_are_a_list() {
        let one = regression_columns(arr2(&[[1.5_f32]]).view(), arr2(&[[2.0]]).view()).unwrap();
        let batch = one.into_batch("x").unwrap();
        assert_eq!(
            batch["prediction"].as_primitive::<Float32Type>().values(),
            &[1.5]
        );
        assert_eq!(
            batch["error"].as_primitive::<Float32Type>().values(),
            &[-0.5]
        );
        let two = arr2(&[[1.0_f32, 2.0]]);
        let two = regression_columns(two.view(), two.view()).unwrap();
        let target = two.get("target").unwrap();
        assert!(matches!(target.values().data_type(), DataType::List(_)));
        assert_eq!(target.get_role(), None);
    }

    #[test]
    fn nan_reaches_the_errors() {
        let columns =
            regression_columns(arr2(&[[f32::NAN]]).view(), arr2(&[[0.0]]).view()).unwrap();
        let batch = columns.into_batch("x").unwrap();
        assert!(
            batch["squared_error"]
                .as_primitive::<Float32Type>()
                .value(0)
                .is_nan()
        );
    }

    #[test]
    fn shapes_that_differ_are_named() {
        let error = regression_columns(Array2::zeros((4, 2)).view(), Array2::zeros((4, 1)).view());
        let text = error.unwrap_err().to_string();
        assert!(text.contains("[4, 2]") && text.contains("[4, 1]"), "{text}");
        assert!(
            regression_columns(Array2::zeros((4, 0)).view(), Array2::zeros((4, 0)).view()).is_err()
        );
    }
}
