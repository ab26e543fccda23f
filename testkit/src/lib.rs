//! What the tests of Emberlens break things with.
//!
//! - [`FaultStore`]: an object store whose calls fail as a plan says: before they had an effect, after
//!   it, or in a panic. The same plan always gives the same calls.
//! - [`BucketServer`]: S3 in this process, sound or with one of the flaws that servers have.
//! - [`Program`]: servers of other projects, started where they are installed.

mod bucket_server;
mod fault;
mod http;
mod servers;

pub use bucket_server::{BucketServer, Flaw};
pub use fault::{Call, Fault, FaultStore, Operation, split_mix};
pub use servers::{BUCKET, Program, Server};
