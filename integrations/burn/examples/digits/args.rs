//! What the user can say on the command line.

use clap::Parser;

use crate::arguments::{at_least_one, positive, share};

use crate::source::Source;

/// Trains a small convolutional network and records every sample at every epoch.
#[derive(Parser, Debug)]
#[command(name = "digits")]
pub struct Args {
    #[command(flatten)]
    pub source: Source,
    /// Epochs to train.
    #[arg(long, default_value_t = 8, value_parser = at_least_one)]
    pub epochs: usize,
    /// Samples per training step.
    #[arg(long, default_value_t = 32, value_parser = at_least_one)]
    pub batch_size: usize,
    /// Learning rate of Adam.
    #[arg(long, default_value_t = 2e-3, value_parser = positive, allow_negative_numbers = true)]
    pub learning_rate: f64,
    /// Share of the training labels that is replaced by a wrong one, 0 to 1.
    #[arg(long, default_value_t = 0.05, value_parser = share, allow_negative_numbers = true)]
    pub label_noise: f64,
    /// Seed of the split, the planted labels, the weights and the shuffling.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Where runs are kept [default: $EMBERLENS_ROOT, else ./emberlens].
    #[arg(long, value_name = "PATH_OR_URL")]
    pub root: Option<String>,
}
