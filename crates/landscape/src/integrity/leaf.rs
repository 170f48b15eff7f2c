use elspeth_canonical::{ContentHash, HashVersion};
use elspeth_contracts::{
    CallRecord, NodeStateRecord, RoutingEventRecord, RowRecord, StateContextRecord, TokenOutcomeRecord,
    TokenParentRecord, TokenRecord, TransformErrorRecord, ValidationErrorRecord,
};

use super::LeafBatch;
use super::encode::Encoder;

/// What a leaf's bytes begin with, so that no leaf can be taken for an inner node (RFC 9162, 2.1.1).
pub(super) const LEAF_PREFIX: u8 = 0;

/// Makes the content leaf of one row or outcome after the other; keeps its buffer.
///
/// For each row, in this order: the row, its tokens, their parents, its states, their contexts, routing events, calls, the
/// validation error, transform errors; each kind by key. Then [`LeafEncoder::finish`].
///
/// For each outcome: states of its token at sinks, routing events, transform errors, the outcome. Releases have leaves of
/// another form: [`super::ReleaseRecords`].
///
/// Times and durations never reach a leaf. A context is content: what is measured does not belong there.
///
/// ```
/// use elspeth_canonical::{ContentHash, HashVersion};
/// use elspeth_contracts::{RowIndex, RowRecord, TokenKey, TokenRecord};
/// use elspeth_landscape::integrity::LeafEncoder;
///
/// let row_index = RowIndex::new(0).unwrap();
/// let hash = ContentHash::from_bytes([7; 32]);
/// let mut leaf = LeafEncoder::new(HashVersion::Blake3V1);
/// let mut leaf_at = |read_us| {
///     leaf.row(&RowRecord { row_index, source_data_hash: hash, read_us, valid: true });
///     leaf.token(&TokenRecord::plain(TokenKey::of_row(row_index, 0).unwrap()));
///     leaf.finish()
/// };
/// assert_eq!(leaf_at(10), leaf_at(2_000));
/// ```
#[derive(Debug)]
pub struct LeafEncoder {
    version: HashVersion,
    out: Encoder,
}

impl LeafEncoder {
    /// An encoder for a run of that hash version.
    #[must_use]
    pub fn new(version: HashVersion) -> Self {
        let mut out = Encoder::digesting(version);
        out.u8(LEAF_PREFIX);
        Self { version, out }
    }

    /// An encoder whose bytes are wanted, and not their hashes.
    pub(crate) fn keeping(version: HashVersion) -> Self {
        let mut out = Encoder::default();
        out.u8(LEAF_PREFIX);
        Self { version, out }
    }

    /// The row.
    pub fn row(&mut self, record: &RowRecord) {
        self.out.content(record);
    }

    /// A token of it.
    pub fn token(&mut self, record: &TokenRecord) {
        self.out.content(record);
    }

    /// A parent of one of its tokens.
    pub fn parent(&mut self, record: &TokenParentRecord) {
        self.out.content(record);
    }

    /// A state of one of its tokens.
    pub fn state(&mut self, record: &NodeStateRecord) {
        self.out.content(record);
    }

    /// More about a state.
    pub fn context(&mut self, record: &StateContextRecord) {
        self.out.content(record);
    }

    /// Where one of its tokens was sent.
    pub fn routing(&mut self, record: &RoutingEventRecord) {
        self.out.content(record);
    }

    /// A request made for it.
    pub fn call(&mut self, record: &CallRecord) {
        self.out.content(record);
    }

    /// Why it was refused.
    pub fn validation_error(&mut self, record: &ValidationErrorRecord) {
        self.out.content(record);
    }

    /// Why a node failed for it.
    pub fn transform_error(&mut self, record: &TransformErrorRecord) {
        self.out.content(record);
    }

    /// What became of a token.
    pub(crate) fn outcome(&mut self, record: &TokenOutcomeRecord) {
        self.out.content(record);
    }

    /// The leaf of everything given since the last one.
    pub fn finish(&mut self) -> ContentHash {
        let leaf = self.out.digest(self.version);
        self.out.u8(LEAF_PREFIX);
        leaf
    }

    /// The same, in a batch with others.
    pub fn finish_later(&mut self, batch: &mut LeafBatch) {
        self.out.digest_later(self.version, batch);
        self.out.u8(LEAF_PREFIX);
    }

    /// The bytes of everything given since the last leaf, of an encoder that keeps them.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let bytes = self.out.bytes()[1..].to_vec();
        self.out.clear();
        self.out.u8(LEAF_PREFIX);
        bytes
    }
}
