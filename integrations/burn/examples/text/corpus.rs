//! The sentences of both splits, and the wrong labels that are planted among them.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use crate::args::{Args, Data};
use crate::program::Failure;
use crate::topics::TOPICS;

/// A sentence and what it is about.
#[derive(Clone, Debug)]
pub struct Sentence {
    /// Words and punctuation with blanks between them.
    pub text: String,
    /// The label that the model is trained on.
    pub label: usize,
    /// The label that the data came with.
    pub true_label: usize,
}

impl Sentence {
    /// A sentence whose label is right.
    pub fn new(text: String, label: usize) -> Self {
        Self {
            text,
            label,
            true_label: label,
        }
    }

    /// Whether a wrong label was planted here.
    pub fn planted(&self) -> bool {
        self.label != self.true_label
    }
}

/// Sentences in two parts.
pub struct Corpus {
    /// Names of the classes, by label.
    pub classes: Vec<&'static str>,
    /// What the model learns from; part of its labels is wrong on purpose.
    pub train: Vec<Sentence>,
    /// What the model is judged on; its labels are as they came.
    pub valid: Vec<Sentence>,
}

impl Corpus {
    /// The corpus that was asked for, with wrong labels planted in the training part.
    pub fn load(args: &Args) -> Result<Self, Failure> {
        let mut corpus = match args.data {
            Data::Grammar => {
                let other_seed = !args.seed; // so that no sentence is both learned and judged
                let valid = args.sentences.div_ceil(4);
                Self {
                    classes: TOPICS.iter().map(|topic| topic.name).collect(),
                    train: crate::grammar::generate(args.sentences, args.seed),
                    valid: crate::grammar::generate(valid, other_seed),
                }
            }
            #[cfg(feature = "agnews-download")]
            Data::AgNews => ag_news(args)?,
            #[cfg(not(feature = "agnews-download"))]
            Data::AgNews => {
                return Err(
                    "--data ag-news needs the feature that downloads it through Burn: cargo \
                    run --release -p emberlens-burn --features agnews-download --example text -- \
                    --data ag-news"
                        .into(),
                );
            }
        };
        corpus.plant_wrong_labels(args.label_noise, args.seed);
        Ok(corpus)
    }

    /// Replaces this share of the training labels by another class, drawn uniformly.
    fn plant_wrong_labels(&mut self, share: f64, seed: u64) {
        // Another stream than the sentences', which do not change with the share.
        let mut random = StdRng::seed_from_u64(seed ^ 0x6c61_6265_6c73);
        let mut order: Vec<usize> = (0..self.train.len()).collect();
        order.shuffle(&mut random);
        let count = (self.train.len() as f64 * share).round() as usize;
        for &index in &order[..count] {
            let sentence = &mut self.train[index];
            let step = random.random_range(1..self.classes.len());
            sentence.label = (sentence.true_label + step) % self.classes.len();
        }
    }
}

/// The first articles of AG News, as Burn downloads and caches it. (It asks the network, so that no test
/// has tried it.)
#[cfg(feature = "agnews-download")]
fn ag_news(args: &Args) -> Result<Corpus, Failure> {
    use burn::data::dataset::nlp::{AgNewsDataset, AgNewsItem};
    use burn::data::dataset::{Dataset, InMemDataset};

    let first = |part: InMemDataset<AgNewsItem>, count: usize| -> Result<Vec<Sentence>, Failure> {
        (0..part.len().min(count))
            .map(|index| {
                let item = part.get(index)?;
                let class: usize = item.label.parse()?;
                let class = class.checked_sub(1).filter(|class| *class < 4);
                let class =
                    class.ok_or_else(|| format!("article {index}: class {}", item.label))?;
                let text = format!("{} {}", item.title, item.content).to_lowercase();
                // Punctuation stands by itself, as in the sentences of the grammar.
                let spaced = text.chars().map(|c| match c.is_alphanumeric() {
                    true => c.to_string(),
                    false => format!(" {c} "),
                });
                Ok(Sentence::new(spaced.collect(), class))
            })
            .collect()
    };
    let data = AgNewsDataset::new();
    Ok(Corpus {
        classes: vec!["world", "sports", "business", "science"],
        train: first(data.train(), args.sentences)?,
        valid: first(data.test(), args.sentences.div_ceil(4))?,
    })
}
