//! How embeddings are brought into the plane, on the command line.

use clap::ValueEnum;
use emberlens::callback::EmbeddingsMethod;

/// What happens to the collected embeddings at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Reduction {
    /// PaCMAP: neighbours stay neighbours.
    Pacmap,
    /// Principal components: fast, and linear.
    Pca,
    /// They are kept as they are; `emberlens reduce` can do it later.
    None,
}

impl Reduction {
    /// The same for a lens.
    pub fn method(self) -> EmbeddingsMethod {
        match self {
            Self::Pacmap => EmbeddingsMethod::Pacmap,
            Self::Pca => EmbeddingsMethod::Pca,
            Self::None => EmbeddingsMethod::None,
        }
    }
}
