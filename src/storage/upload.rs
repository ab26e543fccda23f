//! Local files that are written in parts: nobody sees one before all of it is on the disk.

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use object_store::{MultipartUpload, PutPayload, PutResult, Result, UploadPart};

use super::disk::Disk;
use super::durable::{blocking, failed, publish, settle_and_sync, stage};

/// Parts in a staged file, which takes its name when it is whole and synced.
///
/// The upload of `object_store` 0.13 renames first; a power cut could leave the name with nothing
/// behind it, and an empty checkpoint hides the log.
#[derive(Debug)]
pub(super) struct DurableUpload {
    disk: Disk,
    target: PathBuf,
    staged: PathBuf,
    file: Arc<Mutex<File>>,
    /// Where the next part goes.
    offset: u64,
    is_published: bool,
}

impl DurableUpload {
    pub(super) fn begin(disk: Disk, target: PathBuf) -> Result<Self> {
        let (staged, file) = stage(&disk, &target)?;
        Ok(Self {
            disk,
            target,
            staged,
            file: Arc::new(Mutex::new(file)),
            offset: 0,
            is_published: false,
        })
    }
}

#[async_trait]
impl MultipartUpload for DurableUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (disk, staged, file) = (self.disk.clone(), self.staged.clone(), self.file.clone());
        let mut offset = self.offset;
        self.offset += data.content_length() as u64;
        Box::pin(blocking(move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            for bytes in data.iter() {
                disk.write(&mut file, &staged, offset, bytes)
                    .map_err(|source| failed(&staged, source))?;
                offset += bytes.len() as u64;
            }
            Ok(())
        }))
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let (disk, staged, file) = (self.disk.clone(), self.staged.clone(), self.file.clone());
        let target = self.target.clone();
        blocking(move || {
            let file = file.lock().unwrap_or_else(PoisonError::into_inner);
            disk.sync_file(&file, &staged)
                .map_err(|source| failed(&staged, source))?;
            publish(&disk, &staged, &target, false)
        })
        .await?;
        self.is_published = true;
        let (disk, target) = (self.disk.clone(), self.target.clone());
        blocking(move || settle_and_sync(&disk, &target)).await?;
        Ok(PutResult {
            e_tag: None,
            version: None,
        })
    }

    async fn abort(&mut self) -> Result<()> {
        if self.is_published {
            return Ok(());
        }
        let (disk, staged) = (self.disk.clone(), self.staged.clone());
        blocking(move || {
            disk.remove(&staged)
                .map_err(|source| failed(&staged, source))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use futures::executor::block_on;

    use super::*;
    use crate::storage::disk::{DiskStep, DiskWatch};

    /// What was done, in words.
    #[derive(Debug, Default)]
    struct Diary(Mutex<Vec<&'static str>>);

    impl DiskWatch for Diary {
        fn step(
            &self,
            step: DiskStep<'_>,
            perform: &mut dyn FnMut() -> io::Result<()>,
        ) -> io::Result<()> {
            self.0.lock().unwrap().push(match step {
                DiskStep::CreateFile(_) => "create",
                DiskStep::Write { .. } => "write",
                DiskStep::SyncFile(_) => "sync file",
                DiskStep::Rename { .. } => "rename",
                DiskStep::SyncFolder(_) => "sync folder",
                _ => "other",
            });
            perform()
        }
    }

    #[test]
    fn the_name_comes_when_all_parts_are_on_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("large");
        let diary = Arc::new(Diary::default());
        let mut upload =
            DurableUpload::begin(Disk::watched(diary.clone()), target.clone()).unwrap();
        let first = upload.put_part("0123".into());
        let second = upload.put_part("45".into());
        block_on(second).unwrap();
        block_on(first).unwrap();
        assert!(!target.exists());
        block_on(upload.complete()).unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"012345");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let mut diary = diary.0.lock().unwrap().clone();
        // Those above the folder are synced too, once.
        diary.dedup_by(|later, earlier| later == earlier && *later == "sync folder");
        let steps = [
            "create",
            "write",
            "write",
            "sync file",
            "rename",
            "sync folder",
        ];
        assert_eq!(diary, steps);
    }

    #[test]
    fn an_upload_that_is_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut upload =
            DurableUpload::begin(Disk::default(), folder.path().join("large")).unwrap();
        block_on(upload.put_part("0123".into())).unwrap();
        block_on(upload.abort()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
