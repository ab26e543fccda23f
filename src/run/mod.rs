//! Projects and runs: parameters, status, scalars and the passes of a training.
//!
//! A [`Project`] is a folder of runs and tables. [`Project::run`] starts a [`Run`], the handle that
//! writes; [`Project::open_run`] gives a [`RunReader`], which only reads and may be used while the
//! run goes on. What a run is told lies in numbered documents that are created once and never
//! rewritten, its scalars and metrics in Delta tables.

pub mod active;
mod add_metrics;
mod attempt;
mod builder;
mod claims;
mod clock;
mod compact;
mod coordinates;
mod crew;
mod facts;
mod flatten;
mod heartbeat;
mod incomplete;
mod join;
mod json;
mod parts;
mod passes;
mod project;
mod project_document;
mod projection_info;
mod query;
mod rank;
pub mod ranking;
mod reader;
#[allow(clippy::module_inception)]
mod run;
mod scalar_buffer;
mod scalars;
mod select;
mod session;
mod skipped;
mod state;
mod status;
mod stream_table;
mod unread;
mod vacuum;
mod verify;
mod writer;

pub(crate) use clock::now_us;
pub(crate) use coordinates::location as projection_location;
pub(crate) use passes::KEYS;
pub(crate) use projection_info::{INSTANCE, axes};

pub use builder::{IfExists, RunBuilder};
pub use compact::CompactedTable;
pub use coordinates::Coordinates;
pub use crew::RankInfo;
pub use facts::{InputTable, Output};
pub use json::to_json;
pub use passes::{IncompletePass, PassId, PassPart, PassRecord, Position, WrittenInfo};
pub use project::Project;
pub use projection_info::{FittedOn, ProjectionInfo, ProjectionModel};
pub use query::{MetricBatches, Metrics};
pub use rank::Rank;
pub use reader::{DamagedProject, DamagedRun, RunInfo, RunReader};
pub use run::Run;
pub use scalars::{At, Scalar};
pub use skipped::Skipped;
pub use status::Status;
pub use vacuum::{Unneeded, UnneededFile, VACUUM_AGE, Vacuum};
pub use verify::{Verification, VerifiedTable};
pub(crate) use writer::DEFAULT_STREAM;
pub use writer::{MetricsTableWriter, WriterLimits};
