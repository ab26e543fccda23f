//! The heartbeat of a run: how readers tell a run that goes on from one that was killed.

use std::fs;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::clock::now_us;
use crate::storage::Location;
use crate::{Error, Result};

/// How often the heartbeat is renewed.
pub(crate) const INTERVAL: Duration = Duration::from_secs(5);

/// The age at which a heartbeat means that its process is gone.
pub(crate) const STALE_AFTER: Duration = Duration::from_secs(30);

/// The process that writes a run, and when it last said so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Heartbeat {
    pub(crate) pid: u32,
    pub(crate) host: String,
    /// Linux: changes with every boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    boot_id: Option<String>,
    /// Linux: process ids mean the same only within one namespace (container).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pid_namespace: Option<String>,
    /// Linux: start of the process in clock ticks since boot; tells it from a later one of the
    /// same id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    process_start: Option<u64>,
    time_us: i64,
    /// How often the run had been taken up again when this process did.
    #[serde(default)]
    attempt: u64,
    /// How often a process had this rank of the run, this one included; 0 without ranks.
    #[serde(default, skip_serializing_if = "is_zero")]
    joins: u64,
}

/// Whose heartbeat it is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Writer {
    /// 0 without ranks.
    pub(crate) rank: u32,
    pub(crate) attempt: u64,
    pub(crate) joins: u64,
}

impl Heartbeat {
    /// The heartbeat of this process, now.
    pub(crate) fn now(writer: Writer) -> Self {
        let pid = std::process::id();
        Self {
            pid,
            host: host(),
            boot_id: read_line("/proc/sys/kernel/random/boot_id"),
            pid_namespace: pid_namespace(),
            process_start: process_start(pid),
            time_us: now_us(),
            attempt: writer.attempt,
            joins: writer.joins,
        }
    }

    /// Writes this process's heartbeat into a run, unless a later attempt beats there, or a later
    /// process of its rank.
    pub(crate) fn write(run: &Location, writer: Writer) -> Result<()> {
        let own = (writer.attempt, writer.joins);
        if Self::read(run, writer.rank)?.is_some_and(|beat| (beat.attempt, beat.joins) > own) {
            return Ok(());
        }
        let json = serde_json::to_vec(&Self::now(writer))
            .map_err(|error| Error::storage("write the heartbeat", run.url(), error))?;
        place(run, writer.rank).replace(json)
    }

    /// The last heartbeat of a rank of a run, rank 0 where it has none; `None` when there is none or it
    /// does not parse.
    pub(crate) fn read(run: &Location, rank: u32) -> Result<Option<Self>> {
        let bytes = place(run, rank).read_if_exists()?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Whether the process that wrote this is gone, as far as can be told from here.
    ///
    /// On the same machine the process table tells at once; elsewhere the age does.
    pub(crate) fn is_dead(&self, now_us: i64) -> bool {
        is_stale(self.time_us, now_us) || (self.is_of_this_machine() && !self.process_lives())
    }

    fn is_of_this_machine(&self) -> bool {
        self.boot_id.is_some()
            && self.pid_namespace.is_some()
            && self.boot_id == read_line("/proc/sys/kernel/random/boot_id")
            && self.pid_namespace == pid_namespace()
    }

    fn process_lives(&self) -> bool {
        self.process_start.is_none() || process_start(self.pid) == self.process_start
    }
}

/// Whether a sign of life at `time_us` is too old; one from the future (clocks differ) is not.
pub(crate) fn is_stale(time_us: i64, now_us: i64) -> bool {
    let age = u64::try_from(now_us.saturating_sub(time_us)).unwrap_or(0);
    Duration::from_micros(age) > STALE_AFTER
}

/// A named thread that calls `beat` every [`INTERVAL`] until this is dropped.
#[derive(Debug)]
pub(crate) struct Pulse {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Pulse {
    pub(crate) fn start(beat: impl Fn() + Send + 'static) -> Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("emberlens-heartbeat".into())
            .spawn(move || {
                while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                    beat();
                }
            })
            .map_err(|error| Error::storage("start the heartbeat thread", "this process", error))?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!(
                "the heartbeat thread: {}",
                crate::error::panic_message(&*panic)
            );
        }
    }
}

fn place(run: &Location, rank: u32) -> Location {
    match rank {
        0 => run.join("run/heartbeat.json"),
        _ => run.join(&format!("run/heartbeat-{rank:05}.json")),
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn read_line(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

fn host() -> String {
    read_line("/proc/sys/kernel/hostname").unwrap_or_else(|| "unknown".to_owned())
}

fn pid_namespace() -> Option<String> {
    let link = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(link.to_string_lossy().into_owned())
}

/// Start time of a living process; `None` when it is gone, a zombie, or there is no `/proc`.
fn process_start(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, so fields are counted from the last `)`:
    // the first is the state (field 3 of proc(5)), the 20th the start time (field 22).
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let alive = !matches!(*fields.first()?, "Z" | "X" | "x");
    alive.then(|| fields.get(19)?.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    #[test]
    fn this_process_lives_until_its_heartbeat_is_old() {
        let beat = Heartbeat::now(Writer::default());
        assert!(!beat.is_dead(beat.time_us + 29 * SECOND));
        assert!(beat.is_dead(beat.time_us + 31 * SECOND));
        assert!(
            !beat.is_dead(beat.time_us - 3600 * SECOND),
            "clocks may differ"
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_that_is_gone_is_dead_at_once_and_so_is_a_zombie() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let beat = Heartbeat {
            pid: child.id(),
            process_start: process_start(child.id()),
            ..Heartbeat::now(Writer::default())
        };
        assert!(!beat.is_dead(beat.time_us));
        child.kill().unwrap();
        while process_start(child.id()).is_some() {
            std::thread::yield_now();
        }
        assert!(beat.is_dead(beat.time_us), "killed, not reaped yet");
        child.wait().unwrap();
        assert!(beat.is_dead(beat.time_us), "reaped");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_reused_process_id_is_not_the_process() {
        let mut beat = Heartbeat::now(Writer::default());
        beat.process_start = beat.process_start.map(|start| start.wrapping_add(1));
        assert!(beat.is_dead(beat.time_us));
    }

    #[test]
    fn another_machine_is_judged_by_age_alone() {
        let mut beat = Heartbeat::now(Writer::default());
        beat.boot_id = Some("another".into());
        beat.pid = u32::MAX;
        assert!(!beat.is_dead(beat.time_us + 29 * SECOND));
        assert!(beat.is_dead(beat.time_us + 31 * SECOND));
    }

    #[test]
    fn the_pulse_ends_with_its_owner() {
        let pulse = Pulse::start(|| {}).unwrap();
        let started = std::time::Instant::now();
        drop(pulse);
        assert!(started.elapsed() < INTERVAL);
    }
}
