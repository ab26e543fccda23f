//! What commands print: aligned tables for people, JSON for programs, notes for both.

use std::env;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::{Command, Stdio};

use arrow_array::temporal_conversions::timestamp_s_to_datetime;
use emberlens::{Error, Result};
use serde_json::Value;

/// The outcome of a command in both forms.
#[derive(Default)]
pub struct Report {
    /// For people.
    pub text: String,
    /// For programs.
    pub json: Value,
    /// What else should be known; goes to standard error.
    pub notes: Vec<String>,
    /// Why the command failed although it has something to print.
    pub failure: Option<Error>,
}

impl Report {
    /// Prints the text, or the JSON, and the notes.
    ///
    /// # Errors
    /// `Storage` when standard output cannot be written (a reader that went away is no error), and the
    /// command's own failure.
    pub fn print(self, json: bool) -> Result<()> {
        for note in &self.notes {
            to_stderr(&format!("note: {note}"));
        }
        let text = if json {
            format!("{:#}\n", self.json)
        } else {
            fit(&self.text, terminal_width())
        };
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            // `emberlens ls | head` has what it wanted.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            outcome => {
                outcome.map_err(|error| Error::storage("printing", "standard output", error))?;
            }
        }
        self.failure.map_or(Ok(()), Err)
    }
}

/// Prints one line to standard error; nobody can be told when that fails.
pub fn to_stderr(line: &str) {
    let _ = writeln!(io::stderr(), "{}", clean(line));
}

/// Prints an error and its causes: one line, of several errors one each, and of a filter also its text
/// with a mark below it.
pub fn error(error: &Error) {
    match error {
        Error::Several { problems } => problems.iter().for_each(self::error),
        Error::Filter { .. } => {
            let text = format!("error: {}", error.chain());
            text.lines().for_each(to_stderr);
        }
        _ => to_stderr(&format!("error: {}", error.chain())),
    }
}

/// Where the text of a column stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

/// Rows of text in aligned columns.
pub struct Table {
    headers: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headers; those that start with `>` stand for right-aligned columns.
    pub fn new<H: AsRef<str>>(headers: impl IntoIterator<Item = H>) -> Self {
        let headers = headers
            .into_iter()
            .map(|header| match header.as_ref().strip_prefix('>') {
                Some(right) => (clean(right), Align::Right),
                None => (clean(header.as_ref()), Align::Left),
            });
        Self {
            headers: headers.collect(),
            rows: Vec::new(),
        }
    }

    /// A table of left-aligned columns without headers.
    pub fn plain(columns: usize) -> Self {
        Self {
            headers: vec![(String::new(), Align::Left); columns],
            rows: Vec::new(),
        }
    }

    /// Adds a row, one cell a column.
    pub fn push(&mut self, cells: Vec<String>) {
        self.rows
            .push(cells.iter().map(|cell| clean(cell)).collect());
    }

    /// The lines of the table, each after `indent` spaces.
    pub fn render(&self, indent: usize) -> String {
        let width_of = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            let header = self.headers.get(column).map(|(header, _)| header);
            cells
                .chain(header)
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.headers.len()).map(width_of).collect();
        let headers: Vec<String> = self
            .headers
            .iter()
            .map(|(header, _)| header.clone())
            .collect();
        let headers = Some(&headers).filter(|row| row.iter().any(|header| !header.is_empty()));
        let mut text = String::new();
        for row in headers.into_iter().chain(&self.rows) {
            let mut line = " ".repeat(indent);
            for ((cell, width), (_, align)) in row.iter().zip(&widths).zip(&self.headers) {
                let padding = " ".repeat(width - cell.chars().count());
                match align {
                    Align::Left => line.extend([cell.as_str(), &padding, "  "]),
                    Align::Right => line.extend([padding.as_str(), cell, "  "]),
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// So many things, in words: `1 row`, `3 rows`.
pub fn counted(count: impl TryInto<u64>, one: &str, more: &str) -> String {
    match count.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {one}"),
        count => format!("{count} {more}"),
    }
}

/// A name for a list: long ones end in an ellipsis, so that one of them does not widen all lines.
pub fn shortened(name: &str) -> String {
    const LONGEST: usize = 48;
    match name.char_indices().nth(LONGEST) {
        None => name.to_owned(),
        Some(_) => name.chars().take(LONGEST - 1).chain(['…']).collect(),
    }
}

/// A number for people: about five digits, whole numbers without a fraction.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || !value.is_finite() || (value.fract() == 0.0 && size < 1e9) {
        format!("{value}")
    } else if (1e-3..1e6).contains(&size) {
        format!("{value:.4}")
    } else {
        format!("{value:.3e}")
    }
}

/// One column of numbers for people: whole numbers, or the same number of decimals in every cell.
pub fn numbers(values: &[Option<f64>]) -> Vec<String> {
    let whole = |value: &f64| value.fract() == 0.0 || !value.is_finite();
    let all_whole = values.iter().flatten().all(whole);
    let cell = |value: f64| match value {
        value if value.fract() == 0.0 && !all_whole && value.abs() < 1e6 => format!("{value:.4}"),
        value => number(value),
    };
    values
        .iter()
        .map(|value| value.map_or_else(String::new, cell))
        .collect()
}

/// Microseconds since 1970 as `2026-11-21 01:10:22 UTC`.
pub fn time(us: i64) -> String {
    match timestamp_s_to_datetime(us.div_euclid(1_000_000)) {
        Some(time) => format!("{time} UTC"),
        None => format!("{us} us"),
    }
}

/// Text without control characters, which could otherwise drive the reader's terminal.
pub fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            cleaned.extend(character.escape_default());
        } else {
            cleaned.push(character);
        }
    }
    cleaned
}

/// Cuts lines to `width`, marking the cut.
fn fit(text: &str, width: Option<usize>) -> String {
    let Some(width) = width.filter(|width| *width > 1) else {
        return text.to_owned();
    };
    let mut fitted = String::with_capacity(text.len());
    for line in text.lines() {
        match line.char_indices().nth(width) {
            Some(_) => {
                let kept: String = line.chars().take(width - 1).collect();
                let _ = writeln!(fitted, "{kept}…");
            }
            None => fitted.extend([line, "\n"]),
        }
    }
    fitted
}

/// Columns of the terminal that standard output is; `None` when it is a pipe or a file.
fn terminal_width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    let set = env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    set.or_else(width_by_stty)
}

/// Asks `stty`, since the standard library cannot ask the terminal.
fn width_by_stty() -> Option<usize> {
    let output = Command::new("stty")
        .arg("size")
        .stdin(File::open("/dev/tty").ok()?)
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_have_no_tail() {
        let mut table = Table::new(["name", ">rows"]);
        table.push(vec!["a".into(), "1000".into()]);
        table.push(vec!["émile".into(), "7".into()]);
        assert_eq!(
            table.render(1),
            " name   rows\n a      1000\n émile     7\n"
        );
    }

    #[test]
    fn a_terminal_sees_no_control_characters() {
        assert_eq!(clean("a\u{1b}[31m\nb"), "a\\u{1b}[31m\\nb");
    }

    #[test]
    fn lines_are_cut_to_the_terminal_and_only_there() {
        assert_eq!(fit("abcdef\nabc\n", Some(4)), "abc…\nabc\n");
        assert_eq!(fit("abcdef\n", None), "abcdef\n");
    }

    #[test]
    fn a_column_of_numbers_has_one_form() {
        assert_eq!(
            numbers(&[Some(1.0), Some(0.5), None]),
            ["1.0000", "0.5000", ""]
        );
        assert_eq!(
            numbers(&[Some(1.0), Some(f64::NAN), Some(20.0)]),
            ["1", "NaN", "20"]
        );
    }

    #[test]
    fn times_are_utc_to_the_second() {
        // date -u -d @1795223422
        assert_eq!(time(1_795_223_422_999_999), "2026-11-21 01:10:22 UTC");
    }

    #[test]
    fn numbers_are_short_and_say_what_is_not_finite() {
        let texts = [
            0.0,
            3.0,
            0.123_456,
            1.5e-7,
            2.5e7 + 0.5,
            f64::NAN,
            f64::NEG_INFINITY,
        ];
        let printed = texts.map(number);
        assert_eq!(
            printed,
            ["0", "3", "0.1235", "1.500e-7", "2.500e7", "NaN", "-inf"]
        );
    }
}
