//! Promise: text files become tables with every text as it is, and what cannot be read is named with its
//! place, or counted when asked, and leaves no table behind.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use emberlens::storage::Location;
use emberlens::table::import::{Imported, SkipReason, TextFiles, TextLayout, text_files};
use emberlens::{ErrorKind, Result};
use tempfile::TempDir;

fn tables() -> Location {
    Location::open("memory://").unwrap().join("tables")
}

fn put(folder: &TempDir, relative: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(relative);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    path
}

fn import(path: &Path, layout: TextLayout) -> Result<Imported> {
    text_files(&tables(), "t", path, &TextFiles::new(layout))
}

/// The error text of an import that must leave no table.
fn refused(path: &Path, options: &TextFiles) -> String {
    let folder = tables();
    let error = text_files(&folder, "t", path, options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(folder.join("t").is_empty().unwrap());
    error.to_string()
}

/// The same import, where what is bad is counted.
fn lenient(path: &Path, options: &TextFiles) -> Imported {
    let options = TextFiles {
        lenient: true,
        ..options.clone()
    };
    text_files(&tables(), "t", path, &options).unwrap()
}

#[test]
fn class_folders_become_rows_with_labels() {
    let source = TempDir::new().unwrap();
    put(&source, "pos/0_9.txt", "Schön!\nTwo lines.\n");
    put(&source, "pos/more/1_10.txt", "\u{feff}with a mark");
    put(&source, "neg/2_1", "no ending\t");
    put(&source, "neg/3_1.txt", "");
    put(&source, "neg/.hidden", b"\xff");
    put(&source, "urls_pos.txt", "http://example.org");
    fs::create_dir(source.path().join("unsup")).unwrap();

    let imported = import(source.path(), TextLayout::ClassFolders).unwrap();
    assert!(imported.skipped.is_empty());
    let table = imported.table;
    assert_eq!(
        table.column::<String>("text").unwrap(),
        ["no ending\t", "", "Schön!\nTwo lines.\n", "with a mark"]
    );
    assert_eq!(
        table.category_names("label").unwrap(),
        ["neg", "pos", "unsup"]
    );
    assert_eq!(table.column::<i32>("label").unwrap(), [0, 0, 1, 1]);
    let paths = table.column::<String>("path").unwrap();
    assert_eq!(
        paths,
        ["neg/2_1", "neg/3_1.txt", "pos/0_9.txt", "pos/more/1_10.txt"]
    );

    let plain = import(&source.path().join("pos"), TextLayout::Files).unwrap();
    let names: Vec<&str> = plain
        .table
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().as_str())
        .collect();
    assert_eq!(names, ["text", "path"]);
    assert_eq!(
        plain.table.column::<String>("path").unwrap(),
        ["0_9.txt", "more/1_10.txt"]
    );
}

#[test]
fn lines_become_rows_with_their_number() {
    let source = TempDir::new().unwrap();
    let text = "\u{feff}one\r\n\r\n two \u{feff}\n   \nthree\tand\na lone \r is kept";
    let path = put(&source, "corpus.txt", text);
    let table = import(&path, TextLayout::Lines).unwrap().table;
    assert_eq!(
        table.column::<String>("text").unwrap(),
        ["one", " two \u{feff}", "three\tand", "a lone \r is kept"]
    );
    assert_eq!(table.column::<i64>("line").unwrap(), [1, 3, 5, 6]);
    assert!(table.schema().index_of("label").is_err());
}

#[test]
fn lines_with_a_class_before_or_after_a_tab() {
    let source = TempDir::new().unwrap();
    let path = put(&source, "sms", "spam\twin\tnow\nham\tok\n\nspam\t\n");
    let table = import(&path, TextLayout::LabelThenText).unwrap().table;
    assert_eq!(
        table.column::<String>("text").unwrap(),
        ["win\tnow", "ok", ""]
    );
    assert_eq!(table.category_names("label").unwrap(), ["ham", "spam"]);
    assert_eq!(table.column::<i32>("label").unwrap(), [1, 0, 1]);
    assert_eq!(table.column::<i64>("line").unwrap(), [1, 2, 4]);

    let path = put(&source, "amazon", "So good. \t1\r\nA\ttab \t 0 \r\n");
    let table = import(&path, TextLayout::TextThenLabel).unwrap().table;
    assert_eq!(
        table.column::<String>("text").unwrap(),
        ["So good. ", "A\ttab "]
    );
    assert_eq!(table.category_names("label").unwrap(), ["0", "1"]);
    assert_eq!(table.column::<i32>("label").unwrap(), [1, 0]);
}

#[test]
fn what_cannot_be_read_is_named_or_counted() {
    let source = TempDir::new().unwrap();
    let short = TextFiles {
        max_text_bytes: 10,
        ..TextFiles::new(TextLayout::Lines)
    };
    // Ten bytes fit with either end; eleven do not, and neither do very many.
    let huge = "x".repeat(1 << 20);
    let text = format!("0123456789\n0123456789\r\n0123456789a\n{huge}\nend");
    let path = put(&source, "long.txt", text);
    let error = refused(&path, &short);
    assert!(
        error.contains("line 3") && error.contains("11 bytes") && error.contains("long.txt"),
        "{error}"
    );
    let imported = lenient(&path, &short);
    assert_eq!(imported.table.column::<i64>("line").unwrap(), [1, 2, 5]);
    let (reason, kind) = imported.skipped.by_reason().next().unwrap();
    assert_eq!((reason, kind.count), (SkipReason::TextSize, 2));
    assert!(kind.examples[1].contains("line 4"), "{kind:?}");

    let lines = TextFiles::new(TextLayout::LabelThenText);
    let path = put(
        &source,
        "latin.tsv",
        b"a\tgut\na\tsch\xf6n\nno tab\n \tblank\nb\tlast",
    );
    let error = refused(&path, &lines);
    // `a<tab>gut<end>` are 6 bytes, `a<tab>sch` 5 more.
    assert!(
        error.contains("byte 0xf6") && error.contains("line 2, byte 11 of the file"),
        "{error}"
    );
    let imported = lenient(&path, &lines);
    assert_eq!(
        imported.table.column::<String>("text").unwrap(),
        ["gut", "last"]
    );
    let kinds: Vec<_> = imported.skipped.by_reason().collect();
    let counts: Vec<_> = kinds
        .iter()
        .map(|(reason, kind)| (*reason, kind.count))
        .collect();
    assert_eq!(counts, [(SkipReason::Line, 2), (SkipReason::Encoding, 1)]);
    for (example, parts) in kinds[0].1.examples.iter().zip([
        ["line 3", "the line has no tab, so no class"],
        ["line 4", "the class is blank"],
    ]) {
        assert!(parts.iter().all(|part| example.contains(part)), "{example}");
    }

    let folders = TextFiles {
        max_text_bytes: 4,
        ..TextFiles::new(TextLayout::ClassFolders)
    };
    put(&source, "set/a/1.txt", "1234");
    put(&source, "set/a/2.txt", b"\xc3\xb6\xc3");
    put(&source, "set/b/3.txt", "12345");
    let path = source.path().join("set");
    let error = refused(&path, &folders);
    assert!(
        error.contains("byte 0xc3") && error.contains("byte 2") && error.contains("a/2.txt"),
        "{error}"
    );
    let imported = lenient(&path, &folders);
    assert_eq!(imported.table.column::<i32>("label").unwrap(), [0]);
    assert_eq!(imported.table.category_names("label").unwrap(), ["a", "b"]);
    assert_eq!(imported.skipped.count(), 2);
}

#[test]
fn sources_without_a_text_are_refused() {
    let source = TempDir::new().unwrap();
    let blank = put(&source, "blank.txt", "\n  \n");
    let lines = TextFiles::new(TextLayout::Lines);
    assert!(refused(&blank, &lines).contains("no texts"));
    assert!(refused(source.path(), &lines).contains("a folder, not a file"));
    let bad = put(&source, "bad.txt", b"\xff\n");
    let options = TextFiles {
        lenient: true,
        ..lines
    };
    let error = refused(&bad, &options);
    assert!(error.contains("1 x text that is not UTF-8"), "{error}");
    let folders = TextFiles::new(TextLayout::ClassFolders);
    assert!(refused(source.path(), &folders).contains("no texts"));
    let missing = import(Path::new("/nowhere"), TextLayout::Files).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    // Each row of this file has a class of its own: the layout is the wrong way round.
    let many: String = (0..70_000).map(|row| format!("text {row}\t1\n")).collect();
    let path = put(&source, "many.tsv", many);
    let error = refused(&path, &TextFiles::new(TextLayout::LabelThenText));
    assert!(error.contains("65536 different classes"), "{error}");
    assert_eq!(
        import(&path, TextLayout::TextThenLabel)
            .unwrap()
            .table
            .row_count(),
        70_000
    );
}
