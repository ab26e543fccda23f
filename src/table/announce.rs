//! Appends that lost a race, laid open in the table's folder: whoever commits next takes them along.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use ulid::Ulid;

use super::commit::random;
use super::companions::Announcement;
use super::entry::Transaction;
use crate::storage::{Location, parse_document, sealed};
use crate::{Error, Result};

/// Where they are; Delta readers pass over names that begin so.
pub(crate) const ANNOUNCED: &str = "_announced";
/// Older ones are not taken along any more: a vacuum may have deleted their files.
const FRESH: Duration = Duration::from_secs(60);
/// How long the older ones have before others try too, at least.
const PATIENCE: Duration = Duration::from_secs(1);
/// The same in tries of our own, where the store is slow.
const PATIENCE_IN_TRIES: u32 = 8;
/// Between looks at what is laid open, which doubles up to the last.
const FIRST_LOOK: Duration = Duration::from_millis(4);
const LAST_LOOK: Duration = Duration::from_millis(64);
/// How many a commit takes along at most.
const MAX_TAKEN: usize = 64;
/// Larger ones are neither written nor read.
const MAX_BYTES: usize = 256 << 10;

/// Our own append, laid open until it is committed or given up, and what is known of those of others.
#[derive(Debug)]
pub(super) struct Announced {
    folder: Location,
    name: String,
    json: Bytes,
    is_gone: bool,
    /// By name; `None` for one that is of no use.
    others: HashMap<String, Option<Arc<Announcement>>>,
    /// Transactions of the log's entries, by version.
    pub(super) log: HashMap<u64, Vec<Transaction>>,
}

/// What a wait ended with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Our append is the oldest, or the older ones had their time.
    Ours,
    /// Somebody took ours away, most likely with a commit: the log will tell.
    Gone,
}

impl Announced {
    /// Whether others wait with their appends.
    pub(super) fn is_any(table: &Location) -> Result<bool> {
        Ok(!fresh(&table.join(ANNOUNCED))?.is_empty())
    }

    /// Lays an append open.
    pub(super) fn lay_open(table: &Location, announcement: &Announcement) -> Result<Self> {
        let folder = table.join(ANNOUNCED);
        let failed = |reason| Error::storage("announce a commit", folder.url(), reason);
        let json = serde_json::to_vec(announcement).map_err(|error| failed(error.to_string()))?;
        let json = Bytes::from(sealed(json));
        if json.len() > MAX_BYTES {
            return Err(failed(format!("{} bytes are too many", json.len())));
        }
        let mut announced = Self {
            folder,
            name: String::new(),
            json,
            is_gone: true,
            others: HashMap::new(),
            log: HashMap::new(),
        };
        announced.renew()?;
        Ok(announced)
    }

    fn renew(&mut self) -> Result<()> {
        self.name = format!("{}.json", Ulid::new().to_string().to_ascii_lowercase());
        self.folder.join(&self.name).create(self.json.clone())?;
        self.is_gone = false;
        Ok(())
    }

    /// Waits until another try is worth it; a try `took` so long.
    pub(super) fn wait_for_turn(&mut self, took: Duration) -> Result<Turn> {
        if self.is_gone {
            self.renew()?;
        }
        let patience = PATIENCE.max(took * PATIENCE_IN_TRIES);
        let patience = patience + Duration::from_millis(random(patience.as_millis()));
        let (start, mut wait) = (Instant::now(), FIRST_LOOK);
        loop {
            let names = fresh(&self.folder)?;
            if !names.contains(&self.name) {
                self.is_gone = true;
                // Too old by now, or not in this listing: it must not stay behind.
                self.delete(&self.name);
                return Ok(Turn::Gone);
            }
            if names.first() == Some(&self.name) || start.elapsed() >= patience {
                return Ok(Turn::Ours);
            }
            std::thread::sleep(wait);
            wait = (wait * 2).min(LAST_LOOK);
        }
    }

    /// The appends of others that are laid open now, with their names, the oldest first.
    pub(super) fn others(&mut self) -> Result<Vec<Arc<Announcement>>> {
        let mut names = fresh(&self.folder)?;
        names.retain(|name| *name != self.name);
        names.truncate(MAX_TAKEN);
        self.others.retain(|name, _| names.contains(name));
        for name in &names {
            if !self.others.contains_key(name) {
                let other = self.read(name).map(Arc::new);
                self.others.insert(name.clone(), other);
            }
        }
        let known = names.iter().filter_map(|name| self.others.get(name));
        Ok(known.flatten().cloned().collect())
    }

    /// `None` for one that cannot be read: it is as if it were not there.
    fn read(&self, name: &str) -> Option<Announcement> {
        let bytes = self.folder.join(name).read_if_exists().ok()??;
        parse_document(&bytes).ok()
    }

    /// Takes away our own, and those that a commit of these transactions took along: their writers
    /// then look into the log.
    pub(super) fn withdraw(&self, landed: &[Transaction]) {
        self.delete(&self.name);
        for (name, other) in &self.others {
            let went_along = |other: &Arc<Announcement>| other.is_among(landed);
            if other.as_ref().is_some_and(went_along) {
                self.delete(name);
            }
        }
    }

    fn delete(&self, name: &str) {
        if let Err(error) = self.folder.join(name).delete() {
            // Nobody takes it along any more in a minute, and a vacuum takes it away.
            tracing::debug!(name, %error, "an announcement stays behind");
        }
    }
}

/// The names of appends that are laid open, the oldest first.
fn fresh(folder: &Location) -> Result<Vec<String>> {
    let mut objects = folder.objects()?;
    let now = SystemTime::now();
    objects.retain(|object| {
        let is_small = usize::try_from(object.size_bytes).is_ok_and(|size| size <= MAX_BYTES);
        is_small && made_at(&object.name).is_some_and(|made| apart(now, made) <= FRESH)
    });
    let mut names: Vec<String> = objects.into_iter().map(|object| object.name).collect();
    names.sort_unstable();
    Ok(names)
}

/// Whether a name is one that announcements have.
pub(crate) fn is_announcement(name: &str) -> bool {
    made_at(name).is_some()
}

fn made_at(name: &str) -> Option<SystemTime> {
    let ulid = Ulid::from_string(name.strip_suffix(".json")?).ok()?;
    Some(ulid.datetime())
}

fn apart(now: SystemTime, then: SystemTime) -> Duration {
    now.duration_since(then)
        .unwrap_or_else(|ahead| ahead.duration())
}
