//! Whatever stands in the documents of a run, in the log of a table, in data files, names, projection
//! files or annotations, reading answers with a value or an error: no panic, and no memory for sizes
//! that only a file claims.
//!
//! `EMBERLENS_PROOF_INPUTS` sets how many inputs each target gets, `EMBERLENS_PROOF_TARGET` names
//! the only one to run, `EMBERLENS_PROOF_SEED` (0) draws others. `fuzz/` has the same targets,
//! guided by coverage.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stdout)]

#[path = "inputs/targets.rs"]
mod targets;

use std::alloc::System;
use std::panic::{AssertUnwindSafe, catch_unwind};

use cap::Cap;
use emberlens_testkit::Mutations;
use targets::{TARGETS, good_inputs};

/// What all of the process may use; inputs are smaller than 100 KB.
const MEMORY_BYTES: usize = 1 << 30;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, MEMORY_BYTES);

/// How many inputs a target gets in every test run: about two seconds of each.
fn inputs(target: &str) -> usize {
    match std::env::var("EMBERLENS_PROOF_INPUTS") {
        Ok(asked) => asked.parse().unwrap(),
        Err(_) => match target {
            "log" => 500,
            "annotations" => 200,
            "data_file" | "run" => 1000,
            "names" => 5000,
            _ => 3000,
        },
    }
}

#[test]
fn every_input_is_answered() {
    let only = std::env::var("EMBERLENS_PROOF_TARGET").ok();
    let seed = std::env::var("EMBERLENS_PROOF_SEED").map_or(0, |seed| seed.parse().unwrap());
    let mut failed = Vec::new();
    // Panics of decoders below the library are caught there, and no news.
    std::panic::set_hook(Box::new(|_| {}));
    for (name, target) in TARGETS {
        if only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let good = good_inputs(name);
        assert!(!good.is_empty(), "{name}");
        good.iter().for_each(|input| target(input));
        let begin = std::time::Instant::now();
        let all = Mutations::new(seed, good).take(inputs(name)).enumerate();
        for (number, input) in all {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(&input))) {
                let text = panic.downcast_ref::<String>().cloned();
                let text =
                    text.or_else(|| panic.downcast_ref::<&str>().map(|text| text.to_string()));
                let file = std::env::temp_dir().join(format!("emberlens-{name}-{seed}-{number}"));
                std::fs::write(&file, &input).unwrap();
                failed.push(format!("{name}, {}: {text:?}", file.display()));
            }
        }
        println!("{name}: {} inputs in {:?}", inputs(name), begin.elapsed());
    }
    let _ = std::panic::take_hook();
    assert!(
        failed.is_empty(),
        "{} inputs:\n{}",
        failed.len(),
        failed.join("\n")
    );
}
