//! Answers of a store that end too early are errors.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
    Result,
};

/// A store whose reads give as many bytes as they say, or fail.
///
/// Nothing else would notice: an entry of a log that is cut off at the end of a line is an entry, and
/// says that less was committed.
#[derive(Debug)]
pub(super) struct WholeReads {
    inner: Arc<dyn ObjectStore>,
}

impl WholeReads {
    pub(super) fn of(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner }
    }
}

impl fmt::Display for WholeReads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// The stream, and an error behind it when it was not `expected` bytes long.
fn counted(
    bytes: BoxStream<'static, Result<bytes::Bytes>>,
    expected: u64,
    path: Path,
) -> BoxStream<'static, Result<bytes::Bytes>> {
    let state = (bytes, 0_u64, path);
    stream::try_unfold(state, move |(mut bytes, given, path)| async move {
        match bytes.next().await.transpose()? {
            Some(chunk) => {
                let given = given + chunk.len() as u64;
                Ok(Some((chunk, (bytes, given, path))))
            }
            None if given == expected => Ok(None),
            None => Err(Error::Generic {
                store: "object store",
                source: format!("`{path}` came with {given} bytes instead of {expected}").into(),
            }),
        }
    })
    .boxed()
}

#[async_trait]
impl ObjectStore for WholeReads {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let has_content = !options.head;
        let mut read = self.inner.get_opts(location, options).await?;
        let expected = read.range.end.saturating_sub(read.range.start);
        read.payload = match read.payload {
            GetResultPayload::Stream(bytes) if has_content => {
                GetResultPayload::Stream(counted(bytes, expected, location.clone()))
            }
            other => other,
        };
        Ok(read)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}

#[cfg(test)]
mod tests {
    use emberlens_testkit::{Fault, FaultStore, Operation};
    use object_store::memory::InMemory;

    use crate::storage::Location;

    #[test]
    fn a_short_read_is_an_error_and_the_next_one_is_whole() {
        let mut is_armed = true;
        let store = FaultStore::new(std::sync::Arc::new(InMemory::new()), move |call| {
            let is_read = call.operation == Operation::Read;
            (is_read && std::mem::take(&mut is_armed)).then_some(Fault::Short)
        });
        let place = Location::in_store(std::sync::Arc::new(store), "a").unwrap();
        let place = place.assume_atomic_creates();
        assert!(place.create("0123456789").unwrap());
        let error = place.read().unwrap_err().chain();
        assert!(error.contains("5 bytes instead of 10"), "{error}");
        assert_eq!(&place.read().unwrap()[..], b"0123456789");
    }

    #[test]
    fn sizes_are_asked_for_without_content() {
        use object_store::ObjectStoreExt;
        let inner = std::sync::Arc::new(InMemory::new());
        let whole = super::WholeReads::of(inner.clone());
        futures::executor::block_on(async {
            inner.put(&"a".into(), "0123".into()).await.unwrap();
            assert_eq!(whole.head(&"a".into()).await.unwrap().size, 4);
            let part = whole.get_range(&"a".into(), 1..3).await.unwrap();
            assert_eq!(&part[..], b"12");
        });
    }
}
