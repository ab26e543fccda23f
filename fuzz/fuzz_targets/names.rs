#![no_main]

use emberlens_fuzz::library::{good_inputs, names_and_addresses};
use emberlens_fuzz::{answer, begin};

libfuzzer_sys::fuzz_target!(
    init: begin("names", &good_inputs("names")),
    |input: &[u8]| answer(names_and_addresses, input)
);
