#![no_main]

use emberlens_fuzz::library::{documents, good_inputs};
use emberlens_fuzz::{answer, begin};

libfuzzer_sys::fuzz_target!(
    init: begin("documents", &good_inputs("documents")),
    |input: &[u8]| answer(documents, input)
);
