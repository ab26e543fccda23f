//! An error on one line has every cause, in order, and none of them twice.

use emberlens::{Error, ErrorKind};

#[test]
fn the_chain_names_every_cause() {
    let disk = std::io::Error::new(std::io::ErrorKind::StorageFull, "no space left");
    let error = Error::Callback {
        callback: "MetricsCollection".into(),
        event: "on_training_end",
        source: Box::new(Error::storage("write", "/runs/a", disk)),
    };
    assert_eq!(
        error.chain(),
        "callback MetricsCollection failed in on_training_end: write failed (/runs/a): no space left"
    );
    assert_eq!(error.kind(), ErrorKind::Storage);
}

#[test]
fn a_cause_that_is_repeated_is_told_once() {
    // `User` shows its source and has it as its cause too.
    let error = Error::user(Error::user("no space left"));
    assert_eq!(error.chain(), "no space left");
}

/// A root below a file: the store's own error repeats its cause and the path.
#[test]
fn a_root_that_is_no_folder_is_told_in_one_sentence() -> Result<(), Box<dyn std::error::Error>> {
    let file = tempfile::NamedTempFile::new()?;
    let root = file.path().join("root").display().to_string();
    let Err(error) = emberlens::run::Project::open(&root, "p") else {
        return Err("a project below a file".into());
    };
    let error = error.chain();
    assert!(error.contains("is its root a folder?"), "{error}");
    assert_eq!(error.matches("os error").count(), 1, "{error}");
    assert!(!error.contains("Generic"), "{error}");
    Ok(())
}
