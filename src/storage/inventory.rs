//! What lies in a folder: sizes and ages, and what writes that never ended left behind.

use std::time::UNIX_EPOCH;

use super::Location;
use crate::Result;

/// An object of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) name: String,
    pub(crate) size_bytes: u64,
    /// When it was written, microseconds since 1970 UTC.
    pub(crate) modified_us: i64,
}

impl Location {
    /// The objects directly in this folder; a missing folder is empty.
    pub(crate) fn objects(&self) -> Result<Vec<Object>> {
        let listed = self.list()?.objects.into_iter();
        let objects = listed.filter_map(|object| {
            Some(Object {
                name: object.location.filename()?.to_owned(),
                size_bytes: object.size,
                modified_us: object.last_modified.timestamp_micros(),
            })
        });
        Ok(objects.collect())
    }

    /// Files directly in this folder that were to get another name when they were whole, and never
    /// did. Local disks only; no other listing shows them.
    pub(crate) fn staged(&self) -> Result<Vec<Object>> {
        let Some(folder) = self.local_path() else {
            return Ok(Vec::new());
        };
        let failed = |error: std::io::Error| self.failed("list", error);
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut staged = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !is_staged(&name) {
                continue;
            }
            match entry.metadata() {
                Ok(about) if about.is_file() => staged.push(Object {
                    name,
                    size_bytes: about.len(),
                    modified_us: about
                        .modified()
                        .ok()
                        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
                        .and_then(|age| i64::try_from(age.as_micros()).ok())
                        .unwrap_or(i64::MAX),
                }),
                // Its write ended meanwhile.
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(failed(error));
                }
                _ => {}
            }
        }
        Ok(staged)
    }

    /// Deletes a file that [`Location::staged`] found in this folder, unless it is gone.
    pub(crate) fn delete_staged(&self, name: &str) -> Result<()> {
        let Some(folder) = self.local_path().filter(|_| is_staged(name)) else {
            return Ok(());
        };
        match std::fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(self.failed("delete", error))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a name is one that `durable` writes under before the file has its own.
fn is_staged(name: &str) -> bool {
    name.rsplit_once('#').is_some_and(|(own, digits)| {
        !own.is_empty()
            && !digits.is_empty()
            && !digits.contains('/')
            && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_never_ended_is_found_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let place = Location::open(&folder.path().display().to_string()).unwrap();
        place.join("a.json").create("whole").unwrap();
        for name in ["a.json#4711000", "b#x", "#1"] {
            std::fs::write(folder.path().join(name), "half").unwrap();
        }
        let staged = place.staged().unwrap();
        let names: Vec<_> = staged.iter().map(|object| &*object.name).collect();
        assert_eq!(names, ["a.json#4711000"]);
        assert_eq!(staged[0].size_bytes, 4);
        place.delete_staged("a.json#4711000").unwrap();
        place.delete_staged("a.json").unwrap();
        assert!(place.staged().unwrap().is_empty());
        let objects = place.objects().unwrap();
        assert!(objects.iter().any(|object| object.name == "a.json"));
        assert!(place.join("nothing").staged().unwrap().is_empty());
    }
}
