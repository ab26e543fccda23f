//! What the run found out, as text.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use emberlens::metrics::class_mask_from_png;
use emberlens::run::RunReader;
use emberlens::run::ranking::{Order, RankBy};
use ndarray::Array2;

use crate::epochs;
use crate::program::{Failure, command_line, place};
use crate::scenes::tables::mask_names;
use crate::scenes::{SIDE, VOID};

/// The stream of the classes.
const PER_CLASS: &str = "per_class";

/// Where the run is, the IoU of its classes, its worst mask, and what to do next.
pub fn render(run: &RunReader, root: Option<&str>, took: Duration) -> Result<String, Failure> {
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
    classes(&mut out, run)?;
    worst(&mut out, run)?;
    next(&mut out, run, root)?;
    Ok(out)
}

/// IoU of every class at every validation.
fn classes(out: &mut String, run: &RunReader) -> Result<(), Failure> {
    let rows = run.metrics(PER_CLASS).split("valid");
    let mut epochs: BTreeMap<i64, Vec<Option<f64>>> = BTreeMap::new();
    let ious = rows.values::<Option<f64>>("iou")?;
    for (epoch, iou) in rows.values::<i64>("epoch")?.into_iter().zip(ious) {
        epochs.entry(epoch).or_default().push(iou);
    }
    writeln!(out, "\nvalidation IoU of the classes:")?;
    write!(out, "  epoch")?;
    for name in mask_names() {
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

/// The validation scene of lowest mean IoU: its true mask and the predicted one, side by side.
fn worst(out: &mut String, run: &RunReader) -> Result<(), Failure> {
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
    let missing = || format!("scene {row} has no mask");
    let truth = run.input_table(input)?.column::<Vec<u8>>("mask")?;
    let truth = class_mask_from_png(truth.get(row).ok_or_else(missing)?)?;
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
        "\nthe worst of the validation scenes is {row} (mean IoU {:.3}); its mask and the predicted one:",
        first.value
    )?;
    for y in (0..SIDE).step_by(2) {
        writeln!(out, "  {}  |  {}", line(&truth, y), line(&mask, y))?;
    }
    let names: Vec<String> = mask_names()
        .zip(SIGNS)
        .map(|(name, sign)| format!("{sign} {name}"))
        .collect();
    writeln!(out, "  {}, ? no class", names.join(", "))?;
    Ok(())
}

const SIGNS: [char; 6] = ['.', '@', 'o', '#', '^', '+'];

fn line(mask: &Array2<u16>, y: usize) -> String {
    let classes = mask.row(y).to_vec().into_iter();
    let sign = |class: u16| match class == u16::from(VOID) {
        true => '?',
        false => SIGNS.get(usize::from(class)).copied().unwrap_or('?'),
    };
    classes.map(sign).collect()
}

fn next(out: &mut String, run: &RunReader, root: Option<&str>) -> Result<(), Failure> {
    let Some(cli) = command_line(run, root) else {
        return Ok(());
    };
    let name = run.name();
    writeln!(out, "\nnext:")?;
    writeln!(out, "  {cli} show {name}")?;
    writeln!(
        out,
        "  {cli} top {name} --by mean_iou --lowest --split valid --show contents --show light"
    )?;
    writeln!(
        out,
        "  {cli} plot embedding {name} --color mean_iou -o scenes.png"
    )?;
    writeln!(
        out,
        "  {cli} plot embedding {name} --color objects -o objects.png"
    )?;
    writeln!(
        out,
        "  {cli} export {name} --stream per_class -o classes.parquet"
    )?;
    Ok(())
}
