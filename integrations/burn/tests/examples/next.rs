//! What the examples print as the next commands works, however much there is to show.

use crate::program::{next_commands_work, text};

/// Runs an example and everything that it prints for later; the plots among it.
fn plots(name: &str, arguments: &[&str]) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("a reader's runs");
    std::fs::create_dir(&root).unwrap();
    let printed = text(name, &root, arguments);
    let next = next_commands_work(&root, &printed);
    assert!(next.len() >= 3, "{printed}");
    next.iter().filter(|line| line.contains(" plot ")).count()
}

#[test]
fn of_digits() {
    assert_eq!(plots("digits", &["--epochs=1"]), 1);
}

#[test]
fn of_text() {
    assert_eq!(
        plots("text", &["--epochs=1", "--sentences=40", "--reduce=none"]),
        0
    );
    assert_eq!(
        plots("text", &["--epochs=1", "--sentences=40", "--reduce=pca"]),
        2
    );
}

#[test]
fn of_segmentation() {
    assert_eq!(
        plots(
            "segmentation",
            &["--epochs=1", "--scenes=16", "--reduce=none"]
        ),
        0
    );
    assert_eq!(
        plots(
            "segmentation",
            &["--epochs=1", "--scenes=16", "--reduce=pca"]
        ),
        2
    );
}

#[test]
fn of_detection() {
    // After one step nothing is seen with confidence: there are no boxes to show.
    assert_eq!(plots("detection", &["--epochs=1", "--scenes=4"]), 0);
    let learned = ["--epochs=4", "--every=4", "--scenes=120"];
    assert_eq!(
        plots("detection", &[&learned[..], &["--reduce=none"]].concat()),
        0
    );
    assert_eq!(
        plots("detection", &[&learned[..], &["--reduce=pca"]].concat()),
        2
    );
}

#[test]
fn of_fix_labels() {
    let short = ["--epochs=1", "--review=0.05"];
    assert_eq!(
        plots("fix_labels", &[&short[..], &["--reduce=none"]].concat()),
        0
    );
    assert_eq!(
        plots("fix_labels", &[&short[..], &["--reduce=pca"]].concat()),
        1
    );
}
