//! Which ranks write a run, as its documents and heartbeats tell.

use std::collections::BTreeMap;

use super::clock::now_us;
use super::heartbeat::{self, Heartbeat};
use super::{Rank, RunReader, Status};
use crate::Result;
use crate::storage::Location;

/// One rank of a run that several processes write together.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct RankInfo {
    /// Which rank, and of how many.
    pub rank: Rank,
    /// When it began to write, microseconds since 1970 UTC; `None` when it never did.
    pub joined_us: Option<i64>,
    /// What it is doing, or how it ended; `None` when it never began.
    pub status: Option<Status>,
}

/// The ranks of the current attempt of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Crew {
    launch: Option<Launch>,
    members: BTreeMap<u32, Member>,
    /// How often a process had each rank, over all attempts.
    joins: BTreeMap<u32, u64>,
}

/// What rank 0 said when it opened the run to the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Launch {
    pub(crate) world: u32,
    /// The name that it was asked for.
    pub(crate) asked: Option<String>,
    /// What the ranks of one launch share.
    pub(crate) key: Option<String>,
    pub(crate) time_us: i64,
}

/// A rank that joined.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    joined_us: i64,
    ended: Option<Status>,
}

/// Whether a process may take a rank.
pub(crate) enum Seat {
    Free,
    /// By whom it is taken.
    Taken(String),
}

impl Crew {
    /// The run was taken up: its ranks join again.
    pub(crate) fn begin_attempt(&mut self) {
        self.launch = None;
        self.members.clear();
    }

    pub(crate) fn join(
        &mut self,
        rank: Rank,
        asked: Option<String>,
        key: Option<String>,
        time_us: i64,
    ) {
        if rank.leads() {
            self.launch = Some(Launch {
                world: rank.world,
                asked,
                key,
                time_us,
            });
        }
        *self.joins.entry(rank.index).or_default() += 1;
        let member = Member {
            joined_us: time_us,
            ended: None,
        };
        self.members.insert(rank.index, member);
    }

    pub(crate) fn end(&mut self, rank: u32, status: Status) {
        if let Some(member) = self.members.get_mut(&rank) {
            member.ended = Some(status);
        }
    }

    pub(crate) fn launch(&self) -> Option<&Launch> {
        self.launch.as_ref()
    }

    /// How often a process had that rank.
    pub(crate) fn joins(&self, rank: u32) -> u64 {
        self.joins.get(&rank).copied().unwrap_or(0)
    }

    /// Whether a process had that rank in this attempt.
    pub(crate) fn has(&self, rank: u32) -> bool {
        self.members.contains_key(&rank)
    }

    /// Whether that rank is free: nobody has it, or whoever had it ended or is gone.
    pub(crate) fn seat(&self, rank: u32, run: &Location) -> Result<Seat> {
        let Some(member) = self.members.get(&rank) else {
            return Ok(Seat::Free);
        };
        if member.ended.is_some() {
            return Ok(Seat::Free);
        }
        let now = now_us();
        Ok(match Heartbeat::read(run, rank)? {
            Some(beat) if beat.is_dead(now) => Seat::Free,
            Some(beat) => Seat::Taken(format!("process {} on {}", beat.pid, beat.host)),
            None if heartbeat::is_stale(member.joined_us, now) => Seat::Free,
            None => Seat::Taken("another process".to_owned()),
        })
    }
}

impl RunReader {
    /// The ranks that write the run together, rank 0 first; empty for a run of one process.
    ///
    /// The status of rank 0 is that of the run. One that never joined has none, one whose process is
    /// gone is [`Status::Crashed`].
    ///
    /// ```
    /// use emberlens::run::{Project, Status};
    /// let project = Project::open("memory://", "docs")?;
    /// let first = project.run("cnn").rank(0, 3).start()?;
    /// let second = project.run("cnn").rank(1, 3).start()?;
    /// second.complete()?;
    /// let ranks = first.reader()?.ranks()?;
    /// let statuses: Vec<_> = ranks.iter().map(|rank| rank.status.clone()).collect();
    /// assert_eq!(statuses, [Some(Status::Running), Some(Status::Completed), None]);
    /// # first.complete()?;
    /// # Ok::<(), emberlens::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Storage` when a heartbeat cannot be read.
    pub fn ranks(&self) -> Result<Vec<RankInfo>> {
        let crew = &self.state.crew;
        let Some(launch) = crew.launch() else {
            return Ok(Vec::new());
        };
        let mut ranks = Vec::new();
        for index in 0..launch.world {
            let rank = Rank {
                index,
                world: launch.world,
            };
            let member = crew.members.get(&index);
            let status = match member {
                None => None,
                Some(_) if rank.leads() => Some(self.status().clone()),
                Some(member) => Some(self.status_of(index, member)?),
            };
            ranks.push(RankInfo {
                rank,
                joined_us: member.map(|member| member.joined_us),
                status,
            });
        }
        Ok(ranks)
    }

    fn status_of(&self, rank: u32, member: &Member) -> Result<Status> {
        if let Some(status) = &member.ended {
            return Ok(status.clone());
        }
        Ok(match self.state.crew.seat(rank, self.location())? {
            Seat::Free => Status::Crashed,
            Seat::Taken(_) => Status::Running,
        })
    }
}
