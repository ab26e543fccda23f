//! From the activations of a layer to one vector per sample.

use std::fmt;
use std::sync::Arc;

use ndarray::{Array2, ArrayD, ArrayView1, ArrayViewD, Axis, CowArray, Ix2, IxDyn, Slice};

use crate::table::Column;
use crate::{Error, Result};

type Custom = Arc<dyn Fn(ArrayViewD<'_, f32>) -> Result<Array2<f32>> + Send + Sync>;

/// How the activations of a layer, `[batch, channels, ...]`, become one vector per sample.
#[non_exhaustive]
#[derive(Clone, Default)]
pub enum Reshape {
    /// Mean over all dimensions after `[batch, channels]` (global average pooling); the width is
    /// the number of channels. The default.
    #[default]
    Mean,
    /// Mean over all dimensions between the first and the last, for `[batch, tokens, features]`;
    /// the width is the number of features.
    MeanTokens,
    /// All values of a sample in row-major order.
    Flatten,
    /// Average pooling of the dimensions after `[batch, channels]` to these sizes, then flattened.
    ///
    /// Cell `i` of `n` covers `floor(i * len / n) .. ceil((i + 1) * len / n)`, as in PyTorch's
    /// adaptive average pooling.
    AveragePool(Vec<usize>),
    /// A function from `[batch, ...]` to `[batch, width]`; see [`Reshape::custom`].
    Custom(Custom),
}

impl Reshape {
    /// A function from `[batch, ...]` to `[batch, width]`.
    pub fn custom(
        reshape: impl Fn(ArrayViewD<'_, f32>) -> Result<Array2<f32>> + Send + Sync + 'static,
    ) -> Self {
        Self::Custom(Arc::new(reshape))
    }
}

impl fmt::Debug for Reshape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mean => f.write_str("Mean"),
            Self::MeanTokens => f.write_str("MeanTokens"),
            Self::Flatten => f.write_str("Flatten"),
            Self::AveragePool(sizes) => f.debug_tuple("AveragePool").field(sizes).finish(),
            Self::Custom(_) => f.write_str("Custom(..)"),
        }
    }
}

/// The embedding column of the activations of one batch.
///
/// # Shapes and units
/// `activations` `[batch, ...]`; without a second dimension each value is a vector of width 1.
///
/// # Errors
/// `Invalid` for activations without a batch dimension or without values per sample, and for
/// average pooling to other than one size, 1 or more, per dimension after `[batch, channels]`;
/// `Shape` when a custom function changes the number of rows, and whatever it returns.
///
/// ```
/// use emberlens::metrics::{Reshape, embedding_column};
/// use emberlens::table::Role;
/// let activations = ndarray::ArrayD::<f32>::ones(vec![5, 8, 3, 3]);
/// let column = embedding_column(activations.view(), &Reshape::AveragePool(vec![1, 2]))?;
/// assert_eq!(column.get_role(), Some(&Role::Embedding { width: 16 }));
/// # Ok::<(), emberlens::Error>(())
/// ```
pub fn embedding_column(activations: ArrayViewD<'_, f32>, reshape: &Reshape) -> Result<Column> {
    let rows = check_activations(&activations)?;
    let vectors = match reshape {
        Reshape::Mean => mean_trailing(activations)?,
        Reshape::MeanTokens => mean_between(activations)?,
        Reshape::Flatten => flattened(CowArray::from(activations))?,
        Reshape::AveragePool(sizes) => average_pooled(activations, sizes)?,
        Reshape::Custom(function) => CowArray::from(function(activations)?),
    };
    if vectors.nrows() != rows {
        return Err(Error::Shape {
            column: "embedding".into(),
            expected: rows,
            found: vectors.nrows(),
            place: "the custom reshape of a hidden layer".into(),
        });
    }
    if vectors.ncols() == 0 {
        return Err(no_values(&[rows, 0]));
    }
    Ok(Column::embedding(vectors.view()))
}

fn check_activations(activations: &ArrayViewD<'_, f32>) -> Result<usize> {
    let shape = activations.shape();
    match shape.split_first() {
        Some((&rows, rest)) if !rest.contains(&0) => Ok(rows),
        _ => Err(no_values(shape)),
    }
}

fn no_values(shape: &[usize]) -> Error {
    Error::invalid(
        "hidden layer shape",
        format!("{shape:?}"),
        "an embedding needs at least one value per sample",
        "capture a layer of the shape [batch, ...]",
    )
}

/// `[batch, channels, ...]` to `[batch, channels]`, summing in f64.
fn mean_trailing(activations: ArrayViewD<'_, f32>) -> Result<CowArray<'_, f32, Ix2>> {
    let shape = activations.shape();
    let rows = shape.first().copied().unwrap_or(0);
    let channels = shape.get(1).copied().unwrap_or(1);
    let rest: usize = shape.iter().skip(2).product();
    if rest == 1 {
        return reshaped(CowArray::from(activations), (rows, channels));
    }
    let cells = reshaped(CowArray::from(activations), (rows * channels, rest))?;
    let means = cells.rows().into_iter().map(mean).collect();
    matrix((rows, channels), means).map(CowArray::from)
}

/// `[batch, ..., features]` to `[batch, features]`.
fn mean_between(mut activations: ArrayViewD<'_, f32>) -> Result<CowArray<'_, f32, Ix2>> {
    if activations.ndim() > 2 {
        let last = activations.ndim() - 1;
        let order = [0, last].into_iter().chain(1..last);
        activations = activations.permuted_axes(order.collect::<Vec<_>>());
    }
    mean_trailing(activations)
}

fn flattened(activations: CowArray<'_, f32, IxDyn>) -> Result<CowArray<'_, f32, Ix2>> {
    let rows = activations.shape().first().copied().unwrap_or(0);
    let width = activations.shape().iter().skip(1).product();
    reshaped(activations, (rows, width))
}

fn average_pooled<'a>(
    activations: ArrayViewD<'a, f32>,
    sizes: &[usize],
) -> Result<CowArray<'a, f32, Ix2>> {
    let pooled_dims = activations.ndim().saturating_sub(2);
    if sizes.len() != pooled_dims || sizes.contains(&0) {
        return Err(Error::invalid(
            "average pool sizes",
            format!("{sizes:?}"),
            format!("the layer has the shape {:?}", activations.shape()),
            format!("give {pooled_dims} sizes, each 1 or more"),
        ));
    }
    // A box's mean is the mean of means: the cells of one dimension are pooled at a time.
    let mut values: CowArray<'a, f32, IxDyn> = CowArray::from(activations);
    for (index, &size) in sizes.iter().enumerate() {
        let pooled = pool_axis(values.view(), Axis(index + 2), size);
        values = CowArray::from(pooled);
    }
    flattened(values)
}

fn pool_axis(values: ArrayViewD<'_, f32>, axis: Axis, size: usize) -> ArrayD<f32> {
    let len = values.len_of(axis);
    let mut shape = values.shape().to_vec();
    shape[axis.index()] = size;
    let mut out = ArrayD::zeros(shape);
    for (cell, mut target) in out.axis_iter_mut(axis).enumerate() {
        let window = Slice::from(cell * len / size..((cell + 1) * len).div_ceil(size));
        let source = values.slice_axis(axis, window);
        ndarray::Zip::from(&mut target)
            .and(source.lanes(axis))
            .for_each(|mean_value, lane| *mean_value = mean(lane));
    }
    out
}

fn mean(values: ArrayView1<'_, f32>) -> f32 {
    let sum = match values.to_slice() {
        Some(values) => sum_of(values),
        None => values.iter().map(|&value| f64::from(value)).sum(),
    };
    (sum / values.len() as f64) as f32
}

/// Eight sums side by side: one alone would wait for each addition.
fn sum_of(values: &[f32]) -> f64 {
    let (eights, rest) = values.as_chunks::<8>();
    let mut sums = [0.0_f64; 8];
    for values in eights {
        for (sum, &value) in sums.iter_mut().zip(values) {
            *sum += f64::from(value);
        }
    }
    let rest = rest.iter().map(|&value| f64::from(value));
    sums.into_iter().chain(rest).sum()
}

fn reshaped(
    values: CowArray<'_, f32, IxDyn>,
    shape: (usize, usize),
) -> Result<CowArray<'_, f32, Ix2>> {
    let known = values.shape().to_vec();
    let contiguous = if values.is_standard_layout() {
        values
    } else {
        CowArray::from(values.as_standard_layout().into_owned())
    };
    contiguous
        .into_shape_with_order(shape)
        .map_err(|_| no_values(&known))
}

fn matrix(shape: (usize, usize), values: Vec<f32>) -> Result<Array2<f32>> {
    Array2::from_shape_vec(shape, values).map_err(|_| no_values(&[shape.0, shape.1]))
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Float32Type;
    use ndarray::{Array, Array3, Array4, arr2};
    use proptest::prelude::*;

    use super::*;
    use crate::table::Role;

    fn vectors(activations: ArrayViewD<'_, f32>, reshape: &Reshape) -> Array2<f32> {
        let column = embedding_column(activations, reshape).unwrap();
        let Some(Role::Embedding { width }) = column.get_role().cloned() else {
            panic!("no embedding role");
        };
        let lists = column.values().as_list::<i32>().clone();
        let values = lists
            .values()
            .as_primitive::<Float32Type>()
            .values()
            .to_vec();
        Array2::from_shape_vec((column.len(), width), values).unwrap()
    }

    /// 0, 1, 2, ... in the shape `[2, 2, 3, 5]`.
    fn counting() -> ArrayD<f32> {
        Array::from_iter((0..60).map(|v| v as f32))
            .into_shape_with_order(vec![2, 2, 3, 5])
            .unwrap()
    }

    #[test]
    fn the_mean_keeps_channels() {
        // Each channel is 15 consecutive numbers, whose mean is the middle one.
        let mean = vectors(counting().view(), &Reshape::Mean);
        assert_eq!(mean, arr2(&[[7.0, 22.0], [37.0, 52.0]]));
        let flat = arr2(&[[1.0_f32, 2.0], [3.0, 4.0]]);
        assert_eq!(vectors(flat.view().into_dyn(), &Reshape::Mean), flat);
        let pooled = flat.view().insert_axis(Axis(2)).insert_axis(Axis(3));
        assert_eq!(vectors(pooled.into_dyn(), &Reshape::Mean), flat);
        let single = Array::from_vec(vec![1.0_f32, 2.0]).into_dyn();
        assert_eq!(
            vectors(single.view(), &Reshape::Mean),
            arr2(&[[1.0], [2.0]])
        );
    }

    #[test]
    fn the_mean_of_tokens_keeps_features() {
        let tokens = Array3::from_shape_fn((2, 4, 3), |(b, t, f)| (100 * b + 10 * t + f) as f32);
        let mean = vectors(tokens.view().into_dyn(), &Reshape::MeanTokens);
        assert_eq!(mean, arr2(&[[15.0, 16.0, 17.0], [115.0, 116.0, 117.0]]));
    }

    #[test]
    fn flatten_is_row_major_whatever_the_layout() {
        let rows = vectors(counting().view(), &Reshape::Flatten);
        assert_eq!(rows.dim(), (2, 30));
        assert!(rows.iter().copied().eq((0..60).map(|v| v as f32)));
        let fortran = {
            let mut other = Array4::zeros(ndarray::ShapeBuilder::f((2, 2, 3, 5))).into_dyn();
            other.assign(&counting());
            other
        };
        assert_eq!(vectors(fortran.view(), &Reshape::Flatten), rows);
    }

    #[test]
    fn a_custom_function_must_keep_the_rows() {
        let first = Reshape::custom(|x| {
            Ok(x.slice_axis(Axis(0), Slice::from(0..1))
                .into_owned()
                .into_shape_with_order((1, 30))
                .unwrap())
        });
        let error = embedding_column(counting().view(), &first).unwrap_err();
        assert!(
            matches!(
                error,
                Error::Shape {
                    expected: 2,
                    found: 1,
                    ..
                }
            ),
            "{error}"
        );
        let twice = Reshape::custom(|x| Ok(Array2::from_elem((x.len_of(Axis(0)), 3), 2.0)));
        assert_eq!(vectors(counting().view(), &twice).dim(), (2, 3));
    }

    #[test]
    fn shapes_that_cannot_work_are_named() {
        let text = |shape: Vec<usize>, reshape: &Reshape| {
            embedding_column(ArrayD::zeros(shape).view(), reshape)
                .unwrap_err()
                .to_string()
        };
        assert!(text(vec![], &Reshape::Mean).contains("[]"));
        assert!(text(vec![4, 0, 2], &Reshape::Flatten).contains("[4, 0, 2]"));
        let pool = text(vec![4, 3, 8, 8], &Reshape::AveragePool(vec![2]));
        assert!(
            pool.contains("[2]") && pool.contains("[4, 3, 8, 8]") && pool.contains("2 sizes"),
            "{pool}"
        );
        assert!(text(vec![4, 3, 8], &Reshape::AveragePool(vec![0])).contains("[0]"));
    }

    #[test]
    fn an_empty_batch_keeps_its_width() {
        for (reshape, width) in [
            (Reshape::Mean, 3),
            (Reshape::Flatten, 12),
            (Reshape::AveragePool(vec![2, 1]), 6),
        ] {
            let empty = ArrayD::zeros(vec![0, 3, 2, 2]);
            assert_eq!(
                vectors(empty.view(), &reshape).dim(),
                (0, width),
                "{reshape:?}"
            );
        }
    }

    proptest! {
        // The definition, cell by cell: an average over the box of all pooled dimensions at once.
        #[test]
        fn pooling_is_the_mean_of_each_box(
            (height, width) in (1_usize..9, 1_usize..9),
            (rows, columns) in (1_usize..6, 1_usize..6),
        ) {
            let image = Array4::from_shape_fn((2, 3, height, width), |(b, c, y, x)| {
                ((b * 31 + c * 17 + y * 7 + x * x * 3) % 23) as f32
            });
            let pooled = vectors(image.view().into_dyn(), &Reshape::AveragePool(vec![rows, columns]));
            let range = |i: usize, n: usize, len: usize| {
                let (start, end) = (i as f64 * len as f64 / n as f64, (i + 1) as f64 * len as f64 / n as f64);
                (start + 1e-9).floor() as usize..(end - 1e-9).ceil() as usize
            };
            for b in 0..2 { for c in 0..3 { for r in 0..rows { for k in 0..columns {
                let (mut sum, mut count) = (0.0_f64, 0.0);
                for y in range(r, rows, height) { for x in range(k, columns, width) {
                    sum += f64::from(image[[b, c, y, x]]);
                    count += 1.0;
                } }
                let found = f64::from(pooled[[b, (c * rows + r) * columns + k]]);
                prop_assert!((found - sum / count).abs() < 1e-5, "{found} is not {}", sum / count);
            } } } }
        }
    }
}
