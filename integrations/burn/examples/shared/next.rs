//! What one can do next with a run: command lines of which every one works.

#![allow(dead_code, reason = "every example prints some of these")]

use emberlens::run::RunReader;
use emberlens::table::Table;

use crate::program::Failure;

/// Collects command lines for a run, and leaves out those that would find nothing.
pub struct Next<'a> {
    run: &'a RunReader,
    /// What its validation is joined to.
    table: Option<Table>,
    /// The beginning of every line; `None` where the run ends with this process.
    cli: Option<String>,
    lines: String,
}

impl<'a> Next<'a> {
    /// Lines for a run of `project` below the root that was asked for.
    pub fn new(run: &'a RunReader, root: Option<&str>, project: &str) -> Result<Self, Failure> {
        let validation = run.latest_pass("default", "valid");
        let table = match validation.and_then(|pass| pass.table) {
            Some(input) => Some(run.input_table(&input)?),
            None => None,
        };
        let root = root.map(|root| format!(" --root {}", quoted(root)));
        let root = root.unwrap_or_default();
        let cli = run
            .location()
            .local_path()
            .map(|_| format!("cargo run --release --bin emberlens --{root} --project {project}"));
        Ok(Self {
            run,
            table,
            cli,
            lines: String::new(),
        })
    }

    /// Whether the table of the validation has all of these columns.
    pub fn has(&self, columns: &[&str]) -> bool {
        let mut schemas = self.table.iter().map(|table| table.schema());
        schemas.any(|schema| columns.iter().all(|column| schema.index_of(column).is_ok()))
    }

    /// A line that needs no rows.
    pub fn add(mut self, arguments: &str) -> Self {
        if let Some(cli) = &self.cli {
            self.lines += &format!("  {cli} {arguments}\n");
        }
        self
    }

    /// A line that is left out unless `works`.
    pub fn add_where(self, works: bool, arguments: &str) -> Self {
        match works {
            true => self.add(arguments),
            false => self,
        }
    }

    /// `emberlens top` over the rows of one stream and split, where there are some.
    pub fn top(self, stream: &str, split: &str, by: &str, more: &str) -> Self {
        let mut passes = self.run.passes(stream).into_iter();
        let has_rows = passes.any(|pass| pass.split == split && pass.rows > 0);
        let of_stream = match stream {
            "default" => String::new(),
            other => format!(" --stream {other}"),
        };
        let run = self.run.name();
        let line = format!("top {run} --by {by}{of_stream} --split {split} {more}");
        self.add_where(has_rows, line.trim_end())
    }

    /// `emberlens export` of a stream that has rows.
    pub fn export(self, stream: &str, file: &str) -> Self {
        let has_rows = self.run.passes(stream).iter().any(|pass| pass.rows > 0);
        let line = format!("export {} --stream {stream} -o {file}", self.run.name());
        self.add_where(has_rows, &line)
    }

    /// `emberlens export` of the table of the validation as a COCO file.
    pub fn export_coco(self, file: &str) -> Self {
        match &self.table {
            Some(table) => {
                let name = quoted(table.name());
                let line = format!("export --table {name} --format coco -o {file}");
                self.add(&line)
            }
            None => self,
        }
    }

    /// `emberlens plot embedding` of a column that has coordinates.
    pub fn plot(self, column: &str, arguments: &str) -> Self {
        let projections = self.run.projections();
        let mut of_column = projections.iter().filter(|found| found.column == column);
        let (run, found) = (self.run.name(), of_column.next());
        let line = match found.filter(|_| projections.len() > 1) {
            Some(found) => format!(
                "plot embedding {run} --projection {} {arguments}",
                found.name
            ),
            None => format!("plot embedding {run} {arguments}"),
        };
        self.add_where(found.is_some(), &line)
    }

    /// A line for Python that reads the Delta table in a folder.
    pub fn read_delta(mut self, folder: &str) -> Self {
        if self.cli.is_some() {
            let literal = folder.replace('\\', r"\\").replace('"', "\\\"");
            let code = format!("import polars; print(polars.read_delta(\"{literal}\"))");
            self.lines += &format!("  python -c {}\n", quoted(&code));
        }
        self
    }

    /// The lines for another run after these.
    pub fn and(mut self, other: Self) -> Self {
        self.lines += &other.lines;
        self
    }

    /// The lines under their heading; nothing without one.
    pub fn render(self) -> String {
        match self.lines.is_empty() {
            true => String::new(),
            false => format!("\nnext:\n{}", self.lines),
        }
    }
}

/// A text as one word of a shell.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-:~".contains(c);
    match text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}
