//! What is done with input of the command line that nobody checked. A target answers every input; it
//! panics, runs out of memory or hangs only when the command is broken.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;

use clap::Parser;
use emberlens_cli::{Cli, npy};
use tempfile::NamedTempFile;

/// A function that answers every input.
pub type Target = fn(&[u8]);

/// A `.npy` file, as a matrix and as a column.
pub fn matrix(input: &[u8]) {
    thread_local! {
        static FILE: NamedTempFile = NamedTempFile::new().expect("a temporary file");
    }
    FILE.with(|file| {
        fs::write(file, input).expect("the temporary folder takes files");
        let go_on = || Ok(());
        if let Ok((matrix, _)) = npy::read(file.path(), &go_on) {
            assert!(matrix.len() <= input.len(), "a value takes a byte at least");
        }
        if let Ok((column, _)) = npy::read_column(file.path(), &go_on) {
            assert!(column.len() <= input.len(), "a value takes a byte at least");
        }
    });
}

/// Arguments, one a line.
pub fn arguments(input: &[u8]) {
    let arguments = input.split(|byte| *byte == b'\n');
    let arguments = arguments.map(|argument| OsString::from_vec(argument.to_vec()));
    let program = std::iter::once(OsString::from("emberlens"));
    // The text of the error is made too, which quotes what was typed.
    if let Err(error) = Cli::try_parse_from(program.chain(arguments)) {
        assert!(!error.render().to_string().is_empty());
    }
}

/// Files that NumPy would write.
pub fn good_matrices() -> Vec<Vec<u8>> {
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

/// Calls that are right.
pub fn good_calls() -> Vec<Vec<u8>> {
    let calls = [
        "ls\n--project\ndigits\n--json",
        "show\ncnn\n--root\nmemory://",
        "top\ncnn\n--by\nloss\n--epoch\n3\n--limit\n10",
        "export\ncnn\n-o\nrows.parquet\n--stream\ndefault\n--force",
        "export\n--table\nink@3\n-o\nset\n--format\nyolo\n--task\noriented\n--lenient",
        "import\ncoco\nx.json\n--name\nstreet\n--images\npictures\n--urls",
        "import\ncsv\nx.csv\n--name\nflowers\n--delimiter\n;\n--category\nspecies",
        "reduce\nx.npy\n-o\ny.npy\n--method\npacmap\n--dims\n2\n--seed\n7",
        "reduce\ncnn\n--column\nembedding\n--method\numap\n--per\nsplit",
        "plot\nembedding\ncnn\n--width\n640\n--height\n480\n--scale\n2\n-o\nx.svg",
        "verify\ncnn",
    ];
    calls.map(|call| call.as_bytes().to_vec()).to_vec()
}
