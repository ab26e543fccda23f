//! Object stores behind one address type: locations, durable writes, numbered documents, names.

mod documents;
mod durable;
mod executor;
mod location;
pub mod names;

pub use documents::Documents;
pub use location::Location;

pub(crate) use executor::Executor;
