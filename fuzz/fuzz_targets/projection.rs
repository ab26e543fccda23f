#![no_main]

use emberlens_fuzz::library::{good_inputs, projection};
use emberlens_fuzz::{answer, begin};

libfuzzer_sys::fuzz_target!(
    init: begin("projection", &good_inputs("projection")),
    |input: &[u8]| answer(projection, input)
);
