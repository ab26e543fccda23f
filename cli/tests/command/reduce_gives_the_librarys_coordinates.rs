use std::fs::File;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use emberlens::reduce::quality::neighbor_accuracy;
use emberlens::reduce::{Pca, Reducer};
use emberlens::storage::Location;
use emberlens::table::export::{Existing, Format, to_file};
use emberlens::table::{Column, Columns, DeltaTable};
use ndarray::Array2;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::embedded::{matrix, matrix_file, npy, read_npy};
use crate::example::Example;

/// What the library gives for the matrix.
fn expected() -> Array2<f32> {
    Pca::params()
        .dims(2)
        .fit_transform(matrix().view())
        .unwrap()
        .1
}

fn path(example: &Example, name: &str) -> String {
    example.root().join(name).display().to_string()
}

fn pca(example: &Example, input: &str, more: &[&str]) -> serde_json::Value {
    example.json(&[&["reduce", input, "--method", "pca"], more].concat())
}

fn batch() -> RecordBatch {
    let x = matrix();
    let of = |column: usize| x.column(column).to_vec();
    Columns::new()
        .with("example_id", (100..112_i64).collect::<Vec<_>>())
        .with("a", of(0))
        .with("b", of(1).into_iter().map(f64::from).collect::<Vec<_>>())
        .with("note", vec!["n"; 12])
        .with("embedding", Column::embedding(x.view()))
        .into_batch("test")
        .unwrap()
}

fn read_parquet(path: &str) -> RecordBatch {
    let file = File::open(path).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .unwrap()
        .build();
    reader.unwrap().next().unwrap().unwrap()
}

fn axes(batch: &RecordBatch) -> Array2<f32> {
    let axis = |name: &str| {
        let axis = batch.column_by_name(name).unwrap();
        axis.as_primitive::<Float32Type>().values().to_vec()
    };
    ndarray::stack![
        ndarray::Axis(1),
        ndarray::Array1::from(axis("x")),
        ndarray::Array1::from(axis("y"))
    ]
}

#[test]
fn every_form_of_a_numpy_file_gives_the_same_coordinates() {
    let example = Example::new();
    let x = matrix();
    let by_row: Vec<f32> = x.iter().copied().collect();
    let by_column: Vec<f32> = x.t().iter().copied().collect();
    let little = |values: &[f32]| {
        values
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let wide = |values: &[f32]| {
        values
            .iter()
            .flat_map(|v| f64::from(*v).to_be_bytes())
            .collect::<Vec<u8>>()
    };
    let forms = [
        ("<f4", false, little(&by_row)),
        ("<f4", true, little(&by_column)),
        (">f8", false, wide(&by_row)),
        (">f8", true, wide(&by_column)),
    ];
    for (number, (descr, is_fortran, values)) in forms.iter().enumerate() {
        let (input, out) = (
            path(&example, "x.npy"),
            path(&example, &format!("{number}.npy")),
        );
        npy(input.as_ref(), descr, *is_fortran, [12, 5], values);
        let report = pca(&example, &input, &["-o", &out]);
        assert_eq!((&report["rows"], &report["width"]), (&12.into(), &5.into()));
        assert_eq!(read_npy(&out), expected(), "{descr} {is_fortran}");
    }
}

#[test]
fn parquet_in_and_out_keeps_the_rows_apart() {
    let example = Example::new();
    let (input, out) = (path(&example, "x.parquet"), path(&example, "xy.parquet"));
    let batch = batch();
    to_file(
        input.as_ref(),
        Format::Parquet,
        &batch.schema(),
        [Ok(batch)],
        Existing::Refuse,
    )
    .unwrap();
    pca(&example, &input, &["-o", &out]);
    let read = read_parquet(&out);
    let names: Vec<&str> = read
        .schema_ref()
        .fields()
        .iter()
        .map(|f| f.name().as_str())
        .collect();
    assert_eq!(names, ["example_id", "x", "y"]);
    let ids = read.column(0).as_primitive::<Int64Type>().values().to_vec();
    assert_eq!(ids, (100..112).collect::<Vec<_>>());
    assert_eq!(axes(&read), expected());
}

#[test]
fn columns_of_numbers_make_a_matrix() {
    let example = Example::new();
    let (input, out) = (path(&example, "x.parquet"), path(&example, "xy.npy"));
    let batch = batch();
    to_file(
        input.as_ref(),
        Format::Parquet,
        &batch.schema(),
        [Ok(batch)],
        Existing::Refuse,
    )
    .unwrap();
    pca(&example, &input, &["--column", "b,a", "-o", &out]);
    let two = matrix().select(ndarray::Axis(1), &[1, 0]);
    let expected = Pca::params().dims(2).fit_transform(two.view()).unwrap().1;
    assert_eq!(read_npy(&out), expected);
}

#[test]
fn a_delta_table_is_reduced_by_its_folder_and_its_address() {
    let example = Example::new();
    let folder = path(&example, "delta");
    let batch = batch();
    let table = DeltaTable::create(Location::open(&folder).unwrap(), &batch.schema()).unwrap();
    table.append("w", 0, &[batch]).unwrap();
    for (input, out) in [
        (folder.clone(), "one.parquet"),
        (format!("file://{folder}"), "two.parquet"),
    ] {
        let out = path(&example, out);
        let report = pca(&example, &input, &["-o", &out]);
        assert_eq!(report["kind"], "delta");
        assert_eq!(axes(&read_parquet(&out)), expected());
    }
}

#[test]
fn threads_change_nothing_and_three_dims_have_three_axes() {
    let example = Example::new();
    let input = matrix_file(&example);
    for method in ["pacmap", "umap"] {
        let run = |threads: &str| {
            let out = path(&example, &format!("{method}-{threads}.parquet"));
            let more = [
                "--dims",
                "3",
                "--seed",
                "7",
                "--neighbors",
                "4",
                "--threads",
                threads,
            ];
            let call = ["reduce", &input, "--method", method, "-o", &out];
            let report = example.json(&[&call[..], &more].concat());
            assert_eq!(report["method"], method);
            read_parquet(&out)
        };
        let (one, three) = (run("1"), run("3"));
        assert_eq!(one, three, "{method}");
        assert!(one.column_by_name("z").unwrap().null_count() == 0);
    }
}

#[test]
fn measures_are_printed_when_asked_for() {
    let example = Example::new();
    let input = matrix_file(&example);
    let report = pca(&example, &input, &["--quality", "--dims", "5"]);
    // Five of five dimensions: a rotation, which changes no distance.
    assert!((report["quality"]["trustworthiness"].as_f64().unwrap() - 1.0).abs() < 1e-6);
    let text = example.text(&["reduce", &input, "--method", "pca", "--quality"]);
    assert!(
        text.contains("trustworthiness") && text.contains("neighbor recall"),
        "{text}"
    );
}

#[test]
fn measures_that_need_classes_are_printed_where_there_are_some() {
    let example = Example::new();
    let [matrix_file, labels, wrong] = ["x.npy", "y.npy", "z.npy"].map(|name| path(&example, name));
    let bytes: Vec<u8> = matrix().iter().flat_map(|v| v.to_le_bytes()).collect();
    npy(matrix_file.as_ref(), "<f4", false, [12, 5], &bytes);
    // Three classes: the first lies apart, the others do not.
    let classes: Vec<i64> = (0..12).map(|row| i64::from(row % 3)).collect();
    let bytes: Vec<u8> = classes.iter().flat_map(|v| v.to_le_bytes()).collect();
    npy(labels.as_ref(), "<i8", false, [12, 1], &bytes);
    npy(
        wrong.as_ref(),
        "<f4",
        false,
        [12, 1],
        &0.5_f32.to_le_bytes().repeat(12),
    );
    let [short, large] = ["s.npy", "l.npy"].map(|name| path(&example, name));
    npy(short.as_ref(), "<i2", false, [4, 1], &[0; 8]);
    let beyond = (1_i32 << 24).to_le_bytes().repeat(12);
    npy(large.as_ref(), "<i4", false, [12, 1], &beyond);
    let (x, xy) = (matrix(), expected());
    let of_library = [
        (
            "neighbor_accuracy",
            neighbor_accuracy(xy.view(), &classes, 5),
        ),
        (
            "neighbor_accuracy_of_embeddings",
            neighbor_accuracy(x.view(), &classes, 5),
        ),
    ];
    let names = ["a", "b", "c"].map(str::to_owned);
    let named = classes.iter().map(|&class| names[class as usize].clone());
    let columns = Columns::new().with("embedding", Column::embedding(x.view()));
    let columns = columns.with("kind", named.collect::<Vec<String>>());
    let batch = columns.into_batch("test").unwrap();
    let (parquet, schema) = (path(&example, "x.parquet"), batch.schema());
    let [delta, none] = ["delta", "none"].map(|name| path(&example, name));
    let table = DeltaTable::create(Location::open(&delta).unwrap(), &schema).unwrap();
    table
        .append("test", 0, std::slice::from_ref(&batch))
        .unwrap();
    to_file(
        parquet.as_ref(),
        Format::Parquet,
        &schema,
        [Ok(batch)],
        Existing::Refuse,
    )
    .unwrap();
    for (input, labels) in [
        (&matrix_file, labels.as_str()),
        (&parquet, "kind"),
        (&delta, "kind"),
    ] {
        let quality = &pca(&example, input, &["--quality", "--labels", labels])["quality"];
        for (name, value) in &of_library {
            let found = quality[name].as_f64().unwrap();
            assert!(
                (found - value.as_ref().unwrap()).abs() < 1e-9,
                "{input}: {name}"
            );
        }
        assert!(quality["centroid_triplet_accuracy"].as_f64().is_some());
    }
    for (input, labels, says) in [
        (&matrix_file, wrong.as_str(), "whole number"),
        (&matrix_file, &none, "none"),
        (&matrix_file, &short, "4 labels for 12 rows"),
        (&matrix_file, &large, "16777216"),
        (&parquet, "none", "`none`"),
        (&delta, "embedding", "classes"),
    ] {
        let call = [
            "reduce",
            input,
            "--method",
            "pca",
            "--quality",
            "--labels",
            labels,
        ];
        let output = example.emberlens(&call);
        assert_eq!(output.status.code(), Some(1), "{input} {labels}");
        let text = crate::example::stderr(&output);
        assert!(text.contains(says), "{text}");
    }
}

#[test]
fn a_kept_model_places_the_same_rows_to_the_same_bits() {
    let example = Example::new();
    let input = matrix_file(&example);
    let [first, second, model] = ["1.npy", "2.npy", "m.bin"].map(|name| path(&example, name));
    pca(&example, &input, &["-o", &first, "--save", &model]);
    let report = example.json(&["reduce", &input, "--with", &model, "-o", &second]);
    assert_eq!(report["method"], "pca");
    assert_eq!(read_npy(&first), read_npy(&second));
}

#[test]
fn a_sample_is_fitted_and_the_others_are_placed() {
    let example = Example::new();
    let input = matrix_file(&example);
    let [out, again, model] = ["1.npy", "2.npy", "m.bin"].map(|name| path(&example, name));
    let report = pca(
        &example,
        &input,
        &["--fit-sample", "6", "-o", &out, "--save", &model],
    );
    assert_eq!(
        (&report["fitted_rows"], &report["rows"]),
        (&6.into(), &12.into())
    );
    // For PCA a fitted row lies where the projection places it.
    example.json(&["reduce", &input, "--with", &model, "-o", &again]);
    assert_eq!(read_npy(&out), read_npy(&again));
    assert_ne!(read_npy(&out), expected());
}

#[test]
fn a_bad_row_has_its_own_number_when_a_sample_is_fitted() {
    let example = Example::new();
    let input = path(&example, "nan.npy");
    for bad in 0..12 {
        let mut x = matrix();
        x[[bad, 1]] = f32::NAN;
        let bytes: Vec<u8> = x.iter().flat_map(|value| value.to_le_bytes()).collect();
        npy(input.as_ref(), "<f4", false, [12, 5], &bytes);
        let model = path(&example, "m.bin");
        let call = [
            "reduce",
            &input,
            "--method",
            "pca",
            "--fit-sample",
            "6",
            "--save",
            &model,
        ];
        let text = crate::example::stderr(&example.emberlens(&call));
        assert!(text.contains(&format!("row {bad}, column 1")), "{text}");
    }
}

#[test]
fn integers_that_float32_cannot_tell_apart_are_told() {
    // The second are equal as float64 already.
    for base in [10_i64.pow(15), 10_i64.pow(18)] {
        told_apart_by_nobody(&Example::new(), base);
    }
}

fn told_apart_by_nobody(example: &Example, base: i64) {
    let input = path(example, "i.npy");
    let bytes: Vec<u8> = (0..60_i64).flat_map(|k| (base + k).to_le_bytes()).collect();
    npy(input.as_ref(), "<i8", false, [12, 5], &bytes);
    let ids: Vec<i64> = (0..12).map(|k| base + k).collect();
    let table = path(example, "i.parquet");
    let batch = Columns::new().with("a", ids).into_batch("test").unwrap();
    let (format, schema) = (Format::Parquet, batch.schema());
    to_file(
        table.as_ref(),
        format,
        &schema,
        [Ok(batch)],
        Existing::Refuse,
    )
    .unwrap();
    let measure = ["--quality", "--method", "pca", "--dims", "1"];
    for input in [&[input.as_str()][..], &[&table, "--column", "a"]] {
        let call = [&["reduce"], input, &measure].concat();
        let text = crate::example::stderr(&example.emberlens(&call));
        assert!(text.contains("all equal as float32"), "{text}");
    }
}

#[test]
fn integers_are_reduced_as_the_same_numbers_in_floats_are() {
    let example = Example::new();
    let [floats, integers, one, other] =
        ["f.npy", "i.npy", "1.npy", "2.npy"].map(|name| path(&example, name));
    let x = matrix().mapv(|value| (value * 4.0).round());
    let bytes: Vec<u8> = x.iter().flat_map(|value| value.to_le_bytes()).collect();
    npy(floats.as_ref(), "<f4", false, [12, 5], &bytes);
    let bytes: Vec<u8> = x
        .iter()
        .flat_map(|&value| (value as i16).to_be_bytes())
        .collect();
    npy(integers.as_ref(), ">i2", false, [12, 5], &bytes);
    pca(&example, &floats, &["-o", &one]);
    pca(&example, &integers, &["-o", &other]);
    assert_eq!(read_npy(one), read_npy(other));
}

#[test]
fn values_that_float32_cannot_hold_are_told() {
    let example = Example::new();
    let [input, out] = ["x.npy", "xy.npy"].map(|name| path(&example, name));
    let reduce = |value: &dyn Fn(usize) -> f64| {
        let bytes: Vec<u8> = (0..60).flat_map(|k| value(k).to_le_bytes()).collect();
        npy(input.as_ref(), "<f8", false, [12, 5], &bytes);
        let call = ["reduce", &input, "--method", "pca", "-o", &out, "--force"];
        let output = example.emberlens(&call);
        (output.status.code(), crate::example::stderr(&output))
    };
    let (code, text) = reduce(&|k| if k == 7 { 1e-60 } else { (k * k % 13) as f64 });
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("count as 0") && text.contains("row 1, column 2"));
    let (code, text) = reduce(&|k| 1e12 + k as f64);
    assert_eq!(code, Some(1));
    assert!(text.contains("all equal as float32"), "{text}");
    let (code, text) = reduce(&|k| if k == 7 { -1e60 } else { k as f64 });
    assert_eq!(code, Some(1));
    assert!(text.contains("row 1, column 2"), "{text}");
}
