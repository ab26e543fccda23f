//! What the tests of Emberlens break things with.
//!
//! - [`FaultStore`]: an object store whose calls fail as a plan says: before they had an effect, after
//!   it, in a panic, with a stale listing or a short read. The same plan always gives the same calls.
//! - [`Mutations`]: inputs that are nearly right, without end.
//! - [`SlowStore`], [`QuotaStore`]: an object store behind a slow line, and one that is full.
//! - [`BucketServer`]: S3 in this process, sound or with one of the flaws that servers have.
//! - [`Program`]: servers of other projects, started where they are installed.
//! - [`FailingDisk`]: a local disk of which one step fails.
//! - [`Child`], [`KillAt`]: a process that is killed at any time, or at a named step to the disk.
//! - [`Recorder`], [`Cut`]: what a local disk may hold after the power went.
//! - [`Training`], [`Promises`]: a small training that says what was acknowledged, and what its run
//!   must hold therefore.

mod bucket_server;
mod child;
mod cut;
mod failing_disk;
mod fault;
mod folder;
mod http;
mod kill;
mod mutate;
mod plan;
mod promises;
mod quota;
mod record;
mod servers;
mod short;
mod slow;
mod training;

pub use bucket_server::{BucketServer, Flaw};
pub use child::{Child, test_name};
pub use cut::{Cut, Fate};
pub use failing_disk::FailingDisk;
pub use fault::FaultStore;
pub use folder::quick_folder;
pub use kill::{KillAt, Moment, Point, STEPS, name_of};
pub use mutate::Mutations;
pub use plan::{Call, Fault, Operation, split_mix};
pub use promises::{Kept, Promises};
pub use quota::QuotaStore;
pub use record::{Entry, Recorder};
pub use servers::{BUCKET, Program, Server};
pub use slow::SlowStore;
pub use training::{PROJECT, RUN, Said, Training};
