use std::cell::RefCell;
use std::time::Duration;

use super::*;
use crate::storage::Location;
use crate::table::announce::{ANNOUNCED, Turn};
use crate::table::{Columns, FileWriter, RankOwner};
use ulid::Ulid;

fn rows(x: i64) -> RecordBatch {
    Columns::new()
        .with("x", vec![x, x + 1])
        .with("loss", vec![0.1_f32, 0.3])
        .with("mean", vec![0.1_f64 + 0.2, -1.0 / 3.0])
        .with("split", vec!["train", "valid"])
        .into_batch("test")
        .unwrap()
}

fn table() -> DeltaTable {
    let place = Location::open("memory://").unwrap().join("t");
    DeltaTable::create(place, &rows(0).schema()).unwrap()
}

fn file(table: &DeltaTable, x: i64) -> Vec<DataFile> {
    let schema = rows(x).schema();
    let mut writer = FileWriter::starting_at(table.location().clone(), schema, 1);
    writer.write(&rows(x)).unwrap();
    writer.finish().unwrap()
}

/// The `add` of a file as the newest entry of the log has it.
fn add_of(table: &DeltaTable, name: &str) -> serde_json::Value {
    let version = table.snapshot().unwrap().version();
    let entry = format!("_delta_log/{version:020}.json");
    let bytes = table.location().join(&entry).read().unwrap();
    let mut lines = bytes.split(|byte| *byte == b'\n');
    lines
        .find_map(|line| {
            let line: serde_json::Value = serde_json::from_slice(line).ok()?;
            (line["add"]["path"] == name).then(|| line["add"].clone())
        })
        .unwrap()
}

fn lay_open(table: &DeltaTable, writer: &str, files: &[DataFile]) -> Announced {
    let schema = rows(0).schema();
    let commit = Commit::of(writer, 0, files, &schema);
    let seen = table.latest().unwrap().version();
    let announcement = Announcement::of(&commit, table.owner(), seen);
    Announced::lay_open(table.location(), &announcement).unwrap()
}

/// Whom a commit of ours would take along now.
fn companions(table: &DeltaTable) -> Vec<String> {
    let (schema, files) = (rows(0).schema(), file(table, 0));
    let mut commit = Commit::of("own", 0, &files, &schema);
    let announced = lay_open(table, "own", &files);
    commit.announced = Some(RefCell::new(announced));
    let snapshot = table.latest().unwrap();
    let companions = table.companions(&snapshot, &commit).unwrap();
    commit.announced.unwrap().into_inner().withdraw(&[]);
    companions.into_iter().map(|one| one.writer_id).collect()
}

#[test]
fn what_is_taken_along_is_described_as_by_its_own_writer() {
    let (alone, together) = (table(), table());
    let own = file(&alone, 7);
    alone.commit("b", 0, &own, &rows(7).schema()).unwrap();
    let (first, other) = (file(&together, 0), file(&together, 7));
    let mut ours = lay_open(&together, "a", &first);
    let mut theirs = lay_open(&together, "b", &other);
    assert_eq!(ours.wait_for_turn(Duration::ZERO).unwrap(), Turn::Ours);
    let schema = rows(0).schema();
    let mut commit = Commit::of("a", 0, &first, &schema);
    commit.announced = Some(RefCell::new(ours));
    let late = lay_open(&together, "c", &file(&together, 1));
    let landed = together.attempt(&commit, together.latest(), None);
    assert_eq!(landed.unwrap(), Some(1));
    // One that comes after the commit has read what there is stays.
    let later = lay_open(&together, "d", &file(&together, 2));
    let transactions = together.transactions_of(1).unwrap().unwrap();
    commit
        .announced
        .unwrap()
        .into_inner()
        .withdraw(&transactions);
    assert_eq!(theirs.wait_for_turn(Duration::ZERO).unwrap(), Turn::Gone);
    assert_eq!(companions(&together), ["d"]);
    later.withdraw(&[]);
    late.withdraw(&[]);
    assert_eq!(together.snapshot().unwrap().version(), 1);
    assert_eq!(together.snapshot().unwrap().row_count().unwrap(), 6);
    let mut adds = [
        add_of(&alone, &own[0].name),
        add_of(&together, &other[0].name),
    ];
    for add in &mut adds {
        for differs in ["path", "modificationTime"] {
            add[differs].take();
        }
    }
    assert_eq!(adds[0], adds[1]);
    // Its own writer finds it there, and commits nothing.
    together.commit("b", 0, &other, &rows(7).schema()).unwrap();
    assert_eq!(together.snapshot().unwrap().version(), 1);
}

#[test]
fn nobody_takes_along_what_has_landed_or_what_a_later_attempt_has_fenced() {
    let owner = |attempt, joins| Owner {
        run: "r".into(),
        path: "memory:///r".into(),
        attempt,
        rank: Some(RankOwner {
            index: 3,
            joins,
            is_again: joins > 1,
        }),
    };
    let table = table();
    let lay_open = |writer: &str, owner| {
        let owned = table.clone().owned_by(owner);
        lay_open(&owned, writer, &file(&table, 0))
    };
    let _zombie = lay_open("zombie", owner(1, 1));
    let _earlier = lay_open("earlier process of the rank", owner(2, 1));
    let _now = lay_open("now", owner(2, 2));
    assert_eq!(companions(&table).len(), 3);
    table.clone().owned_by(owner(2, 2)).fence().unwrap();
    assert_eq!(companions(&table), ["now"]);
    table
        .commit("now", 0, &file(&table, 0), &rows(0).schema())
        .unwrap();
    assert!(companions(&table).is_empty());
}

#[test]
fn what_does_not_fit_is_left_where_it_is() {
    let table = table();
    let folder = table.location().join(ANNOUNCED);
    let whole = lay_open(&table, "w", &file(&table, 0));
    let name = folder.list_files().unwrap().remove(0);
    let text = folder.join(&name).read().unwrap();
    let text = String::from_utf8(text.to_vec()).unwrap();
    let unsealed = text.rsplit_once(",\"crc32\"").unwrap().0.to_owned() + "}";
    whole.withdraw(&[]);
    let now = || Ulid::new().to_string().to_ascii_lowercase();
    let put = |name: &str, text: String| folder.join(name).create(text).unwrap();
    let changed = |from: &str, to: &str| {
        let changed = unsealed.replace(from, to);
        assert_ne!(changed, unsealed, "{from}");
        changed
    };
    for strange in [
        changed("\"part-", "\"../part-"),
        changed("\"part-", "\"s3://b/part-"),
        changed("\"split\",", "\"spilt\","),
        changed("{\"int\":[", "{\"text\":[\"a\",\"b\"],\"int\":["),
        changed("{\"text\":[\"train\",\"valid\"]}", "{\"int\":[1,2]}"),
        changed(
            "{\"text\":[\"train\",\"valid\"]}",
            "{\"text\":[\"valid\",\"train\"]}",
        ),
        changed("\"rows\":2", "\"rows\":1e18"),
        changed("\"rows\":2", "\"rows\":9223372036854775808"),
        changed("\"size_bytes\":", "\"size_bytes\":18446744073709"),
        changed("\"w\"", "\"emberlens-attempt\""),
        changed("\"w\"", "\"emberlens-rank-3\""),
        changed("\"seen\":0", "\"seen\":1"),
        unsealed[..unsealed.len() / 2].to_owned(),
        String::new(),
        "[]".into(),
        text.replace("\"w\"", "\"v\""),
    ] {
        put(&format!("{}.json", now()), strange);
    }
    let old = Ulid::from_parts(0, 1).to_string().to_ascii_lowercase();
    put(&format!("{old}.json"), unsealed.clone());
    put("notes.txt", unsealed.clone());
    assert!(companions(&table).is_empty());
    put(&format!("{}.json", now()), unsealed);
    assert_eq!(companions(&table), ["w"]);
}
