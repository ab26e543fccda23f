//! What a run holds of a linfa classifier is what the classifier says about every sample.
#![allow(clippy::unwrap_used)]

use arrow_array::RecordBatch;
use emberlens::collect::{Loader, collect_metrics};
use emberlens::metrics::{Labelled, ScoreKind};
use emberlens::run::{Project, Run};
use emberlens::table::values;
use emberlens_linfa::{Batch, Classes, Samples, dataset_columns};
use linfa::metrics::ToConfusionMatrix;
use linfa::traits::{Fit, FitWith, Predict};
use linfa::{Dataset, DatasetBase};
use linfa_bayes::{GaussianNb, NaiveBayes};
use linfa_logistic::{LogisticRegression, MultiLogisticRegression};
use linfa_ndarray::{Array1, Axis, Ix1, Slice, array};

type Iris = Dataset<f64, usize, Ix1>;

fn run() -> Run {
    let project = Project::open("memory://", "linfa").unwrap();
    project.run("classifier").start().unwrap()
}

/// One pass with probabilities or logits, in batches that do not divide the samples.
fn pass(
    run: &Run,
    iris: &Iris,
    epoch: i64,
    kind: ScoreKind,
    scores: impl Fn(&Classes<usize>, &Batch<f64>) -> emberlens::Result<Labelled>,
) -> RecordBatch {
    let classes = Classes::new(0..3)
        .named(["setosa", "versicolor", "virginica"])
        .unwrap();
    collect_metrics(&Samples::labelled(iris, &classes).unwrap())
        .collate(Batch::of)
        .predictor(|batch: &Batch<f64>| scores(&classes, batch))
        .collector(classes.collector(kind))
        .without_table()
        .split("train")
        .epoch(epoch)
        .loader(Loader::batch_size(64))
        .into_run(run)
        .unwrap();
    run.reader()
        .unwrap()
        .metrics("default")
        .epoch(epoch)
        .read()
        .unwrap()
}

/// ```python
/// # scikit-learn 1.9.1; iris.csv.gz is that of linfa-datasets 0.8.1
/// a = numpy.genfromtxt("iris.csv.gz", delimiter=",", skip_header=1)
/// X, y = a[:, :4], a[:, 4].astype(int)
/// model = sklearn.naive_bayes.GaussianNB().fit(X, y)
/// loss = -model.predict_log_proba(X)[range(150), y]
/// numpy.flatnonzero(model.predict(X) != y), loss[[106, 119, 77]], loss.mean(), numpy.exp(-loss).mean()
/// ```
#[test]
fn naive_bayes_is_scikit_learns_sample_by_sample() {
    let iris = linfa_datasets::iris();
    let model = GaussianNb::params().fit(&iris).unwrap();
    let rows = pass(&run(), &iris, 0, ScoreKind::Logits, |classes, batch| {
        classes.logits(batch, model.joint_log_likelihood(batch.records.view()))
    });
    let right = values::<f32>(&rows, "accuracy").unwrap();
    let wrong: Vec<usize> = (0..150).filter(|&row| right[row] == 0.0).collect();
    assert_eq!(wrong, [52, 70, 77, 106, 119, 133]);
    let loss = values::<f32>(&rows, "loss").unwrap();
    for (row, expected) in [(106, 3.631152), (119, 3.17331377), (77, 2.58668517)] {
        assert!(
            (f64::from(loss[row]) - expected).abs() < 1e-4,
            "{row}: {}",
            loss[row]
        );
    }
    let mean = |values: &[f32]| values.iter().copied().map(f64::from).sum::<f64>() / 150.0;
    assert!((mean(&loss) - 0.11124882).abs() < 1e-5);
    let truth = values::<f32>(&rows, "true_probability").unwrap();
    assert!((mean(&truth) - 0.94753772).abs() < 1e-5);
}

#[test]
fn the_loss_of_a_logistic_regression_is_its_own_probability() {
    let iris = linfa_datasets::iris();
    let model = MultiLogisticRegression::default().fit(&iris).unwrap();
    let rows = pass(
        &run(),
        &iris,
        0,
        ScoreKind::Probabilities,
        |classes, batch| {
            let p = model.predict_probabilities(&batch.records);
            classes.probabilities(batch, model.classes().iter().zip(p.columns()))
        },
    );
    let p = model.predict_probabilities(&iris.records);
    let predicted = model.predict(&iris);
    let found = values::<f32>(&rows, "loss").unwrap();
    let classes = values::<i32>(&rows, "predicted").unwrap();
    for (row, &label) in iris.targets.iter().enumerate() {
        let expected = -p[(row, label)].ln();
        assert!((f64::from(found[row]) - expected).abs() < 1e-5, "{row}");
        assert_eq!(classes[row] as usize, predicted[row]);
    }
}

#[test]
fn portions_of_the_data_can_stand_for_epochs() {
    let iris = linfa_datasets::iris();
    let run = run();
    let parameters = GaussianNb::params();
    let mut model = None;
    for epoch in 0..5 {
        let rows: Vec<usize> = (epoch as usize..150).step_by(5).collect();
        let portion = Dataset::new(
            iris.records.select(Axis(0), &rows),
            iris.targets.select(Axis(0), &rows),
        );
        let fitted = parameters.fit_with(model, &portion).unwrap();
        pass(&run, &iris, epoch, ScoreKind::Logits, |classes, batch| {
            classes.logits(batch, fitted.joint_log_likelihood(batch.records.view()))
        });
        model = Some(fitted);
    }
    let reader = run.reader().unwrap();
    assert_eq!(reader.passes("default").len(), 5);
    // All portions together are all flowers: scikit-learn's mean loss again.
    let rows = reader.metrics("default").epoch(4).read().unwrap();
    let loss = values::<f32>(&rows, "loss").unwrap();
    let mean = loss.iter().copied().map(f64::from).sum::<f64>() / 150.0;
    assert!((mean - 0.11124882).abs() < 1e-5, "{mean}");
}

#[test]
fn a_class_that_the_model_never_saw_has_probability_zero() {
    let iris = linfa_datasets::iris();
    let two = DatasetBase::new(
        iris.records.slice_axis(Axis(0), Slice::from(50..)),
        iris.targets.slice_axis(Axis(0), Slice::from(50..)),
    );
    let model = LogisticRegression::default()
        .max_iterations(1000)
        .fit(&two)
        .unwrap();
    let rows = pass(
        &run(),
        &iris,
        0,
        ScoreKind::Probabilities,
        |classes, batch| {
            let p: Array1<f64> = model.predict_probabilities(&batch.records);
            let labels = model.labels();
            let columns = [(&labels.neg.class, 1.0 - &p), (&labels.pos.class, p)];
            classes.probabilities(batch, columns)
        },
    );
    let loss = values::<f32>(&rows, "loss").unwrap();
    assert!(loss[..50].iter().all(|loss| *loss == f32::INFINITY));
    assert!(loss[50..].iter().all(|loss| loss.is_finite()));
    // linfa's own predictions, on the classes that it knows.
    let predicted = values::<i32>(&rows, "predicted").unwrap();
    let own = model.predict(&two.records);
    assert!(
        predicted[50..]
            .iter()
            .zip(&own)
            .all(|(&ours, &own)| ours as usize == own)
    );
}

#[test]
fn a_model_without_probabilities_gives_predictions_and_accuracy() {
    let iris = linfa_datasets::iris();
    let model = GaussianNb::params().fit(&iris).unwrap();
    let classes = Classes::of(&iris);
    let project = Project::open("memory://", "linfa").unwrap();
    let table = project
        .create_table("iris", dataset_columns(&iris, &classes).unwrap())
        .unwrap();
    let run = project.run("labels").start().unwrap();
    let report = collect_metrics(&Samples::labelled(&iris, &classes).unwrap())
        .collate(Batch::of)
        .predictor(|batch: &Batch<f64>| Ok(model.predict(&batch.records)))
        .collector(|batch: &Batch<f64>, predicted: &Array1<usize>| {
            classes.prediction_columns(batch, predicted.view())
        })
        .table(&table)
        .split("train")
        .into_run(&run)
        .unwrap();
    let linfas = model
        .predict(&iris)
        .confusion_matrix(&iris)
        .unwrap()
        .accuracy();
    let ours = report.aggregate("train_accuracy_avg").unwrap();
    assert!(
        (ours - f64::from(linfas)).abs() < 1e-6,
        "{ours} and {linfas}"
    );
}

#[test]
fn scores_that_do_not_fit_the_batch_are_refused() {
    let classes = Classes::new(["bad", "good"]);
    let batch = Batch {
        records: array![[7.4_f32], [9.9]],
        targets: vec![0, 1],
    };
    let text = |result: emberlens::Result<Labelled>| result.unwrap_err().to_string();
    let unknown = text(classes.probabilities(&batch, [("fair", array![0.5, 0.5])]));
    assert!(
        unknown.contains("\"fair\"") && unknown.contains("\"good\""),
        "{unknown}"
    );
    let short = text(classes.probabilities(&batch, [("good", array![0.5])]));
    assert!(short.contains("1 rows where 2"), "{short}");
    let column = array![0.5, 0.5];
    let twice = [("good", column.view()), ("good", column.view())];
    assert!(text(classes.probabilities(&batch, twice)).contains("already"));
    let few = classes
        .prediction_columns(&batch, array!["good"].view())
        .unwrap_err();
    assert!(few.to_string().contains("1 rows where 2"), "{few}");
}
