//! The active run: one per process, set explicitly, for code that is handed no [`Run`].

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::At;
use super::run::{Run, WeakRun};
use crate::{Error, Result};

static ACTIVE: Mutex<Option<WeakRun>> = Mutex::new(None);

/// Keeps a run active, and alive, until it is dropped.
#[must_use = "the run stops being the active one when the guard is dropped"]
#[derive(Debug)]
pub struct ActiveGuard {
    run: Run,
}

impl ActiveGuard {
    /// The active run.
    pub fn run(&self) -> &Run {
        &self.run
    }
}

impl Drop for ActiveGuard {
    fn drop(&mut self) {
        let mut active = lock();
        if active.as_ref().is_some_and(|active| active.is(&self.run)) {
            *active = None;
        }
    }
}

/// Makes a run the active one of this process until the guard is dropped or [`clear`] is called.
///
/// # Errors
/// `AlreadyExists` when another run is active; it names both.
///
/// ```
/// use emberlens::run::{At, Project, active};
/// let run = Project::open("memory://", "docs")?.run("cnn").start()?;
/// let guard = active::set(&run)?;
/// active::log(&[("loss", 0.41)], At::epoch(0))?;
/// drop(guard);
/// assert!(active::get().is_none());
/// # Ok::<(), emberlens::Error>(())
/// ```
pub fn set(run: &Run) -> Result<ActiveGuard> {
    let mut active = lock();
    if let Some(current) = active.as_ref().and_then(WeakRun::upgrade) {
        return Err(Error::AlreadyExists {
            what: "active run",
            name: current.id().to_owned(),
            hint: format!(
                "drop its guard, or call active::clear, before run `{}` becomes active",
                run.id()
            ),
            place: current.url(),
        });
    }
    *active = Some(run.downgrade());
    Ok(ActiveGuard { run: run.clone() })
}

/// The active run, if there is one.
pub fn get() -> Option<Run> {
    lock().as_ref().and_then(WeakRun::upgrade)
}

/// Leaves the process without an active run; the run itself goes on.
pub fn clear() {
    *lock() = None;
}

/// Logs scalars to the active run; see [`Run::log`].
///
/// # Errors
/// `NotFound` when no run is active.
pub fn log<N: AsRef<str>>(values: &[(N, f64)], at: At) -> Result<()> {
    get()
        .ok_or_else(|| Error::NotFound {
            what: "active run",
            name: String::new(),
            hint: "call active::set(&run) first, or run.log".into(),
            place: "this process".into(),
        })?
        .log(values, at)
}

fn lock() -> MutexGuard<'static, Option<WeakRun>> {
    ACTIVE.lock().unwrap_or_else(PoisonError::into_inner)
}
