//! `emberlens edit`: sets cells of a table, as a new revision.

use std::collections::BTreeSet;

use clap::{ArgGroup, Args};
use emberlens::run::{PassRecord, RunReader};
use emberlens::table::{ColumnKind, Edit as Edits, Table, Value};
use emberlens::{Error, Result};
use serde_json::json;

use crate::changes::{self, Most};
use crate::find::Place;
use crate::print::{self, Report, clean};
use crate::tables::Signature;

/// The arguments of `emberlens edit`.
#[derive(Args)]
#[command(
    group(ArgGroup::new("which").args(["filter", "rows", "all"]).requires("set")),
    group(ArgGroup::new("what").args(["set", "add"]).multiple(true).required(true))
)]
pub struct Edit {
    /// Name or folder of the table; with @REVISION the edit fails when that is not the latest one
    #[arg(value_name = "TABLE")]
    table: String,

    /// Set a column, for example label=3, label=cat, weight=0, tag=null; repeat it for more columns
    #[arg(long, value_name = "COLUMN=VALUE", value_parser = assignment, requires = "which")]
    set: Vec<(String, String)>,

    /// Add a column: bool, int, float or string (null in every row), or weight (1 in every row)
    #[arg(long, value_name = "COLUMN:TYPE", value_parser = addition)]
    add: Vec<(String, ColumnKind)>,

    /// In the rows of which this is true: an SQL condition over the table's columns, example_id, and
    /// with --run the metrics of a pass
    ///
    /// It may have comparisons, AND, OR, NOT, IN, BETWEEN, LIKE, IS NULL, arithmetic, and the functions
    /// abs, isnan, isfinite, isinf, lower, upper and length. NaN compares as in DuckDB: it equals itself and
    /// is above all numbers, so that loss > 2 takes it too; write loss > 2 AND NOT isnan(loss) otherwise.
    #[arg(
        long = "where",
        value_name = "CONDITION",
        id = "filter",
        allow_hyphen_values = true
    )]
    filter: Option<String>,

    /// In these rows, counted from 0, for example 3,17,20
    #[arg(long, value_name = "ROWS", value_delimiter = ',', value_parser = row)]
    rows: Vec<u64>,

    /// In all rows
    #[arg(long)]
    all: bool,

    /// Join the per-sample metrics of this run by example_id; a column that both have is
    /// metrics.COLUMN
    #[arg(long, value_name = "RUN", requires = "filter", conflicts_with_all = ["rows", "all"])]
    run: Option<String>,

    /// Metrics of this epoch, counted from 0 [default: the latest of each split]
    #[arg(long, requires = "run", allow_negative_numbers = true)]
    epoch: Option<i64>,

    /// Metrics of this split [default: every split that was joined to the table]
    #[arg(long, requires = "run")]
    split: Option<String>,

    /// Metrics of this stream [default: `default`, or the only one]
    #[arg(long, requires = "run")]
    stream: Option<String>,

    #[command(flatten)]
    signature: Signature,

    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    most: Most,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((column, value)) if !column.trim().is_empty() => {
            Ok((column.trim().to_owned(), value.to_owned()))
        }
        _ => Err("write COLUMN=VALUE, for example label=3".into()),
    }
}

fn row(text: &str) -> Result<u64, String> {
    text.trim().parse().map_err(|_| {
        "write numbers of rows, for example 3,17,20; a range is a condition: \
         --where 'example_id BETWEEN 3 AND 17'"
            .into()
    })
}

fn addition(text: &str) -> Result<(String, ColumnKind), String> {
    let Some((column, kind)) = text.rsplit_once(':') else {
        return Err("write COLUMN:TYPE, for example tag:string".into());
    };
    let kind = kind
        .parse::<ColumnKind>()
        .map_err(|error| error.to_string())?;
    Ok((column.to_owned(), kind))
}

impl Edit {
    /// Makes the edit, or shows what it would do.
    pub fn run(&self, place: &Place) -> Result<Report> {
        let table = place.table(&self.table)?;
        let edit = self.signature.sign(self.edit(&table, place)?);
        report(&table, edit, self.dry_run, self.most)
    }

    fn edit(&self, table: &Table, place: &Place) -> Result<Edits> {
        self.refuse_twice()?;
        let mut edit = table.edit();
        for (column, kind) in &self.add {
            edit = edit.add_column(column, *kind);
        }
        let rows = self.selected(table, place)?;
        for (column, text) in &self.set {
            let value = value(text, self.is_text(table, column));
            edit = match &rows {
                Some(rows) => edit.set(column, rows.iter().copied(), value),
                None => edit.set_all(column, value),
            };
        }
        Ok(edit)
    }

    /// Of two values for the same cells one would be lost.
    fn refuse_twice(&self) -> Result<()> {
        for (at, (column, value)) in self.set.iter().enumerate() {
            let same = |(other, _): &&(String, String)| other.eq_ignore_ascii_case(column);
            if let Some((other, first)) = self.set[..at].iter().find(same) {
                return Err(Error::invalid(
                    "--set",
                    format!("{other}={first} and {column}={value}"),
                    "both are for the same cells",
                    "set a column once; other rows need an edit of their own",
                ));
            }
        }
        Ok(())
    }

    /// The rows that are meant; `None` for all.
    fn selected(&self, table: &Table, place: &Place) -> Result<Option<Vec<u64>>> {
        Ok(match (&self.filter, &self.run) {
            (Some(filter), Some(run)) => Some(self.joined(table, &place.run(run)?, filter)?),
            (Some(filter), None) => Some(table.rows_where(filter)?),
            (None, _) if self.all || self.rows.is_empty() => None,
            _ => Some(self.rows.clone()),
        })
    }

    /// The rows that a filter takes with the metrics of the run's passes over the table.
    fn joined(&self, table: &Table, reader: &RunReader, filter: &str) -> Result<Vec<u64>> {
        let streams = reader.streams();
        let stream = match (&self.stream, streams.as_slice()) {
            (Some(stream), _) => stream.clone(),
            (None, [only]) => only.clone(),
            (None, streams) if streams.iter().any(|one| one == "default") => "default".into(),
            (None, streams) => {
                return Err(Error::invalid(
                    "stream",
                    "none",
                    format!("the run has: {}", streams.join(", ")),
                    "name one with --stream",
                ));
            }
        };
        let meant = |pass: &PassRecord| {
            self.split.as_ref().is_none_or(|split| *split == pass.split)
                && self.epoch.is_none_or(|epoch| pass.epoch == Some(epoch))
        };
        let mut rows = BTreeSet::new();
        let over = reader.passes_over(&stream, table)?;
        let known: Vec<String> = over.iter().map(place_of).collect();
        let passes = latest_of_splits(over, meant);
        for pass in &passes {
            let metrics = reader.metrics(&stream).split(&pass.split);
            rows.extend(metrics.epoch(pass.epoch).rows_where(table, filter)?);
        }
        if !passes.is_empty() {
            return Ok(rows.into_iter().collect());
        }
        let others: Vec<PassRecord> = reader.passes(&stream).into_iter().filter(meant).collect();
        if !others.is_empty() && others.iter().all(|pass| pass.table.is_none()) {
            return Err(joins_no_table(reader, &stream, table)?);
        }
        Err(Error::NotFound {
            what: "complete pass over the table",
            name: table.name().to_owned(),
            hint: match (known.is_empty(), others.is_empty()) {
                (false, _) => format!("by split and epoch there are: {}", known.join(", ")),
                (true, false) => "the passes that are meant were collected on other tables".into(),
                (true, true) => "the stream has none".into(),
            },
            place: reader.url(),
        })
    }

    fn is_text(&self, table: &Table, column: &str) -> bool {
        let added = self.add.iter().find(|(name, _)| name == column);
        let field = table.schema().field_with_name(column);
        let is_text =
            |data_type: &arrow_schema::DataType| *data_type == arrow_schema::DataType::Utf8;
        added.is_some_and(|(_, kind)| *kind == ColumnKind::String)
            || field.is_ok_and(|field| is_text(field.data_type()))
    }
}

/// The error for a stream whose `example_id` counts no rows of a table.
fn joins_no_table(reader: &RunReader, stream: &str, table: &Table) -> Result<Error> {
    let mut joined = Vec::new();
    for other in reader.streams() {
        let passes = reader.passes_over(&other, table)?;
        joined.extend((!passes.is_empty()).then_some(other));
    }
    let way_out = match joined.is_empty() {
        true => "collect with the table that the samples are from".to_owned(),
        false => format!("--stream with one that joins it: {}", joined.join(", ")),
    };
    Ok(Error::invalid(
        "stream",
        stream,
        format!(
            "its rows join no table, so that none of `{}` can be chosen by them",
            table.name()
        ),
        way_out,
    ))
}

/// Split and epoch of a pass.
fn place_of(pass: &PassRecord) -> String {
    match pass.epoch {
        Some(epoch) => format!("{} {epoch}", pass.split),
        None => pass.split.clone(),
    }
}

/// The passes that are meant, the last of each split.
fn latest_of_splits(
    mut passes: Vec<PassRecord>,
    meant: impl Fn(&PassRecord) -> bool,
) -> Vec<PassRecord> {
    passes.retain(meant);
    passes.reverse();
    let mut splits = BTreeSet::new();
    passes.retain(|pass| splits.insert(pass.split.clone()));
    passes
}

/// A value as it was written: null, a bool, a number, else text. Of a column of text everything is text
/// but null, and 'null' in quotes is.
fn value(text: &str, is_text: bool) -> Value {
    let quoted = text
        .strip_prefix('\'')
        .and_then(|text| text.strip_suffix('\''));
    if let Some(quoted) = quoted {
        return Value::from(quoted);
    }
    match text {
        "null" => Value::Null,
        text if is_text => Value::from(text),
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        text => match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(whole), _) => Value::Integer(whole),
            (_, Ok(number)) => Value::Float(number),
            _ => Value::from(text),
        },
    }
}

/// Commits an edit, or looks at it, and says what changed.
pub fn report(table: &Table, edit: Edits, is_dry: bool, most: Most) -> Result<Report> {
    let preview = edit.preview()?;
    let (latest, is_new) = match is_dry {
        true => (None, false),
        false => {
            let edited = edit.commit()?;
            (Some(edited.table), edited.is_new)
        }
    };
    let columns = preview
        .columns
        .iter()
        .map(|(column, cells)| (column, cells));
    let name = clean(table.name());
    let counted = changes::counted(columns.clone());
    let (revision, parent) = (latest.as_ref().map(Table::revision), preview.parent);
    let mut text = match (revision, counted.is_empty()) {
        (_, true) if preview.selected == 0 => {
            format!("{name}: no row is meant; nothing to change\n")
        }
        (_, true) => format!("{name}: every cell holds its value already; nothing to change\n"),
        (None, _) => {
            let rows = print::counted(preview.selected, "row is", "rows are");
            format!("{name}@{parent}: {rows} meant; would change {counted}; nothing was changed\n")
        }
        (Some(revision), _) => format!("{name}@{revision}: changed {counted}\n"),
    };
    text.push_str(&changes::text(
        latest.as_ref().unwrap_or(table),
        &preview.changes,
        most,
    ));
    Ok(Report {
        text,
        json: json!({
            "table": table.name(),
            "url": table.url(),
            "parent": parent,
            "revision": revision,
            "is_new": is_new,
            "dry_run": is_dry,
            "selected": preview.selected,
            "rows": preview.rows,
            "columns": changes::counts(columns),
            "changes": changes::json(&preview.changes, most),
        }),
        ..Report::default()
    })
}
