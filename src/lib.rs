//! Emberlens records what every single sample does while a model trains.

#![forbid(unsafe_code)]

pub mod metrics;
pub mod reduce;
pub mod storage;
pub mod table;

mod error;

pub use error::{BoxError, Error, ErrorKind, Result};
