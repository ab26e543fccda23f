#![no_main]

use emberlens_fuzz::library::{data_file, good_inputs};
use emberlens_fuzz::{answer, begin};

libfuzzer_sys::fuzz_target!(
    init: begin("data_file", &good_inputs("data_file")),
    |input: &[u8]| answer(data_file, input)
);
