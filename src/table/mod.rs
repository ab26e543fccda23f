//! Delta tables: schema with display roles, create, append, snapshots, datasets and imports.

mod columns;
mod schema;

pub use columns::{Column, Columns};
pub use schema::{ImageStorage, ROLE_KEY, Role, embedding_type, field, list_type, role};
