//! Finding out, before the first write, whether a store creates objects atomically.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use ulid::Ulid;

use super::durable::cause;
use super::executor::Executor;
use super::remote::Remote;
use crate::{Error, Result};

/// Races that a store has to win, and writers in each.
const ROUNDS: usize = 6;
const WRITERS: usize = 8;
/// Races without an answer (requests that failed) before the probe gives up.
const MAX_UNCLEAR: usize = 6;
/// Sequences tried before a store that refuses every create is said to do so.
const MAX_REFUSED: usize = 3;
/// How often an object that exists is looked for again.
const MAX_LOOKS: usize = 3;

/// What this process found out about places in buckets: each is probed once.
static FOUND: Mutex<BTreeMap<String, Arc<Proof>>> = Mutex::new(BTreeMap::new());

/// Whether one place was probed, and found sound.
#[derive(Debug, Default)]
pub(super) struct Proof {
    is_sound: OnceLock<()>,
    /// Held by the thread that probes; others wait for what it finds.
    probing: Mutex<()>,
}

impl Proof {
    /// What this process knows of a place in a bucket.
    pub(super) fn of(place: String) -> Arc<Self> {
        let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
        found.entry(place).or_default().clone()
    }

    /// Probes the store below `root` unless that was done.
    ///
    /// # Errors
    /// [`Error::NotAtomic`] for a store that overwrites what it was asked to create; `Storage` when
    /// the store fails.
    pub(super) fn check(
        &self,
        store: &Remote,
        root: &Path,
        executor: &Executor,
        url: &str,
    ) -> Result<()> {
        if self.is_sound.get().is_some() {
            return Ok(());
        }
        let _probing = self.probing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_sound.get().is_some() {
            return Ok(());
        }
        let name = format!(".emberlens-probe-{}", Ulid::new()).to_lowercase();
        let folder = root.clone().join(name);
        let seen = executor.run(probe(store.clone(), folder))?;
        match seen.map_err(|error| Error::storage("probe the store", url, cause(error)))? {
            None => {
                let _ = self.is_sound.set(());
                Ok(())
            }
            Some(seen) => Err(Error::NotAtomic {
                seen,
                path: url.to_owned(),
            }),
        }
    }
}

/// What is wrong with the store; `None` when nothing was found. The objects of the probe are deleted.
async fn probe(store: Remote, folder: Path) -> Result<Option<String>, StoreError> {
    let seen = match in_sequence(&store, &folder).await {
        Ok(None) => as_races(&store, &folder).await,
        other => other,
    };
    let mut names = vec![folder.clone().join("plain")];
    names.extend((0..MAX_REFUSED).map(|number| sequence_name(&folder, number)));
    names.extend((0..ROUNDS + MAX_UNCLEAR).map(|number| race_name(&folder, number)));
    for name in names {
        match store.delete(&name).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => {}
            // What is left is small and no reader looks at it.
            Err(error) => tracing::warn!(%error, object = %name, "an object of the probe stays"),
        }
    }
    seen
}

fn sequence_name(folder: &Path, number: usize) -> Path {
    folder.clone().join(format!("sequence-{number}"))
}

fn race_name(folder: &Path, number: usize) -> Path {
    folder.clone().join(format!("race-{number}"))
}

/// One create after the other: the second must be refused, and change nothing.
async fn in_sequence(store: &Remote, folder: &Path) -> Result<Option<String>, StoreError> {
    let mut number = 0;
    let name = loop {
        let name = sequence_name(folder, number);
        match create(store, &name, "first").await {
            // A client that repeats what failed may be told of its own object.
            Ok(()) | Err(StoreError::AlreadyExists { .. }) => break name,
            Err(error) if number + 1 < MAX_REFUSED => {
                tracing::debug!(%error, "a create of the probe failed");
                number += 1;
                pause(number).await;
            }
            Err(error) => {
                let plain = folder.clone().join("plain");
                return match store.put(&plain, "plain".into()).await {
                    Ok(_) => Ok(Some(format!(
                        "it writes objects, but refuses to create them on condition ({error})"
                    ))),
                    Err(_) => Err(error),
                };
            }
        }
    };
    match create(store, &name, "second").await {
        Ok(()) => Ok(Some(
            "of two creates of one object, one after the other, both succeeded".to_owned(),
        )),
        Err(StoreError::AlreadyExists { .. }) => match &read(store, &name).await?[..] {
            b"first" => Ok(None),
            _ => Ok(Some(
                "a create that it refused changed the object".to_owned(),
            )),
        },
        Err(error) => Err(error),
    }
}

/// Several creates of one object at once, several times: one wins, and the object is the winner's.
async fn as_races(store: &Remote, folder: &Path) -> Result<Option<String>, StoreError> {
    let (mut decided, mut unclear) = (0, 0);
    while decided < ROUNDS {
        let name = race_name(folder, decided + unclear);
        match race(store, &name).await {
            Ok(Some(seen)) => return Ok(Some(seen)),
            Ok(None) => decided += 1,
            Err(error) if unclear + 1 == MAX_UNCLEAR => return Err(error),
            Err(error) => {
                tracing::debug!(%error, "a race of the probe has no answer");
                unclear += 1;
                pause(unclear).await;
            }
        }
    }
    Ok(None)
}

async fn race(store: &Remote, name: &Path) -> Result<Option<String>, StoreError> {
    let mark = |writer: usize| format!("writer {writer}");
    let writers = (0..WRITERS).map(|writer| {
        let (store, name) = (store.clone(), name.clone());
        // Tasks of their own, so that threads may meet as well as requests.
        tokio::spawn(async move { create(&store, &name, &mark(writer)).await })
    });
    let mut winners = Vec::new();
    let mut failure = None;
    for (writer, outcome) in join_all(writers).await.into_iter().enumerate() {
        match outcome.unwrap_or_else(|source| Err(StoreError::JoinError { source })) {
            Ok(()) => winners.push(writer),
            Err(StoreError::AlreadyExists { .. }) => {}
            Err(error) => failure = Some(error),
        }
    }
    if winners.len() > 1 {
        return Ok(Some(format!(
            "of {WRITERS} creates of one object at once {} succeeded",
            winners.len()
        )));
    }
    let holds = match (read(store, name).await, failure) {
        (Ok(holds), _) => holds,
        (Err(_), Some(failure)) => return Err(failure),
        (Err(error), None) => return Err(error),
    };
    let is_of = |writer: usize| holds == mark(writer).as_bytes();
    let is_as_told = match winners.first() {
        Some(&winner) => is_of(winner),
        // The winner was told of an error, or, by a client that repeats what failed, of itself.
        None => (0..WRITERS).any(is_of),
    };
    Ok((!is_as_told).then(|| {
        format!(
            "of {WRITERS} creates of one object at once one succeeded, and the object is another's"
        )
    }))
}

async fn create(store: &Remote, name: &Path, content: &str) -> Result<(), StoreError> {
    let options = PutOptions::from(PutMode::Create);
    let payload = content.as_bytes().to_vec().into();
    store.put_opts(name, payload, options).await.map(drop)
}

/// The object, which was just said to exist: a store may take a moment to show it.
async fn read(store: &Remote, name: &Path) -> Result<Vec<u8>, StoreError> {
    let mut look = 0;
    loop {
        let read = async { store.get(name).await?.bytes().await };
        match read.await {
            Ok(bytes) => return Ok(bytes.to_vec()),
            Err(error) if look == MAX_LOOKS => return Err(error),
            Err(_) => look += 1,
        }
        pause(look).await;
    }
}

async fn pause(number: usize) {
    let steps = u32::try_from(number).unwrap_or(u32::MAX);
    tokio::time::sleep(Duration::from_millis(50).saturating_mul(steps)).await;
}
