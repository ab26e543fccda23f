//! The reduction methods by name, behind one type.

use clap::ValueEnum;
use emberlens::Result;
use emberlens::reduce::{
    Metric, Pacmap, PacmapParams, Pca, PcaParams, Projection, Reducer, Threads, Umap, UmapParams,
    Watch,
};
use ndarray::{Array2, ArrayView2};

/// A method as the command line names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// Keeps neighbours and the arrangement of clusters
    Pacmap,
    /// Keeps neighbours
    Umap,
    /// Keeps distances as far as a linear projection can
    Pca,
}

/// A distance as the command line names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Distance {
    Euclidean,
    Cosine,
}

/// What a fit is set to; `None` leaves the method's own default.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub method: Method,
    pub dims: usize,
    pub seed: u64,
    pub neighbors: Option<usize>,
    pub metric: Option<Distance>,
    pub threads: Threads,
}

/// The parameters of any method.
pub enum AnyReducer {
    Pacmap(PacmapParams),
    Umap(UmapParams),
    Pca(PcaParams),
}

/// A projection of any method.
#[derive(Debug)]
pub struct Fitted(pub Box<dyn Projection>);

impl Settings {
    /// The parameters that these settings mean.
    pub fn reducer(&self) -> AnyReducer {
        let metric = self.metric.map_or(Metric::default(), Metric::from);
        match self.method {
            Method::Pacmap => {
                let params = Pacmap::params().dims(self.dims).seed(self.seed);
                let params = params.distance(metric).threads(self.threads);
                AnyReducer::Pacmap(match self.neighbors {
                    Some(count) => params.n_neighbors(count),
                    None => params,
                })
            }
            Method::Umap => {
                let params = Umap::params().dims(self.dims).seed(self.seed);
                let params = params.metric(metric).threads(self.threads);
                AnyReducer::Umap(match self.neighbors {
                    Some(count) => params.n_neighbors(count),
                    None => params,
                })
            }
            Method::Pca => {
                let params = Pca::params().dims(self.dims).seed(self.seed);
                AnyReducer::Pca(params.threads(self.threads))
            }
        }
    }
}

impl From<Distance> for Metric {
    fn from(distance: Distance) -> Self {
        match distance {
            Distance::Euclidean => Self::Euclidean,
            Distance::Cosine => Self::Cosine,
        }
    }
}

impl Reducer for AnyReducer {
    type Fitted = Fitted;

    fn fit_watched(
        &self,
        x: ArrayView2<'_, f32>,
        watch: &Watch<'_>,
    ) -> Result<(Fitted, Array2<f32>)> {
        match self {
            Self::Pacmap(params) => params.fit_watched(x, watch).map(boxed),
            Self::Umap(params) => params.fit_watched(x, watch).map(boxed),
            Self::Pca(params) => params.fit_watched(x, watch).map(boxed),
        }
    }

    fn fit_owned(&self, x: Array2<f32>, watch: &Watch<'_>) -> Result<(Fitted, Array2<f32>)> {
        match self {
            Self::Pacmap(params) => params.fit_owned(x, watch).map(boxed),
            Self::Umap(params) => params.fit_owned(x, watch).map(boxed),
            Self::Pca(params) => params.fit_owned(x, watch).map(boxed),
        }
    }
}

fn boxed<P: Projection + 'static>(
    (fitted, coordinates): (P, Array2<f32>),
) -> (Fitted, Array2<f32>) {
    (Fitted(Box::new(fitted)), coordinates)
}

impl Projection for Fitted {
    fn method(&self) -> &'static str {
        self.0.method()
    }

    fn width(&self) -> usize {
        self.0.width()
    }

    fn dims(&self) -> usize {
        self.0.dims()
    }

    fn transform(&self, x: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        self.0.transform(x)
    }

    fn transform_watched(&self, x: ArrayView2<'_, f32>, watch: &Watch<'_>) -> Result<Array2<f32>> {
        self.0.transform_watched(x, watch)
    }

    fn explained_variance_ratio(&self) -> Option<&[f64]> {
        self.0.explained_variance_ratio()
    }

    fn to_bytes(&self) -> Result<Vec<u8>> {
        self.0.to_bytes()
    }
}
