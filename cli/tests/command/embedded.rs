//! Matrices as files, and a run with embeddings that can be reduced.

use std::fs;
use std::path::Path;

use emberlens::run::{MetricsTableWriter, Project};
use emberlens::table::{Column, Columns, Role};
use ndarray::{Array2, ArrayView2};

use crate::example::Example;

/// Twelve rows of five numbers, none of them alike.
pub fn matrix() -> Array2<f32> {
    Array2::from_shape_fn((12, 5), |(row, column)| {
        let group = if row % 3 == 0 { 6.0 } else { 0.0 };
        group + ((row * 7 + column * column * 3) % 11) as f32 * 0.25
    })
}

/// A `.npy` file as NumPy writes it, of a header and the bytes of the values.
pub fn npy(path: &Path, descr: &str, is_fortran: bool, shape: [usize; 2], values: &[u8]) {
    let order = if is_fortran { "True" } else { "False" };
    let [rows, columns] = shape;
    let header =
        format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({rows}, {columns}), }}");
    let header = format!("{header:<117}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values);
    fs::write(path, bytes).unwrap();
}

/// The matrix as `x.npy` in the example's folder.
pub fn matrix_file(example: &Example) -> String {
    let path = example.root().join("x.npy");
    let x = matrix();
    let values: Vec<u8> = x.iter().flat_map(|value| value.to_le_bytes()).collect();
    npy(&path, "<f4", false, [x.nrows(), x.ncols()], &values);
    path.display().to_string()
}

/// Reads what the binary wrote: little-endian f32, row by row.
pub fn read_npy(path: impl AsRef<Path>) -> Array2<f32> {
    let bytes = fs::read(path).unwrap();
    let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = std::str::from_utf8(&bytes[10..10 + length]).unwrap();
    assert!(
        header.contains("'<f4'") && header.contains("False"),
        "{header}"
    );
    let shape = header
        .split_once("'shape': (")
        .unwrap()
        .1
        .split_once(')')
        .unwrap()
        .0;
    let shape: Vec<usize> = shape
        .split(", ")
        .map(|axis| axis.parse().unwrap())
        .collect();
    let values = bytes[10 + length..].chunks_exact(4);
    let values = values.map(|value| f32::from_le_bytes(value.try_into().unwrap()));
    Array2::from_shape_vec((shape[0], shape[1]), values.collect()).unwrap()
}

/// Adds the run `digits/net`: two epochs of `train` (the matrix, at epoch 1 doubled) and `valid`
/// (its first four rows), joined to a table with labels; the one row of `test` has no embedding.
pub fn run(example: &Example) -> String {
    let project = Project::open(&example.root().display().to_string(), "digits").unwrap();
    let labels: Vec<i32> = (0..13).map(|row| i32::from(row % 3 == 0)).collect();
    let labels = Column::from(labels).role(Role::category(["round", "edged"]));
    let table = project
        .create_table("shapes", Columns::new().with("label", labels))
        .unwrap();
    let run = project.run("net").start().unwrap();
    for epoch in 0..2 {
        let x = matrix() * (epoch + 1) as f32;
        for (split, rows) in [("train", 12), ("valid", 4)] {
            let writer = MetricsTableWriter::new(&run).split(split).epoch(epoch);
            let mut writer = writer.foreign_table(&table);
            writer.add_batch(columns(x.view(), rows)).unwrap();
            writer.finalize().unwrap();
        }
        let mut writer = MetricsTableWriter::new(&run).split("test").epoch(epoch);
        let without = Columns::new().with("example_id", vec![12_i64]);
        writer
            .add_batch(without.with("loss", vec![9.0_f32]))
            .unwrap();
        writer.finalize().unwrap();
    }
    run.complete().unwrap();
    run.id().to_owned()
}

fn columns(x: ArrayView2<'_, f32>, rows: usize) -> Columns {
    let first: Vec<usize> = (0..rows).collect();
    let x = x.select(ndarray::Axis(0), &first);
    Columns::new()
        .with("example_id", (0..rows as i64).collect::<Vec<_>>())
        .with(
            "loss",
            (0..rows).map(|row| row as f32 * 0.5).collect::<Vec<_>>(),
        )
        .with("embedding", Column::embedding(x.view()))
}
