//! The `emberlens` binary as its users run it, on runs written by the library.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

mod errors_end_with_1_and_say_what_exists;
mod example;
mod exports_read_back;
mod json_output_is_json;
mod lists_hide_nothing;
mod show_tells_the_whole_run;
mod top_ranks_what_was_collected;
mod wrong_usage_ends_with_2;
