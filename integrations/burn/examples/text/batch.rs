//! From sentences to tensors.

use std::collections::HashMap;
use std::sync::Arc;

use burn::data::dataloader::batcher::Batcher;
use burn::prelude::*;

use crate::corpus::Sentence;

/// Tokens of a sentence; longer ones are cut.
pub const LENGTH: usize = 40;

const PADDING: i64 = 0;
const UNKNOWN: i64 = 1;
/// The most words that are known, the frequent ones.
const MOST_WORDS: usize = 5000;

/// The words of the training sentences and their numbers.
#[derive(Clone, Debug)]
pub struct Vocabulary {
    numbers: Arc<HashMap<String, i64>>,
}

impl Vocabulary {
    /// The words of these sentences.
    pub fn of(sentences: &[Sentence]) -> Self {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for word in sentences.iter().flat_map(|one| one.text.split_whitespace()) {
            *counts.entry(word).or_default() += 1;
        }
        let mut words: Vec<(&str, usize)> = counts.into_iter().collect();
        words.sort_by(|(one, count), (other, more)| more.cmp(count).then(one.cmp(other)));
        let words = words
            .into_iter()
            .take(MOST_WORDS)
            .map(|(word, _)| word.to_owned());
        Self {
            numbers: Arc::new(words.zip(UNKNOWN + 1..).collect()),
        }
    }

    /// Tokens that there are.
    pub fn size(&self) -> usize {
        self.numbers.len() + 2 // with padding and unknown words
    }

    fn tokens(&self, text: &str) -> Vec<i64> {
        let number = |word| self.numbers.get(word).copied().unwrap_or(UNKNOWN);
        text.split_whitespace().take(LENGTH).map(number).collect()
    }
}

/// A batch of sentences with their labels.
#[derive(Clone, Debug)]
pub struct TextBatch {
    /// `[batch, length]`, as long as the longest.
    pub tokens: Tensor<2, Int>,
    /// `[batch, length]`, true where a sentence is over.
    pub padding: Tensor<2, Bool>,
    /// `[batch]`, class indices.
    pub targets: Tensor<1, Int>,
}

/// Makes a [`TextBatch`].
#[derive(Clone, Debug)]
pub struct TextBatcher {
    /// The words it knows.
    pub vocabulary: Vocabulary,
}

impl Batcher<Sentence, TextBatch> for TextBatcher {
    fn batch(&self, sentences: Vec<Sentence>, device: &Device) -> TextBatch {
        let texts = sentences
            .iter()
            .map(|one| self.vocabulary.tokens(&one.text));
        let texts: Vec<Vec<i64>> = texts.collect();
        let length = texts.iter().map(Vec::len).max().unwrap_or(0).max(1);
        let shape = [texts.len(), length];
        let padded = texts.into_iter().flat_map(|mut tokens| {
            tokens.resize(length, PADDING);
            tokens
        });
        let tokens = TensorData::new(padded.collect::<Vec<i64>>(), shape);
        let labels: Vec<i64> = sentences.iter().map(|one| one.label as i64).collect();
        let count = labels.len();
        let tokens: Tensor<2, Int> = Tensor::from_data(tokens, device);
        TextBatch {
            padding: tokens.clone().equal_elem(PADDING),
            tokens,
            targets: Tensor::from_data(TensorData::new(labels, [count]), device),
        }
    }
}
