//! Inputs that are right, for a target to start from.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use emberlens::reduce::{Pacmap, Pca, Projection, Reducer, Umap};
use emberlens::storage::Location;
use emberlens::table::{Columns, DeltaTable};
use ndarray::Array2;

use super::{ENTRY, conditions, foreign};

/// Inputs that are right, for a target to start from.
pub fn good_inputs(target: &str) -> Vec<Vec<u8>> {
    let read = |path: PathBuf| fs::read(path).expect("the fixture is there");
    let log_of = |path: &str| {
        let entries = fixture(|file| file.contains(path) && file.contains("_delta_log"));
        let entries: Vec<Vec<u8>> = entries.into_iter().map(read).collect();
        entries.join(ENTRY)
    };
    match target {
        "documents" | "run" => ["/cnn-", "/ddp-"]
            .map(|run| {
                let files = fixture(|path| path.contains(run) && path.contains("/run/0"));
                let documents: Vec<Vec<u8>> = files.into_iter().map(read).collect();
                documents.join(&b'\n')
            })
            .into_iter()
            .flat_map(|documents| {
                let largest = last_numbered(&documents, b"\n", u64::MAX);
                [unsealed(&documents), largest, documents]
            })
            .chain([HEARTBEAT.to_vec()])
            .collect(),
        "log" => vec![
            log_of("metrics/default"),
            log_of("scalars"),
            log_of("tables/letters"),
            checkpointed().clone(),
            last_numbered(&log_of("scalars"), ENTRY, u64::MAX),
            last_numbered(checkpointed(), ENTRY, u64::MAX),
            last_numbered(checkpointed(), ENTRY, i64::MAX.unsigned_abs()),
        ],
        "data_file" => fixture(|path| path.ends_with(".parquet"))
            .into_iter()
            .map(read)
            .collect(),
        "names" => [
            "../x",
            "ResNet 18 (lr=0.1)",
            "学習",
            "a\nb",
            "memory://p/x",
            "s3://me:secret@host/a b",
            "embedding",
            "C:\\x",
            "CON",
            "cnn-0123456789abcdef",
            "rows.parquet",
            "\u{202e}x",
        ]
        .map(|name| name.as_bytes().to_vec())
        .into(),
        "projection" => projections(),
        "annotations" => foreign::good_inputs(),
        "filter" => conditions::good_inputs(),
        _ => Vec::new(),
    }
}

/// What a run has while it goes on.
const HEARTBEAT: &[u8] = br#"{"time_us":1795877888054318,"kind":"created","format_version":"1.0","id":"cnn-01m8hakr1p6tzq2k","name":"cnn","project":"Fixture","emberlens_version":"0.1.0"}
{"pid":1,"host":"h","boot_id":"b","pid_namespace":"pid:[1]","process_start":1,"time_us":1795877888054318}"#;

/// Files of which the last has that number in its name.
fn last_numbered(files: &[u8], between: &[u8], number: u64) -> Vec<u8> {
    let mut ends = files.windows(between.len());
    let last = ends.rposition(|part| part == between);
    let (before, last) = files.split_at(last.map_or(0, |at| at + between.len()));
    [before, format!("@{number} ").as_bytes(), last].concat()
}

/// Documents without their checksums, which would keep every change from being read.
fn unsealed(documents: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(documents);
    let lines = text
        .lines()
        .map(|line| match line.rsplit_once(",\"crc32\"") {
            Some((content, _)) => format!("{content}}}"),
            None => line.to_owned(),
        });
    lines.collect::<Vec<_>>().join("\n").into_bytes()
}

/// A small projection of every method.
fn projections() -> Vec<Vec<u8>> {
    let x = Array2::from_shape_fn((40, 3), |(row, axis)| ((row * (axis + 3)) % 17) as f32);
    let pca = Pca::params()
        .dims(2)
        .fit(x.view())
        .and_then(|fitted| fitted.to_bytes());
    let pacmap = Pacmap::params()
        .fit(x.view())
        .and_then(|fitted| fitted.to_bytes());
    let umap = Umap::params()
        .fit(x.view())
        .and_then(|fitted| fitted.to_bytes());
    [pca, pacmap, umap]
        .into_iter()
        .map(|bytes| bytes.expect("forty rows can be reduced"))
        .collect()
}

/// A log of two versions and a checkpoint.
fn checkpointed() -> &'static Vec<u8> {
    static LOG: OnceLock<Vec<u8>> = OnceLock::new();
    LOG.get_or_init(|| {
        let place = Location::open("memory://").expect("memory opens").join("t");
        let rows = |number: i64| {
            let columns = Columns::new().with("x", vec![number]);
            columns.into_batch("fuzz").expect("one column")
        };
        let table = DeltaTable::create(place.clone(), &rows(0).schema()).expect("a new table");
        for number in 0..50 {
            let appended = table.append("a", number, &[rows(number)]);
            appended.expect("memory takes everything");
        }
        let log = place.join("_delta_log");
        let read = |name: &str| log.join(name).read().expect("it was written").to_vec();
        let names = [0, 1].map(|version| format!("{version:020}.json"));
        let mut entries: Vec<Vec<u8>> = names.iter().map(|name| read(name)).collect();
        entries.push(read("00000000000000000050.checkpoint.parquet"));
        entries.join(ENTRY)
    })
}

/// Files of the fixture of the present format whose path is wanted, sorted.
pub(super) fn fixture(wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder)
            .expect("the fixture is there")
            .flatten()
        {
            let path = entry.path();
            match path.is_dir() {
                true => walk(&path, found),
                false => found.push(path),
            }
        }
    }
    // The crate that includes this file lies in the repository or in a folder of it.
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let mut fixtures = folders.map(|folder| folder.join("tests/fixtures/format-1.0"));
    let mut found = Vec::new();
    if let Some(folder) = fixtures.find(|folder| folder.is_dir()) {
        walk(&folder, &mut found);
    }
    found.retain(|path| wanted(&path.to_string_lossy()));
    found.sort();
    found
}
