//! Which images: the options `--data` and `--path`, and what they stand for.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::Failure;
use crate::data::Splits;

/// Where the images come from.
#[derive(Args, Debug)]
pub struct Source {
    /// The images to train on.
    #[arg(long, value_enum, default_value_t = Data::Digits)]
    data: Data,
    /// Folder with MNIST's IDX files, plain or .gz (only with --data mnist).
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
}

/// The data sets that the example knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Data {
    /// UCI optical digits, 1,797 images of 8x8, part of this repository.
    Digits,
    /// MNIST, 28x28, from IDX files or downloaded by Burn.
    Mnist,
}

impl Source {
    /// The project that runs on these images belong to.
    pub fn name(&self) -> &'static str {
        match self.data {
            Data::Digits => "digits",
            Data::Mnist => "mnist",
        }
    }

    /// The images, with wrong labels planted in this share of the training part.
    pub fn load(&self, label_noise: f64, seed: u64) -> Result<Splits, Failure> {
        let mut splits = match (self.data, &self.path) {
            (Data::Digits, None) => Splits::digits(seed)?,
            (Data::Digits, Some(_)) => return Err("--path belongs to --data mnist".into()),
            (Data::Mnist, Some(folder)) => Splits::mnist(folder, seed)?,
            #[cfg(feature = "mnist-download")]
            (Data::Mnist, None) => Splits::mnist_download()?,
            #[cfg(not(feature = "mnist-download"))]
            (Data::Mnist, None) => {
                return Err(
                    "--data mnist needs --path DIR, a folder with MNIST's IDX files (plain \
                    or .gz); or build with the feature that downloads them through Burn: cargo \
                    run --release -p emberlens-burn --features mnist-download --example ... -- \
                    --data mnist"
                        .into(),
                );
            }
        };
        splits.plant_wrong_labels(label_noise, seed);
        Ok(splits)
    }
}
