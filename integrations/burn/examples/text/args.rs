//! What the user can say on the command line.

use clap::{Parser, ValueEnum};

use crate::arguments::{at_least_one, positive, share};
use crate::reduction::Reduction;

/// Trains a small transformer on sentences, some with a wrong label, and records every sentence.
#[derive(Parser, Debug)]
#[command(name = "text")]
pub struct Args {
    /// The sentences to train on.
    #[arg(long, value_enum, default_value_t = Data::Grammar)]
    pub data: Data,
    /// Sentences to train on; a quarter as many more are for validation.
    #[arg(long, default_value_t = 3000, value_parser = at_least_one)]
    pub sentences: usize,
    /// Epochs to train.
    #[arg(long, default_value_t = 8, value_parser = at_least_one)]
    pub epochs: usize,
    /// Sentences per training step.
    #[arg(long, default_value_t = 32, value_parser = at_least_one)]
    pub batch_size: usize,
    /// Learning rate of Adam.
    #[arg(long, default_value_t = 2e-3, value_parser = positive, allow_negative_numbers = true)]
    pub learning_rate: f64,
    /// Share of the training labels that is replaced by a wrong one, 0 to 1.
    #[arg(long, default_value_t = 0.05, value_parser = share, allow_negative_numbers = true)]
    pub label_noise: f64,
    /// Seed of the sentences, the planted labels, the weights and the shuffling.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// How embeddings are brought into the plane.
    #[arg(long, value_enum, default_value_t = Reduction::Pacmap)]
    pub reduce: Reduction,
    /// Where runs are kept [default: $EMBERLENS_ROOT, else ./emberlens].
    #[arg(long, value_name = "PATH_OR_URL")]
    pub root: Option<String>,
}

/// The corpora that the example knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Data {
    /// Sentences of five topics, made by a grammar.
    Grammar,
    /// AG News, downloaded by Burn.
    AgNews,
}
