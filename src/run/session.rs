//! One process writing one run: documents, scalars and heartbeat, from start to the last handle.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::attempt::Attempt;
use super::clock::now_us;
use super::facts::{self, Document, Fact};
use super::heartbeat::{Heartbeat, Pulse};
use super::passes::PASS_ID;
use super::scalar_buffer::ScalarBuffer;
use super::state::RunState;
use super::stream_table::StreamTable;
use super::{Project, RunReader, Status};
use crate::storage::{Documents, Location};
use crate::{Error, Result};

/// What all handles of a run share; dropping it ends the run.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) project: Project,
    pub(crate) location: Location,
    pub(crate) id: String,
    documents: Documents,
    attempt: Attempt,
    state: Mutex<RunState>,
    /// By folder.
    streams: Mutex<HashMap<String, StreamTable>>,
    pub(crate) scalars: Arc<ScalarBuffer>,
    /// The run was resumed and nobody has said yet from which epoch.
    awaits_epoch: AtomicBool,
    /// Told to the heartbeat thread, which has nothing to say for a run that ended.
    is_active: Arc<AtomicBool>,
    /// Ends its thread when dropped.
    _pulse: Pulse,
}

/// What the heartbeat thread does; it holds no handle, so that dropping the last one ends the run.
fn beat(
    location: Location,
    attempt: u64,
    scalars: Arc<ScalarBuffer>,
    is_active: Arc<AtomicBool>,
) -> impl Fn() + Send + 'static {
    move || {
        if is_active.load(Ordering::Relaxed)
            && let Err(error) = Heartbeat::write(&location, attempt)
        {
            tracing::warn!("renewing the heartbeat: {}", error.chain());
        }
        scalars.flush_if_old();
    }
}

impl Session {
    /// Begins a new run: its first document, then its heartbeat, then what else is known.
    pub(crate) fn create(
        project: Project,
        location: Location,
        created: Fact,
        facts: &[Fact],
    ) -> Result<Self> {
        let document = Document {
            time_us: now_us(),
            fact: created,
        };
        let documents = facts::documents(&location);
        if documents.append(&document)? != 0 {
            return Err(Error::AlreadyExists {
                what: "run",
                name: location.name(),
                hint: "another process took this id at the same moment; start again".into(),
                place: location.url(),
            });
        }
        let mut state = RunState::empty();
        state.apply(document);
        let attempt = Attempt::new(location.clone(), 0, documents.clone());
        Self::open(project, location, documents, attempt, state, facts)
    }

    /// Goes on with a run, as its next attempt; the first of the facts says so. Writers of earlier
    /// attempts, should there be any, are fenced when this returns.
    pub(crate) fn reopen(project: Project, reader: RunReader, facts: &[Fact]) -> Result<Self> {
        let (location, state) = reader.into_state();
        let documents = Documents::after(location.join("run"), state.documents);
        let attempt = Attempt::new(location.clone(), state.attempt + 1, documents.clone());
        let session = Self::open(project, location, documents, attempt, state, facts)?;
        for stream in session.location.join("metrics").list_folders()? {
            let place = session.location.join("metrics").join(&stream);
            // Opening it is what closes it to others.
            session.stream_table(place).open()?;
        }
        session.scalars.table()?;
        Ok(session)
    }

    fn open(
        project: Project,
        location: Location,
        documents: Documents,
        attempt: Attempt,
        state: RunState,
        facts: &[Fact],
    ) -> Result<Self> {
        let number = attempt.number();
        let scalars = ScalarBuffer::new(location.clone(), number == 0, attempt.clone());
        let scalars = Arc::new(scalars);
        let is_active = Arc::new(AtomicBool::new(true));
        let beat = beat(location.clone(), number, scalars.clone(), is_active.clone());
        let pulse = Pulse::start(beat)?;
        let session = Self {
            project,
            id: location.name(),
            documents,
            attempt,
            location,
            state: Mutex::new(state),
            streams: Mutex::default(),
            scalars,
            awaits_epoch: AtomicBool::new(false),
            is_active,
            _pulse: pulse,
        };
        // The document that opens the run comes before the heartbeat: whoever fails to write it must
        // not silence the heartbeat of the process that goes on.
        let opening = facts.iter().take(usize::from(number > 0));
        let rest = facts.iter().skip(opening.len());
        opening.cloned().try_for_each(|fact| session.record(fact))?;
        Heartbeat::write(&session.location, number)?;
        rest.cloned().try_for_each(|fact| session.record(fact))?;
        Ok(session)
    }

    /// The table of the stream in that folder.
    pub(crate) fn stream_table(&self, location: Location) -> StreamTable {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let stream = streams.entry(location.name());
        stream
            .or_insert_with(|| StreamTable::at(location, self.attempt.clone()))
            .clone()
    }

    /// Writes a document, then folds it in: memory never says more than the disk.
    pub(crate) fn record(&self, fact: Fact) -> Result<()> {
        let mut state = self.state();
        let document = Document {
            time_us: now_us(),
            fact,
        };
        self.documents.append_seeing(&document, |number, bytes| {
            if let Some(other) = self.attempt.see(number, bytes)? {
                state.apply(other);
            }
            Ok(())
        })?;
        state.apply(document);
        Ok(())
    }

    pub(crate) fn awaits_epoch(&self) -> bool {
        self.awaits_epoch.load(Ordering::Relaxed)
    }

    pub(crate) fn await_epoch(&self) {
        self.awaits_epoch.store(true, Ordering::Relaxed);
    }

    /// Takes back what earlier attempts wrote about this epoch and later ones.
    pub(crate) fn discard_from(&self, from_epoch: i64) -> Result<()> {
        // From this document on readers leave it out; then its rows go.
        self.record(Fact::Discarded { from_epoch })?;
        let discards = self.state().passes.to_discard();
        for (folder, discard) in discards {
            if let Some(table) = self.stream_table(self.location.join(&folder)).open()? {
                table.discard(PASS_ID, &discard)?;
            }
        }
        self.scalars.discard_from(from_epoch)?;
        self.awaits_epoch.store(false, Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn set_status(&self, status: Status) -> Result<()> {
        if status == Status::Crashed {
            return Err(Error::invalid(
                "status",
                &status,
                "only readers derive it, from the heartbeat",
                "use Failed with a reason",
            ));
        }
        let is_active = status.is_active();
        if is_active && !self.is_active.swap(true, Ordering::Relaxed) {
            // Nobody may see an active run with the old heartbeat of one that ended.
            Heartbeat::write(&self.location, self.attempt.number())?;
        }
        if self.state().recorded_status != status {
            self.record(Fact::Status {
                status: status.name().to_owned(),
                reason: status.reason().map(str::to_owned),
            })?;
        }
        self.is_active.store(is_active, Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn check_under_way(&self, pass_id: &str) -> Result<()> {
        if self.state().passes.under_way(pass_id).is_some() {
            return Ok(());
        }
        Err(Error::invalid(
            "pass_id",
            pass_id,
            format!("run `{}` has no such pass under way", self.id),
            "begin a pass with begin_pass and end it once",
        ))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, RunState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The status of a run whose last handle goes; `None` when somebody ended it.
    fn last_status(&self, flushed: &Result<()>) -> Option<Status> {
        if !self.state().recorded_status.is_active() {
            return None;
        }
        Some(match flushed {
            _ if std::thread::panicking() => Status::Failed("a panic ended it".into()),
            Err(error) => Status::Failed(format!("its last scalars were lost: {}", error.chain())),
            Ok(()) => {
                Status::Interrupted("its last handle was dropped before it was completed".into())
            }
        })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let flushed = self.scalars.flush();
        if let Err(error) = &flushed {
            tracing::error!("run `{}` lost its last scalars: {}", self.id, error.chain());
        }
        if let Some(status) = self.last_status(&flushed)
            && let Err(error) = self.set_status(status)
        {
            tracing::error!("run `{}` could not be ended: {}", self.id, error.chain());
        }
    }
}
