//! Placing new rows by a fitted projection reports its progress and stops when its flag is set.

#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicU64, Ordering};

use emberlens::collect::Progress;
use emberlens::reduce::{Pacmap, Pca, Projection, Reducer, Umap, Watch};
use emberlens::{CancelFlag, ErrorKind};
use ndarray::Array2;

/// More rows than are placed at once.
const ROWS: usize = 20_000;

fn cloud(rows: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, 3), |(row, column)| {
        ((row * 37 + column * 11) % 101) as f32 * 0.01
    })
}

/// Sets a flag after a number of reports and remembers the last one.
struct Stopper<'a> {
    flag: &'a CancelFlag,
    after: u64,
    reports: AtomicU64,
    last: AtomicU64,
}

impl Progress for Stopper<'_> {
    fn update(&self, done: u64) {
        self.last.store(done, Ordering::Relaxed);
        if self.reports.fetch_add(1, Ordering::Relaxed) + 1 == self.after {
            self.flag.cancel();
        }
    }
}

#[test]
fn placing_rows_can_be_stopped() {
    let x = cloud(60);
    let projections: [Box<dyn Projection>; 3] = [
        Box::new(Pca::params().fit(x.view()).unwrap()),
        Box::new(Pacmap::params().fit(x.view()).unwrap()),
        Box::new(Umap::params().n_epochs(20).fit(x.view()).unwrap()),
    ];
    let new = cloud(ROWS);
    for projection in projections {
        let method = projection.method();
        let flag = CancelFlag::new();
        let stopper = |after| Stopper {
            flag: &flag,
            after,
            reports: AtomicU64::new(0),
            last: AtomicU64::new(0),
        };

        let never = stopper(u64::MAX);
        let watch = Watch::default().progress(&never).cancel(&flag);
        let placed = projection.transform_watched(new.view(), &watch).unwrap();
        assert_eq!(never.last.load(Ordering::Relaxed), ROWS as u64, "{method}");
        assert_eq!(
            placed,
            projection.transform(new.view()).unwrap(),
            "{method}"
        );

        let early = stopper(1);
        let watch = Watch::default().progress(&early).cancel(&flag);
        let error = projection.transform_watched(new.view(), &watch);
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted, "{method}: {error}");
        assert!(
            early.last.load(Ordering::Relaxed) < ROWS as u64,
            "{method} went on to the end"
        );
        let error = projection.transform_watched(new.view(), &watch);
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Interrupted);
    }
}
