//! `emberlens import parquet`.

use std::path::PathBuf;

use clap::Args;
use emberlens::Result;
use emberlens::table::Role;
use emberlens::table::import::{ParquetOptions, parquet_with};

use super::target::Target;
use crate::find::Place;
use crate::print::Report;

#[derive(Args)]
pub struct Parquet {
    /// File, uncompressed or with Snappy or Zstandard
    #[arg(value_name = "FILE")]
    path: PathBuf,

    #[command(flatten)]
    target: Target,

    /// Columns of class names, to be kept as indices into the names; separate them by commas
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    category: Vec<String>,

    /// Column of sample weights
    #[arg(long, value_name = "COLUMN")]
    weight: Option<String>,
}

impl Parquet {
    pub fn run(&self, place: &Place) -> Result<Report> {
        let mut options = ParquetOptions::new();
        for column in &self.category {
            options = options.role(column, Role::category(Vec::<String>::new()));
        }
        if let Some(column) = &self.weight {
            options = options.role(column, Role::Weight);
        }
        self.target.import_whole(place, |folder, name| {
            parquet_with(folder, name, &self.path, &options)
        })
    }
}
