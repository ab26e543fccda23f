//! The flag that stops long work at its next safe point.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Asks long work to stop; clones share one flag, any thread may set it.
///
/// A pass looks at the flag between batches: rows written so far are flushed and kept, the pass is
/// recorded as abandoned. A reduction looks at it in every iteration and leaves everything as it
/// was. Both return [`crate::Error::Interrupted`].
///
/// ```
/// use emberlens::CancelFlag;
/// let flag = CancelFlag::new();
/// let for_the_signal_handler = flag.clone();
/// for_the_signal_handler.cancel();
/// assert!(flag.is_cancelled());
/// ```
#[derive(Clone, Debug, Default)]
pub struct CancelFlag {
    cancelled: Arc<AtomicBool>,
}

impl CancelFlag {
    /// A flag that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the flag; it stays set.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
    }

    /// Whether the flag is set.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }
}
