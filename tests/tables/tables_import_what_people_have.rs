//! Promise: CSV and Parquet files become tables with the same values, and what cannot
//! be imported is named with its place and leaves no table behind.

#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{FixedSizeListBuilder, Float32Builder};
use arrow_array::types::Int8Type;
use arrow_array::{
    ArrayRef, Decimal128Array, DictionaryArray, LargeStringArray, RecordBatch,
    TimestampMillisecondArray, UInt32Array, UInt64Array,
};
use emberlens::storage::Location;
use emberlens::table::import::{
    CsvOptions, Imported, ParquetOptions, SkipReason, csv, csv_with, parquet, parquet_with,
};
use emberlens::table::{Column, Columns, Role, Table};
use emberlens::{Error, ErrorKind};
use parquet::arrow::ArrowWriter;
use tempfile::TempDir;

fn tables() -> Location {
    Location::open("memory://").unwrap().join("tables")
}

fn file(folder: &TempDir, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    path
}

/// Category names that the file itself tells.
fn any_class() -> Role {
    Role::category(Vec::<String>::new())
}

#[test]
fn a_csv_as_spreadsheets_and_pandas_write_it() {
    let folder = TempDir::new().unwrap();
    // A byte-order mark, Windows line ends, an index column without a name, units in a header,
    // quoted delimiters and line ends, an empty field, NaN and infinity.
    let text = "\u{feff},length (cm),species,note,good,seen\r\n\
        0,1.5,setosa,\"a, b\",true,2024-05-01\r\n\
        1,NaN,virginica,\"line 1\nline 2\",false,2024-05-02\r\n\
        2,-inf,setosa,größe,true,\r\n";
    let path = file(&folder, "flowers.csv", text);
    let options = CsvOptions::new()
        .role("species", any_class())
        .role("", Role::Id);
    let table = csv_with(&tables(), "flowers", &path, &options)
        .unwrap()
        .table;

    assert_eq!((table.row_count(), table.revision()), (3, 0));
    assert_eq!(table.column::<i64>("column_1").unwrap(), [0, 1, 2]);
    let lengths = table.column::<f64>("length_cm").unwrap();
    assert!(lengths[0] == 1.5 && lengths[1].is_nan() && lengths[2] == f64::NEG_INFINITY);
    assert_eq!(table.column::<i32>("species").unwrap(), [0, 1, 0]);
    assert_eq!(
        table.category_names("species").unwrap(),
        ["setosa", "virginica"]
    );
    let notes = table.column::<String>("note").unwrap();
    assert_eq!(notes, ["a, b", "line 1\nline 2", "größe"]);
    assert_eq!(table.column::<bool>("good").unwrap(), [true, false, true]);
    assert_eq!(
        table.column::<Option<String>>("note").unwrap()[0].as_deref(),
        Some("a, b")
    );
    assert_eq!(table.role("column_1"), Some(Role::Id));
}

#[test]
fn csv_options_take_other_dialects() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder, "zip.csv", "01234;0.5\n98765;\n");
    let options = CsvOptions::new()
        .delimiter(b';')
        .header(false)
        .column_type("column_1", arrow_schema::DataType::Utf8);
    let table = csv_with(&tables(), "zip", &path, &options).unwrap().table;
    assert_eq!(
        table.column::<String>("column_1").unwrap(),
        ["01234", "98765"]
    );
    assert_eq!(
        table.column::<Option<f64>>("column_2").unwrap(),
        [Some(0.5), None]
    );
}

#[test]
fn a_csv_of_a_header_only_is_a_table_without_rows() {
    let folder = TempDir::new().unwrap();
    let table = csv(&tables(), "none", &file(&folder, "none.csv", "a,b\n")).unwrap();
    assert_eq!((table.row_count(), table.schema().fields().len()), (0, 2));
    assert_eq!(table.column::<String>("a").unwrap(), Vec::<String>::new());
}

/// The error text of an import that must leave no table.
fn refused(import: impl FnOnce(&Location) -> Result<Table, Error>) -> String {
    let folder = tables();
    let error = import(&folder).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(
        folder.join("t").is_empty().unwrap(),
        "something was left behind"
    );
    error.chain()
}

#[test]
fn a_bad_csv_row_is_named_with_file_and_line() {
    let folder = TempDir::new().unwrap();
    let of = |imported: Imported| imported.table;
    // Line 3 is blank and line 4 holds a quoted line end: the broken record starts on line 6.
    let short = file(&folder, "short.csv", "a,b\n1,2\n\n\"x\ny\",2\n3\n4,5\n");
    let error = refused(|at| csv(at, "t", &short));
    assert!(
        error.contains("line 6") && error.contains("short.csv"),
        "{error}"
    );

    let latin = file(&folder, "latin.csv", b"a,b\n1,2\n3,\xe9\n");
    let error = refused(|at| csv(at, "t", &latin));
    assert!(
        error.contains("UTF-8") && error.contains("line 3"),
        "{error}"
    );

    let typed = file(&folder, "typed.csv", "a,b\n\"x\ny\",2\nz,4.x4\n");
    let options = CsvOptions::new().column_type("b", arrow_schema::DataType::Float32);
    let error = refused(|at| csv_with(at, "t", &typed, &options).map(of));
    assert!(
        error.contains("line 4") && error.contains("4.x4") && error.contains("`b`"),
        "{error}"
    );

    let error = refused(|at| csv(at, "t", &file(&folder, "empty.csv", "")));
    assert!(
        error.contains("no columns") && error.contains("empty.csv"),
        "{error}"
    );

    let error = refused(|at| csv(at, "t", &file(&folder, "twice.csv", "a,A\n1,2\n")));
    assert!(
        error.contains("\"a\"") && error.contains("\"A\"") && error.contains("twice.csv"),
        "{error}"
    );

    let weights = file(&folder, "weights.csv", "w\n1\n0.5\n-2\n");
    let options = CsvOptions::new().role("w", Role::Weight);
    let error = refused(|at| csv_with(at, "t", &weights, &options).map(of));
    assert!(
        error.contains("row 2") && error.contains("-2") && error.contains("weights.csv"),
        "{error}"
    );

    let animals = file(&folder, "animals.csv", "kind\ncat\ncow\n");
    let options = CsvOptions::new().role("kind", Role::category(["cat", "dog"]));
    let error = refused(|at| csv_with(at, "t", &animals, &options).map(of));
    assert!(
        error.contains("\"cow\"") && error.contains("row 1"),
        "{error}"
    );

    let options = CsvOptions::new().role("sort", Role::Id);
    let error = refused(|at| csv_with(at, "t", &animals, &options).map(of));
    assert!(
        error.contains("`sort`") && error.contains("kind"),
        "{error}"
    );

    let missing = csv(&tables(), "t", Path::new("/nowhere/x.csv")).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound, "{missing}");
}

#[test]
fn bad_csv_records_are_left_out_and_counted_when_asked() {
    let folder = TempDir::new().unwrap();
    let text = b"a,b\n1,x\n2\n3,\xe9\n5,z,0\n\"6\",\"two\nlines\"\n4,\"y\n7,w\n";
    let path = file(&folder, "mixed.csv", text);
    let error = refused(|at| csv(at, "t", &path));
    assert!(
        error.contains("line 3") && error.contains("1 field where"),
        "{error}"
    );
    let options = CsvOptions::new().lenient(true);
    let imported = csv_with(&tables(), "t", &path, &options).unwrap();
    assert_eq!(imported.table.column::<i64>("a").unwrap(), [1, 6, 7]);
    assert_eq!(
        imported.table.column::<String>("b").unwrap(),
        ["x", "two\nlines", "w"]
    );
    let counts = imported.skipped.by_reason();
    let counts: Vec<_> = counts.map(|(reason, kind)| (reason, kind.count)).collect();
    assert_eq!(counts, [(SkipReason::Line, 3), (SkipReason::Encoding, 1)]);

    // A header that cannot be read is one in any case: nothing after it has names.
    let header = file(&folder, "header.csv", "a,\"b\n1,2\n");
    let error = csv_with(&tables(), "t", &header, &options).unwrap_err();
    assert!(error.to_string().contains("line 1"), "{error}");
}

#[test]
fn a_quote_that_does_not_end_is_named_with_its_line() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder, "open.csv", "a,b\n1,2\n3,\"4\n5,6\n");
    let error = refused(|at| csv(at, "t", &path));
    assert!(
        error.contains("a quote that does not end at line 3") && error.contains("open.csv"),
        "{error}"
    );
}

#[test]
fn a_header_of_another_delimiter_is_told_from_one_column() {
    let folder = TempDir::new().unwrap();
    for (text, delimiter) in [("a;b\n1;2\n", b';'), ("a\tb\n1\t2\n", b'\t')] {
        let path = file(&folder, "other.csv", text);
        let error = refused(|at| csv(at, "t", &path));
        assert!(
            error.contains("one column") && error.contains("delimiter"),
            "{error}"
        );
        let named = CsvOptions::new().delimiter(delimiter);
        let table = csv_with(&tables(), "t", &path, &named).unwrap().table;
        assert_eq!(table.column::<i64>("b").unwrap(), [2]);
        // Whoever names the comma has one column.
        let comma = CsvOptions::new().delimiter(b',');
        let table = csv_with(&tables(), "t", &path, &comma).unwrap().table;
        assert_eq!(table.schema().fields().len(), 1);
    }
}

#[test]
fn a_csv_longer_than_a_chunk_keeps_its_order() {
    let folder = TempDir::new().unwrap();
    let mut text = String::from("row,half\n");
    for row in 0..30_000 {
        text += &format!("{row},{}\n", f64::from(row) / 2.0);
    }
    let table = csv(&tables(), "long", &file(&folder, "long.csv", text)).unwrap();
    assert_eq!((table.row_count(), table.revision()), (30_000, 0));
    assert!(
        table
            .column::<i64>("row")
            .unwrap()
            .into_iter()
            .eq(0..30_000)
    );
    assert_eq!(table.column::<f64>("half").unwrap()[29_999], 14_999.5);
}

fn write_parquet(folder: &TempDir, name: &str, columns: Vec<(&str, ArrayRef)>) -> PathBuf {
    let path = folder.path().join(name);
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer =
        ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    path
}

#[test]
fn parquet_types_that_tables_lack_are_converted_without_loss() {
    let folder = TempDir::new().unwrap();
    let words: DictionaryArray<Int8Type> = ["b", "a", "b"].into_iter().collect();
    let mut vectors = FixedSizeListBuilder::new(Float32Builder::new(), 2);
    for row in 0..3_u8 {
        vectors.values().append_slice(&[f32::from(row), f32::NAN]);
        vectors.append(true);
    }
    let path = write_parquet(
        &folder,
        "all.parquet",
        vec![
            (
                "id",
                Arc::new(UInt32Array::from(vec![Some(u32::MAX), None, Some(0)])),
            ),
            ("big", Arc::new(UInt64Array::from(vec![1 << 62, 2, 3]))),
            ("word", Arc::new(words.clone())),
            ("kind", Arc::new(words)),
            (
                "text",
                Arc::new(LargeStringArray::from(vec![Some(""), None, Some("学習")])),
            ),
            ("vector", Arc::new(vectors.finish())),
            (
                "time",
                Arc::new(TimestampMillisecondArray::from(vec![1, 2, 3])),
            ),
        ],
    );
    let options = ParquetOptions::new().role("kind", any_class());
    let table = parquet_with(&tables(), "all", &path, &options).unwrap();
    let ids = table.column::<Option<i64>>("id").unwrap();
    assert_eq!(ids, [Some(4_294_967_295), None, Some(0)]);
    assert_eq!(table.column::<i64>("big").unwrap(), [1 << 62, 2, 3]);
    assert_eq!(table.column::<String>("word").unwrap(), ["b", "a", "b"]);
    assert_eq!(table.column::<i32>("kind").unwrap(), [1, 0, 1]);
    assert_eq!(table.category_names("kind").unwrap(), ["a", "b"]);
    let texts = table.column::<Option<String>>("text").unwrap();
    assert_eq!(texts, [Some(String::new()), None, Some("学習".into())]);
    assert_eq!(table.role("vector"), Some(Role::Embedding { width: 2 }));
    let vectors = table.embedding("vector").unwrap();
    assert_eq!(vectors.column(0).to_vec(), [0.0, 1.0, 2.0]);
    assert!(vectors.column(1).iter().all(|value| value.is_nan()));
    assert_eq!(table.column::<i64>("time").unwrap(), [1000, 2000, 3000]);
}

#[test]
fn parquet_that_would_lose_values_is_refused_by_column() {
    let folder = TempDir::new().unwrap();
    let prices = Decimal128Array::from(vec![1, 2])
        .with_precision_and_scale(10, 2)
        .unwrap();
    let path = write_parquet(&folder, "d.parquet", vec![("price", Arc::new(prices))]);
    let error = refused(|at| parquet(at, "t", &path));
    assert!(
        error.contains("`price`") && error.contains("Decimal"),
        "{error}"
    );

    let big = UInt64Array::from(vec![1, u64::MAX]);
    let path = write_parquet(&folder, "u.parquet", vec![("big", Arc::new(big))]);
    let error = refused(|at| parquet(at, "t", &path));
    assert!(
        error.contains("`big`") && error.contains("row 1") && error.contains("u.parquet"),
        "{error}"
    );

    let error = refused(|at| parquet(at, "t", &file(&folder, "x.parquet", "not a table")));
    assert!(
        error.contains("x.parquet") && error.contains("Parquet"),
        "{error}"
    );
}

#[test]
fn a_table_survives_the_way_through_its_own_parquet_with_its_roles() {
    let disk = TempDir::new().unwrap();
    let folder = Location::open(disk.path().to_str().unwrap()).unwrap();
    let labels = Column::from(vec![1, 0]).role(Role::category(["no", "yes"]));
    let columns = Columns::new()
        .with("label", labels)
        .with("x", vec![0.5_f32, f32::NAN]);
    let table = Table::create(&folder, "one", columns).unwrap();
    let place = table.location().local_path().unwrap();
    let part = fs::read_dir(place)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let part = part
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "parquet"));
    let again = parquet(&folder, "two", &part.unwrap()).unwrap();
    assert_eq!(again.column::<i32>("label").unwrap(), [1, 0]);
    assert_eq!(again.category_names("label").unwrap(), ["no", "yes"]);
    assert!(again.column::<f32>("x").unwrap()[1].is_nan());
}
