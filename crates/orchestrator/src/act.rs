//! The thread on which sinks act.

use std::sync::Arc;

use elspeth_canonical::HashVersion;
use elspeth_contracts::EpochNo;
use elspeth_engine::EpochWork;
use elspeth_executors::SinkDeck;
use elspeth_graph::ExecutionGraph;
use elspeth_landscape::integrity::ActedDigest;
use elspeth_landscape::{ActedEpoch, LandscapeError};
use tokio::sync::{mpsc, oneshot};

use crate::RunError;

/// Hands work to the sinks' thread, one epoch at a time.
pub(crate) struct Actor {
    orders: mpsc::Sender<Order>,
}

/// An epoch that the sinks are working on.
pub(crate) struct Acting {
    reply: oneshot::Receiver<Result<Acted, RunError>>,
}

/// What the sinks did, and its digest for the record.
pub(crate) struct Acted {
    pub(crate) epoch: ActedEpoch,
    pub(crate) digest: ActedDigest,
}

enum Task {
    Open,
    Act(EpochWork),
    Publish(EpochNo),
}

struct Order {
    task: Task,
    reply: oneshot::Sender<Result<Acted, RunError>>,
}

impl Actor {
    /// Starts the thread; it ends when the actor is dropped.
    pub(crate) fn spawn(deck: SinkDeck, graph: Arc<ExecutionGraph>, version: HashVersion) -> Self {
        let (orders, inbox) = mpsc::channel(1);
        std::thread::spawn(move || serve(deck, &graph, version, inbox));
        Self { orders }
    }

    /// Opens every sink.
    pub(crate) async fn open(&self) -> Result<(), RunError> {
        self.order(Task::Open).await?.done().await.map(|_| ())
    }

    /// Lets the sinks write an epoch whose decisions are durable.
    pub(crate) async fn act(&self, work: EpochWork) -> Result<Acting, RunError> {
        self.order(Task::Act(work)).await
    }

    /// Publishes every sink's result.
    pub(crate) async fn publish(&self, epoch: EpochNo) -> Result<Acted, RunError> {
        self.order(Task::Publish(epoch)).await?.done().await
    }

    async fn order(&self, task: Task) -> Result<Acting, RunError> {
        let (reply, answer) = oneshot::channel();
        self.orders.send(Order { task, reply }).await.map_err(|_| gone())?;
        Ok(Acting { reply: answer })
    }
}

impl Acting {
    /// What the sinks did.
    pub(crate) async fn done(self) -> Result<Acted, RunError> {
        self.reply.await.map_err(|_| gone())?
    }
}

fn gone() -> RunError {
    RunError::Internal("the sinks' thread ended".to_owned())
}

fn serve(mut deck: SinkDeck, graph: &ExecutionGraph, version: HashVersion, mut inbox: mpsc::Receiver<Order>) {
    while let Some(order) = inbox.blocking_recv() {
        let result = match order.task {
            Task::Open => deck.open().map(|()| ActedEpoch::default()),
            Task::Act(work) => deck.act(work.decided.epoch, work.sinks, work.settled, graph),
            Task::Publish(epoch) => deck.publish(epoch),
        };
        let hashed = result.map_err(RunError::Act).and_then(|epoch| {
            let digest = ActedDigest::of(version, &epoch).map_err(LandscapeError::from)?;
            Ok(Acted { epoch, digest })
        });
        // Nobody waits for the answer any more when the run was given up meanwhile.
        drop(order.reply.send(hashed));
    }
}
