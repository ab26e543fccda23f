//! Numbered JSON documents, created once and never rewritten.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use ulid::Ulid;

use super::Location;
use super::redact::bare_urls;
use crate::{Error, Result};

/// How often another writer may be first before `append` gives up.
const MAX_LOST_RACES: u32 = 1000;

/// How often a document that exists is looked for.
const MAX_READS: u64 = 5;

/// What a writer makes of a document that stands where it wanted to put its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Another one: its own comes after it.
    Other,
    /// Its own, from an earlier call whose outcome was not known.
    Own,
}

/// A folder of documents `00000000000000000000.json`, `...01.json`, ... in the order they were
/// appended, by any number of writers.
///
/// # Durability
/// A document for which `append` returned is on the disk, whole.
#[derive(Clone, Debug)]
pub struct Documents {
    folder: Location,
    /// The number after the last one that was appended through this handle; 0 before the first.
    next: Arc<AtomicU64>,
}

impl Documents {
    /// The documents in `folder`; nothing is read or created.
    pub fn at(folder: Location) -> Self {
        Self::after(folder, 0)
    }

    /// The documents in `folder`, of which those below `read` were read.
    pub(crate) fn after(folder: Location, read: u64) -> Self {
        Self {
            folder,
            next: Arc::new(AtomicU64::new(read)),
        }
    }

    /// Appends one document and returns its number.
    ///
    /// # Errors
    /// `Storage` when the store fails; `Invalid` when `document` has no JSON form.
    pub fn append<T: Serialize>(&self, document: &T) -> Result<u64> {
        self.append_seeing(document, |_, _| Ok(Taken::Other))
    }

    /// As [`Documents::append`]; `other` is shown what was appended since this handle's last
    /// document. It may refuse to go on, or know the document again, which is not written twice then.
    pub(crate) fn append_seeing<T: Serialize>(
        &self,
        document: &T,
        mut other: impl FnMut(u64, &[u8]) -> Result<Taken>,
    ) -> Result<u64> {
        let json = serde_json::to_vec(document).map_err(|error| {
            Error::invalid(
                "document",
                self.folder.url(),
                error.to_string(),
                "use values that JSON can hold",
            )
        })?;
        let json = Bytes::from(sealed(json));
        // Numbers below are taken, so that a folder of thousands need not be listed every time.
        let first = match self.next.load(Ordering::Acquire) {
            0 => match self.numbers()?.last() {
                Some(&last) => self.following(last)?,
                None => 0,
            },
            next => self.following(next - 1)?,
        };
        let (mut number, mut lost) = (first, 0);
        while lost < MAX_LOST_RACES {
            // Once others are known to write, what they have written is read and not run into.
            let taken = match lost {
                0 => None,
                _ => self.document(number).read_if_exists()?,
            };
            let taken = match taken {
                Some(bytes) => bytes,
                None if self.document(number).create(json.clone())? => {
                    self.next.fetch_max(number + 1, Ordering::AcqRel);
                    return Ok(number);
                }
                None => {
                    pause_at_random(lost);
                    lost += 1;
                    self.read_taken(number)?
                }
            };
            let known = other(number, &taken)?;
            if known == Taken::Own {
                self.document(number).make_durable()?;
                self.next.fetch_max(number + 1, Ordering::AcqRel);
                return Ok(number);
            }
            number = self.following(number)?;
            self.next.fetch_max(number, Ordering::AcqRel);
        }
        Err(Error::storage(
            "append a document",
            self.folder.url(),
            format!("other writers were first {MAX_LOST_RACES} times"),
        ))
    }

    /// What other writers appended since this handle's last document.
    pub(crate) fn newer(&self) -> Result<Vec<(u64, Bytes)>> {
        let mut newer = Vec::new();
        for number in self.next.load(Ordering::Acquire)..=u64::MAX {
            match self.document(number).read_if_exists()? {
                Some(bytes) => newer.push((number, bytes)),
                None => break,
            }
        }
        Ok(newer)
    }

    /// A document that exists, as a writer was told: stores may take a moment to show it.
    fn read_taken(&self, number: u64) -> Result<Bytes> {
        let place = self.document(number);
        for wait in 0..MAX_READS {
            std::thread::sleep(Duration::from_millis(5 * wait));
            if let Some(bytes) = place.read_if_exists()? {
                return Ok(bytes);
            }
        }
        place.read()
    }

    /// All documents with their numbers, oldest first.
    ///
    /// # Errors
    /// `Corrupt` names the first document that does not parse.
    pub fn read_all<T: DeserializeOwned>(&self) -> Result<Vec<(u64, T)>> {
        let all = self.read_bytes()?.into_iter();
        all.map(|(number, bytes)| {
            let document = parse(&bytes).map_err(|reason| self.damaged(number, reason))?;
            Ok((number, document))
        })
        .collect()
    }

    /// The bytes of all documents with their numbers, oldest first.
    pub(crate) fn read_bytes(&self) -> Result<Vec<(u64, Bytes)>> {
        let mut all = Vec::new();
        let mut next = 0;
        for number in self.numbers()? {
            // A listing of a folder that is written to may lack a document that is there.
            while next < number
                && let Some(bytes) = self.document(next).read_if_exists()?
            {
                all.push((next, bytes));
                next += 1;
            }
            all.push((number, self.document(number).read()?));
            // A folder may hold a file of any number.
            next = number.saturating_add(1);
        }
        Ok(all)
    }

    /// The error for a document that does not say what it should.
    pub(crate) fn damaged(&self, number: u64, reason: String) -> Error {
        Error::Corrupt {
            what: DOCUMENT,
            // A parser quotes what it did not expect.
            reason: bare_urls(&reason),
            path: self.document(number).url(),
        }
    }

    /// The number of the document after that one; the largest of all stays free, as nothing could be
    /// counted after it.
    fn following(&self, number: u64) -> Result<u64> {
        let next = number.checked_add(1).filter(|next| *next < u64::MAX);
        next.ok_or_else(|| self.damaged(number, "no document can follow its number".into()))
    }

    fn document(&self, number: u64) -> Location {
        self.folder.join(&format!("{number:020}.json"))
    }

    fn numbers(&self) -> Result<Vec<u64>> {
        let names = self.folder.list_files()?;
        Ok(names.iter().filter_map(|name| number_of(name)).collect())
    }
}

/// What errors call a damaged document.
pub(crate) const DOCUMENT: &str = "document";

/// The document's last field holds the CRC-32 of the bytes before it.
const SEAL: &str = ",\"crc32\":\"";

/// An object with its checksum; anything else stays as it is.
pub(crate) fn sealed(mut json: Vec<u8>) -> Vec<u8> {
    if json.len() > 2 && json.last() == Some(&b'}') {
        json.pop();
        let seal = format!("{SEAL}{:08x}\"}}", crc32fast::hash(&json));
        json.extend_from_slice(seal.as_bytes());
    }
    json
}

/// A document that was read: its checksum is compared, where it has one.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let length = SEAL.len() + 10;
    if let Some((content, seal)) = bytes.split_at_checked(bytes.len().saturating_sub(length))
        && seal.starts_with(SEAL.as_bytes())
        && seal.get(SEAL.len()..SEAL.len() + 8)
            != Some(format!("{:08x}", crc32fast::hash(content)).as_bytes())
    {
        return Err("its checksum does not match: the file was altered or damaged".to_owned());
    }
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

/// Waits after a lost race, anywhere within a window that doubles each time: writers that began at the
/// same moment draw apart instead of meeting again.
fn pause_at_random(lost: u32) {
    let window = 2_u128 << lost.min(5);
    let drawn = u64::try_from(Ulid::new().random() % window).unwrap_or(0);
    std::thread::sleep(Duration::from_millis(drawn));
}

fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".json")?;
    let all_digits = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use emberlens_testkit::{Fault, FaultStore, Operation};
    use object_store::memory::InMemory;

    use super::*;

    #[test]
    fn a_changed_byte_is_noticed_wherever_it_is() {
        let sealed = sealed(br#"{"kind":"tag","tag":"baseline"}"#.to_vec());
        let whole: serde_json::Value = parse(&sealed).unwrap();
        assert_eq!(whole["tag"], "baseline");
        assert_eq!(whole["crc32"].as_str().unwrap().len(), 8);
        let content = sealed.len() - SEAL.len() - 10;
        for place in 0..content {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(
                parse::<serde_json::Value>(&changed).is_err(),
                "byte {place}"
            );
        }
        // Documents of older and of other writers have none.
        assert!(parse::<serde_json::Value>(br#"{"kind":"tag","tag":"b"}"#).is_ok());
    }

    #[test]
    fn many_writers_never_share_a_number() {
        let folder = tempfile::tempdir().unwrap();
        let documents =
            Documents::at(Location::open(&folder.path().display().to_string()).unwrap());
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let documents = documents.clone();
                scope.spawn(move || {
                    for value in 0..10 {
                        documents.append(&(writer, value)).unwrap();
                    }
                });
            }
        });
        let mut all: Vec<(u64, (u32, u32))> = documents.read_all().unwrap();
        assert_eq!(
            all.iter().map(|(number, _)| *number).collect::<Vec<_>>(),
            (0..40).collect::<Vec<_>>()
        );
        all.sort_by_key(|(_, document)| *document);
        all.dedup_by_key(|(_, document)| *document);
        assert_eq!(all.len(), 40);
    }

    #[test]
    fn a_handle_goes_on_after_the_documents_of_others() {
        let folder = Location::open("memory://").unwrap();
        let (one, other) = (Documents::at(folder.clone()), Documents::at(folder));
        let numbers = [&one, &other, &other, &one, &other].map(|own| own.append(&0).unwrap());
        assert_eq!(numbers, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_document_that_a_listing_lacks_is_read() {
        let store = FaultStore::new(Arc::new(InMemory::new()), |call| {
            (call.operation == Operation::List).then_some(Fault::Gap)
        });
        let folder = Location::in_store(Arc::new(store), "d").unwrap();
        let documents = Documents::at(folder.assume_atomic_creates());
        for value in 0..5 {
            documents.append(&value).unwrap();
        }
        let all: Vec<(u64, u32)> = documents.read_all().unwrap();
        assert_eq!(all, [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)]);
    }

    #[test]
    fn a_file_with_the_largest_number_is_read_and_named_by_whoever_appends() {
        for largest in [u64::MAX, u64::MAX - 1] {
            let folder = Location::open("memory://").unwrap();
            Documents::at(folder.clone()).append(&7).unwrap();
            let strange = folder.join(&format!("{largest:020}.json"));
            strange.create("8").unwrap();
            let documents = Documents::at(folder.clone());
            let all: Vec<(u64, u32)> = documents.read_all().unwrap();
            assert_eq!(all, [(0, 7), (largest, 8)]);
            let error = documents.append(&9).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Corrupt, "{error}");
            assert!(error.to_string().contains(&strange.url()), "{error}");
            // A handle that has read on to it.
            let behind = Documents::after(folder, largest);
            assert_eq!(behind.newer().unwrap().len(), 1, "{largest}");
            assert!(behind.append(&9).is_err(), "{largest}");
            assert_eq!(documents.read_all::<u32>().unwrap(), all);
        }
        let last = Documents::after(Location::open("memory://").unwrap(), u64::MAX - 1);
        assert_eq!(last.append(&1).unwrap(), u64::MAX - 1);
        assert!(last.append(&2).is_err());
    }

    #[test]
    fn a_damaged_document_is_named() {
        let folder = Location::open("memory://").unwrap();
        let documents = Documents::at(folder.clone());
        documents.append(&1).unwrap();
        folder
            .join("00000000000000000001.json")
            .create("{")
            .unwrap();
        let error = documents.read_all::<u32>().unwrap_err().to_string();
        assert!(error.contains("00000000000000000001.json"), "{error}");
    }
}
