//! What watches a fit from outside: progress, and the flag that stops it.

use std::fmt;

use crate::progress::{Progress, Silent};
use crate::{CancelFlag, Error, Result};

/// Progress and interruption of a fit; the default reports to nobody and never stops.
///
/// ```
/// use emberlens::CancelFlag;
/// use emberlens::reduce::{Pca, Reducer, Watch};
/// use ndarray::arr2;
///
/// let flag = CancelFlag::new(); // set by a signal handler, say
/// let x = arr2(&[[0.0_f32, 1.0], [2.0, 5.0]]);
/// let (pca, xy) = Pca::params().dims(1).fit_watched(x.view(), &Watch::default().cancel(&flag))?;
/// assert_eq!(xy.dim(), (2, 1));
/// # Ok::<(), emberlens::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    progress: &'a dyn Progress,
    cancel: Option<&'a CancelFlag>,
}

impl Default for Watch<'_> {
    fn default() -> Self {
        Self {
            progress: &Silent,
            cancel: None,
        }
    }
}

impl fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("cancel", &self.cancel)
            .finish_non_exhaustive()
    }
}

impl<'a> Watch<'a> {
    /// Reports progress; the units are those of the method (iterations, rows).
    pub fn progress(mut self, progress: &'a dyn Progress) -> Self {
        self.progress = progress;
        self
    }

    /// Stops the fit soon after the flag is set.
    pub fn cancel(mut self, flag: &'a CancelFlag) -> Self {
        self.cancel = Some(flag);
        self
    }

    /// The same flag, with progress to nobody: for steps within a stage.
    pub(crate) fn quiet(&self) -> Self {
        Self {
            progress: &Silent,
            cancel: self.cancel,
        }
    }

    /// Runs a stage of `total` units under its label; the progress ends with it, well or not.
    pub(super) fn stage<T>(
        &self,
        label: &str,
        total: u64,
        work: impl FnOnce(&Self) -> Result<T>,
    ) -> Result<T> {
        self.progress.start(label, total);
        let result = work(self);
        self.progress.end();
        result
    }

    /// `done` units of the stage are finished.
    ///
    /// # Errors
    /// `Interrupted` when the flag is set.
    pub(super) fn update(&self, during: &str, done: u64) -> Result<()> {
        self.progress.update(done);
        self.check(during)
    }

    /// Refuses to go on once the flag is set.
    pub(super) fn check(&self, during: &str) -> Result<()> {
        match self.cancel {
            Some(flag) if flag.is_cancelled() => Err(Error::Interrupted {
                during: during.to_owned(),
                kept: "nothing was changed",
            }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn a_set_flag_is_an_error_that_names_the_stage() {
        let flag = CancelFlag::new();
        let watch = Watch::default().cancel(&flag);
        assert!(watch.check("PaCMAP").is_ok());
        flag.cancel();
        let error = watch.check("PaCMAP").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted);
        assert!(error.to_string().contains("during PaCMAP"), "{error}");
    }
}
