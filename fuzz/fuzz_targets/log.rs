#![no_main]

use emberlens_fuzz::library::{good_inputs, log};
use emberlens_fuzz::{answer, begin};

libfuzzer_sys::fuzz_target!(
    init: begin("log", &good_inputs("log")),
    |input: &[u8]| answer(log, input)
);
