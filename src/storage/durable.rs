//! Local files that are on the disk when a write returns.
//!
//! `object_store` 0.13 does not sync what `LocalFileSystem` writes: after a power cut a commit that
//! was acknowledged may be empty. This decorator writes to a temporary name, syncs the file, links
//! or renames it into place and syncs the folder.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
    Result, UploadPart,
};
use tokio::runtime::Handle;

use crate::BoxError;

const STORE: &str = "durable local file system";

/// A local file system whose successful writes survive a power cut.
#[derive(Debug)]
pub(crate) struct DurableLocal {
    inner: Arc<LocalFileSystem>,
}

impl DurableLocal {
    pub(crate) fn new() -> Self {
        Self {
            inner: Arc::new(LocalFileSystem::new()),
        }
    }
}

impl fmt::Display for DurableLocal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(STORE)
    }
}

#[async_trait]
impl ObjectStore for DurableLocal {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let create = match options.mode {
            PutMode::Create => true,
            PutMode::Overwrite => false,
            PutMode::Update(_) => return self.inner.put_opts(location, payload, options).await,
        };
        let target = self.inner.path_to_filesystem(location)?;
        blocking(move || put(&target, &payload, create)).await?;
        Ok(PutResult {
            e_tag: None,
            version: None,
        })
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let target = self.inner.path_to_filesystem(location)?;
        let inner = self.inner.put_multipart_opts(location, options).await?;
        Ok(Box::new(DurableUpload { inner, target }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
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

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await?;
        let target = self.inner.path_to_filesystem(to)?;
        blocking(move || sync_file_and_folder(&target)).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await?;
        let target = self.inner.path_to_filesystem(to)?;
        blocking(move || sync_file_and_folder(&target)).await
    }
}

/// A multipart upload whose completion syncs the file and its folder.
#[derive(Debug)]
struct DurableUpload {
    inner: Box<dyn MultipartUpload>,
    target: PathBuf,
}

#[async_trait]
impl MultipartUpload for DurableUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.inner.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let result = self.inner.complete().await?;
        let target = self.target.clone();
        blocking(move || sync_file_and_folder(&target)).await?;
        Ok(result)
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}

/// Work that waits for the disk: on the threads that a runtime has for it, or where no runtime is
/// entered on this one.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match Handle::try_current() {
        Ok(runtime) => runtime
            .spawn_blocking(work)
            .await
            .map_err(|source| Error::JoinError { source })?,
        Err(_) => work(),
    }
}

/// Writes a file; with `create` an error when it exists.
pub(super) fn put(target: &FilePath, payload: &PutPayload, create: bool) -> Result<()> {
    let (staged, mut file) = stage(target)?;
    let written = write_all(&mut file, payload)
        .map_err(|source| failed(&staged, source))
        .and_then(|()| publish(&staged, target, create));
    if written.is_err() || create {
        // After an error the staged file is of no use, after a link it is a second name.
        let _ = fs::remove_file(&staged);
    }
    written?;
    sync_folder_of(target)
}

fn write_all(file: &mut File, payload: &PutPayload) -> io::Result<()> {
    for bytes in payload.iter() {
        file.write_all(bytes)?;
    }
    file.sync_all()
}

/// A new file beside the target. Listings of `object_store` leave out names that end in `#` and
/// digits, so a file that a crash leaves behind is never taken for data.
fn stage(target: &FilePath) -> Result<(PathBuf, File)> {
    let unique = u64::from(std::process::id());
    for attempt in 0..1000_u64 {
        let mut name = target.as_os_str().to_owned();
        name.push(format!("#{unique}{attempt:03}"));
        let staged = PathBuf::from(name);
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&staged)
        {
            Ok(file) => return Ok((staged, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound && attempt == 0 => {
                create_folder_of(target)?;
            }
            Err(source) => return Err(failed(&staged, source)),
        }
    }
    Err(failed(target, io::ErrorKind::AlreadyExists.into()))
}

fn publish(staged: &FilePath, target: &FilePath, create: bool) -> Result<()> {
    if !create {
        return fs::rename(staged, target).map_err(|source| failed(target, source));
    }
    fs::hard_link(staged, target).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => Error::AlreadyExists {
            path: target.display().to_string(),
            source: Box::new(source),
        },
        _ => failed(target, source),
    })
}

/// Creates the missing folders above `target` and syncs the parent of each new one.
fn create_folder_of(target: &FilePath) -> Result<()> {
    target.parent().map_or(Ok(()), create_folder)
}

/// Creates a folder with those above it that are missing, and syncs the parent of each new one.
pub(super) fn create_folder(folder: &FilePath) -> Result<()> {
    let missing: Vec<&FilePath> = folder
        .ancestors()
        .take_while(|path| !path.exists())
        .collect();
    fs::create_dir_all(folder).map_err(|source| failed(folder, source))?;
    missing.iter().try_for_each(|path| sync_folder_of(path))
}

pub(super) fn sync_file_and_folder(target: &FilePath) -> Result<()> {
    File::open(target)
        .and_then(|file| file.sync_all())
        .map_err(|source| failed(target, source))?;
    sync_folder_of(target)
}

#[cfg(unix)]
fn sync_folder_of(target: &FilePath) -> Result<()> {
    let Some(folder) = target.parent() else {
        return Ok(());
    };
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| failed(folder, source))
}

/// Other systems do not open folders as files; the file itself is synced.
#[cfg(not(unix))]
fn sync_folder_of(_target: &FilePath) -> Result<()> {
    Ok(())
}

fn failed(path: &FilePath, source: io::Error) -> Error {
    Error::Generic {
        store: STORE,
        source: Box::new(FileFailure {
            path: path.to_owned(),
            source,
        }),
    }
}

/// What the system said, and of which file.
#[derive(Debug)]
struct FileFailure {
    path: PathBuf,
    source: io::Error,
}

impl fmt::Display for FileFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.source, self.path.display())
    }
}

impl std::error::Error for FileFailure {}

/// What is left to say to somebody who knows which object was asked for: the cause without the
/// store's name, and without the path where the system's error is all there is.
pub(super) fn cause(error: Error) -> BoxError {
    let Error::Generic { source, .. } = error else {
        return Box::new(error);
    };
    match source.downcast::<FileFailure>() {
        Ok(failure) => Box::new(failure.source),
        Err(source) => source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::ObjectStoreExt;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
    }

    #[test]
    fn create_has_one_winner_and_leaves_no_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let store = DurableLocal::new();
        let path = Path::from_absolute_path(folder.path().join("a/b/one.json")).unwrap();
        runtime().block_on(async {
            let create = PutOptions::from(PutMode::Create);
            store
                .put_opts(&path, "first".into(), create.clone())
                .await
                .unwrap();
            let error = store
                .put_opts(&path, "second".into(), create)
                .await
                .unwrap_err();
            assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
            let kept = store.get(&path).await.unwrap().bytes().await.unwrap();
            assert_eq!(&kept[..], b"first");
        });
        assert_eq!(fs::read_dir(folder.path().join("a/b")).unwrap().count(), 1);
    }

    #[test]
    fn overwrite_replaces_the_whole_file() {
        let folder = tempfile::tempdir().unwrap();
        let store = DurableLocal::new();
        let path = Path::from_absolute_path(folder.path().join("beat.json")).unwrap();
        runtime().block_on(async {
            store.put(&path, "a long first value".into()).await.unwrap();
            store.put(&path, "short".into()).await.unwrap();
            let kept = store.get(&path).await.unwrap().bytes().await.unwrap();
            assert_eq!(&kept[..], b"short");
        });
    }
}
