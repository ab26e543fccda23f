#![no_main]

use emberlens_fuzz::command_line::{good_matrices, matrix};
use emberlens_fuzz::{answer, begin};

libfuzzer_sys::fuzz_target!(
    init: begin("matrix", &good_matrices()),
    |input: &[u8]| answer(matrix, input)
);
