//! The services whose buckets are known by an address, and which of them this build can talk to.

use std::sync::Arc;

use object_store::ObjectStore;

use crate::{Error, Result};

/// A service of buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    S3,
    Azure,
    Gcs,
}

/// A client for one bucket.
pub(super) struct Connected {
    pub(super) objects: Arc<dyn ObjectStore>,
    /// Values that no error may repeat.
    pub(super) secrets: Vec<String>,
    /// Where the service is, and whose account; tells buckets of one name apart.
    pub(super) place: String,
}

impl Service {
    /// The service of a URL's scheme.
    pub(super) fn of(scheme: &str) -> Option<Self> {
        [Self::S3, Self::Azure, Self::Gcs]
            .into_iter()
            .find(|service| service.scheme() == scheme)
    }

    pub(super) fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Azure => "az",
            Self::Gcs => "gs",
        }
    }

    /// The variables of the environment that it reads.
    pub(super) fn variables(self) -> &'static str {
        match self {
            Self::S3 => "the variables AWS_*",
            Self::Azure => "the variables AZURE_*",
            Self::Gcs => "the variables GOOGLE_*",
        }
    }

    pub(super) fn endpoint_variable(self) -> &'static str {
        match self {
            Self::S3 => "AWS_ENDPOINT_URL",
            Self::Azure => "AZURE_STORAGE_ENDPOINT",
            Self::Gcs => "GOOGLE_BASE_URL",
        }
    }

    /// A client for that bucket, as the environment says, and `options` in its place.
    #[cfg(any(feature = "s3", feature = "azure", feature = "gcs"))]
    pub(super) fn connect(self, bucket: &str, options: &[(String, String)]) -> Result<Connected> {
        match self.is_built() {
            true => super::cloud::connect(self, bucket, options),
            false => Err(self.not_built(bucket)),
        }
    }

    /// Without any of the features there is nothing to connect with.
    #[cfg(not(any(feature = "s3", feature = "azure", feature = "gcs")))]
    pub(super) fn connect(self, bucket: &str, _options: &[(String, String)]) -> Result<Connected> {
        Err(self.not_built(bucket))
    }

    #[cfg(any(feature = "s3", feature = "azure", feature = "gcs"))]
    fn is_built(self) -> bool {
        match self {
            Self::S3 => cfg!(feature = "s3"),
            Self::Azure => cfg!(feature = "azure"),
            Self::Gcs => cfg!(feature = "gcs"),
        }
    }

    pub(super) fn not_built(self, bucket: &str) -> Error {
        let feature = match self {
            Self::S3 => "s3",
            Self::Azure => "azure",
            Self::Gcs => "gcs",
        };
        Error::invalid(
            "address",
            format!("\"{}://{bucket}\"", self.scheme()),
            format!("this build was made without the feature `{feature}`"),
            format!("build with `--features {feature}`, or use a local path"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_was_not_built_in_names_its_feature() {
        for (scheme, feature) in [("s3", "s3"), ("az", "azure"), ("gs", "gcs")] {
            let error = Service::of(scheme).unwrap().not_built("b").to_string();
            assert!(
                error.contains(&format!("--features {feature}")) && error.contains(scheme),
                "{error}"
            );
        }
    }
}
