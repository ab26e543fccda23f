//! What is done with an input that nobody checked: read it, in every way that a user could.
//!
//! A target must answer every input, with a value or an error: it panics, runs out of memory or hangs
//! only when the library is broken. Each gets inputs from `no_input_is_too_strange.rs`, and in `fuzz/`
//! such as coverage chooses.

#[path = "conditions.rs"]
mod conditions;
#[path = "foreign.rs"]
pub mod foreign;
#[path = "good.rs"]
mod good;

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::Path;
use std::time::Duration;

use emberlens::collect::Silent;
use emberlens::reduce::load;
use emberlens::run::{Project, RunReader};
use emberlens::storage::{Location, names};
use emberlens::table::export::Format;
use emberlens::table::{Columns, DeltaTable, Table, role};
use ndarray::Array2;
use serde_json::Value;

pub use conditions::filter;
pub use good::good_inputs;

use good::fixture;

/// A function that answers every input.
pub type Target = fn(&[u8]);

/// All targets that need the library alone, by name.
pub const TARGETS: [(&str, Target); 8] = [
    ("documents", documents),
    ("run", run),
    ("log", log),
    ("data_file", data_file),
    ("names", names_and_addresses),
    ("projection", projection),
    ("annotations", foreign::annotations),
    ("filter", filter),
];

/// What separates the entries of a log within an input.
const ENTRY: &[u8] = b"\n--\n";

/// The run of the fixture that has everything.
const RUN: &str = "cnn-01m8hakr1p6tzq2k";

/// A project in memory that has no file until a target writes one, and its run.
fn place() -> (Project, Location) {
    thread_local! {
        static ROOT: RefCell<Option<Location>> = const { RefCell::new(None) };
    }
    in_memory(ROOT.with_borrow_mut(|root| root.get_or_insert_with(memory).clone()))
}

/// The same with all files of the fixture.
fn whole_place() -> (Project, Location) {
    const INSIDE: &str = "/format-1.0/fixture/";
    thread_local! {
        static ROOT: RefCell<Option<Location>> = const { RefCell::new(None) };
    }
    in_memory(ROOT.with_borrow_mut(|root| {
        let filled = || {
            let root = memory();
            for file in fixture(|path| path.contains(INSIDE)) {
                let path = file.to_string_lossy().into_owned();
                let (_, inside) = path.split_once(INSIDE).unwrap_or_default();
                let bytes = fs::read(&file).expect("the fixture is there");
                let copied = root.join("p").join(inside).create(bytes);
                copied.expect("memory takes everything");
            }
            root
        };
        root.get_or_insert_with(filled).clone()
    }))
}

fn memory() -> Location {
    Location::open("memory://").expect("memory opens")
}

fn in_memory(root: Location) -> (Project, Location) {
    let project = Project::at(root, "p").expect("a project opens");
    let run = project.location().join("runs").join(RUN);
    (project, run)
}

/// Writes `files` into a folder in place of those of the call before.
fn fill<'a>(folder: &Location, files: impl Iterator<Item = (String, &'a [u8])>) {
    let mut old = folder.list_files().expect("memory lists");
    for (name, bytes) in files {
        old.retain(|known| *known != name);
        let written = folder.join(&name).replace(bytes.to_vec());
        written.expect("memory takes everything");
    }
    for name in old {
        folder.join(&name).delete().expect("memory deletes");
    }
}

/// The documents and the heartbeat of a run that has nothing else, one a line.
pub fn documents(input: &[u8]) {
    read_run(place(), input);
}

/// The documents and the heartbeat of a run whose tables and models are whole, one a line.
pub fn run(input: &[u8]) {
    read_run(whole_place(), input);
}

fn read_run((project, run): (Project, Location), input: &[u8]) {
    let lines = input.split(|byte| *byte == b'\n').take(64);
    let (beats, lines): (Vec<_>, Vec<_>) = lines.partition(|line| line.starts_with(b"{\"pid\""));
    let beats = beats.into_iter().take(1);
    let beats = beats.map(|beat| ("heartbeat.json".to_owned(), beat));
    let documents = (0_u64..).zip(lines).map(|(number, line)| {
        let (number, document) = numbered(number, line);
        (format!("{number}.json"), document)
    });
    fill(&run.join("run"), documents.chain(beats));
    let _ = project.runs();
    if let Ok(reader) = project.open_run(RUN) {
        look_at(&reader);
    }
}

/// The number in the name of a file, and the file: `@18446744073709551615 {...}` asks for a number of its
/// own, anything else has its place among the others.
fn numbered(place: u64, file: &[u8]) -> (String, &[u8]) {
    let asked = file.strip_prefix(b"@").and_then(|rest| {
        let digits = rest
            .iter()
            .take(20)
            .take_while(|byte| byte.is_ascii_digit());
        let (digits, rest) = rest.split_at(digits.count());
        Some((String::from_utf8_lossy(digits), rest.strip_prefix(b" ")?))
    });
    match asked {
        Some((digits, rest)) => (format!("{digits:0>20}"), rest),
        None => (format!("{place:020}"), file),
    }
}

fn look_at(reader: &RunReader) {
    let _ = (reader.info(), reader.ranks(), reader.incomplete_passes());
    for stream in reader.streams() {
        let metrics = reader.metrics(&stream);
        let _ = (metrics.passes(), metrics.read());
        let _ = reader.latest_pass(&stream, "train");
    }
    for info in reader.projections() {
        let _ = (info.axes(), reader.projection(&info.name).matrix());
        for model in &info.models {
            if !is_elsewhere(&model.url) {
                let _ = reader.projection_model(model);
            }
        }
    }
    for input in reader.inputs() {
        if !is_elsewhere(&input.url) {
            let _ = reader.input_table(input);
        }
    }
    let _ = (reader.scalars(), reader.verify(&Silent));
    let _ = reader.vacuum(Duration::ZERO);
}

/// Users may name tables on other disks: a target stays in memory.
fn is_elsewhere(url: &str) -> bool {
    url.contains("://") || url.starts_with('/')
}

/// The log of a table, entries and checkpoints; the data file that they name is there.
pub fn log(input: &[u8]) {
    let (_, run) = place();
    let table = run.join("log");
    thread_local! {
        static HAS_DATA: Cell<bool> = const { Cell::new(false) };
    }
    if !HAS_DATA.replace(true) {
        for file in fixture(|path| path.contains("metrics/default/part-")) {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let bytes = fs::read(&file).expect("the fixture is there");
            let _ = table.join(&name).create(bytes);
        }
    }
    let entries = (0_u64..).zip(split(input).into_iter().take(64));
    fill(
        &table.join("_delta_log"),
        entries.map(|(version, entry)| {
            let (version, entry) = numbered(version, entry);
            let kind = match entry.starts_with(b"PAR1") {
                true => "checkpoint.parquet",
                false => "json",
            };
            (format!("{version}.{kind}"), entry)
        }),
    );
    let Ok(opened) = DeltaTable::open(table.clone()) else {
        return;
    };
    if let Ok(snapshot) = opened.snapshot() {
        let _ = (snapshot.row_count(), snapshot.size_bytes());
        for field in snapshot.schema().fields() {
            let _ = role(field);
        }
        let _ = snapshot.read(None);
    }
    let _ = opened.snapshot_at(0);
    if let Ok(table) = Table::open(table) {
        let _ = (table.embedding("embedding"), table.weights());
    }
}

fn split(input: &[u8]) -> Vec<&[u8]> {
    let mut entries = Vec::new();
    let mut rest = input;
    while let Some(at) = rest.windows(ENTRY.len()).position(|part| part == ENTRY) {
        entries.push(&rest[..at]);
        rest = &rest[at + ENTRY.len()..];
    }
    entries.push(rest);
    entries
}

/// A data file of a table whose log is whole.
pub fn data_file(input: &[u8]) {
    const NAME: &str = "part-00000000000000000001-00000-x.parquet";
    let (_, run) = place();
    let table = run.join("data");
    if table.join("_delta_log").is_empty().unwrap_or(true) {
        let columns = Columns::new()
            .with("example_id", vec![0_i64])
            .with("loss", vec![0.5_f32])
            .with("text", vec!["x"]);
        let batch = columns
            .into_batch("fuzz")
            .expect("three columns of one row");
        DeltaTable::create(table.clone(), &batch.schema()).expect("memory takes everything");
        let add = format!(
            "{{\"add\":{{\"path\":\"{NAME}\",\"partitionValues\":{{}},\"size\":1,\"modificationTime\":0,\"dataChange\":true}}}}\n"
        );
        let entry = table.join("_delta_log/00000000000000000001.json");
        entry.create(add).expect("memory takes everything");
    }
    let file = table.join(NAME).replace(input.to_vec());
    file.expect("memory takes everything");
    if let Ok(snapshot) = DeltaTable::open(table).and_then(|table| table.snapshot()) {
        let _ = (snapshot.row_count(), snapshot.read(Some(&["loss"])));
        let _ = snapshot.read(None);
    }
}

/// A name, a slug, an address, an id, a column.
pub fn names_and_addresses(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Ok(slug) = names::slug(&text) {
        assert!(
            !slug.is_empty() && slug.len() <= names::MAX_SLUG,
            "{slug:?}"
        );
        assert!(!slug.starts_with('.') && !slug.contains(['/', '\\', '%', '\0']));
        let again = names::slug(&slug).ok();
        assert_eq!(again.as_deref(), Some(&*slug), "a slug is its own slug");
    }
    let (project, run) = place();
    let _ = Project::at(run.clone(), &text).map(|project| project.name().to_owned());
    let _ = (project.open_run(&text), project.table(&text));
    assert!(
        run.join(&text).relative_to(&run).is_some(),
        "{text:?} climbs"
    );
    let _ = Columns::new().with(&*text, vec![1_i64]).into_batch("fuzz");
    let _ = Format::of(Path::new(&*text));
    // Addresses of local files would be looked for on this machine.
    if let Some((scheme, _)) = text.split_once("://")
        && scheme != "file"
    {
        let _ = Location::open(&text);
    }
}

/// A file of a fitted projection; its checksum and lengths are made to hold, or nothing behind them
/// would ever be reached.
pub fn projection(input: &[u8]) {
    const FIXED: usize = 24;
    let _ = load(input, "fuzz");
    let mut file = input.to_vec();
    if file.len() < FIXED + 4 {
        return;
    }
    file[..8].copy_from_slice(b"EMBLPROJ");
    file[8..12].copy_from_slice(&1_u32.to_le_bytes());
    let inner = file.len() - FIXED - 4;
    let header = u32::from_le_bytes([file[12], file[13], file[14], file[15]]) as usize;
    let header = header.min(inner);
    file[12..16].copy_from_slice(&(header as u32).to_le_bytes());
    file[16..24].copy_from_slice(&((inner - header) as u64).to_le_bytes());
    let end = file.len() - 4;
    let checksum = crc32fast::hash(&file[..end]);
    file[end..].copy_from_slice(&checksum.to_le_bytes());
    let Ok(read) = load(&file, "fuzz") else {
        return;
    };
    let width = read.width();
    if width <= 1 << 10 && is_quick(&file[FIXED..FIXED + header]) {
        let _ = read.transform(Array2::<f32>::zeros((2, width)).view());
    }
    let again = read.to_bytes().and_then(|bytes| load(&bytes, "fuzz"));
    assert!(
        again.is_ok(),
        "what was read cannot be written and read again"
    );
}

/// Whether a model places a row in no time; a fit may be told a million epochs, and its model is then slow.
fn is_quick(header: &[u8]) -> bool {
    let header: Value = serde_json::from_slice(header).unwrap_or_default();
    let asks = ["transform_epochs", "negative_sample_rate"]
        .map(|name| header["params"][name].as_u64().unwrap_or_default());
    asks.iter().all(|asked| *asked <= 1000)
}
