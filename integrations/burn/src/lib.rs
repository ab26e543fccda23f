//! Emberlens for Burn: what every sample does while a Burn model trains, in tables.
//!
//! [`Lens`] is the front door; a program that trains with Burn's `Learner` changes in five lines to
//! use it. Everything else here is what the lens is made of, for programs that need a part of it:
//!
//! | for | there is |
//! |---|---|
//! | hidden layers as embeddings | [`Tap`] in the model, [`capture`] around a call |
//! | a training loop of your own | [`Lens::into_callbacks`], example `custom_loop` |
//! | a pass outside a training | [`BurnDataset`], [`BatcherCollate`], [`BurnPredictor`] with [`collect_metrics`](emberlens::collect::collect_metrics) |
//! | an output type of your own | [`SampleMetrics`] and [`tensors`], or [`Lens::collector`]; examples `detection`, `segmentation` |
//! | a dataset that is shuffled, sampled or split | [`IndexedDataset`], [`IndexedBatcher`], [`example_ids`] |
//! | rows by their weights | [`SampledLoader`] |
//! | a dataset as a table | [`table_from_dataset`] |
//!
//! # How a training is followed
//!
//! Burn 0.22 has no callbacks, so the lens looks at it from three places. The model is wrapped in
//! [`Tracked`], which sees on the training thread when it is placed, trained, optimised and
//! validated. A metric logger around Burn's file logger brings the aggregates, a progress logger the
//! number of epochs. From these come the events of
//! [`Callback`](emberlens::callback::Callback), in its order and with 0-based epochs:
//!
//! | event | when | on which thread |
//! |---|---|---|
//! | `on_training_start` | the learner places the model on its device, before the first batch | training |
//! | `on_train_loader_end` | before the first validation batch; training waits here while metrics are collected | training, or beside it with [`Lens::beside`] |
//! | `on_validation_loader_end`, `on_epoch_end` | before the first training step of the next epoch, or after the training | the same |
//! | `on_interrupted`, `on_training_end` | after the training | that of [`Lens::launch`] |
//!
//! In distributed (DDP) training the events come from the worker that validates.

#![forbid(unsafe_code)]

mod aggregates;
mod assembly;
mod board;
mod dataset;
mod error;
mod indexed;
mod interrupt;
mod items;
mod launch;
mod lens;
mod options;
mod outputs;
mod predictor;
mod progress;
mod sampled;
mod session;
mod shared;
mod table;
mod tap;
mod teller;
pub mod tensors;
mod tracked;

pub use dataset::{BatcherCollate, BurnDataset, DeviceSlot};
pub use error::{LaunchError, LaunchFailure, Trained};
pub use indexed::{Indexed, IndexedBatcher, IndexedDataset, example_ids};
pub use launch::WithLens;
pub use lens::Lens;
pub use outputs::{BurnPrediction, OutputMetrics, OutputOptions, SampleMetrics, TapEmbeddings};
pub use predictor::{BurnPredictor, StepPredictor};
pub use sampled::SampledLoader;
pub use table::table_from_dataset;
pub use tap::{Captured, Tap, capture};
pub use tracked::Tracked;
