//! The error that linfa's traits ask for.

/// What fitting and transforming through linfa's traits can fail with.
///
/// [`Fit`](linfa::traits::Fit) asks for an error that linfa's own converts into. `?` turns this one
/// into an [`emberlens::Error`], so a program needs no third type.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The reduction failed.
    #[error(transparent)]
    Emberlens(#[from] emberlens::Error),
    /// linfa failed.
    #[error(transparent)]
    Linfa(#[from] linfa::Error),
}

impl From<Error> for emberlens::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Emberlens(error) => error,
            Error::Linfa(error) => Self::user(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_become_an_error_of_the_library() {
        let ours = Error::from(emberlens::Error::invalid("dims", 0, "too few", "ask for 2"));
        assert_eq!(
            emberlens::Error::from(ours).to_string(),
            "dims = 0: too few; ask for 2"
        );
        let theirs = Error::from(linfa::Error::NotEnoughSamples);
        assert_eq!(
            emberlens::Error::from(theirs).to_string(),
            "not enough samples"
        );
    }
}
