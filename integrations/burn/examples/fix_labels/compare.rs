//! The two runs side by side: their means, and every sample in both.

use std::fmt::Write;

use emberlens::run::RunReader;
use emberlens::table::Table;

use crate::data::CLASSES;
use crate::program::Failure;

const STREAM: &str = "default";
const SHOWN: usize = 8;
/// How the last epochs of the two runs compare for one sample.
const MOVES: [&str; 4] = [
    "right in both",
    "wrong to right",
    "right to wrong",
    "wrong in both",
];

/// One sample in both runs.
struct Pair {
    example_id: usize,
    truth: i64,
    before: i64,
    after: i64,
}

impl Pair {
    /// Its place in [`MOVES`].
    fn moved(&self) -> usize {
        match (self.before == self.truth, self.after == self.truth) {
            (true, true) => 0,
            (false, true) => 1,
            (true, false) => 2,
            (false, false) => 3,
        }
    }
}

/// Means, moves and the samples that moved. Predictions are held against the labels that the images
/// came with, in the training part too.
pub fn render(
    runs: [&RunReader; 2],
    noisy: &Table,
    valid_table: &Table,
    fixed: &Table,
) -> Result<String, Failure> {
    let train = pairs(runs, "train", noisy)?;
    let valid = pairs(runs, "valid", valid_table)?;
    let planted = noisy.column::<bool>("planted")?;
    let changes = noisy.diff(noisy.revision(), fixed.revision())?.changes;
    let corrected: Vec<usize> = changes.iter().map(|cell| cell.row as usize).collect();
    let is_corrected = |pair: &&Pair| corrected.binary_search(&pair.example_id).is_ok();
    let is_planted = |pair: &&Pair| planted.get(pair.example_id) == Some(&true);

    let mut out = String::new();
    means(&mut out, runs)?;
    writeln!(
        out,
        "\nsample by sample, predicted at the last epoch against what the image shows:"
    )?;
    write!(out, "  {:<35}", "")?;
    for name in MOVES {
        write!(out, "  {name:>14}")?;
    }
    writeln!(out)?;
    let corrected = train.iter().filter(is_corrected).collect();
    let missed = train
        .iter()
        .filter(|pair| is_planted(pair) && !is_corrected(pair));
    let others = train.iter().filter(|pair| !is_planted(pair));
    line(&mut out, "train, label corrected", &corrected)?;
    line(&mut out, "train, label still wrong", &missed.collect())?;
    line(&mut out, "train, label right from first", &others.collect())?;
    line(&mut out, "valid", &valid.iter().collect())?;
    moved(&mut out, &valid)?;
    Ok(out)
}

fn means(out: &mut String, runs: [&RunReader; 2]) -> Result<(), Failure> {
    writeln!(out, "\nmeans at the last epoch:")?;
    writeln!(
        out,
        "  {:<35}  {:>12}  {:>12}",
        "",
        runs[0].name(),
        runs[1].name()
    )?;
    for (heading, scalar) in [
        ("valid accuracy", "valid_accuracy_avg"),
        ("valid loss", "valid_loss_avg"),
        ("valid confidence", "valid_confidence_avg"),
        ("train loss (own labels)", "train_loss_avg"),
    ] {
        write!(out, "  {heading:<35}")?;
        for run in runs {
            let scalars = run.scalars()?.into_iter();
            let last = scalars
                .filter(|one| one.name == scalar)
                .max_by_key(|one| one.epoch);
            let value = last.map_or(f64::NAN, |one| one.value);
            write!(out, "  {value:>12.4}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn line(out: &mut String, name: &str, pairs: &Vec<&Pair>) -> Result<(), Failure> {
    write!(out, "  {:<35}", format!("{name} ({})", pairs.len()))?;
    for place in 0..MOVES.len() {
        let count = pairs.iter().filter(|pair| pair.moved() == place).count();
        write!(out, "  {count:>14}")?;
    }
    writeln!(out)?;
    Ok(())
}

/// The validation samples whose answer became right or wrong.
fn moved(out: &mut String, valid: &[Pair]) -> Result<(), Failure> {
    let moved: Vec<&Pair> = valid
        .iter()
        .filter(|pair| matches!(pair.moved(), 1 | 2))
        .collect();
    if moved.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\nvalidation samples that changed sides ({} of {}):",
        SHOWN.min(moved.len()),
        moved.len()
    )?;
    writeln!(out, "  example_id  shows    noisy    corrected")?;
    let class = |index: i64| {
        usize::try_from(index)
            .ok()
            .and_then(|index| CLASSES.get(index))
            .unwrap_or(&"-")
    };
    for pair in moved.iter().take(SHOWN) {
        writeln!(
            out,
            "  {:>10}  {:<7}  {:<7}  {}",
            pair.example_id,
            class(pair.truth),
            class(pair.before),
            class(pair.after)
        )?;
    }
    Ok(())
}

/// Every sample of a split at the last epoch of both runs, in the order of the table's rows.
fn pairs(runs: [&RunReader; 2], split: &str, table: &Table) -> Result<Vec<Pair>, Failure> {
    let truth = table.column::<i32>("true_label")?;
    let [before, after] = runs.map(|run| predictions(run, split, truth.len()));
    let both = before?.into_iter().zip(after?).zip(truth).enumerate();
    Ok(both
        .map(|(example_id, ((before, after), truth))| Pair {
            example_id,
            truth: i64::from(truth),
            before,
            after,
        })
        .collect())
}

/// The predicted class of each row; the id joins the run to the table.
fn predictions(run: &RunReader, split: &str, rows: usize) -> Result<Vec<i64>, Failure> {
    let last = run.latest_pass(STREAM, split);
    let last = last.ok_or_else(|| format!("run `{}` has no pass over {split}", run.name()))?;
    let metrics = run.metrics(STREAM).split(split).epoch(last.epoch);
    let ids = metrics.values::<i64>("example_id")?;
    let mut predicted = vec![-1; rows];
    for (id, class) in ids.into_iter().zip(metrics.values::<i64>("predicted")?) {
        if let Some(slot) = usize::try_from(id)
            .ok()
            .and_then(|id| predicted.get_mut(id))
        {
            *slot = class;
        }
    }
    Ok(predicted)
}
