//! Object stores behind one address type: locations, durable writes, numbered documents, names.
//!
//! A [`Location`] is a local path, `memory://`, or a place in a bucket of S3, Azure or Google Cloud. What is
//! above this folder does not see which: only local disks are synced, and only stores elsewhere are asked
//! to prove, before the first write, that they create objects atomically.

mod address;
mod certain;
#[cfg(any(feature = "s3", feature = "azure", feature = "gcs"))]
mod cloud;
mod confined;
mod disk;
mod documents;
mod durable;
mod executor;
mod inside;
mod inventory;
mod location;
mod log_view;
pub mod names;
mod objects;
mod probe;
mod redact;
mod remote;
mod service;
mod sizes;
mod store;
mod thrift;
mod upload;
mod whole;

pub(crate) use address::without_credentials;
pub(crate) use certain::MAY_ARRIVE;
#[doc(hidden)]
pub use disk::{DiskStep, DiskWatch};
pub use documents::Documents;
pub(crate) use documents::{DOCUMENT, Taken, parse as parse_document, sealed};
pub use location::Location;
/// The stores that [`Location::in_store`] takes.
pub use object_store;

pub(crate) use inside::leads_out;
pub(crate) use inventory::Object;
pub(crate) use log_view::{LogView, version_in};
pub(crate) use redact::bare_urls;
pub(crate) use sizes::{check_footer, check_pages};
