//! The examples do what they say: they train, collect, learn clearly better than chance, print their
//! main figure, and end by Ctrl-C with an interrupted run.
//!
//! They run as programs, in a reduced setting. `digits` has a test of its own.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests may panic"
)]

mod detection;
mod fix_labels;
mod next;
mod program;
mod segmentation;
mod text;

// The examples' own modules, so that their tests run too.
#[allow(dead_code)]
#[path = "../../examples/detection/fit.rs"]
mod fit;
#[allow(dead_code)]
#[path = "../../examples/detection/grid.rs"]
mod grid;
#[allow(dead_code)]
#[path = "../../examples/shared/imported.rs"]
mod imported;
#[allow(dead_code)]
#[path = "../../examples/detection/sample.rs"]
mod sample;
#[allow(dead_code, unused_imports)]
#[path = "../../examples/scenes/mod.rs"]
mod scenes;
#[allow(dead_code)]
#[path = "../../examples/segmentation/sample.rs"]
mod segmented;
#[path = "../../examples/shared/table.rs"]
mod table;
