//! Whatever is typed, and whatever a matrix file holds, is answered.
//!
//! `EMBERLENS_PROOF_INPUTS` sets how many inputs each gets, `EMBERLENS_PROOF_SEED` (0) draws others.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use clap::Parser;
use emberlens_testkit::Mutations;

use crate::{Cli, npy};

fn inputs(good: Vec<Vec<u8>>, default: usize) -> impl Iterator<Item = Vec<u8>> {
    let setting = |name: &str| std::env::var(format!("EMBERLENS_PROOF_{name}")).ok();
    let seed = setting("SEED").map_or(0, |seed| seed.parse().unwrap());
    let count = setting("INPUTS").map_or(default, |count| count.parse().unwrap());
    Mutations::new(seed, good).take(count)
}

/// Reads the input as a matrix and as a column.
fn read_matrix(folder: &Path, input: &[u8]) {
    let path = folder.join("x.npy");
    std::fs::write(&path, input).expect("the temporary folder takes files");
    let go_on = || Ok(());
    if let Ok((matrix, _)) = npy::read(&path, &go_on) {
        assert!(matrix.len() <= input.len(), "a value takes a byte at least");
    }
    if let Ok((column, _)) = npy::read_column(&path, &go_on) {
        assert!(column.len() <= input.len(), "a value takes a byte at least");
    }
}

/// Files that NumPy would write.
fn good_matrices() -> Vec<Vec<u8>> {
    let file = |descr: &str, order: &str, shape: &str, bytes: usize| {
        let text =
            format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        file.extend((text.len() as u16).to_le_bytes());
        file.extend(text.bytes());
        file.extend((0..bytes).map(|byte| byte as u8));
        file
    };
    vec![
        file("<f4", "False", "(3, 2)", 24),
        file(">f8", "True", "(2, 3)", 48),
        file("<f2", "False", "(2, 2)", 8),
        file("|b1", "False", "(4,)", 4),
        file("<i8", "False", "(2, 1)", 16),
        file("<f4", "False", "(0, 5)", 0),
    ]
}

#[test]
fn any_matrix_file_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    for input in inputs(good_matrices(), 5000) {
        read_matrix(folder.path(), &input);
    }
}

/// Calls that are right, their arguments one a line.
const CALLS: [&str; 8] = [
    "ls\n--project\ndigits\n--json",
    "show\ncnn\n--root\nmemory://",
    "top\ncnn\n--by\nloss\n--epoch\n3\n--limit\n10",
    "export\ncnn\n-o\nrows.parquet\n--stream\ndefault\n--force",
    "reduce\nx.npy\n-o\ny.npy\n--method\npacmap\n--dims\n2\n--seed\n7",
    "reduce\ncnn\n--column\nembedding\n--method\numap\n--per\nsplit",
    "plot\nembedding\ncnn\n--width\n640\n--height\n480\n--scale\n2\n-o\nx.svg",
    "verify\ncnn",
];

#[test]
fn any_arguments_are_answered() {
    let good = CALLS.map(|call| call.as_bytes().to_vec()).to_vec();
    for call in &good {
        parse(call);
    }
    inputs(good, 500).for_each(|input| parse(&input));
}

fn parse(input: &[u8]) {
    let arguments = input.split(|byte| *byte == b'\n');
    let arguments = arguments.map(|argument| OsString::from_vec(argument.to_vec()));
    let program = std::iter::once(OsString::from("emberlens"));
    // The text of the error is made too, which quotes what was typed.
    if let Err(error) = Cli::try_parse_from(program.chain(arguments)) {
        assert!(!error.render().to_string().is_empty());
    }
}
