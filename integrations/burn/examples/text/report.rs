//! What the run found out, as text.

use std::fmt::Write;
use std::time::Duration;

use emberlens::run::RunReader;
use emberlens::run::ranking::{Class, Epochs, RankBy};

use crate::corpus::Sentence;
use crate::epochs;
use crate::program::{Failure, command_line, place};

const SHOWN: usize = 10;

/// Where the run is, its aggregates, its most suspicious sentences, and what to do next.
pub fn render(
    run: &RunReader,
    root: Option<&str>,
    train: &[Sentence],
    took: Duration,
) -> Result<String, Failure> {
    let mut out = format!(
        "\nrun `{}`: {} after {:.1} s\n  {}\n",
        run.name(),
        run.status(),
        took.as_secs_f64(),
        place(run)
    );
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
    next(&mut out, run, root)?;
    Ok(out)
}

/// The sentences that most likely have a wrong label, and how many planted ones that finds.
fn suspicious(out: &mut String, run: &RunReader, train: &[Sentence]) -> Result<(), Failure> {
    let by_mean = RankBy::column("loss").split("train").epochs(Epochs::Mean);
    let Ok(ranked) = run.rank(&by_mean) else {
        return Ok(()); // stopped before the first pass over the training split was complete
    };
    let ranked = ranked.ranking.samples;
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

fn next(out: &mut String, run: &RunReader, root: Option<&str>) -> Result<(), Failure> {
    let Some(cli) = command_line(run, root) else {
        return Ok(());
    };
    let name = run.name();
    writeln!(out, "\nnext:")?;
    writeln!(
        out,
        "  {cli} top {name} --by loss --mean --split train --show text -n 20"
    )?;
    writeln!(
        out,
        "  {cli} top {name} --by confidence --lowest --split valid --show text"
    )?;
    writeln!(
        out,
        "  {cli} plot embedding {name} --split train -o topics.png"
    )?;
    writeln!(
        out,
        "  {cli} plot embedding {name} --split train --color loss -o suspicious.png"
    )?;
    writeln!(
        out,
        "  {cli} export {name} --stream default -o sentences.parquet"
    )?;
    Ok(())
}
