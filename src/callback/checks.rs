//! What must hold before a training collects anything.

use super::collection::{MetricsCollection, Options};
use super::splits::SplitPass;
use crate::collect::Loader;
use crate::table::{Table, column_names};
use crate::{Error, Result};

impl<M> MetricsCollection<M> {
    /// The splits that the options leave.
    pub(super) fn chosen_splits(&self) -> impl Iterator<Item = &dyn SplitPass<M>> {
        let left_out = self
            .options
            .validation_only
            .then_some(&self.options.train_split);
        let splits = self.splits.iter().map(AsRef::as_ref);
        splits.filter(move |split| Some(split.split()) != left_out.map(String::as_str))
    }

    /// Checks all options at once and reports every problem.
    pub(super) fn check(&self) -> Result<()> {
        let options = &self.options;
        let mut problems = Vec::new();
        problems.extend(options.schedule.check().err());
        problems.extend(options.loader().check().err());
        for (name, value) in [
            (
                "inference_chunk_size",
                options.inference_chunk_size.unwrap_or(1),
            ),
            ("embeddings_dims", options.reduction.dims),
            (
                "embeddings_fit_sample",
                options.reduction.fit_sample.unwrap_or(1),
            ),
        ] {
            if value == 0 {
                problems.push(Error::invalid(
                    name,
                    0,
                    "it is at least 1",
                    "pass 1 or more",
                ));
            }
        }
        if let Some(penalty) = options.reduction.aligned
            && !(penalty.is_finite() && penalty >= 0.0)
        {
            problems.push(Error::invalid(
                "embeddings_aligned",
                penalty,
                "it is the price of a distance",
                "give 0 or more",
            ));
        }
        if self.chosen_splits().next().is_none() {
            problems.push(Error::invalid(
                "splits",
                "none",
                "there is nothing to collect",
                "add one with .split(..), or allow the training split",
            ));
        }
        let mut names = Vec::new();
        for split in self.chosen_splits() {
            if names.contains(&split.split()) {
                problems.push(Error::invalid(
                    "split",
                    format!("`{}`", split.split()),
                    "two splits have this name",
                    "rename one of them",
                ));
            }
            names.push(split.split());
            problems.extend(options.check_split(split));
        }
        Error::all(problems)
    }
}

impl Options {
    /// The loader with the chunk size applied.
    pub(super) fn loader(&self) -> Loader {
        let samples = self.loader.samples_per_batch();
        let chunk = self.inference_chunk_size.unwrap_or(samples);
        self.loader.clone().with_batch_size(samples.min(chunk))
    }

    fn check_split<M>(&self, split: &dyn SplitPass<M>) -> Vec<Error> {
        let mut problems = Vec::new();
        if split.collectors(self.predictions, self.embeddings) == 0 {
            problems.push(Error::invalid(
                "collectors",
                format!("none in split `{}`", split.split()),
                format!(
                    "predictions are {} and embeddings are {}",
                    on_off(self.predictions),
                    on_off(self.embeddings)
                ),
                "add a collector, or switch its kind on",
            ));
        }
        if let Some(table) = split.table() {
            let named = [&self.image_column, &self.label_column];
            for column in named.into_iter().flatten() {
                problems.extend(missing(table, column));
            }
        }
        problems
    }
}

fn missing(table: &Table, column: &str) -> Option<Error> {
    let found = table.schema().column_with_name(column).is_some();
    (!found).then(|| Error::MissingColumn {
        column: column.to_owned(),
        place: format!("table `{}`", table.name()),
        available: column_names(table.schema()),
    })
}

fn on_off(value: bool) -> &'static str {
    if value { "on" } else { "off" }
}
