//! Samplers: which rows of a table a training sees in an epoch, and in which order.
//!
//! A [`Sampler`] turns the weights of a table's rows into the rows of an epoch, the same ones for the same
//! seed and epoch on every machine. It knows no training framework: what it gives are row indices.
//!
//! | | [`Order::Sequential`] | [`Order::Shuffled`] |
//! |---|---|---|
//! | [`Pick::Once`] | every row, in order | every row, shuffled |
//! | [`Pick::Repeated`] | every row as often as its weight says, in order | the same, shuffled |
//! | [`Pick::Weighted`] | an error | as many rows as there are, drawn with replacement in proportion to their weights |
//!
//! Rows with weight 0 are left out by all of them. [`Weights`] are shared: who sets others changes the next
//! epoch.

mod draw;
mod sampler;
mod weights;

pub(crate) use draw::Draw;
pub use sampler::{Order, Pick, Sampler};
pub use weights::Weights;
