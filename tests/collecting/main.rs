//! Promises of collecting, one in each file: passes, collectors, callbacks.

mod a_pass_sums_up_its_classes;
mod bad_collectors_give_clear_errors;
mod every_callback_sees_every_event;
mod one_pass_runs_all_collectors;
mod the_collection_does_what_its_options_say;
mod the_end_never_collects_the_same_weights_twice;
