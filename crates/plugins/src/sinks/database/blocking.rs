//! Runs the database's futures for a sink, which is plain blocking code.

use std::future::Future;
use std::thread;

use elspeth_plugin::SinkError;
use tokio::runtime::{Builder, Handle, Runtime};

/// A small runtime of the sink's own.
#[derive(Debug)]
pub(super) struct Blocking(Option<Runtime>);

impl Blocking {
    pub(super) fn new() -> Result<Self, SinkError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        runtime
            .map(|runtime| Self(Some(runtime)))
            .map_err(|e| SinkError::new(format!("cannot talk to a database: {e}")))
    }

    /// Waits for `work`, wherever it is called: a thread that drives other futures may not be blocked by a runtime, so
    /// that there the work goes to a thread of its own.
    pub(super) fn run<T: Send>(&self, work: impl Future<Output = T> + Send) -> T {
        let runtime = self.0.as_ref().expect("it is there until it is dropped");
        if Handle::try_current().is_err() {
            return runtime.block_on(work);
        }
        thread::scope(|scope| match scope.spawn(|| runtime.block_on(work)).join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }
}

impl Drop for Blocking {
    /// Without waiting, which would not be allowed on a thread that drives other futures.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
