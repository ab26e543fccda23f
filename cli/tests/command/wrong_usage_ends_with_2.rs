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
fn numbers_out_of_range_are_refused_with_the_option_and_the_range() {
    let example = Example::new();
    let cases = [
        ("--azimuth", "from -360 to 360"),
        ("--elevation", "from -360 to 360"),
        ("--width", "from 320 to 8000"),
        ("--height", "from 240 to 8000"),
        ("--scale", "from 0.5 to 4"),
    ];
    for (option, range) in cases {
        for value in ["nan", "inf", "-inf", "-1e9", "1e39", "wide", ""] {
            let call = ["plot", "embedding", "cnn", "-o", "x.png", option, value];
            let output = example.emberlens(&call);
            let text = stderr(&output);
            assert_eq!(output.status.code(), Some(2), "{option} {value}: {text}");
            assert!(
                text.contains(&format!("'{option} ")) && text.contains(range),
                "{option} {value}: {text}"
            );
        }
    }
    for (option, least) in [("--width", "320"), ("--height", "240"), ("--scale", "0.5")] {
        let output = example.emberlens(&["plot", "embedding", "cnn", "-o", "x.png", option, "0"]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(&format!("from {least} to")));
    }
}

#[test]
fn an_empty_column_is_refused_by_name() {
    let example = Example::new();
    for column in ["", " ", "a,,b"] {
        for input in ["x.npy", "cnn"] {
            let call = ["reduce", input, "-o", "y.npy", "--column", column];
            let output = example.emberlens(&call);
            let text = stderr(&output);
            assert_eq!(output.status.code(), Some(2), "{column:?}: {text}");
            assert!(text.contains("--column"), "{text}");
        }
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
