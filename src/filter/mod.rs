//! Filters: SQL conditions over columns, which say for every row true, false or unknown.
//!
//! A [`Filter`] is parsed, checked against the columns that there are, and evaluated on Arrow arrays.
//! Errors point at the character.
//!
//! # What there is
//!
//! | | |
//! |---|---|
//! | comparison | `=` `<>` `!=` `<` `<=` `>` `>=`, `IS [NOT] DISTINCT FROM` |
//! | logic | `AND` `OR` `NOT`, `IS [NOT] NULL`, `IS [NOT] TRUE`, `IS [NOT] FALSE` |
//! | sets and ranges | `[NOT] IN (...)`, `[NOT] BETWEEN ... AND ...` |
//! | text | `[NOT] LIKE 'a%_'`, `[NOT] ILIKE`, `lower`, `upper`, `length` (in characters) |
//! | dates and times | `DATE '2026-05-01'`, `TIMESTAMP '2026-05-01 12:30:00'`, in UTC unless it ends with a zone (`+02:00`) |
//! | numbers | `+` `-` `*` `/` `%`, `abs`, `isnan`, `isfinite`, `isinf` |
//!
//! Text stands in single quotes, names that are no words in double quotes; names are compared without
//! case. Where two tables have a column, `table.column` says which is meant, and the name alone means
//! that of the first.
//!
//! # What it means
//!
//! - A comparison with null is unknown, and logic is three-valued, as in SQL: a row is taken when the
//!   whole is true, neither when it is false nor when it is unknown.
//! - NaN equals NaN and is greater than every other number, infinity too; 0 equals -0. `loss > 2` takes
//!   the rows whose loss is NaN; `isnan(loss)` takes these alone.
//! - `/` divides as floats do, also integers. Other arithmetic on integers is exact or an error; `% 0` is
//!   null.
//! - An f32 column compared with a number that is written out is compared as f32, so `0.1` is what the
//!   column holds for it; as f64 where f32 would make it infinite or 0. Other pairs are compared as f64.
//! - Whole numbers of every width are compared as 64 bits: `label = 3000000000` is false of an i32, and
//!   no error. One that is written out beyond 64 bits is an error beside a column of whole numbers.
//! - A column of classes is compared with a class's name or index: `label = 'cat'`. A name that is no
//!   class is an error. Two such columns are compared by index where they have the same classes, and
//!   else by name.
//! - Texts are compared byte by byte.
//!
//! # Source
//! The SQL of DuckDB, whose answers the tests compare with; parsed by the crate `sqlparser`.

mod bind;
mod check;
mod column;
mod evaluate;
#[allow(clippy::module_inception)]
mod filter;
mod kernels;
mod literal;
mod mark;
mod meet;
mod node;
mod parse;

pub use column::FilterColumn;
pub use filter::Filter;
