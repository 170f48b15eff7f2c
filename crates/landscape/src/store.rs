use async_trait::async_trait;
use elspeth_contracts::{
    ArtifactRecord, CallRecord, EdgeRecord, EpochNo, Micros, NodeRecord, NodeStateRecord, RoutingEventRecord,
    RowIndex, RowRecord, StateContextRecord, Step, TokenKey, TokenOutcomeRecord, TokenParentRecord,
    TokenRecord, TransformErrorRecord, ValidationErrorRecord,
};

use crate::integrity::EpochHashes;
use crate::{
    ActedEpoch, ConservationBreach, Counters, DecidedEpoch, Failure, LandscapeError, RunRecord, RunRef,
    RunSeal, RunStart, RunSummary,
};

/// What a database does for a run that is being written. One process writes a run, through one of these.
///
/// Order of calls: `begin_run` once; then for every epoch `stage` and `commit`; last `seal`.
#[async_trait]
pub trait LandscapeWriter: Send {
    /// Registers run, nodes and edges in one durable transaction.
    async fn begin_run(&mut self, start: &RunStart) -> Result<(), LandscapeError>;

    /// Writes commit A of an epoch into a transaction that stays open: nobody sees it, nothing is durable yet.
    async fn stage(&mut self, decided: &DecidedEpoch) -> Result<(), LandscapeError>;

    /// Adds commit B of the epoch before, if there was one, and makes the transaction durable.
    /// Without a staged epoch it commits B alone (the last epoch's).
    async fn commit(
        &mut self,
        acted: Option<&ActedEpoch>,
        hashes: &EpochHashes,
        now: Micros,
    ) -> Result<(), LandscapeError>;

    /// Throws away what was staged.
    async fn rollback(&mut self) -> Result<(), LandscapeError>;

    /// Shows that the owner lives. Does nothing while a transaction is staged: its commit is the sign of life.
    async fn heartbeat(&mut self, now: Micros) -> Result<(), LandscapeError>;

    /// Ends the run in one durable transaction.
    async fn seal(&mut self, seal: &RunSeal) -> Result<(), LandscapeError>;

    /// Rules of conservation that the run breaks; empty for a sound one. Asked before sealing as completed.
    async fn conservation(&mut self) -> Result<Vec<ConservationBreach>, LandscapeError>;
}

/// What a database does for those who ask. Works beside a writer at any time; each call sees one consistent state.
///
/// `run_no` is [`RunRecord::run_no`].
#[async_trait]
pub trait LandscapeReader: Send + Sync {
    /// All runs, newest first.
    async fn runs(&self) -> Result<Vec<RunSummary>, LandscapeError>;
    /// The run that is meant.
    async fn run(&self, run: &RunRef) -> Result<RunRecord, LandscapeError>;
    /// Nodes in step order.
    async fn nodes(&self, run_no: i64) -> Result<Vec<NodeRecord>, LandscapeError>;
    /// Edges in edge order.
    async fn edges(&self, run_no: i64) -> Result<Vec<EdgeRecord>, LandscapeError>;
    /// Counters and destinations, computed from the record.
    async fn counters(&self, run_no: i64) -> Result<Counters, LandscapeError>;
    /// One row and the epoch it was committed in.
    async fn row(&self, run_no: i64, row: RowIndex) -> Result<Option<(RowRecord, EpochNo)>, LandscapeError>;
    /// Every token of a row.
    async fn tokens_of_row(&self, run_no: i64, row: RowIndex) -> Result<Vec<TokenRecord>, LandscapeError>;
    /// One token.
    async fn token(&self, run_no: i64, token: TokenKey) -> Result<Option<TokenRecord>, LandscapeError>;
    /// Parents, by ordinal.
    async fn parents(&self, run_no: i64, token: TokenKey) -> Result<Vec<TokenParentRecord>, LandscapeError>;
    /// States at every node, sinks included, by step and attempt.
    async fn states(&self, run_no: i64, token: TokenKey) -> Result<Vec<NodeStateRecord>, LandscapeError>;
    /// More about some of its states, by step and attempt.
    async fn contexts(&self, run_no: i64, token: TokenKey)
    -> Result<Vec<StateContextRecord>, LandscapeError>;
    /// Where it was sent, by step, attempt and ordinal.
    async fn routing(&self, run_no: i64, token: TokenKey) -> Result<Vec<RoutingEventRecord>, LandscapeError>;
    /// Calls made for it.
    async fn calls(&self, run_no: i64, token: TokenKey) -> Result<Vec<CallRecord>, LandscapeError>;
    /// Why nodes failed for it.
    async fn transform_errors(
        &self,
        run_no: i64,
        token: TokenKey,
    ) -> Result<Vec<TransformErrorRecord>, LandscapeError>;
    /// Why the source record was refused.
    async fn validation_error(
        &self,
        run_no: i64,
        row: RowIndex,
    ) -> Result<Option<ValidationErrorRecord>, LandscapeError>;
    /// What became of it; `None` while it is under way.
    async fn outcome(
        &self,
        run_no: i64,
        token: TokenKey,
    ) -> Result<Option<TokenOutcomeRecord>, LandscapeError>;
    /// The packed bodies of an epoch; `None` when they were purged or there were none.
    async fn bodies(&self, run_no: i64, epoch: EpochNo) -> Result<Option<Vec<u8>>, LandscapeError>;
    /// Artifacts as they are now: the newest of each path.
    async fn artifacts(&self, run_no: i64) -> Result<Vec<ArtifactRecord>, LandscapeError>;
    /// Up to `limit` rows (in row order) that ended in a sink, so that `explain --row N --sink NAME` and advice can name one.
    async fn tokens_at_sink(
        &self,
        run_no: i64,
        sink: Step,
        limit: u32,
    ) -> Result<Vec<TokenKey>, LandscapeError>;
    /// Failures in canonical order, at most `limit` of them.
    async fn failures(&self, run_no: i64, limit: u64) -> Result<Vec<Failure>, LandscapeError>;
    /// Failures counted by step, kind and destination.
    async fn failure_counts(&self, run_no: i64) -> Result<Vec<FailureCount>, LandscapeError>;
}

/// How often one kind of failure happened at one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureCount {
    /// Where.
    pub step: Step,
    /// Kind, as stored.
    pub kind: String,
    /// The sink the rows went to; `None` for discard.
    pub destination: Option<Step>,
    /// How often.
    pub count: u64,
    /// The message of one of them.
    pub example: String,
}
