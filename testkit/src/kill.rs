//! A process that ends itself at a named step to the disk, as `kill -9` would.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};

use emberlens::storage::{DiskStep, DiskWatch};

/// When, beside a step, something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Nothing of it was done.
    Before,
    /// Of a write half the bytes were; of other steps nothing.
    Half,
    /// It was done.
    After,
}

/// The names of the steps to the disk, and `any` for all of them.
pub const STEPS: [&str; 9] = [
    "any",
    "create-folder",
    "create-file",
    "write",
    "sync-file",
    "sync-folder",
    "link",
    "rename",
    "remove",
];

/// The name of a step.
pub fn name_of(step: &DiskStep<'_>) -> &'static str {
    match step {
        DiskStep::CreateFolder(_) => "create-folder",
        DiskStep::CreateFile(_) => "create-file",
        DiskStep::Write { .. } => "write",
        DiskStep::SyncFile(_) => "sync-file",
        DiskStep::SyncFolder(_) => "sync-folder",
        DiskStep::Link { .. } => "link",
        DiskStep::Rename { .. } => "rename",
        DiskStep::Remove(_) | DiskStep::RemoveFolder(_) => "remove",
    }
}

/// A point in the life of a process: `link:3:after` is when it has linked for the fourth time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// One of [`STEPS`].
    pub step: String,
    /// The how manieth such step, from 0.
    pub count: usize,
    /// When.
    pub moment: Moment,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = match self.moment {
            Moment::Before => "before",
            Moment::Half => "half",
            Moment::After => "after",
        };
        write!(f, "{}:{}:{moment}", self.step, self.count)
    }
}

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("{text:?} is no step:count:before|half|after");
        let [step, count, moment] = *text.split(':').collect::<Vec<_>>().as_slice() else {
            return Err(unknown());
        };
        let moment = match moment {
            "before" => Moment::Before,
            "half" => Moment::Half,
            "after" => Moment::After,
            _ => return Err(unknown()),
        };
        if !STEPS.contains(&step) {
            return Err(unknown());
        }
        Ok(Self {
            step: step.to_owned(),
            count: count.parse().map_err(|_| unknown())?,
            moment,
        })
    }
}

/// Ends the process, by SIGKILL, when it comes to a point.
#[derive(Debug)]
pub struct KillAt {
    point: Point,
    seen: AtomicUsize,
}

impl KillAt {
    /// Ends the process at that point, if it gets there.
    pub fn new(point: Point) -> Self {
        Self {
            point,
            seen: AtomicUsize::new(0),
        }
    }
}

impl DiskWatch for KillAt {
    fn step(
        &self,
        step: DiskStep<'_>,
        perform: &mut dyn FnMut() -> io::Result<()>,
    ) -> io::Result<()> {
        let is_counted = self.point.step == "any" || self.point.step == name_of(&step);
        if !is_counted || self.seen.fetch_add(1, Ordering::SeqCst) != self.point.count {
            return perform();
        }
        match self.point.moment {
            Moment::Before => {}
            Moment::Half => write_half(&step)?,
            Moment::After => perform()?,
        }
        die()
    }
}

fn write_half(step: &DiskStep<'_>) -> io::Result<()> {
    let DiskStep::Write {
        path,
        offset,
        bytes,
    } = step
    else {
        return Ok(());
    };
    let mut file = std::fs::OpenOptions::new().write(true).open(path)?;
    io::Seek::seek(&mut file, io::SeekFrom::Start(*offset))?;
    io::Write::write_all(&mut file, &bytes[..bytes.len() / 2])
}

#[cfg(unix)]
fn die() -> io::Result<()> {
    use rustix::process::{Signal, getpid, kill_process};
    kill_process(getpid(), Signal::KILL)?;
    // The signal may reach this thread a moment after the call returned.
    loop {
        std::thread::park();
    }
}

#[cfg(not(unix))]
fn die() -> io::Result<()> {
    std::process::abort()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_have_names() {
        for step in STEPS {
            for moment in [Moment::Before, Moment::Half, Moment::After] {
                let point = Point {
                    step: step.to_owned(),
                    count: 3,
                    moment,
                };
                assert_eq!(point.to_string().parse::<Point>().unwrap(), point);
            }
        }
        assert!("fly:1:before".parse::<Point>().is_err());
        assert!("link:1".parse::<Point>().is_err());
    }
}
