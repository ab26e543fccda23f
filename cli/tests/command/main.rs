//! The `emberlens` binary as its users run it, on runs written by the library.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

mod a_file_has_what_the_run_would_keep;
mod a_run_is_reduced_in_place_or_into_a_file;
mod damage_is_skipped_when_asked;
mod embedded;
mod errors_end_with_1_and_say_what_exists;
mod every_option_is_used_or_refused;
mod example;
mod exports_read_back;
mod json_output_is_json;
mod lists_hide_nothing;
#[cfg(unix)]
mod masks_and_texts_come_in_and_tables_are_split;
mod no_input_is_too_strange;
mod plots_show_a_run;
mod reduce_gives_the_librarys_coordinates;
mod reduce_leaves_no_half_file;
mod show_tells_the_whole_run;
mod tables_are_edited_and_compared;
mod tables_come_in_and_go_out;
mod top_ranks_what_was_collected;
mod upkeep_says_what_it_did;
mod verify_names_what_is_damaged;
mod wrong_usage_ends_with_2;
