//! When to collect: at which epochs, before the training, at its end.

use std::collections::BTreeSet;

use crate::{Error, Result};

/// The epochs after whose training loader metrics are collected; 0-based.
///
/// The default is every epoch and the end of the training; the end collects only weights that no
/// epoch collected.
///
/// ```
/// use emberlens::callback::Schedule;
/// let schedule = Schedule::every(5).starting_at(2);
/// let due: Vec<usize> = (0..15).filter(|&epoch| schedule.due(epoch)).collect();
/// assert_eq!(due, [2, 7, 12]);
/// assert!(schedule.collects_at_training_end() && !schedule.collects_before_training());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    epochs: Epochs,
    before_training: bool,
    at_training_end: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Epochs {
    These(BTreeSet<usize>),
    Every { start: usize, interval: usize },
}

impl Default for Schedule {
    fn default() -> Self {
        Self::every_epoch()
    }
}

impl Schedule {
    /// Every epoch.
    pub fn every_epoch() -> Self {
        Self::every(1)
    }

    /// Every `interval` epochs, beginning with epoch 0.
    pub fn every(interval: usize) -> Self {
        Self::with(Epochs::Every { start: 0, interval })
    }

    /// Exactly these 0-based epochs; those beyond the training never come.
    pub fn epochs(epochs: impl IntoIterator<Item = usize>) -> Self {
        Self::with(Epochs::These(epochs.into_iter().collect()))
    }

    /// No epoch: only before the training and at its end, as set.
    pub fn no_epoch() -> Self {
        Self::epochs([])
    }

    fn with(epochs: Epochs) -> Self {
        Self {
            epochs,
            before_training: false,
            at_training_end: true,
        }
    }

    /// Leaves out the epochs before `epoch`; an interval counts from there.
    pub fn starting_at(mut self, epoch: usize) -> Self {
        match &mut self.epochs {
            Epochs::These(epochs) => *epochs = epochs.split_off(&epoch),
            Epochs::Every { start, .. } => *start = epoch,
        }
        self
    }

    /// Whether the weights are collected before the first batch (default no).
    pub fn before_training(mut self, collect: bool) -> Self {
        self.before_training = collect;
        self
    }

    /// Whether the final weights are collected, unless an epoch collected them (default yes).
    pub fn at_training_end(mut self, collect: bool) -> Self {
        self.at_training_end = collect;
        self
    }

    /// Whether the weights are collected when the training loader of this epoch has ended.
    pub fn due(&self, epoch: usize) -> bool {
        match &self.epochs {
            Epochs::These(epochs) => epochs.contains(&epoch),
            Epochs::Every { start, interval } => {
                epoch >= *start && (epoch - start).checked_rem(*interval) == Some(0)
            }
        }
    }

    /// Whether it collects before the training.
    pub fn collects_before_training(&self) -> bool {
        self.before_training
    }

    /// Whether it collects at the end of the training.
    pub fn collects_at_training_end(&self) -> bool {
        self.at_training_end
    }

    /// Checks the schedule.
    ///
    /// # Errors
    /// `Invalid` for an interval of 0, or when nothing would ever be collected.
    pub fn check(&self) -> Result<()> {
        match &self.epochs {
            Epochs::Every { interval: 0, .. } => Err(Error::invalid(
                "collection interval",
                0,
                "an interval has at least one epoch",
                "pass 1 or more, or Schedule::no_epoch()",
            )),
            Epochs::These(epochs)
                if epochs.is_empty() && !self.before_training && !self.at_training_end =>
            {
                Err(Error::invalid(
                    "collection epochs",
                    "none",
                    "with no epoch, no start and no end nothing would be collected",
                    "name an epoch or allow the collection at the training's end",
                ))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(schedule: &Schedule, epochs: usize) -> Vec<usize> {
        (0..epochs).filter(|&epoch| schedule.due(epoch)).collect()
    }

    #[test]
    fn epochs_are_counted_from_zero() {
        assert_eq!(due(&Schedule::every_epoch(), 3), [0, 1, 2]);
        assert_eq!(due(&Schedule::every(3), 8), [0, 3, 6]);
        assert_eq!(due(&Schedule::epochs([4, 1, 4]), 8), [1, 4]);
        assert_eq!(due(&Schedule::epochs([4, 1]).starting_at(2), 8), [4]);
        assert!(due(&Schedule::no_epoch(), 8).is_empty());
    }

    #[test]
    fn what_could_never_collect_is_refused() {
        assert!(Schedule::every(0).check().is_err());
        assert!(due(&Schedule::every(0), 8).is_empty());
        assert!(Schedule::no_epoch().check().is_ok());
        assert!(Schedule::no_epoch().at_training_end(false).check().is_err());
        assert!(
            Schedule::no_epoch()
                .at_training_end(false)
                .before_training(true)
                .check()
                .is_ok()
        );
    }
}
