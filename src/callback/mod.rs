//! Callbacks: what happens to a training, told to whoever listens.

mod callback;
mod context;

pub use self::callback::Callback;
pub use self::context::{Aggregate, TrainingContext};
