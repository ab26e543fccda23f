//! Filters say of every row what DuckDB says: true, false or unknown. The kept answers need no DuckDB;
//! where Python has it, new conditions are asked as well. Wrong ones are refused at the right character,
//! and none overflows the stack.

#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array, StringArray,
};
use arrow_schema::DataType;
use emberlens::filter::{Filter, FilterColumn};
use emberlens::run::{Position, Project};
use emberlens::storage::Location;
use emberlens::table::{Column, Columns, Role, Table};
use emberlens::{Error, ErrorKind};
use proptest::prelude::*;
use serde_json::Value;

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => Some(text.parse().unwrap()),
        value => value.as_f64(),
    }
}

fn column(name: &str, values: &[Value]) -> (ArrayRef, DataType) {
    let floats = || values.iter().map(number);
    let array: ArrayRef = match name {
        "i" => Arc::new(values.iter().map(Value::as_i64).collect::<Int64Array>()),
        "f" => Arc::new(
            floats()
                .map(|value| Some(value? as f32))
                .collect::<Float32Array>(),
        ),
        "d" => Arc::new(floats().collect::<Float64Array>()),
        "s" | "t" => Arc::new(values.iter().map(Value::as_str).collect::<StringArray>()),
        "b" => Arc::new(values.iter().map(Value::as_bool).collect::<BooleanArray>()),
        _ => {
            let small = |value: &Value| Some(i32::try_from(value.as_i64()?).unwrap());
            Arc::new(values.iter().map(small).collect::<Int32Array>())
        }
    };
    let data_type = array.data_type().clone();
    (array, data_type)
}

fn agree(told: &str, least: usize) {
    let told: Value = serde_json::from_str(told).unwrap();
    let names = told["names"].as_array().unwrap();
    let names: Arc<[String]> = names
        .iter()
        .map(|name| name.as_str().unwrap().to_owned())
        .collect();
    let (mut columns, mut arrays, mut rows) = (Vec::new(), Vec::new(), 0);
    for (name, values) in told["columns"].as_object().unwrap() {
        let values = values.as_array().unwrap();
        let (array, data_type) = column(name, values);
        let known = FilterColumn::new("rows", name, data_type);
        columns.push(match name.as_str() {
            "label" | "predicted" => known.classes(names.clone()),
            _ => known,
        });
        arrays.push(Some(array));
        rows = values.len();
    }
    let cases = told["cases"].as_array().unwrap();
    assert!(cases.len() >= least && rows == 16, "{} cases", cases.len());
    let mut others = Vec::new();
    for case in cases {
        let text = case["filter"].as_str().unwrap();
        let filter = Filter::parse(text, &columns);
        let filter = filter.unwrap_or_else(|error| panic!("{text}: {error}"));
        let found = filter.evaluate(&arrays, rows).unwrap();
        let found = found.iter().map(|value| match value {
            Some(true) => 't',
            Some(false) => 'f',
            None => '-',
        });
        let found: String = found.collect();
        if found != case["found"].as_str().unwrap() {
            others.push(format!(
                "{text}\n  {found} ours\n  {} DuckDB's",
                case["found"]
            ));
        }
    }
    assert!(
        others.is_empty(),
        "{} differ:\n{}",
        others.len(),
        others.join("\n")
    );
}

#[test]
fn on_the_kept_answers() {
    agree(include_str!("../inputs/filters.json"), 350);
}

#[test]
fn on_new_conditions_where_python_has_duckdb() {
    let Ok(python) = std::env::var("EMBERLENS_PYTHON") else {
        println!("skipped: EMBERLENS_PYTHON names no Python with duckdb");
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/inputs/filters.py");
    let seed = std::process::id().to_string();
    let output = Command::new(python)
        .arg(script)
        .args([&seed, "1000"])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    println!("seed {seed}");
    agree(&String::from_utf8(output.stdout).unwrap(), 1000);
}

fn known() -> Vec<FilterColumn> {
    let names: Arc<[String]> = ["cat", "dog"].map(str::to_owned).into();
    vec![
        FilterColumn::new("pets", "label", DataType::Int32).classes(names),
        FilterColumn::new("pets", "image", DataType::Binary),
        FilterColumn::new("metrics", "loss", DataType::Float32),
        FilterColumn::new("metrics", "label", DataType::Int64),
        FilterColumn::new("metrics", "predicted", DataType::Int64).classes([].into()),
        FilterColumn::new("metrics", "name", DataType::Utf8),
        FilterColumn::new("metrics", "is_right", DataType::Boolean),
    ]
}

#[test]
fn errors_point_at_the_character() {
    for (text, marked, part) in [
        ("los > 2", "^^^", "no column `los`"),
        (
            "loss > 2 AND labl = 1",
            "             ^^^^",
            "label, image, loss, predicted",
        ),
        ("label = 'cot'", "        ^^^^^", "cat, dog"),
        ("label = \"cat\"", "        ^^^^^", "single quotes"),
        ("loss > 'high'", "^^^^^^^^^^^^^", "a number and text"),
        ("loss", "^^^^", "a condition is needed"),
        ("NOT loss + 1", "    ^^^^^^^^", "a condition is needed"),
        ("name + 1 > 2", "^^^^", "a number is needed"),
        ("loss >", "      ^", "EOF"),
        ("", "^", "empty"),
        ("  \t ", "    ^", "empty"),
        ("loss > 2 loss", "         ^^^^", "`loss` is not expected"),
        ("loss > 2)", "        ^", "`)` is not expected"),
        ("(loss > 2", "         ^", "Expected: )"),
        ("name = 'cat", "       ^", "single quotes"),
        ("name LIKE loss", "          ^^^^", "written out"),
        ("loss LIKE 'a'", "^^^^", "text is needed"),
        ("image = 'a'", "^^^^^", "Binary"),
        ("predicted = 'cat'", "^^^^^^^^^", "not known"),
        ("sqrt(loss) > 1", "^^^^^^^^^", "no function `sqrt`"),
        ("abs(loss, 1) > 1", "^^^^^^^^^^^", "one value"),
        ("loss IN (SELECT 1)", "^", "do not know"),
        ("CASE WHEN is_right THEN true END", "^", "do not know"),
        // The type that is cast to has no place in sqlparser's tree.
        (
            "loss > CAST(name AS INT)",
            "       ^^^^^^^^^",
            "filters do not know `CAST(",
        ),
        ("loss IN (1, 'a')", "            ^^^", "a number and text"),
        (
            "name IN ('a', 2)",
            "              ^",
            "text and a whole number",
        ),
        (
            "loss BETWEEN 1 AND 'b'",
            "                   ^^^",
            "a number and text",
        ),
        ("pets.loss > 2", "^^^^^^^^^", "no column `pets.loss`"),
        (
            "is_right > 2",
            "^^^^^^^^^^^^",
            "a condition and a whole number",
        ),
        ("is_right AND\nlos > 2", "^^^", "no column `los`"),
        ("loss > 2;", "        ^", "not expected"),
        ("loss > 2 -- all of it", "", ""),
    ] {
        let parsed = Filter::parse(text, &known());
        if marked.is_empty() {
            parsed.unwrap();
            continue;
        }
        let error = parsed.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let told = error.to_string();
        assert!(told.contains(part), "{text}: {told}");
        let last = told.lines().last().unwrap();
        // Of what filters do not know the whole is marked.
        match part {
            "do not know" => assert!(last.starts_with(marked), "{told}"),
            _ => assert_eq!(last, marked, "{told}"),
        }
    }
    let Err(Error::Filter {
        line, character, ..
    }) = Filter::parse("is_right AND\nlos > 2", &known())
    else {
        panic!("it names no column");
    };
    assert_eq!((line, character), (2, 1));
}

#[test]
fn what_is_too_long_or_too_deep_is_refused_in_time() {
    let refused = |text: String, part: &str| {
        let error = Filter::parse(&text, &known()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(part), "{part}: {error}");
    };
    refused(
        format!("{}loss > 1{}", "(".repeat(100_000), ")".repeat(100_000)),
        "65536 bytes",
    );
    refused(
        format!("{}loss > 1{}", "(".repeat(9_000), ")".repeat(9_000)),
        "parentheses",
    );
    refused("NOT ".repeat(10_000) + "is_right", "operators");
    refused("-".repeat(200) + "loss > 1", "");
    refused("- ".repeat(10_000) + "loss > 1", "operators");
    refused("is_right AND ".repeat(4_000) + "is_right", "operators");
    refused("loss + ".repeat(4_000) + "1 > 2", "operators");
    refused(
        "abs(".repeat(1_000) + "loss" + &")".repeat(1_000) + " > 1",
        "parentheses",
    );
    refused("CASE WHEN ".repeat(3_000), "operators");
    refused(format!("{}1 > 2", "1 + ".repeat(60)), "within one another");
    refused(
        format!("{}is_right", "NOT ".repeat(33)),
        "within one another",
    );
    // As deep, and as long, as is allowed.
    let deep = format!("{}is_right{}", "(".repeat(30), ")".repeat(30));
    assert!(Filter::parse(&deep, &known()).is_ok());
    let long = "is_right OR ".repeat(250) + "is_right";
    let filter = Filter::parse(&long, &known()).unwrap();
    let mut columns = vec![None; known().len()];
    columns[6] = Some(Arc::new(BooleanArray::from(vec![Some(true), None])) as ArrayRef);
    let found = filter.evaluate(&columns, 2).unwrap();
    assert_eq!(found.iter().collect::<Vec<_>>(), [Some(true), None]);
    let many: Vec<String> = (0..5_000).map(|id| id.to_string()).collect();
    let text = format!("predicted IN ({})", many.join(", "));
    assert!(Filter::parse(&text, &known()).is_ok());
}

#[test]
fn integers_that_overflow_are_an_error_and_not_another_number() {
    let columns = [FilterColumn::new("t", "i", DataType::Int64)];
    let filter = Filter::parse("i > 0 AND i + 1 > 0", &columns).unwrap();
    let array: ArrayRef = Arc::new(Int64Array::from(vec![1, i64::MAX]));
    let error = filter.evaluate(&[Some(array)], 2).unwrap_err();
    assert!(error.to_string().ends_with("\n          ^^^^^"), "{error}");
    assert!(filter.evaluate(&[None], 2).is_err());
}

#[test]
fn a_table_and_a_pass_are_filtered_together() {
    let project = Project::open("memory://", "p").unwrap();
    let class = |values: Vec<i32>| Column::from(values).role(Role::category(["cat", "dog"]));
    let columns = Columns::new().with("label", class(vec![0, 1, 1, 0, 1]));
    let table = project.create_table("pets", columns).unwrap();
    let run = project.run("cnn").start().unwrap();
    let metrics = |losses: Vec<f32>| {
        Columns::new()
            .with("example_id", vec![0_i64, 1, 2, 4, 4])
            .with("label", class(vec![0, 1, 1, 1, 1]))
            .with("predicted", class(vec![0, 0, 1, 0, 1]))
            .with("loss", losses)
    };
    for epoch in 0..2 {
        let losses = vec![0.1, 2.5, f32::NAN, 0.2, epoch as f32];
        let place = Position::new("train").epoch(epoch);
        run.add_metrics("default", metrics(losses), Some(&table), Some(place))
            .unwrap();
    }
    run.complete().unwrap();
    let reader = run.reader().unwrap();
    // What was measured has the labels of then.
    let table = table
        .edit()
        .set("label", [1], "cat")
        .commit()
        .unwrap()
        .table;
    let rows = |epoch, text| {
        reader
            .metrics("default")
            .split("train")
            .epoch(epoch)
            .rows_where(&table, text)
    };
    assert_eq!(rows(0, "predicted <> label").unwrap(), [4]);
    assert_eq!(rows(0, "predicted <> metrics.label").unwrap(), [1, 4]);
    assert_eq!(rows(0, "metrics.label <> pets.label").unwrap(), [1]);
    assert_eq!(rows(0, "loss > 0.5 AND NOT isnan(loss)").unwrap(), [1]);
    assert_eq!(rows(1, "loss > 0.5").unwrap(), [1, 2, 4]);
    assert_eq!(rows(1, "label = 'cat' AND example_id > 0").unwrap(), [1]);
    let error = rows(2, "loss > 0.5").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("train 0, train 1"), "{error}");
    let other = project
        .create_table("others", Columns::new().with("x", vec![0; 5]))
        .unwrap();
    let error = reader
        .metrics("default")
        .rows_where(&other, "loss > 1")
        .unwrap_err();
    assert!(
        error.to_string().contains("joined to the table `pets`"),
        "{error}"
    );
}

#[test]
fn an_edit_sets_what_a_filter_takes() {
    let folder = Location::open("memory://").unwrap().join("tables");
    let x: Vec<i64> = (0..20_000).collect();
    let table = Table::create(&folder, "numbers", Columns::new().with("x", x)).unwrap();
    let table = table
        .append(Columns::new().with("x", vec![-1_i64, -2]))
        .unwrap();
    assert_eq!(table.rows_where("x < 0").unwrap(), [20_000, 20_001]);
    assert_eq!(
        table.rows_where("example_id = 9000 OR x = -2").unwrap(),
        [9_000, 20_001]
    );
    assert_eq!(table.rows_where("true").unwrap().len(), 20_002);
    let edit = table.edit().set_where("x", 7, "x < 0 OR x % 10000 = 9999");
    let edited = edit.commit().unwrap();
    assert_eq!(edited.rows, 4);
    assert_eq!(
        edited.table.rows_where("x = 7").unwrap(),
        [7, 9_999, 19_999, 20_000, 20_001]
    );
    let error = table
        .edit()
        .set_where("x", 7, "y < 0")
        .preview()
        .unwrap_err();
    assert!(error.to_string().ends_with("y < 0\n^"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,60}") {
        let _ = Filter::parse(&text, &known());
    }

    #[test]
    fn no_pieces_make_it_panic(pieces in proptest::collection::vec(
        prop::sample::select(vec![
            "loss", "label", "'cat'", "1", "0.5", "(", ")", ",", "AND", "OR", "NOT", "IN", "BETWEEN", "LIKE", "IS",
            "NULL", "=", "<>", "-", "+", "/", "%", "abs(", "CASE", "WHEN", "SELECT", ".", "::", "[", "]", "{", "}",
            "*", "length(", "lower(", "isnan(", "'", "\"", "INTERVAL", "CAST(", "AS", "EXISTS", "->", "?", "@", "\n", "$$", "E'\\", "X'00'",
        ]), 0..24)) {
        let columns = known();
        if let Ok(filter) = Filter::parse(&pieces.join(" "), &columns) {
            let arrays: Vec<Option<ArrayRef>> = vec![
                Some(Arc::new(Int32Array::from(vec![Some(0), None]))),
                None,
                Some(Arc::new(Float32Array::from(vec![Some(0.5), Some(f32::NAN)]))),
                Some(Arc::new(Int64Array::from(vec![1, 0]))),
                Some(Arc::new(Int64Array::from(vec![1, 0]))),
                Some(Arc::new(StringArray::from(vec!["cat", ""]))),
                Some(Arc::new(BooleanArray::from(vec![Some(true), None]))),
            ];
            let _ = filter.evaluate(&arrays, 2);
        }
    }
}
