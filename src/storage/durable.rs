//! Local files that are on the disk when a write returns.
//!
//! `object_store` 0.13 does not sync what `LocalFileSystem` writes: after a power cut a commit that
//! was acknowledged may be empty. This decorator writes to a temporary name, syncs the file, links
//! or renames it into place and syncs the folder.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
    Result,
};
use tokio::runtime::Handle;

use super::disk::Disk;
use super::upload::DurableUpload;
use crate::BoxError;

const STORE: &str = "durable local file system";

/// A local file system whose successful writes survive a power cut.
#[derive(Debug)]
pub(super) struct DurableLocal {
    inner: Arc<LocalFileSystem>,
    disk: Disk,
}

impl DurableLocal {
    pub(super) fn new(disk: Disk) -> Self {
        Self {
            inner: Arc::new(LocalFileSystem::new()),
            disk,
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
        let disk = self.disk.clone();
        blocking(move || put(&disk, &target, &payload, create)).await?;
        Ok(PutResult {
            e_tag: None,
            version: None,
        })
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        _options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let target = self.inner.path_to_filesystem(location)?;
        let disk = self.disk.clone();
        let upload = blocking(move || DurableUpload::begin(disk, target)).await?;
        Ok(Box::new(upload))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let (inner, disk) = (self.inner.clone(), self.disk.clone());
        locations
            .then(move |location| {
                let (inner, disk) = (inner.clone(), disk.clone());
                async move {
                    let location = location?;
                    let target = inner.path_to_filesystem(&location)?;
                    blocking(move || remove(&disk, &target)).await?;
                    Ok(location)
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        // What this leaves out, the default would ask the disk about.
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await?;
        let target = self.inner.path_to_filesystem(to)?;
        let disk = self.disk.clone();
        blocking(move || sync_file_and_folder(&disk, &target)).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await?;
        let target = self.inner.path_to_filesystem(to)?;
        let disk = self.disk.clone();
        blocking(move || sync_file_and_folder(&disk, &target)).await
    }
}

/// Work that waits for the disk: on the threads that a runtime has for it, or where no runtime is
/// entered on this one.
pub(super) async fn blocking<T: Send + 'static>(
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
pub(super) fn put(
    disk: &Disk,
    target: &FilePath,
    payload: &PutPayload,
    create: bool,
) -> Result<()> {
    let (staged, mut file) = stage(disk, target)?;
    let written = write_all(disk, &mut file, &staged, payload)
        .map_err(|source| failed(&staged, source))
        .and_then(|()| publish(disk, &staged, target, create));
    if written.is_err() || create {
        // After an error the staged file is of no use, after a link it is a second name.
        let _ = disk.remove(&staged);
    }
    written?;
    settle_and_sync(disk, target)
}

fn write_all(
    disk: &Disk,
    file: &mut File,
    staged: &FilePath,
    payload: &PutPayload,
) -> io::Result<()> {
    let mut offset = 0;
    for bytes in payload.iter() {
        disk.write(file, staged, offset, bytes)?;
        offset += bytes.len() as u64;
    }
    disk.sync_file(file, staged)
}

/// A new file beside the target. Listings of `object_store` leave out names that end in `#` and
/// digits, so a file that a crash leaves behind is never taken for data.
pub(super) fn stage(disk: &Disk, target: &FilePath) -> Result<(PathBuf, File)> {
    let unique = u64::from(std::process::id());
    for attempt in 0..1000_u64 {
        let mut name = target.as_os_str().to_owned();
        name.push(format!("#{unique}{attempt:03}"));
        let staged = PathBuf::from(name);
        match disk.create_file(&staged) {
            Ok(file) => return Ok((staged, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound && attempt == 0 => {
                create_folder_of(disk, target)?;
            }
            Err(source) => return Err(failed(&staged, source)),
        }
    }
    Err(failed(target, io::ErrorKind::AlreadyExists.into()))
}

pub(super) fn publish(
    disk: &Disk,
    staged: &FilePath,
    target: &FilePath,
    create: bool,
) -> Result<()> {
    if !create {
        let renamed = disk.rename(staged, target);
        return renamed.map_err(|source| failed(target, source));
    }
    disk.link(staged, target)
        .map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => Error::AlreadyExists {
                path: target.display().to_string(),
                source: Box::new(source),
            },
            _ => failed(target, source),
        })
}

fn remove(disk: &Disk, target: &FilePath) -> Result<()> {
    disk.remove(target).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => Error::NotFound {
            path: target.display().to_string(),
            source: Box::new(source),
        },
        _ => failed(target, source),
    })
}

/// Creates the missing folders above `target`, and makes them last.
fn create_folder_of(disk: &Disk, target: &FilePath) -> Result<()> {
    let folder = target.parent();
    folder.map_or(Ok(()), |folder| create_folder(disk, folder))
}

/// Creates a folder with those above it that are missing, and makes them last.
pub(super) fn create_folder(disk: &Disk, folder: &FilePath) -> Result<()> {
    let missing: Vec<&FilePath> = folder
        .ancestors()
        .take_while(|path| !path.exists())
        .collect();
    for path in missing.iter().rev() {
        match disk.create_folder(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
            made => made.map_err(|source| failed(path, source))?,
        }
    }
    if missing.is_empty() && !folder.is_dir() {
        return Err(failed(folder, io::ErrorKind::NotADirectory.into()));
    }
    disk.settle(folder).map_err(|source| failed(folder, source))
}

pub(super) fn sync_file_and_folder(disk: &Disk, target: &FilePath) -> Result<()> {
    File::open(target)
        .and_then(|file| disk.sync_file(&file, target))
        .map_err(|source| failed(target, source))?;
    settle_and_sync(disk, target)
}

/// Makes the name of a file last, and the folders that it lies in.
pub(super) fn settle_and_sync(disk: &Disk, target: &FilePath) -> Result<()> {
    let Some(folder) = target.parent() else {
        return Ok(());
    };
    disk.settle(folder)
        .and_then(|()| disk.sync_folder(folder))
        .map_err(|source| failed(folder, source))
}

pub(super) fn failed(path: &FilePath, source: io::Error) -> Error {
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
        let store = DurableLocal::new(Disk::default());
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
        assert_eq!(
            std::fs::read_dir(folder.path().join("a/b"))
                .unwrap()
                .count(),
            1
        );
    }

    #[test]
    fn overwrite_replaces_the_whole_file() {
        let folder = tempfile::tempdir().unwrap();
        let store = DurableLocal::new(Disk::default());
        let path = Path::from_absolute_path(folder.path().join("beat.json")).unwrap();
        runtime().block_on(async {
            store.put(&path, "a long first value".into()).await.unwrap();
            store.put(&path, "short".into()).await.unwrap();
            let kept = store.get(&path).await.unwrap().bytes().await.unwrap();
            assert_eq!(&kept[..], b"short");
        });
    }
}
