//! Collectors and predictors that several splits use.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_schema::Schema;
use emberlens::Result;
use emberlens::collect::ModelPredictor;
use emberlens::metrics::{MetricsCollector, PassCollector};
use emberlens::table::Columns;

/// A collector behind a shared pointer.
pub(crate) struct SharedCollector<B, O>(Arc<dyn MetricsCollector<B, O> + Send + Sync>);

impl<B, O> SharedCollector<B, O> {
    pub(crate) fn new(collector: impl MetricsCollector<B, O> + Send + Sync + 'static) -> Self {
        Self(Arc::new(collector))
    }
}

impl<B, O> Clone for SharedCollector<B, O> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<B, O> MetricsCollector<B, O> for SharedCollector<B, O> {
    fn collect(&self, batch: &B, output: &O) -> Result<Columns> {
        self.0.collect(batch, output)
    }

    fn schema(&self) -> Option<Schema> {
        self.0.schema()
    }

    fn compute_aggregates(&self) -> bool {
        self.0.compute_aggregates()
    }

    fn name(&self) -> Cow<'_, str> {
        self.0.name()
    }

    fn begin_pass<'a>(&'a self) -> Option<Box<dyn PassCollector<B, O> + 'a>> {
        self.0.begin_pass()
    }
}

/// A predictor behind a shared pointer.
pub(crate) struct SharedPredictor<M, B, O>(Arc<dyn ModelPredictor<M, B, Output = O> + Send + Sync>);

impl<M, B, O> SharedPredictor<M, B, O> {
    pub(crate) fn new(
        predictor: impl ModelPredictor<M, B, Output = O> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(predictor))
    }
}

impl<M, B, O> Clone for SharedPredictor<M, B, O> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M, B, O> ModelPredictor<M, B> for SharedPredictor<M, B, O> {
    type Output = O;

    fn predict(&self, model: &M, batch: &B) -> Result<O> {
        self.0.predict(model, batch)
    }
}
