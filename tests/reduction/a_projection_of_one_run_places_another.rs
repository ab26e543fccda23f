//! A projection that one run fitted places the embeddings of another, which names it as an input.

#![allow(clippy::unwrap_used)]

use emberlens::ErrorKind;
use emberlens::embedding::FitOn;
use emberlens::reduce::{Pca, Projection, Reducer};
use emberlens::run::{Position, Project, Run};
use emberlens::table::{Column, Columns};
use ndarray::Array2;

fn cloud(rows: usize, width: usize, seed: usize) -> Array2<f32> {
    let value = |i: usize, j: usize| ((i * 7 + j * j * 5 + seed * (j + 3)) % 13) as f32;
    Array2::from_shape_fn((rows, width), |(i, j)| value(i, j))
}

fn collected(project: &Project, name: &str, embeddings: &Array2<f32>) -> Run {
    let run = project.run(name).start().unwrap();
    let columns = Columns::new()
        .with(
            "example_id",
            (0..embeddings.nrows() as i64).collect::<Vec<_>>(),
        )
        .with("embedding", Column::embedding(embeddings.view()));
    let at = Position::new("train").epoch(0);
    run.add_metrics("default", columns, None, Some(at)).unwrap();
    run
}

fn reduce(run: &Run) -> String {
    let report = run
        .reduce_embeddings("embedding", &Pca::params(), FitOn::Latest)
        .unwrap();
    report.model_url().unwrap().to_owned()
}

#[test]
fn runs_of_one_project_share_coordinates() {
    let project = Project::open("memory://", "shared").unwrap();
    let producer = collected(&project, "producer", &cloud(30, 4, 1));
    let model = reduce(&producer);
    assert!(
        model.starts_with(&format!("runs/{}/models/embedding-pca-", producer.id())),
        "{model}"
    );

    let consumer = collected(&project, "consumer", &cloud(12, 4, 2));
    let report = consumer.apply_projection("embedding", &model).unwrap();
    assert_eq!((report.name.as_str(), report.rows), ("embedding-pca", 12));
    assert_eq!(report.model_url(), Some(model.as_str()));
    assert_eq!(report.fitted_on(), None, "it was fitted elsewhere");
    let reader = consumer.reader().unwrap();
    let input = &reader.inputs()[0];
    assert_eq!((input.url.as_str(), input.revision), (model.as_str(), 0));

    let expected = Pca::params().fit(cloud(30, 4, 1).view()).unwrap();
    let expected = expected.transform(cloud(12, 4, 2).view()).unwrap();
    let placed = reader.projection("embedding-pca").matrix().unwrap();
    assert_eq!(placed, expected);
    assert!(consumer.location().join("models").is_empty().unwrap());
}

#[test]
fn a_model_of_another_project_is_found_by_its_url() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().display().to_string();
    let here = Project::open(&root, "here").unwrap();
    let producer = collected(&here, "producer", &cloud(30, 4, 1));
    let model = here.location().join(&reduce(&producer)).url();
    assert!(model.starts_with("file://"), "{model}");

    let there = Project::open(&root, "there").unwrap();
    let consumer = collected(&there, "consumer", &cloud(12, 4, 2));
    let report = consumer.apply_projection("embedding", &model).unwrap();
    assert_eq!(report.model_url(), Some(model.as_str()));
    assert_eq!(consumer.reader().unwrap().inputs()[0].url, model);
}

#[test]
fn a_model_in_memory_is_kept_with_the_run() {
    let project = Project::open("memory://", "memory").unwrap();
    let pca = Pca::params().fit(cloud(30, 4, 1).view()).unwrap();
    let run = collected(&project, "consumer", &cloud(12, 4, 2));
    let report = run.reduction("embedding").named("theirs").apply(&pca);
    let report = report.unwrap();
    assert_eq!(report.name, "embedding-theirs");
    let reader = run.reader().unwrap();
    let url = report.model_url().unwrap();
    assert!(reader.outputs().iter().any(|output| output.url == url));
    let kept = reader.projection_model(&report.models[0]).unwrap();
    let x = cloud(12, 4, 2);
    assert_eq!(
        kept.transform(x.view()).unwrap(),
        pca.transform(x.view()).unwrap()
    );
}

#[test]
fn a_missing_model_another_width_and_a_way_upwards_are_errors() {
    let project = Project::open("memory://", "errors").unwrap();
    let model = reduce(&collected(&project, "producer", &cloud(30, 4, 1)));
    let run = collected(&project, "consumer", &cloud(12, 5, 2));
    let error = run.apply_projection("embedding", &model).unwrap_err();
    assert!(error.to_string().contains("fitted to width 4"), "{error}");
    let error = run
        .apply_projection("embedding", "runs/none/models/x.bin")
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    let error = run
        .apply_projection("embedding", "../secret.bin")
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    let reader = run.reader().unwrap();
    assert!(reader.projections().is_empty() && reader.inputs().is_empty());
}
