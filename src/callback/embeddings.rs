//! What a collection does with its embeddings at the end of a training.

use std::collections::BTreeSet;

use super::collection::Options;
use crate::Result;
use crate::embedding::{FitOn, Reduction};
use crate::reduce::{Pacmap, Pca, Umap};
use crate::run::Run;

/// How collected embeddings are reduced at the end of a training.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmbeddingsMethod {
    /// Not at all.
    None,
    /// PaCMAP (Wang et al. 2021), with its default neighbours.
    #[default]
    Pacmap,
    /// UMAP (McInnes et al. 2018), with its default neighbours.
    Umap,
    /// Principal component analysis.
    Pca,
}

/// How embeddings are reduced.
#[derive(Clone, Debug)]
pub(super) struct EmbeddingsOptions {
    pub(super) method: EmbeddingsMethod,
    pub(super) dims: usize,
    pub(super) seed: u64,
    pub(super) fit_sample: Option<usize>,
    pub(super) keep: bool,
    pub(super) aligned: Option<f32>,
}

impl Default for EmbeddingsOptions {
    fn default() -> Self {
        Self {
            method: EmbeddingsMethod::default(),
            dims: 2,
            seed: 0,
            fit_sample: None,
            keep: true,
            aligned: None,
        }
    }
}

impl Options {
    /// Reduces every embedding column that was collected; without one, and without a method,
    /// nothing.
    pub(super) fn reduce(&self, run: &Run, columns: &BTreeSet<String>) -> Result<()> {
        if self.embeddings && self.reduction.method != EmbeddingsMethod::None {
            for column in columns {
                self.reduce_column(run, column)?;
            }
        }
        Ok(())
    }

    fn reduce_column(&self, run: &Run, column: &str) -> Result<()> {
        let own = &self.reduction;
        let pacmap = Pacmap::params().dims(own.dims).seed(own.seed);
        // The aligned layout reads the vectors, so it comes first.
        if let Some(penalty) = own.aligned {
            let reduction = self.reduction_of(run, column);
            reduction.reduce_aligned(&pacmap, penalty)?;
        }
        let reduction = self.reduction_of(run, column).keep_vectors(own.keep);
        match own.method {
            EmbeddingsMethod::None => return Ok(()),
            EmbeddingsMethod::Pacmap => reduction.reduce(&pacmap),
            EmbeddingsMethod::Umap => {
                reduction.reduce(&Umap::params().dims(own.dims).seed(own.seed))
            }
            EmbeddingsMethod::Pca => reduction.reduce(&Pca::params().dims(own.dims).seed(own.seed)),
        }
        .map(drop)
    }

    fn reduction_of<'a>(&'a self, run: &'a Run, column: &'a str) -> Reduction<'a> {
        let reduction = run
            .reduction(column)
            .stream(&self.stream)
            .fit_on(FitOn::Prefer(&self.train_split))
            .progress(self.progress.as_ref())
            .cancel(&self.cancel);
        match self.reduction.fit_sample {
            Some(rows) => reduction.fit_sample(rows).sample_seed(self.reduction.seed),
            None => reduction,
        }
    }
}
