//! What the run found out, as text.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use emberlens::metrics::class_mask_from_png;
use emberlens::run::RunReader;
use emberlens::run::ranking::{Order, RankBy};
use ndarray::Array2;

use crate::PROJECT;
use crate::epochs;
use crate::next::Next;
use crate::program::{Failure, Launched};
use crate::sample::{Classes, small};
use crate::scenes::SIDE;

/// The stream of the classes.
const PER_CLASS: &str = "per_class";

/// Where the run is, the IoU of its classes, its worst mask, and what to do next.
pub fn render(
    launched: &Launched,
    classes: &Classes,
    root: Option<&str>,
    took: Duration,
) -> Result<String, Failure> {
    let run = &launched.reader;
    let mut out = launched.heading(took);
    if run.passes("default").is_empty() {
        return Ok(out);
    }
    writeln!(out, "\nover the split (mean IoU is over its classes):")?;
    out.push_str(&epochs::table(
        run,
        &[
            ("train mean IoU", "train_per_class_iou_avg"),
            ("valid mean IoU", "valid_per_class_iou_avg"),
            ("valid accuracy", "valid_pixel_accuracy_avg"),
            ("valid loss", "valid_loss_avg"),
        ],
    )?);
    ious(&mut out, run, classes)?;
    worst(&mut out, run, classes)?;
    out += &next(run, root)?;
    Ok(out)
}

/// IoU of every class at every validation.
fn ious(out: &mut String, run: &RunReader, classes: &Classes) -> Result<(), Failure> {
    if run.latest_pass(PER_CLASS, "valid").is_none() {
        return Ok(());
    }
    let rows = run.metrics(PER_CLASS).split("valid");
    let mut epochs: BTreeMap<i64, Vec<Option<f64>>> = BTreeMap::new();
    let ious = rows.values::<Option<f64>>("iou")?;
    for (epoch, iou) in rows.values::<i64>("epoch")?.into_iter().zip(ious) {
        epochs.entry(epoch).or_default().push(iou);
    }
    writeln!(out, "\nvalidation IoU of the classes:")?;
    write!(out, "  epoch")?;
    for name in &classes.names {
        write!(out, "  {name:>10}")?;
    }
    writeln!(out)?;
    for (epoch, ious) in epochs {
        write!(out, "  {epoch:>5}")?;
        for iou in ious {
            match iou {
                Some(iou) => write!(out, "  {iou:>10.3}")?,
                None => write!(out, "  {:>10}", "-")?,
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

/// The validation image of lowest mean IoU: its true mask and the predicted one, side by side.
fn worst(out: &mut String, run: &RunReader, classes: &Classes) -> Result<(), Failure> {
    if run.latest_pass("default", "valid").is_none() {
        return Ok(());
    }
    let lowest = RankBy::column("mean_iou")
        .split("valid")
        .order(Order::Lowest);
    let ranked = run.rank(&lowest)?;
    let (Some(first), Some(pass)) = (ranked.ranking.samples.first(), ranked.passes.first()) else {
        return Ok(());
    };
    let Some(input) = &pass.table else {
        return Ok(());
    };
    let row = usize::try_from(first.example_id)?;
    let missing = || format!("image {row} has no mask");
    let truth = run.input_table(input)?.column::<Vec<u8>>("mask")?;
    let truth = small(&class_mask_from_png(truth.get(row).ok_or_else(missing)?)?);
    let metrics = run.metrics("default").split("valid").epoch(pass.epoch);
    let place = metrics.values::<i64>("example_id")?;
    let place = place.iter().position(|id| *id == first.example_id);
    let masks = metrics.values::<Vec<u8>>("mask_predicted")?;
    let mask = place
        .and_then(|place| masks.get(place))
        .ok_or_else(missing)?;
    let mask = class_mask_from_png(mask)?;

    writeln!(
        out,
        "\nthe worst of the validation images is {row} (mean IoU {:.3}); its mask and the predicted one:",
        first.value
    )?;
    for y in (0..SIDE).step_by(2) {
        writeln!(
            out,
            "  {}  |  {}",
            line(&truth, y, classes),
            line(&mask, y, classes)
        )?;
    }
    let names = classes.names.iter().zip(SIGNS);
    let names: Vec<String> = names.map(|(name, sign)| format!("{sign} {name}")).collect();
    writeln!(out, "  {}, ? no class", names.join(", "))?;
    Ok(())
}

/// The classes from the first on; those beyond have a `*`.
const SIGNS: [char; 16] = [
    '.', '@', 'o', '#', '^', '+', '%', '=', '~', '&', '$', '/', ':', '-', '!', ';',
];

fn line(mask: &Array2<u16>, y: usize, classes: &Classes) -> String {
    let sign = |&class: &u16| match class == classes.void {
        true => '?',
        false => SIGNS.get(usize::from(class)).copied().unwrap_or('*'),
    };
    mask.row(y).iter().map(sign).collect()
}

fn next(run: &RunReader, root: Option<&str>) -> Result<String, Failure> {
    let next = Next::new(run, root, PROJECT)?;
    // Scenes tell what is in them; other images have a path.
    let (shown, plotted) = match next.has(&["contents", "light", "objects"]) {
        true => (
            "--show contents --show light",
            "--color objects -o objects.png",
        ),
        false => ("--show path", "--color loss -o losses.png"),
    };
    Ok(next
        .add(&format!("show {}", run.name()))
        .top("default", "valid", "mean_iou --lowest", shown)
        .plot("embedding", "--color mean_iou -o images.png")
        .plot("embedding", plotted)
        .export(PER_CLASS, "classes.parquet")
        .render())
}
