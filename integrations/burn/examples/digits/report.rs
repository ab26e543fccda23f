//! What the run found out, as text.

use std::fmt::Write;
use std::time::Duration;

use emberlens::run::RunReader;
use emberlens::run::ranking::{Order, RankedSample, Ranker};

use crate::args::Args;
use crate::data::{CLASSES, Sample};
use crate::epochs;
use crate::next::Next;
use crate::program::{Failure, Launched, place};

const STREAM: &str = "default";
const SHOWN: usize = 10;
/// Share of the samples that a person would look through.
const LOOKED_AT: f64 = 0.05;
/// Aggregates in the table: heading, scalar.
const COLUMNS: [(&str, &str); 6] = [
    ("train loss", "train_loss_avg"),
    ("train accuracy", "train_accuracy_avg"),
    ("train confidence", "train_confidence_avg"),
    ("valid loss", "valid_loss_avg"),
    ("valid accuracy", "valid_accuracy_avg"),
    ("valid confidence", "valid_confidence_avg"),
];

/// Where the run is, its aggregates, its most suspicious samples and what to do next.
pub fn render(
    launched: &Launched,
    args: &Args,
    train: &[Sample],
    side: usize,
    took: Duration,
) -> Result<String, Failure> {
    let run = &launched.reader;
    let mut out = launched.heading(took);
    let rows: u64 = run.passes(STREAM).iter().map(|pass| pass.rows).sum();
    writeln!(
        out,
        "  {rows} rows of per-sample metrics in {} passes",
        run.passes(STREAM).len()
    )?;
    for pass in run.incomplete_passes() {
        writeln!(
            out,
            "  incomplete: {} at epoch {}; its rows are kept and left out",
            pass.split,
            epoch(pass.epoch)
        )?;
    }
    if rows > 0 {
        aggregates(&mut out, run)?;
        suspicious(&mut out, run, train, side)?;
    }
    coordinates(&mut out, run)?;
    out += &next(run, args)?;
    Ok(out)
}

/// The means over each split at each epoch.
fn aggregates(out: &mut String, run: &RunReader) -> Result<(), Failure> {
    writeln!(out, "\nmeans over the split, at the end of each epoch:")?;
    out.push_str(&epochs::table(run, &COLUMNS)?);
    writeln!(
        out,
        "  (the labels of valid are as they came; wrong ones were planted in train only)"
    )?;
    Ok(())
}

/// The samples that most likely have a wrong label, and how many planted ones that finds.
fn suspicious(
    out: &mut String,
    run: &RunReader,
    train: &[Sample],
    side: usize,
) -> Result<(), Failure> {
    let Some(last) = run.latest_pass(STREAM, "train") else {
        return Ok(());
    };
    let by_mean = ranking(run, None)?;
    let by_last = ranking(run, last.epoch)?;

    writeln!(
        out,
        "\nthe {SHOWN} most suspicious of {} training samples, by mean loss over the epochs:",
        train.len()
    )?;
    writeln!(out, "  example_id  mean loss  label    predicted  planted?")?;
    for ranked in by_mean.iter().take(SHOWN) {
        let sample = sample(train, ranked)?;
        let predicted = ranked.predicted.as_ref().and_then(|class| class.index);
        let truth = match sample.planted() {
            true => {
                let class = CLASSES[usize::from(sample.true_label)];
                let article = if class == "eight" { "an" } else { "a" };
                format!("yes, it is {article} {class}")
            }
            false => "no".to_owned(),
        };
        writeln!(
            out,
            "  {:>10}  {:>9.3}  {:<7}  {:<9}  {truth}",
            ranked.example_id,
            ranked.value,
            CLASSES[usize::from(sample.label)],
            predicted
                .and_then(|class| CLASSES.get(usize::try_from(class).ok()?))
                .unwrap_or(&"-"),
        )?;
    }
    if side <= 10 {
        draw(out, &by_mean[..by_mean.len().min(5)], train, side)?;
    }

    let planted = train.iter().filter(|sample| sample.planted()).count();
    let looked_at = (train.len() as f64 * LOOKED_AT).round() as usize;
    writeln!(
        out,
        "\nplanted label errors ({planted}) among the top 5 % ({looked_at} samples):"
    )?;
    for (name, ranking) in [
        ("mean loss over the epochs", by_mean),
        ("loss of the last epoch", by_last),
    ] {
        let mut found = 0;
        for ranked in ranking.iter().take(looked_at) {
            found += usize::from(sample(train, ranked)?.planted());
        }
        writeln!(out, "  by {name:<26} {found}")?;
    }
    Ok(())
}

/// Training samples by loss, highest first: of one epoch, or the mean over all.
fn ranking(run: &RunReader, epoch: Option<i64>) -> Result<Vec<RankedSample>, Failure> {
    let mut metrics = run.metrics(STREAM).split("train").columns(&[
        "example_id",
        "split",
        "epoch",
        "loss",
        "predicted",
    ]);
    if epoch.is_some() {
        metrics = metrics.epoch(epoch);
    }
    let mut ranker = Ranker::by("loss");
    for batch in metrics.batches()? {
        ranker.add(&batch?)?;
    }
    Ok(ranker.ranking(Order::Highest).samples)
}

/// The first images side by side, two characters a pixel.
fn draw(
    out: &mut String,
    ranked: &[RankedSample],
    train: &[Sample],
    side: usize,
) -> Result<(), Failure> {
    const SHADES: [&str; 5] = ["  ", "░░", "▒▒", "▓▓", "██"];
    writeln!(out)?;
    for row in 0..side {
        let mut line = String::from(" ");
        for ranked in ranked {
            let pixels = &sample(train, ranked)?.pixels[row * side..][..side];
            let shades = pixels
                .iter()
                .map(|&grey| SHADES[usize::from(grey) * SHADES.len() / 256]);
            line.extend(std::iter::once("  ").chain(shades));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    let captions = ranked.iter().map(|ranked| {
        let caption = sample(train, ranked).map(|sample| CLASSES[usize::from(sample.label)])?;
        Ok(format!(
            "  {:<width$}",
            format!("\"{caption}\""),
            width = 2 * side
        ))
    });
    writeln!(
        out,
        " {}",
        captions.collect::<Result<String, Failure>>()?.trim_end()
    )?;
    Ok(())
}

/// Where the embeddings of all epochs lie in the plane, and how much they moved while training.
fn coordinates(out: &mut String, run: &RunReader) -> Result<(), Failure> {
    for projection in run.projections() {
        writeln!(
            out,
            "\n{} by {}: coordinates of {} rows, all epochs in one layout",
            projection.column, projection.method, projection.rows
        )?;
        let movement = run.movement(&projection.name)?;
        let of_train = movement.iter().filter(|moved| moved.split == "train");
        let medians: Vec<String> = of_train
            .map(|moved| format!("{:.2}", moved.median))
            .collect();
        if !medians.is_empty() {
            writeln!(
                out,
                "  the median training sample moves from epoch to epoch by {} of the layout's spread",
                medians.join(", ")
            )?;
        }
    }
    Ok(())
}

fn next(run: &RunReader, args: &Args) -> Result<String, Failure> {
    let mut next = Next::new(run, args.root.as_deref(), args.source.name())?
        .add(&format!("show {}", run.name()))
        .top(STREAM, "train", "loss --mean", "-n 20")
        .export(STREAM, "digits.parquet")
        .plot("embedding", "-o digits.png");
    if !run.passes(STREAM).is_empty() {
        next = next.read_delta(&format!("{}/metrics/{STREAM}", place(run)));
    }
    Ok(next.render())
}

fn sample<'a>(train: &'a [Sample], ranked: &RankedSample) -> Result<&'a Sample, Failure> {
    usize::try_from(ranked.example_id)
        .ok()
        .and_then(|index| train.get(index))
        .ok_or_else(|| format!("example_id {} is not in the table", ranked.example_id).into())
}

fn epoch(epoch: Option<i64>) -> String {
    epoch.map_or_else(|| "-".to_owned(), |epoch| epoch.to_string())
}
