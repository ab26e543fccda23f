//! A root with two small projects, and a way to run the binary on it.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

use emberlens::run::{At, IfExists, MetricsTableWriter, Project, Run};
use emberlens::table::{Column, Columns, Role, Table};
use ndarray::arr2;

/// Losses of the samples 0..4 of `train`, by epoch; the NaN is sample 2's.
pub const TRAIN_LOSSES: [[f32; 4]; 2] = [[0.5, 2.0, f32::NAN, 0.25], [0.75, 1.0, 0.125, 0.25]];

/// Losses of the samples 0..2 of `valid`, by epoch.
pub const VALID_LOSSES: [[f32; 2]; 2] = [[3.0, 0.5], [0.5, 0.5]];

pub struct Example {
    folder: tempfile::TempDir,
    /// The id of the run `cnn` of the project `digits`.
    pub cnn: String,
}

impl Example {
    /// `digits/cnn`: two epochs, two splits, one incomplete pass; `other/mlp`: nothing collected.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().display().to_string();
        let digits = Project::open(&root, "digits").unwrap();
        let labels = Column::from(vec![0_i32, 1, 1, 0]).role(Role::category(["cat", "dog"]));
        let table = Columns::new().with("label", labels);
        let table = digits.create_table("ink", table).unwrap();
        let run = digits
            .run("cnn")
            .description("two convolutions")
            .tag("baseline");
        let parameters = serde_json::json!({ "optimiser": { "learning_rate": 0.1 } });
        let run = run
            .parameters(&parameters)
            .unwrap()
            .input(&table)
            .start()
            .unwrap();
        for epoch in 0..2 {
            collect(&run, &table, "train", epoch, &TRAIN_LOSSES[epoch]);
            collect(&run, &table, "valid", epoch, &VALID_LOSSES[epoch]);
            let at = At::epoch(epoch as i64);
            let mean = 0.75 - 0.25 * epoch as f64;
            run.log_split(
                "train",
                &[("train_loss_avg", mean), ("train_loss_max", 9.0)],
                at,
            )
            .unwrap();
            run.log_split("train", &[("train_loss_nan_count", 1.0)], at)
                .unwrap();
        }
        run.log(&[("gradient norm", f64::INFINITY)], At::step(7))
            .unwrap();
        run.add_output("model", "models/cnn.bin").unwrap();
        run.begin_pass("default", "valid", Some(2)).unwrap();
        run.complete().unwrap();
        let other = Project::open(&root, "other").unwrap();
        other
            .run("mlp")
            .start()
            .unwrap()
            .fail("the loss is NaN")
            .unwrap();
        Self {
            cnn: run.id().to_owned(),
            folder,
        }
    }

    /// Goes on with `digits/cnn`: one more pass over `train`.
    pub fn collect_train_again(&self, epoch: usize, losses: &[f32]) {
        let digits = Project::open(&self.root().display().to_string(), "digits").unwrap();
        let run = digits
            .run("cnn")
            .if_exists(IfExists::Reuse)
            .start()
            .unwrap();
        collect(&run, &digits.table("ink").unwrap(), "train", epoch, losses);
        run.complete().unwrap();
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Runs the binary with this root as its default one.
    pub fn emberlens<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub fn command<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_emberlens"));
        command
            .args(arguments)
            .env("EMBERLENS_ROOT", self.root())
            .env_remove("COLUMNS");
        command
    }

    /// Standard output of a call that must go well.
    pub fn text(&self, arguments: &[&str]) -> String {
        let output = self.emberlens(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            stderr(&output)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same with `--json`, parsed.
    pub fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let text = self.text(&[arguments, &["--json"]].concat());
        serde_json::from_str(&text).unwrap()
    }
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn collect(run: &Run, table: &Table, split: &str, epoch: usize, losses: &[f32]) {
    let ids: Vec<i64> = (0..losses.len() as i64).collect();
    let classes: Vec<i32> = ids.iter().map(|id| (*id % 2) as i32).collect();
    let embedding = arr2(&[[0.5_f32, f32::NAN], [1.0, -2.0]]);
    let rows: Vec<usize> = (0..losses.len()).map(|row| row % 2).collect();
    let embedding = embedding.select(ndarray::Axis(0), &rows);
    let columns = Columns::new()
        .with("example_id", ids)
        .with("loss", losses.to_vec())
        .with(
            "predicted",
            Column::from(classes).role(Role::category(["cat", "dog"])),
        )
        .with("embedding", Column::embedding(embedding.view()));
    let writer = MetricsTableWriter::new(run)
        .split(split)
        .epoch(epoch as i64);
    let mut writer = writer.foreign_table(table);
    writer.add_batch(columns).unwrap();
    writer.finalize().unwrap();
}
