//! The threads that a fit works on.

use rayon::ThreadPoolBuilder;

use crate::{Error, Result};

/// The most threads that are started: beyond it they cost more than they bring.
const MOST: usize = 256;

/// How many threads a fit uses; coordinates have the same bits whatever the number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Threads {
    /// One per core that the process may use.
    #[default]
    All,
    /// Exactly this many, 256 at most; 0 counts as 1.
    Exactly(usize),
}

impl Threads {
    /// How many threads that is here.
    pub(super) fn count(self) -> usize {
        match self {
            Self::All => std::thread::available_parallelism().map_or(1, usize::from),
            Self::Exactly(count) => count.clamp(1, MOST),
        }
    }

    /// Runs `work` on a pool of that many threads; what it splits with rayon stays on them.
    ///
    /// `work` must write every result from one place in a fixed order: the pool decides when a part
    /// runs, never what comes out.
    ///
    /// # Errors
    /// `Storage` when the system gives no threads.
    pub(super) fn run<T: Send>(self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(self.count())
            .thread_name(|index| format!("reduce-{index}"))
            .build()
            .map_err(|error| Error::storage("start threads", "reduction", error))?;
        Ok(pool.install(work))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_runs_on_as_many_threads_as_asked_for() {
        for count in [1, 3] {
            let found = Threads::Exactly(count).run(rayon::current_num_threads);
            assert_eq!(found.unwrap(), count);
        }
    }

    #[test]
    fn an_absurd_number_of_threads_is_cut() {
        let found = Threads::Exactly(usize::MAX).run(rayon::current_num_threads);
        assert_eq!(found.unwrap(), MOST);
    }
}
