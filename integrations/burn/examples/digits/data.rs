//! The images: loaded, split into training and validation, and partly given wrong labels.

use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use crate::Failure;

/// Names of the classes, by label.
pub const CLASSES: [&str; 10] = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
];

/// UCI Optical Recognition of Handwritten Digits, see `examples/data/README.md`.
const DIGITS: &[u8] = include_bytes!("../data/digits.csv.gz");
const DIGITS_SIDE: usize = 8;
const DIGITS_INK: usize = 16;

/// One square grey image.
#[derive(Clone, Debug)]
pub struct Sample {
    /// `side * side` grey values, row by row, 0 (paper) to 255 (ink).
    pub pixels: Vec<u8>,
    /// The label that the model is trained on.
    pub label: u8,
    /// The label that the data came with.
    pub true_label: u8,
}

impl Sample {
    /// A sample whose label is right.
    pub fn new(pixels: Vec<u8>, label: u8) -> Self {
        Self {
            pixels,
            label,
            true_label: label,
        }
    }

    /// Whether a wrong label was planted here.
    pub fn planted(&self) -> bool {
        self.label != self.true_label
    }
}

/// A data set in two parts.
pub struct Splits {
    /// What the model learns from; part of its labels is wrong on purpose.
    pub train: Vec<Sample>,
    /// What the model is judged on; its labels are as they came.
    pub valid: Vec<Sample>,
    /// Pixels along one edge of every image.
    pub side: usize,
}

impl Splits {
    /// The digits of this repository; one of five goes to validation.
    pub fn digits(seed: u64) -> Result<Self, Failure> {
        let mut text = String::new();
        GzDecoder::new(DIGITS).read_to_string(&mut text)?;
        let samples = text
            .lines()
            .enumerate()
            .map(|(index, line)| {
                digit(line).ok_or_else(|| format!("line {}: not a digit", index + 1))
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self::stratified(samples, DIGITS_SIDE, seed))
    }

    /// MNIST from IDX files: the official two parts, or one of five for validation when only the
    /// test files are there.
    pub fn mnist(folder: &Path, seed: u64) -> Result<Self, Failure> {
        let train = crate::idx::read(folder, "train")?;
        let test = crate::idx::read(folder, "t10k")?;
        match (train, test) {
            (Some(train), Some(valid)) => Ok(Self { train, valid, side: crate::idx::SIDE }),
            (Some(only), None) | (None, Some(only)) => {
                Ok(Self::stratified(only, crate::idx::SIDE, seed))
            }
            (None, None) => Err(format!(
                "no MNIST files in {}; expected train-images-idx3-ubyte and train-labels-idx1-ubyte \
                 or t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, plain or .gz",
                folder.display()
            )
            .into()),
        }
    }

    /// MNIST as Burn downloads and caches it.
    #[cfg(feature = "mnist-download")]
    pub fn mnist_download() -> Result<Self, Failure> {
        use burn::data::dataset::{Dataset, vision::MnistDataset};
        let load = |part: MnistDataset| -> Result<Vec<Sample>, Failure> {
            (0..part.len())
                .map(|index| {
                    let item = part.get(index)?;
                    let pixels = item
                        .image
                        .iter()
                        .flatten()
                        .map(|&grey| grey as u8)
                        .collect();
                    Ok(Sample::new(pixels, item.label))
                })
                .collect()
        };
        Ok(Self {
            train: load(MnistDataset::train())?,
            valid: load(MnistDataset::test())?,
            side: crate::idx::SIDE,
        })
    }

    /// Puts one of five samples of every class into validation; the same seed, the same split.
    fn stratified(samples: Vec<Sample>, side: usize, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let mut in_validation = vec![false; samples.len()];
        for class in 0..CLASSES.len() {
            let mut members: Vec<usize> = (0..samples.len())
                .filter(|&index| usize::from(samples[index].true_label) == class)
                .collect();
            members.shuffle(&mut random);
            for &index in &members[..members.len() / 5] {
                in_validation[index] = true;
            }
        }
        let mut splits = Self {
            train: Vec::new(),
            valid: Vec::new(),
            side,
        };
        for (sample, held_out) in samples.into_iter().zip(in_validation) {
            match held_out {
                true => splits.valid.push(sample),
                false => splits.train.push(sample),
            }
        }
        splits
    }

    /// Replaces this share of the training labels by another class, drawn uniformly.
    pub fn plant_wrong_labels(&mut self, share: f64, seed: u64) {
        // Another stream than the split's, so that the split does not change with the share.
        let mut random = StdRng::seed_from_u64(seed ^ 0x6c61_6265_6c73);
        let mut order: Vec<usize> = (0..self.train.len()).collect();
        order.shuffle(&mut random);
        let count = (self.train.len() as f64 * share).round() as usize;
        for &index in &order[..count] {
            let sample = &mut self.train[index];
            let step = random.random_range(1..CLASSES.len() as u8);
            sample.label = (sample.true_label + step) % CLASSES.len() as u8;
        }
    }
}

/// One line of the digits file: 64 pixels of 0 to 16, then the class.
fn digit(line: &str) -> Option<Sample> {
    let values = line
        .split(',')
        .map(|value| value.trim().parse::<usize>().ok())
        .collect::<Option<Vec<_>>>()?;
    let (&label, pixels) = values.split_last()?;
    let valid = pixels.len() == DIGITS_SIDE * DIGITS_SIDE
        && label < CLASSES.len()
        && pixels.iter().all(|&ink| ink <= DIGITS_INK);
    let grey = pixels
        .iter()
        .map(|ink| (ink * 255 / DIGITS_INK) as u8)
        .collect();
    valid.then(|| Sample::new(grey, label as u8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_holds_what_uci_documents() {
        let splits = Splits::digits(7).unwrap();
        assert_eq!(splits.train.len() + splits.valid.len(), 1797);
        let mut counts = [0; 10];
        for sample in splits.train.iter().chain(&splits.valid) {
            counts[usize::from(sample.label)] += 1;
        }
        // numpy.bincount(sklearn.datasets.load_digits().target)
        assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    }

    #[test]
    fn one_of_five_of_every_class_is_held_out() {
        let splits = Splits::digits(7).unwrap();
        let mut counts = [0; 10];
        for sample in &splits.valid {
            counts[usize::from(sample.label)] += 1;
        }
        assert_eq!(counts, [35, 36, 35, 36, 36, 36, 36, 35, 34, 36]);
    }

    #[test]
    fn the_same_seed_plants_the_same_labels_and_another_seed_others() {
        let planted = |seed| {
            let mut splits = Splits::digits(7).unwrap();
            splits.plant_wrong_labels(0.05, seed);
            let labels: Vec<_> = splits.train.iter().map(|sample| sample.label).collect();
            (
                labels,
                splits
                    .train
                    .iter()
                    .filter(|sample| sample.planted())
                    .count(),
            )
        };
        let (labels, count) = planted(1);
        assert_eq!(count, 72, "5 % of 1,442 rounded");
        assert_eq!(planted(1).0, labels);
        assert_ne!(planted(2).0, labels);
    }

    #[test]
    fn validation_labels_stay_as_they_came() {
        let mut splits = Splits::digits(7).unwrap();
        splits.plant_wrong_labels(1.0, 3);
        assert!(splits.train.iter().all(Sample::planted));
        assert!(!splits.valid.iter().any(Sample::planted));
    }

    #[test]
    fn damaged_lines_are_refused() {
        let good = format!("{}3", "0,".repeat(64));
        assert!(digit(&good).is_some());
        for bad in [
            "",
            "1,2,3",
            &good.replace('3', "10"),
            &good.replacen('0', "17", 1),
        ] {
            assert!(digit(bad).is_none(), "{bad}");
        }
    }
}
