//! Every reducer of the library fits and transforms through linfa's traits.
#![allow(clippy::unwrap_used)]

use emberlens::ErrorKind;
use emberlens::reduce::{Params, Pca, Projection, Reducer, Watch, load};
use emberlens_linfa::{Error, IntoLinfa, LinfaProjection};
use linfa::traits::{Fit, Transformer};
use linfa::{Dataset, DatasetBase};
use linfa_ndarray::{Array1, Array2, Axis, Slice, array};

fn assert_close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-5, "{found} and {expected}");
}

/// ```python
/// # scikit-learn 1.9.1; iris.csv.gz is that of linfa-datasets 0.8.1
/// X = numpy.genfromtxt("iris.csv.gz", delimiter=",", skip_header=1)[:, :4]
/// pca = sklearn.decomposition.PCA(2).fit(X)
/// pca.explained_variance_ratio_, pca.transform(X)[[0, 77, 149]]
/// ```
#[test]
fn pca_through_linfa_is_scikit_learns() {
    let iris = linfa_datasets::iris();
    let pca = Pca::params().dims(2).into_linfa().fit(&iris).unwrap();
    let ratio = pca.projection().explained_variance_ratio().unwrap();
    assert_close(ratio[0], 0.92461621);
    assert_close(ratio[1], 0.05301557);
    let places: Array2<f64> = pca.transform(&iris.records).unwrap();
    let expected = [
        (0, [-2.68420713, 0.32660731]),
        (77, [1.55739627, 0.26739258]),
        (149, [1.38966613, -0.28288671]),
    ];
    for (row, [x, y]) in expected {
        assert_close(places[(row, 0)], x);
        assert_close(places[(row, 1)], y);
    }
}

#[test]
fn a_dataset_keeps_all_but_its_features() {
    let records: Array2<f32> = array![[0.0, 0.0, 1.0], [1.0, 2.0, 1.0], [2.0, 4.0, 1.0]];
    let dataset = Dataset::new(records.clone(), array!["a", "b", "a"])
        .with_weights(array![1.0, 0.0, 2.0])
        .with_feature_names(vec!["p", "q", "r"])
        .with_target_names(vec!["letter"]);
    let pca = Pca::params().dims(2).into_linfa().fit(&dataset).unwrap();
    let placed: Dataset<f32, &str, _> = pca.transform(dataset.clone()).unwrap();
    assert_eq!(placed.targets, dataset.targets);
    assert_eq!(placed.weights, dataset.weights);
    assert_eq!(placed.target_names(), ["letter"]);
    assert_eq!(placed.feature_names(), ["x", "y"]);

    let own = Pca::params().dims(2);
    let rows = ndarray::arr2(&[[0.0, 0.0, 1.0], [1.0, 2.0, 1.0], [2.0, 4.0, 1.0]]);
    let own = own
        .fit(rows.view())
        .unwrap()
        .transform(rows.view())
        .unwrap();
    let placed: Vec<f32> = placed.records.iter().copied().collect();
    assert_eq!(placed, own.iter().copied().collect::<Vec<_>>());
}

#[test]
fn views_slices_and_data_without_targets_are_taken() {
    let iris = linfa_datasets::iris();
    let pca = Pca::params().dims(1).into_linfa();
    let whole = pca.fit(&iris).unwrap();
    assert_eq!(pca.fit(&iris.view()).unwrap(), whole);
    assert_eq!(
        pca.fit(&DatasetBase::from(iris.records.clone())).unwrap(),
        whole
    );
    let some = whole
        .transform(iris.records.slice_axis(Axis(0), Slice::new(0, None, 50)))
        .unwrap();
    let all = whole.transform(&iris.records).unwrap();
    assert_eq!(some, all.slice_axis(Axis(0), Slice::new(0, None, 50)));
    let none = whole
        .transform(iris.records.slice_axis(Axis(0), Slice::from(..0)))
        .unwrap();
    assert_eq!(none.dim(), (0, 1));
}

/// A method that the library does not have: keeps the first `dims` columns, and says in
/// `fit_transform` that it was that.
#[derive(Clone, Debug, PartialEq)]
struct First {
    dims: usize,
    width: usize,
}

impl Params for First {
    type Checked = FirstChecked;

    fn check(&self) -> emberlens::Result<FirstChecked> {
        Ok(FirstChecked(self.clone()))
    }
}

struct FirstChecked(First);

impl Reducer for FirstChecked {
    type Fitted = First;

    fn fit_watched(
        &self,
        x: ndarray::ArrayView2<'_, f32>,
        _watch: &Watch<'_>,
    ) -> emberlens::Result<(First, ndarray::Array2<f32>)> {
        let width = x.ncols();
        Ok((
            First {
                width,
                ..self.0.clone()
            },
            ndarray::Array2::ones((x.nrows(), self.0.dims)),
        ))
    }
}

impl Projection for First {
    fn method(&self) -> &'static str {
        "first"
    }

    fn width(&self) -> usize {
        self.width
    }

    fn dims(&self) -> usize {
        self.dims
    }

    fn transform(
        &self,
        x: ndarray::ArrayView2<'_, f32>,
    ) -> emberlens::Result<ndarray::Array2<f32>> {
        Ok(
            x.slice_axis(ndarray::Axis(1), ndarray::Slice::from(..self.dims))
                .to_owned(),
        )
    }

    fn to_bytes(&self) -> emberlens::Result<Vec<u8>> {
        Ok(Vec::new())
    }
}

#[test]
fn any_reducer_will_do_and_fit_transform_gives_the_coordinates_of_the_fit() {
    let dataset: Dataset<f64, usize, _> = Dataset::new(Array2::eye(5), Array1::zeros(5));
    let reducer = First { dims: 4, width: 0 }.into_linfa();
    let fitted = reducer.fit(&dataset).unwrap();
    assert_eq!(
        fitted.transform(&dataset.records).unwrap(),
        dataset.records.slice_axis(Axis(1), Slice::from(..4))
    );

    let (same, placed) = reducer.fit_transform(dataset).unwrap();
    assert_eq!(same, fitted);
    assert_eq!(placed.records, Array2::<f64>::ones((5, 4)));
    assert_eq!(placed.feature_names(), ["x0", "x1", "x2", "x3"]);
}

#[test]
fn a_loaded_projection_places_rows_as_the_one_that_was_saved() {
    let iris = linfa_datasets::iris();
    let pca = Pca::params().into_linfa().fit(&iris).unwrap();
    let bytes = pca.projection().to_bytes().unwrap();
    let loaded = LinfaProjection::from(load(&bytes, "iris.bin").unwrap());
    assert_eq!(
        loaded.transform(&iris.records).unwrap(),
        pca.transform(&iris.records).unwrap()
    );
    assert_eq!(pca.into_projection().dims(), 2);
}

#[test]
fn what_is_wrong_is_an_error_and_no_panic() {
    fn text<T>(result: Result<T, Error>) -> String {
        let Err(error) = result else {
            return "no error".into();
        };
        let error = emberlens::Error::from(error);
        assert_eq!(error.kind(), ErrorKind::Invalid);
        error.to_string()
    }
    let mut iris = linfa_datasets::iris();
    let pca = Pca::params().into_linfa();
    let fitted = pca.fit(&iris).unwrap();
    let narrow = text(fitted.transform(iris.records.slice_axis(Axis(1), Slice::from(..3))));
    assert!(narrow.contains("fitted to width 4"), "{narrow}");
    let dims = text(Pca::params().dims(0).into_linfa().fit(&iris));
    assert!(dims.contains("dims = 0"), "{dims}");

    iris.records[(7, 2)] = f64::NAN;
    for found in [text(pca.fit(&iris)), text(fitted.transform(iris.clone()))] {
        assert!(found.contains("NaN in row 7, column 2"), "{found}");
    }
    iris.records[(7, 2)] = 1e39;
    let large = text(pca.fit(&iris));
    assert!(large.contains("1e39 in row 7, column 2"), "{large}");
    let empty: Dataset<f64, usize, _> = Dataset::new(Array2::zeros((0, 4)), Array1::zeros(0));
    assert!(text(pca.fit(&empty)).contains("0 x 4"));
}

#[test]
fn names_of_replaced_targets_are_left_out() {
    let two = Dataset::new(array![[0.0, 1.0], [1.0, 0.0]], array![[0, 1], [1, 0]])
        .with_target_names(vec!["a", "b"]);
    let one = two.with_targets(array![0, 1]);
    let pca = Pca::params().dims(1).into_linfa().fit(&one).unwrap();
    assert!(pca.transform(one).unwrap().target_names().is_empty());
}
