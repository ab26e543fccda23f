//! Delta tables: schema with display roles, create, append, snapshots, datasets and imports.

mod actions;
mod append;
mod bounds;
mod check;
mod checkpoint;
mod chunks;
mod columns;
mod commit;
mod compact;
mod convert;
mod create;
mod damage;
mod dataset;
mod decode;
mod delta;
mod discard;
mod embedding;
mod entry;
pub mod export;
mod fence;
mod fields;
mod geometry;
pub mod import;
mod latest;
mod needed;
mod rows;
mod schema;
mod snapshot;
mod values;
mod verify;

pub use columns::{Column, Columns};
pub use dataset::Table;
pub use delta::DeltaTable;
pub use embedding::embedding;
pub use geometry::{AngleDirection, AngleUnit, BoxFormat, CoordinateUnit, MaskEncoding};
pub use schema::{ImageStorage, ROLE_KEY, Role, embedding_type, field, list_type, role};
pub use snapshot::Snapshot;
pub use values::{ColumnValue, values};

pub(crate) use append::{DataFile, FileWriter};
pub(crate) use discard::Discard;
pub(crate) use fence::{Owner, RankOwner};
pub(crate) use needed::Needed;
pub(crate) use rows::{Damaged, PassOver};
pub(crate) use schema::names as column_names;
pub(crate) use snapshot::Wanted;
