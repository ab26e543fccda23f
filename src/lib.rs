//! Emberlens records what every single sample does while a model trains: its loss, prediction,
//! confidence and embedding, at every epoch, in tables that any data tool opens.
//!
//! This crate knows no training framework: a dataset is anything with a length and items, a model
//! is a closure, a metrics collector is a closure that returns columns. What it writes are Delta
//! tables and small JSON documents.
//!
//! ```
//! use emberlens::collect::{Loader, collect_metrics};
//! use emberlens::run::ranking::RankBy;
//! use emberlens::run::{At, Project};
//! use emberlens::table::{Column, Columns, Role};
//!
//! // A table: row k is example k, whatever is measured about it later.
//! let project = Project::open("memory://", "weather")?; // or a folder
//! let days = vec![(4.0_f32, 1_i32), (21.0, 0), (9.0, 1), (2.0, 0)];
//! let (celsius, rain): (Vec<f32>, Vec<i32>) = days.iter().copied().unzip();
//! let label = Column::from(rain).role(Role::category(["dry", "rain"]));
//! let columns = Columns::new().with("celsius", celsius).with("label", label);
//! let table = project.create_table("days", columns)?;
//!
//! // A run: parameters, scalars, and one pass over the samples at every epoch.
//! let run = project.run("logistic").start()?;
//! run.log_parameters(&serde_json::json!({"optimiser": {"learning_rate": 0.1}}))?;
//! for epoch in 0..3 {
//!     let slope = 0.1 * (epoch + 1) as f32; // training would go here
//!     run.log(&[("slope", f64::from(slope))], At::epoch(epoch))?;
//!     let report = collect_metrics(&days)
//!         .predictor(|batch: &Vec<(f32, i32)>| {
//!             let rain = |(celsius, _): &(f32, i32)| 1.0 / (1.0 + (slope * (celsius - 10.0)).exp());
//!             Ok(batch.iter().map(rain).collect::<Vec<f32>>())
//!         })
//!         .collector(|batch: &Vec<(f32, i32)>, rain: &Vec<f32>| {
//!             let of_label = |(day, p): (&(f32, i32), &f32)| if day.1 == 1 { *p } else { 1.0 - p };
//!             let right: Vec<f32> = batch.iter().zip(rain).map(of_label).collect();
//!             let loss: Vec<f32> = right.iter().map(|p| -p.ln()).collect();
//!             Ok(Columns::new().with("loss", loss).with("confidence", right))
//!         })
//!         .table(&table)
//!         .split("train")
//!         .epoch(epoch)
//!         .loader(Loader::batch_size(2))
//!         .into_run(&run)?;
//!     assert!(report.aggregate("train_loss_avg").is_some());
//! }
//! run.complete()?;
//!
//! // Reading: the sample with the highest loss is the cold day without rain.
//! let ranked = run.reader()?.rank(&RankBy::column("loss"))?;
//! assert_eq!(ranked.ranking.samples[0].example_id, 3);
//! # Ok::<(), emberlens::Error>(())
//! ```
//!
//! # Where things are
//! - [`table`]: input tables, their revisions, roles of columns, imports and exports.
//! - [`filter`]: SQL conditions that select rows.
//! - [`geometry`]: boxes, rotated boxes, masks, polygons and the conventions of their coordinates.
//! - [`run`]: projects and runs; parameters, status, scalars, metrics, rankings.
//! - [`metrics`]: what is computed of a batch: collectors, the built-ins, aggregates.
//! - [`collect`]: the one inference pass over a dataset.
//! - [`embedding`] and [`reduce`]: embeddings of all epochs in one coordinate system.
//! - [`callback`]: the same as a training goes on, for whoever owns the loop.
//! - [`sampling`]: which rows a training sees in an epoch, by their weights.
//! - [`storage`]: where files lie and how they are made durable.
//!
//! Errors are one type, [`Error`]; [`Error::kind`] says what a caller can do about one. All calls
//! are synchronous; threads that write in the background belong to the run or writer that started
//! them and end with it.

#![forbid(unsafe_code)]

pub mod callback;
pub mod collect;
pub mod embedding;
pub mod filter;
pub mod geometry;
pub mod metrics;
pub mod reduce;
pub mod run;
pub mod sampling;
pub mod storage;
pub mod table;

mod cancel;
mod error;
mod progress;

pub use cancel::CancelFlag;
pub use error::{BoxError, Error, ErrorKind, Result};

/// The code in the readme compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

/// The programs in the documentation of the tasks compile and run.
#[cfg(doctest)]
#[doc = include_str!("../docs/tasks.md")]
pub struct Tasks;
