#![no_main]

use emberlens_fuzz::library::{filter, good_inputs};
use emberlens_fuzz::{answer, begin};

libfuzzer_sys::fuzz_target!(
    init: begin("filter", &good_inputs("filter")),
    |input: &[u8]| answer(filter, input)
);
