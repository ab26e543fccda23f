//! What drives the futures of object stores; it lives inside and shows in no signature.

use std::cell::Cell;
use std::future::Future;
use std::sync::mpsc;

use delta_kernel::{KernelError, KernelResult};
use delta_kernel_default_engine::executor::TaskExecutor;
use futures::future::BoxFuture;
use tokio::runtime::{Builder, EnterGuard, Handle, Runtime};

use crate::{Error, Result};

const WORKERS: usize = 2;
const MAX_BLOCKING_THREADS: usize = 16;

thread_local! {
    /// True on the runtime's own threads, where waiting must hand the worker's queue over first.
    static ON_RUNTIME: Cell<bool> = const { Cell::new(false) };
}

/// Where the thread that waits polls a future.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Polling {
    /// Outside of any runtime: what local disks and memory do is done while they are polled.
    Bare,
    /// Inside our runtime, whose threads wait for sockets and clocks: what clients of services need.
    InRuntime,
}

/// Drives a future on the thread that waits for it, or, inside another runtime, on threads of its
/// own.
///
/// Stores on local disks and in memory do their work while they are polled where no runtime is
/// entered; a hop to other threads and back costs more than much of that work. Inside a runtime
/// they would hand it to the threads of that one, which may end, so a channel is waited on there.
#[derive(Debug)]
pub(crate) struct Executor {
    handle: Handle,
    runtime: Option<Runtime>,
    polling: Polling,
}

impl Executor {
    pub(crate) fn try_new(polling: Polling) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .max_blocking_threads(MAX_BLOCKING_THREADS)
            .thread_name("emberlens-io")
            .on_thread_start(|| ON_RUNTIME.set(true))
            .enable_all()
            .build()
            .map_err(|error| Error::storage("start the I/O threads", "this process", error))?;
        Ok(Self {
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
            polling,
        })
    }

    /// Runs `task` to its end; a panic inside it is the caller's, or an error where it ran on threads
    /// of the runtime.
    pub(crate) fn run<T>(&self, task: T) -> Result<T::Output>
    where
        T: Future + Send + 'static,
        T::Output: Send + 'static,
    {
        self.wait_for(task)
            .map_err(|error| Error::storage("wait for the I/O threads", "this process", error))
    }

    fn wait_for<T>(&self, task: T) -> Result<T::Output, mpsc::RecvError>
    where
        T: Future + Send + 'static,
        T::Output: Send + 'static,
    {
        if Handle::try_current().is_err() {
            return Ok(match self.polling {
                Polling::Bare => pollster::block_on(task),
                Polling::InRuntime => self.handle.block_on(task),
            });
        }
        let (sender, receiver) = mpsc::channel();
        self.handle.spawn(async move {
            // The receiver only goes away together with the caller.
            let _ = sender.send(task.await);
        });
        if ON_RUNTIME.get() {
            tokio::task::block_in_place(|| receiver.recv())
        } else {
            receiver.recv()
        }
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        // A plain drop waits for the threads and panics inside another runtime.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl TaskExecutor for Executor {
    type Guard<'a> = EnterGuard<'a>;

    fn block_on<T>(&self, task: T) -> T::Output
    where
        T: Future + Send + 'static,
        T::Output: Send + 'static,
    {
        match self.wait_for(task) {
            Ok(output) => output,
            // The kernel's trait leaves no error path; a lost task means that the task panicked.
            Err(_) => std::panic::resume_unwind(Box::new("a storage task panicked".to_owned())),
        }
    }

    fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.handle.spawn(task);
    }

    fn spawn_blocking<T, R>(&self, task: T) -> BoxFuture<'_, KernelResult<R>>
    where
        T: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let joined = self.handle.spawn_blocking(task);
        Box::pin(async move { joined.await.map_err(KernelError::join_failure) })
    }

    fn enter(&self) -> EnterGuard<'_> {
        self.handle.enter()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn waiting_works_inside_another_runtime() {
        let other = Builder::new_current_thread().build().unwrap();
        let sum = other.block_on(async {
            let executor = Executor::try_new(Polling::Bare).unwrap();
            executor.run(async { 2 + 2 }).unwrap()
        });
        assert_eq!(sum, 4);
    }

    #[test]
    fn a_task_may_wait_for_another() {
        for polling in [Polling::Bare, Polling::InRuntime] {
            let executor = Arc::new(Executor::try_new(polling).unwrap());
            assert_eq!(nested(&executor), 5);
            let other = Builder::new_current_thread().build().unwrap();
            assert_eq!(other.block_on(async { nested(&executor) }), 5);
        }
    }

    fn nested(executor: &Arc<Executor>) -> i32 {
        let inner = executor.clone();
        let task = async move { inner.run(async { 2 + 2 }).unwrap() + 1 };
        executor.run(task).unwrap()
    }

    #[test]
    fn the_waiting_thread_does_the_work_where_it_can() {
        let here = std::thread::current().id();
        for polling in [Polling::Bare, Polling::InRuntime] {
            let executor = Executor::try_new(polling).unwrap();
            let worked = executor.run(async { std::thread::current().id() }).unwrap();
            assert_eq!(worked, here);
            let other = Builder::new_current_thread().build().unwrap();
            let worked = other
                .block_on(async { executor.run(async { std::thread::current().id() }).unwrap() });
            assert_ne!(worked, here);
        }
    }

    #[test]
    fn only_what_needs_a_runtime_is_polled_in_one() {
        let is_entered = |polling| {
            let executor = Executor::try_new(polling).unwrap();
            let entered = async { Handle::try_current().is_ok() };
            executor.run(entered).unwrap()
        };
        assert!(!is_entered(Polling::Bare));
        assert!(is_entered(Polling::InRuntime));
        let executor = Executor::try_new(Polling::InRuntime).unwrap();
        let slept = async { tokio::time::sleep(std::time::Duration::from_millis(1)).await };
        executor.run(slept).unwrap();
    }
}
