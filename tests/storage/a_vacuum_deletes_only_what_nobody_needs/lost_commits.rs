//! Commits that a log has lost, so that it names files which are gone.

use std::fs;
use std::time::Duration;

use emberlens::ErrorKind;
use emberlens::collect::Silent;
use emberlens::embedding::FitOn;
use emberlens::reduce::Pca;

use super::{Example, files, names};

/// Without the entry of a compaction the log names the files that it joined: when these were deleted,
/// the joined ones are all that is left.
#[test]
fn the_joined_files_stay_when_the_log_has_lost_their_compaction() {
    let example = Example::new();
    example.reader().compact(&Silent).unwrap();
    example.vacuum(Duration::ZERO).delete(&Silent).unwrap();
    for table in ["scalars", "metrics/default"] {
        let log = example.path().join(table).join("_delta_log");
        let mut entries = files(&log).into_iter();
        let last = log.join(entries.rfind(|name| name.ends_with(".json")).unwrap());
        let kept = example.folder.path().join("kept");
        fs::rename(&last, &kept).unwrap();
        let vacuum = example.vacuum(Duration::ZERO);
        assert!(vacuum.files.is_empty(), "{table}: {:?}", vacuum.files);
        let [error] = &*vacuum.problems else {
            panic!("{table}: {:?}", vacuum.problems);
        };
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        let text = error.to_string();
        assert!(text.contains(table) && text.contains("not there"), "{text}");
        fs::rename(&kept, &last).unwrap();
    }
    assert!(example.vacuum(Duration::ZERO).problems.is_empty());
    example.check();
}

#[test]
fn coordinates_whose_version_is_lost_stop_no_vacuum_of_the_rest() {
    let example = Example::new();
    let pca = Pca::params().dims(1);
    let run = &example.run;
    run.reduce_embeddings("embedding", &pca, FitOn::Latest)
        .unwrap();
    example.reader().compact(&Silent).unwrap();
    let log = example
        .path()
        .join("projections/embedding-pca/_delta_log/00000000000000000001.json");
    fs::remove_file(log).unwrap();
    let vacuum = example.vacuum(Duration::ZERO);
    assert_eq!(vacuum.files.len(), 6, "{:?}", vacuum.files);
    let is_of_coordinates = |name: &String| name.contains("projections");
    assert!(!names(&vacuum).iter().any(is_of_coordinates));
    let [error] = &*vacuum.problems else {
        panic!("{:?}", vacuum.problems);
    };
    let text = error.to_string();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(
        text.contains("embedding-pca") && text.contains("version 1"),
        "{text}"
    );
}
