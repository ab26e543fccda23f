//! The door to stores elsewhere, for us and for the Delta kernel: errors leave it without credentials, and
//! a process that writes alone creates in turn.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};

use super::redact::redacted;
use super::whole::WholeReads;

/// S3's words for "two requests met, and yours had no effect": not that the object exists.
const IN_CONFLICT: [&str; 2] = ["ConditionalRequestConflict", "OperationAborted"];

/// What a process that writes alone holds while it creates an object.
pub(super) type Turns = Arc<futures::lock::Mutex<()>>;

/// The turns of this process in each bucket, however often it is opened.
static TURNS: Mutex<BTreeMap<String, Turns>> = Mutex::new(BTreeMap::new());

pub(super) fn turns_in(bucket: &str) -> Turns {
    let mut turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
    turns.entry(bucket.to_owned()).or_default().clone()
}

/// A store that is neither a local disk nor in this process.
#[derive(Clone)]
pub(super) struct Remote {
    inner: Arc<dyn ObjectStore>,
    secrets: Arc<[String]>,
    /// Where one process is the only writer: its creates take turns, and look before they write.
    turns: Option<Turns>,
}

impl Remote {
    pub(super) fn new(inner: Arc<dyn ObjectStore>, secrets: Vec<String>) -> Self {
        Self {
            inner: Arc::new(WholeReads::of(inner)),
            secrets: secrets.into(),
            turns: None,
        }
    }

    /// The same store, with turns for the only process that writes to it.
    pub(super) fn with(&self, turns: Option<Turns>) -> Self {
        Self {
            turns,
            ..self.clone()
        }
    }

    fn told(&self, error: Error) -> Error {
        redacted(error, &self.secrets)
    }

    async fn create(
        &self,
        location: &Path,
        payload: PutPayload,
        mut options: PutOptions,
    ) -> Result<PutResult> {
        let Some(turns) = &self.turns else {
            let created = self.inner.put_opts(location, payload, options).await;
            return created.map_err(|error| as_create_says(self.told(error), location));
        };
        let _turn = turns.lock().await;
        match self.inner.head(location).await {
            Ok(_) => Err(Error::AlreadyExists {
                path: location.to_string(),
                source: "it was there before".into(),
            }),
            Err(Error::NotFound { .. }) => {
                options.mode = PutMode::Overwrite;
                let written = self.inner.put_opts(location, payload, options).await;
                written.map_err(|error| self.told(error))
            }
            Err(error) => Err(self.told(error)),
        }
    }
}

/// What a create was told, in one language: that the object exists, or that something failed.
fn as_create_says(error: Error, location: &Path) -> Error {
    match error {
        Error::AlreadyExists { source, .. }
            if IN_CONFLICT
                .iter()
                .any(|code| source.to_string().contains(code)) =>
        {
            Error::Generic {
                store: "S3",
                source,
            }
        }
        Error::Precondition { source, .. } | Error::NotModified { source, .. } => {
            Error::AlreadyExists {
                path: location.to_string(),
                source,
            }
        }
        other => other,
    }
}

/// Not derived: a client's own text may show how it signs.
impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").finish_non_exhaustive()
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a store elsewhere")
    }
}

#[async_trait]
impl ObjectStore for Remote {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        if options.mode == PutMode::Create {
            return self.create(location, payload, options).await;
        }
        let written = self.inner.put_opts(location, payload, options).await;
        written.map_err(|error| self.told(error))
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let begun = self.inner.put_multipart_opts(location, options).await;
        begun.map_err(|error| self.told(error))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let got = self.inner.get_opts(location, options).await;
        let mut got = got.map_err(|error| self.told(error))?;
        got.payload = match got.payload {
            GetResultPayload::Stream(bytes) => {
                let secrets = self.secrets.clone();
                let bytes = bytes.map_err(move |error| redacted(error, &secrets));
                GetResultPayload::Stream(bytes.boxed())
            }
            other => other,
        };
        Ok(got)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let secrets = self.secrets.clone();
        let deleted = self.inner.delete_stream(locations);
        deleted
            .map_err(move |error| redacted(error, &secrets))
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let secrets = self.secrets.clone();
        let listed = self.inner.list(prefix);
        listed
            .map_err(move |error| redacted(error, &secrets))
            .boxed()
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let secrets = self.secrets.clone();
        let listed = self.inner.list_with_offset(prefix, offset);
        listed
            .map_err(move |error| redacted(error, &secrets))
            .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let listed = self.inner.list_with_delimiter(prefix).await;
        listed.map_err(|error| self.told(error))
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let copied = self.inner.copy_opts(from, to, options).await;
        copied.map_err(|error| self.told(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_of_requests_is_not_an_object_that_exists() {
        let refused = |text: &str| Error::AlreadyExists {
            path: "a".into(),
            source: text.into(),
        };
        let place = Path::from("a");
        let error = as_create_says(
            refused("409: ConditionalRequestConflict: try again"),
            &place,
        );
        assert!(matches!(error, Error::Generic { .. }), "{error}");
        let error = as_create_says(refused("412: PreconditionFailed"), &place);
        assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
    }
}
