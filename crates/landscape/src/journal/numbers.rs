//! The numbers of operations and artifacts: those of one node in one epoch are counted as they come.

use std::collections::BTreeMap;

use elspeth_contracts::{ArtifactRecord, EpochNo, OperationRecord, Step};

use crate::verify::Effect;

/// How many there are so far, of the epochs that can still get some.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    operations: BTreeMap<(EpochNo, Step), u64>,
    artifacts: BTreeMap<(EpochNo, Step), u64>,
    /// The last epoch that was acted on. What comes for it after that is the publication.
    acted: Option<EpochNo>,
}

impl Numbers {
    /// The number of the next operation of a node.
    pub(super) fn operation(&mut self, epoch: EpochNo, step: Step) -> u64 {
        next(&mut self.operations, epoch, step)
    }

    /// The number of the next artifact of a node.
    pub(super) fn artifact(&mut self, epoch: EpochNo, step: Step) -> u64 {
        next(&mut self.artifacts, epoch, step)
    }

    pub(super) fn operations(&mut self, records: &[OperationRecord]) -> Vec<Effect<OperationRecord>> {
        let numbered = records.iter().map(|record| Effect {
            ordinal: self.operation(record.epoch, record.step),
            published: self.acted == Some(record.epoch),
            record: record.clone(),
        });
        numbered.collect()
    }

    pub(super) fn artifacts(&mut self, records: &[ArtifactRecord]) -> Vec<Effect<ArtifactRecord>> {
        let numbered = records.iter().map(|record| Effect {
            ordinal: self.artifact(record.epoch, record.step),
            published: self.acted == Some(record.epoch),
            record: record.clone(),
        });
        numbered.collect()
    }

    /// What was decided in an epoch was thrown away.
    pub(super) fn unstage(&mut self, epoch: EpochNo) {
        self.operations.retain(|(of, _), _| *of != epoch);
    }

    /// An epoch was acted on; those before it get nothing any more.
    pub(super) fn acted(&mut self, epoch: EpochNo) {
        self.acted = Some(epoch);
        self.operations.retain(|(of, _), _| *of >= epoch);
        self.artifacts.retain(|(of, _), _| *of >= epoch);
    }
}

fn next(numbers: &mut BTreeMap<(EpochNo, Step), u64>, epoch: EpochNo, step: Step) -> u64 {
    let next = numbers.entry((epoch, step)).or_default();
    *next += 1;
    *next - 1
}
