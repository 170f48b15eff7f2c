//! An exported run in memory, for a verifier that has no database.

mod conserve;
mod keyed;
mod scan;

use std::collections::BTreeMap;
use std::sync::Arc;

use elspeth_canonical::ContentHash;
use elspeth_contracts::{
    ArtifactRecord, BatchMemberRecord, BatchOutputRecord, BatchRecord, CallRecord, EdgeRecord, EpochNo,
    NodeRecord, NodeStateRecord, OperationRecord, ReleaseRecord, RoutingEventRecord, RowRecord,
    StateContextRecord, TokenOutcomeRecord, TokenParentRecord, TokenRecord, TransformErrorRecord,
    ValidationErrorRecord,
};
use elspeth_payload::{LargeBodies, PayloadError, address};
use elspeth_proof::{Checkpoint, Trust, Vouched};

use super::{
    CheckpointLine, Export, ExportError, Line, LineError, PayloadLine, PurgeFileLine, PurgeLine,
    RegistryLine, ResumptionLine, RunLine, SinkIntentLine, SinkPositionLine,
};
use crate::registry::Entry;
use crate::verify::{Effect, EpochRecord, Subject, Verification, verify};
use crate::{LandscapeError, ResumptionRecord, RunRecord};

/// Every record of an exported run.
pub struct Loaded {
    run: RunRecord,
    resumptions: Vec<ResumptionRecord>,
    records: Arc<Records>,
}

/// Who stands for an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voucher {
    /// The names of given keys by which the export is signed.
    pub signers: Vec<String>,
    /// The head under which the run's end is entered, and who stands for it.
    pub head: Option<(Checkpoint, Vouched)>,
}

impl Voucher {
    /// Whether anybody does whom the verifier named.
    #[must_use]
    pub fn is_somebody(&self) -> bool {
        let by_head = self.head.as_ref().is_some_and(|(_, vouched)| *vouched != Vouched::Nobody);
        by_head || !self.signers.is_empty()
    }
}

/// Lists in key order.
#[derive(Default)]
struct Records {
    run: Option<RunLine>,
    /// Whether bodies were exported.
    bodies: bool,
    nodes: Vec<NodeRecord>,
    edges: Vec<EdgeRecord>,
    rows: Vec<RowRecord>,
    validation_errors: Vec<ValidationErrorRecord>,
    tokens: Vec<TokenRecord>,
    parents: Vec<TokenParentRecord>,
    states: Vec<NodeStateRecord>,
    sink_states: Vec<NodeStateRecord>,
    contexts: Vec<StateContextRecord>,
    routing: Vec<RoutingEventRecord>,
    calls: Vec<CallRecord>,
    transform_errors: Vec<TransformErrorRecord>,
    outcomes: Vec<TokenOutcomeRecord>,
    batches: Vec<BatchRecord>,
    members: Vec<BatchMemberRecord>,
    outputs: Vec<BatchOutputRecord>,
    releases: Vec<ReleaseRecord>,
    operations: Vec<Effect<OperationRecord>>,
    artifacts: Vec<Effect<ArtifactRecord>>,
    epochs: Vec<EpochRecord>,
    checkpoints: Vec<CheckpointLine>,
    positions: Vec<SinkPositionLine>,
    intents: Vec<SinkIntentLine>,
    resumptions: Vec<ResumptionLine>,
    purges: Vec<PurgeLine>,
    purge_files: Vec<PurgeFileLine>,
    registry: Vec<RegistryLine>,
    blocks: BTreeMap<EpochNo, Vec<u8>>,
    payloads: BTreeMap<ContentHash, Vec<u8>>,
    /// Something that no database would have taken.
    stray: Option<crate::Corruption>,
}

impl Loaded {
    /// Reads all of an export.
    ///
    /// # Errors
    /// Those of [`Export::each`].
    pub fn of(export: &Export) -> Result<Self, ExportError> {
        let mut records = Records { bodies: export.manifest.bodies, ..Records::default() };
        export.each(|line| records.take(line).map_err(LineError::Wrong))?;
        records.sort();
        let run = records.run.as_ref().expect("an export begins with its run");
        let run = run.run(1, records.epochs.len() as u64);
        let resumptions = records.resumptions.iter().cloned().map(Into::into).collect();
        Ok(Self { run, resumptions, records: Arc::new(records) })
    }

    /// The run.
    #[must_use]
    pub fn run(&self) -> &RunRecord {
        &self.run
    }

    /// Who stands for the head of the registry under which the run's end is, and who signed the export; nothing where there is
    /// neither. What a head stands for are the roots in the run's last entry, which [`Loaded::verify`] compares with the record.
    ///
    /// # Errors
    /// What is wrong with either, in words.
    pub fn vouched(&self, export: &Export, trust: &Trust) -> Result<Voucher, String> {
        let Some(attestation) = &export.manifest.registry else {
            return Ok(Voucher { signers: export.signers(trust.keys())?, head: None });
        };
        let signers = export.signers(&trust.keys_of(&attestation.origin()?))?;
        let is_end = |line: &&RegistryLine| {
            matches!(Entry::read(&line.entry), Some(Entry::Sealed(_) | Entry::Imported(_)))
        };
        let end = self.records.registry.iter().rev().find(is_end);
        if end.is_none_or(|end| (end.number, &end.entry) != (attestation.index, &attestation.entry)) {
            return Err("the manifest proves another entry than that of the run's end".to_owned());
        }
        let head = attestation.vouched(trust).or_else(|error| match signers.is_empty() {
            true => Err(error),
            // Whoever signed the export need not have signed the head.
            false => attestation.vouched(&trust.heads_alone()),
        })?;
        Ok(Voucher { signers, head: Some(head) })
    }

    /// Verifies it as [`verify`] does with a database: everything but what sinks wrote outside.
    ///
    /// # Errors
    /// [`LandscapeError`] is none that reading memory could give; what is wrong is the answer.
    pub fn verify(&self) -> Result<Verification, LandscapeError> {
        let records = self.records.as_ref();
        let bodies = Payloads(&records.payloads);
        let subject = Subject {
            run: &self.run,
            nodes: &records.nodes,
            edges: &records.edges,
            resumptions: &self.resumptions,
            artifacts: None,
            bodies: Some(&bodies),
            registry: None,
            ran_here: false,
            alone: false,
        };
        verify(self, &subject)
    }
}

/// Large bodies that were exported.
struct Payloads<'a>(&'a BTreeMap<ContentHash, Vec<u8>>);

impl LargeBodies for Payloads<'_> {
    fn is_here(&self) -> bool {
        true
    }

    fn large(&self, hash: ContentHash) -> Result<Option<Vec<u8>>, PayloadError> {
        Ok(self.0.get(&hash).cloned())
    }
}

impl Records {
    fn take(&mut self, line: Line) -> Result<(), String> {
        match line {
            Line::Run(record) => self.run = Some(record),
            Line::Node(record) => self.nodes.push(record),
            Line::Edge(record) => self.edges.push(record),
            Line::Row(record) => self.rows.push(record),
            Line::Token(record) => self.tokens.push(record.into()),
            Line::TokenParent(record) => self.parents.push(record),
            Line::NodeState(record) => self.states.push(record),
            Line::StateContext(record) => self.contexts.push(record),
            Line::RoutingEvent(record) => self.routing.push(record),
            Line::Call(record) => self.calls.push(record),
            Line::ValidationError(record) => self.validation_errors.push(record),
            Line::TransformError(record) => self.transform_errors.push(record),
            Line::Batch(record) => self.batches.push(record),
            Line::BatchMember(record) => self.members.push(record),
            Line::BatchOutput(record) => self.outputs.push(record),
            Line::Release(record) => self.releases.push(record),
            Line::Operation(record) => self.operations.push(record.into()),
            Line::SinkState(record) => self.sink_states.push(record),
            Line::TokenOutcome(record) => self.outcomes.push(record.try_into()?),
            Line::Artifact(record) => self.artifacts.push(record.into()),
            Line::Epoch(record) => self.epochs.push(record.try_into()?),
            Line::Checkpoint(record) => self.checkpoints.push(record),
            Line::SinkPosition(record) => self.positions.push(record),
            Line::SinkIntent(record) => self.intents.push(record),
            Line::Resumption(record) => self.resumptions.push(record),
            Line::Purge(record) => {
                purge_is_whole(&record)?;
                self.purges.push(record);
            }
            Line::PurgeFile(record) => self.purge_files.push(record),
            Line::Registry(record) => self.registry.push(record),
            Line::Bodies(record) => {
                if self.blocks.insert(record.epoch, record.block.0).is_some() {
                    return Err("the epoch has bodies already".to_owned());
                }
            }
            Line::Payload(PayloadLine { hash, content }) => {
                if address(&content.0) != hash {
                    return Err("the content does not have that hash".to_owned());
                }
                if self.payloads.insert(hash, content.0).is_some() {
                    return Err("that body is there already".to_owned());
                }
            }
        }
        Ok(())
    }
}

fn purge_is_whole(purge: &PurgeLine) -> Result<(), String> {
    match purge.finished_at.is_some() == (purge.status == elspeth_contracts::PurgeStatus::Done) {
        true => Ok(()),
        false => Err("`finished_at` contradicts `status`".to_owned()),
    }
}
