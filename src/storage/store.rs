//! What lies behind locations: a store, what drives it, and what is known of it.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;

use super::disk::Disk;
use super::durable::DurableLocal;
use super::executor::{Executor, Polling};
use super::probe::Proof;
use super::remote::{Remote, Turns};
use crate::Result;

/// The Delta kernel's engine over one of our stores.
pub(crate) type Engine = delta_kernel_default_engine::DefaultEngine<Executor>;

/// A store, shared by the locations in it.
pub(super) struct Store {
    pub(super) objects: Arc<dyn ObjectStore>,
    pub(super) executor: Arc<Executor>,
    pub(super) kind: Kind,
    /// The address of its top without a slash at the end: `s3://bucket`.
    pub(super) top: String,
}

/// Where a store is.
pub(super) enum Kind {
    /// Local files, and what they are written through.
    Local(Disk),
    Memory,
    Elsewhere(Elsewhere),
}

/// A store that is reached through a client.
#[derive(Clone)]
pub(super) struct Elsewhere {
    pub(super) remote: Remote,
    pub(super) identity: Identity,
    pub(super) creates: Creates,
    pub(super) proof: Arc<Proof>,
    pub(super) turns: Turns,
    /// The folder that was opened: the probe stays below it.
    pub(super) root: Path,
}

/// What tells whether two locations are in one store.
#[derive(Clone)]
pub(super) enum Identity {
    /// A bucket, the service it is in, and the account.
    Bucket(String),
    /// A store that the program brought.
    Brought(Arc<dyn ObjectStore>),
}

/// How creates come to be atomic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Creates {
    /// The store is asked to prove it before the first write.
    Proven,
    /// The program says that it knows.
    Known,
    /// One process writes, and its creates take turns.
    InTurn,
}

impl Store {
    pub(super) fn on_disk(disk: Disk) -> Result<Self> {
        let objects = Arc::new(DurableLocal::new(disk.clone()));
        Self::here(objects, Kind::Local(disk), "file://")
    }

    pub(super) fn in_memory(objects: Arc<dyn ObjectStore>) -> Result<Self> {
        Self::here(objects, Kind::Memory, "memory://")
    }

    fn here(objects: Arc<dyn ObjectStore>, kind: Kind, top: &str) -> Result<Self> {
        Ok(Self {
            objects,
            executor: Arc::new(Executor::try_new(Polling::Bare)?),
            kind,
            top: top.to_owned(),
        })
    }

    pub(super) fn elsewhere(place: Elsewhere, top: String) -> Result<Self> {
        let executor = Arc::new(Executor::try_new(Polling::InRuntime)?);
        Ok(Self::driven(place, top, executor))
    }

    fn driven(place: Elsewhere, top: String, executor: Arc<Executor>) -> Self {
        Self {
            objects: Arc::new(place.remote.clone()),
            executor,
            kind: Kind::Elsewhere(place),
            top,
        }
    }

    /// The same store with other creates; `None` for stores that are not elsewhere.
    pub(super) fn creating(&self, creates: Creates) -> Option<Self> {
        let Kind::Elsewhere(place) = &self.kind else {
            return None;
        };
        let mut place = place.clone();
        place.creates = creates;
        let turns = (creates == Creates::InTurn).then(|| place.turns.clone());
        place.remote = place.remote.with(turns);
        Some(Self::driven(place, self.top.clone(), self.executor.clone()))
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Local(_), Kind::Local(_)) => true,
            (Kind::Memory, Kind::Memory) => Arc::ptr_eq(&self.objects, &other.objects),
            (Kind::Elsewhere(one), Kind::Elsewhere(other)) => {
                match (&one.identity, &other.identity) {
                    (Identity::Bucket(one), Identity::Bucket(other)) => one == other,
                    (Identity::Brought(one), Identity::Brought(other)) => Arc::ptr_eq(one, other),
                    _ => false,
                }
            }
            _ => false,
        }
    }
}
