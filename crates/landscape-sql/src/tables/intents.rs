//! `sink_intents`: what sinks are about to write, from commit A until commit B of the same epoch.

use elspeth_contracts::{EpochNo, TokenKey};
use elspeth_landscape::{LandscapeError, SinkIntent};

use crate::insert::Group;
use crate::stored::{Origin, Stored};

pub(crate) struct Intents;

impl Intents {
    const INSERT: &'static str = "INSERT INTO sink_intents(run_no, epoch, sink, tokens) VALUES(?, ?, ?, ?)";
    const DELETE: &'static str = "DELETE FROM sink_intents WHERE run_no = ? AND epoch = ?";

    pub(crate) const ORIGIN: Origin = Origin { table: "sink_intents", key: &["run_no", "epoch", "sink"] };
    pub(crate) const SELECT: &'static str =
        "SELECT run_no, epoch, sink, tokens FROM sink_intents WHERE run_no = ? AND epoch = ? ORDER BY sink";

    pub(crate) fn read(stored: &Stored<'_>) -> Result<SinkIntent, LandscapeError> {
        let bytes = stored.bytes("tokens")?;
        let (tokens, rest) = bytes.as_chunks::<8>();
        let key = |bytes: &[u8; 8]| TokenKey::from_u64(u64::from_be_bytes(*bytes));
        match tokens.iter().map(key).collect::<Option<Vec<TokenKey>>>() {
            Some(tokens) if rest.is_empty() => Ok(SinkIntent { sink: stored.step("sink")?, tokens }),
            Some(_) | None => Err(stored.corrupt("`tokens` are no tokens")),
        }
    }

    pub(crate) fn insert(group: &mut Group, run_no: i64, epoch: EpochNo, intents: &[SinkIntent]) {
        for intent in intents {
            let values = group.then(Self::INSERT);
            values.int(run_no).unsigned(epoch.0).step(intent.sink).long_blob(packed(intent));
        }
    }

    pub(crate) fn delete(group: &mut Group, run_no: i64, epoch: EpochNo) {
        group.then(Self::DELETE).int(run_no).unsigned(epoch.0);
    }
}

/// Eight bytes a token, the most significant first.
fn packed(intent: &SinkIntent) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(intent.tokens.len() * 8);
    intent.tokens.iter().for_each(|token| bytes.extend(token.get().to_be_bytes()));
    bytes
}
