//! `emberlens top`: the samples that stand out.

use clap::{ArgGroup, Args};
use emberlens::Result;
use emberlens::run::ranking::{Class, Epochs, Order, RankBy, RankedRun, RankedSample};
use emberlens::table::export::float_as_json;
use serde_json::{Value, json};

use crate::beside::{self, Cell};
use crate::find::Place;
use crate::print::{Report, Table, clean, numbers};
use crate::skip::SkipCorrupt;

/// The arguments of `emberlens top`.
#[derive(Args)]
#[command(group(ArgGroup::new("rows").args(["epoch", "mean"])))]
pub struct Top {
    /// Folder, id, beginning of the id, or name of the run
    #[arg(value_name = "RUN")]
    run: String,

    /// Column to rank by, for example loss
    #[arg(long, value_name = "COLUMN")]
    by: String,

    /// Samples to show
    #[arg(short, long = "number", value_name = "N", default_value_t = 10)]
    number: usize,

    /// Rank this split only
    #[arg(long)]
    split: Option<String>,

    /// Rank by this epoch, counted from 0 [default: the latest of each split]
    #[arg(long, allow_negative_numbers = true)]
    epoch: Option<i64>,

    /// Rank by the mean over all epochs
    #[arg(long)]
    mean: bool,

    /// Lowest values first
    #[arg(long)]
    lowest: bool,

    /// Stream to read [default: `default`, or the only one with the column]
    #[arg(long)]
    stream: Option<String>,

    /// Also show this column, of the stream or of the table that it joins; may be repeated
    #[arg(long, value_name = "COLUMN")]
    show: Vec<String>,

    #[command(flatten)]
    skip: SkipCorrupt,
}

/// A column beside the ranking: its name and a cell for each sample.
type Beside<'a> = (&'a str, Vec<Cell>);

impl Top {
    /// Ranks and shows the first samples; NaN comes last and is counted.
    pub fn run(&self, place: &Place) -> Result<Report> {
        let reader = self.skip.run(place, &self.run)?;
        let mut by = RankBy::column(&self.by).epochs(match self.epoch {
            _ if self.mean => Epochs::Mean,
            Some(epoch) => Epochs::At(epoch),
            None => Epochs::Latest,
        });
        if let Some(stream) = &self.stream {
            by = by.stream(stream);
        }
        if let Some(split) = &self.split {
            by = by.split(split);
        }
        if self.lowest {
            by = by.order(Order::Lowest);
        }
        let ranked = reader.rank(&by)?;
        let shown = &ranked.ranking.samples[..self.number.min(ranked.ranking.samples.len())];
        let mut beside = Vec::with_capacity(self.show.len());
        for column in &self.show {
            let cells = beside::cells(&reader, &ranked, shown, column)?;
            beside.push((column.as_str(), cells));
        }
        let mut report = Report {
            text: self.text(reader.name(), &ranked, shown, &beside),
            json: self.json(reader.id(), &ranked, shown, &beside),
            notes: notes(&ranked),
            failure: None,
        };
        self.skip.tell(&reader, &mut report);
        Ok(report)
    }

    fn text(
        &self,
        run: &str,
        ranked: &RankedRun,
        shown: &[RankedSample],
        beside: &[Beside<'_>],
    ) -> String {
        let has_instance = shown.iter().any(|sample| sample.instance.is_some());
        let has_label = shown.iter().any(|sample| sample.label.is_some());
        let has_predicted = shown.iter().any(|sample| sample.predicted.is_some());
        let mut headers = vec![">#".to_owned(), ">example_id".into()];
        headers.extend(has_instance.then(|| ">instance".to_owned()));
        headers.extend(["split".to_owned(), format!(">{}", ranked.column)]);
        headers.push(if self.mean {
            ">epochs".into()
        } else {
            ">epoch".into()
        });
        headers.extend(has_label.then(|| "label".to_owned()));
        headers.extend(has_predicted.then(|| "predicted".to_owned()));
        headers.extend(beside.iter().map(|(name, _)| (*name).to_owned()));
        let mut table = Table::new(headers);
        let values: Vec<Option<f64>> = shown.iter().map(|sample| Some(sample.value)).collect();
        for ((place, sample), value) in shown.iter().enumerate().zip(numbers(&values)) {
            let mut row = vec![(place + 1).to_string(), sample.example_id.to_string()];
            let instance = sample.instance.map_or("-".into(), |one| one.to_string());
            row.extend(has_instance.then_some(instance));
            row.extend([
                sample.split.clone(),
                value,
                match sample.epoch {
                    _ if self.mean => sample.rows.to_string(),
                    Some(epoch) => epoch.to_string(),
                    None => "-".into(),
                },
            ]);
            row.extend(has_label.then(|| class(sample.label.as_ref())));
            row.extend(has_predicted.then(|| class(sample.predicted.as_ref())));
            row.extend(beside.iter().map(|(_, cells)| cells[place].text.clone()));
            table.push(row);
        }
        let things = if has_instance { "instances" } else { "samples" };
        let what = if self.mean { "mean " } else { "" };
        let order = if self.lowest { "lowest" } else { "highest" };
        format!(
            "{}: {} of {} {things} by {what}{}, {order} first (stream {})\n{}",
            clean(run),
            shown.len(),
            ranked.ranking.samples.len(),
            clean(&ranked.column),
            clean(&ranked.stream),
            table.render(2)
        )
    }

    fn json(
        &self,
        run: &str,
        ranked: &RankedRun,
        shown: &[RankedSample],
        beside: &[Beside<'_>],
    ) -> Value {
        let passes: Vec<Value> = ranked
            .passes
            .iter()
            .map(
                |pass| json!({ "split": pass.split, "epoch": pass.epoch, "pass_id": pass.pass_id }),
            )
            .collect();
        let samples: Vec<Value> = shown
            .iter()
            .enumerate()
            .map(|(place, sample)| {
                let cells = beside.iter();
                let cells = cells.map(|(name, cells)| (*name, cells[place].json.clone()));
                let mut json = json!({
                    "example_id": sample.example_id,
                    "instance": sample.instance,
                    "split": sample.split,
                    "value": float_as_json(sample.value),
                    "rows": sample.rows,
                    "epoch": sample.epoch,
                    "label": class_json(sample.label.as_ref()),
                    "predicted": class_json(sample.predicted.as_ref()),
                });
                if !beside.is_empty() {
                    json["show"] = cells.collect();
                }
                json
            })
            .collect();
        json!({
            "run": run,
            "stream": ranked.stream,
            "by": ranked.column,
            "mean": self.mean,
            "order": if self.lowest { "lowest" } else { "highest" },
            "passes": passes,
            "ranked_count": ranked.ranking.samples.len(),
            "nan_count": ranked.ranking.nan_count,
            "null_count": ranked.ranking.null_count,
            "samples": samples,
        })
    }
}

fn notes(ranked: &RankedRun) -> Vec<String> {
    let ranking = &ranked.ranking;
    let mut notes = Vec::new();
    if let Some(error) = &ranked.label_error {
        notes.push(format!("no labels: {}", error.chain()));
    }
    let total = ranking.samples.len() as u64 + ranking.null_count;
    if ranking.nan_count > 0 {
        notes.push(format!(
            "NaN in {} of {total} samples; they come last",
            ranking.nan_count
        ));
    }
    if ranking.null_count > 0 {
        notes.push(format!(
            "no value in {} of {total} samples; they are left out",
            ranking.null_count
        ));
    }
    notes
}

fn class(class: Option<&Class>) -> String {
    match class {
        Some(Class {
            name: Some(name), ..
        }) => name.clone(),
        Some(Class {
            index: Some(index), ..
        }) => index.to_string(),
        _ => "-".into(),
    }
}

fn class_json(class: Option<&Class>) -> Value {
    class.map_or(
        Value::Null,
        |class| json!({ "index": class.index, "name": class.name }),
    )
}
