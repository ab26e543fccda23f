//! What the run found out, as text.

use std::fmt::Write;
use std::time::Duration;

use emberlens::run::RunReader;
use emberlens::run::ranking::{Class, Epochs, RankBy};

use crate::PROJECT;
use crate::corpus::Sentence;
use crate::epochs;
use crate::next::Next;
use crate::program::{Failure, Launched};

const SHOWN: usize = 10;

/// Where the run is, its aggregates, its most suspicious sentences, and what to do next.
pub fn render(
    launched: &Launched,
    root: Option<&str>,
    train: &[Sentence],
    took: Duration,
) -> Result<String, Failure> {
    let run = &launched.reader;
    let mut out = launched.heading(took);
    if run.passes("default").is_empty() {
        return Ok(out);
    }
    writeln!(out, "\nmeans over the split, at the end of each epoch:")?;
    out.push_str(&epochs::table(
        run,
        &[
            ("train loss", "train_loss_avg"),
            ("train accuracy", "train_accuracy_avg"),
            ("valid loss", "valid_loss_avg"),
            ("valid accuracy", "valid_accuracy_avg"),
            ("valid confidence", "valid_confidence_avg"),
        ],
    )?);
    suspicious(&mut out, run, train)?;
    out += &next(run, root)?;
    Ok(out)
}

/// The sentences that most likely have a wrong label, and how many planted ones that finds.
fn suspicious(out: &mut String, run: &RunReader, train: &[Sentence]) -> Result<(), Failure> {
    if run.latest_pass("default", "train").is_none() {
        return Ok(()); // stopped before one was complete
    }
    let by_mean = RankBy::column("loss").split("train").epochs(Epochs::Mean);
    let ranked = run.rank(&by_mean)?.ranking.samples;
    writeln!(
        out,
        "\nthe {SHOWN} most suspicious of {} training sentences, by mean loss:",
        train.len()
    )?;
    writeln!(
        out,
        "  example_id   loss  label    predicted  planted  text"
    )?;
    let name = |class: Option<&Class>| {
        class
            .and_then(|class| class.name.clone())
            .unwrap_or_default()
    };
    for one in ranked.iter().take(SHOWN) {
        let sentence = usize::try_from(one.example_id)
            .ok()
            .and_then(|row| train.get(row));
        let sentence = sentence.ok_or_else(|| format!("no sentence {}", one.example_id))?;
        writeln!(
            out,
            "  {:>10}  {:>5.2}  {:<7}  {:<9}  {:<7}  {}",
            one.example_id,
            one.value,
            name(one.label.as_ref()),
            name(one.predicted.as_ref()),
            if sentence.planted() { "yes" } else { "no" },
            sentence.text,
        )?;
    }
    let planted = train.iter().filter(|sentence| sentence.planted()).count();
    let looked_at = ranked.iter().take(planted);
    let rows = looked_at.filter_map(|one| train.get(usize::try_from(one.example_id).ok()?));
    let found = rows.filter(|sentence| sentence.planted()).count();
    writeln!(
        out,
        "planted label errors ({planted}) among the first {planted}: {found}"
    )?;
    Ok(())
}

fn next(run: &RunReader, root: Option<&str>) -> Result<String, Failure> {
    Ok(Next::new(run, root, PROJECT)?
        .top("default", "train", "loss --mean", "--show text -n 20")
        .top("default", "valid", "confidence --lowest", "--show text")
        .plot("embedding", "--split train -o topics.png")
        .plot("embedding", "--split train --color loss -o suspicious.png")
        .export("default", "sentences.parquet")
        .render())
}
