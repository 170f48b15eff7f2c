//! `sink_intents`: what sinks are about to write, from commit A until commit B of the same epoch.

use elspeth_contracts::EpochNo;
use elspeth_landscape::SinkIntent;

use crate::insert::Group;

pub(crate) struct Intents;

impl Intents {
    const INSERT: &'static str = "INSERT INTO sink_intents(run_no, epoch, sink, tokens) VALUES(?, ?, ?, ?)";
    const DELETE: &'static str = "DELETE FROM sink_intents WHERE run_no = ? AND epoch = ?";

    pub(crate) fn insert(group: &mut Group, run_no: i64, epoch: EpochNo, intents: &[SinkIntent]) {
        for intent in intents {
            let values = group.then(Self::INSERT);
            values.int(run_no).unsigned(epoch.0).step(intent.sink).blob(&packed(intent));
        }
    }

    pub(crate) fn delete(group: &mut Group, run_no: i64, epoch: EpochNo) {
        group.then(Self::DELETE).int(run_no).unsigned(epoch.0);
    }
}

/// Eight bytes a token, the most significant first.
fn packed(intent: &SinkIntent) -> Vec<u8> {
    intent.tokens.iter().flat_map(|token| token.get().to_be_bytes()).collect()
}
