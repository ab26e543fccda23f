//! Callbacks: what happens to a training, told to whoever listens.

mod adapters;
#[allow(clippy::module_inception)]
mod callback;
mod checks;
mod collection;
mod context;
mod embeddings;
mod event;
mod list;
mod schedule;
mod splits;
mod training;

pub use self::callback::Callback;
pub use self::collection::MetricsCollection;
pub use self::context::{Aggregate, TrainingContext};
pub use self::embeddings::EmbeddingsMethod;
pub use self::event::Event;
pub use self::list::{Callbacks, ErrorPolicy, Flow};
pub use self::schedule::Schedule;
pub use self::splits::{Collectors, Join, PassRequest, SplitPass};
