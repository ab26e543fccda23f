//! Every operation that the library uses does the same in every store.
//!
//! `EMBERLENS_PROOF_RACES` sets how many races are run (100), of 16 threads each.

use std::sync::atomic::{AtomicUsize, Ordering};

use emberlens::ErrorKind;
use emberlens::storage::{Documents, Location};

use crate::places::{Place, in_every_store};

const THREADS: usize = 16;
/// Larger than what any client sends in one piece by itself.
const LARGE: usize = 12 << 20;

in_every_store!(every_operation_does_the_same);

fn every_operation_does_the_same(place: &Place) {
    let root = &place.root;
    creating_replacing_reading(root);
    listing_and_deleting(root);
    names_and_sizes(root);
    if place.is_atomic {
        documents(root);
        races(root);
    }
    root.delete_all().unwrap();
    assert!(root.is_empty().unwrap(), "{root}");
}

fn creating_replacing_reading(root: &Location) {
    let object = root.join("a/b.json");
    assert_eq!(object.read_if_exists().unwrap(), None);
    assert_eq!(object.read().unwrap_err().kind(), ErrorKind::NotFound);
    assert!(object.create("first").unwrap());
    assert!(!object.create("second").unwrap());
    assert_eq!(&object.read().unwrap()[..], b"first");
    object.replace("third, which is longer").unwrap();
    assert_eq!(&object.read().unwrap()[..], b"third, which is longer");
    object.replace("x").unwrap();
    assert_eq!(&object.read().unwrap()[..], b"x");
    assert!(!object.create("fourth").unwrap());
    assert_eq!(root.join("a").read_if_exists().unwrap(), None, "a folder");
    object.delete().unwrap();
    object.delete().unwrap();
    assert_eq!(object.read_if_exists().unwrap(), None);
    assert!(object.create("again").unwrap());
    object.delete().unwrap();
}

fn listing_and_deleting(root: &Location) {
    assert!(root.join("none").list_files().unwrap().is_empty());
    assert!(root.join("none").is_empty().unwrap());
    let numbers = ["10", "2", "1"];
    for number in numbers {
        root.join(&format!("l/f{number}")).replace(number).unwrap();
        root.join(&format!("l/d{number}/x")).replace("x").unwrap();
        root.join(&format!("lx/{number}")).replace("x").unwrap();
    }
    let folder = root.join("l");
    assert_eq!(folder.list_files().unwrap(), ["f1", "f10", "f2"]);
    assert_eq!(folder.list_folders().unwrap(), ["d1", "d10", "d2"]);
    assert!(!folder.is_empty().unwrap());
    folder.delete_all().unwrap();
    folder.delete_all().unwrap();
    assert!(folder.is_empty().unwrap());
    assert_eq!(root.join("lx").list_files().unwrap(), ["1", "10", "2"]);
    root.join("lx").delete_all().unwrap();
}

fn names_and_sizes(root: &Location) {
    let folder = root.join("names");
    let mut names = [
        "a b", "a+b", "a&b=c", "x'y(z)", "a:b@c", "a,b;c", "$!-_.", "A", "a",
    ];
    names.sort_unstable();
    for name in names {
        assert!(folder.join(name).create(name).unwrap(), "{root}: {name}");
        assert!(
            !folder.join(name).create("other").unwrap(),
            "{root}: {name}"
        );
    }
    assert_eq!(folder.list_files().unwrap(), names, "{root}");
    for name in names {
        assert_eq!(&folder.join(name).read().unwrap()[..], name.as_bytes());
        let again = folder.url();
        assert!(again.starts_with(&root.url()), "{again}");
        folder.join(name).delete().unwrap();
    }
    let (empty, large) = (root.join("sizes/empty"), root.join("sizes/large"));
    assert!(empty.create("").unwrap());
    assert_eq!(empty.read().unwrap().len(), 0);
    let bytes: Vec<u8> = (0..LARGE).map(|byte| (byte % 251) as u8).collect();
    assert!(large.create(bytes.clone()).unwrap());
    assert!(large.read().unwrap() == bytes);
    root.join("sizes").delete_all().unwrap();
}

fn documents(root: &Location) {
    let folder = root.join("documents");
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let documents = Documents::at(folder.clone());
            scope.spawn(move || {
                for value in 0..4 {
                    documents.append(&(writer, value)).unwrap();
                }
            });
        }
    });
    let mut all: Vec<(u64, (i32, i32))> = Documents::at(folder.clone()).read_all().unwrap();
    assert!(all.iter().map(|(number, _)| *number).eq(0..16), "{root}");
    all.sort_by_key(|(_, document)| *document);
    all.dedup_by_key(|(_, document)| *document);
    assert_eq!(all.len(), 16, "{root}: each document is there once");
    folder.delete_all().unwrap();
}

/// Threads that create one object at once: one of them does, and the object is its own.
fn races(root: &Location) {
    let asked = std::env::var("EMBERLENS_PROOF_RACES").ok();
    let races: usize = asked.map_or(100, |text| text.parse().unwrap());
    for race in 0..races {
        let object = root.join(&format!("races/{race}"));
        let (winners, winner) = (AtomicUsize::new(0), AtomicUsize::new(THREADS));
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (object, winners, winner) = (&object, &winners, &winner);
                scope.spawn(move || {
                    if object.create(format!("thread {thread}")).unwrap() {
                        winners.fetch_add(1, Ordering::SeqCst);
                        winner.store(thread, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(winners.into_inner(), 1, "{root}: race {race}");
        let expected = format!("thread {}", winner.into_inner());
        assert_eq!(&object.read().unwrap()[..], expected.as_bytes(), "{root}");
    }
    root.join("races").delete_all().unwrap();
}
