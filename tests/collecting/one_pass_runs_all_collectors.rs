//! One pass asks the dataset and the model once per sample, however many collectors run, and writes
//! everything that they return.

#![allow(clippy::unwrap_used, clippy::panic, clippy::ptr_arg)]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use emberlens::collect::{
    Constant, FnDataset, Loader, Predictor, Preprocess, Progress, collect_metrics,
};
use emberlens::run::{Project, Run, Status, active};
use emberlens::table::{Column, Columns, Role, Table, role};
use emberlens::{Error, Result};

const SAMPLES: usize = 23;

fn project() -> Project {
    Project::open("memory://", "p").unwrap()
}

fn table(project: &Project, weights: Vec<f32>) -> Table {
    let columns = Columns::new()
        .with("x", (0..weights.len() as i64).collect::<Vec<_>>())
        .with("weight", Column::from(weights).role(Role::Weight));
    project.create_table("data", columns).unwrap()
}

fn squares(batch: &Vec<f32>) -> Result<Vec<f32>> {
    Ok(batch.iter().map(|x| x * x).collect())
}

fn items() -> Vec<f32> {
    (0..SAMPLES).map(|index| index as f32).collect()
}

#[test]
fn three_collectors_share_one_pass_on_any_number_of_workers() {
    for workers in [0, 1, 3] {
        let project = project();
        let run = project.run("r").start().unwrap();
        let table = table(&project, vec![1.0; SAMPLES]);
        let (reads, predictions) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let dataset = FnDataset::new(SAMPLES, |index| {
            reads.fetch_add(1, Ordering::Relaxed);
            Ok(index as f32)
        });
        let report = collect_metrics(&dataset)
            .predictor(|batch: &Vec<f32>| {
                predictions.fetch_add(batch.len(), Ordering::Relaxed);
                squares(batch)
            })
            .collector(|_: &Vec<f32>, output: &Vec<f32>| {
                Ok(Columns::new().with("square", output.clone()))
            })
            .collector(|batch: &Vec<f32>, output: &Vec<f32>| {
                let sums = batch.iter().zip(output).map(|(x, y)| x + y);
                Ok(Columns::new().with("sum", sums.collect::<Vec<_>>()))
            })
            .collector(|batch: &Vec<f32>, _: &Vec<f32>| {
                let odd = batch.iter().map(|x| x % 2.0 == 1.0).collect::<Vec<_>>();
                let names = Column::from(vec![1_i32; batch.len()]).role(Role::category(["a", "b"]));
                Ok(Columns::new().with("odd", odd).with("class", names))
            })
            .table(&table)
            .split("train")
            .epoch(3)
            .constant("learning_rate", 0.5_f64)
            .constant(
                "site",
                Constant::from(1_i32).role(Role::category(["n", "s"])),
            )
            .loader(Loader::batch_size(4).workers(workers))
            .into_run(&run)
            .unwrap();

        assert_eq!(reads.into_inner(), SAMPLES);
        assert_eq!(predictions.into_inner(), SAMPLES);
        assert_eq!((report.rows, report.zero_weights), (SAMPLES as u64, 0));
        assert!(report.rows_per_second > 0.0 && report.size_bytes > 0);
        assert_eq!(run.status(), Status::Running, "the status before the pass");

        let reader = run.reader().unwrap();
        let metrics = reader.metrics("default");
        let ids: Vec<i64> = (0..SAMPLES as i64).collect();
        assert_eq!(metrics.values::<i64>("example_id").unwrap(), ids);
        let squares: Vec<f32> = items().iter().map(|x| x * x).collect();
        assert_eq!(metrics.values::<f32>("square").unwrap(), squares);
        let sums: Vec<f32> = items().iter().map(|x| x + x * x).collect();
        assert_eq!(metrics.values::<f32>("sum").unwrap(), sums);
        assert_eq!(
            metrics.values::<f64>("learning_rate").unwrap(),
            [0.5; SAMPLES]
        );
        assert_eq!(metrics.values::<i64>("epoch").unwrap(), [3; SAMPLES]);
        let batch = metrics.read().unwrap();
        let site = batch.schema_ref().field_with_name("site").unwrap().clone();
        assert_eq!(role(&site), Some(Role::category(["n", "s"])));

        let passes = reader.passes("default");
        assert_eq!(passes.len(), 1);
        assert_eq!(passes[0].pass_id, report.pass_id);
        assert_eq!(passes[0].table.as_ref().unwrap().name, "data");
        assert_eq!(reader.inputs()[0].name, "data");
    }
}

#[test]
fn aggregates_become_scalars_of_the_split_and_epoch() {
    let run = project().run("r").start().unwrap();
    let report = collect_metrics(&items())
        .predictor(squares)
        .collector(|_: &Vec<f32>, output: &Vec<f32>| {
            Ok(Columns::new().with("square", output.clone()))
        })
        .collector(Quiet)
        .without_table()
        .split("valid")
        .epoch(7)
        .loader(Loader::batch_size(5))
        .into_run(&run)
        .unwrap();
    // Sum of k^2 for k < n is (n-1)n(2n-1)/6; of k^4 it is (n-1)n(2n-1)(3n^2-3n-1)/30.
    let n = SAMPLES as f64;
    let mean = (n - 1.0) * (2.0 * n - 1.0) / 6.0;
    let fourth = (n - 1.0) * (2.0 * n - 1.0) * (3.0 * n * n - 3.0 * n - 1.0) / 30.0;
    let expected = [
        ("valid_square_avg", mean),
        ("valid_square_min", 0.0),
        ("valid_square_max", 484.0),
        ("valid_square_std", (fourth - mean * mean).sqrt()),
        ("valid_square_nan_count", 0.0),
        ("valid_square_inf_count", 0.0),
    ];
    let scalars = run.reader().unwrap().scalars().unwrap();
    assert_eq!(scalars.len(), expected.len(), "{scalars:?}");
    for (name, value) in expected {
        let scalar = scalars.iter().find(|scalar| scalar.name == name).unwrap();
        assert!(
            (scalar.value - value).abs() < 1e-9 * value.max(1.0),
            "{name}: {}",
            scalar.value
        );
        assert_eq!((scalar.split.as_str(), scalar.epoch), ("valid", Some(7)));
        assert_eq!(report.aggregate(name), Some(scalar.value));
    }
}

#[test]
fn passes_into_two_streams_have_aggregates_of_their_own() {
    let run = project().run("r").start().unwrap();
    for (stream, scale) in [("default", 1.0), ("teacher", 2.0)] {
        collect_metrics(&items())
            .collector(move |batch: &Vec<f32>, _: &()| {
                let scaled: Vec<f32> = batch.iter().map(|value| scale * value).collect();
                Ok(Columns::new().with("loss", scaled))
            })
            .without_table()
            .split("valid")
            .stream(stream)
            .epoch(0)
            .into_run(&run)
            .unwrap();
    }
    let scalars = run.reader().unwrap().scalars().unwrap();
    let maximum = |name: &str| {
        let all: Vec<f64> = scalars
            .iter()
            .filter(|scalar| scalar.name == name)
            .map(|scalar| scalar.value)
            .collect();
        assert_eq!(all.len(), 1, "{name}: {all:?}");
        all[0]
    };
    let last = (SAMPLES - 1) as f64;
    assert_eq!(maximum("valid_loss_max"), last);
    assert_eq!(maximum("valid_teacher_loss_max"), 2.0 * last);
}

/// A collector whose columns are not to be aggregated.
struct Quiet;

impl emberlens::metrics::MetricsCollector<Vec<f32>, Vec<f32>> for Quiet {
    fn collect(&self, batch: &Vec<f32>, _: &Vec<f32>) -> Result<Columns> {
        Ok(Columns::new().with("quiet", batch.clone()))
    }
    fn compute_aggregates(&self) -> bool {
        false
    }
}

#[test]
fn aggregates_can_be_left_out() {
    let run = project().run("r").start().unwrap();
    let report = collect_metrics(&items())
        .collector(|batch: &Vec<f32>, _: &()| Ok(Columns::new().with("x", batch.clone())))
        .without_table()
        .aggregates(false)
        .into_run(&run)
        .unwrap();
    assert!(report.aggregates.is_empty());
    assert!(run.reader().unwrap().scalars().unwrap().is_empty());
}

#[test]
fn samples_of_weight_zero_are_left_out_and_the_others_keep_their_rows() {
    let project = project();
    let run = project.run("r").start().unwrap();
    let weights = (0..SAMPLES).map(|index| if index % 3 == 1 { 0.0 } else { 0.5 });
    let table = table(&project, weights.collect());
    let report = collect_metrics(&items())
        .collector(|batch: &Vec<f32>, _: &()| Ok(Columns::new().with("x", batch.clone())))
        .table(&table)
        .exclude_zero_weights(true)
        .loader(Loader::batch_size(4).workers(2))
        .into_run(&run)
        .unwrap();
    let kept: Vec<i64> = (0..SAMPLES as i64).filter(|index| index % 3 != 1).collect();
    assert_eq!(report.rows, kept.len() as u64);
    assert_eq!(report.zero_weights, (SAMPLES - kept.len()) as u64);
    let reader = run.reader().unwrap();
    assert_eq!(
        reader
            .metrics("default")
            .values::<i64>("example_id")
            .unwrap(),
        kept
    );
    let x: Vec<f32> = kept.iter().map(|&id| id as f32).collect();
    assert_eq!(reader.metrics("default").values::<f32>("x").unwrap(), x);
}

#[test]
fn a_part_of_a_table_joins_by_explicit_ids() {
    let project = project();
    let run = project.run("r").start().unwrap();
    let mut weights = vec![1.0; 10];
    weights[7] = 0.0;
    let table = table(&project, weights);
    collect_metrics(&[70.0_f32, 20.0, 90.0])
        .collector(|batch: &Vec<f32>, _: &()| Ok(Columns::new().with("x", batch.clone())))
        .table(&table)
        .example_ids([7, 2, 9])
        .exclude_zero_weights(true)
        .into_run(&run)
        .unwrap();
    let reader = run.reader().unwrap();
    assert_eq!(
        reader
            .metrics("default")
            .values::<i64>("example_id")
            .unwrap(),
        [2, 9]
    );
    assert_eq!(
        reader.metrics("default").values::<f32>("x").unwrap(),
        [20.0, 90.0]
    );
}

#[test]
fn transform_and_collate_and_preprocess_run_in_that_order() {
    let run = project().run("r").start().unwrap();
    let halves = |batch: &BTreeMap<usize, f32>| Ok(batch.values().map(|x| x / 2.0).collect());
    collect_metrics(&items())
        .transform(|x: f32| Ok(x + 1.0))
        .collate(|items: Vec<f32>| Ok(items.into_iter().enumerate().collect::<BTreeMap<_, _>>()))
        .predictor(Preprocess::new(halves, squares))
        .collector(|batch: &BTreeMap<usize, f32>, output: &Vec<f32>| {
            let seen: Vec<f32> = batch.values().copied().collect();
            Ok(Columns::new()
                .with("seen", seen)
                .with("output", output.clone()))
        })
        .without_table()
        .into_run(&run)
        .unwrap();
    let reader = run.reader().unwrap();
    let seen: Vec<f32> = items().iter().map(|x| x + 1.0).collect();
    assert_eq!(
        reader.metrics("default").values::<f32>("seen").unwrap(),
        seen
    );
    let output: Vec<f32> = seen.iter().map(|x| x * x / 4.0).collect();
    assert_eq!(
        reader.metrics("default").values::<f32>("output").unwrap(),
        output
    );
}

/// A model with a mode, and a diary of how it was used.
struct Modal<'a> {
    diary: &'a Mutex<Vec<&'static str>>,
    fail: &'static str,
}

impl Modal<'_> {
    fn note(&self, what: &'static str) -> Result<()> {
        self.diary.lock().unwrap().push(what);
        assert!(self.fail != format!("panic in {what}"), "out of memory");
        if self.fail == what {
            Err(Error::user("out of memory"))
        } else {
            Ok(())
        }
    }
}

impl Predictor<Vec<f32>> for Modal<'_> {
    type Output = ();
    fn predict(&mut self, _: &Vec<f32>) -> Result<()> {
        self.note("predict")
    }
    fn enter_evaluation(&mut self) -> Result<()> {
        self.note("enter")
    }
    fn leave_evaluation(&mut self) -> Result<()> {
        self.note("leave")
    }
}

#[test]
fn evaluation_mode_is_left_whatever_happens() {
    for (fail, diary_expected) in [
        ("nothing", vec!["enter", "predict", "predict", "leave"]),
        ("predict", vec!["enter", "predict", "leave"]),
        ("panic in predict", vec!["enter", "predict", "leave"]),
        ("collector", vec!["enter", "predict", "leave"]),
        ("panic in collector", vec!["enter", "predict", "leave"]),
        ("dataset", vec!["enter", "leave"]),
        ("panic in dataset", vec!["enter", "leave"]),
        ("enter", vec!["enter", "leave"]),
        ("panic in enter", vec!["enter", "leave"]),
    ] {
        let run = project().run("r").start().unwrap();
        let diary = Mutex::new(Vec::new());
        let trip = |place: &str| {
            assert!(fail != format!("panic in {place}"), "out of memory");
            if fail == place {
                Err(Error::user("out of memory"))
            } else {
                Ok(())
            }
        };
        let dataset = FnDataset::new(6, |index| trip("dataset").map(|()| index as f32));
        let outcome = collect_metrics(&dataset)
            .predictor(Modal {
                diary: &diary,
                fail,
            })
            .collector(|batch: &Vec<f32>, _: &()| {
                trip("collector").map(|()| Columns::new().with("x", batch.clone()))
            })
            .without_table()
            .loader(Loader::batch_size(3))
            .into_run(&run);
        assert_eq!(outcome.is_ok(), fail == "nothing", "{fail}");
        assert_eq!(*diary.lock().unwrap(), diary_expected, "{fail}");
        assert_eq!(run.status(), Status::Running, "{fail}");
        if let Err(error) = outcome {
            assert!(error.chain().contains("out of memory"), "{}", error.chain());
        }
    }
}

#[test]
fn the_run_is_the_explicit_one_else_the_active_one_else_a_new_one() {
    fn pass(run: Option<&Run>, project: &Project) -> Result<emberlens::collect::PassReport> {
        let items = items();
        let pass = collect_metrics(&items)
            .collector(|batch: &Vec<f32>, _: &()| Ok(Columns::new().with("x", batch.clone())))
            .without_table()
            .project(project);
        match run {
            Some(run) => pass.into_run(run),
            None => pass.collect(),
        }
    }
    let project = project();
    let text = pass(None, &project).unwrap_err().to_string();
    assert!(
        text.contains("run name") && text.contains("active"),
        "{text}"
    );

    let active_run = project.run("active").start().unwrap();
    let guard = active::set(&active_run).unwrap();
    assert_eq!(pass(None, &project).unwrap().run_id, active_run.id());
    let explicit = project.run("explicit").start().unwrap();
    assert_eq!(
        pass(Some(&explicit), &project).unwrap().run_id,
        explicit.id()
    );
    let elsewhere = Project::open("memory://", "elsewhere").unwrap();
    let text = pass(None, &elsewhere).unwrap_err().to_string();
    assert!(
        text.contains("`elsewhere`") && text.contains("`p`"),
        "{text}"
    );
    drop(guard);

    let report = collect_metrics(&items())
        .collector(|batch: &Vec<f32>, _: &()| Ok(Columns::new().with("x", batch.clone())))
        .without_table()
        .project(&project)
        .run_name("fresh")
        .description("made for one pass")
        .collect()
        .unwrap();
    let reader = project.open_run("fresh").unwrap();
    assert_eq!(reader.id(), report.run_id);
    assert_eq!(reader.status(), &Status::Completed);
    assert_eq!(reader.description(), Some("made for one pass"));
}

#[derive(Default)]
struct Steps(Mutex<Vec<String>>);

impl Progress for Steps {
    fn start(&self, label: &str, total: u64) {
        self.0.lock().unwrap().push(format!("{label}: {total}"));
    }
    fn update(&self, done: u64) {
        self.0.lock().unwrap().push(done.to_string());
    }
    fn end(&self) {
        self.0.lock().unwrap().push("end".into());
    }
}

#[test]
fn progress_counts_samples() {
    let run = project().run("r").start().unwrap();
    let steps = Arc::new(Steps::default());
    collect_metrics(&items())
        .collector(|batch: &Vec<f32>, _: &()| Ok(Columns::new().with("x", batch.clone())))
        .without_table()
        .split("train")
        .epoch(2)
        .loader(Loader::batch_size(10))
        .progress(steps.as_ref())
        .into_run(&run)
        .unwrap();
    assert_eq!(
        *steps.0.lock().unwrap(),
        ["train, epoch 2: 23", "10", "20", "23", "end"]
    );
}
