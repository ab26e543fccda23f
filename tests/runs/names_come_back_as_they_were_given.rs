//! Names and texts that a user gives, in whatever script, come back as they were given: of projects,
//! runs, tables, tags, streams, splits, series, parameters and outputs.

#![allow(clippy::unwrap_used)]

use emberlens::run::{At, Position, Project};
use emberlens::storage::Location;
use emberlens::table::Columns;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

fn name() -> impl Strategy<Value = String> {
    let special = [
        "../x",
        "..",
        "a/b",
        "a\\b",
        "CON",
        "x.",
        " x ",
        "%2e%2e",
        "C:\\x",
        "null",
        "学習",
        "e\u{301}",
        "\u{202e}abc",
        "👩‍🔬",
        "a'b\"c",
        "00000000000000000000.json",
        "-",
        "_",
        "run",
    ];
    let special = proptest::sample::select(special.map(str::to_owned).to_vec());
    // \PC: no control characters, which names of runs and tables do not hold.
    let any = "\\PC{1,100}".prop_filter("a name is visible", |name| !name.trim().is_empty());
    prop_oneof![1 => special, 3 => any]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn names_come_back(
        [project, run, table, stream, split, series] in [name(), name(), name(), name(), name(), name()],
        text in vec(any::<char>(), 0..40).prop_map(String::from_iter),
    ) {
        let root = Location::open("memory://").unwrap();
        let opened = Project::at(root.clone(), &project).unwrap();
        let written = opened
            .create_table(&table, Columns::new().with("x", vec![1_i64]))
            .unwrap();
        let started = opened
            .run(&run)
            .tag(&text)
            .description(&text)
            .parameters(&json!({ "text": text }))
            .unwrap()
            .input(&written)
            .start()
            .unwrap();
        let columns = Columns::new().with("example_id", vec![0_i64]);
        let at = Position::new(&*split);
        started.add_metrics(&stream, columns, Some(&written), Some(at)).unwrap();
        started.log_split(&split, &[(&series, 1.0)], At::axis()).unwrap();
        started.complete().unwrap();

        let listed = Project::list(&root).unwrap();
        let names: Vec<&str> = listed.iter().map(|project| project.as_ref().unwrap().name()).collect();
        prop_assert_eq!(names, [&*project]);
        let again = Project::at(root, &project).unwrap();
        let runs = again.runs().unwrap();
        prop_assert_eq!(&runs[0].as_ref().unwrap().name, &run);
        let table_read = again.table(&table).unwrap();
        prop_assert_eq!(table_read.name(), &*table);
        let reader = again.open_run(&run).unwrap();
        prop_assert_eq!(reader.name(), &*run);
        prop_assert_eq!(reader.tags(), [text.clone()]);
        prop_assert_eq!(reader.description(), Some(&*text));
        prop_assert_eq!(reader.parameters()["text"].as_str(), Some(&*text));
        prop_assert_eq!(&reader.inputs()[0].name, &table);
        let joined = reader.input_table(&reader.inputs()[0]).unwrap();
        prop_assert_eq!(joined.name(), &*table);
        prop_assert_eq!(reader.streams(), [stream.clone()]);
        let pass = reader.latest_pass(&stream, &split).unwrap();
        prop_assert_eq!(&pass.split, &split);
        let splits = reader.metrics(&stream).values::<String>("split").unwrap();
        prop_assert_eq!(splits, [split.clone()]);
        let scalar = &reader.scalars().unwrap()[0];
        prop_assert_eq!((&scalar.name, &scalar.split), (&series, &split));
    }
}
