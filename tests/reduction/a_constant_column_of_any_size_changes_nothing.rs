//! A column that says nothing, a masked logit say, takes no digits from the others, whatever its value.

#![allow(clippy::unwrap_used)]

use emberlens::reduce::quality::{neighbor_recall, trustworthiness};
use emberlens::reduce::{NeighborMethod, NeighborSearch, Pacmap, Pca, Reducer, Umap, Watch};
use ndarray::{Array2, Axis, Slice};

/// Scattered rows of numbers around 0; the first column is this constant.
fn cloud(rows: usize, width: usize, constant: f32) -> Array2<f32> {
    let mut state = 7_u32;
    Array2::from_shape_fn((rows, width), |(row, column)| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let group = if row % 3 == column % 3 { 3.0 } else { 0.0 };
        let value = group + (state >> 8) as f32 / (1 << 24) as f32;
        if column == 0 { constant } else { value }
    })
}

const CONSTANTS: [f32; 3] = [1e20, -1e30, f32::MIN];

#[test]
fn principal_components_are_those_without_it() {
    // 20,000 rows: products are formed in f32.
    for rows in [300, 20_000] {
        let plain = Pca::params().fit_transform(cloud(rows, 128, 0.0).view());
        let (plain, xy) = plain.unwrap();
        for constant in CONSTANTS {
            let fitted = Pca::params().fit_transform(cloud(rows, 128, constant).view());
            let (pca, with) = fitted.unwrap();
            assert_eq!(with, xy, "{rows} rows, {constant:e}");
            assert_eq!(pca.explained_variance(), plain.explained_variance());
        }
    }
}

#[test]
fn neighbours_are_those_without_it() {
    let search = |x: &Array2<f32>| {
        let found = NeighborSearch::new(5).method(NeighborMethod::Exact);
        found.search(x.view(), &Watch::default()).unwrap()
    };
    let plain = search(&cloud(500, 20, 0.0));
    for constant in CONSTANTS {
        let with = search(&cloud(500, 20, constant));
        for row in 0..500 {
            assert_eq!(with.indices(row), plain.indices(row), "{constant:e}");
        }
        let gaps = with
            .distances(9)
            .unwrap()
            .iter()
            .zip(plain.distances(9).unwrap());
        for (with, plain) in gaps {
            assert!((with - plain).abs() < 1e-5, "{with} and {plain}");
        }
    }
}

#[test]
fn measures_are_those_of_the_same_rows_at_another_scale() {
    let x = cloud(200, 20, 0.0);
    let y = x.slice_axis(Axis(1), Slice::from(1..3)).to_owned();
    let measured = |x: &Array2<f32>| trustworthiness(x.view(), y.view(), 10).unwrap();
    let plain = measured(&x);
    for scale in [
        2_f32.powi(-110),
        2_f32.powi(-80),
        2_f32.powi(80),
        2_f32.powi(120),
    ] {
        assert_eq!(measured(&(&x * scale)), plain, "{scale:e}");
    }
    let mut beside = &x * 1e-25;
    beside.column_mut(0).fill(1.0);
    assert!((measured(&beside) - plain).abs() < 1e-3);
    let found = neighbor_recall(beside.view(), x.view(), 10).unwrap();
    assert!(found > 0.999, "{found}");
}

#[test]
fn layouts_keep_neighbours_as_well_as_without_it() {
    let plain = cloud(300, 20, 0.0);
    let kept = |xy: Array2<f32>| neighbor_recall(plain.view(), xy.view(), 10).unwrap();
    let pacmap = |x: &Array2<f32>| Pacmap::params().fit_transform(x.view()).unwrap().1;
    let umap = |x: &Array2<f32>| Umap::params().fit_transform(x.view()).unwrap().1;
    let (by_pacmap, by_umap) = (kept(pacmap(&plain)), kept(umap(&plain)));
    for constant in CONSTANTS {
        let x = cloud(300, 20, constant);
        let others = Slice::from(1..);
        assert_eq!(
            x.slice_axis(Axis(1), others),
            plain.slice_axis(Axis(1), others)
        );
        assert!(kept(pacmap(&x)) > by_pacmap - 0.05, "{constant:e}");
        assert!(kept(umap(&x)) > by_umap - 0.05, "{constant:e}");
    }
}
