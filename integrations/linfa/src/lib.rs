//! Emberlens for [linfa](https://docs.rs/linfa): what every sample does while a linfa model is
//! fitted, in tables; and the reductions of Emberlens as linfa's transformers.
//!
//! | for | there is |
//! |---|---|
//! | a reduction in a linfa program | [`IntoLinfa`]: PCA and every other [`Reducer`](emberlens::reduce::Reducer) with linfa's `Fit`, then `Transformer` |
//! | an input table of a linfa dataset | [`dataset_columns`], [`feature_columns`], [`feature_vectors`] |
//! | a pass over a linfa dataset | [`Samples`] for [`collect_metrics`](emberlens::collect::collect_metrics), [`Batch::of`] to collate |
//! | the probabilities or labels of a linfa model | [`Classes::probabilities`], [`Classes::logits`], [`Classes::prediction_columns`] |
//! | features, or what a model makes of them, as embeddings | [`embedding`] |
//!
//! linfa has no epochs. What stands for them is up to the program: warm starts of an iterative
//! solver (example `iris`), `fit_with` on one portion of the data after the other, the steps of a
//! regularisation path.
//!
//! # Two versions of ndarray
//!
//! linfa 0.8 uses ndarray 0.16, the library 0.17. Records cross in place where they are f32 without
//! gaps, else with one copy, rounded to f32; see [`Value`].
//!
//! # Panics
//!
//! Nothing here panics, but linfa's models do, for example on records of another width. In a pass
//! such a panic becomes the error of that pass.

#![forbid(unsafe_code)]

mod border;
mod classes;
mod error;
mod reducer;
mod samples;
mod scores;
mod table;

pub use border::Value;
pub use classes::Classes;
pub use error::Error;
pub use reducer::{IntoLinfa, LinfaProjection, LinfaReducer};
pub use samples::{Batch, Sample, Samples};
pub use table::{dataset_columns, embedding, feature_columns, feature_vectors};

/// The code in the readme compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
