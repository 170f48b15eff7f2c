//! Between the run's threads and an exporter: a bounded queue and a thread that sends what is in it.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use opentelemetry::Context as TraceContext;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter, SpanProcessor};

use crate::Backpressure;

/// Spans that wait for an exporter at most.
const ROOM: usize = 2_048;
/// How long a span waits for others to be sent with.
const LINGER: Duration = Duration::from_secs(1);

/// What became of the spans given to an exporter.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) delivered: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) problem: Mutex<Option<String>>,
}

/// Hands finished spans to an exporter's thread.
#[derive(Debug)]
pub(crate) struct Queue {
    sender: SyncSender<Message>,
    backpressure: Backpressure,
    tally: Arc<Tally>,
}

#[derive(Debug)]
enum Message {
    Span(Box<SpanData>),
    About(Box<Resource>),
    Flush(SyncSender<()>),
    End(SyncSender<()>),
}

impl Queue {
    /// Starts the exporter's thread.
    pub(crate) fn start<E: SpanExporter + 'static>(
        exporter: E,
        batch_size: usize,
        backpressure: Backpressure,
        tally: Arc<Tally>,
    ) -> std::io::Result<Self> {
        let (sender, inbox) = sync_channel(ROOM);
        let worker = Worker { exporter, batch: Vec::new(), batch_size, tally: Arc::clone(&tally) };
        thread::Builder::new().name("telemetry".to_owned()).spawn(move || worker.serve(&inbox))?;
        Ok(Self { sender, backpressure, tally })
    }

    /// Sends a message that is answered once everything before it is exported.
    fn ask(&self, message: impl FnOnce(SyncSender<()>) -> Message, timeout: Duration) -> OTelSdkResult {
        let (reply, answer) = sync_channel(1);
        self.sender.send(message(reply)).map_err(|_| OTelSdkError::AlreadyShutdown)?;
        answer.recv_timeout(timeout).map_err(|_| OTelSdkError::Timeout(timeout))
    }
}

impl SpanProcessor for Queue {
    fn on_start(&self, _span: &mut Span, _context: &TraceContext) {}

    fn on_end(&self, span: SpanData) {
        let message = Message::Span(Box::new(span));
        let kept = match self.backpressure {
            Backpressure::Block => self.sender.send(message).is_ok(),
            Backpressure::Drop => match self.sender.try_send(message) {
                Ok(()) => true,
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
            },
        };
        if !kept {
            self.tally.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.ask(Message::Flush, Duration::from_secs(30))
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.ask(Message::End, timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        // A thread that has ended has nobody left to tell.
        drop(self.sender.send(Message::About(Box::new(resource.clone()))));
    }
}

/// The exporter's thread.
struct Worker<E> {
    exporter: E,
    batch: Vec<SpanData>,
    batch_size: usize,
    tally: Arc<Tally>,
}

impl<E: SpanExporter> Worker<E> {
    fn serve(mut self, inbox: &Receiver<Message>) {
        // What the exporter's own client does is no part of the run.
        let _quiet = TraceContext::enter_telemetry_suppressed_scope();
        let mut due = Instant::now();
        loop {
            let message = if self.batch.is_empty() {
                inbox.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                inbox.recv_timeout(due.saturating_duration_since(Instant::now()))
            };
            match message {
                Ok(Message::Span(span)) => {
                    if self.batch.is_empty() {
                        due = Instant::now() + LINGER;
                    }
                    self.batch.push(*span);
                    if self.batch.len() >= self.batch_size {
                        self.export();
                    }
                }
                Ok(Message::About(resource)) => self.exporter.set_resource(&resource),
                Ok(Message::Flush(reply)) => {
                    self.export();
                    answer(&reply);
                }
                Ok(Message::End(reply)) => {
                    self.export();
                    self.note(self.exporter.shutdown());
                    answer(&reply);
                    return;
                }
                Err(RecvTimeoutError::Timeout) => self.export(),
                Err(RecvTimeoutError::Disconnected) => {
                    self.export();
                    return;
                }
            }
        }
    }

    fn export(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let batch = std::mem::take(&mut self.batch);
        let count = batch.len() as u64;
        let result = block_on(self.exporter.export(batch));
        let tally = if result.is_ok() { &self.tally.delivered } else { &self.tally.lost };
        tally.fetch_add(count, Ordering::Relaxed);
        self.note(result);
    }

    /// Keeps the first problem: later ones mostly follow from it.
    fn note(&self, result: OTelSdkResult) {
        if let Err(error) = result {
            let mut problem = self.tally.problem.lock().unwrap_or_else(PoisonError::into_inner);
            problem.get_or_insert_with(|| error.to_string());
        }
    }
}

/// Whoever asked may have stopped waiting.
fn answer(reply: &SyncSender<()>) {
    let _ = reply.send(());
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future on this thread, which nothing else uses.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use opentelemetry::trace::{Tracer, TracerProvider};
    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::*;

    /// Takes a batch only when the test lets it.
    #[derive(Debug)]
    struct Gatekeeper {
        open: Mutex<Receiver<()>>,
    }

    impl SpanExporter for Gatekeeper {
        async fn export(&self, _batch: Vec<SpanData>) -> OTelSdkResult {
            let closed = OTelSdkError::InternalFailure("closed".to_owned());
            self.open.lock().unwrap().recv().map_err(|_| closed)
        }
    }

    fn gated(backpressure: Backpressure) -> (std::sync::mpsc::Sender<()>, Arc<Tally>, SdkTracerProvider) {
        let (open, gate) = channel();
        let tally = Arc::new(Tally::default());
        let queue =
            Queue::start(Gatekeeper { open: Mutex::new(gate) }, 1, backpressure, Arc::clone(&tally)).unwrap();
        (open, tally, SdkTracerProvider::builder().with_span_processor(queue).build())
    }

    fn span(provider: &SdkTracerProvider) {
        drop(provider.tracer("test").start("span"));
    }

    #[test]
    fn when_dropping_a_stuck_exporter_costs_spans_and_no_time() {
        let (open, tally, provider) = gated(Backpressure::Drop);
        let more = ROOM as u64 + 100;
        (0..more).for_each(|_| span(&provider));
        let lost = tally.lost.load(Ordering::Relaxed);
        // One span may be with the exporter, and the resource may still be waiting.
        assert!((99..=101).contains(&lost), "{lost} lost");
        (0..more).for_each(|_| open.send(()).unwrap());
        provider.shutdown().unwrap();
        assert_eq!(tally.delivered.load(Ordering::Relaxed), more - lost);
    }

    #[test]
    fn when_blocking_a_slow_exporter_costs_time_and_no_span() {
        let (open, tally, provider) = gated(Backpressure::Block);
        let all = ROOM as u64 + 100;
        let (finished, end) = channel();
        let spans = thread::spawn(move || {
            (0..all).for_each(|_| span(&provider));
            finished.send(()).unwrap();
            provider
        });
        let early = end.recv_timeout(Duration::from_millis(200));
        assert_eq!(early, Err(RecvTimeoutError::Timeout), "there is no room for all of them");
        (0..all).for_each(|_| open.send(()).unwrap());
        spans.join().unwrap().shutdown().unwrap();
        assert_eq!((tally.delivered.load(Ordering::Relaxed), tally.lost.load(Ordering::Relaxed)), (all, 0));
    }

    #[test]
    fn a_failing_exporter_is_remembered_with_its_first_problem() {
        let (open, tally, provider) = gated(Backpressure::Block);
        drop(open);
        span(&provider);
        provider.shutdown().unwrap();
        assert_eq!(tally.lost.load(Ordering::Relaxed), 1);
        assert!(tally.problem.lock().unwrap().as_ref().unwrap().contains("closed"));
    }
}
