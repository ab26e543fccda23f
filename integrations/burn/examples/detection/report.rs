//! What the run found out, as text.

use std::fmt::Write;
use std::time::Duration;

use emberlens::run::RunReader;

use crate::PROJECT;
use crate::boxes;
use crate::epochs;
use crate::grid::CONFIDENT;
use crate::next::Next;
use crate::program::{Failure, Launched};

/// The stream of the classes.
const PER_CLASS: &str = "per_class";

/// Where the run is, its average precision, and what to do next.
pub fn render(
    launched: &Launched,
    names: &[String],
    root: Option<&str>,
    took: Duration,
) -> Result<String, Failure> {
    let run = &launched.reader;
    let mut out = launched.heading(took);
    if run.passes("default").is_empty() {
        return Ok(out);
    }
    writeln!(
        out,
        "\nmean average precision over the classes, and the boxes of an image:"
    )?;
    out.push_str(&epochs::table(
        run,
        &[
            ("train mAP@0.5", "train_per_class_ap_50_avg"),
            ("valid mAP@0.5", "valid_per_class_ap_50_avg"),
            ("valid mAP", "valid_per_class_ap_avg"),
            ("valid loss", "valid_loss_avg"),
            ("found", "valid_tp_avg"),
            ("wrong", "valid_fp_avg"),
            ("missed", "valid_fn_avg"),
        ],
    )?);
    classes(&mut out, run, names)?;
    errors(&mut out, run)?;
    out += &next(run, root)?;
    Ok(out)
}

/// The classes of the last validation.
fn classes(out: &mut String, run: &RunReader, names: &[String]) -> Result<(), Failure> {
    let Some(last) = run.latest_pass(PER_CLASS, "valid") else {
        return Ok(());
    };
    let rows = run.metrics(PER_CLASS).split("valid").epoch(last.epoch);
    let instances = rows.values::<i64>("instances")?;
    writeln!(out, "\nclasses in the last validation:")?;
    writeln!(
        out,
        "  class     objects  AP@0.5      AP  best F1  at confidence"
    )?;
    let number = |column| rows.values::<Option<f64>>(column);
    let columns = [
        number("ap_50")?,
        number("ap")?,
        number("best_f1")?,
        number("best_f1_confidence")?,
    ];
    for (class, name) in names.iter().enumerate() {
        let [ap_50, ap, f1, confidence] = columns.each_ref().map(|column| {
            let value = column.get(class).copied().flatten();
            value.map_or("-".to_owned(), |value| format!("{value:.3}"))
        });
        let count = instances.get(class).copied().unwrap_or_default();
        writeln!(
            out,
            "  {name:<8}  {count:>7}  {ap_50:>6}  {ap:>6}  {f1:>7}  {confidence:>13}"
        )?;
    }
    Ok(())
}

/// What the boxes of the last validation that fit badly have in common.
fn errors(out: &mut String, run: &RunReader) -> Result<(), Failure> {
    let last = run.latest_pass(boxes::STREAM, "valid");
    // Without a confident box in the run there are no columns.
    let Some(last) = last.filter(|pass| pass.rows > 0) else {
        return Ok(());
    };
    let rows = run.metrics(boxes::STREAM).split("valid").epoch(last.epoch);
    let iou = rows.values::<f32>("iou")?;
    writeln!(
        out,
        "\nboxes of the last validation (confidence {CONFIDENT} and above), means:"
    )?;
    writeln!(
        out,
        "  IoU           boxes   size  luminosity  overlap  confidence"
    )?;
    for (name, from, below) in [
        ("below 0.5", 0.0, 0.5),
        ("0.5 to 0.75", 0.5, 0.75),
        ("0.75 and up", 0.75, 2.0),
    ] {
        let chosen: Vec<usize> = (0..iou.len())
            .filter(|&row| iou[row] >= from && iou[row] < below)
            .collect();
        let mean = |column: &str| -> Result<String, Failure> {
            let values = rows.values::<Option<f32>>(column)?;
            let known: Vec<f32> = chosen.iter().filter_map(|&row| values[row]).collect();
            Ok(match known.is_empty() {
                true => "-".to_owned(),
                false => format!("{:.2}", known.iter().sum::<f32>() / known.len() as f32),
            })
        };
        writeln!(
            out,
            "  {name:<11}  {:>6}  {:>5}  {:>10}  {:>7}  {:>10}",
            chosen.len(),
            mean("size")?,
            mean("luminosity")?,
            mean("overlap")?,
            mean("confidence")?
        )?;
    }
    Ok(())
}

fn next(run: &RunReader, root: Option<&str>) -> Result<String, Failure> {
    let next = Next::new(run, root, PROJECT)?;
    // Scenes tell what is in them; other images have a name.
    let shown = match next.has(&["contents", "least_visible"]) {
        true => "--show contents --show least_visible",
        false => "--show file_name",
    };
    Ok(next
        .add(&format!("show {}", run.name()))
        .top("default", "valid", "fn", shown)
        .top(
            boxes::STREAM,
            "valid",
            "iou --lowest",
            &format!("--show size {shown}"),
        )
        .plot(boxes::EMBEDDING, "--color label -o boxes.png")
        .plot(boxes::EMBEDDING, "--color iou -o boxes-iou.png")
        .export(boxes::STREAM, "boxes.parquet")
        .export_coco("valid.json")
        .render())
}
