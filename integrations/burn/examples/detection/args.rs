//! What the user can say on the command line.

use std::path::PathBuf;

use clap::Parser;

use crate::arguments::{at_least_one, positive};
use crate::reduction::Reduction;
use crate::scenes::Augmentation;

/// Trains a small one-stage detector and records images, classes and boxes.
#[derive(Parser, Debug)]
#[command(name = "detection")]
pub struct Args {
    /// A COCO data set to train on in place of generated scenes: the folder with
    /// `annotations/instances_train*.json`, `annotations/instances_val*.json` and the folders of images
    /// that they are named after. It is imported once; a folder that changed since needs another name.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Generated scenes to train on; a quarter as many more are for validation.
    #[arg(long, default_value_t = 1400, value_parser = at_least_one)]
    pub scenes: usize,
    /// Epochs to train.
    #[arg(long, default_value_t = 7, value_parser = at_least_one)]
    pub epochs: usize,
    /// Collect every so many epochs, and at the end.
    #[arg(long, default_value_t = 3, value_parser = at_least_one)]
    pub every: usize,
    /// Images per training step.
    #[arg(long, default_value_t = 8, value_parser = at_least_one)]
    pub batch_size: usize,
    /// Highest learning rate of Adam; it falls to 0 along a cosine.
    #[arg(long, default_value_t = 3e-3, value_parser = positive, allow_negative_numbers = true)]
    pub learning_rate: f64,
    /// What happens to pictures before a training step.
    #[arg(long, value_enum, default_value_t = Augmentation::Turn)]
    pub augment: Augmentation,
    /// Seed of the scenes, the weights, the shuffling and the turning.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// How embeddings are brought into the plane.
    #[arg(long, value_enum, default_value_t = Reduction::Pacmap)]
    pub reduce: Reduction,
    /// Where runs are kept [default: $EMBERLENS_ROOT, else ./emberlens].
    #[arg(long, value_name = "PATH_OR_URL")]
    pub root: Option<String>,
}
