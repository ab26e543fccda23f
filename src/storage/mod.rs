//! Object stores behind one address type: locations, durable writes, numbered documents, names.

mod address;
mod certain;
mod documents;
mod durable;
mod executor;
mod inventory;
mod location;
pub mod names;

pub use documents::Documents;
pub(crate) use documents::parse as parse_document;
pub use location::Location;
/// The stores that [`Location::in_store`] takes.
pub use object_store;

pub(crate) use executor::Executor;
pub(crate) use inventory::Object;
