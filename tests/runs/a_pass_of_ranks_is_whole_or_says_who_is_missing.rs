//! Eight processes write one run as the ranks of a training: their rows of one split and epoch are one
//! pass, which readers see when all of them have completed it. A rank that is killed is named until it
//! has done its part again, and nothing of what it wrote before counts twice.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use emberlens::collect::Silent;
use emberlens::run::{At, MetricsTableWriter, Project, Rank, Run, RunReader, Status};
use emberlens::table::{Columns, DeltaTable};
use emberlens_testkit::test_name;

const ROOT: &str = "EMBERLENS_TEST_CHILD_ROOT";
const WORLD: u32 = 8;
/// Rows of each rank in every pass.
const ROWS: i64 = 10;

/// One rank, which does what it is told line by line.
struct Process {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Process {
    fn start(root: &str, rank: u32) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                &test_name(module_path!(), "ranks_write_one_run"),
                "--nocapture",
            ])
            .env(ROOT, root)
            .env("RANK", rank.to_string())
            .env("WORLD_SIZE", WORLD.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            orders: child.stdin.take().unwrap(),
            answers: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    fn order(&mut self, what: &str) {
        writeln!(self.orders, "{what}").unwrap();
    }

    fn wait(&mut self) {
        let mut line = String::new();
        while line.trim() != "done" {
            line.clear();
            let read = self.answers.read_line(&mut line).unwrap();
            assert!(read > 0, "the process ended early");
        }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn end(mut self) {
        self.order("end");
        assert!(self.child.wait().unwrap().success());
    }
}

/// What a process does: passes, whole and half ones, as it is told.
fn rank_process(root: &str) {
    let rank = Rank::from_env().unwrap().unwrap();
    let project = Project::open(root, "p").unwrap();
    let run = project
        .run("ddp")
        .rank(rank.index, rank.world)
        .start()
        .unwrap();
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        match line.split_once(' ') {
            Some(("pass", epoch)) => pass(&run, rank, epoch.parse().unwrap(), true),
            Some((_, epoch)) => pass(&run, rank, epoch.parse().unwrap(), false),
            None => break,
        }
        println!("\ndone");
    }
    run.complete().unwrap();
}

fn pass(run: &Run, rank: Rank, epoch: i64, is_whole: bool) {
    let mut writer = MetricsTableWriter::new(run).split("valid").epoch(epoch);
    let ids = (0..ROWS).map(|row| row * i64::from(rank.world) + i64::from(rank.index));
    let columns = Columns::new().with("example_id", ids.collect::<Vec<i64>>());
    writer.add_batch(columns).unwrap();
    writer.flush().unwrap();
    if !is_whole {
        // The kill comes while the pass is open.
        std::mem::forget(writer);
        return;
    }
    writer.finalize().unwrap();
    run.log_split(
        "valid",
        &[("rank", f64::from(rank.index))],
        At::epoch(epoch),
    )
    .unwrap();
    run.flush().unwrap();
}

fn read(root: &str) -> RunReader {
    Project::open(root, "p").unwrap().open_run("ddp").unwrap()
}

/// Every row of every rank, once.
fn check_whole(reader: &RunReader, epoch: i64) {
    let metrics = reader.metrics("default").split("valid").epoch(epoch);
    let mut ids = metrics.values::<i64>("example_id").unwrap();
    ids.sort_unstable();
    assert_eq!(ids, (0..ROWS * i64::from(WORLD)).collect::<Vec<_>>());
    let passes = metrics.passes();
    assert_eq!(passes.len(), 1);
    let ranks: Vec<u32> = passes[0].parts.iter().map(|part| part.rank).collect();
    assert_eq!(ranks, (0..WORLD).collect::<Vec<_>>());
    assert_eq!(passes[0].rows, ids.len() as u64);
    let mut shown = metrics.values::<String>("pass_id").unwrap();
    shown.dedup();
    assert_eq!(shown, [passes[0].pass_id.clone()]);
}

#[test]
fn ranks_write_one_run() {
    if let Ok(root) = std::env::var(ROOT) {
        return rank_process(&root);
    }
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().display().to_string();
    let mut ranks: Vec<Process> = (0..WORLD).map(|rank| Process::start(&root, rank)).collect();
    let all = |ranks: &mut [Process], what: &str| {
        ranks.iter_mut().for_each(|rank| rank.order(what));
        ranks.iter_mut().for_each(Process::wait);
    };
    all(&mut ranks, "pass 0");
    let reader = read(&root);
    check_whole(&reader, 0);
    assert!(reader.incomplete_passes().is_empty());
    let running = |rank: &emberlens::run::RankInfo| rank.status == Some(Status::Running);
    assert!(reader.ranks().unwrap().iter().all(running));
    assert_eq!(reader.scalars().unwrap().len(), 1);
    assert_eq!(reader.scalars_of_rank(3).unwrap()[0].value, 3.0);

    // Rank 3 dies in the middle of the next pass, the others complete it.
    ranks[3].order("half 1");
    ranks[3].wait();
    ranks[3].kill();
    for rank in [0, 1, 2, 4, 5, 6, 7] {
        ranks[rank].order("pass 1");
        ranks[rank].wait();
    }
    let reader = read(&root);
    assert_eq!(reader.passes("default").len(), 1);
    let incomplete = reader.incomplete_passes();
    assert_eq!(incomplete.len(), 1);
    assert_eq!(incomplete[0].epoch, Some(1));
    assert_eq!(incomplete[0].missing_ranks, [3]);

    // It starts again, and does its part again.
    ranks[3] = Process::start(&root, 3);
    ranks[3].order("pass 1");
    ranks[3].wait();
    let reader = read(&root);
    check_whole(&reader, 0);
    check_whole(&reader, 1);
    assert!(reader.incomplete_passes().is_empty());
    // Doing a part that was complete already again replaces it, and nobody else's.
    ranks[6].order("pass 1");
    ranks[6].wait();
    check_whole(&read(&root), 1);

    // Rank 5 dies for ever.
    ranks.remove(5).kill();
    all(&mut ranks, "pass 2");
    let reader = read(&root);
    assert_eq!(reader.incomplete_passes()[0].missing_ranks, [5]);
    assert_eq!(reader.ranks().unwrap()[5].status, Some(Status::Crashed));
    for rank in ranks.into_iter().rev() {
        rank.end();
    }
    let reader = read(&root);
    assert_eq!(reader.status(), &Status::Completed);
    assert_eq!(reader.incomplete_passes()[0].missing_ranks, [5]);
    check_whole(&reader, 1);
    let ended = reader.ranks().unwrap();
    let completed = ended
        .iter()
        .filter(|rank| rank.status == Some(Status::Completed));
    assert_eq!(completed.count(), 7);
    let verified = reader.verify(&Silent).unwrap();
    assert!(verified.problems.is_empty(), "{:?}", verified.problems);
    // Of the table, which other tools read, the documents tell which rows count.
    let table = DeltaTable::open(reader.location().join("metrics/default")).unwrap();
    let stored = table.snapshot().unwrap().row_count().unwrap();
    // 8 + 8 + 7 parts that count, half a part of rank 3, and the part that rank 6 did twice.
    assert_eq!(stored, 25 * ROWS as u64);
}
