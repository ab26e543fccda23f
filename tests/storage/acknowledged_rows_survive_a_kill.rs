//! Whatever `flush` and `finalize` acknowledged is there, once, after SIGKILL at any moment and at any
//! step to the disk; the rest is there whole or not at all, the run reads at once, and the next process
//! goes on with it, from an epoch of its choice, until it is killed too.
//!
//! `EMBERLENS_PROOF_KILLS` sets how many processes are killed (200).

#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used)]
#![cfg(target_os = "linux")]

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use emberlens::run::{Project, Status};
use emberlens::storage::Location;
use emberlens_testkit::{
    Child, Kept, KillAt, Moment, PROJECT, Point, Promises, RUN, STEPS, Said, Training,
    quick_folder, split_mix, test_name,
};

const ROOT: &str = "EMBERLENS_TEST_CHILD_ROOT";
const TRAINING: &str = "EMBERLENS_TEST_CHILD_TRAINING";
const POINT: &str = "EMBERLENS_TEST_CHILD_POINT";
const SIGKILL: i32 = 9;

/// Processes that write one run, one after the other.
const PROCESSES: i64 = 8;

/// The child: this test binary, started again by the test below.
fn train_until_killed(root: &str) {
    let root = match std::env::var(POINT) {
        Ok(point) => {
            let kill = KillAt::new(point.parse().unwrap());
            Location::watched(Path::new(root), Arc::new(kill)).unwrap()
        }
        Err(_) => Location::open(root).unwrap(),
    };
    let (number, first_epoch) = std::env::var(TRAINING)
        .unwrap()
        .split_once(':')
        .map(|(number, epoch)| (number.parse().unwrap(), epoch.parse().unwrap()))
        .unwrap();
    training(number, first_epoch)
        .train(&root, &mut |said| println!("\n{said}"))
        .unwrap();
}

fn training(number: i64, first_epoch: i64) -> Training {
    Training {
        number,
        first_epoch,
        epochs: 3,
        flushes: 3,
    }
}

/// How a child ends, if it gets that far.
enum Death {
    None,
    After(Duration),
    At(Point),
}

impl Death {
    /// Half of them at any moment of the time that a child takes, half at a step to the disk.
    fn drawn(state: &mut u64, whole: Duration) -> Self {
        let mut draw = |below: usize| (split_mix(state) % below.max(1) as u64) as usize;
        if draw(2) == 0 {
            let micros = draw(whole.as_micros() as usize);
            return Self::After(Duration::from_micros(micros as u64));
        }
        let step = STEPS[draw(STEPS.len())];
        let steps_of_a_training = match step {
            "any" => 240,
            "create-folder" => 12,
            "rename" => 2,
            _ => 40,
        };
        let moments = [Moment::Before, Moment::Half, Moment::After];
        Self::At(Point {
            step: step.to_owned(),
            count: draw(steps_of_a_training),
            moment: moments[draw(moments.len())],
        })
    }
}

/// Runs a child; whether it was killed.
fn run_child(root: &str, training: &Training, death: &Death, promises: &mut Promises) -> bool {
    let mut environment = vec![
        (ROOT, root.to_owned()),
        (
            TRAINING,
            format!("{}:{}", training.number, training.first_epoch),
        ),
    ];
    if let Death::At(point) = death {
        environment.push((POINT, point.to_string()));
    }
    let mut child = Child::start(
        &test_name(module_path!(), "acknowledged_rows_survive_a_kill"),
        &environment,
    )
    .unwrap();
    if let Death::After(time) = death {
        child.kill_after(*time).unwrap();
    }
    let (lines, status) = child.finish().unwrap();
    let is_killed = status.signal() == Some(SIGKILL);
    assert!(is_killed || status.success(), "a child failed: {lines:?}");
    for line in lines.iter().filter(|line| line.starts_with("said ")) {
        // The last line may be cut off: what it says did not reach its reader.
        match line.parse::<Said>() {
            Ok(said) => promises.hear(&said),
            Err(error) => assert!(is_killed, "{error}"),
        }
    }
    is_killed
}

fn check(root: &str, promises: &Promises, is_killed: bool, what: &str) -> Kept {
    let place = Location::open(root).unwrap();
    let kept = promises
        .check(&place)
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    if is_killed && promises.is_started() {
        let reader = Project::at(place, PROJECT).unwrap().open_run(RUN).unwrap();
        let is_over = matches!(reader.status(), Status::Crashed | Status::Completed);
        assert!(is_over, "{what}: it is {}", reader.status().name());
    }
    kept
}

/// A run that is written by one process after the other until it was killed often enough.
fn one_run(seed: u64, whole: Duration, left: &AtomicU64) -> Kept {
    let folder = quick_folder().unwrap();
    let root = folder.path().display().to_string();
    let (mut state, mut promises, mut kept) = (seed, Promises::default(), Kept::default());
    let mut frontier = 0;
    for number in 0..PROCESSES {
        let is_due = |left: u64| left.checked_sub(1);
        if left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, is_due)
            .is_err()
        {
            break;
        }
        let back = (split_mix(&mut state) % 3) as i64;
        let training = training(number, (frontier - back).max(0));
        let death = Death::drawn(&mut state, whole);
        let is_killed = run_child(&root, &training, &death, &mut promises);
        if !is_killed {
            left.fetch_add(1, Ordering::SeqCst);
        }
        let how = match &death {
            Death::None => "undisturbed".to_owned(),
            Death::After(time) => format!("killed after {time:?}"),
            Death::At(point) => format!("killed at {point}"),
        };
        let what = format!("seed {seed}, process {number}, {how}");
        kept = check(&root, &promises, is_killed, &what);
        frontier = promises.next_epoch();
    }
    kept
}

#[test]
fn acknowledged_rows_survive_a_kill() {
    if let Ok(root) = std::env::var(ROOT) {
        return train_until_killed(&root);
    }
    let asked = std::env::var("EMBERLENS_PROOF_KILLS").ok();
    let kills: u64 = asked.map_or(200, |text| text.parse().unwrap());

    let folder = quick_folder().unwrap();
    let root = folder.path().display().to_string();
    let mut promises = Promises::default();
    let start = Instant::now();
    let is_killed = run_child(&root, &training(0, 0), &Death::None, &mut promises);
    let whole = start.elapsed();
    assert!(!is_killed);
    let kept = check(&root, &promises, false, "undisturbed");
    assert_eq!((kept.passes, kept.scalars, kept.rows), (3, 3, 63));

    let (left, seeds) = (AtomicU64::new(kills), AtomicU64::new(1));
    let (promised, rows) = (AtomicU64::new(0), AtomicU64::new(0));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while left.load(Ordering::SeqCst) > 0 {
                    let seed = seeds.fetch_add(1, Ordering::SeqCst);
                    let kept = one_run(seed, whole, &left);
                    promised.fetch_add(kept.promised_rows, Ordering::SeqCst);
                    rows.fetch_add(kept.rows, Ordering::SeqCst);
                }
            });
        }
    });
    let (promised, rows) = (promised.into_inner(), rows.into_inner());
    println!(
        "{kills} kills in {} runs; {promised} rows were acknowledged and {rows} are there",
        seeds.into_inner() - 1
    );
    assert!(
        promised > kills,
        "the kills came before anything was written"
    );
}
