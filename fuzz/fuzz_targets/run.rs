#![no_main]

use emberlens_fuzz::library::{good_inputs, run};
use emberlens_fuzz::{answer, begin};

libfuzzer_sys::fuzz_target!(
    init: begin("run", &good_inputs("run")),
    |input: &[u8]| answer(run, input)
);
