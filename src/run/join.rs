//! How a rank finds the run that rank 0 started, and takes its place in it.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::crew::Seat;
use super::facts;
use super::session::Session;
use super::{Project, Rank, RunReader, Status};
use crate::{Error, Result};

/// How long a rank waits unless told otherwise: longer than a heartbeat lasts.
pub(super) const DEFAULT_WAIT: Duration = Duration::from_secs(60);

/// The first pause between two looks, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));

/// Runs of a name that are looked into, the newest first: launches that go on at the same time.
const MAX_CANDIDATES: usize = 32;

/// A rank that looks for its run.
pub(super) struct Join<'a> {
    pub(super) project: &'a Project,
    /// The name that rank 0 was asked for.
    pub(super) name: &'a str,
    /// The run, when rank 0 told it.
    pub(super) id: Option<&'a str>,
    pub(super) launch: Option<&'a str>,
    pub(super) rank: Rank,
    pub(super) wait: Duration,
}

/// Why there is no place yet, what says least first.
enum NotYet {
    NoRun,
    /// It cannot be read, now or at all.
    Unread(Error),
    OtherWorld {
        run: String,
        world: u32,
    },
    Taken {
        run: String,
        by: String,
    },
}

impl NotYet {
    fn weight(&self) -> u8 {
        match self {
            Self::NoRun => 0,
            Self::Unread(_) => 1,
            Self::OtherWorld { .. } => 2,
            Self::Taken { .. } => 3,
        }
    }

    /// Takes the other reason where it says more: an old run that is damaged hides no newer one.
    fn or(&mut self, other: Self) {
        if other.weight() > self.weight() {
            *self = other;
        }
    }
}

/// Joins the run, waiting for it as long as is allowed.
pub(super) fn join(asked: &Join<'_>) -> Result<Session> {
    let until = Instant::now() + asked.wait;
    let mut others = HashSet::new();
    let mut pause = PAUSES.0;
    loop {
        let found = asked.find(&mut others);
        let reason = match found.unwrap_or_else(|error| Err(NotYet::Unread(error))) {
            Ok(reader) => match Session::join(asked.project.clone(), reader, asked.rank) {
                // The run, or the rank, was taken up at this moment: look again.
                Err(Error::Fenced { .. }) => NotYet::NoRun,
                joined => return joined,
            },
            Err(reason) => reason,
        };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(asked.gave_up(reason));
        }
        std::thread::sleep(pause.min(left));
        pause = (pause * 3 / 2).min(PAUSES.1);
    }
}

impl Join<'_> {
    /// The run to join; `others` are the ids that were seen to have other names.
    fn find(&self, others: &mut HashSet<String>) -> Result<Result<RunReader, NotYet>> {
        let mut reason = NotYet::NoRun;
        let mut best: Option<(i64, RunReader)> = None;
        for id in self.candidates(others)? {
            let place = self.project.run_location(&id);
            let reader = match RunReader::open(place, self.project.location().clone()) {
                Ok(reader) => reader,
                Err(error) => {
                    reason.or(NotYet::Unread(error));
                    continue;
                }
            };
            let Some(launch) = reader.state.crew.launch().cloned() else {
                continue;
            };
            let is_wanted = match self.id {
                // Rank 0 may be what is missing from it.
                Some(_) => reader.status().is_active() || *reader.status() == Status::Crashed,
                None => {
                    launch.asked.as_deref() == Some(self.name)
                        && launch.key.as_deref() == self.launch
                        && reader.status().is_active()
                }
            };
            if !is_wanted {
                continue;
            }
            if launch.world != self.rank.world {
                let world = launch.world;
                reason.or(NotYet::OtherWorld { run: id, world });
                continue;
            }
            match reader.state.crew.seat(self.rank.index, reader.location()) {
                Ok(Seat::Taken(by)) => {
                    reason.or(NotYet::Taken { run: id, by });
                    continue;
                }
                Err(error) => {
                    reason.or(NotYet::Unread(error));
                    continue;
                }
                Ok(_) => {}
            }
            if best.as_ref().is_none_or(|(time, _)| launch.time_us > *time) {
                best = Some((launch.time_us, reader));
            }
        }
        Ok(best.map(|(_, reader)| reader).ok_or(reason))
    }

    /// The ids of runs that rank 0 may have started, the newest first.
    fn candidates(&self, others: &mut HashSet<String>) -> Result<Vec<String>> {
        if let Some(id) = self.id {
            let ids = self.project.run_ids()?;
            return Ok(ids.into_iter().filter(|known| known == id).collect());
        }
        let mut found = Vec::new();
        for id in self.project.run_ids()? {
            if others.contains(&id) {
                continue;
            }
            match facts::read_created(&self.project.run_location(&id)) {
                Ok((name, created_us)) if self.may_be_called(&name) => found.push((created_us, id)),
                Ok(_) => drop(others.insert(id)),
                // Being created at this moment, or damaged, which `Project::runs` reports.
                Err(_) => {}
            }
        }
        found.sort_unstable_by(|one, other| other.cmp(one));
        found.truncate(MAX_CANDIDATES);
        Ok(found.into_iter().map(|(_, id)| id).collect())
    }

    /// Whether a run of the asked name may be called so: rank 0 may have had to number it.
    fn may_be_called(&self, name: &str) -> bool {
        let rest = name.strip_prefix(self.name);
        rest.is_some_and(|rest| {
            rest.is_empty()
                || rest.strip_prefix('-').is_some_and(|digits| {
                    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
                })
        })
    }

    fn gave_up(&self, reason: NotYet) -> Error {
        let (rank, wait) = (self.rank, self.wait);
        let place = self.project.location().url();
        match reason {
            NotYet::NoRun => Error::NotFound {
                what: "run to join",
                name: self.id.unwrap_or(self.name).to_owned(),
                hint: format!(
                    "{rank} waited {wait:?} and rank 0 has none open under that name: start rank 0 with the same name and launch key, or wait longer with rank_wait"
                ),
                place,
            },
            NotYet::OtherWorld { run, world } => Error::invalid(
                "rank",
                rank,
                format!("rank 0 of the run `{run}` was started with a world of {world}"),
                "start all ranks with one world size",
            ),
            NotYet::Taken { run, by } => Error::AlreadyExists {
                what: "rank",
                name: rank.to_string(),
                hint: format!(
                    "{by} writes the run `{run}` as this rank: end it, or give every launch a key of its own with RunBuilder::launch"
                ),
                place,
            },
            NotYet::Unread(error) => error,
        }
    }
}
