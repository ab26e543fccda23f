use std::fs;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use crate::example::{Example, TRAIN_LOSSES, VALID_LOSSES, stderr};

/// All collected losses as bits, so that NaN can be compared.
fn collected() -> Vec<u32> {
    let of_epoch = |epoch: usize| TRAIN_LOSSES[epoch].into_iter().chain(VALID_LOSSES[epoch]);
    of_epoch(0).chain(of_epoch(1)).map(f32::to_bits).collect()
}

fn export(example: &Example, name: &str) -> String {
    let file = example.root().join(name).display().to_string();
    let report = example.json(&["export", "cnn", "--stream", "default", "-o", &file]);
    assert_eq!(
        (&report["rows"], &report["passes"]),
        (&12.into(), &4.into())
    );
    file
}

#[test]
fn parquet_holds_the_rows_of_complete_passes() {
    let example = Example::new();
    let file = fs::File::open(export(&example, "rows.parquet")).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .unwrap()
        .build()
        .unwrap();
    let (mut losses, mut ids) = (Vec::new(), 0);
    for batch in reader {
        let batch = batch.unwrap();
        let loss = batch
            .column_by_name("loss")
            .unwrap()
            .as_primitive::<Float32Type>();
        losses.extend(loss.values().iter().map(|value| value.to_bits()));
        let id = batch
            .column_by_name("example_id")
            .unwrap()
            .as_primitive::<Int64Type>();
        ids += id.values().iter().sum::<i64>();
    }
    assert_eq!(losses, collected());
    assert_eq!(ids, 2 * (1 + 2 + 3) + 2);
}

#[test]
fn json_lines_hold_every_value() {
    let example = Example::new();
    let text = fs::read_to_string(export(&example, "rows.jsonl")).unwrap();
    let rows: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let losses = rows.iter().map(|row| match row["loss"].as_f64() {
        Some(loss) => (loss as f32).to_bits(),
        None => {
            assert_eq!(row["loss"], "NaN");
            f32::NAN.to_bits()
        }
    });
    assert_eq!(losses.collect::<Vec<_>>(), collected());
    assert_eq!(rows[0]["embedding"], serde_json::json!([0.5, "NaN"]));
}

#[test]
fn csv_holds_every_value_and_nested_ones_as_json() {
    let example = Example::new();
    let text = fs::read_to_string(export(&example, "rows.csv")).unwrap();
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let loss = header.iter().position(|name| *name == "loss").unwrap();
    let losses: Vec<u32> = lines
        .clone()
        .map(|line| {
            line.split(',')
                .nth(loss)
                .unwrap()
                .parse::<f32>()
                .unwrap()
                .to_bits()
        })
        .collect();
    assert_eq!(losses, collected());
    assert!(
        lines.next().unwrap().contains(r#""[0.5,""NaN""]""#),
        "{text}"
    );
}

#[test]
fn incomplete_passes_are_told() {
    let example = Example::new();
    let file = example.root().join("rows.csv").display().to_string();
    let output = example.emberlens(&["export", "cnn", "-o", &file]);
    assert!(
        stderr(&output).contains("incomplete pass: valid, epoch 2"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_file_is_replaced_only_by_force() {
    let example = Example::new();
    let file = example.root().join("rows.csv");
    fs::write(&file, "mine").unwrap();
    let name = file.display().to_string();
    let output = example.emberlens(&["export", "cnn", "-o", &name]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    assert!(stderr(&output).contains("--force"), "{}", stderr(&output));
    example.text(&["export", "cnn", "-o", &name, "--force"]);
    assert!(fs::read_to_string(&file).unwrap().contains("example_id"));
}
