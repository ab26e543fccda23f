//! Rows for which `flush` returned are in the table after the process is killed at any moment; the
//! pass that it did not finish is left out by readers and can be written again.

#![allow(clippy::print_stdout, clippy::unwrap_used)]
#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use emberlens::run::{IfExists, MetricsTableWriter, Project, Status};
use emberlens::table::{Columns, DeltaTable, values};

const ROOT: &str = "EMBERLENS_TEST_CHILD_ROOT";
const BATCH: i64 = 50;

fn batch(first: i64) -> Columns {
    let ids: Vec<i64> = (first..first + BATCH).collect();
    let losses: Vec<f32> = ids.iter().map(|&id| id as f32).collect();
    Columns::new().with("example_id", ids).with("loss", losses)
}

/// The child: this test binary, started again by the test below.
fn write_until_killed(root: &str) -> ! {
    let run = Project::open(root, "p").unwrap().run("r").start().unwrap();
    let mut done = MetricsTableWriter::new(&run).split("train").epoch(0);
    done.add_batch(batch(0)).unwrap();
    done.finalize().unwrap();

    let mut writer = MetricsTableWriter::new(&run).split("train").epoch(1);
    for number in 0_i64.. {
        writer.add_batch(batch(number * BATCH)).unwrap();
        if number % 3 == 2 {
            writer.flush().unwrap();
            println!("\nacknowledged {}", (number + 1) * BATCH);
        }
    }
    std::process::exit(1);
}

/// Reads until the child says for the `count`th time that rows were acknowledged; how many.
fn wait_for(output: &mut impl BufRead, count: usize) -> i64 {
    let answers = output.lines().filter_map(|line| {
        let rows = line.unwrap().strip_prefix("acknowledged ")?.parse().ok()?;
        Some(rows)
    });
    answers.take(count).last().unwrap()
}

#[test]
fn acknowledged_rows_survive_a_kill() {
    if let Ok(root) = std::env::var(ROOT) {
        write_until_killed(&root);
    }
    for answers in [1, 2, 5, 9] {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().display().to_string();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "acknowledged_rows_survive_a_kill", "--nocapture"])
            .env(ROOT, &root)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let acknowledged = wait_for(&mut output, answers);
        // The child goes on writing, so the kill falls somewhere into the next flush.
        child.kill().unwrap();
        child.wait().unwrap();
        drop(output);

        let project = Project::open(&root, "p").unwrap();
        let reader = project.open_run("r").unwrap();
        assert_eq!(reader.status(), &Status::Crashed);
        let complete: Vec<i64> = reader.metrics("default").values("example_id").unwrap();
        assert_eq!(complete, (0..BATCH).collect::<Vec<_>>());
        let incomplete = reader.incomplete_passes();
        assert_eq!(incomplete.len(), 1);
        assert_eq!(incomplete[0].epoch, Some(1));

        let stored = DeltaTable::open(reader.location().join("metrics/default")).unwrap();
        let stored = stored.snapshot().unwrap().read(None).unwrap();
        let epochs = values::<i64>(&stored, "epoch").unwrap();
        let ids = values::<i64>(&stored, "example_id").unwrap();
        let losses = values::<f32>(&stored, "loss").unwrap();
        let of_pass: Vec<usize> = (0..ids.len()).filter(|&row| epochs[row] == 1).collect();
        let rows = of_pass.len() as i64;
        assert!(
            rows >= acknowledged && rows % (3 * BATCH) == 0,
            "{rows} rows are left, {acknowledged} were acknowledged"
        );
        let kept: Vec<i64> = of_pass.iter().map(|&row| ids[row]).collect();
        assert_eq!(kept, (0..rows).collect::<Vec<_>>(), "no gap, no repeat");
        assert!(of_pass.iter().all(|&row| losses[row] == ids[row] as f32));

        let run = project.run("r").if_exists(IfExists::Reuse).start().unwrap();
        let mut again = MetricsTableWriter::new(&run).split("train").epoch(1);
        again.add_batch(batch(7)).unwrap();
        again.finalize().unwrap();
        let reader = run.reader().unwrap();
        assert!(reader.incomplete_passes().is_empty());
        let rows = reader.metrics("default").epoch(1);
        assert_eq!(
            rows.values::<i64>("example_id").unwrap(),
            (7..7 + BATCH).collect::<Vec<_>>()
        );
    }
}
