//! A run that somebody prepared reads nothing outside of its folder and allocates nothing for the counts
//! that it claims: logs, checkpoints and documents with paths that lead out, or with huge numbers, are
//! refused with an error that names what is wrong.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, StructArray, new_null_array};
use arrow_schema::{DataType, Field, Schema};
use emberlens::collect::Silent;
use emberlens::run::{Project, RunReader};
use emberlens::storage::Location;
use emberlens::table::{Column, Columns, DeltaTable, Role, Table, embedding, values};
use emberlens::{Error, ErrorKind};
use emberlens_testkit::FaultStore;
use ndarray::Array2;
use object_store::memory::InMemory;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

/// Paths that lead out of the folder `root/p`, to an object that is there.
const OUTSIDE: [&str; 17] = [
    "/outside/secret.parquet",
    "//outside/secret.parquet",
    "///outside/secret.parquet",
    "store:///outside/secret.parquet",
    "file:///outside/secret.parquet",
    "memory:///outside/secret.parquet",
    "s3://bucket/outside/secret.parquet",
    "../../../../../../outside/secret.parquet",
    "x/../../../../../../../outside/secret.parquet",
    "./../../../../../../outside/secret.parquet",
    "%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/outside/secret.parquet",
    "..%2f..%2f..%2f..%2f..%2f..%2foutside%2fsecret.parquet",
    "%2Foutside%2Fsecret.parquet",
    "%252e%252e/outside/secret.parquet",
    "..\\..\\..\\..\\..\\..\\outside\\secret.parquet",
    "C:\\outside\\secret.parquet",
    "../../../../../../outside/secret.parquet\0.parquet",
];

/// A run whose store tells what was read of it.
struct Prepared {
    store: Arc<FaultStore>,
    root: Location,
    id: String,
}

impl Prepared {
    fn new(commits: i64) -> Self {
        let store = Arc::new(FaultStore::new(Arc::new(InMemory::new()), |_| None));
        let root = Location::in_store(store.clone(), "root").unwrap();
        let project = Project::at(root.clone(), "p").unwrap();
        let run = project.run("r").start().unwrap();
        for epoch in 0..commits {
            let at = emberlens::run::Position::new("train").epoch(epoch);
            run.add_metrics("default", columns(), None, Some(at))
                .unwrap();
        }
        run.complete().unwrap();
        let id = run.id().to_owned();
        // What lies outside could be read: it is a data file of the same columns.
        let prepared = Self { store, root, id };
        let table = prepared.table();
        let files = table.list_files().unwrap();
        let data = files
            .iter()
            .find(|name| name.ends_with(".parquet"))
            .unwrap();
        let secret = Location::in_store(prepared.store.clone(), "outside/secret.parquet");
        let bytes = table.join(data).read().unwrap();
        secret.unwrap().create(bytes).unwrap();
        prepared
    }

    fn run(&self) -> Location {
        self.root.join("p/runs").join(&self.id)
    }

    fn table(&self) -> Location {
        self.run().join("metrics/default")
    }

    fn open(&self) -> Result<RunReader, Error> {
        Project::at(self.root.clone(), "p")
            .unwrap()
            .open_run(&self.id)
    }

    /// What reading all of the run says; nothing outside of it may have been asked for.
    fn read(&self) -> Result<Vec<i64>, Error> {
        let before = self.store.calls().len();
        let read = self
            .open()
            .and_then(|reader| reader.metrics("default").values::<i64>("example_id"));
        let verified = self.open().and_then(|reader| reader.verify(&Silent));
        for call in &self.store.calls()[before..] {
            assert!(
                call.path.starts_with("root/"),
                "{} was asked for",
                call.path
            );
        }
        if let Err(error) = &read {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{}", error.chain());
            let problems = verified.map_or(1, |verified| verified.problems.len());
            assert!(problems > 0, "verify is content and reading says {error}");
        }
        read
    }

    /// What verifying the run says is wrong.
    fn problems(&self) -> String {
        let verified = self.open().unwrap().verify(&Silent).unwrap();
        let problems = verified.problems.iter().map(Error::chain);
        problems.collect::<Vec<_>>().join("; ")
    }

    /// Appends a document; false when the run cannot be read with it.
    fn refused(&self, document: &Value) -> String {
        let documents = emberlens::storage::Documents::at(self.run().join("run"));
        let number = documents.append(document).unwrap();
        let told = self.open().unwrap_err();
        assert_eq!(told.kind(), ErrorKind::Corrupt, "{told}");
        let name = format!("{number:020}.json");
        assert!(told.to_string().contains(&name), "{told}");
        self.run().join("run").join(&name).delete().unwrap();
        told.to_string()
    }
}

fn columns() -> Columns {
    Columns::new().with("example_id", vec![0_i64, 1])
}

fn add(path: &str, size: i64, records: u64) -> String {
    let stats = json!({ "numRecords": records }).to_string();
    let add = json!({"add": {"path": path, "partitionValues": {}, "size": size,
        "modificationTime": 0, "dataChange": true, "stats": stats}});
    let info = json!({"commitInfo": {"timestamp": 0}});
    format!("{info}\n{add}\n")
}

#[test]
fn files_that_a_log_names_outside_are_refused() {
    for path in OUTSIDE {
        let prepared = Prepared::new(1);
        let log = prepared.table().join("_delta_log");
        let next = log.list_files().unwrap().len();
        let entry = log.join(&format!("{next:020}.json"));
        entry.create(add(path, 700, 2)).unwrap();
        assert!(prepared.read().is_err(), "{path:?} was followed");
        let table = DeltaTable::open(prepared.table()).unwrap();
        assert!(table.snapshot().unwrap().read(None).is_err(), "{path:?}");
    }
}

/// Moves what the latest checkpoint of the table says into a file of actions of that name, as far as
/// the checkpoint goes: it only names the file. The file is made where it lies inside.
fn with_sidecar(prepared: &Prepared, path: &str) {
    let log = prepared.table().join("_delta_log");
    let names = log.list_files().unwrap();
    let name = names
        .iter()
        .find(|name| name.ends_with(".checkpoint.parquet"));
    let place = log.join(name.unwrap());
    let whole = place.read().unwrap();
    log.join("_sidecars/inside.parquet")
        .create(whole.clone())
        .unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(whole).unwrap();
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    let batch = arrow_select::concat::concat_batches(&batches[0].schema(), &batches).unwrap();
    let entry = DataType::Struct(
        vec![
            Field::new("key", DataType::Utf8, false),
            Field::new("value", DataType::Utf8, true),
        ]
        .into(),
    );
    let tags = DataType::Map(Arc::new(Field::new("key_value", entry, false)), false);
    let named = |name: &str, array: ArrayRef| {
        let field = Field::new(name, array.data_type().clone(), true);
        (Arc::new(field), array)
    };
    // Every row names the file; the kernel reads it once and again, which changes nothing.
    let rows = batch.num_rows();
    let sidecars = StructArray::from(vec![
        named("path", Arc::new(StringArray::from(vec![path; rows]))),
        named("sizeInBytes", Arc::new(Int64Array::from(vec![700; rows]))),
        named(
            "modificationTime",
            Arc::new(Int64Array::from(vec![0; rows])),
        ),
        named("tags", new_null_array(&tags, rows)),
    ]);
    let (mut fields, mut arrays) = (Vec::new(), Vec::<ArrayRef>::new());
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        // What the table is stays in the checkpoint, its files do not; no file of actions is named yet.
        if !matches!(field.name().as_str(), "add" | "sidecar") {
            fields.push(field.clone());
            arrays.push(array.clone());
        }
    }
    let (field, sidecars) = named("sidecar", Arc::new(sidecars));
    fields.push(field);
    arrays.push(sidecars);
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    place.replace(writer.into_inner().unwrap()).unwrap();
    // What it says of the checkpoint's size does not hold any more.
    log.join("_last_checkpoint").delete().unwrap();
}

/// The number of commits after which a table has a checkpoint.
const CHECKPOINTED: i64 = 50;

#[test]
fn files_that_a_checkpoint_names_outside_are_not_touched() {
    // One that it names inside is asked for: the kernel does follow.
    let prepared = Prepared::new(CHECKPOINTED);
    with_sidecar(&prepared, "inside.parquet");
    let before = prepared.store.calls().len();
    let read = prepared.read();
    let calls = prepared.store.calls();
    let asked = |path: &str| calls[before..].iter().any(|call| call.path.ends_with(path));
    assert!(asked("_sidecars/inside.parquet"), "{:?}", read.err());
    for path in OUTSIDE {
        let prepared = Prepared::new(CHECKPOINTED);
        assert_eq!(prepared.read().unwrap().len(), 2 * CHECKPOINTED as usize);
        with_sidecar(&prepared, path);
        // The entries of the log are read in place of the checkpoint.
        assert_eq!(prepared.read().unwrap().len(), 2 * CHECKPOINTED as usize);
        assert_ne!(prepared.problems(), "", "{path:?}");
    }
}

fn pass(change: impl Fn(&mut Value)) -> Value {
    let mut document = json!({"time_us": 1, "kind": "pass_completed", "pass_id": "x",
        "stream": "default", "split": "train", "rows": 2, "finished_us": 1,
        "files": [{"url": "metrics/default/a.parquet", "size_bytes": 1, "rows": 2, "stream": "default"}],
        "table": {"name": "t", "url": "tables/t", "revision": 0}});
    change(&mut document);
    document
}

fn projected(change: impl Fn(&mut Value)) -> Value {
    let mut document = json!({"time_us": 1, "kind": "projected", "name": "embedding-pca",
        "column": "embedding", "stream": "default", "method": "pca", "dims": 2, "version": 0,
        "passes": 1, "rows": 2, "finished_us": 1, "models": [{"url": "runs/r/models/m.bin"}]});
    change(&mut document);
    document
}

#[test]
fn paths_that_documents_name_outside_are_refused() {
    let prepared = Prepared::new(1);
    let is_address = |path: &str| path.contains("://") || path.starts_with('/');
    for path in OUTSIDE {
        prepared.refused(&pass(|pass| pass["files"][0]["url"] = path.into()));
        prepared.refused(&projected(|info| info["name"] = path.into()));
        // Tables and models may lie elsewhere, where their address says so openly.
        if !is_address(path) {
            prepared.refused(&pass(|pass| pass["table"]["url"] = path.into()));
            prepared.refused(&projected(|info| info["models"][0]["url"] = path.into()));
            prepared.refused(
                &json!({"time_us": 1, "kind": "input", "name": "t", "url": path,
                "revision": 0}),
            );
        }
    }
    prepared.refused(&projected(|info| info["name"] = "a/b".into()));
    assert_eq!(prepared.read().unwrap(), [0, 1]);
}

#[test]
fn counts_that_no_run_has_are_refused() {
    let prepared = Prepared::new(1);
    let huge = json!(u64::MAX);
    prepared.refused(&pass(|pass| pass["rows"] = huge.clone()));
    prepared.refused(&pass(|pass| pass["files"][0]["rows"] = huge.clone()));
    prepared.refused(&projected(|info| info["rows"] = huge.clone()));
    prepared.refused(&projected(|info| info["dims"] = huge.clone()));
    let joined = |rank: Value| json!({"time_us": 1, "kind": "joined", "rank": rank});
    prepared.refused(&joined(json!({"index": 0, "world": u32::MAX})));
    prepared.refused(&joined(json!({"index": 3, "world": 3})));
    // As many rows as a pass may have, which are not there.
    let documents = emberlens::storage::Documents::at(prepared.run().join("run"));
    let many = pass(|pass| {
        pass["rows"] = json!(1_u64 << 48);
        pass["files"][0]["rows"] = json!(1_u64 << 48);
    });
    documents.append(&many).unwrap();
    assert!(prepared.read().is_err());
}

#[test]
fn counts_that_no_table_has_are_refused() {
    let whole = Prepared::new(1);
    let names = whole.table().list_files().unwrap();
    let data = names
        .iter()
        .find(|name| name.ends_with(".parquet"))
        .unwrap();
    let size = whole.table().join(data).read().unwrap().len() as i64;
    for (size, records) in [(size, u64::MAX >> 1), (i64::MAX, 2), (-1, 2), (i64::MIN, 2)] {
        let prepared = Prepared::new(1);
        let table = prepared.table();
        let names = table.list_files().unwrap();
        let data = names
            .iter()
            .find(|name| name.ends_with(".parquet"))
            .unwrap();
        let log = table.join("_delta_log");
        for version in log.list_files().unwrap().len()..log.list_files().unwrap().len() + 3 {
            let other = format!("copy-{version}.parquet");
            table
                .join(&other)
                .create(table.join(data).read().unwrap())
                .unwrap();
            log.join(&format!("{version:020}.json"))
                .create(add(&other, size, records))
                .unwrap();
        }
        let verified = prepared.open().unwrap().verify(&Silent).unwrap();
        assert!(
            !verified.problems.is_empty(),
            "{size} bytes, {records} rows"
        );
        let opened = Table::open(table).and_then(|table| table.column::<i64>("example_id"));
        match opened {
            // A sum that overflows is no number of rows.
            opened if records > 2 => {
                assert_eq!(opened.unwrap_err().kind(), ErrorKind::Corrupt);
            }
            // Rows are read as they are, whatever size the log tells.
            Ok(ids) => assert_eq!(ids.len(), 8),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{}", error.chain()),
        }
    }
}

/// A Parquet file of one column whose footer claims two billion row groups.
fn endless_footer() -> Vec<u8> {
    let footer = [
        &[0x15, 0x04][..],                              // version 2
        &[0x19, 0x2c],                                  // a schema of two elements
        &[0x48, 0x01, b'r', 0x15, 0x02, 0x00],          // the root, of one child
        &[0x15, 0x02, 0x25, 0x02, 0x18, 1, b'x', 0x00], // an optional integer
        &[0x16, 0x00],                                  // no rows
        &[0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07],    // 2^31 - 1 row groups
        &[0x00],
    ]
    .concat();
    let mut file = b"PAR1".to_vec();
    file.extend(&footer);
    file.extend((footer.len() as u32).to_le_bytes());
    file.extend(b"PAR1");
    file
}

#[test]
fn sizes_that_a_file_claims_are_compared_with_the_file() {
    let prepared = Prepared::new(CHECKPOINTED);
    let table = prepared.table();
    let claims = |place: Location, told: &dyn Fn() -> String| {
        let whole = place.read().unwrap();
        place.replace(endless_footer()).unwrap();
        let told = told();
        assert!(told.contains("2147483647"), "{told}");
        place.replace(whole).unwrap();
    };
    let names = table.list_files().unwrap();
    let data = names.iter().find(|name| name.ends_with(".parquet"));
    claims(table.join(data.unwrap()), &|| {
        prepared.read().unwrap_err().chain()
    });
    let log = table.join("_delta_log");
    let names = log.list_files().unwrap();
    let checkpoint = names.iter().find(|name| name.ends_with(".parquet"));
    // The length of the checkpoint that it tells does not hold for another.
    log.join("_last_checkpoint").delete().unwrap();
    // The entries of the log are read in its place.
    claims(log.join(checkpoint.unwrap()), &|| {
        assert_eq!(prepared.read().unwrap().len(), 2 * CHECKPOINTED as usize);
        prepared.problems()
    });
    assert_eq!(prepared.read().unwrap().len(), 2 * CHECKPOINTED as usize);
}

#[test]
fn a_width_that_no_row_has_allocates_nothing() {
    let vectors = Array2::from_shape_fn((3, 2), |(row, axis)| (row + axis) as f32);
    let batch = Columns::new()
        .with("embedding", Column::embedding(vectors.view()))
        .into_batch("test")
        .unwrap();
    let schema = batch.schema();
    let role = Role::Embedding {
        width: usize::MAX / 8,
    };
    let field = schema.field(0).clone();
    let claimed = emberlens::table::field("embedding", field.data_type().clone(), Some(&role));
    let claimed = claimed.unwrap();
    let batch = RecordBatch::try_new(
        Arc::new(Schema::new(vec![claimed])),
        batch.columns().to_vec(),
    );
    let batch = batch.unwrap();
    assert!(embedding(&batch, "embedding").is_err());
    assert!(values::<i64>(&batch, "embedding").is_err());
}
