//! What the tests of Emberlens break things with.
//!
//! - [`FaultStore`]: an object store whose calls fail as a plan says: before they had an effect, after
//!   it, or in a panic. The same plan always gives the same calls.
//! - [`Mutations`]: inputs that are nearly right, without end.

mod fault;
mod mutate;

pub use fault::{Call, Fault, FaultStore, Operation, split_mix};
pub use mutate::Mutations;
