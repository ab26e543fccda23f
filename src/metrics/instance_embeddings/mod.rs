//! Embeddings of boxes and masks: one row for each instance, in a stream of its own.

mod collector;
mod embedded;
mod feature_map;

pub use collector::InstanceEmbeddings;
pub use embedded::EmbeddedInstances;
pub use feature_map::FeatureMap;
