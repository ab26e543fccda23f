//! Degenerate input to PaCMAP has the documented answer or a typed error; equal input and seed have
//! equal bits on any number of threads; a fit can be watched, stopped, saved and loaded.

#![allow(clippy::unwrap_used)]

use std::sync::Mutex;

use emberlens::collect::Progress;
use emberlens::reduce::{
    Init, Metric, Pacmap, PacmapParams, Params, Projection, Reducer, Threads, Watch, load,
};
use emberlens::{CancelFlag, Error, ErrorKind};
use ndarray::{Array2, ArrayView2, Axis};

/// Few iterations: what is tested here does not need more.
fn brief() -> PacmapParams {
    Pacmap::params()
        .iterations(5, 5, 10)
        .threads(Threads::Exactly(1))
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
        let error = brief().fit(Array2::zeros(shape).view()).unwrap_err();
        let found =
            matches!(error, Error::Degenerate { rows, columns, .. } if (rows, columns) == shape);
        assert!(found, "{error}");
    }
}

#[test]
fn one_row_and_rows_that_are_all_alike_lie_at_the_origin() {
    for shape in [(1, 3), (2, 2), (40, 3), (20, 150)] {
        for metric in [Metric::Euclidean, Metric::Cosine] {
            let x = Array2::from_elem(shape, 0.1_f32);
            let (pacmap, xy) = brief().distance(metric).fit_transform(x.view()).unwrap();
            assert!(xy.iter().all(|&value| value == 0.0), "{shape:?}");
            assert_eq!(pacmap.transform(x.view()).unwrap(), xy);
        }
    }
    let parallel = Array2::from_shape_fn((30, 4), |(i, j)| (i + 1) as f32 * 0.37 * (j + 1) as f32);
    let (_, xy) = brief()
        .distance(Metric::Cosine)
        .fit_transform(parallel.view())
        .unwrap();
    assert!(xy.iter().all(|&value| value == 0.0));
}

#[test]
fn directions_that_differ_little_in_many_columns_are_told_apart() {
    let group = |row: usize| row / 20;
    let x = Array2::from_shape_fn((60, 4_096), |(i, j)| {
        1.0 + if j % 3 == group(i) { 4e-5 } else { 0.0 } + ((i * 7 + j) % 5) as f32 * 1e-6
    });
    let (_, xy) = brief()
        .distance(Metric::Cosine)
        .fit_transform(x.view())
        .unwrap();
    let centre = |group: usize| {
        let rows = xy.slice_axis(Axis(0), (group * 20..(group + 1) * 20).into());
        rows.mean_axis(Axis(0)).unwrap()
    };
    let apart = &centre(0) - &centre(1);
    assert!(apart.dot(&apart).sqrt() > 0.5, "{apart}");
}

#[test]
fn few_rows_have_finite_places_that_are_not_all_one() {
    for rows in 2..=12 {
        let x = cloud(rows, 5);
        let params = Pacmap::params().threads(Threads::Exactly(1));
        let (pacmap, xy) = params.fit_transform(x.view()).unwrap();
        assert!(xy.iter().all(|value| value.is_finite()));
        let gap = |row: usize| {
            let gap = &xy.row(row) - &xy.row(0);
            gap.dot(&gap).sqrt()
        };
        assert!((1..rows).map(gap).fold(0.0, f32::max) > 0.5, "{xy}");
        assert!(pacmap.n_neighbors() < rows);
        assert_eq!(pacmap.transform(x.view()).unwrap().dim(), (rows, 2));
    }
}

#[test]
fn duplicates_constant_columns_and_a_line_have_finite_places() {
    let mut twins = cloud(60, 4);
    for row in 0..50 {
        let first = twins.row(0).to_owned();
        twins.row_mut(row).assign(&first);
    }
    let mut constant = cloud(50, 4);
    constant.column_mut(2).fill(1e6);
    let line = Array2::from_shape_fn((50, 1), |(i, _)| i as f32);
    let tiny = cloud(50, 4) * 1e-30;
    let huge = cloud(50, 4) * 1e36;
    for x in [twins, constant, line, tiny, huge] {
        for init in [Init::Pca, Init::Random] {
            let (pacmap, xy) = brief().init(init).fit_transform(x.view()).unwrap();
            assert!(xy.iter().all(|value| value.is_finite()));
            assert!(xy.column(1).iter().any(|&value| value != xy[[0, 1]]));
            assert!(
                pacmap
                    .transform(x.view())
                    .unwrap()
                    .iter()
                    .all(|value| value.is_finite())
            );
        }
    }
}

#[test]
fn a_scale_of_the_data_by_a_power_of_two_changes_no_bit() {
    let x = cloud(80, 6);
    let (_, xy) = brief().fit_transform(x.view()).unwrap();
    let (_, scaled) = brief().fit_transform((&x * 1024.0).view()).unwrap();
    assert_eq!(bits(&scaled), bits(&xy));
}

#[test]
fn values_that_are_not_finite_are_named_in_fit_in_transform_and_in_given_coordinates() {
    let good = cloud(30, 3);
    let pacmap = brief().fit(good.view()).unwrap();
    let mut bad = good.clone();
    bad[[4, 1]] = f32::NAN;
    let init = bad.slice_axis(Axis(1), (0..2).into()).to_owned();
    for error in [
        brief().fit(bad.view()).unwrap_err(),
        pacmap.transform(bad.view()).unwrap_err(),
        brief()
            .init(Init::Given(init))
            .fit(good.view())
            .unwrap_err(),
    ] {
        let found = matches!(
            error,
            Error::NonFinite {
                row: 4,
                column: 1,
                ..
            }
        );
        assert!(found, "{error}");
    }
}

#[test]
fn parameters_that_cannot_work_are_named_all_at_once() {
    let error = Pacmap::params()
        .dims(0)
        .n_neighbors(0)
        .mn_ratio(f32::NAN)
        .fp_ratio(-1.0)
        .learning_rate(0.0)
        .check()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let text = error.to_string();
    for name in [
        "dims",
        "n_neighbors",
        "mn_ratio",
        "fp_ratio",
        "learning_rate",
    ] {
        assert!(text.contains(name), "{text}");
    }
    let short = Init::Given(Array2::zeros((3, 2)));
    let error = brief()
        .init(short)
        .fit(cloud(30, 3).view())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("3 x 2") && error.contains("30 rows"),
        "{error}"
    );
}

#[test]
fn memory_is_checked_before_it_is_asked_for() {
    let value = [0.0_f32];
    let vast = ArrayView2::from_shape((1, 1), &value).unwrap();
    let vast = vast.broadcast((1_000_000_000, 50)).unwrap();
    let error = brief().fit(vast).unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    let error = brief()
        .memory_limit(1000)
        .fit(cloud(50, 4).view())
        .unwrap_err();
    assert!(
        matches!(error, Error::TooLarge { limit: 1000, .. }),
        "{error}"
    );
}

#[test]
fn more_pairs_than_32_bits_count_are_refused_for_what_they_are() {
    let value = [0.0_f32];
    let vast = ArrayView2::from_shape((1, 1), &value).unwrap();
    let vast = vast.broadcast((10_000_000, 50)).unwrap();
    let params = brief().memory_limit(u64::MAX).mn_ratio(1000.0);
    let text = params.fit(vast).unwrap_err().to_string();
    assert!(
        text.contains("10000000") && text.contains("32 bits"),
        "{text}"
    );
}

#[test]
fn a_row_out_of_reach_is_named_by_its_own_value() {
    for columns in [5, 120] {
        let x = cloud(60, columns);
        let pacmap = brief().fit(x.view()).unwrap();
        let mut far = x.clone();
        far[[3, 2]] = 1e20;
        let text = pacmap.transform(far.view()).unwrap_err().to_string();
        let named = ["1e20", "row 3", "`2`"].map(|part| text.contains(part));
        assert_eq!(named, [true; 3], "{text}");
    }
}

#[test]
fn every_number_of_dims_gives_that_many_coordinates() {
    let x = cloud(60, 5);
    for dims in [1, 2, 3, 4, 5, 9, 17, 33, 64] {
        let (pacmap, places) = brief().dims(dims).fit_transform(x.view()).unwrap();
        assert_eq!((places.dim(), pacmap.dims()), ((60, dims), dims));
        assert!(
            places
                .columns()
                .into_iter()
                .all(|axis| axis.iter().any(|&v| v != axis[0]))
        );
    }
}

#[test]
fn equal_input_and_seed_give_equal_bits_on_any_number_of_threads() {
    // 4,200 rows: beyond the number from which far partners are drawn by blocks.
    for (rows, columns) in [(300, 120), (4_200, 6)] {
        let x = cloud(rows, columns);
        let fit = |threads: usize, seed: u64| {
            let params = brief().seed(seed).threads(Threads::Exactly(threads));
            let (pacmap, xy) = params.fit_transform(x.view()).unwrap();
            let placed = pacmap
                .transform(x.slice_axis(Axis(0), (0..50).into()))
                .unwrap();
            (bits(&xy), bits(&placed))
        };
        let reference = fit(1, 7);
        assert_eq!(fit(2, 7), reference);
        assert_eq!(fit(8, 7), reference);
        assert_ne!(fit(1, 8).0, reference.0);
    }
}

#[test]
fn rows_that_are_given_away_are_laid_out_as_rows_that_are_lent() {
    let x = cloud(200, 120);
    let (_, lent) = brief().fit_transform(x.view()).unwrap();
    let (pacmap, given) = brief().fit_owned(x.clone(), &Watch::default()).unwrap();
    assert_eq!(bits(&given), bits(&lent));
    assert_eq!(pacmap.transform(x.view()).unwrap().dim(), (200, 2));
}

#[test]
fn a_row_lies_where_it_lies_whatever_rows_are_beside_it() {
    let x = cloud(100, 13);
    let pacmap = brief().fit(x.view()).unwrap();
    let together = pacmap.transform(x.view()).unwrap();
    for (row, expected) in x.outer_iter().zip(together.outer_iter()).step_by(7) {
        let alone = pacmap.transform(row.insert_axis(Axis(0))).unwrap();
        assert_eq!(alone.row(0), expected);
    }
    let nothing = pacmap.transform(Array2::zeros((0, 13)).view()).unwrap();
    assert_eq!(nothing.dim(), (0, 2));
    let error = pacmap
        .transform(cloud(6, 4).view())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("= 4") && error.contains("width 13"),
        "{error}"
    );
}

#[test]
fn a_saved_projection_loads_to_the_same_bits() {
    for (columns, metric) in [(13, Metric::Euclidean), (120, Metric::Cosine)] {
        let x = cloud(150, columns);
        let pacmap = brief()
            .dims(3)
            .seed(5)
            .distance(metric)
            .fit(x.view())
            .unwrap();
        let mut loaded = load(&pacmap.to_bytes().unwrap(), "model.bin").unwrap();
        loaded.set_threads(Threads::Exactly(2));
        let shape = (loaded.method(), loaded.width(), loaded.dims());
        assert_eq!(shape, ("pacmap", columns, 3));
        let new = cloud(200, columns);
        let expected = pacmap.transform(new.view()).unwrap();
        assert_eq!(
            bits(&loaded.transform(new.view()).unwrap()),
            bits(&expected)
        );
        assert_eq!(loaded.to_bytes().unwrap(), pacmap.to_bytes().unwrap());
    }
}

/// Notes every stage and sets a flag after some updates.
struct Observer {
    flag: CancelFlag,
    after: u64,
    seen: Mutex<Vec<(String, u64, u64)>>,
}

impl Progress for Observer {
    fn start(&self, label: &str, total: u64) {
        self.seen.lock().unwrap().push((label.to_owned(), total, 0));
    }
    fn update(&self, done: u64) {
        let mut seen = self.seen.lock().unwrap();
        let stage = seen.last_mut().unwrap();
        stage.2 = done;
        if stage.0 == "PaCMAP" && done == self.after {
            self.flag.cancel();
        }
    }
}

#[test]
fn iterations_are_reported_and_a_set_flag_stops_the_fit_in_the_next_one() {
    let observe = |after| Observer {
        flag: CancelFlag::new(),
        after,
        seen: Mutex::default(),
    };
    let whole = observe(u64::MAX);
    let x = cloud(60, 4);
    brief()
        .fit_watched(x.view(), &Watch::default().progress(&whole))
        .unwrap();
    let seen = whole.seen.lock().unwrap();
    assert_eq!(seen.last().unwrap(), &("PaCMAP".to_owned(), 20, 19));

    let stopped = observe(3);
    let watch = Watch::default().progress(&stopped).cancel(&stopped.flag);
    let error = brief().fit_watched(x.view(), &watch).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert_eq!(stopped.seen.lock().unwrap().last().unwrap().2, 3);
}

#[test]
fn given_coordinates_are_used_as_they_are() {
    let x = cloud(40, 4);
    let given = Array2::from_shape_fn((40, 2), |(i, j)| (i * 3 + j) as f32);
    let params = brief().init(Init::Given(given.clone())).iterations(0, 0, 0);
    assert_eq!(params.fit_transform(x.view()).unwrap().1, given);
}
