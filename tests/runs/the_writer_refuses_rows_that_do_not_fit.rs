//! A batch that does not fit is refused with its column, both sides and the way out, and is left out
//! whole; the pass goes on.

#![allow(clippy::unwrap_used)]

use emberlens::run::{MetricsTableWriter, Project, Run};
use emberlens::storage::Location;
use emberlens::table::{Column, Columns, Table};
use emberlens::{Error, ErrorKind};
use ndarray::Array2;

fn run() -> (Project, Run) {
    let project = Project::at(Location::open("memory://").unwrap(), "p").unwrap();
    let run = project.run("r").start().unwrap();
    (project, run)
}

fn table(project: &Project) -> Table {
    project
        .create_table("t", Columns::new().with("x", vec![0.0_f32; 4]))
        .unwrap()
}

fn losses(ids: Vec<i64>, losses: Vec<f32>) -> Columns {
    Columns::new().with("example_id", ids).with("loss", losses)
}

#[test]
fn example_ids_must_be_rows_of_the_table() {
    let (project, run) = run();
    let mut writer = MetricsTableWriter::new(&run).foreign_table(&table(&project));
    for bad in [-1, 4, i64::MAX, i64::MIN] {
        let error = writer
            .add_batch(losses(vec![0, bad], vec![0.0, 0.0]))
            .unwrap_err();
        assert!(
            matches!(error, Error::ExampleId { value, row: 1, rows: 4, .. } if value == bad),
            "{error}"
        );
    }
    let error = writer
        .add_batch(Columns::new().with("loss", vec![0.0_f32]))
        .unwrap_err();
    assert!(matches!(error, Error::MissingColumn { .. }), "{error}");
    writer
        .add_batch(losses(vec![3, 3], vec![1.0, 2.0]))
        .unwrap();
    assert_eq!(writer.finalize().unwrap()[0].rows, 2, "repeats are allowed");
}

#[test]
fn columns_keep_their_names_types_and_widths_across_batches_and_passes() {
    let (_, run) = run();
    let wide = |width| {
        let rows = Array2::<f32>::zeros((2, width));
        Columns::new().with("embedding", Column::embedding(rows.view()))
    };
    let mut writer = MetricsTableWriter::new(&run);
    writer.add_batch(wide(3)).unwrap();
    let error = writer.add_batch(wide(4)).unwrap_err().to_string();
    assert!(
        error.contains("width 3") && error.contains("width 4"),
        "{error}"
    );
    let error = writer.add_batch(losses(vec![0], vec![0.0])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    writer.finalize().unwrap();

    let mut next = MetricsTableWriter::new(&run).epoch(1);
    let error = next.add_batch(wide(5)).unwrap_err().to_string();
    assert!(error.contains("another stream"), "{error}");
    next.add_batch(wide(3)).unwrap();
    next.finalize().unwrap();
    let read = run.reader().unwrap().metrics("default").read().unwrap();
    assert_eq!(read.num_rows(), 4);
}

#[test]
fn a_refused_batch_is_left_out_whole_and_the_next_one_is_taken() {
    let (project, run) = run();
    let mut writer = MetricsTableWriter::new(&run).foreign_table(&table(&project));
    writer.add_batch(losses(vec![0], vec![0.5])).unwrap();
    let short = losses(vec![1, 2], vec![1.0]);
    let nameless = losses(vec![1], vec![1.0]).with("Loss", vec![1.0_f32]);
    let renamed = Columns::new()
        .with("example_id", vec![1_i64])
        .with("los", vec![1.0_f32]);
    let more = losses(vec![1], vec![1.0]).with("margin", vec![1.0_f32]);
    let other_type = Columns::new()
        .with("example_id", vec![1_i64])
        .with("loss", vec![1_i32]);
    let no_id = Columns::new()
        .with("example_id", vec![Some(1_i64), None])
        .with("loss", vec![1.0_f32, 1.0]);
    for (wrong, parts) in [
        (short, ["`loss` has 1 rows", "2 are expected"]),
        (nameless, ["`Loss`", "rename"]),
        (renamed, ["`los`", "same columns"]),
        (more, ["`margin`", "same columns"]),
        (other_type, ["`loss` is Int32", "Float32"]),
        (no_id, ["example_id = null", "every row"]),
    ] {
        let error = writer.add_batch(wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        for part in parts {
            assert!(error.to_string().contains(part), "{part}: {error}");
        }
    }
    writer.add_batch(losses(vec![3], vec![0.25])).unwrap();
    writer.finalize().unwrap();
    let reader = run.reader().unwrap();
    let metrics = reader.metrics("default");
    assert_eq!(metrics.values::<i64>("example_id").unwrap(), [0, 3]);
    assert_eq!(metrics.values::<f32>("loss").unwrap(), [0.5, 0.25]);
}

#[test]
fn reserved_names_and_long_constants_are_refused() {
    let (_, run) = run();
    let mut writer = MetricsTableWriter::new(&run);
    for name in ["split", "Epoch", "pass_id"] {
        let error = writer
            .add_batch(Columns::new().with(name, vec![0_i64]))
            .unwrap_err();
        assert!(error.to_string().contains("reserved"), "{error}");
    }
    let mut writer = MetricsTableWriter::new(&run).constant("lr", vec![0.1_f64, 0.2]);
    assert!(matches!(
        writer.add_batch(losses(vec![0], vec![0.0])),
        Err(Error::Shape { .. })
    ));
}

#[test]
fn a_finished_writer_takes_nothing_more() {
    let (_, run) = run();
    let mut writer = MetricsTableWriter::new(&run);
    writer.add_batch(losses(vec![0], vec![0.0])).unwrap();
    writer.finalize().unwrap();
    assert!(writer.add_batch(losses(vec![1], vec![0.0])).is_err());
}

#[test]
fn a_category_keeps_its_class_names() {
    let (_, run) = run();
    let predicted = |names: [&str; 2]| {
        let column = Column::from(vec![1_i32]).role(emberlens::table::Role::category(names));
        Columns::new().with("predicted", column)
    };
    let mut writer = MetricsTableWriter::new(&run);
    writer.add_batch(predicted(["cat", "dog"])).unwrap();
    writer.finalize().unwrap();
    let mut next = MetricsTableWriter::new(&run).epoch(1);
    let error = next
        .add_batch(predicted(["dog", "cat"]))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("cat, dog") && error.contains("dog, cat"),
        "{error}"
    );
    next.add_batch(predicted(["cat", "dog"])).unwrap();
}
