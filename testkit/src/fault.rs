//! An object store whose calls fail as a plan says.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Writes an object unless it exists.
    Create,
    /// Writes an object, whether it exists or not.
    Replace,
    /// Reads an object or its size.
    Read,
    /// Lists names.
    List,
    /// Deletes an object.
    Delete,
    /// Copies or renames an object, or writes it in parts.
    Other,
}

/// One call to the store.
#[derive(Clone, Debug)]
pub struct Call {
    /// Counted from 0 among the calls that the plan was asked about.
    pub number: usize,
    /// What it does.
    pub operation: Operation,
    /// The object or the folder.
    pub path: String,
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing was done, and the error says that something is wrong.
    Before,
    /// It was done, and the error says the same.
    After,
    /// It was done, and the store says that it waited too long.
    TimeOut,
    /// The store says that it waited too long; a write is done only when the next one to the same
    /// object comes.
    Late,
    /// The store panics before anything was done.
    Panic,
    /// A write is sent twice, as by a client that repeats what got no answer; the answer is that to the
    /// second. Other calls are done.
    Twice,
}

impl Fault {
    /// A plan by which `percent` of the writes fail before they are done, as many after it, as many in
    /// a time-out, and `percent` of the reads; the same seed gives the same plan.
    pub fn at_random(
        seed: u64,
        percent: u64,
    ) -> impl FnMut(&Call) -> Option<Fault> + Send + 'static {
        let mut state = seed;
        move |call| {
            let faults: &[Fault] = match call.operation {
                Operation::Read | Operation::List => &[Fault::Before],
                _ => &[Fault::Before, Fault::After, Fault::TimeOut],
            };
            let drawn = split_mix(&mut state) % 100 / percent.max(1);
            faults
                .get(usize::try_from(drawn).unwrap_or(usize::MAX))
                .copied()
        }
    }
}

/// The next number of a generator with that state.
///
/// # Source
/// Steele, Lea, Flood, *Fast splittable pseudorandom number generators* (2014).
pub fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

type Plan = Box<dyn FnMut(&Call) -> Option<Fault> + Send>;

/// An object store in front of another one that fails as its plan says.
///
/// ```
/// use std::sync::Arc;
/// use emberlens_testkit::{Fault, FaultStore};
/// use object_store::{ObjectStore, ObjectStoreExt, memory::InMemory};
/// let inner = Arc::new(InMemory::new());
/// let store = FaultStore::new(inner.clone(), |call| (call.number == 0).then_some(Fault::After));
/// futures::executor::block_on(async {
///     assert!(store.put(&"a".into(), "x".into()).await.is_err());
///     assert!(inner.head(&"a".into()).await.is_ok(), "it was written all the same");
/// });
/// ```
pub struct FaultStore {
    inner: Arc<dyn ObjectStore>,
    state: Mutex<State>,
}

struct State {
    plan: Plan,
    calls: Vec<Call>,
    /// Writes that are still on their way.
    late: Vec<(Path, PutPayload, PutOptions)>,
}

impl FaultStore {
    /// Asks `plan` at every call whether, and how, it fails.
    ///
    /// Calls to heartbeats pass: they come by the clock, and calls are to have the same numbers in
    /// every run of a test.
    pub fn new(
        inner: Arc<dyn ObjectStore>,
        plan: impl FnMut(&Call) -> Option<Fault> + Send + 'static,
    ) -> Self {
        Self {
            inner,
            state: Mutex::new(State {
                plan: Box::new(plan),
                calls: Vec::new(),
                late: Vec::new(),
            }),
        }
    }

    /// The calls so far, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// A write to this object that is still on its way.
    fn arriving(&self, path: &Path) -> Option<(PutPayload, PutOptions)> {
        let mut state = self.state();
        let place = state.late.iter().position(|(late, _, _)| late == path)?;
        let (_, payload, options) = state.late.remove(place);
        Some((payload, options))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the plan says about a call.
    fn fault(&self, operation: Operation, path: &Path) -> Option<Fault> {
        if path.filename() == Some("heartbeat.json") {
            return None;
        }
        let mut state = self.state();
        let call = Call {
            number: state.calls.len(),
            operation,
            path: path.to_string(),
        };
        let fault = (state.plan)(&call);
        state.calls.push(call);
        drop(state);
        #[expect(clippy::panic, reason = "a store that panics is what was asked for")]
        if fault == Some(Fault::Panic) {
            panic!("{operation:?} of `{path}` panics as planned");
        }
        fault
    }
}

/// Does the work of a call, or not, and fails, or not.
macro_rules! faulty {
    ($store:expr, $operation:expr, $path:expr, $work:expr) => {{
        let fault = $store.fault($operation, $path);
        done(fault, $work).await
    }};
}

async fn done<T>(fault: Option<Fault>, work: impl Future<Output = Result<T>>) -> Result<T> {
    if fault == Some(Fault::Before) {
        return Err(planned("failed before it did anything"));
    }
    let done = work.await?;
    match fault {
        None | Some(Fault::Twice) => Ok(done),
        Some(Fault::TimeOut | Fault::Late) => Err(planned("timed out")),
        Some(_) => Err(planned("failed after it was done")),
    }
}

fn planned(what: &'static str) -> Error {
    Error::Generic {
        store: "fault store",
        source: what.into(),
    }
}

impl fmt::Debug for FaultStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultStore")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for FaultStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faults before {}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for FaultStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        if let Some((payload, options)) = self.arriving(location) {
            // Whoever sent it is told nothing any more.
            let _ = self.inner.put_opts(location, payload, options).await;
        }
        let operation = match options.mode {
            PutMode::Create => Operation::Create,
            _ => Operation::Replace,
        };
        let work = async {
            self.inner
                .put_opts(location, payload.clone(), options.clone())
                .await
        };
        let fault = self.fault(operation, location);
        if fault == Some(Fault::Late) {
            self.state()
                .late
                .push((location.clone(), payload.clone(), options.clone()));
            return Err(planned("timed out"));
        }
        if fault == Some(Fault::Twice) {
            // What became of the first nobody hears.
            let _ = work.await;
            return self.inner.put_opts(location, payload, options).await;
        }
        done(fault, work).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        faulty!(
            self,
            Operation::Other,
            location,
            self.inner.put_multipart_opts(location, options)
        )
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        faulty!(
            self,
            Operation::Read,
            location,
            self.inner.get_opts(location, options)
        )
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        match self.fault(Operation::Delete, &Path::default()) {
            None | Some(Fault::Twice) => self.inner.delete_stream(locations),
            Some(Fault::Before) => {
                failing(stream::empty().boxed(), "failed before it did anything")
            }
            Some(_) => failing(
                self.inner.delete_stream(locations),
                "failed after it was done",
            ),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.fault(Operation::List, prefix.unwrap_or(&Path::default())) {
            None | Some(Fault::Twice) => self.inner.list(prefix),
            Some(_) => failing(stream::empty().boxed(), "failed before it did anything"),
        }
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.fault(Operation::List, prefix.unwrap_or(&Path::default())) {
            None | Some(Fault::Twice) => self.inner.list_with_offset(prefix, offset),
            Some(_) => failing(stream::empty().boxed(), "failed before it did anything"),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let place = prefix.cloned().unwrap_or_default();
        faulty!(
            self,
            Operation::List,
            &place,
            self.inner.list_with_delimiter(prefix)
        )
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        faulty!(
            self,
            Operation::Other,
            to,
            self.inner.copy_opts(from, to, options)
        )
    }
}

/// What `done` gives, without its successes, and then an error.
fn failing<T: Send + 'static>(
    done: BoxStream<'static, Result<T>>,
    what: &'static str,
) -> BoxStream<'static, Result<T>> {
    let last = stream::once(async move { Err(planned(what)) });
    done.filter(|item| std::future::ready(item.is_err()))
        .chain(last)
        .boxed()
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    use super::*;

    fn store(fault: Fault) -> (Arc<InMemory>, FaultStore) {
        let inner = Arc::new(InMemory::new());
        let store = FaultStore::new(inner.clone(), move |call| {
            (call.number == 1).then_some(fault)
        });
        (inner, store)
    }

    #[test]
    fn a_call_fails_before_or_after_it_is_done_and_the_next_one_works() {
        for (fault, is_done) in [
            (Fault::Before, false),
            (Fault::After, true),
            (Fault::TimeOut, true),
        ] {
            let (inner, store) = store(fault);
            let path = Path::from("b");
            block_on(async {
                store.put(&"a".into(), "first".into()).await.unwrap();
                store.put(&path, "second".into()).await.unwrap_err();
                assert_eq!(inner.head(&path).await.is_ok(), is_done, "{fault:?}");
                store.put(&path, "third".into()).await.unwrap();
            });
            assert_eq!(store.calls().len(), 3);
        }
    }

    #[test]
    fn a_create_that_is_sent_twice_is_told_that_its_object_exists() {
        let (inner, store) = store(Fault::Twice);
        let create = PutOptions::from(PutMode::Create);
        block_on(async {
            store.put(&"a".into(), "first".into()).await.unwrap();
            let path = Path::from("b");
            let twice = store.put_opts(&path, "second".into(), create).await;
            assert!(matches!(twice, Err(Error::AlreadyExists { .. })));
            assert!(inner.head(&path).await.is_ok());
        });
    }

    #[test]
    fn a_deletion_that_fails_after_it_was_done_is_done() {
        let (inner, store) = store(Fault::After);
        let path = Path::from("a");
        block_on(async {
            store.put(&path, "first".into()).await.unwrap();
            store.delete(&path).await.unwrap_err();
            assert!(inner.head(&path).await.is_err());
        });
    }

    #[test]
    fn faults_at_random_come_as_often_as_they_should() {
        let mut plan = Fault::at_random(7, 20);
        let call = Call {
            number: 0,
            operation: Operation::Create,
            path: String::new(),
        };
        let drawn: Vec<_> = (0..10_000).map(|_| plan(&call)).collect();
        for fault in [
            Some(Fault::Before),
            Some(Fault::After),
            Some(Fault::TimeOut),
            None,
        ] {
            let share = drawn.iter().filter(|&&one| one == fault).count();
            let expected = if fault.is_none() { 4_000 } else { 2_000 };
            assert!(share.abs_diff(expected) < 200, "{fault:?}: {share}");
        }
    }

    #[test]
    fn heartbeats_are_not_counted() {
        let (_, store) = store(Fault::Before);
        block_on(async {
            store
                .put(&"run/heartbeat.json".into(), "x".into())
                .await
                .unwrap();
        });
        assert!(store.calls().is_empty());
    }
}
