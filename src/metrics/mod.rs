//! Metrics collectors: per-sample columns from a batch and the model's output.

mod collector;

pub use collector::MetricsCollector;
