//! What is the key of each record: by it they are found, and no two have the same.

use elspeth_contracts::{
    ArtifactRecord, BatchMemberRecord, BatchOutputRecord, BatchRecord, CallRecord, EdgeRecord, NodeRecord,
    NodeStateRecord, OperationRecord, ReleaseRecord, RoutingEventRecord, RowRecord, StateContextRecord,
    TokenKey, TokenOutcomeRecord, TokenParentRecord, TokenRecord, TransformErrorRecord,
    ValidationErrorRecord,
};

use super::Records;
use crate::Corruption;
use crate::export::{
    CheckpointLine, PurgeFileLine, PurgeLine, RegistryLine, ResumptionLine, SinkIntentLine, SinkPositionLine,
};
use crate::verify::{Effect, EpochRecord};

/// A record with a key.
pub(super) trait Keyed {
    const TABLE: &'static str;
    type Key: Ord + std::fmt::Debug;

    fn key(&self) -> Self::Key;
}

/// One that belongs to a token.
pub(super) trait OfToken {
    fn token(&self) -> TokenKey;
}

macro_rules! keyed {
    ($($type:ty: $table:literal, $key:ty, |$record:ident| $value:expr;)+) => { $(impl Keyed for $type {
        const TABLE: &'static str = $table;
        type Key = $key;

        fn key(&self) -> $key {
            let $record = self;
            $value
        }
    })+ };
}

keyed! {
    NodeRecord: "nodes", u16, |r| r.step.get();
    EdgeRecord: "edges", u16, |r| r.edge.0;
    RowRecord: "rows", u64, |r| r.row_index.get();
    ValidationErrorRecord: "validation_errors", u64, |r| r.row_index.get();
    TokenRecord: "tokens", u64, |r| r.token.get();
    TokenParentRecord: "token_parents", (u64, u32), |r| (r.token.get(), r.ordinal);
    NodeStateRecord: "node_states", (u64, u16, u8), |r| (r.token.get(), r.step.get(), r.attempt);
    StateContextRecord: "state_contexts", (u64, u16, u8), |r| (r.token.get(), r.step.get(), r.attempt);
    RoutingEventRecord: "routing_events", (u64, (u16, u8), u16),
        |r| (r.token.get(), (r.step.get(), r.attempt), r.ordinal);
    CallRecord: "calls", (u64, (u16, u8), u16), |r| (r.token.get(), (r.step.get(), r.attempt), r.call_index);
    TransformErrorRecord: "transform_errors", (u64, u16, u8), |r| (r.token.get(), r.step.get(), r.attempt);
    TokenOutcomeRecord: "token_outcomes", (u64, bool), |r| (r.token.get(), r.outcome.is_terminal());
    BatchRecord: "batches", (u64, u8), |r| (r.batch_no, r.attempt);
    BatchMemberRecord: "batch_members", (u64, u32), |r| (r.batch_no, r.ordinal);
    BatchOutputRecord: "batch_outputs", (u64, u32), |r| (r.batch_no, r.ordinal);
    ReleaseRecord: "releases", u64, |r| r.number;
    Effect<OperationRecord>: "operations", (u64, u16, u64), |r| (r.record.epoch.0, r.record.step.get(), r.ordinal);
    Effect<ArtifactRecord>: "artifacts", (u64, u16, u64), |r| (r.record.epoch.0, r.record.step.get(), r.ordinal);
    EpochRecord: "epochs", u64, |r| r.epoch.0;
    CheckpointLine: "checkpoints", u64, |r| r.epoch.0;
    SinkPositionLine: "sink_positions", u16, |r| r.sink.get();
    SinkIntentLine: "sink_intents", (u64, u16), |r| (r.epoch.0, r.sink.get());
    ResumptionLine: "resumptions", u64, |r| r.ordinal;
    PurgeLine: "purges", i64, |r| r.purge_no;
    PurgeFileLine: "purge_files", (i64, [u8; 32]), |r| (r.purge_no, *r.hash.as_bytes());
    RegistryLine: "registry", u64, |r| r.number;
}

macro_rules! of_token {
    ($($type:ty)+) => { $(impl OfToken for $type {
        fn token(&self) -> TokenKey {
            self.token
        }
    })+ };
}

of_token! {
    TokenRecord TokenParentRecord NodeStateRecord StateContextRecord RoutingEventRecord CallRecord TransformErrorRecord
    TokenOutcomeRecord
}

impl Records {
    /// Puts every list in order, and notes what no database would have taken.
    pub(super) fn sort(&mut self) {
        let stray = [
            sort(&mut self.nodes),
            sort(&mut self.edges),
            sort(&mut self.rows),
            sort(&mut self.validation_errors),
            sort(&mut self.tokens),
            sort(&mut self.parents),
            sort(&mut self.states),
            sort(&mut self.sink_states),
            sort(&mut self.contexts),
            sort(&mut self.routing),
            sort(&mut self.calls),
            sort(&mut self.transform_errors),
            sort(&mut self.outcomes),
            sort(&mut self.batches),
            sort(&mut self.members),
            sort(&mut self.outputs),
            sort(&mut self.releases),
            sort(&mut self.operations),
            sort(&mut self.artifacts),
            sort(&mut self.epochs),
            sort(&mut self.checkpoints),
            sort(&mut self.positions),
            sort(&mut self.intents),
            sort(&mut self.resumptions),
            sort(&mut self.purges),
            sort(&mut self.purge_files),
            sort(&mut self.registry),
        ];
        self.stray = stray.into_iter().flatten().next().or_else(|| self.unowned());
    }

    /// Files of purges that do not exist.
    fn unowned(&self) -> Option<Corruption> {
        let known = |number: i64| self.purges.iter().any(|purge| purge.purge_no == number);
        let file = self.purge_files.iter().find(|file| !known(file.purge_no))?;
        Some(Corruption {
            table: "purges",
            id: format!("number {}", file.purge_no),
            what: "there are files of it, but it does not exist".to_owned(),
        })
    }
}

fn sort<R: Keyed>(records: &mut [R]) -> Option<Corruption> {
    records.sort_by_key(Keyed::key);
    let twice = records.windows(2).find(|pair| pair[0].key() == pair[1].key())?;
    Some(Corruption {
        table: R::TABLE,
        id: format!("{:?}", twice[0].key()),
        what: "there are two with that key".to_owned(),
    })
}

/// The part of a list whose keys, by `key`, are between two.
pub(super) fn between<R, K: Ord>(records: &[R], (first, last): (K, K), key: impl Fn(&R) -> K) -> &[R] {
    let from = records.partition_point(|record| key(record) < first);
    let to = from + records[from..].partition_point(|record| key(record) <= last);
    &records[from..to]
}
