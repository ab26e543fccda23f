//! What a fit makes of few, equal, extreme, missing and unsound inputs.

use super::*;

/// The rows' places are numbers, fitted and placed anew.
fn assert_finite(umap: &Umap, x: &Array2<f32>, y: &Array2<f32>) {
    let placed = umap.transform(x.view()).unwrap();
    assert!(y.iter().chain(&placed).all(|value| value.is_finite()));
}

#[test]
fn few_rows_have_finite_places() {
    for count in 1..20 {
        for init in [UmapInit::Pca, UmapInit::Spectral, UmapInit::Random] {
            let x = Array2::from_shape_fn((count, 3), |(i, j)| ((i * 5 + j * 7) % 11) as f32);
            let (umap, y) = quick().init(init).fit_transform(x.view()).unwrap();
            assert_eq!(y.dim(), (count, 2));
            assert_finite(&umap, &x, &y);
        }
    }
    let (_, y) = quick().fit_transform(rows(&groups(1, 3), 0..1)).unwrap();
    assert_eq!(y, Array2::<f32>::zeros((1, 2)));
}

#[test]
fn rows_alike_duplicates_and_constant_columns_have_finite_places() {
    let mut constant = groups(20, 4);
    constant.column_mut(1).fill(7.0);
    constant.column_mut(2).fill(0.0);
    let half = groups(15, 4);
    let doubled = concatenate![Axis(0), half, half, half];
    for x in [
        Array2::from_elem((50, 4), 2.5),
        Array2::zeros((50, 4)),
        constant,
        doubled,
    ] {
        for metric in [Metric::Euclidean, Metric::Cosine] {
            for init in [UmapInit::Pca, UmapInit::Spectral] {
                let (umap, y) = quick()
                    .metric(metric)
                    .init(init)
                    .fit_transform(x.view())
                    .unwrap();
                assert_finite(&umap, &x, &y);
            }
        }
    }
}

#[test]
fn thousands_of_equal_rows_stay_together_and_throw_no_row_far() {
    let mut x = groups(1_000, 6);
    x.slice_axis_mut(Axis(0), Slice::from(1_000..3_000))
        .fill(0.0);
    let (_, y) = Umap::params()
        .n_epochs(100)
        .seed(5)
        .fit_transform(x.view())
        .unwrap();
    let farthest = |rows: ArrayView2<'_, f32>| {
        let centre = rows.mean_axis(Axis(0)).unwrap();
        let off = &rows - &centre;
        off.iter().fold(0.0_f32, |most, off| most.max(off.abs()))
    };
    assert!(farthest(y.view()) < 60.0, "{}", farthest(y.view()));
    let equal = farthest(rows(&y, 1_000..3_000));
    assert!(equal < 20.0, "{equal}");
}

#[test]
fn magnitudes_at_the_ends_of_f32_give_the_layout_of_the_same_rows_in_between() {
    let x = groups(20, 4);
    let x = &x / 16.0; // below 1
    let (_, plain) = quick().fit_transform(x.view()).unwrap();
    for scale in [2.0_f32.powi(127), 2.0_f32.powi(-100)] {
        let (umap, y) = quick().fit_transform((&x * scale).view()).unwrap();
        assert!(umap.coordinates().iter().all(|value| value.is_finite()));
        for (value, plain) in y.iter().zip(&plain) {
            assert!((value - plain).abs() < 1e-2, "{value} and {plain}");
        }
    }
    let mut ends = groups(20, 4);
    ends.mapv_inplace(|value| if value > 1.0 { f32::MAX } else { -f32::MAX });
    let (_, y) = quick().fit_transform(ends.view()).unwrap();
    assert!(y.iter().all(|value| value.is_finite()));
}

#[test]
fn no_rows_and_no_columns_are_refused() {
    for shape in [(0, 3), (4, 0)] {
        let error = quick().fit(Array2::<f32>::zeros(shape).view()).unwrap_err();
        assert!(
            error.to_string().contains("umap cannot be fitted"),
            "{error}"
        );
    }
}

#[test]
fn a_value_that_is_not_finite_is_named() {
    let mut x = groups(10, 4);
    let umap = quick().fit(x.view()).unwrap();
    x[(7, 2)] = f32::NAN;
    for error in [
        quick().fit(x.view()).unwrap_err(),
        umap.transform(x.view()).unwrap_err(),
    ] {
        assert!(
            error.to_string().contains("NaN in row 7, column 2"),
            "{error}"
        );
    }
}

#[test]
fn another_width_is_refused() {
    let umap = quick().fit(groups(10, 4).view()).unwrap();
    let error = umap.transform(groups(10, 5).view()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(
        umap.transform(Array2::zeros((0, 4)).view())
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_matrix_beyond_the_limit_is_refused_before_anything_is_allocated() {
    let row = ndarray::arr1(&[1.0_f32]);
    let huge = row.broadcast((1 << 31, 1 << 20)).unwrap();
    let error = quick().fit(huge).unwrap_err();
    assert!(error.to_string().contains("bytes of memory"), "{error}");
}

#[test]
fn unsound_parameters_are_all_named() {
    let text = Umap::params()
        .dims(0)
        .n_neighbors(1)
        .min_dist(2.0)
        .spread(f64::NAN)
        .learning_rate(0.0)
        .set_op_mix_ratio(1.5)
        .local_connectivity(-1.0)
        .repulsion_strength(-1.0)
        .negative_sample_rate(2_000)
        .n_epochs(usize::MAX)
        .check()
        .unwrap_err()
        .to_string();
    for name in [
        "dims",
        "n_neighbors",
        "min_dist",
        "spread",
        "learning_rate",
        "set_op_mix_ratio",
        "local_connectivity",
        "repulsion_strength",
        "negative_sample_rate",
        "n_epochs",
    ] {
        assert!(text.contains(name), "{name}: {text}");
    }
}

#[test]
fn a_given_start_must_go_with_the_matrix() {
    let x = groups(10, 4);
    let fit = |given: Array2<f32>| quick().init(UmapInit::Given(given)).fit(x.view());
    assert!(fit(Array2::zeros((30, 3))).is_err());
    assert!(fit(Array2::from_elem((30, 2), f32::INFINITY)).is_err());
    assert!(fit(Array2::zeros((30, 2))).is_ok());
}
