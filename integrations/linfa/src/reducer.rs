//! The library's reducers behind linfa's `Fit` and `Transformer`.

use emberlens::reduce::{Projection, Reducer};
use linfa::DatasetBase;
use linfa::dataset::AsTargets;
use linfa::traits::{Fit, Transformer};
use linfa_ndarray::{Array2, ArrayBase, Data, Ix2};

use crate::border::{Value, leave};
use crate::error::Error;

/// Makes any reducer of the library one that linfa can fit.
///
/// ```
/// use emberlens::reduce::Pca;
/// use emberlens_linfa::IntoLinfa;
/// use linfa::traits::{Fit, Transformer};
///
/// let iris = linfa_datasets::iris();
/// let pca = Pca::params().dims(2).into_linfa().fit(&iris)?;
/// let flat = pca.transform(iris)?;
/// assert_eq!(flat.records.dim(), (150, 2));
/// assert_eq!(flat.feature_names(), ["x", "y"]);
/// # Ok::<(), emberlens::Error>(())
/// ```
pub trait IntoLinfa: Reducer + Sized {
    /// This reducer, or these parameters, with linfa's [`Fit`].
    fn into_linfa(self) -> LinfaReducer<Self> {
        LinfaReducer(self)
    }
}

impl<R: Reducer> IntoLinfa for R {}

/// A reducer of the library that linfa can fit; made by [`IntoLinfa::into_linfa`].
///
/// Parameters are checked when they are fitted; to check them first, call
/// [`Params::check`](emberlens::reduce::Params::check) before [`IntoLinfa::into_linfa`].
#[derive(Clone, Debug, PartialEq)]
pub struct LinfaReducer<R>(R);

impl<R: Reducer> LinfaReducer<R> {
    /// Fits, and places the very rows that were fitted.
    ///
    /// Methods that optimise coordinates place these rows better than a later
    /// [`Transformer::transform`] of them. The dataset comes back as from that.
    ///
    /// # Errors
    /// Those of [`Reducer::fit_transform`].
    #[expect(
        clippy::type_complexity,
        reason = "a pair, as the library's own method returns"
    )]
    pub fn fit_transform<F, D, T>(
        &self,
        dataset: DatasetBase<ArrayBase<D, Ix2>, T>,
    ) -> Result<(LinfaProjection<R::Fitted>, DatasetBase<Array2<F>, T>), Error>
    where
        F: Value,
        D: Data<Elem = F>,
        T: AsTargets,
    {
        let (projection, coordinates) = {
            let rows = F::enter(dataset.records.view())?;
            self.0.fit_transform(rows.view())?
        };
        let coordinates = leave(coordinates.view())?;
        Ok((Box::new(projection).into(), placed(dataset, coordinates)))
    }
}

/// Fits the records; targets, weights and names play no part.
///
/// # Errors
/// Those of [`Reducer::fit`], and `NonFinite` for an f64 that f32 cannot hold.
impl<R, F, D, T> Fit<ArrayBase<D, Ix2>, T, Error> for LinfaReducer<R>
where
    R: Reducer,
    F: Value,
    D: Data<Elem = F>,
{
    type Object = LinfaProjection<R::Fitted>;

    fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<Self::Object, Error> {
        let rows = F::enter(dataset.records.view())?;
        Ok(Box::new(self.0.fit(rows.view())?).into())
    }
}

/// A fitted projection of the library as a linfa [`Transformer`].
///
/// Arrays become arrays. Datasets become datasets with the coordinates as records, named `x`, `y`,
/// `z` (`x0`, `x1`, ... beyond three); targets, their names and weights stay. Values keep the type
/// of the records.
///
/// One that was saved is loaded and converted:
///
/// ```
/// use emberlens::reduce::{Pca, Projection, load};
/// use emberlens_linfa::{IntoLinfa, LinfaProjection};
/// use linfa::traits::{Fit, Transformer};
///
/// let iris = linfa_datasets::iris();
/// let pca = Pca::params().dims(3).into_linfa().fit(&iris)?;
/// let saved = pca.projection().to_bytes()?;
/// let loaded = LinfaProjection::from(load(&saved, "iris.bin")?);
/// assert_eq!(loaded.transform(&iris.records)?, pca.transform(&iris.records)?);
/// # Ok::<(), emberlens::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LinfaProjection<P: ?Sized>(Box<P>);

impl<P: Projection + ?Sized> LinfaProjection<P> {
    /// The projection itself, for its variances, its bytes and the rest.
    pub fn projection(&self) -> &P {
        &self.0
    }

    /// The projection itself.
    pub fn into_projection(self) -> Box<P> {
        self.0
    }
}

impl<P: Projection + ?Sized> From<Box<P>> for LinfaProjection<P> {
    fn from(projection: Box<P>) -> Self {
        Self(projection)
    }
}

/// # Errors
/// Those of [`Projection::transform`], and `NonFinite` for an f64 that f32 cannot hold.
impl<P, F, D> Transformer<&ArrayBase<D, Ix2>, Result<Array2<F>, Error>> for LinfaProjection<P>
where
    P: Projection + ?Sized,
    F: Value,
    D: Data<Elem = F>,
{
    fn transform(&self, rows: &ArrayBase<D, Ix2>) -> Result<Array2<F>, Error> {
        let rows = F::enter(rows.view())?;
        Ok(leave(self.0.transform(rows.view())?.view())?)
    }
}

/// # Errors
/// As for a reference to the array.
impl<P, F, D> Transformer<ArrayBase<D, Ix2>, Result<Array2<F>, Error>> for LinfaProjection<P>
where
    P: Projection + ?Sized,
    F: Value,
    D: Data<Elem = F>,
{
    fn transform(&self, rows: ArrayBase<D, Ix2>) -> Result<Array2<F>, Error> {
        self.transform(&rows)
    }
}

/// # Errors
/// As for an array.
impl<P, F, D, T>
    Transformer<DatasetBase<ArrayBase<D, Ix2>, T>, Result<DatasetBase<Array2<F>, T>, Error>>
    for LinfaProjection<P>
where
    P: Projection + ?Sized,
    F: Value,
    D: Data<Elem = F>,
    T: AsTargets,
{
    fn transform(
        &self,
        dataset: DatasetBase<ArrayBase<D, Ix2>, T>,
    ) -> Result<DatasetBase<Array2<F>, T>, Error> {
        let coordinates = self.transform(&dataset.records)?;
        Ok(placed(dataset, coordinates))
    }
}

/// The dataset with coordinates for records.
fn placed<R, F, T>(dataset: DatasetBase<R, T>, coordinates: Array2<F>) -> DatasetBase<Array2<F>, T>
where
    R: linfa::dataset::Records,
    T: AsTargets,
{
    let weights = dataset.weights.clone();
    let mut target_names = dataset.target_names().to_vec();
    if target_names.len() != dataset.ntargets() {
        // Of targets that were replaced since; linfa would panic.
        target_names.clear();
    }
    let axes = match coordinates.ncols() {
        dims @ ..=3 => ["x", "y", "z"][..dims]
            .iter()
            .map(|&axis| axis.to_owned())
            .collect(),
        dims => (0..dims).map(|axis| format!("x{axis}")).collect::<Vec<_>>(),
    };
    // In this order: new records drop what described the old ones.
    dataset
        .with_records(coordinates)
        .with_weights(weights)
        .with_feature_names(axes)
        .with_target_names(target_names)
}
