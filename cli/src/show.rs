//! `emberlens show`: one run in full.

use clap::Args;
use emberlens::Result;
use emberlens::run::{IncompletePass, RankInfo, RunReader, Scalar, Status};
use serde_json::{Value, json};

use crate::find::Place;
use crate::print::{Report, Table, clean, number, numbers, time};
use crate::series::{as_json, by_epoch, last_values, not_finite};
use crate::skip::SkipCorrupt;

/// The arguments of `emberlens show`.
#[derive(Args)]
pub struct Show {
    /// Folder, id, beginning of the id, or name of the run
    #[arg(value_name = "RUN")]
    run: String,

    #[command(flatten)]
    skip: SkipCorrupt,
}

impl Show {
    /// Shows what the run's documents and scalars say; no per-sample data is read. Damaged scalars end
    /// with an error after everything else is shown.
    pub fn run(&self, place: &Place) -> Result<Report> {
        let reader = self.skip.run(place, &self.run)?;
        // Damaged scalars must not hide what the documents say.
        let (scalars, failure) = match reader.scalars() {
            Ok(scalars) => (scalars, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let notes = not_finite(&scalars);
        let ranks = reader.ranks()?;
        let mut text = head(&reader);
        text.push_str(&ranks_of(&ranks));
        text.push_str(&parameters(&reader));
        text.push_str(&passes(&reader));
        text.push_str(&incomplete(&reader));
        text.push_str(&aggregates(&scalars));
        let mut report = Report {
            text,
            json: as_document(&reader, &scalars, &ranks),
            notes,
            failure,
        };
        self.skip.tell(&reader, &mut report);
        Ok(report)
    }
}

fn head(reader: &RunReader) -> String {
    let mut table = Table::plain(2);
    let mut line = |name: &str, value: String| table.push(vec![name.to_owned(), value]);
    line("id", reader.id().to_owned());
    line("project", reader.project_name().to_owned());
    line("created", time(reader.created_us()));
    line("updated", time(reader.updated_us()));
    line("place", reader.url());
    if let Some(text) = reader.description() {
        line("description", text.to_owned());
    }
    if !reader.tags().is_empty() {
        line("tags", reader.tags().join(", "));
    }
    for input in reader.inputs() {
        line(
            "input",
            format!("{}, revision {}  {}", input.name, input.revision, input.url),
        );
    }
    for output in reader.outputs() {
        line("output", format!("{}  {}", output.name, output.url));
    }
    let status = reader.status().to_string();
    format!(
        "{}: {}\n{}",
        clean(reader.name()),
        clean(&status),
        table.render(2)
    )
}

/// The ranks that write the run, one line for each status.
fn ranks_of(ranks: &[RankInfo]) -> String {
    let mut by_status: Vec<(String, Vec<u32>)> = Vec::new();
    for rank in ranks {
        let status = told(rank.status.as_ref());
        match by_status.iter_mut().find(|(known, _)| *known == status) {
            Some((_, indices)) => indices.push(rank.rank.index),
            None => by_status.push((status, vec![rank.rank.index])),
        }
    }
    if by_status.is_empty() {
        return String::new();
    }
    let mut table = Table::new(["status", "ranks"]);
    for (status, indices) in by_status {
        table.push(vec![status, list(&indices)]);
    }
    format!("\n{} ranks\n{}", ranks.len(), table.render(2))
}

fn told(status: Option<&Status>) -> String {
    status.map_or_else(|| "never joined".to_owned(), Status::to_string)
}

/// Numbers as people write them: `0-2, 5`.
fn list(numbers: &[u32]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some((_, end)) if end.checked_add(1) == Some(number) => *end = number,
            _ => ranges.push((number, number)),
        }
    }
    let texts = ranges.iter().map(|(start, end)| match start == end {
        true => start.to_string(),
        false => format!("{start}-{end}"),
    });
    texts.collect::<Vec<_>>().join(", ")
}

fn parameters(reader: &RunReader) -> String {
    if reader.parameters().is_empty() {
        return String::new();
    }
    let mut table = Table::plain(2);
    for (name, value) in reader.parameters() {
        let shown = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        table.push(vec![name.clone(), shown]);
    }
    format!("\nparameters\n{}", table.render(2))
}

fn passes(reader: &RunReader) -> String {
    let mut table = Table::new(["stream", "split", ">epoch", ">rows", "finished"]);
    let mut any = false;
    for stream in reader.streams() {
        for pass in reader.passes(&stream) {
            any = true;
            table.push(vec![
                pass.stream,
                pass.split,
                epoch(pass.epoch),
                pass.rows.to_string(),
                time(pass.finished_us),
            ]);
        }
    }
    if any {
        format!("\npasses\n{}", table.render(2))
    } else {
        String::new()
    }
}

fn incomplete(reader: &RunReader) -> String {
    let passes = reader.incomplete_passes();
    if passes.is_empty() {
        return String::new();
    }
    let mut table = Table::new(["stream", "split", ">epoch", "started", "pass", "reason"]);
    for pass in passes {
        let reason = reason(&pass, reader.status().is_active());
        let started = time(pass.started_us);
        table.push(vec![
            pass.stream,
            pass.split,
            epoch(pass.epoch),
            started,
            pass.pass_id,
            reason,
        ]);
    }
    format!(
        "\nincomplete passes (readers skip their rows)\n{}",
        table.render(2)
    )
}

/// Why a pass is not complete.
fn reason(pass: &IncompletePass, is_active: bool) -> String {
    let told = pass.reason.clone().unwrap_or_else(|| {
        if is_active {
            "under way"
        } else {
            "never ended"
        }
        .to_owned()
    });
    match pass.missing_ranks.len() {
        0 => told,
        1 => format!("{told}; rank {} is missing", list(&pass.missing_ranks)),
        _ => format!("{told}; ranks {} are missing", list(&pass.missing_ranks)),
    }
}

fn aggregates(scalars: &[Scalar]) -> String {
    let mut text = String::new();
    for split in by_epoch(scalars) {
        let headers = split.names.iter().map(|name| format!(">{name}"));
        let mut table = Table::new(std::iter::once(">epoch".to_owned()).chain(headers));
        let columns: Vec<Vec<String>> = (0..split.names.len())
            .map(|column| {
                let cells = split
                    .epochs
                    .values()
                    .map(|values| values.get(column).copied().flatten());
                numbers(&cells.collect::<Vec<_>>())
            })
            .collect();
        for (row, epoch) in split.epochs.keys().enumerate() {
            let cells = columns.iter().map(|column| column[row].clone());
            table.push(std::iter::once(epoch.to_string()).chain(cells).collect());
        }
        let title = if split.split.is_empty() {
            "scalars"
        } else {
            split.split
        };
        text.push_str(&format!(
            "\n{}, by epoch\n{}",
            clean(title),
            table.render(2)
        ));
    }
    let mut table = Table::new(["scalar", "split", ">iteration", ">step", ">last value"]);
    let mut others = last_values(scalars);
    others.retain(|scalar| scalar.epoch.is_none());
    for scalar in &others {
        table.push(vec![
            scalar.name.clone(),
            scalar.split.clone(),
            epoch(scalar.iteration),
            epoch(scalar.step),
            number(scalar.value),
        ]);
    }
    if !others.is_empty() {
        text.push_str(&format!("\nscalars, last values\n{}", table.render(2)));
    }
    text
}

fn epoch(value: Option<i64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn as_document(reader: &RunReader, scalars: &[Scalar], ranks: &[RankInfo]) -> Value {
    let streams: Vec<Value> = reader
        .streams()
        .iter()
        .map(|stream| {
            let passes: Vec<Value> = reader
                .passes(stream)
                .iter()
                .map(|pass| {
                    json!({
                        "pass_id": pass.pass_id,
                        "split": pass.split,
                        "epoch": pass.epoch,
                        "rows": pass.rows,
                        "finished_us": pass.finished_us,
                    })
                })
                .collect();
            json!({ "name": stream, "passes": passes })
        })
        .collect();
    let incomplete: Vec<Value> = reader
        .incomplete_passes()
        .iter()
        .map(|pass| {
            json!({
                "pass_id": pass.pass_id,
                "stream": pass.stream,
                "split": pass.split,
                "epoch": pass.epoch,
                "started_us": pass.started_us,
                "reason": pass.reason,
                "missing_ranks": pass.missing_ranks,
            })
        })
        .collect();
    let inputs = reader.inputs().iter();
    let outputs = reader.outputs().iter();
    json!({
        "id": reader.id(),
        "name": reader.name(),
        "project": reader.project_name(),
        "url": reader.url(),
        "status": reader.status().name(),
        "reason": reader.status().reason(),
        "created": time(reader.created_us()),
        "created_us": reader.created_us(),
        "updated_us": reader.updated_us(),
        "description": reader.description(),
        "tags": reader.tags(),
        "parameters": reader.parameters(),
        "inputs": inputs
            .map(|input| json!({ "name": input.name, "url": input.url, "revision": input.revision }))
            .collect::<Vec<_>>(),
        "outputs": outputs
            .map(|output| json!({ "name": output.name, "url": output.url }))
            .collect::<Vec<_>>(),
        "ranks": ranks
            .iter()
            .map(|rank| json!({
                "rank": rank.rank.index,
                "status": rank.status.as_ref().map(Status::name),
                "reason": rank.status.as_ref().and_then(Status::reason),
                "joined_us": rank.joined_us,
            }))
            .collect::<Vec<_>>(),
        "streams": streams,
        "incomplete_passes": incomplete,
        "scalars": scalars.iter().map(as_json).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_short() {
        assert_eq!(list(&[]), "");
        assert_eq!(list(&[3]), "3");
        assert_eq!(list(&[0, 1, 2, 5, 7, 8]), "0-2, 5, 7-8");
    }
}
