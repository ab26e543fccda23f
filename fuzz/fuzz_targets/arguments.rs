#![no_main]

use emberlens_fuzz::command_line::{arguments, good_calls};
use emberlens_fuzz::{answer, begin};

libfuzzer_sys::fuzz_target!(
    init: begin("arguments", &good_calls()),
    |input: &[u8]| answer(arguments, input)
);
