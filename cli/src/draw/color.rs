//! Colours of the points: a column of the run's metrics, of the tables they join, or the split.

use std::collections::HashMap;

use arrow_schema::Schema;
use emberlens::run::{PassRecord, RunReader};
use emberlens::table::{Table, values};
use emberlens::{Error, Result};

use super::column::{Values, is_usable};
use super::points::Points;
use crate::find::label_column;
use crate::plot::{Color, OnTop};

/// The column that says where a point belongs.
const SPLIT: &str = "split";

/// Columns of which low values are the ones to look at.
const LOW_MATTERS: [&str; 7] = [
    "confidence",
    "margin",
    "accuracy",
    "iou",
    "mean_iou",
    "pixel_accuracy",
    "token_accuracy",
];

/// Finds the colours of points.
pub struct Painter<'a> {
    pub reader: &'a RunReader,
    pub stream: &'a str,
    pub points: &'a Points,
}

/// Colours as they are put together, table by table.
#[derive(Default)]
struct Canvas {
    names: Vec<String>,
    codes: Vec<Option<u32>>,
    numbers: Vec<f32>,
    has_numbers: bool,
}

impl Painter<'_> {
    /// The label, else the predicted class, else the split; with its name.
    pub fn by_default(&self, notes: &mut Vec<String>) -> (Color, Option<String>) {
        for column in [label_column(self.reader), "predicted"] {
            match self.find(column) {
                Ok(Some(color)) => return (color, Some(column.to_owned())),
                Ok(None) => {}
                Err(error) => notes.push(format!("no colours by {column}: {}", error.chain())),
            }
        }
        match self.points.splits().len() {
            0 | 1 => (Color::None, None),
            _ => (self.by_split(), Some(SPLIT.to_owned())),
        }
    }

    /// The colours by a column.
    ///
    /// # Errors
    /// `MissingColumn` with the columns that can give colours.
    pub fn by(&self, column: &str) -> Result<Color> {
        if column == SPLIT {
            return Ok(self.by_split());
        }
        match self.find(column)? {
            Some(color) => Ok(color),
            None => Err(Error::MissingColumn {
                column: column.to_owned(),
                place: format!("what can colour run `{}`", self.reader.id()),
                available: self.available()?,
            }),
        }
    }

    fn find(&self, column: &str) -> Result<Option<Color>> {
        let metrics = self.reader.metrics(self.stream).batches()?;
        if usable(metrics.schema()).any(|name| name == column) {
            return self.of_metrics(column).map(Some);
        }
        self.of_tables(column)
    }

    fn by_split(&self) -> Color {
        let names = self.points.splits();
        let code = |split: &String| names.binary_search(&split.as_str()).ok();
        Color::Categories {
            title: SPLIT.to_owned(),
            codes: self
                .points
                .split
                .iter()
                .map(|split| code(split).map(|code| code as u32))
                .collect(),
            names: names.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    /// Joins by pass and example; of a sample that was drawn repeatedly, the k-th row to the k-th.
    fn of_metrics(&self, column: &str) -> Result<Color> {
        let of_epoch = self.reader.metrics(self.stream).epoch(self.points.epoch);
        let batch = of_epoch
            .columns(&["example_id", "pass_id", column])
            .read()?;
        let passes = values::<Option<String>>(&batch, "pass_id")?;
        let ids = values::<Option<i64>>(&batch, "example_id")?;
        let mut rows: HashMap<(&str, i64), Vec<usize>> = HashMap::new();
        for (row, (pass, id)) in passes.iter().zip(&ids).enumerate() {
            if let (Some(pass), Some(id)) = (pass, id) {
                rows.entry((pass, *id)).or_default().push(row);
            }
        }
        let mut seen: HashMap<(&str, i64), usize> = HashMap::new();
        let pairs = self.points.pass.iter().zip(&self.points.example_id);
        let joined = pairs.map(|(pass, id)| {
            let key = (pass.as_str(), (*id)?);
            let rows = rows.get(&key)?;
            let seen = seen.entry(key).or_default();
            let row = rows.get(*seen).or(rows.last()).copied();
            *seen += 1;
            row
        });
        let joined: Vec<Option<usize>> = joined.collect();
        let mut canvas = Canvas::of(self.points.len());
        let failed = |error| Error::storage("reading the colours", self.reader.url(), error);
        if let Some(values) = Values::of(&batch, column).map_err(failed)? {
            canvas.add(&values, joined.iter().copied().enumerate());
        }
        Ok(canvas.color(column))
    }

    /// Joins by the row number that `example_id` is; `None` when no table has the column.
    fn of_tables(&self, column: &str) -> Result<Option<Color>> {
        let mut canvas = Canvas::of(self.points.len());
        let mut is_found = false;
        for (pass, table) in self.tables()? {
            if !usable(table.schema()).any(|name| name == column) {
                continue;
            }
            let batch = table.snapshot().read(Some(&[column]))?;
            let failed = |error| Error::storage("reading the colours", table.url(), error);
            let Some(values) = Values::of(&batch, column).map_err(failed)? else {
                continue;
            };
            is_found = true;
            let of_pass = self
                .points
                .pass
                .iter()
                .zip(&self.points.example_id)
                .enumerate();
            let of_pass = of_pass.filter(|(_, (id, _))| **id == pass.pass_id);
            let rows = of_pass.map(|(point, (_, id))| {
                let row = id.and_then(|id| usize::try_from(id).ok());
                (point, row.filter(|row| *row < batch.num_rows()))
            });
            canvas.add(&values, rows);
        }
        Ok(is_found.then(|| canvas.color(column)))
    }

    /// The passes of the epoch that join to a table, and these.
    fn tables(&self) -> Result<Vec<(PassRecord, Table)>> {
        let mut passes = self.reader.passes(self.stream);
        passes.retain(|pass| self.points.pass.contains(&pass.pass_id));
        let mut tables = Vec::new();
        for pass in passes {
            if let Some(input) = &pass.table {
                let table = self.reader.input_table(input)?;
                tables.push((pass, table));
            }
        }
        Ok(tables)
    }

    fn available(&self) -> Result<String> {
        let metrics = self.reader.metrics(self.stream).batches()?;
        let mut names: Vec<String> = usable(metrics.schema()).map(str::to_owned).collect();
        for (_, table) in self.tables()? {
            names.extend(
                usable(table.schema()).map(|name| format!("{name} (table {})", table.name())),
            );
        }
        let mut seen = std::collections::HashSet::new();
        names.retain(|name| seen.insert(name.clone()));
        Ok(names.join(", "))
    }
}

impl Canvas {
    fn of(points: usize) -> Self {
        Self {
            codes: vec![None; points],
            numbers: vec![f32::NAN; points],
            ..Self::default()
        }
    }

    /// Takes the value of a row for each point; classes of several tables meet by their names.
    fn add(&mut self, values: &Values, rows: impl Iterator<Item = (usize, Option<usize>)>) {
        match values {
            Values::Numbers(numbers) => {
                self.has_numbers = true;
                for (point, row) in rows {
                    if let Some(number) = row.and_then(|row| numbers.get(row)) {
                        self.numbers[point] = *number;
                    }
                }
            }
            Values::Classes(names, codes) => {
                let places: Vec<u32> = names.iter().map(|name| self.place(name)).collect();
                for (point, row) in rows {
                    let code = row.and_then(|row| *codes.get(row)?);
                    self.codes[point] = code.and_then(|code| places.get(code as usize).copied());
                }
            }
        }
    }

    fn place(&mut self, name: &str) -> u32 {
        let known = self.names.iter().position(|known| known == name);
        let place = known.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        place as u32
    }

    fn color(self, column: &str) -> Color {
        match self.has_numbers {
            true => Color::Values {
                title: column.to_owned(),
                values: self.numbers,
                on_top: match LOW_MATTERS.contains(&column) {
                    true => OnTop::Low,
                    false => OnTop::High,
                },
            },
            false => Color::Categories {
                title: column.to_owned(),
                names: self.names,
                codes: self.codes,
            },
        }
    }
}

/// The columns that can give colours.
fn usable(schema: &Schema) -> impl Iterator<Item = &str> {
    let keys = ["example_id", "pass_id", "epoch"];
    let fields = schema.fields().iter();
    let fields = fields.filter(move |field| !keys.contains(&field.name().as_str()));
    fields
        .filter(|field| is_usable(field.data_type()))
        .map(|field| field.name().as_str())
}
