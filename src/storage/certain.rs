//! Creating an object with a known outcome.

use std::time::Duration;

use bytes::Bytes;
use object_store::Error as StoreError;

use super::Location;
use super::durable::cause;
use crate::{BoxError, Error, Result};

/// How often a write whose outcome is unknown is looked up and tried again.
const MAX_RETRIES: u32 = 5;

/// Why an outcome is not known although the store was read.
pub(crate) const MAY_ARRIVE: &str =
    "it is not there yet, and what was sent without an answer may still arrive";

impl Location {
    /// Creates the object unless it exists; false when it does. Atomic: one of many writers wins.
    ///
    /// After an error nobody knows what became of the object, so it is read back: one that holds
    /// exactly `bytes` is taken for our own, and one that is not there is tried again, 5 times. Clients
    /// of stores elsewhere repeat requests themselves and may be told that their own object exists, so
    /// there an object that exists is read as well: one that holds exactly `bytes` counts as created.
    ///
    /// # Errors
    /// `Storage` when the object was not written and will not be; [`Error::UnknownOutcome`] when it may
    /// have been and cannot be read back, and when a store elsewhere gave no answer that rules out that
    /// it is written yet; [`Error::NotAtomic`] for a store elsewhere that does not create atomically.
    pub fn create(&self, bytes: impl Into<Bytes>) -> Result<bool> {
        let bytes = bytes.into();
        let mut failure = match self.try_create(&bytes)? {
            Ok(()) => return Ok(true),
            Err(StoreError::AlreadyExists { .. }) if !self.is_elsewhere() => return Ok(false),
            Err(failure) => failure,
        };
        let mut may_arrive = self.may_arrive(&failure);
        for retry in 0..MAX_RETRIES {
            let exists = matches!(failure, StoreError::AlreadyExists { .. });
            if retry > 0 || !exists {
                std::thread::sleep(Duration::from_millis(5 * u64::from(retry + 1)));
            }
            match self.read_back(&bytes) {
                Ok(Some(ours)) => return Ok(ours),
                Ok(None) => match self.try_create(&bytes)? {
                    Ok(()) => return Ok(true),
                    // One that exists is somebody's, or our own that took its time: reading tells.
                    Err(error) => {
                        may_arrive |= self.may_arrive(&error);
                        failure = error;
                    }
                },
                Err(_) => {}
            }
        }
        match self.read_back(&bytes) {
            Ok(Some(ours)) => Ok(ours),
            Ok(None) if !may_arrive => Err(self.failed("create", cause(failure))),
            Ok(None) => Err(self.unknown_outcome("create", MAY_ARRIVE, cause(failure))),
            Err(unread) => {
                let reason = format!("it cannot be read back: {}", unread.chain());
                Err(self.unknown_outcome("create", reason, cause(failure)))
            }
        }
    }

    /// Whether a write that failed so, and is not there, may be done yet. A local disk has answered when a
    /// call returns; a store elsewhere has where it refused, and not where the client waited in vain.
    pub(crate) fn may_arrive(&self, failure: &StoreError) -> bool {
        let is_refused = matches!(
            failure,
            StoreError::NotFound { .. }
                | StoreError::InvalidPath { .. }
                | StoreError::NotSupported { .. }
                | StoreError::NotImplemented { .. }
                | StoreError::Precondition { .. }
                | StoreError::NotModified { .. }
                | StoreError::PermissionDenied { .. }
                | StoreError::Unauthenticated { .. }
                | StoreError::UnknownConfigurationKey { .. }
        );
        self.is_elsewhere() && !is_refused
    }

    /// The error of a write that may have been done, or be done yet.
    pub(crate) fn unknown_outcome(
        &self,
        operation: &'static str,
        reason: impl Into<String>,
        source: impl Into<BoxError>,
    ) -> Error {
        Error::UnknownOutcome {
            operation,
            reason: reason.into(),
            source: source.into(),
            path: self.url(),
        }
    }

    fn try_create(&self, bytes: &Bytes) -> Result<Result<(), StoreError>> {
        self.put(bytes.clone(), true)
    }

    /// Whether the object is ours; `None` when there is none.
    fn read_back(&self, bytes: &Bytes) -> Result<Option<bool>> {
        match self.read_if_exists()? {
            None => Ok(None),
            Some(found) if found == *bytes => self.make_durable().map(|()| Some(true)),
            Some(_) => Ok(Some(false)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use emberlens_testkit::{Call, Fault, FaultStore, Operation};
    use object_store::memory::InMemory;

    use super::*;

    fn place(plan: impl FnMut(&Call) -> Option<Fault> + Send + 'static) -> Location {
        let store = FaultStore::new(Arc::new(InMemory::new()), plan);
        Location::in_store(Arc::new(store), "a")
            .unwrap()
            .assume_atomic_creates()
    }

    #[test]
    fn a_write_that_failed_after_it_was_done_is_ours() {
        for fault in [Fault::After, Fault::TimeOut, Fault::Before, Fault::Twice] {
            let place = place(move |call| (call.number == 0).then_some(fault));
            assert!(place.create("x").unwrap(), "{fault:?}");
            assert_eq!(&place.read().unwrap()[..], b"x");
            assert!(!place.create("y").unwrap());
        }
    }

    #[test]
    fn somebody_elses_object_is_not_ours_after_an_error() {
        let place = place(|call| (call.number == 1).then_some(Fault::Before));
        assert!(place.create("theirs").unwrap());
        assert!(!place.create("ours").unwrap());
    }

    #[test]
    fn an_outcome_that_cannot_be_known_is_said_to_be_unknown() {
        let place = place(|call| match call.operation {
            Operation::Create => Some(Fault::After),
            _ => Some(Fault::Before),
        });
        let error = place.create("x").unwrap_err();
        assert!(matches!(error, Error::UnknownOutcome { .. }), "{error}");
    }

    /// What was sent arrives after the last look, and is found by whoever creates the same again.
    #[test]
    fn a_write_without_an_answer_may_still_arrive() {
        let mut left = 1 + MAX_RETRIES;
        let store = FaultStore::new(Arc::new(InMemory::new()), move |call| {
            let fails = call.operation == Operation::Create && left > 0;
            left -= u32::from(fails);
            fails.then_some(Fault::Later)
        });
        let store = Arc::new(store);
        let place = Location::in_store(store.clone(), "a").unwrap();
        let place = place.assume_atomic_creates();
        let error = place.create("x").unwrap_err();
        assert!(matches!(error, Error::UnknownOutcome { .. }), "{error}");
        assert!(error.to_string().contains("may still arrive"), "{error}");
        assert!(place.read_if_exists().unwrap().is_none());
        assert_eq!(futures::executor::block_on(store.deliver()), 6);
        assert_eq!(&place.read().unwrap()[..], b"x");
        assert!(place.create("x").unwrap());
        assert!(!place.create("y").unwrap());
    }

    #[test]
    fn a_write_that_is_refused_was_not_done() {
        let refused = StoreError::PermissionDenied {
            path: "a".into(),
            source: "no".into(),
        };
        let lost = || StoreError::Generic {
            store: "S3",
            source: "timed out".into(),
        };
        let place = place(|_| None);
        assert!(!place.may_arrive(&refused));
        assert!(place.may_arrive(&lost()));
        let folder = tempfile::tempdir().unwrap();
        let local = Location::open(&folder.path().display().to_string()).unwrap();
        assert!(!local.may_arrive(&lost()));
    }
}
