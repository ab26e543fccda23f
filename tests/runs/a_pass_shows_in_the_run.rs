//! While a pass goes on the run says `collecting`, to its own process and to others, and afterwards
//! what it said before; the pass is the run's newest fact.

#![allow(clippy::unwrap_used)]

use emberlens::collect::{HiddenLayers, Prediction, collect_metrics};
use emberlens::metrics::{Embeddings, Reshape};
use emberlens::run::{Project, Status};
use emberlens::table::Columns;
use emberlens::{Error, Result};
use ndarray::{ArrayD, arr2};

type Batch = Vec<f32>;

fn losses(batch: &Batch, _: &()) -> Result<Columns> {
    Ok(Columns::new().with("loss", batch.clone()))
}

#[test]
fn a_pass_shows_as_collecting_and_gives_the_status_back() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().display().to_string();
    let project = Project::open(&root, "p").unwrap();
    let run = project.run("r").start().unwrap();
    for (before, fails) in [
        (Status::Running, false),
        (Status::Running, true),
        (Status::Completed, false),
    ] {
        run.set_status(before.clone()).unwrap();
        let outcome = collect_metrics(&[1.0_f32, 2.0])
            .collector(losses)
            .collector(|batch: &Batch, _: &()| {
                assert_eq!(run.status(), Status::Collecting);
                let read = project.open_run("r").unwrap();
                assert_eq!(read.status(), &Status::Collecting);
                if fails {
                    return Err(Error::user("no licence"));
                }
                Ok(Columns::new().with("seen", vec![true; batch.len()]))
            })
            .without_table()
            .split("train")
            .into_run(&run);
        assert_eq!(outcome.is_err(), fails);
        assert_eq!(run.status(), before);
        assert_eq!(project.open_run("r").unwrap().status(), &before);
    }
}

/// The mean of two channels of 2 x 2, and a layer of two features.
fn model(batch: &Batch) -> Result<Prediction<Batch>> {
    let rows = batch.len();
    let pool = ArrayD::from_shape_fn(vec![rows, 2, 2, 2], |at| batch[at[0]] * at[1] as f32);
    let head = ArrayD::from_shape_fn(vec![rows, 2], |at| batch[at[0]] + at[1] as f32);
    Ok(Prediction {
        output: batch.clone(),
        hidden: [("pool".to_owned(), pool), ("head".to_owned(), head)].into(),
    })
}

#[test]
fn hidden_layers_are_collected_by_name_beside_other_columns() {
    let run = Project::open("memory://", "p")
        .unwrap()
        .run("r")
        .start()
        .unwrap();
    let report = collect_metrics(&[1.0_f32, 3.0])
        .predictor(model)
        .collector(Embeddings::layer("pool"))
        .collector(
            Embeddings::layer("head")
                .column("features")
                .reshape(Reshape::Flatten),
        )
        .collector(|_: &Batch, prediction: &Prediction<Batch>| {
            assert_eq!(prediction.layers(), ["head", "pool"]);
            Ok(Columns::new().with("output", prediction.output.clone()))
        })
        .without_table()
        .split("train")
        .into_run(&run)
        .unwrap();
    assert_eq!(report.embedding_columns, ["embedding", "features"]);
    let batch = run.reader().unwrap().metrics("default").read().unwrap();
    let read = |column| emberlens::table::embedding(&batch, column).unwrap();
    assert_eq!(read("embedding"), arr2(&[[0.0, 1.0], [0.0, 3.0]]));
    assert_eq!(read("features"), arr2(&[[1.0, 2.0], [3.0, 4.0]]));
}

#[test]
fn a_layer_that_was_not_captured_ends_the_pass_with_those_that_were() {
    let run = Project::open("memory://", "p")
        .unwrap()
        .run("r")
        .start()
        .unwrap();
    let error = collect_metrics(&[1.0_f32])
        .predictor(model)
        .collector(Embeddings::layer("poool"))
        .without_table()
        .into_run(&run)
        .unwrap_err();
    let text = error.chain();
    assert!(
        text.contains("Embeddings(\"poool\")") && text.contains("head, pool"),
        "{text}"
    );
}
