//! The thread on which sinks act, and the one that waits for the disk on its behalf.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use elspeth_canonical::HashVersion;
use elspeth_contracts::EpochNo;
use elspeth_engine::EpochWork;
use elspeth_executors::SinkDeck;
use elspeth_faults::{Act, around};
use elspeth_graph::ExecutionGraph;
use elspeth_landscape::integrity::{ActedDigest, TreesAhead};
use elspeth_landscape::{ActedEpoch, Corruption, Durability, LandscapeError};
use elspeth_phases::{Phase, enter, within};
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};

use crate::RunError;

/// Hands work to the sinks' thread, one epoch at a time.
pub(crate) struct Actor {
    /// `None` once no more will come.
    orders: Option<mpsc::Sender<Order>>,
    threads: Vec<JoinHandle<()>>,
    /// The run has ended: what still waits is not acted on.
    given_up: Arc<AtomicBool>,
}

/// What the sinks are working on: an epoch, or that they open or publish.
pub(crate) struct Acting {
    reply: oneshot::Receiver<Result<Acted, RunError>>,
}

/// What the sinks did. Its digest for the record is still being made, while it can be written already.
pub(crate) struct Acted {
    pub(crate) epoch: Arc<ActedEpoch>,
    digest: oneshot::Receiver<Result<ActedDigest, Corruption>>,
}

enum Task {
    Open,
    Act(EpochWork, Durability),
    Publish(EpochNo),
}

struct Order {
    task: Task,
    reply: oneshot::Sender<Result<Acted, RunError>>,
}

impl Actor {
    /// Starts the threads; they end when the actor is dropped.
    pub(crate) fn spawn(
        deck: SinkDeck,
        graph: Arc<ExecutionGraph>,
        hashing: (HashVersion, TreesAhead),
    ) -> Self {
        let (orders, committed) = mpsc::channel(1);
        let (durable, inbox) = mpsc::channel(1);
        let given_up = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&given_up);
        let threads = vec![
            std::thread::spawn(move || make_durable(committed, &durable)),
            std::thread::spawn(move || serve(deck, &graph, hashing, (inbox, &seen))),
        ];
        Self { orders: Some(orders), threads, given_up }
    }

    /// Opens every sink.
    pub(crate) async fn open(&self) -> Result<Acting, RunError> {
        self.order(Task::Open).await
    }

    /// Lets the sinks write an epoch as soon as its decisions are durable.
    pub(crate) async fn act(&self, work: EpochWork, durable: Durability) -> Result<Acting, RunError> {
        self.order(Task::Act(work, durable)).await
    }

    /// Publishes every sink's result.
    pub(crate) async fn publish(&self, epoch: EpochNo) -> Result<Acting, RunError> {
        self.order(Task::Publish(epoch)).await
    }

    async fn order(&self, task: Task) -> Result<Acting, RunError> {
        let (reply, answer) = oneshot::channel();
        let orders = self.orders.as_ref().ok_or_else(gone)?;
        orders.send(Order { task, reply }).await.map_err(|_| gone())?;
        Ok(Acting { reply: answer })
    }
}

impl Drop for Actor {
    /// Waits until the sinks are at rest: a run that ended may be taken up at once, and its sinks must not be at work then.
    fn drop(&mut self) {
        self.orders = None;
        self.given_up.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A panic of the thread was seen where its answer was missed.
            drop(thread.join());
        }
    }
}

impl Acting {
    /// What the sinks did, if they are done.
    pub(crate) fn done(&mut self) -> Result<Option<Acted>, RunError> {
        match self.reply.try_recv() {
            Ok(acted) => acted.map(Some),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Closed) => Err(gone()),
        }
    }

    /// What the sinks did. Can be given up and asked again.
    pub(crate) async fn wait(&mut self) -> Result<Acted, RunError> {
        (&mut self.reply).await.map_err(|_| gone())?
    }
}

impl Acted {
    /// The digest.
    pub(crate) async fn digest(self) -> Result<ActedDigest, RunError> {
        Ok(self.digest.await.map_err(|_| gone())?.map_err(LandscapeError::from)?)
    }
}

fn gone() -> RunError {
    RunError::Internal("the sinks' thread ended".to_owned())
}

/// Waits until an epoch's decisions are durable, while the sinks still act on the one before.
fn make_durable(mut committed: mpsc::Receiver<Order>, sinks: &mpsc::Sender<Order>) {
    while let Some(Order { task, reply }) = committed.blocking_recv() {
        let task = match task {
            Task::Act(work, durable) => {
                let done = durable.wait();
                Task::Act(work, Durability::once(|| done))
            }
            Task::Open | Task::Publish(_) => task,
        };
        if sinks.blocking_send(Order { task, reply }).is_err() {
            return;
        }
    }
}

fn serve(
    mut deck: SinkDeck,
    graph: &ExecutionGraph,
    (version, mut trees): (HashVersion, TreesAhead),
    (mut inbox, given_up): (mpsc::Receiver<Order>, &AtomicBool),
) {
    let mut failed = false;
    while let Some(order) = inbox.blocking_recv() {
        // No epoch is acted on after one that was not; it may wait already. Whoever waits for that one hears why.
        if failed || given_up.load(Ordering::Relaxed) {
            continue;
        }
        let acting = enter(Phase::Act);
        let result = match order.task {
            Task::Open => deck.open().map(|()| ActedEpoch::default()).map_err(RunError::Act),
            Task::Act(EpochWork { decided, sinks, settled, headers }, durable) => {
                let epoch = decided.epoch;
                // It is recorded; of a large batch it is as much as what the sinks make of it.
                drop(decided);
                let learnt = headers.map_or(Ok(()), |headers| deck.learn(&headers)).map_err(RunError::Act);
                learnt.and_then(|()| durable.wait().map_err(RunError::from)).and_then(|()| {
                    let act = || deck.act(epoch, sinks, settled, graph);
                    around(Act::ActOnEpoch, act).map_err(RunError::Act)
                })
            }
            Task::Publish(epoch) => around(Act::Publish, || deck.publish(epoch)).map_err(RunError::Act),
        };
        drop(acting);
        let (send_digest, digest) = oneshot::channel();
        let acted = result.map(|epoch| Acted { epoch: Arc::new(epoch), digest });
        let epoch = acted.as_ref().ok().map(|acted| Arc::clone(&acted.epoch));
        // Nobody waits for the answers any more when the run was given up meanwhile.
        drop(order.reply.send(acted));
        let Some(epoch) = epoch else {
            failed = true;
            continue;
        };
        let digest = within(Phase::Hash, || ActedDigest::growing(version, &epoch, &mut trees));
        let _ = send_digest.send(digest);
    }
}
