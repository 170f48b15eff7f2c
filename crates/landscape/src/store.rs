use async_trait::async_trait;
use elspeth_contracts::{
    ArtifactRecord, BatchMemberRecord, BatchOutputRecord, BatchRecord, CallRecord, EdgeRecord, EpochNo,
    Micros, NodeRecord, NodeStateRecord, ReleaseRecord, RoutingEventRecord, RowIndex, RowRecord,
    StateContextRecord, Step, TokenKey, TokenOrigin, TokenOutcomeRecord, TokenParentRecord, TokenRecord,
    TransformErrorRecord, ValidationErrorRecord,
};

use crate::integrity::EpochHashes;
use crate::registry::Entry;
use crate::{
    ActedEpoch, ConservationBreach, Counters, DecidedEpoch, Failure, LandscapeError, ResumePoint,
    ResumptionRecord, RunRecord, RunRef, RunSeal, RunStart, RunSummary, TakeUp,
};

/// When a commit is durable.
#[derive(Default)]
#[must_use = "nobody may act on what is not durable"]
pub struct Durability(Option<Box<dyn FnOnce() -> Result<(), LandscapeError> + Send>>);

impl Durability {
    /// It is once `wait` comes back, which may be called on any thread.
    pub fn once(wait: impl FnOnce() -> Result<(), LandscapeError> + Send + 'static) -> Self {
        Self(Some(Box::new(wait)))
    }

    /// Waits for it.
    ///
    /// # Errors
    /// [`LandscapeError::Store`] when it cannot be made durable.
    pub fn wait(self) -> Result<(), LandscapeError> {
        self.0.map_or(Ok(()), |wait| wait())
    }
}

/// What a database does for a run that is being written. One process writes a run, through one of these.
///
/// Order of calls: `begin_run` or `take_up` once; then for every epoch `stage` and `commit`; last `seal`.
///
/// A writer writes its run only while it is the run's owner. When another process has taken the run up, whatever it does
/// fails with [`LandscapeError::LeaseLost`] and changes nothing.
///
/// What is begun ([`Entry::begun`]), taken up ([`Entry::taken_up`]), committed with a head ([`EpochHashes::head`]) and sealed is
/// appended to the registry in the same transaction.
#[async_trait]
pub trait LandscapeWriter: Send {
    /// Registers run, nodes and edges in one durable transaction.
    async fn begin_run(&mut self, start: &RunStart) -> Result<(), LandscapeError>;

    /// Takes a run over from an owner that is gone, in one durable transaction, instead of beginning one. The run is
    /// `running` again, and what sealing set is unset. From then on nothing of the owner before becomes durable any more.
    ///
    /// Fails with [`LandscapeError::Owned`] when the run is not as it was seen, since then somebody else has it.
    async fn take_up(&mut self, up: &TakeUp) -> Result<(), LandscapeError>;

    /// Writes commit A of an epoch into a transaction that stays open: nobody sees it, nothing is durable yet.
    async fn stage(&mut self, decided: &DecidedEpoch) -> Result<(), LandscapeError>;

    /// May write what commit B of the epoch before has to the open transaction already, while its hashes are being made.
    /// [`LandscapeWriter::commit`] is given the same `acted` afterwards and leaves out what was written. Nothing needs to
    /// be done here.
    async fn stage_acted(&mut self, _acted: &ActedEpoch) -> Result<(), LandscapeError> {
        Ok(())
    }

    /// Adds commit B of the first epoch that waits for it, where `acted` is given, and commits; see
    /// [`LandscapeWriter::durability`]. Without a staged epoch it commits B alone.
    ///
    /// After it failed, or [`LandscapeWriter::stage_acted`] did, only [`LandscapeWriter::rollback`] can come next.
    async fn commit(
        &mut self,
        acted: Option<&ActedEpoch>,
        hashes: &EpochHashes,
        now: Micros,
    ) -> Result<(), LandscapeError>;

    /// What is to be waited for before anybody acts on what was committed last: a writer may commit before the disk has it,
    /// so that the next epoch is staged meanwhile. Nothing, where [`LandscapeWriter::commit`] itself waits.
    ///
    /// What is committed later never becomes durable without what was committed before.
    fn durability(&mut self) -> Durability {
        Durability::default()
    }

    /// Rows of an epoch, unless the settings ask for others: from there on, more at once are not cheaper to write.
    fn epoch_rows(&self) -> usize {
        1_000
    }

    /// Throws away what was staged.
    async fn rollback(&mut self) -> Result<(), LandscapeError>;

    /// Shows that the owner lives. Does nothing while a transaction is staged: its commit is the sign of life.
    async fn heartbeat(&mut self, now: Micros) -> Result<(), LandscapeError>;

    /// Ends the run in one durable transaction.
    async fn seal(&mut self, seal: &RunSeal, entry: &Entry) -> Result<(), LandscapeError>;

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
    /// Every token that was made while the row itself was processed. Those made of it later have the release as origin
    /// and are found by [`LandscapeReader::children`] and [`LandscapeReader::memberships`].
    async fn tokens_of_row(&self, run_no: i64, row: RowIndex) -> Result<Vec<TokenRecord>, LandscapeError>;
    /// One token.
    async fn token(&self, run_no: i64, token: TokenKey) -> Result<Option<TokenRecord>, LandscapeError>;
    /// Parents, by ordinal.
    async fn parents(&self, run_no: i64, token: TokenKey) -> Result<Vec<TokenParentRecord>, LandscapeError>;
    /// Tokens of `origin` that have `parent` among their parents, by number. A parent's children are of its own origin, or
    /// of the release with which it went on; a merged token's number is the group of its parents' outcomes.
    async fn children(
        &self,
        run_no: i64,
        parent: TokenKey,
        origin: TokenOrigin,
    ) -> Result<Vec<TokenRecord>, LandscapeError>;
    /// The batches that tokens of `origin` are or were members of, by token and batch. May take a pass through all
    /// members of the run.
    async fn memberships(
        &self,
        run_no: i64,
        origin: TokenOrigin,
    ) -> Result<Vec<BatchMemberRecord>, LandscapeError>;
    /// Attempts to flush a batch, by attempt; none while it takes members.
    async fn batch(&self, run_no: i64, batch_no: u64) -> Result<Vec<BatchRecord>, LandscapeError>;
    /// How many members and outputs a batch has.
    async fn batch_size(&self, run_no: i64, batch_no: u64) -> Result<BatchSize, LandscapeError>;
    /// Members of a batch in order, `page` of them.
    async fn batch_members(
        &self,
        run_no: i64,
        batch_no: u64,
        page: Page,
    ) -> Result<Vec<BatchMemberRecord>, LandscapeError>;
    /// Outputs of a batch in order, `page` of them.
    async fn batch_outputs(
        &self,
        run_no: i64,
        batch_no: u64,
        page: Page,
    ) -> Result<Vec<BatchOutputRecord>, LandscapeError>;
    /// The batch that made a token, and its place among the outputs; `None` when no batch did.
    async fn made_by_batch(
        &self,
        run_no: i64,
        token: TokenKey,
    ) -> Result<Option<BatchOutputRecord>, LandscapeError>;
    /// The release of that number.
    async fn release(&self, run_no: i64, number: u64) -> Result<Option<ReleaseRecord>, LandscapeError>;
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
    /// States of each of `tokens` at nodes between source and sinks, by token, step and attempt.
    async fn states_of(
        &self,
        run_no: i64,
        tokens: &[TokenKey],
    ) -> Result<Vec<NodeStateRecord>, LandscapeError>;
    /// The first parent of each of `tokens` that has parents, by token.
    async fn first_parents(
        &self,
        run_no: i64,
        tokens: &[TokenKey],
    ) -> Result<Vec<TokenParentRecord>, LandscapeError>;
    /// Each of `rows` with the epoch it was committed in, by index.
    async fn rows_of(
        &self,
        run_no: i64,
        rows: &[RowIndex],
    ) -> Result<Vec<(RowRecord, EpochNo)>, LandscapeError>;
    /// The releases of those numbers, by number.
    async fn releases_of(&self, run_no: i64, numbers: &[u64]) -> Result<Vec<ReleaseRecord>, LandscapeError>;
    /// The batches that each of `tokens` is or was a member of, by token and batch. May take a pass through all members of
    /// the run, unless `tokens` is empty.
    async fn memberships_of(
        &self,
        run_no: i64,
        tokens: &[TokenKey],
    ) -> Result<Vec<BatchMemberRecord>, LandscapeError>;
    /// Tokens whose way an error ended, in their order, `limit` at most: those behind `after`, which is none for the first ones. What
    /// came too late for a merge is not among them.
    async fn failed_tokens(
        &self,
        run_no: i64,
        after: Option<TokenKey>,
        limit: u32,
    ) -> Result<Vec<TokenKey>, LandscapeError>;
    /// The time by which the run's last sign of life is judged, on the clock that `heartbeat_at` is on. `None` where that is
    /// this machine's clock; a store on a server judges by its own, since the clocks of machines differ.
    async fn lease_clock(&self, run: &RunRecord) -> Result<Option<Micros>, LandscapeError>;
    /// The times that the run was taken up, in their order.
    async fn resumptions(&self, run_no: i64) -> Result<Vec<ResumptionRecord>, LandscapeError>;
    /// How many rows are decided, and what was decided is not yet done.
    async fn rows_to_act_on(&self, run_no: i64) -> Result<u64, LandscapeError>;
    /// Where the run goes on, as of its last commit.
    async fn resume_point(&self, run_no: i64) -> Result<ResumePoint, LandscapeError>;
}

/// A part of a long list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The position of its first entry.
    pub from: u32,
    /// The most entries.
    pub limit: u32,
}

/// How large a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BatchSize {
    /// Tokens that it took.
    pub members: u64,
    /// Tokens that came of it.
    pub outputs: u64,
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
