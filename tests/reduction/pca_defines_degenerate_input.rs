//! Degenerate input to the PCA has the documented answer or a typed error; equal input has equal
//! bits however it lies in memory and however many threads run.

#![allow(clippy::unwrap_used)]

use emberlens::reduce::{Params, Pca, PcaParams, Projection, Reducer, load};
use emberlens::{Error, ErrorKind};
use ndarray::{Array2, ArrayView2, ShapeBuilder, arr2};

fn two() -> PcaParams {
    Pca::params().dims(2)
}

fn cloud(rows: usize, columns: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, columns), |(i, j)| {
        ((i * 37 + j * 101 + i * j * 7) % 97) as f32 / 9.0 - 5.0
    })
}

fn bits(x: &Array2<f32>) -> Vec<u32> {
    x.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn no_rows_and_no_columns_are_errors_that_name_the_shape() {
    for shape in [(0, 3), (3, 0), (0, 0)] {
        let error = two().fit(Array2::zeros(shape).view()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let found =
            matches!(error, Error::Degenerate { rows, columns, .. } if (rows, columns) == shape);
        assert!(found, "{error}");
    }
}

#[test]
fn one_row_lies_at_the_origin_and_so_does_everything_else() {
    let (pca, placed) = two()
        .fit_transform(arr2(&[[1.0, 2.0, 3.0]]).view())
        .unwrap();
    assert_eq!(placed, arr2(&[[0.0, 0.0]]));
    assert_eq!(pca.explained_variance(), [0.0, 0.0]);
    assert_eq!(pca.explained_variance_ratio().unwrap(), [0.0, 0.0]);
    let other = pca.transform(arr2(&[[9.0, 9.0, 9.0]]).view()).unwrap();
    assert_eq!(other, arr2(&[[0.0, 0.0]]));
}

#[test]
fn two_rows_have_one_axis() {
    let (pca, placed) = two()
        .fit_transform(arr2(&[[0.0, 0.0, 0.0], [2.0, 3.0, 6.0]]).view())
        .unwrap();
    assert_eq!(placed, arr2(&[[-3.5, 0.0], [3.5, 0.0]])); // |(2, 3, 6)| = 7
    assert_eq!(pca.explained_variance_ratio().unwrap(), [1.0, 0.0]);
}

#[test]
fn equal_rows_lie_at_the_origin_exactly() {
    // 0.1 is no dyadic fraction: a naive mean would leave rounding noise as variance.
    for shape in [(2, 2), (3, 5), (1000, 3), (3, 1000)] {
        let x = Array2::from_elem(shape, 0.1_f32);
        let (pca, placed) = two().fit_transform(x.view()).unwrap();
        assert!(placed.iter().all(|&value| value == 0.0), "{shape:?}");
        assert_eq!(pca.explained_variance_ratio().unwrap(), [0.0, 0.0]);
    }
}

#[test]
fn constant_columns_carry_no_weight() {
    let mut x = cloud(50, 4);
    x.column_mut(2).fill(1e6 + 0.3);
    let pca = Pca::params().dims(4).fit(x.view()).unwrap();
    for component in &pca.components()[..3] {
        assert!(component[2].abs() < 1e-12, "{component:?}");
    }
    assert_eq!(pca.components()[3], [0.0; 4]);
    assert_eq!(pca.explained_variance()[3], 0.0);
}

#[test]
fn more_dims_than_rows_leave_the_rest_of_the_axes_zero() {
    let x = cloud(3, 8);
    let (pca, placed) = Pca::params().dims(5).fit_transform(x.view()).unwrap();
    assert_eq!(placed.dim(), (3, 5));
    assert!(pca.explained_variance()[1] > 0.0);
    assert_eq!(pca.explained_variance()[2..], [0.0; 3]);
    assert!(placed.iter().skip(2).step_by(5).all(|&value| value == 0.0));
    let total: f64 = pca.explained_variance_ratio().unwrap().iter().sum();
    assert!((total - 1.0).abs() < 1e-12);
}

#[test]
fn more_dims_than_columns_and_no_dims_are_errors_with_the_way_out() {
    let error = Pca::params()
        .dims(4)
        .fit(cloud(9, 3).view())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("dims = 4") && error.contains("at most 3"),
        "{error}"
    );
    assert_eq!(
        Pca::params().dims(0).check().unwrap_err().kind(),
        ErrorKind::Invalid
    );
}

#[test]
fn values_that_are_not_finite_are_named_in_fit_and_in_transform() {
    let good = cloud(6, 3);
    let pca = two().fit(good.view()).unwrap();
    for value in [f32::NAN, f32::INFINITY] {
        let mut bad = good.clone();
        bad[[4, 1]] = value;
        for error in [
            two().fit(bad.view()).unwrap_err(),
            pca.transform(bad.view()).unwrap_err(),
        ] {
            assert!(
                matches!(
                    error,
                    Error::NonFinite {
                        row: 4,
                        column: 1,
                        ..
                    }
                ),
                "{error}"
            );
        }
    }
}

#[test]
fn coordinates_beyond_f32_are_an_error_and_the_largest_values_before_that_are_not() {
    let x = arr2(&[[-2e38_f32, -2e38], [2e38, 2e38]]);
    let (pca, placed) = two().fit_transform(x.view()).unwrap();
    assert!((f64::from(placed[[1, 0]]) / 8f64.sqrt() - 1e38).abs() < 1e32);
    assert!(pca.explained_variance()[0] > 1e76);
    let far = arr2(&[[3e38_f32, 3e38]]);
    assert!(matches!(
        pca.transform(far.view()),
        Err(Error::NonFinite { .. })
    ));
}

#[test]
fn another_width_is_an_error_with_both_widths() {
    let pca = two().fit(cloud(6, 3).view()).unwrap();
    let error = pca.transform(cloud(6, 4).view()).unwrap_err().to_string();
    assert!(
        error.contains("= 4") && error.contains("width 3"),
        "{error}"
    );
    assert_eq!(
        pca.transform(Array2::zeros((0, 3)).view()).unwrap().dim(),
        (0, 2)
    );
}

#[test]
fn memory_is_checked_before_it_is_asked_for() {
    // A view that repeats one value takes no memory, its covariance would take 8 TB.
    let value = [0.0_f32];
    let vast = ArrayView2::from_shape((1, 1), &value).unwrap();
    let vast = vast.broadcast((1_000_000, 1_000_000)).unwrap();
    let error = two().fit(vast).unwrap_err();
    assert!(
        matches!(error, Error::TooLarge { needed, .. } if needed > 8_000_000_000_000),
        "{error}"
    );
    let small = two()
        .memory_limit(1000)
        .fit(cloud(50, 40).view())
        .unwrap_err();
    assert!(
        matches!(small, Error::TooLarge { limit: 1000, .. }),
        "{small}"
    );
}

#[test]
fn a_wide_matrix_needs_nothing_of_width_squared() {
    // 20 x 50,000: the covariance would take 20 GB, the limit allows 1 MB.
    let x = cloud(20, 50_000);
    let (_, placed) = two().memory_limit(1 << 20).fit_transform(x.view()).unwrap();
    assert_eq!(placed.dim(), (20, 2));
}

#[test]
fn components_are_orthonormal_even_where_variances_differ_by_ten_orders() {
    let scale = [1e5_f32, 1e2, 1.0];
    let x = Array2::from_shape_fn((6, 40), |(i, j)| {
        scale[i % 3] * ((i * 37 + j * 101 + i * j * 7) % 97) as f32
    });
    for x in [x.clone(), x.reversed_axes()] {
        let pca = Pca::params().dims(5).fit(x.view()).unwrap();
        for (a, first) in pca.components().iter().enumerate() {
            for (b, second) in pca.components().iter().enumerate() {
                let product: f64 = first.iter().zip(second).map(|(a, b)| a * b).sum();
                let expected = f64::from(u8::from(a == b));
                assert!((product - expected).abs() < 1e-9, "{a} . {b} = {product}");
            }
        }
    }
}

#[test]
fn the_largest_component_is_positive_also_after_the_data_are_mirrored() {
    let x = cloud(80, 6);
    for data in [x.clone(), -x] {
        for component in Pca::params().dims(3).fit(data.view()).unwrap().components() {
            let peak = component.iter().max_by(|a, b| a.abs().total_cmp(&b.abs()));
            assert!(*peak.unwrap() > 0.0);
        }
    }
}

#[test]
fn equal_input_gives_equal_bits_in_any_layout_and_on_any_number_of_threads() {
    for (rows, columns) in [(1500, 24), (24, 1500)] {
        let x = cloud(rows, columns);
        let mut columnwise = Array2::zeros((rows, columns).f());
        columnwise.assign(&x);
        let (model, reference) = two().fit_transform(x.view()).unwrap();
        let (other, placed) = two().fit_transform(columnwise.view()).unwrap();
        assert_eq!((&other, bits(&placed)), (&model, bits(&reference)));
        for threads in [2, 8] {
            std::thread::scope(|scope| {
                let fits: Vec<_> = (0..threads)
                    .map(|_| scope.spawn(|| two().fit_transform(x.view()).unwrap()))
                    .collect();
                for fit in fits {
                    let (again, placed) = fit.join().unwrap();
                    assert_eq!((again, bits(&placed)), (model.clone(), bits(&reference)));
                }
            });
        }
    }
}

#[test]
fn a_row_lies_where_it_lies_whatever_rows_are_beside_it() {
    let x = cloud(100, 13);
    let (pca, together) = two().fit_transform(x.view()).unwrap();
    for (row, expected) in x.outer_iter().zip(together.outer_iter()) {
        let alone = pca.transform(row.insert_axis(ndarray::Axis(0))).unwrap();
        assert_eq!(alone.row(0), expected);
    }
}

#[test]
fn a_saved_projection_loads_to_the_same_bits() {
    let x = cloud(100, 13);
    let (pca, placed) = two().fit_transform(x.view()).unwrap();
    let loaded = load(&pca.to_bytes().unwrap(), "model.bin").unwrap();
    assert_eq!(
        (loaded.method(), loaded.width(), loaded.dims()),
        ("pca", 13, 2)
    );
    assert_eq!(bits(&loaded.transform(x.view()).unwrap()), bits(&placed));
    assert_eq!(
        loaded.explained_variance_ratio(),
        pca.explained_variance_ratio()
    );
    assert_eq!(loaded.to_bytes().unwrap(), pca.to_bytes().unwrap());
}
