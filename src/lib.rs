//! Emberlens records what every single sample does while a model trains.

#![forbid(unsafe_code)]

pub mod collect;
pub mod embedding;
pub mod metrics;
pub mod reduce;
pub mod run;
pub mod storage;
pub mod table;

mod error;
mod progress;

pub use error::{BoxError, Error, ErrorKind, Result};
