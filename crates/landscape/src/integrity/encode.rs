//! The binary form of records that hashes are taken over: a tag, then the fields in order. Numbers are big endian of
//! fixed width; texts and bytes have their length (4 bytes) in front; an optional field has a presence byte in front.

use elspeth_canonical::{ContentHash, HashVersion, Hasher};
use elspeth_contracts::{
    ArtifactRecord, BatchMemberRecord, BatchOutputRecord, BatchRecord, CallRecord, EdgeRecord, ErrorReason,
    NodeRecord, NodeStateRecord, OperationRecord, ReleaseRecord, RoutingEventRecord, RowIndex, RowRecord,
    StateContextRecord, Step, TokenKey, TokenOutcomeRecord, TokenParentRecord, TokenRecord,
    TransformErrorRecord, ValidationErrorRecord,
};

use super::LeafBatch;

/// Bytes under construction.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    bytes: Vec<u8>,
    /// The digest that they are for, where that is all that is wanted of them.
    digest: Option<HashVersion>,
    /// What was hashed already of more bytes than are kept.
    ahead: Option<Box<Hasher>>,
}

/// Whether this is a program without proofs: it exists to be measured beside the real one (`cargo xtask bench --proofs`), by
/// a flag of the compiler that no build of the product sets.
pub(super) const UNPROVEN: bool = cfg!(elspeth_unproven);

/// Bytes that are kept until they are hashed, and those of one record: a batch can have millions of records.
const KEPT: usize = 1 << 20;

/// A record with its binary form.
pub(crate) trait Record {
    /// First byte.
    const TAG: u8;
    /// What records of this kind are ordered by.
    type Key: Ord;
    fn key(&self) -> Self::Key;
    /// Everything that is the same whenever the same work is done.
    fn content(&self, out: &mut Encoder);
    /// Everything that is not: times and durations.
    fn timing(&self, _out: &mut Encoder) {}
}

impl Encoder {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Begins again.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ahead = None;
    }

    /// For a digest of any number of records.
    pub(crate) fn digesting(version: HashVersion) -> Self {
        Self { digest: Some(version), ..Self::default() }
    }

    /// The digest of everything since the last one.
    pub(crate) fn digest(&mut self, version: HashVersion) -> ContentHash {
        if UNPROVEN {
            self.bytes.clear();
            return ContentHash::from_bytes([0; 32]);
        }
        let digest = match self.ahead.take() {
            None => version.hash(&self.bytes),
            Some(mut ahead) => {
                ahead.update(&self.bytes);
                ahead.finish()
            }
        };
        self.bytes.clear();
        digest
    }

    /// Leaves the digest of everything since the last one to a batch.
    pub(super) fn digest_later(&mut self, version: HashVersion, batch: &mut LeafBatch) {
        match self.ahead {
            None => batch.add(&self.bytes),
            Some(_) => batch.add_done(self.digest(version)),
        }
        self.bytes.clear();
    }

    /// Hashes what has come together, if that is too much to keep.
    pub(super) fn relieve(&mut self) {
        if self.bytes.len() < KEPT {
            return;
        }
        if let Some(version) = self.digest {
            self.ahead.get_or_insert_with(|| Box::new(version.hasher())).update(&self.bytes);
            self.bytes.clear();
        }
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn u8(&mut self, number: u8) {
        self.bytes.push(number);
    }

    pub(crate) fn u16(&mut self, number: u16) {
        self.raw(&number.to_be_bytes());
    }

    pub(crate) fn u32(&mut self, number: u32) {
        self.raw(&number.to_be_bytes());
    }

    pub(crate) fn u64(&mut self, number: u64) {
        self.raw(&number.to_be_bytes());
    }

    pub(crate) fn i64(&mut self, number: i64) {
        self.raw(&number.to_be_bytes());
    }

    pub(crate) fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).expect("nothing in the record has four thousand million parts"));
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.count(text.len());
        self.raw(text.as_bytes());
    }

    pub(crate) fn hash(&mut self, hash: ContentHash) {
        self.raw(hash.as_bytes());
    }

    pub(crate) fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        match value {
            None => self.u8(0),
            Some(value) => {
                self.u8(1);
                write(self, value);
            }
        }
    }

    fn state_key(&mut self, (token, step, attempt): (TokenKey, Step, u8)) {
        self.u64(token.get());
        self.u16(step.get());
        self.u8(attempt);
    }

    pub(crate) fn reason(&mut self, reason: &ErrorReason) {
        self.text(reason.kind.as_str());
        self.text(&reason.message);
        self.optional(reason.field.as_deref(), Self::text);
        self.optional(reason.line, Self::u64);
        self.u8(u8::from(reason.retryable));
    }

    fn step(&mut self, step: Step) {
        self.u16(step.get());
    }

    fn batch_place(&mut self, (batch_no, ordinal): (u64, u32), token: TokenKey) {
        self.u64(batch_no);
        self.u32(ordinal);
        self.u64(token.get());
    }

    /// Tag and content: the form in content leaves.
    pub(crate) fn content<R: Record>(&mut self, record: &R) {
        if UNPROVEN {
            return;
        }
        self.u8(R::TAG);
        record.content(self);
        self.relieve();
    }

    /// Tag, content and times of every record, in key order, after their number: the form in the chain.
    pub(crate) fn whole<R: Record>(&mut self, records: &[R]) {
        if UNPROVEN {
            return;
        }
        self.u8(R::TAG);
        self.u64(records.len() as u64);
        // They mostly are in that order already.
        if records.is_sorted_by_key(Record::key) {
            records.iter().for_each(|record| self.timed(record));
        } else {
            in_key_order(records).into_iter().for_each(|record| self.timed(record));
        }
    }

    fn timed<R: Record>(&mut self, record: &R) {
        record.content(self);
        record.timing(self);
        self.relieve();
    }
}

/// The records by key.
pub(crate) fn in_key_order<R: Record>(records: &[R]) -> Vec<&R> {
    let mut sorted: Vec<&R> = records.iter().collect();
    sorted.sort_by_key(|record| record.key());
    sorted
}

impl Record for RowRecord {
    const TAG: u8 = 1;
    type Key = RowIndex;

    fn key(&self) -> RowIndex {
        self.row_index
    }

    fn content(&self, out: &mut Encoder) {
        out.u64(self.row_index.get());
        out.hash(self.source_data_hash);
        out.u8(u8::from(self.valid));
    }

    fn timing(&self, out: &mut Encoder) {
        out.i64(self.read_us);
    }
}

impl Record for TokenRecord {
    const TAG: u8 = 2;
    type Key = TokenKey;

    fn key(&self) -> TokenKey {
        self.token
    }

    fn content(&self, out: &mut Encoder) {
        out.u64(self.token.get());
        out.optional(self.branch.as_deref(), Encoder::text);
        out.optional(self.group.map(TokenKey::get), Encoder::u64);
    }
}

impl Record for TokenParentRecord {
    const TAG: u8 = 3;
    type Key = (TokenKey, u32);

    fn key(&self) -> Self::Key {
        (self.token, self.ordinal)
    }

    fn content(&self, out: &mut Encoder) {
        out.u64(self.token.get());
        out.u64(self.parent.get());
        out.u32(self.ordinal);
    }
}

impl Record for NodeStateRecord {
    const TAG: u8 = 4;
    type Key = (TokenKey, Step, u8);

    fn key(&self) -> Self::Key {
        (self.token, self.step, self.attempt)
    }

    fn content(&self, out: &mut Encoder) {
        out.state_key(self.key());
        out.u8(self.status.code());
        out.optional(self.input_hash, Encoder::hash);
        out.optional(self.output_hash, Encoder::hash);
    }

    fn timing(&self, out: &mut Encoder) {
        out.i64(self.started_us);
        out.i64(self.duration_us);
        out.i64(self.waited_us);
    }
}

impl Record for StateContextRecord {
    const TAG: u8 = 5;
    type Key = (TokenKey, Step, u8);

    fn key(&self) -> Self::Key {
        (self.token, self.step, self.attempt)
    }

    fn content(&self, out: &mut Encoder) {
        out.state_key(self.key());
        out.text(&self.context);
    }
}

impl Record for RoutingEventRecord {
    const TAG: u8 = 6;
    type Key = (TokenKey, Step, u8, u16);

    fn key(&self) -> Self::Key {
        (self.token, self.step, self.attempt, self.ordinal)
    }

    fn content(&self, out: &mut Encoder) {
        out.state_key((self.token, self.step, self.attempt));
        out.u16(self.ordinal);
        out.u16(self.edge.0);
        out.optional(self.reason.as_deref(), Encoder::text);
    }
}

impl Record for CallRecord {
    const TAG: u8 = 7;
    type Key = u64;

    fn key(&self) -> u64 {
        self.call_no
    }

    fn content(&self, out: &mut Encoder) {
        out.u64(self.call_no);
        out.state_key((self.token, self.step, self.attempt));
        out.u16(self.call_index);
        out.u8(self.call_type.code());
        out.u8(self.status.code());
        out.hash(self.request_hash);
        out.optional(self.response_hash, Encoder::hash);
        out.optional(self.error.as_ref(), Encoder::reason);
    }

    fn timing(&self, out: &mut Encoder) {
        out.i64(self.latency_us);
    }
}

impl Record for ValidationErrorRecord {
    const TAG: u8 = 8;
    type Key = RowIndex;

    fn key(&self) -> RowIndex {
        self.row_index
    }

    fn content(&self, out: &mut Encoder) {
        out.u64(self.row_index.get());
        out.reason(&self.reason);
        out.optional(self.destination, Encoder::step);
    }
}

impl Record for TransformErrorRecord {
    const TAG: u8 = 9;
    type Key = (TokenKey, Step, u8);

    fn key(&self) -> Self::Key {
        (self.token, self.step, self.attempt)
    }

    fn content(&self, out: &mut Encoder) {
        out.state_key(self.key());
        out.reason(&self.reason);
        out.optional(self.destination, Encoder::step);
    }
}

impl Record for OperationRecord {
    const TAG: u8 = 10;
    type Key = (Step, u64, u8);

    fn key(&self) -> Self::Key {
        (self.step, self.epoch.0, self.kind.code())
    }

    fn content(&self, out: &mut Encoder) {
        out.step(self.step);
        out.u64(self.epoch.0);
        out.u8(self.kind.code());
        out.u8(self.status.code());
        out.u32(self.attempts);
        out.optional(self.error.as_ref(), Encoder::reason);
    }

    fn timing(&self, out: &mut Encoder) {
        out.i64(self.started_us);
        out.i64(self.duration_us);
    }
}

impl Record for TokenOutcomeRecord {
    const TAG: u8 = 11;
    type Key = (TokenKey, bool);

    /// A buffered outcome comes before the terminal one.
    fn key(&self) -> Self::Key {
        (self.token, self.outcome.is_terminal())
    }

    fn content(&self, out: &mut Encoder) {
        out.u64(self.token.get());
        out.u8(self.outcome.code());
        out.optional(self.sink, Encoder::step);
        out.optional(self.group.map(TokenKey::get), Encoder::u64);
        out.optional(self.release(), Encoder::u64);
        out.optional(self.error_at, |out, (step, attempt)| {
            out.step(step);
            out.u8(attempt);
        });
    }
}

impl Record for ArtifactRecord {
    const TAG: u8 = 12;
    type Key = (Step, u64, String);

    fn key(&self) -> Self::Key {
        (self.step, self.epoch.0, self.path.clone())
    }

    fn content(&self, out: &mut Encoder) {
        out.step(self.step);
        out.u64(self.epoch.0);
        out.text(&self.artifact_type);
        out.text(&self.path);
        out.hash(self.content_hash);
        out.u64(self.size_bytes);
        out.u64(self.rows);
        out.text(&self.idempotency_key);
    }
}

impl Record for NodeRecord {
    const TAG: u8 = 13;
    type Key = Step;

    fn key(&self) -> Step {
        self.step
    }

    fn content(&self, out: &mut Encoder) {
        out.step(self.step);
        out.text(&self.node_id.0);
        out.text(&self.name);
        out.u8(self.node_type.code());
        out.text(&self.plugin);
        out.text(&self.plugin_version);
        out.u8(self.determinism.code());
        out.text(&self.config);
        out.hash(self.config_hash);
        out.text(&self.input_schema);
        out.text(&self.output_schema);
    }
}

impl Record for EdgeRecord {
    const TAG: u8 = 14;
    type Key = u16;

    fn key(&self) -> u16 {
        self.edge.0
    }

    fn content(&self, out: &mut Encoder) {
        out.u16(self.edge.0);
        out.step(self.from);
        out.step(self.to);
        out.text(&self.label);
        out.u8(self.mode.code());
    }
}

impl Record for BatchRecord {
    const TAG: u8 = 15;
    type Key = (u64, u8);

    fn key(&self) -> Self::Key {
        (self.batch_no, self.attempt)
    }

    fn content(&self, out: &mut Encoder) {
        out.u64(self.batch_no);
        out.u8(self.attempt);
        out.step(self.step);
        out.u8(self.status.code());
        out.optional(self.trigger, |out, trigger| out.u8(trigger.code()));
        out.optional(self.reason.as_deref(), Encoder::text);
    }
}

impl Record for BatchMemberRecord {
    const TAG: u8 = 16;
    type Key = (u64, u32);

    fn key(&self) -> Self::Key {
        (self.batch_no, self.ordinal)
    }

    fn content(&self, out: &mut Encoder) {
        out.batch_place(self.key(), self.token);
    }
}

impl Record for BatchOutputRecord {
    const TAG: u8 = 17;
    type Key = (u64, u32);

    fn key(&self) -> Self::Key {
        (self.batch_no, self.ordinal)
    }

    fn content(&self, out: &mut Encoder) {
        out.batch_place(self.key(), self.token);
    }
}

impl Record for ReleaseRecord {
    const TAG: u8 = 18;
    type Key = u64;

    fn key(&self) -> u64 {
        self.number
    }

    fn content(&self, out: &mut Encoder) {
        out.u64(self.number);
        out.step(self.step);
        out.u64(self.epoch.0);
        out.u64(self.row.get());
        out.u8(u8::from(self.after));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_of_more_than_is_kept_is_that_of_all() {
        let version = HashVersion::default();
        let members: Vec<_> = (0..u32::try_from(KEPT / 10).expect("it is small"))
            .map(|ordinal| BatchMemberRecord {
                batch_no: 3,
                ordinal,
                token: TokenKey::of_batch(1, ordinal).expect("a batch has so many"),
            })
            .collect();
        let (mut kept, mut digesting) = (Encoder::default(), Encoder::digesting(version));
        for out in [&mut kept, &mut digesting] {
            out.raw(b"before");
            out.whole(&members);
            out.raw(b"after");
        }
        assert!(kept.bytes().len() > 2 * KEPT && digesting.bytes().len() < KEPT);
        let expected = version.hash(kept.bytes());
        assert_eq!(digesting.digest(version), expected);
        digesting.raw(b"next");
        assert_eq!(digesting.digest(version), version.hash(b"next"));
    }
}
