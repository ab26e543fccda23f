use crate::example::{Example, stderr};

#[test]
fn every_wrong_call_ends_with_2_and_the_way_to_help() {
    let example = Example::new();
    let wrong: [&[&str]; 19] = [
        &[],
        &["lss"],
        &["show"],
        &["top", "cnn"],
        &["top", "cnn", "--by", "loss", "--epoch", "1", "--mean"],
        &["top", "cnn", "--by", "loss", "-n", "many"],
        &["export", "cnn"],
        &["ls", ".", "--root", "."],
        &["ls", "--no-such-option"],
        &["reduce"],
        &["reduce", "x.npy", "--method", "tsne"],
        &["reduce", "x.npy", "--method", "pca", "--neighbors", "5"],
        &["reduce", "x.npy", "--method", "pca", "--metric", "cosine"],
        &["reduce", "x.npy", "--with", "m", "--seed", "7"],
        &["reduce", "x.npy", "--threads", "0"],
        &["reduce", "x.npy", "-o", "y.npy", "--save", "y.npy"],
        &["reduce", "x.npy", "--fit-sample", "0"],
        &["plot"],
        &["plot", "embedding", "cnn"],
    ];
    for arguments in wrong {
        let output = example.emberlens(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let text = stderr(&output);
        assert!(
            text.contains("Usage") || text.contains("--help"),
            "{arguments:?}: {text}"
        );
    }
}

#[test]
fn help_and_version_are_no_errors() {
    let example = Example::new();
    assert!(example.text(&["--help"]).contains("export"));
    assert!(
        example
            .text(&["--version"])
            .contains(env!("CARGO_PKG_VERSION"))
    );
}
