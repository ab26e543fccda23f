//! Promise: a dataset that Burn keeps in SQLite becomes a table, item by item.

#![allow(clippy::unwrap_used)]

use burn::data::dataset::{Dataset, SqliteDataset, SqliteDatasetWriter};
use emberlens::storage::Location;
use emberlens::table::{Role, Table};
use emberlens_burn::table_from_dataset;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Sample {
    image: Vec<f32>,
    label: i32,
    note: Option<String>,
}

fn sample(index: usize) -> Sample {
    Sample {
        image: vec![0.1 * index as f32, -0.0, f32::MIN_POSITIVE],
        label: index as i32 % 2,
        note: (index == 3).then(|| "blurred".into()),
    }
}

#[test]
fn items_of_an_sqlite_file_are_rows() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("samples.db");
    let mut writer: SqliteDatasetWriter<Sample> = SqliteDatasetWriter::new(&file, true).unwrap();
    for index in 0..20 {
        writer.write("train", &sample(index)).unwrap();
    }
    writer.set_completed().unwrap();
    let dataset: SqliteDataset<Sample> = SqliteDataset::from_db_file(&file, "train").unwrap();
    assert_eq!(dataset.len(), 20);

    let tables = Location::open("memory://").unwrap().join("tables");
    let roles = [
        ("label", Role::category(["cat", "dog"])),
        ("image", Role::Embedding { width: 3 }),
    ];
    let table: Table = table_from_dataset(&tables, "pets", &dataset, roles).unwrap();
    assert_eq!(table.row_count(), 20);
    let images = table.embedding("image").unwrap();
    let labels = table.column::<i32>("label").unwrap();
    let notes = table.column::<Option<String>>("note").unwrap();
    for index in 0..20 {
        let known = sample(index);
        let found: Vec<u32> = images
            .row(index)
            .iter()
            .map(|value| value.to_bits())
            .collect();
        let bits: Vec<u32> = known.image.iter().map(|value| value.to_bits()).collect();
        assert_eq!(found, bits);
        assert_eq!((labels[index], &notes[index]), (known.label, &known.note));
    }
}
