//! An object store whose calls fail as a plan says.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use crate::plan::{Call, Fault, Operation};
use crate::short::cut_short;

/// How many of the objects written last a stale listing leaves out.
const HIDDEN: usize = 3;

type Write = (Path, PutPayload, PutOptions);

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
    /// Writes that are still on their way: to come before the next one to their object, and to come when
    /// they are called for.
    late: Vec<Write>,
    later: Vec<Write>,
    /// The objects that were created last.
    newest: VecDeque<Path>,
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
                later: Vec::new(),
                newest: VecDeque::new(),
            }),
        }
    }

    /// The calls so far, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// Lets every write arrive that met [`Fault::Later`], in the order they were sent; how many.
    pub async fn deliver(&self) -> usize {
        let later = std::mem::take(&mut self.state().later);
        let count = later.len();
        for (path, payload, options) in later {
            // Whoever sent it is told nothing any more.
            let _ = self.inner.put_opts(&path, payload, options).await;
        }
        count
    }

    /// A write to this object that is still on its way.
    fn arriving(&self, path: &Path) -> Option<(PutPayload, PutOptions)> {
        let mut state = self.state();
        let place = state.late.iter().position(|(late, _, _)| late == path)?;
        let (_, payload, options) = state.late.remove(place);
        Some((payload, options))
    }

    /// Remembers an object that is new in listings.
    fn note_new(&self, path: &Path) {
        let mut state = self.state();
        state.newest.push_back(path.clone());
        if state.newest.len() > HIDDEN {
            state.newest.pop_front();
        }
    }

    /// What a listing leaves out under a fault.
    fn hidden(&self, fault: Option<Fault>) -> HashSet<Path> {
        let newest = &self.state().newest;
        let count = match fault {
            Some(Fault::Stale) => newest.len(),
            Some(Fault::Gap) if newest.len() > 1 => 1,
            _ => 0,
        };
        newest.iter().take(count).cloned().collect()
    }

    /// What a listing gives under a fault.
    fn listed(
        &self,
        prefix: Option<&Path>,
        list: impl FnOnce() -> BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.fault(Operation::List, prefix.unwrap_or(&Path::default())) {
            None => list(),
            fault @ Some(Fault::Stale | Fault::Gap) => {
                let hidden = self.hidden(fault);
                let shown = move |object: &Result<ObjectMeta>| match object {
                    Ok(object) => !hidden.contains(&object.location),
                    Err(_) => true,
                };
                list()
                    .filter(move |object| std::future::ready(shown(object)))
                    .boxed()
            }
            Some(_) => failing(stream::empty().boxed(), "failed before it did anything"),
        }
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
    if fault == Some(Fault::Refused) {
        return Err(Error::PermissionDenied {
            path: "fault store".into(),
            source: "refused as planned".into(),
        });
    }
    let done = work.await?;
    match fault {
        // What these do is done to the answer, or was done twice.
        None | Some(Fault::Stale | Fault::Gap | Fault::Short | Fault::Twice) => Ok(done),
        Some(Fault::TimeOut | Fault::Late | Fault::Later) => Err(planned("timed out")),
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
            let put = self
                .inner
                .put_opts(location, payload.clone(), options.clone());
            let done = put.await?;
            if options.mode == PutMode::Create {
                self.note_new(location);
            }
            Ok(done)
        };
        let fault = self.fault(operation, location);
        if let Some(Fault::Late | Fault::Later) = fault {
            let mut state = self.state();
            let list = match fault {
                Some(Fault::Later) => &mut state.later,
                _ => &mut state.late,
            };
            list.push((location.clone(), payload.clone(), options.clone()));
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
        let fault = self.fault(Operation::Read, location);
        let read = done(fault, self.inner.get_opts(location, options)).await?;
        Ok(match fault {
            Some(Fault::Short) => cut_short(read),
            _ => read,
        })
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        match self.fault(Operation::Delete, &Path::default()) {
            None | Some(Fault::Twice) => self.inner.delete_stream(locations),
            Some(Fault::Before | Fault::Refused) => {
                failing(stream::empty().boxed(), "failed before it did anything")
            }
            Some(_) => failing(
                self.inner.delete_stream(locations),
                "failed after it was done",
            ),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(prefix, || self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(prefix, || self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let place = prefix.cloned().unwrap_or_default();
        let fault = self.fault(Operation::List, &place);
        let mut listed = done(fault, self.inner.list_with_delimiter(prefix)).await?;
        let hidden = self.hidden(fault);
        let objects = &mut listed.objects;
        objects.retain(|object| !hidden.contains(&object.location));
        Ok(listed)
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
    fn a_stale_listing_leaves_the_newest_objects_out() {
        let inner = Arc::new(InMemory::new());
        let store = FaultStore::new(inner, |call| match call.operation {
            Operation::List => (call.number < 8).then_some(Fault::Stale),
            _ => None,
        });
        let names = || {
            let listed = block_on(store.list_with_delimiter(None)).unwrap();
            let streamed: Vec<_> = block_on(store.list(None).collect());
            assert_eq!(listed.objects.len(), streamed.len());
            listed.objects.len()
        };
        let create = PutOptions::from(PutMode::Create);
        for name in ["a", "b", "c", "d", "e"] {
            let path = Path::from(name);
            let put = store.put_opts(&path, "x".into(), create.clone());
            block_on(put).unwrap();
        }
        assert_eq!(names(), 5 - HIDDEN);
        block_on(store.get(&"e".into())).unwrap();
        assert_eq!(names(), 5, "and later they show");
    }

    #[test]
    fn a_short_read_says_nothing_of_it() {
        let (_, store) = store(Fault::Short);
        let path = Path::from("a");
        block_on(async {
            store.put(&path, "0123456789".into()).await.unwrap();
            let read = store.get(&path).await.unwrap();
            assert_eq!(read.meta.size, 10);
            assert_eq!(&read.bytes().await.unwrap()[..], b"01234");
            let read = store.get(&path).await.unwrap();
            assert_eq!(read.bytes().await.unwrap().len(), 10);
        });
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
