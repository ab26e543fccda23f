//! The bounded queue between the caller and the writer thread.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;

use crate::run::WrittenInfo;
use crate::{Error, ErrorKind, Result};

/// Bytes of rows that the thread is woken for: small batches are encoded many at a time, which is
/// cheaper, and the caller is disturbed less.
const WORTHWHILE_BYTES: usize = 256 << 10;

/// How long less than that may wait for more.
const LINGER: Duration = Duration::from_millis(100);

/// What the writer thread is told.
#[derive(Debug)]
pub(super) enum Message {
    /// Batches in the order they came; at least one.
    Rows(Vec<RecordBatch>),
    /// Commit everything before this and answer.
    Flush,
    /// As `Flush`, then end.
    Finish,
}

#[derive(Debug)]
enum Waiting {
    Batch { rows: RecordBatch, bytes: usize },
    Flush,
    Finish,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// Flushes asked for and answered.
    asked: u64,
    answered: u64,
    closed: bool,
    failure: Option<(String, ErrorKind)>,
    written: Vec<WrittenInfo>,
}

/// Batches on their way to the writer thread, bounded in bytes; its answers on their way back.
#[derive(Debug)]
pub(super) struct Queue {
    stream: String,
    limit_bytes: usize,
    state: Mutex<State>,
    /// Signals the thread that there is work.
    work: Condvar,
    /// Signals the caller that there is room, an answer or a failure.
    news: Condvar,
}

impl Queue {
    pub(super) fn new(stream: &str, limit_bytes: usize) -> Self {
        Self {
            stream: stream.to_owned(),
            limit_bytes,
            state: Mutex::default(),
            work: Condvar::new(),
            news: Condvar::new(),
        }
    }

    /// Waits for room, then queues a batch.
    pub(super) fn push_batch(&self, batch: RecordBatch) -> Result<()> {
        let bytes = size_of_rows(&batch);
        let mut state = self.lock();
        while state.bytes > 0 && state.bytes + bytes > self.limit_bytes && !state.closed {
            state = self.wait(state);
        }
        self.check(&state)?;
        let was_worthwhile = state.bytes >= WORTHWHILE_BYTES;
        state.bytes += bytes;
        state
            .waiting
            .push_back(Waiting::Batch { rows: batch, bytes });
        // The first batch starts the thread's patience, the worthwhile one ends it.
        if state.waiting.len() == 1 || (!was_worthwhile && state.bytes >= WORTHWHILE_BYTES) {
            self.work.notify_one();
        }
        Ok(())
    }

    /// Waits until everything queued so far is committed.
    pub(super) fn flush(&self) -> Result<()> {
        self.ask(Waiting::Flush)
    }

    /// As `flush`, and ends the thread.
    pub(super) fn finish(&self) -> Result<()> {
        self.ask(Waiting::Finish)
    }

    /// The files committed so far.
    pub(super) fn written(&self) -> Vec<WrittenInfo> {
        self.lock().written.clone()
    }

    fn ask(&self, message: Waiting) -> Result<()> {
        let mut state = self.lock();
        self.check(&state)?;
        state.asked += 1;
        let ticket = state.asked;
        state.waiting.push_back(message);
        self.work.notify_one();
        while state.answered < ticket && !state.closed {
            state = self.wait(state);
        }
        self.check_failure(&state)?;
        if state.answered < ticket {
            return Err(self.failed("it ended early", ErrorKind::Storage));
        }
        Ok(())
    }

    /// The next message, or `None` when `timeout` passed without one.
    ///
    /// Rows come as soon as they are worthwhile, somebody waits for them, or they waited long enough.
    pub(super) fn next(&self, timeout: Duration) -> Option<Message> {
        let mut until = Instant::now() + timeout;
        let mut state = self.lock();
        let mut lingers = false;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match state.waiting.front() {
                None if left.is_zero() => return None,
                None => {}
                Some(Waiting::Batch { .. }) if !lingers && !state.is_pressing() => {
                    lingers = true;
                    until = Instant::now() + LINGER;
                    continue;
                }
                Some(Waiting::Batch { .. }) if !state.is_pressing() && !left.is_zero() => {}
                Some(_) => {
                    let message = state.take();
                    self.news.notify_all();
                    return message;
                }
            }
            state = self
                .work
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Tells that a flush is done.
    pub(super) fn answer(&self) {
        self.lock().answered += 1;
        self.news.notify_all();
    }

    pub(super) fn add_written(&self, files: impl IntoIterator<Item = WrittenInfo>) {
        self.lock().written.extend(files);
    }

    /// Keeps the first failure for every later call.
    pub(super) fn fail(&self, error: &Error) {
        let mut state = self.lock();
        if state.failure.is_none() {
            state.failure = Some((error.chain(), error.kind()));
        }
    }

    /// Says that the thread is gone, so that nobody waits for it.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.news.notify_all();
    }

    fn check(&self, state: &State) -> Result<()> {
        self.check_failure(state)?;
        if state.closed {
            return Err(self.failed("it ended early", ErrorKind::Storage));
        }
        Ok(())
    }

    fn check_failure(&self, state: &State) -> Result<()> {
        match &state.failure {
            Some((message, kind)) => Err(self.failed(message, *kind)),
            None => Ok(()),
        }
    }

    fn failed(&self, message: &str, kind: ErrorKind) -> Error {
        Error::Writer {
            stream: self.stream.clone(),
            message: message.to_owned(),
            kind,
        }
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.news
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The state is consistent between any two statements, so a poisoned lock is still good.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether the rows shall be written now: enough of them, or a flush behind them.
    fn is_pressing(&self) -> bool {
        self.bytes >= WORTHWHILE_BYTES
            || !matches!(self.waiting.back(), Some(Waiting::Batch { .. }))
    }

    /// The first message; batches up to the worthwhile amount are one.
    fn take(&mut self) -> Option<Message> {
        let mut batches = Vec::new();
        let mut taken = 0;
        while taken < WORTHWHILE_BYTES
            && let Some(Waiting::Batch { .. }) = self.waiting.front()
            && let Some(Waiting::Batch { rows, bytes }) = self.waiting.pop_front()
        {
            taken += bytes;
            batches.push(rows);
        }
        self.bytes -= taken;
        match batches.is_empty() {
            false => Some(Message::Rows(batches)),
            true => match self.waiting.pop_front()? {
                Waiting::Batch { rows, .. } => Some(Message::Rows(vec![rows])),
                Waiting::Flush => Some(Message::Flush),
                Waiting::Finish => Some(Message::Finish),
            },
        }
    }
}

/// Bytes of the rows themselves, whatever larger buffers they are slices of.
pub(super) fn size_of_rows(batch: &RecordBatch) -> usize {
    batch
        .columns()
        .iter()
        .map(|column| {
            column
                .to_data()
                .get_slice_memory_size()
                .unwrap_or_else(|_| column.get_array_memory_size())
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread::JoinHandle;

    use super::*;
    use crate::table::Columns;

    const ROW_BYTES: usize = 8;

    fn batch(rows: usize) -> RecordBatch {
        let columns = Columns::new().with("x", vec![1_i64; rows]);
        columns.into_batch("test").unwrap()
    }

    fn queue(limit_bytes: usize) -> Arc<Queue> {
        Arc::new(Queue::new("default", limit_bytes))
    }

    /// Waits, as long as it takes on a busy machine, for what must come.
    fn until(holds: impl Fn() -> bool) {
        let start = Instant::now();
        while !holds() {
            assert!(start.elapsed() < Duration::from_secs(60), "it never came");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Pushes `count` batches of ten rows; the counter says how many went through.
    fn pushing(queue: &Arc<Queue>, count: usize) -> (Arc<AtomicUsize>, JoinHandle<Result<()>>) {
        let pushed = Arc::new(AtomicUsize::new(0));
        let (counter, queue) = (pushed.clone(), queue.clone());
        let thread = std::thread::spawn(move || {
            for _ in 0..count {
                queue.push_batch(batch(10))?;
                counter.fetch_add(1, Ordering::SeqCst);
            }
            Ok(())
        });
        (pushed, thread)
    }

    fn next(queue: &Queue) -> Option<Message> {
        queue.next(Duration::from_secs(60))
    }

    #[test]
    fn a_full_queue_makes_the_caller_wait_and_never_holds_more_than_its_limit() {
        let limit = 3 * 10 * ROW_BYTES;
        let queue = queue(limit);
        let (pushed, thread) = pushing(&queue, 20);
        let mut taken = 0;
        while taken < 20 {
            let room = (taken + 3).min(20);
            until(|| pushed.load(Ordering::SeqCst) == room);
            // Time for a push that would not wait.
            std::thread::sleep(Duration::from_millis(2));
            assert_eq!(pushed.load(Ordering::SeqCst), room, "the caller waits");
            assert!(queue.lock().bytes <= limit);
            taken += rows_of(next(&queue)) / 10;
            assert_eq!(taken, room);
        }
        thread.join().unwrap().unwrap();
        assert_eq!(queue.lock().bytes, 0);
        assert!(queue.next(Duration::ZERO).is_none());
    }

    fn rows_of(message: Option<Message>) -> usize {
        match message {
            Some(Message::Rows(batches)) => batches.iter().map(RecordBatch::num_rows).sum(),
            _ => 0,
        }
    }

    #[test]
    fn small_batches_come_together_and_a_flush_behind_them_ends_the_wait() {
        let queue = queue(usize::MAX);
        let worthwhile = WORTHWHILE_BYTES / ROW_BYTES;
        for _ in 0..2 * worthwhile / 1024 + 1 {
            queue.push_batch(batch(1024)).unwrap();
        }
        assert_eq!(rows_of(next(&queue)), worthwhile);
        assert_eq!(rows_of(next(&queue)), worthwhile);
        let flushing = queue.clone();
        let thread = std::thread::spawn(move || flushing.flush());
        until(|| queue.lock().asked == 1);
        assert!(queue.lock().is_pressing());
        assert_eq!(rows_of(next(&queue)), 1024);
        assert!(matches!(next(&queue), Some(Message::Flush)));
        queue.answer();
        thread.join().unwrap().unwrap();
    }

    #[test]
    fn rows_that_are_few_are_written_all_the_same() {
        let queue = queue(usize::MAX);
        queue.push_batch(batch(1)).unwrap();
        assert_eq!(rows_of(next(&queue)), 1);
    }

    #[test]
    fn a_batch_beyond_the_limit_passes_alone() {
        let queue = queue(1);
        queue.push_batch(batch(1000)).unwrap();
        let (pushed, thread) = pushing(&queue, 1);
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(pushed.load(Ordering::SeqCst), 0);
        assert!(next(&queue).is_some());
        thread.join().unwrap().unwrap();
    }

    #[test]
    fn a_failure_wakes_who_waits_and_the_first_one_stays() {
        let queue = queue(10 * ROW_BYTES);
        let (pushed, thread) = pushing(&queue, 2);
        until(|| pushed.load(Ordering::SeqCst) == 1);
        queue.fail(&Error::storage("write", "/runs/a", "disk full"));
        queue.fail(&Error::storage("write", "/runs/a", "no such device"));
        queue.close();
        let waited = thread.join().unwrap().unwrap_err();
        let later = [queue.push_batch(batch(1)), queue.flush(), queue.finish()];
        let later = later.map(Result::unwrap_err);
        for error in later.iter().chain([&waited]) {
            assert_eq!(error.kind(), ErrorKind::Storage);
            assert!(error.to_string().ends_with("disk full"), "{error}");
        }
    }

    #[test]
    fn a_thread_that_is_gone_without_a_word_is_an_error() {
        let queue = queue(1 << 20);
        let flushing = queue.clone();
        let thread = std::thread::spawn(move || flushing.flush());
        until(|| queue.lock().asked == 1);
        queue.close();
        let error = thread.join().unwrap().unwrap_err().to_string();
        assert!(error.contains("it ended early"), "{error}");
        assert!(queue.push_batch(batch(1)).is_err());
    }

    #[test]
    fn slices_count_for_their_own_rows() {
        assert_eq!(size_of_rows(&batch(1000).slice(10, 7)), 7 * ROW_BYTES);
    }
}
