//! Burn's own `launch` would train and collect nothing; it stops at once and says what to call.
#![allow(clippy::unwrap_used)]

mod common;

use common::*;

#[test]
fn a_training_launched_without_its_lens_stops() {
    let root = tempfile::tempdir().unwrap();
    let lens = lens(root.path());
    let result = training(&lens, root.path())
        .num_epochs(50)
        .launch(learner(&lens));
    let error = result.error.unwrap().to_string();
    assert!(error.contains("lens.launch(training, learner)"), "{error}");
    assert!(lens_project(root.path()).runs().unwrap().is_empty());
}
