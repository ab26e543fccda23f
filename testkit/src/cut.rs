//! What a disk may hold after the power went: of a record everything that was synced, and of the rest
//! whatever pleases the disk.
//!
//! The model is harsher than common file systems. A name lasts when its folder was synced after it was
//! given, whatever else was; content lasts when the file was; of the rest every step may be there or not,
//! in any combination, and content that was not synced may be missing, cut off or zeros.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::plan::split_mix;
use crate::promises::Promises;
use crate::record::Entry;

/// What becomes of the steps that were not synced when the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The first so many were done all the same, in order; the rest was not.
    Suffix(usize),
    /// Each was or was not, and content may be damaged, by numbers that begin with this seed.
    Sampled(u64),
}

/// A power cut after the first `at` entries of a record.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// How many entries were recorded before.
    pub at: usize,
    /// What was not synced.
    pub fate: Fate,
}

#[derive(Clone, Copy, Debug)]
enum Node {
    Folder,
    File(usize),
}

/// A change of names, and the folders that must be synced for it to last.
#[derive(Debug)]
struct Change {
    index: usize,
    gone: Option<PathBuf>,
    new: Option<(PathBuf, Node)>,
    unsynced: BTreeSet<PathBuf>,
}

#[derive(Debug, Default)]
struct Content {
    synced: Vec<u8>,
    /// All that was written, and when the first of it was that is not synced.
    written: Vec<u8>,
    dirty_since: Option<usize>,
}

/// The record up to a moment, with what is synced told from what is not.
#[derive(Debug, Default)]
struct Replay {
    live: BTreeMap<PathBuf, Node>,
    changes: Vec<Change>,
    contents: Vec<Content>,
}

impl Replay {
    fn of(entries: &[Entry]) -> Self {
        let mut replay = Self::default();
        for (index, entry) in entries.iter().enumerate() {
            replay.apply(index, entry);
        }
        replay
    }

    fn apply(&mut self, index: usize, entry: &Entry) {
        match entry {
            Entry::CreateFolder(path) => {
                self.change(index, None, Some((path.clone(), Node::Folder)));
            }
            Entry::CreateFile(path) => {
                let file = Node::File(self.contents.len());
                self.contents.push(Content::default());
                self.change(index, None, Some((path.clone(), file)));
            }
            Entry::Write {
                path,
                offset,
                bytes,
            } => {
                if let Some(content) = self.content(path) {
                    let from = usize::try_from(*offset).unwrap_or(usize::MAX);
                    content
                        .written
                        .resize(content.written.len().max(from + bytes.len()), 0);
                    content.written[from..from + bytes.len()].copy_from_slice(bytes);
                    content.dirty_since.get_or_insert(index);
                }
            }
            Entry::SyncFile(path) => {
                if let Some(content) = self.content(path) {
                    content.synced = content.written.clone();
                    content.dirty_since = None;
                }
            }
            Entry::SyncFolder(path) => {
                for change in &mut self.changes {
                    change.unsynced.remove(path);
                }
            }
            Entry::Link(from, to) => {
                if let Some(node) = self.live.get(from).copied() {
                    self.change(index, None, Some((to.clone(), node)));
                }
            }
            Entry::Rename(from, to) => {
                if let Some(node) = self.live.get(from).copied() {
                    self.change(index, Some(from.clone()), Some((to.clone(), node)));
                }
            }
            Entry::Remove(path) => self.change(index, Some(path.clone()), None),
            Entry::RemoveFolder(folder) => {
                let inside = self.live.keys().filter(|path| path.starts_with(folder));
                for path in inside.cloned().collect::<Vec<_>>() {
                    self.change(index, Some(path), None);
                }
            }
            Entry::Said(_) => {}
        }
    }

    fn content(&mut self, path: &Path) -> Option<&mut Content> {
        match self.live.get(path) {
            Some(Node::File(file)) => self.contents.get_mut(*file),
            _ => None,
        }
    }

    fn change(&mut self, index: usize, gone: Option<PathBuf>, new: Option<(PathBuf, Node)>) {
        let paths = gone.iter().chain(new.iter().map(|(path, _)| path));
        let unsynced = paths.filter_map(|path| path.parent().map(Path::to_owned));
        let change = Change {
            index,
            unsynced: unsynced.collect(),
            gone,
            new,
        };
        change.apply_to(&mut self.live);
        self.changes.push(change);
    }

    /// When what is not synced was done, in order.
    fn unsynced(&self) -> Vec<usize> {
        let names = self
            .changes
            .iter()
            .filter(|change| !change.unsynced.is_empty());
        let contents = self
            .contents
            .iter()
            .filter_map(|content| content.dirty_since);
        let all: BTreeSet<usize> = names.map(|change| change.index).chain(contents).collect();
        all.into_iter().collect()
    }
}

impl Change {
    fn apply_to(&self, names: &mut BTreeMap<PathBuf, Node>) {
        if let Some(gone) = &self.gone {
            names.remove(gone);
        }
        if let Some((path, node)) = &self.new {
            names.insert(path.clone(), *node);
        }
    }
}

/// Says what becomes of a step that was not synced.
enum Judge {
    /// Those of before this index are done.
    Before(usize),
    Random(u64),
}

impl Judge {
    fn keeps(&mut self, index: usize) -> bool {
        match self {
            Self::Before(end) => index < *end,
            Self::Random(state) => !split_mix(state).is_multiple_of(2),
        }
    }

    fn content(&mut self, content: &Content) -> Vec<u8> {
        let Some(since) = content.dirty_since else {
            return content.synced.clone();
        };
        let whole = content.written.clone();
        match self {
            Self::Before(end) if since < *end => whole,
            Self::Before(_) => content.synced.clone(),
            Self::Random(state) => match split_mix(state) % 5 {
                0 => content.synced.clone(),
                1 => Vec::new(),
                2 => whole[..whole.len() / 2].to_vec(),
                3 => vec![0; whole.len()],
                _ => whole,
            },
        }
    }
}

impl Cut {
    /// All cuts of a record that drop a suffix of what was not synced.
    pub fn suffixes(entries: &[Entry]) -> Vec<Self> {
        let mut cuts = Vec::new();
        let mut replay = Replay::default();
        for at in 0..=entries.len() {
            cuts.extend((0..=replay.unsynced().len()).map(|kept| Self {
                at,
                fate: Fate::Suffix(kept),
            }));
            if let Some(entry) = entries.get(at) {
                replay.apply(at, entry);
            }
        }
        cuts
    }

    /// Cuts of a record at random.
    pub fn sampled(entries: &[Entry], seed: u64, count: usize) -> Vec<Self> {
        let mut state = seed;
        let mut next = || split_mix(&mut state);
        let places = entries.len() as u64 + 1;
        (0..count)
            .map(|_| Self {
                at: usize::try_from(next() % places).unwrap_or(0),
                fate: Fate::Sampled(next()),
            })
            .collect()
    }

    /// What had been said when the power went.
    pub fn promises(&self, entries: &[Entry]) -> Promises {
        let mut promises = Promises::default();
        for entry in &entries[..self.at] {
            if let Entry::Said(said) = entry {
                promises.hear(said);
            }
        }
        promises
    }

    /// Writes what the disk holds afterwards, of the folder `recorded`, to the folder `to`.
    ///
    /// # Errors
    /// Those of the system.
    pub fn write(&self, entries: &[Entry], recorded: &Path, to: &Path) -> io::Result<()> {
        let replay = Replay::of(&entries[..self.at]);
        let mut judge = match self.fate {
            Fate::Suffix(kept) => {
                let unsynced = replay.unsynced();
                Judge::Before(unsynced.get(kept).copied().unwrap_or(usize::MAX))
            }
            Fate::Sampled(seed) => Judge::Random(seed),
        };
        let mut names = BTreeMap::new();
        for change in &replay.changes {
            if change.unsynced.is_empty() || judge.keeps(change.index) {
                change.apply_to(&mut names);
            }
        }
        let contents: Vec<Vec<u8>> = replay
            .contents
            .iter()
            .map(|one| judge.content(one))
            .collect();
        for (path, node) in &names {
            let Ok(inside) = path.strip_prefix(recorded) else {
                continue;
            };
            // What lies in a folder that is lost is lost with it.
            let mut above = path
                .ancestors()
                .skip(1)
                .take_while(|folder| *folder != recorded);
            if !above.all(|folder| matches!(names.get(folder), Some(Node::Folder))) {
                continue;
            }
            match node {
                Node::Folder => fs::create_dir_all(to.join(inside))?,
                Node::File(file) => fs::write(to.join(inside), &contents[*file])?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> PathBuf {
        Path::new("/r").join(name)
    }

    /// A document as `durable` writes it, in a new folder.
    fn durable() -> Vec<Entry> {
        let write = Entry::Write {
            path: path("a/x#1"),
            offset: 0,
            bytes: b"whole".to_vec(),
        };
        vec![
            Entry::CreateFolder(path("a")),
            Entry::SyncFolder(path("")),
            Entry::CreateFile(path("a/x#1")),
            write,
            Entry::SyncFile(path("a/x#1")),
            Entry::Link(path("a/x#1"), path("a/x")),
            Entry::Remove(path("a/x#1")),
            Entry::SyncFolder(path("a")),
        ]
    }

    /// The content of `a/x` after a cut.
    fn after(entries: &[Entry], cut: Cut) -> Option<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        cut.write(entries, Path::new("/r"), folder.path()).unwrap();
        fs::read(folder.path().join("a/x")).ok()
    }

    fn all(entries: &[Entry]) -> Vec<Cut> {
        let mut cuts = Cut::suffixes(entries);
        cuts.extend(Cut::sampled(entries, 5, 300));
        cuts
    }

    #[test]
    fn what_was_synced_is_whole_and_the_rest_is_there_or_not() {
        let entries = durable();
        let (mut there, mut missing) = (0, 0);
        for cut in all(&entries) {
            match after(&entries, cut) {
                Some(content) => {
                    assert_eq!(content, b"whole", "{cut:?}");
                    there += 1;
                }
                None => {
                    assert!(cut.at < entries.len(), "{cut:?}");
                    missing += 1;
                }
            }
        }
        assert!(there > 20 && missing > 20);
    }

    #[test]
    fn every_sync_that_is_left_out_is_missed() {
        let is_sync = |entry: &Entry| matches!(entry, Entry::SyncFile(_) | Entry::SyncFolder(_));
        for left_out in (0..durable().len()).filter(|&index| is_sync(&durable()[index])) {
            let mut entries = durable();
            entries.remove(left_out);
            let broken = all(&entries)
                .into_iter()
                .map(|cut| (cut, after(&entries, cut)))
                .any(|(cut, content)| match content {
                    Some(content) => content != b"whole",
                    None => cut.at == entries.len(),
                });
            assert!(broken, "without entry {left_out}");
        }
    }
}
