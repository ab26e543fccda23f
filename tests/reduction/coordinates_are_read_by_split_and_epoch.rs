//! Readers list a run's reductions and read their coordinates by split and epoch; what they read is
//! the version that the run's record names.

#![allow(clippy::unwrap_used)]

use emberlens::ErrorKind;
use emberlens::embedding::FitOn;
use emberlens::reduce::Pca;
use emberlens::run::{Position, Project, Run};
use emberlens::table::{Column, Columns, DeltaTable};
use ndarray::{Array2, Axis, Slice};

fn add(run: &Run, split: &str, epoch: Option<i64>, rows: usize) {
    let shift = epoch.unwrap_or(9) as usize;
    let embeddings = Array2::from_shape_fn((rows, 3), |(i, j)| {
        ((i * 7 + j * j * 5 + shift * (j + 1)) % 11) as f32
    });
    let columns = Columns::new()
        .with("example_id", (0..rows as i64).collect::<Vec<_>>())
        .with("embedding", Column::embedding(embeddings.view()));
    let at = Position {
        split: split.into(),
        epoch,
    };
    run.add_metrics("default", columns, None, Some(at)).unwrap();
}

fn reduced() -> (Project, Run) {
    let project = Project::open("memory://", "reading").unwrap();
    let run = project.run("cnn").start().unwrap();
    for epoch in 0..3 {
        add(&run, "train", Some(epoch), 12);
        add(&run, "valid", Some(epoch), 5);
    }
    add(&run, "test", None, 4);
    run.reduce_embeddings("embedding", &Pca::params(), FitOn::Latest)
        .unwrap();
    (project, run)
}

#[test]
fn the_list_says_what_was_done() {
    let (project, run) = reduced();
    let reader = project.open_run("cnn").unwrap();
    let [info] = reader.projections() else {
        unreachable!("one reduction")
    };
    assert_eq!(info.name, "embedding-pca");
    assert_eq!(
        (info.column.as_str(), info.stream.as_str()),
        ("embedding", "default")
    );
    assert_eq!((info.method.as_str(), info.dims), ("pca", 2));
    assert_eq!((info.rows, info.passes), (3 * 17 + 4, 7));
    assert_eq!(info.axes(), ["x", "y"]);
    assert!(!info.instances && !info.aligned);
    let fitted_on = info.fitted_on().unwrap();
    let pass = reader.latest_pass("default", "train").unwrap();
    assert_eq!(fitted_on.pass_id, pass.pass_id);
    assert_eq!((fitted_on.epoch, fitted_on.rows), (Some(2), 12));
    let model = project.location().join(info.model_url().unwrap());
    assert!(!model.read().unwrap().is_empty());
    assert_eq!(
        reader.projection("embedding-pca").location().url(),
        run.location().join("projections/embedding-pca").url()
    );
}

#[test]
fn filters_select_rows_and_columns() {
    let (_, run) = reduced();
    let reader = run.reader().unwrap();
    let all = reader.projection("embedding-pca");
    let matrix = all.matrix().unwrap();
    assert_eq!(matrix.dim(), (55, 2));
    let rows = |from: isize, to: isize| matrix.slice_axis(Axis(0), Slice::from(from..to));
    let valid = all.clone().split("valid").epoch(1);
    assert_eq!(valid.matrix().unwrap(), rows(29, 34));
    assert_eq!(valid.values::<i64>("example_id").unwrap(), [0, 1, 2, 3, 4]);
    let without_epoch = all.clone().epoch(None);
    assert_eq!(without_epoch.matrix().unwrap(), rows(51, 55));
    assert_eq!(all.clone().epoch(7).read().unwrap().num_rows(), 0);
    let two = all.clone().split("train").columns(&["y", "epoch"]);
    let two = two.read().unwrap();
    let names: Vec<_> = two
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().clone())
        .collect();
    assert_eq!(
        (names, two.num_rows()),
        (vec!["y".into(), "epoch".into()], 36)
    );
}

#[test]
fn an_unknown_name_or_column_lists_what_there_is() {
    let (project, run) = reduced();
    let reader = run.reader().unwrap();
    let error = reader.projection("embedding-umap").read().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("embedding-pca"), "{error}");
    let error = reader.projection("embedding-pca").columns(&["z"]).read();
    let error = error.unwrap_err().to_string();
    assert!(error.contains("`z`") && error.contains("x, y"), "{error}");
    let empty = project.run("empty").start().unwrap();
    let error = empty.reader().unwrap().projection("a").info().unwrap_err();
    assert!(error.to_string().contains("not reduced yet"), "{error}");
}

#[test]
fn a_reader_keeps_the_version_of_its_record() {
    let (_, run) = reduced();
    let early = run.reader().unwrap();
    let before = early.projection("embedding-pca").read().unwrap();
    add(&run, "train", Some(3), 12);
    run.reduce_embeddings("embedding", &Pca::params().dims(3), FitOn::Latest)
        .unwrap();
    assert_eq!(early.projection("embedding-pca").read().unwrap(), before);
    let late = run.reader().unwrap();
    assert_eq!(
        late.projection("embedding-pca").matrix().unwrap().dim(),
        (67, 3)
    );
    // Fewer axes again: the column that an earlier reduction had is not shown.
    run.reduce_embeddings("embedding", &Pca::params().dims(1), FitOn::Latest)
        .unwrap();
    let flat = run.reader().unwrap();
    let flat = flat.projection("embedding-pca").read().unwrap();
    assert_eq!(flat.num_columns(), 5);
    assert_eq!(early.projection("embedding-pca").read().unwrap(), before);
}

#[test]
fn a_commit_without_a_record_is_not_seen() {
    // A process that is killed between the two leaves this behind.
    let (_, run) = reduced();
    let folder = run.location().join("projections/embedding-pca");
    let table = DeltaTable::open(folder).unwrap();
    let rows = table.snapshot().unwrap().read(None).unwrap();
    table.append("somebody", 0, &[rows]).unwrap();
    let reader = run.reader().unwrap();
    let placed = reader.projection("embedding-pca").matrix().unwrap();
    assert_eq!(placed.nrows(), 55);
}
