#![no_main]

use emberlens_fuzz::library::foreign::{annotations, good_inputs};
use emberlens_fuzz::{answer, begin};

libfuzzer_sys::fuzz_target!(
    init: begin("annotations", &good_inputs()),
    |input: &[u8]| answer(annotations, input)
);
