//! Whatever is typed, and whatever a matrix file holds, is answered.
//!
//! `EMBERLENS_PROOF_INPUTS` sets how many inputs each gets, `EMBERLENS_PROOF_SEED` (0) draws others.
//! `fuzz/` has the same targets under coverage.

#[allow(clippy::expect_used, reason = "helpers of tests may panic")]
#[path = "../inputs/targets.rs"]
mod targets;

use emberlens_testkit::Mutations;
use targets::{Target, arguments, good_calls, good_matrices, matrix};

fn answer_all(target: Target, good: Vec<Vec<u8>>, default: usize) {
    let setting = |name: &str| std::env::var(format!("EMBERLENS_PROOF_{name}")).ok();
    let seed = setting("SEED").map_or(0, |seed| seed.parse().unwrap());
    let count = setting("INPUTS").map_or(default, |count| count.parse().unwrap());
    good.iter().for_each(|input| target(input));
    let inputs = Mutations::new(seed, good).take(count);
    inputs.for_each(|input| target(&input));
}

#[test]
fn any_matrix_file_is_answered() {
    answer_all(matrix, good_matrices(), 5000);
}

#[test]
fn any_arguments_are_answered() {
    answer_all(arguments, good_calls(), 500);
}
