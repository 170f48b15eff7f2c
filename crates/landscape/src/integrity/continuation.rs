//! Hashes over that from which a run would go on: they are part of the links, so that nobody can send a run elsewhere.

use elspeth_canonical::{ContentHash, HashVersion};
use elspeth_contracts::Step;

use super::encode::Encoder;
use crate::{SinkIntent, SinkProgress};

const CONTINUATION: &[u8] = b"elspeth-continuation-v1\0";
const INTENTS: &[u8] = b"elspeth-intents-v1\0";
/// A step and a hash.
const POSITION: usize = 2 + 32;

/// What a commit keeps to go on from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GoingOn<'a> {
    pub(crate) source_position: &'a str,
    pub(crate) buffers: &'a str,
    pub(crate) pending: &'a [u8],
    /// [`intents_hash`].
    pub(crate) intents: ContentHash,
}

impl GoingOn<'_> {
    pub(crate) fn hash(&self, version: HashVersion) -> ContentHash {
        let mut out = Encoder::default();
        out.raw(CONTINUATION);
        out.text(self.source_position);
        out.text(self.buffers);
        out.u64(self.pending.len() as u64);
        out.raw(self.pending);
        out.hash(self.intents);
        version.hash(out.bytes())
    }
}

/// Of what sinks are about to write.
pub(crate) fn intents_hash<'a>(
    version: HashVersion,
    intents: impl ExactSizeIterator<Item = &'a SinkIntent>,
) -> ContentHash {
    let mut out = Encoder::digesting(version);
    out.raw(INTENTS);
    out.count(intents.len());
    for SinkIntent { sink, tokens } in intents {
        out.u16(sink.get());
        out.u64(tokens.len() as u64);
        for token in tokens {
            out.u64(token.get());
            out.relieve();
        }
    }
    out.digest(version)
}

/// Where the sinks that wrote go on: for each, by step, the step and the hash of its position.
pub(crate) fn positions(version: HashVersion, sinks: &[SinkProgress]) -> Vec<u8> {
    let mut sinks: Vec<&SinkProgress> = sinks.iter().collect();
    sinks.sort_by_key(|progress| progress.sink);
    let mut out = Encoder::default();
    for SinkProgress { sink, position } in sinks {
        out.u16(sink.get());
        out.hash(version.hash(position.as_bytes()));
    }
    out.bytes().to_vec()
}

/// The hash of a sink's position among those of an epoch.
pub(crate) fn position_of(positions: &[u8], sink: Step) -> Option<ContentHash> {
    let (positions, _) = positions.as_chunks::<POSITION>();
    let found = positions.iter().find(|position| position[..2] == sink.get().to_be_bytes())?;
    Some(ContentHash::from_bytes(found[2..].try_into().expect("what is left of it is a hash")))
}
