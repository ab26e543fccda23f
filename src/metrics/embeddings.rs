//! Hidden layers as embedding columns.

use std::borrow::Cow;

use super::{HiddenLayers, MetricsCollector, Reshape, embedding_column};
use crate::table::Columns;
use crate::{Error, Result};

/// Collects one hidden layer as an embedding column.
///
/// NaN and infinities are stored as they are.
///
/// # Shapes and units
/// The layer is `[batch, ...]`; every batch must give vectors of the same width.
///
/// # Errors
/// `collect` returns `NotFound`, naming the captured layers, when there is no such layer, and what
/// [`embedding_column`] returns.
///
/// ```
/// use emberlens::metrics::{Embeddings, MetricsCollector, Prediction};
/// use ndarray::ArrayD;
///
/// let hidden = [("pool".to_owned(), ArrayD::zeros(vec![2, 64, 4, 4]))].into();
/// let prediction = Prediction { output: (), hidden };
/// let columns = Embeddings::layer("pool").collect(&(), &prediction)?;
/// assert_eq!(columns.names().collect::<Vec<_>>(), ["embedding"]);
/// assert!(Embeddings::layer("head").collect(&(), &prediction).is_err());
/// # Ok::<(), emberlens::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Embeddings {
    layer: String,
    column: String,
    reshape: Reshape,
}

impl Embeddings {
    /// The layer captured under that name, in the column `embedding`, reshaped by
    /// [`Reshape::Mean`].
    pub fn layer(name: impl Into<String>) -> Self {
        Self {
            layer: name.into(),
            column: "embedding".into(),
            reshape: Reshape::default(),
        }
    }

    /// Names the column, for passes that collect several layers.
    pub fn column(mut self, name: impl Into<String>) -> Self {
        self.column = name.into();
        self
    }

    /// How activations become vectors.
    pub fn reshape(mut self, reshape: Reshape) -> Self {
        self.reshape = reshape;
        self
    }
}

impl<B, O: HiddenLayers> MetricsCollector<B, O> for Embeddings {
    fn collect(&self, _batch: &B, output: &O) -> Result<Columns> {
        let Some(activations) = output.hidden(&self.layer) else {
            return Err(Error::NotFound {
                what: "hidden layer",
                name: self.layer.clone(),
                hint: match output.layers().as_slice() {
                    [] => "no layer was captured: give the predictor the names to capture".into(),
                    layers => format!("captured layers: {}", layers.join(", ")),
                },
                place: format!("embeddings column `{}`", self.column),
            });
        };
        let column = embedding_column(activations.view(), &self.reshape)?;
        Ok(Columns::new().with(self.column.clone(), column))
    }

    fn name(&self) -> Cow<'_, str> {
        Cow::Owned(format!("Embeddings(\"{}\")", self.layer))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::ArrayD;

    use super::*;
    use crate::metrics::Prediction;

    #[test]
    fn a_missing_layer_lists_the_captured_ones() {
        let layers = ["conv1", "pool"].map(|name| (name.to_owned(), ArrayD::zeros(vec![2, 3])));
        let prediction = Prediction {
            output: (),
            hidden: layers.into(),
        };
        let error = Embeddings::layer("poool")
            .collect(&(), &prediction)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("`poool`") && error.contains("conv1, pool"),
            "{error}"
        );
        let none = Prediction::<()>::default();
        let error = Embeddings::layer("pool")
            .collect(&(), &none)
            .unwrap_err()
            .to_string();
        assert!(error.contains("no layer was captured"), "{error}");
    }
}
