//! The examples do what they say: they train, collect, learn clearly better than chance, print their
//! main figure, and end by Ctrl-C with an interrupted run.
//!
//! They run as programs, in a reduced setting. `digits` has a test of its own.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests may panic"
)]

mod fix_labels;
mod program;
