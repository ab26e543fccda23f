//! One process writing one run: documents, scalars and heartbeat, from start to the last handle.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ulid::Ulid;

use super::attempt::{Attempt, Claim};
use super::clock::now_us;
use super::facts::{self, Document, Fact};
use super::heartbeat::{Heartbeat, Pulse, Writer};
use super::passes::PASS_ID;
use super::scalar_buffer::ScalarBuffer;
use super::state::RunState;
use super::stream_table::StreamTable;
use super::{PassRecord, Project, Rank, RunReader, Status};
use crate::storage::{Documents, Location, Taken};
use crate::{Error, ErrorKind, Result};

/// What all handles of a run share; dropping it ends the run.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) project: Project,
    pub(crate) location: Location,
    pub(crate) id: String,
    documents: Documents,
    attempt: Attempt,
    writer: Writer,
    state: Mutex<RunState>,
    /// By folder.
    tables: Mutex<HashMap<String, StreamTable>>,
    pub(crate) scalars: Arc<ScalarBuffer>,
    /// The run was resumed and nobody has said yet from which epoch.
    awaits_epoch: AtomicBool,
    /// Told to the heartbeat thread, which has nothing to say for a run that ended.
    is_active: Arc<AtomicBool>,
    /// The document that opens the run to this writer is written.
    is_ours: AtomicBool,
    /// Ends its thread when dropped.
    _pulse: Pulse,
}

/// What the heartbeat thread does; it holds no handle, so that dropping the last one ends the run.
fn beat(
    location: Location,
    writer: Writer,
    scalars: Arc<ScalarBuffer>,
    is_active: Arc<AtomicBool>,
) -> impl Fn() + Send + 'static {
    move || {
        if is_active.load(Ordering::Relaxed)
            && let Err(error) = Heartbeat::write(&location, writer)
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
        rank: Option<Rank>,
        facts: &[Fact],
    ) -> Result<Self> {
        let document = Document {
            time_us: now_us(),
            scalars: None,
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
        let claim = rank.map(|rank| claim(&state, rank));
        let attempt = Attempt::new(location.clone(), 0, documents.clone(), claim);
        Self::open(project, location, documents, attempt, state, None, facts)
    }

    /// Goes on with a run, as its next attempt, which `opened` says. Writers of earlier attempts,
    /// should there be any, are fenced when this returns.
    pub(crate) fn reopen(
        project: Project,
        reader: RunReader,
        opened: Fact,
        rank: Option<Rank>,
        facts: &[Fact],
    ) -> Result<Self> {
        let (location, mut state) = reader.into_state();
        let documents = Documents::after(location.join("run"), state.documents);
        let number = state.attempt + 1;
        state.crew.begin_attempt();
        let claim = rank.map(|rank| claim(&state, rank));
        let attempt = Attempt::new(location.clone(), number, documents.clone(), claim);
        let opening = Some(opened);
        let session = Self::open(project, location, documents, attempt, state, opening, facts)?;
        session.close_to_others()?;
        Ok(session)
    }

    /// Goes on with a run within its attempt, as one of the ranks that write it.
    ///
    /// # Errors
    /// `Fenced` when the run was taken up since it was read, or the rank.
    pub(crate) fn join(project: Project, reader: RunReader, rank: Rank) -> Result<Self> {
        let (location, state) = reader.into_state();
        let documents = Documents::after(location.join("run"), state.documents);
        let claim = claim(&state, rank);
        let number = state.attempt;
        // Rank 0 that comes back leaves the door open to those that still look for it.
        let launch = state.crew.launch().filter(|_| rank.leads());
        let (asked, key) = launch.map_or((None, None), |launch| {
            (launch.asked.as_deref(), launch.key.as_deref())
        });
        let joined = joined(rank, asked, key);
        let attempt = Attempt::new(location.clone(), number, documents.clone(), Some(claim));
        let opening = Some(joined);
        let session = Self::open(project, location, documents, attempt, state, opening, &[])?;
        if claim.is_again {
            session.close_to_others()?;
        }
        Ok(session)
    }

    /// Opens the run to the other ranks.
    pub(crate) fn admit(&self, rank: Rank, asked: &str, launch: Option<&str>) -> Result<()> {
        self.record(joined(rank, Some(asked), launch))
    }

    fn open(
        project: Project,
        location: Location,
        documents: Documents,
        attempt: Attempt,
        state: RunState,
        opening: Option<Fact>,
        facts: &[Fact],
    ) -> Result<Self> {
        let number = attempt.number();
        let writer = Writer {
            rank: attempt.rank().map_or(0, |rank| rank.index),
            attempt: number,
            joins: attempt.claim().map_or(0, |claim| claim.joins),
        };
        let is_new = opening.is_none();
        let known = (!is_new).then_some(state.scalars);
        let scalars = ScalarBuffer::new(location.clone(), known, attempt.clone());
        let scalars = Arc::new(scalars);
        let is_active = Arc::new(AtomicBool::new(true));
        let beat = beat(location.clone(), writer, scalars.clone(), is_active.clone());
        let pulse = Pulse::start(beat)?;
        let session = Self {
            project,
            id: location.name(),
            documents,
            attempt,
            writer,
            location,
            state: Mutex::new(state),
            tables: Mutex::default(),
            scalars,
            awaits_epoch: AtomicBool::new(false),
            is_active,
            is_ours: AtomicBool::new(false),
            _pulse: pulse,
        };
        // The document that opens the run comes before the heartbeat: whoever fails to write it must
        // not silence the heartbeat of the process that goes on.
        opening
            .into_iter()
            .try_for_each(|fact| session.record(fact))?;
        session.is_ours.store(true, Ordering::Relaxed);
        Heartbeat::write(&session.location, writer)?;
        facts
            .iter()
            .cloned()
            .try_for_each(|fact| session.record(fact))?;
        Ok(session)
    }

    /// Closes the tables that are there to whoever wrote before.
    fn close_to_others(&self) -> Result<()> {
        // Opening a table is what closes it to others.
        let metrics = self.location.join("metrics");
        for stream in metrics.list_folders()? {
            self.table_at(metrics.join(&stream)).open()?;
        }
        let projections = self.location.join("projections");
        for name in projections.list_folders()? {
            match self.table_at(projections.join(&name)).open() {
                // Nobody can commit to a log that cannot be read, and coordinates can be made again.
                Err(error) if error.kind() == ErrorKind::Corrupt => {
                    tracing::warn!("coordinates `{name}` cannot be read: {}", error.chain())
                }
                opened => drop(opened?),
            }
        }
        self.scalars.table().map(drop)
    }

    /// The rank of this writer, where several write the run.
    pub(crate) fn rank(&self) -> Option<Rank> {
        self.attempt.rank()
    }

    /// The table in that folder of the run, a stream's or one of coordinates.
    pub(crate) fn table_at(&self, location: Location) -> StreamTable {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let table = tables.entry(location.url());
        table
            .or_insert_with(|| StreamTable::at(location, self.attempt.clone()))
            .clone()
    }

    /// Writes a document, then folds it in: memory never says more than the disk.
    ///
    /// After an error nobody knows whether it was written; called again with a pass of the same id it
    /// finds that out, and the pass begins, or is complete, once.
    pub(crate) fn record(&self, fact: Fact) -> Result<()> {
        let mut state = self.state();
        let document = Document {
            time_us: now_us(),
            scalars: self.scalars.known(),
            fact,
        };
        self.documents.append_seeing(&document, |number, bytes| {
            let Some(other) = self.attempt.see(number, bytes)? else {
                return Ok(Taken::Other);
            };
            let is_own = other.fact.is_of_the_same_pass(&document.fact);
            state.apply(other);
            Ok(if is_own { Taken::Own } else { Taken::Other })
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
        if let Some(rank) = self.rank()
            && !rank.leads()
        {
            return Err(Error::invalid(
                "from_epoch",
                from_epoch,
                format!("{rank} would take back what the others write"),
                "let rank 0 resume the run with RunBuilder::from_epoch, before the others join",
            ));
        }
        // No document may tell of scalars that are taken back before they are, should that fail half-way.
        self.scalars.forget_known();
        // From this document on readers leave it out; then its rows go.
        self.record(Fact::Discarded { from_epoch })?;
        let discards = self.state().passes.to_discard();
        for (folder, discard) in discards {
            let place = self.location.inside(&folder)?;
            if let Some(table) = self.table_at(place).open()? {
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
        if let Some(rank) = self.rank()
            && !rank.leads()
        {
            return self.end_rank(rank, &status);
        }
        if is_active && !self.is_active.swap(true, Ordering::Relaxed) {
            // Nobody may see an active run with the old heartbeat of one that ended.
            Heartbeat::write(&self.location, self.writer)?;
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

    /// Says how a rank ended that does not speak for the run; what it does meanwhile shows in its
    /// passes.
    fn end_rank(&self, rank: Rank, status: &Status) -> Result<()> {
        if status.is_active() || !self.is_active.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.record(Fact::RankEnded {
            rank: rank.index,
            status: status.name().to_owned(),
            reason: status.reason().map(str::to_owned),
        })?;
        self.is_active.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Whether this writer has still to say how it ended.
    fn is_unended(&self) -> bool {
        match self.rank() {
            Some(rank) if !rank.leads() => self.is_active.load(Ordering::Relaxed),
            _ => self.state().recorded_status.is_active(),
        }
    }

    /// Begins a pass, unless an earlier call of this writer did that all the same.
    pub(crate) fn begin_pass(&self, started: Fact, pass_id: &str) -> Result<()> {
        if self.state().passes.is_under_way(pass_id) {
            return Ok(());
        }
        self.record(started)
    }

    /// Completes a pass, unless an earlier call of this writer did that all the same.
    pub(crate) fn complete_pass(&self, record: PassRecord) -> Result<()> {
        if self.state().passes.is_completed_as(&record) {
            return Ok(());
        }
        self.check_under_way(&record.pass_id)?;
        self.record(Fact::PassCompleted(record))
    }

    pub(crate) fn check_under_way(&self, pass_id: &str) -> Result<()> {
        if self.state().passes.is_under_way(pass_id) {
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
        if !self.is_unended() {
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
        if !self.is_ours.load(Ordering::Relaxed) {
            // Another process has the run, or the rank: it says how that ends.
            return;
        }
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

/// The place of a rank that joins a run of that state.
fn claim(state: &RunState, rank: Rank) -> Claim {
    Claim {
        rank,
        joins: state.crew.joins(rank.index) + 1,
        is_again: state.crew.has(rank.index),
    }
}

fn joined(rank: Rank, asked: Option<&str>, launch: Option<&str>) -> Fact {
    Fact::Joined {
        rank,
        asked: asked.map(str::to_owned),
        launch: launch.map(str::to_owned),
        writer: Ulid::new().to_string().to_ascii_lowercase(),
    }
}
