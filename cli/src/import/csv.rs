//! `emberlens import csv`.

use std::path::PathBuf;

use arrow_schema::DataType;
use clap::Args;
use emberlens::Result;
use emberlens::table::Role;
use emberlens::table::import::{CsvOptions, csv_with};

use super::target::Target;
use crate::find::Place;
use crate::print::Report;

#[derive(Args)]
pub struct Csv {
    /// File with a header line
    #[arg(value_name = "FILE")]
    path: PathBuf,

    #[command(flatten)]
    target: Target,

    /// Character between fields; for a tab \t [default: ,]
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    delimiter: Option<u8>,

    /// The first line is a record too; columns are column_1, column_2, ...
    #[arg(long)]
    no_header: bool,

    /// Columns of class names, to be kept as indices into the names; separate them by commas
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    category: Vec<String>,

    /// Columns to keep as text where the type would be guessed otherwise
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    text: Vec<String>,

    /// Column of sample weights
    #[arg(long, value_name = "COLUMN")]
    weight: Option<String>,

    /// Skip records that cannot be read and say how many, instead of failing
    #[arg(long)]
    lenient: bool,
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"\\t" => Ok(b'\t'),
        [one] if one.is_ascii() && !matches!(one, b'"' | b'\n' | b'\r') => Ok(*one),
        _ => Err("give one character, for example ; or \\t".into()),
    }
}

impl Csv {
    pub fn run(&self, place: &Place) -> Result<Report> {
        let mut options = CsvOptions::new()
            .header(!self.no_header)
            .lenient(self.lenient);
        if let Some(delimiter) = self.delimiter {
            options = options.delimiter(delimiter);
        }
        for column in &self.text {
            options = options.column_type(column, DataType::Utf8);
        }
        for column in &self.category {
            // What looks like numbers may be names all the same.
            options = options
                .column_type(column, DataType::Utf8)
                .role(column, Role::category(Vec::<String>::new()));
        }
        if let Some(column) = &self.weight {
            options = options.role(column, Role::Weight);
        }
        self.target.import(place, |folder, name| {
            csv_with(folder, name, &self.path, &options)
        })
    }
}
