//! Object stores behind one address type: locations, durable writes, numbered documents, names.

mod address;
mod certain;
mod confined;
mod documents;
mod durable;
mod executor;
mod inside;
mod location;
pub mod names;
mod sizes;
mod thrift;

pub use documents::Documents;
pub(crate) use documents::parse as parse_document;
pub use location::Location;
/// The stores that [`Location::in_store`] takes.
pub use object_store;

pub(crate) use executor::Executor;
pub(crate) use inside::leads_out;
pub(crate) use sizes::{check_footer, check_pages};
