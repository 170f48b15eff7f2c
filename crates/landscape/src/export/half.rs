//! What one commit adds to an epoch, as lines.

use elspeth_contracts::{ArtifactRecord, OperationRecord, Step};

use super::Line;
use crate::verify::{Effect, Effects, EpochRecords};
use crate::{ActedEpoch, DecidedEpoch};

/// A half of an epoch: its records in the order of their kinds, what source and sinks did with their numbers.
pub(crate) struct Half {
    records: Records,
    pub(crate) operations: Vec<Effect<OperationRecord>>,
    pub(crate) artifacts: Vec<Effect<ArtifactRecord>>,
}

enum Records {
    Decided(Box<DecidedEpoch>),
    Acted(Box<ActedEpoch>),
}

/// What was decided in an epoch, what was done with it, and what came with the publication.
pub(crate) struct Halves(pub(crate) [Half; 3]);

impl Halves {
    pub(crate) fn of(records: EpochRecords) -> Self {
        let EpochRecords { decided, acted, published, effects: Effects { operations, artifacts }, .. } =
            records;
        let (loads, writes): (Vec<_>, Vec<_>) =
            operations.into_iter().partition(|operation| operation.record.step == Step::SOURCE);
        let (late_writes, writes) = writes.into_iter().partition(|operation| operation.published);
        let (late_artifacts, artifacts) = artifacts.into_iter().partition(|artifact| artifact.published);
        Self([
            Half::decided(decided, loads),
            Half::acted(acted, writes, artifacts),
            Half::acted(published, late_writes, late_artifacts),
        ])
    }
}

impl Half {
    pub(crate) fn decided(decided: DecidedEpoch, operations: Vec<Effect<OperationRecord>>) -> Self {
        Self { records: Records::Decided(Box::new(decided)), operations, artifacts: Vec::new() }
    }

    pub(crate) fn acted(
        acted: ActedEpoch,
        operations: Vec<Effect<OperationRecord>>,
        artifacts: Vec<Effect<ArtifactRecord>>,
    ) -> Self {
        Self { records: Records::Acted(Box::new(acted)), operations, artifacts }
    }

    /// Gives every line.
    pub(crate) fn lines<E>(self, put: &mut impl FnMut(Line) -> Result<(), E>) -> Result<(), E> {
        match self.records {
            Records::Decided(decided) => decided_lines(*decided, put)?,
            Records::Acted(acted) => acted_lines(*acted, put)?,
        }
        self.operations.into_iter().map(|effect| Line::Operation(effect.into())).try_for_each(&mut *put)?;
        self.artifacts.into_iter().map(|effect| Line::Artifact(effect.into())).try_for_each(put)
    }
}

/// What was decided, kind by kind, but the operations: those are numbered.
fn decided_lines<E>(decided: DecidedEpoch, put: &mut impl FnMut(Line) -> Result<(), E>) -> Result<(), E> {
    decided.rows.into_iter().map(Line::Row).try_for_each(&mut *put)?;
    decided.tokens.into_iter().map(|token| Line::Token(token.into())).try_for_each(&mut *put)?;
    decided.token_parents.into_iter().map(Line::TokenParent).try_for_each(&mut *put)?;
    decided.states.into_iter().map(Line::NodeState).try_for_each(&mut *put)?;
    decided.contexts.into_iter().map(Line::StateContext).try_for_each(&mut *put)?;
    decided.routing.into_iter().map(Line::RoutingEvent).try_for_each(&mut *put)?;
    decided.calls.into_iter().map(Line::Call).try_for_each(&mut *put)?;
    decided.validation_errors.into_iter().map(Line::ValidationError).try_for_each(&mut *put)?;
    decided.transform_errors.into_iter().map(Line::TransformError).try_for_each(&mut *put)?;
    decided.batches.into_iter().map(Line::Batch).try_for_each(&mut *put)?;
    decided.batch_members.into_iter().map(Line::BatchMember).try_for_each(&mut *put)?;
    decided.batch_outputs.into_iter().map(Line::BatchOutput).try_for_each(&mut *put)?;
    decided.releases.into_iter().map(Line::Release).try_for_each(&mut *put)
}

/// What was done, kind by kind, but operations and artifacts.
fn acted_lines<E>(acted: ActedEpoch, put: &mut impl FnMut(Line) -> Result<(), E>) -> Result<(), E> {
    acted.sink_states.into_iter().map(Line::SinkState).try_for_each(&mut *put)?;
    acted.routing.into_iter().map(Line::RoutingEvent).try_for_each(&mut *put)?;
    acted.transform_errors.into_iter().map(Line::TransformError).try_for_each(&mut *put)?;
    acted.outcomes.into_iter().map(|outcome| Line::TokenOutcome(outcome.into())).try_for_each(put)
}
