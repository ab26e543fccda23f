//! Every option of the collection changes what is collected, how, or where, and says so when it
//! cannot.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use emberlens::callback::{
    Callback, Collectors, Join, MetricsCollection, PassRequest, Schedule, SplitPass,
    TrainingContext,
};
use emberlens::collect::{Loader, PassReport, collect_metrics};
use emberlens::run::ranking::RankBy;
use emberlens::run::{Project, Run, Status};
use emberlens::table::{Column, Columns, DeltaTable, Role, Table};
use emberlens::{Error, ErrorKind, Result};
use ndarray::Array2;
use serde_json::json;

const SAMPLES: usize = 10;

fn project() -> Project {
    Project::open("memory://", "p").unwrap()
}

fn table(project: &Project) -> Table {
    let species = (0..SAMPLES as i32).map(|row| row % 2).collect::<Vec<_>>();
    let weights = (0..SAMPLES).map(|row| if row < 3 { 0.0_f32 } else { 1.0 });
    let columns = Columns::new()
        .with("photo", vec![vec![0_u8]; SAMPLES])
        .with(
            "species",
            Column::from(species).role(Role::category(["cat", "dog"])),
        )
        .with(
            "weight",
            Column::from(weights.collect::<Vec<_>>()).role(Role::Weight),
        );
    project.create_table("pets", columns).unwrap()
}

/// A collection of one split, and the sizes of the batches that the model got.
fn collection(
    collection: MetricsCollection<f32>,
    join: impl Into<Join>,
) -> (MetricsCollection<f32>, Arc<Mutex<Vec<usize>>>) {
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let seen = sizes.clone();
    let items: Vec<f32> = (0..SAMPLES).map(|row| row as f32).collect();
    let collection = collection.split(
        "train",
        items,
        join,
        |items: Vec<f32>| Ok(items),
        move |weight: &f32, batch: &Vec<f32>| {
            seen.lock().unwrap().push(batch.len());
            Ok(batch.iter().map(|x| x * weight).collect::<Vec<_>>())
        },
        Collectors::new()
            .prediction(|_: &Vec<f32>, output: &Vec<f32>| {
                Ok(Columns::new().with("output", output.clone()))
            })
            .embedding(|batch: &Vec<f32>, _: &Vec<f32>| {
                let row = |&x: &f32| [x, x * x, 1.0 / (1.0 + x), x.sin()];
                let rows = batch.iter().flat_map(row).collect();
                let rows = Array2::from_shape_vec((batch.len(), 4), rows).unwrap();
                Ok(Columns::new().with("hidden", Column::embedding(rows.view())))
            }),
    );
    (collection, sizes)
}

/// A training of one epoch.
fn train(collection: &mut MetricsCollection<f32>) -> Result<()> {
    let context = TrainingContext {
        model: Some(&2.0),
        ..TrainingContext::new(0, 1)
    };
    collection.on_training_start(&context)?;
    collection.on_train_loader_end(&context)?;
    collection.on_validation_loader_end(&context)?;
    collection.on_epoch_end(&context)?;
    collection.on_training_end(&context)
}

/// One epoch into a new run; the run and the batch sizes.
fn trained(
    options: impl FnOnce(MetricsCollection<f32>) -> MetricsCollection<f32>,
) -> (Run, Vec<usize>) {
    let project = project();
    let run = project.run("r").start().unwrap();
    let table = table(&project);
    let (collection, sizes) = collection(MetricsCollection::new().run(&run), &table);
    train(&mut options(collection)).unwrap();
    assert_eq!(run.status(), Status::Completed);
    let sizes = sizes.lock().unwrap().clone();
    (run, sizes)
}

fn columns(run: &Run) -> BTreeSet<String> {
    let batch = run.reader().unwrap().metrics("default").read().unwrap();
    let fields = batch.schema_ref().fields();
    fields.iter().map(|field| field.name().clone()).collect()
}

fn projected(run: &Run) -> Vec<String> {
    let folder = run.location().join("projections");
    folder.list_folders().unwrap()
}

#[test]
fn predictions_and_embeddings_are_switched_apart() {
    let (both, _) = trained(|collection| collection);
    assert!(columns(&both).contains("output") && columns(&both).contains("hidden"));
    assert_eq!(projected(&both), ["hidden-pacmap"]);
    let (run, _) = trained(|collection| collection.predictions(false));
    assert!(!columns(&run).contains("output") && columns(&run).contains("hidden"));
    let (run, _) = trained(|collection| collection.embeddings(false));
    assert!(columns(&run).contains("output") && !columns(&run).contains("hidden"));
    assert!(projected(&run).is_empty());

    let project = project();
    let run = project.run("r").start().unwrap();
    let (collection, _) = collection(MetricsCollection::new().run(&run), Join::none());
    let error = train(&mut collection.predictions(false).embeddings(false)).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("predictions are off and embeddings are off"),
        "{text}"
    );
}

#[test]
fn embeddings_get_as_many_dimensions_as_asked_for() {
    for (dims, axes) in [(2, &["x", "y"][..]), (3, &["x", "y", "z"][..])] {
        let (run, _) = trained(|collection| collection.embeddings_dims(dims));
        let table = run.location().join("projections/hidden-pacmap");
        let snapshot = DeltaTable::open(table).unwrap().snapshot().unwrap();
        assert_eq!(snapshot.row_count().unwrap(), SAMPLES as u64);
        for axis in ["x", "y", "z"] {
            let has = snapshot.schema().column_with_name(axis).is_some();
            assert_eq!(has, axes.contains(&axis), "{axis} of {dims}");
        }
    }
}

#[test]
fn the_model_gets_no_more_samples_at_once_than_the_chunk_and_the_batch_allow() {
    let (_, sizes) = trained(|collection| collection);
    assert_eq!(sizes, [10]);
    let (_, sizes) = trained(|collection| collection.batch_size(4));
    assert_eq!(sizes, [4, 4, 2]);
    let (_, sizes) = trained(|collection| collection.batch_size(4).inference_chunk_size(3));
    assert_eq!(sizes, [3, 3, 3, 1]);
    let (_, sizes) = trained(|collection| collection.inference_chunk_size(6).batch_size(4));
    assert_eq!(sizes, [4, 4, 2], "the smaller of the two counts");
    let loader = Loader::batch_size(5).workers(2).prefetch(1);
    let (run, sizes) = trained(|collection| collection.loader(loader));
    assert_eq!(sizes, [5, 5]);
    let ids: Vec<i64> = run
        .reader()
        .unwrap()
        .metrics("default")
        .values("example_id")
        .unwrap();
    assert_eq!(ids, (0..SAMPLES as i64).collect::<Vec<_>>());
}

#[test]
fn loader_arguments_that_cannot_work_are_refused_before_the_training() {
    let wrong: [fn(MetricsCollection<f32>) -> MetricsCollection<f32>; 4] = [
        |collection| collection.loader(Loader::batch_size(4).shuffle(true)),
        |collection| collection.loader(Loader::batch_size(4).workers(2).prefetch(0)),
        |collection| collection.inference_chunk_size(0),
        |collection| collection.schedule(Schedule::every(0)),
    ];
    let said = ["shuffle", "prefetch", "inference_chunk_size", "interval"];
    for (options, part) in wrong.into_iter().zip(said) {
        let run = project().run("r").start().unwrap();
        let (collection, sizes) = collection(MetricsCollection::new().run(&run), Join::none());
        let error = options(collection)
            .on_training_start(&TrainingContext::new(0, 1))
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(part), "{error}");
        assert!(sizes.lock().unwrap().is_empty());
    }
}

#[test]
fn samples_of_weight_zero_aggregates_and_streams_follow_their_options() {
    let (run, _) = trained(|collection| {
        collection
            .exclude_zero_weights(true)
            .aggregates(false)
            .stream("weighted")
    });
    let reader = run.reader().unwrap();
    assert_eq!(reader.streams(), ["weighted"]);
    let ids: Vec<i64> = reader.metrics("weighted").values("example_id").unwrap();
    assert_eq!(ids, (3..SAMPLES as i64).collect::<Vec<_>>());
    assert!(reader.scalars().unwrap().is_empty());

    let (run, _) = trained(|collection| collection);
    let scalars = run.reader().unwrap().scalars().unwrap();
    let mean = scalars
        .iter()
        .find(|scalar| scalar.name == "train_output_avg")
        .unwrap();
    assert_eq!((mean.value, mean.epoch), (9.0, Some(0)));
}

#[test]
fn a_named_label_column_is_recorded_and_shown_in_rankings() {
    let (run, _) = trained(|collection| collection.image_column("photo").label_column("species"));
    let reader = run.reader().unwrap();
    assert_eq!(reader.parameters()["collection.image_column"], "photo");
    assert_eq!(reader.parameters()["collection.label_column"], "species");
    let ranked = reader.rank(&RankBy::column("output")).unwrap();
    let first = &ranked.ranking.samples[0];
    assert_eq!(first.example_id, 9);
    let label = first.label.clone().unwrap();
    assert_eq!(label.name.as_deref(), Some("dog"));

    let (run, _) = trained(|collection| collection);
    let ranked = run
        .reader()
        .unwrap()
        .rank(&RankBy::column("output"))
        .unwrap();
    assert_eq!(ranked.ranking.samples[0].label, None, "nothing says which");
}

#[test]
fn a_named_column_that_a_table_lacks_is_an_error_with_those_it_has() {
    let project = project();
    let run = project.run("r").start().unwrap();
    let table = table(&project);
    let (collection, _) = collection(MetricsCollection::new().run(&run), &table);
    let error = train(&mut collection.image_column("image").label_column("label")).unwrap_err();
    let text = error.to_string();
    for part in [
        "`image`",
        "`label`",
        "table `pets`",
        "photo, species, weight",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// A split that runs its own pass and writes down what it was asked for.
struct Own(Arc<Mutex<Vec<String>>>);

impl SplitPass<f32> for Own {
    fn split(&self) -> &str {
        "valid"
    }

    fn table(&self) -> Option<&Table> {
        None
    }

    fn collectors(&self, predictions: bool, embeddings: bool) -> usize {
        usize::from(predictions) + usize::from(embeddings)
    }

    fn collect(&self, model: &f32, request: &PassRequest<'_>) -> Result<PassReport> {
        self.0.lock().unwrap().push(format!(
            "{model} {:?} {} {:?} {:?} {}",
            request.epoch,
            request.task_parameters,
            request.image_column,
            request.label_column,
            request.loader.samples_per_batch(),
        ));
        collect_metrics(&[*model])
            .collector(|batch: &Vec<f32>, _: &()| Ok(Columns::new().with("x", batch.clone())))
            .without_table()
            .split(self.split())
            .epoch(request.epoch)
            .into_run(request.run)
    }
}

#[derive(serde::Serialize)]
struct Task {
    threshold: f32,
    limit: f64,
    names: [&'static str; 2],
}

#[test]
fn a_split_of_its_own_gets_every_option() {
    let run = project().run("r").start().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let mut collection = MetricsCollection::<f32>::new()
        .run(&run)
        .split_pass(Own(asked.clone()))
        .image_column("photo")
        .label_column("species")
        .batch_size(8)
        .task_parameters(&Task {
            threshold: 0.1,
            limit: f64::INFINITY,
            names: ["a", "b"],
        })
        .unwrap();
    train(&mut collection).unwrap();
    assert_eq!(
        *asked.lock().unwrap(),
        [concat!(
            r#"2 Some(0) {"limit":"Infinity","names":["a","b"],"threshold":0.1} "#,
            r#"Some("photo") Some("species") 8"#
        )]
    );
    let reader = run.reader().unwrap();
    assert_eq!(reader.parameters()["task.threshold"], 0.1);
    assert_eq!(reader.parameters()["task.limit"], "Infinity");
    assert_eq!(reader.parameters()["task.names"], json!(["a", "b"]));
}

#[test]
fn task_parameters_that_json_cannot_hold_are_refused() {
    let keyed_by_pairs = std::collections::BTreeMap::from([((0, 1), 2)]);
    let error = MetricsCollection::<f32>::new()
        .task_parameters(&keyed_by_pairs)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("JSON can hold"), "{error}");
}

#[test]
fn names_start_a_run_and_must_not_contradict_one_in_use() {
    let project = project();
    let (made, _) = collection(MetricsCollection::new(), Join::none());
    let mut made = made
        .project(&project)
        .run_name("cnn")
        .description("small kernels");
    train(&mut made).unwrap();
    let run = made.run_in_use().unwrap();
    assert_eq!(run.name(), "cnn");
    assert_eq!(run.description().as_deref(), Some("small kernels"));
    assert_eq!(run.status(), Status::Completed);

    let described = project.run("r").description("a").start().unwrap();
    let (same, _) = collection(MetricsCollection::new().run(&described), Join::none());
    train(&mut same.run_name("r").description("a").project(&project)).unwrap();
    let (other, _) = collection(MetricsCollection::new().run(&described), Join::none());
    let error = train(&mut other.run_name("s").description("b")).unwrap_err();
    assert!(
        matches!(&error, Error::Several { problems } if problems.len() == 2),
        "{error}"
    );
    let text = error.to_string();
    for part in ["run name = `s`", "`r`", "description = `b`", "`a`"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(described.description().as_deref(), Some("a"));

    let plain = project.run("plain").start().unwrap();
    let (adopting, _) = collection(MetricsCollection::new().run(&plain), Join::none());
    train(&mut adopting.description("said later")).unwrap();
    assert_eq!(plain.description().as_deref(), Some("said later"));
}
