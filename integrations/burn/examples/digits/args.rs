//! What the user can say on the command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Trains a small convolutional network and records every sample at every epoch.
#[derive(Parser, Debug)]
#[command(name = "digits")]
pub struct Args {
    /// The images to train on.
    #[arg(long, value_enum, default_value_t = Data::Digits)]
    pub data: Data,
    /// Folder with MNIST's IDX files, plain or .gz (only with --data mnist).
    #[arg(long, value_name = "DIR")]
    pub path: Option<PathBuf>,
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

/// The data sets that the example knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Data {
    /// UCI optical digits, 1,797 images of 8x8, part of this repository.
    Digits,
    /// MNIST, 28x28, from IDX files or downloaded by Burn.
    Mnist,
}

impl Data {
    /// The project that its runs belong to.
    pub fn name(self) -> &'static str {
        match self {
            Self::Digits => "digits",
            Self::Mnist => "mnist",
        }
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be 1 or more".into()),
        Ok(value) => Ok(value),
        Err(_) => Err("must be a whole number, 1 or more".into()),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err("must be a positive number".into()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
        _ => Err("must be between 0 and 1, for example 0.05 for 5 %".into()),
    }
}
