//! Fits linfa's logistic regression to Fisher's irises and keeps what every flower did on the way.
//!
//! `cargo run --release -p emberlens-linfa --example iris`; an argument names another root folder
//! than `emberlens`.
#![allow(clippy::print_stdout)]

use std::error::Error;

use emberlens::collect::collect_metrics;
use emberlens::embedding::FitOn;
use emberlens::metrics::{Labelled, ScoreKind};
use emberlens::reduce::Pca;
use emberlens::run::ranking::{Epochs, RankBy};
use emberlens::run::{Project, Run};
use emberlens::table::{Columns, Table};
use emberlens::{ErrorKind, Result};
use emberlens_linfa::{Batch, Classes, IntoLinfa, Samples, dataset_columns, embedding};
use linfa::Dataset;
use linfa::traits::{Fit, Transformer};
use linfa_logistic::{MultiFittedLogisticRegression, MultiLogisticRegression};
use linfa_ndarray::{Array2, Axis, Ix1, concatenate};
use serde_json::json;

type Flowers = Dataset<f64, usize, Ix1>;
type Model = MultiFittedLogisticRegression<f64, usize>;

const SPECIES: [&str; 3] = ["setosa", "versicolor", "virginica"];
const EPOCHS: i64 = 8;
/// Iterations of the solver that count as one epoch.
const ITERATIONS: u64 = 2;
/// The L2 penalty.
const ALPHA: f64 = 0.01;

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let root = std::env::args().nth(1);
    let project = match &root {
        Some(root) => Project::open(root, "iris")?,
        None => Project::open_default("iris")?,
    };
    let iris = linfa_datasets::iris();
    let classes = Classes::of(&iris).named(SPECIES)?;

    // A reduction of the library as linfa's transformer: centred, uncorrelated features to learn
    // from, and a map of the flowers for the table.
    let pca = Pca::params().dims(4).into_linfa().fit(&iris)?;
    let axes = pca.transform(iris.clone())?;
    let table = open_or_create(&project, &iris, &classes, &axes)?;

    let run = project
        .run("logistic")
        .description("Multinomial logistic regression on Fisher's irises")
        .parameters(&json!({"epochs": EPOCHS, "iterations": ITERATIONS, "alpha": ALPHA}))?
        .start()?;
    // Every fifth flower validates; `example_id` stays the flower's row in the table.
    let (valid, train) = (0..axes.records.nrows()).partition::<Vec<_>, _>(|row| row % 5 == 0);
    let splits = [("train", part(&axes, train)), ("valid", part(&axes, valid))];

    println!("epoch  train loss  valid loss  valid accuracy");
    let mut model = None;
    for epoch in 0..EPOCHS {
        let trained = train_on(&splits[0].1.0, model.as_ref())?;
        let mut means = Vec::new();
        for (split, (flowers, rows)) in &splits {
            let samples = Samples::labelled(flowers, &classes)?;
            let report = collect_metrics(&samples)
                .collate(Batch::of)
                .predictor(|batch: &Batch<f64>| {
                    let p = trained.predict_probabilities(&batch.records);
                    classes.probabilities(batch, trained.classes().iter().zip(p.columns()))
                })
                .collector(classes.collector(ScoreKind::Probabilities))
                .collector(|batch: &Batch<f64>, _: &Labelled| {
                    let logits = batch.records.dot(trained.params()) + trained.intercept();
                    Ok(Columns::new().with("logits", embedding(logits.view())?))
                })
                .table(&table)
                .example_ids(rows.clone())
                .split(*split)
                .epoch(epoch)
                .into_run(&run)?;
            let mean = |name| report.aggregate(&format!("{split}_{name}_avg"));
            means.push((
                mean("loss").unwrap_or(f64::NAN),
                mean("accuracy").unwrap_or(f64::NAN),
            ));
        }
        println!(
            "{epoch:>5}  {:>10.4}  {:>10.4}  {:>14.3}",
            means[0].0, means[1].0, means[1].1
        );
        model = Some(trained);
    }
    run.reduce_embeddings("logits", &Pca::params().dims(2), FitOn::LatestPass("train"))?;
    run.complete()?;
    report(&run, root.as_deref())
}

/// Some more iterations of the solver, from where the last model stands.
fn train_on(
    flowers: &Flowers,
    last: Option<&Model>,
) -> std::result::Result<Model, linfa_logistic::error::Error> {
    let mut parameters = MultiLogisticRegression::default()
        .alpha(ALPHA)
        .max_iterations(ITERATIONS);
    if let Some(last) = last {
        let intercept = last.intercept().view().insert_axis(Axis(0));
        let weights: Array2<f64> = concatenate![Axis(0), last.params().view(), intercept];
        parameters = parameters.initial_params(weights);
    }
    parameters.fit(flowers)
}

/// The flowers of these rows, with the rows.
fn part(flowers: &Flowers, rows: Vec<usize>) -> (Flowers, Vec<i64>) {
    let records = flowers.records.select(Axis(0), &rows);
    let targets = flowers.targets.select(Axis(0), &rows);
    let rows = rows.into_iter().map(|row| row as i64).collect();
    (Dataset::new(records, targets), rows)
}

/// The table of the flowers: what was measured, the species, and their place on the map.
fn open_or_create(
    project: &Project,
    iris: &Flowers,
    classes: &Classes<usize>,
    axes: &Flowers,
) -> Result<Table> {
    let columns = dataset_columns(iris, classes)?
        .with("x", axes.records.column(0).to_vec())
        .with("y", axes.records.column(1).to_vec());
    match project.create_table("iris", columns) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => project.table("iris"),
        created => created,
    }
}

/// The flowers that the model learned last, where everything is, and what to type next.
fn report(run: &Run, root: Option<&str>) -> std::result::Result<(), Box<dyn Error>> {
    let by_mean = RankBy::column("loss").epochs(Epochs::Mean);
    println!("\nhighest mean loss over the epochs:\n  example_id  split  species     mean loss");
    for flower in run.reader()?.rank(&by_mean)?.ranking.samples.iter().take(5) {
        let species = flower
            .label
            .as_ref()
            .and_then(|class| class.name.as_deref());
        println!(
            "  {:>10}  {}  {:<10}  {:>9.3}",
            flower.example_id,
            flower.split,
            species.unwrap_or("-"),
            flower.value
        );
    }
    let root = root
        .map(|root| format!(" --root {}", quoted(root)))
        .unwrap_or_default();
    let (cli, name) = (
        format!("cargo run --release --bin emberlens --{root}"),
        run.name(),
    );
    println!("\nthe run: {}", run.url());
    println!("\nnext:\n  {cli} show {name}");
    println!("  {cli} top {name} --by loss --mean -n 10");
    if let Some(path) = run.location().local_path() {
        let table = path.join("projections").join("logits-pca");
        let table = table.display().to_string().replace('"', "\\\"");
        let code = format!("import polars; print(polars.read_delta(\"{table}\"))");
        println!("  python -c {}", quoted(&code));
    }
    Ok(())
}

/// One word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
