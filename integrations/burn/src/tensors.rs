//! Tensors read back into arrays, for collectors.

use burn::tensor::{DType, Int, Tensor, TensorData};
use emberlens::{Error, Result};
use ndarray::{Array2, Array3, ArrayD, IxDyn};

fn floats(data: TensorData) -> Result<Vec<f32>> {
    data.try_into_vec()
        .map_err(|error| Error::user(format!("{error:?}")))
}

fn read<const D: usize>(tensor: &Tensor<D>) -> Result<Vec<f32>> {
    let data = tensor
        .clone()
        .without_autodiff()
        .try_into_data_dtype(DType::F32);
    floats(data.map_err(|error| Error::user(error.to_string()))?)
}

fn read_int<const D: usize>(tensor: &Tensor<D, Int>) -> Result<Vec<i64>> {
    let data = tensor
        .clone()
        .try_into_data_dtype(DType::I64)
        .map_err(|error| Error::user(error.to_string()))?;
    data.try_into_vec()
        .map_err(|error| Error::user(format!("{error:?}")))
}

/// A float tensor `[rows]` as a vector of f32: one value for each sample, such as its loss.
///
/// # Errors
/// As [`matrix`].
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// let losses = Tensor::<1>::from_floats([0.5, 2.0], &Device::flex());
/// assert_eq!(emberlens_burn::tensors::vector(&losses)?, [0.5, 2.0]);
/// # Ok::<(), emberlens::Error>(())
/// ```
pub fn vector(tensor: &Tensor<1>) -> Result<Vec<f32>> {
    read(tensor)
}

/// A float tensor of any number of dimensions as an array of f32 of its shape.
///
/// # Errors
/// As [`matrix`].
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// let heat = Tensor::<4>::zeros([2, 5, 12, 12], &Device::flex().autodiff());
/// assert_eq!(emberlens_burn::tensors::array(&heat)?.shape(), [2, 5, 12, 12]);
/// # Ok::<(), emberlens::Error>(())
/// ```
pub fn array<const D: usize>(tensor: &Tensor<D>) -> Result<ArrayD<f32>> {
    let shape = tensor.dims();
    ArrayD::from_shape_vec(IxDyn(&shape), read(tensor)?).map_err(Error::user)
}

/// A float tensor as a matrix `[rows, columns]` of f32.
///
/// # Errors
/// `UserCode` when the device fails to compute it.
pub fn matrix(tensor: &Tensor<2>) -> Result<Array2<f32>> {
    Array2::from_shape_vec(tensor.dims(), read(tensor)?).map_err(Error::user)
}

/// A float tensor `[batch, length, width]` as an array of f32.
///
/// # Errors
/// As [`matrix`].
pub fn cube(tensor: &Tensor<3>) -> Result<Array3<f32>> {
    Array3::from_shape_vec(tensor.dims(), read(tensor)?).map_err(Error::user)
}

/// An integer tensor as a vector.
///
/// # Errors
/// As [`matrix`].
pub fn integers(tensor: &Tensor<1, Int>) -> Result<Vec<i64>> {
    read_int(tensor)
}

/// An integer tensor as a matrix `[rows, columns]`.
///
/// # Errors
/// As [`matrix`].
pub fn integer_matrix(tensor: &Tensor<2, Int>) -> Result<Array2<i64>> {
    Array2::from_shape_vec(tensor.dims(), read_int(tensor)?).map_err(Error::user)
}
