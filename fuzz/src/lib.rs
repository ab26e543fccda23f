//! Runs the targets of the tests under libFuzzer, which keeps inputs that reach something new and
//! changes those. What a target does is in `tests/inputs/targets.rs` and `cli/tests/inputs/targets.rs`.

use std::alloc::System;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::path::Path;
use std::process::abort;
use std::sync::Mutex;

use cap::Cap;

#[path = "../../cli/tests/inputs/targets.rs"]
pub mod command_line;
#[path = "../../tests/inputs/targets.rs"]
pub mod library;

/// What all of the process may allocate, as in the tests: no size that an input only claims fits.
const MEMORY_BYTES: usize = 1 << 30;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, MEMORY_BYTES);

/// The last panic, with its place.
static PANIC: Mutex<String> = Mutex::new(String::new());

/// Puts the inputs that the tests start from into the target's corpus, and replaces libFuzzer's hook,
/// which ends the process also at panics that the library catches: those of decoders below it.
pub fn begin(target: &str, good: &[Vec<u8>]) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    fs::create_dir_all(&corpus).expect("a folder for the corpus");
    for (number, input) in good.iter().enumerate() {
        fs::write(corpus.join(format!("good-{number}")), input).expect("room for the corpus");
    }
    set_hook(Box::new(|panic| {
        if let Ok(mut last) = PANIC.lock() {
            *last = panic.to_string();
        }
    }));
}

/// Ends the process, so that libFuzzer keeps the input, where the target panics.
pub fn answer(target: fn(&[u8]), input: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| target(input))).is_err() {
        let last = PANIC.lock().map(|last| last.clone());
        eprintln!("{}", last.unwrap_or_default());
        abort();
    }
}
