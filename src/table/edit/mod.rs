//! Edits: cells of a table are set, and a new revision says so.
//!
//! An edit writes the files anew that hold the rows it changes, each in its place, so that the order of
//! the rows and with it every `example_id` stays; all other files are those of the revision before.

mod apply;
mod builder;
mod cells;
mod change;
mod commit;
mod details;
mod kind;
mod rewrite;
mod value;

pub use builder::{Edit, Edited, Preview};
pub use change::CellChange;
pub use kind::ColumnKind;
pub use value::Value;

pub(super) use apply::{Assignment, Selected};
pub(super) use cells::value_at;
pub(super) use details::{Details, Told};
pub(super) use value::array_of;
