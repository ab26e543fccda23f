//! Promises about stores elsewhere, one in each file.
//!
//! They are kept by the server in the testkit, which is always there, and by other projects' servers where
//! these are installed (CONTRIBUTING.md has the lines); a test that finds none says that it was skipped.

#![allow(clippy::panic, clippy::unwrap_used)]

mod a_repeated_request_is_not_a_second_one;
mod a_run_lives_in_every_store;
mod a_store_without_atomic_creates_is_refused;
mod credentials_never_show;
mod every_store_does_the_same;
mod places;
mod the_environment_says_where_a_bucket_is;
