//! A run of many tokens, recorded as an engine records it, which knows what each token carries.

use std::collections::BTreeMap;

use elspeth_canonical::{ContentHash, HashVersion};
use elspeth_contracts::{
    BatchMemberRecord, BatchOutputRecord, BatchRecord, BatchStatus, EpochNo, ErrorReason, FailureKind,
    NodeRecord, NodeStateRecord, NodeStateStatus, NodeType, ReleaseRecord, RowIndex, RowRecord, TokenKey,
    TokenParentRecord, TokenRecord, ValidationErrorRecord,
};
use elspeth_landscape::{ActedEpoch, DecidedEpoch, RunStart};
use elspeth_payload::{BlockBuilder, BodyFragment, BodyKey, FilesystemStore};
use elspeth_value::{Row, Shape, Value};

use super::sample::{nodes, row, run_id, start, state, step};

pub(crate) const CLEAN: u16 = 1;
pub(crate) const SPLIT: u16 = 2;
pub(crate) const INNER: u16 = 3;
pub(crate) const POLISH: u16 = 4;
pub(crate) const JOIN: u16 = 5;
pub(crate) const EXPLODE: u16 = 6;
pub(crate) const HOLD: u16 = 7;
pub(crate) const PAUSE: u16 = 8;
pub(crate) const AGAIN: u16 = 9;
pub(crate) const FINISH: u16 = 10;
pub(crate) const OUT: u16 = 11;

const VERSION: HashVersion = HashVersion::Sha256V1;

/// A token with what it carries.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) key: TokenKey,
    pub(crate) row: Row,
    pub(crate) hash: ContentHash,
    pub(crate) fresh: bool,
}

/// What is recorded, and the epoch that is being decided.
pub(crate) struct World {
    store: FilesystemStore,
    pub(crate) epochs: Vec<(DecidedEpoch, ActedEpoch)>,
    decided: DecidedEpoch,
    acted: ActedEpoch,
    bodies: BodyFragment,
    members: BTreeMap<u64, u32>,
}

pub(crate) fn graph() -> RunStart {
    let kinds = [
        ("source", NodeType::Source),
        ("clean", NodeType::Transform),
        ("split", NodeType::Gate),
        ("inner", NodeType::Gate),
        ("polish", NodeType::Transform),
        ("join", NodeType::Coalesce),
        ("explode", NodeType::Transform),
        ("hold", NodeType::Aggregation),
        ("pause", NodeType::Aggregation),
        ("again", NodeType::Gate),
        ("finish", NodeType::Transform),
        ("out", NodeType::Sink),
    ];
    let pattern = nodes().remove(0);
    let node = |(at, (name, node_type)): (u16, (&str, NodeType))| NodeRecord {
        step: step(at),
        name: name.to_owned(),
        node_type,
        ..pattern.clone()
    };
    RunStart {
        nodes: (0..).zip(kinds).map(node).collect(),
        edges: Vec::new(),
        ..start(run_id('A'), 1_000_000)
    }
}

pub(crate) fn text_row(text: impl Into<String>) -> Row {
    Row::new(Shape::new(["text".into()]), vec![Value::Str(text.into().into())])
}

fn hash_of(row: &Row) -> ContentHash {
    row.content_hash(VERSION, &mut Vec::new()).unwrap()
}

impl World {
    pub(crate) fn new(store: FilesystemStore) -> Self {
        Self {
            store,
            epochs: Vec::new(),
            decided: DecidedEpoch::default(),
            acted: ActedEpoch::default(),
            bodies: BodyFragment::default(),
            members: BTreeMap::new(),
        }
    }

    pub(crate) fn epoch(&self) -> EpochNo {
        self.decided.epoch
    }

    fn keep(&mut self, token: TokenKey, at: u16, row: &Row) {
        self.bodies.push_row(BodyKey { token, step: step(at) }, row);
    }

    fn row_record(&mut self, index: RowIndex, hash: ContentHash, valid: bool) -> TokenKey {
        self.decided.rows.push(RowRecord { row_index: index, source_data_hash: hash, read_us: 1, valid });
        let key = TokenKey::of_row(index, 0).unwrap();
        self.decided.tokens.push(TokenRecord::plain(key));
        key
    }

    /// A row from the source.
    pub(crate) fn read(&mut self, index: u64, row_read: Row) -> Token {
        let hash = hash_of(&row_read);
        let key = self.row_record(row(index), hash, true);
        self.keep(key, 0, &row_read);
        Token { key, row: row_read, hash, fresh: false }
    }

    /// A refused record, with the fields that could be read of it or as one value.
    pub(crate) fn refuse(&mut self, index: u64, record: Result<Row, Value>) -> Token {
        self.decided.validation_errors.push(ValidationErrorRecord {
            row_index: row(index),
            reason: ErrorReason::new(FailureKind::SchemaViolation, "no"),
            destination: Some(step(OUT)),
        });
        match record {
            Ok(fields) => {
                let hash = hash_of(&fields);
                let key = self.row_record(row(index), hash, false);
                self.keep(key, 0, &fields);
                Token { key, row: fields, hash, fresh: false }
            }
            Err(value) => {
                let mut canonical = Vec::new();
                value.write_canonical(&mut canonical).unwrap();
                let hash = VERSION.hash(&canonical);
                let key = self.row_record(row(index), hash, false);
                self.bodies.push_opaque(BodyKey { token: key, step: step(0) }, &value);
                Token { key, row: Row::from_pairs([("raw".into(), value)]), hash, fresh: false }
            }
        }
    }

    fn told(token: &mut Token) -> Option<ContentHash> {
        std::mem::take(&mut token.fresh).then_some(token.hash)
    }

    fn visit(&mut self, token: &mut Token, at: u16, attempt: u8, status: NodeStateStatus) {
        let input_hash = Self::told(token);
        self.decided.states.push(NodeStateRecord { attempt, status, input_hash, ..state(token.key, at) });
    }

    /// The node leaves the row as it is.
    pub(crate) fn pass(&mut self, token: &mut Token, at: u16) {
        self.visit(token, at, 0, NodeStateStatus::Completed);
    }

    /// The node fails, and the token goes on with what it had.
    pub(crate) fn fail(&mut self, token: &mut Token, at: u16) {
        self.visit(token, at, 0, NodeStateStatus::Failed);
    }

    /// The node gives another row, after `failures`.
    pub(crate) fn change(&mut self, token: &mut Token, at: u16, failures: u8, to: Row) {
        let input_hash = Self::told(token);
        let state = |attempt, status| NodeStateRecord { attempt, status, input_hash, ..state(token.key, at) };
        self.decided.states.extend((0..failures).map(|attempt| state(attempt, NodeStateStatus::Failed)));
        let mut last = state(failures, NodeStateStatus::Completed);
        let hash = hash_of(&to);
        if hash != token.hash {
            last.output_hash = Some(hash);
            self.keep(token.key, at, &to);
        }
        self.decided.states.push(last);
        (token.row, token.hash) = (to, hash);
    }

    fn bear(&mut self, parents: &[TokenKey], key: TokenKey) {
        self.decided.tokens.push(TokenRecord { group: parents.first().copied(), ..TokenRecord::plain(key) });
        let parents = (0..).zip(parents.iter().copied());
        let parents = parents.map(|(ordinal, parent)| TokenParentRecord { token: key, parent, ordinal });
        self.decided.token_parents.extend(parents);
    }

    pub(crate) fn fork(&mut self, mut token: Token, at: u16, keys: &[TokenKey]) -> Vec<Token> {
        self.pass(&mut token, at);
        for key in keys {
            self.bear(&[token.key], *key);
        }
        keys.iter().map(|key| Token { key: *key, fresh: true, ..token.clone() }).collect()
    }

    fn made(&mut self, key: TokenKey, at: u16, row: Row) -> Token {
        self.keep(key, at, &row);
        let hash = hash_of(&row);
        Token { key, row, hash, fresh: true }
    }

    pub(crate) fn expand(&mut self, mut token: Token, at: u16, into: Vec<(TokenKey, Row)>) -> Vec<Token> {
        self.pass(&mut token, at);
        let bear = |(key, row)| {
            self.bear(&[token.key], key);
            self.made(key, at, row)
        };
        into.into_iter().map(bear).collect()
    }

    pub(crate) fn merge(&mut self, parts: Vec<Token>, at: u16, key: TokenKey, row: Row) -> Token {
        let parents: Vec<TokenKey> = parts.iter().map(|part| part.key).collect();
        for mut part in parts {
            self.pass(&mut part, at);
        }
        self.bear(&parents, key);
        self.made(key, at, row)
    }

    /// The batch takes the token.
    pub(crate) fn join(&mut self, token: &Token, batch_no: u64) {
        let ordinal = self.members.entry(batch_no).or_default();
        self.decided.batch_members.push(BatchMemberRecord { batch_no, ordinal: *ordinal, token: token.key });
        *ordinal += 1;
    }

    /// What waited at the node goes on; whether a batch or a merge.
    pub(crate) fn release(&mut self, number: u64, at: u16) {
        let (epoch, row) = (self.epoch(), row(0));
        self.decided.releases.push(ReleaseRecord { number, step: step(at), epoch, row, after: true });
        if self.members.contains_key(&number) {
            let (attempt, status) = (0, BatchStatus::Completed);
            let batch_no = number;
            self.decided.batches.push(BatchRecord {
                batch_no,
                step: step(at),
                attempt,
                status,
                trigger: None,
                reason: None,
            });
        }
    }

    /// A token that the batch makes.
    pub(crate) fn output(&mut self, batch_no: u64, ordinal: u32, at: u16, row: Row) -> Token {
        let key = TokenKey::of_batch(batch_no, ordinal).unwrap();
        self.bear(&[], key);
        self.decided.batch_outputs.push(BatchOutputRecord { batch_no, ordinal, token: key });
        self.made(key, at, row)
    }

    /// The sink writes it.
    pub(crate) fn write(&mut self, token: &Token) {
        let input_hash = token.fresh.then_some(token.hash);
        self.acted.sink_states.push(NodeStateRecord { input_hash, ..state(token.key, OUT) });
    }

    /// Closes the epoch and opens the next.
    pub(crate) fn next_epoch(&mut self) {
        let mut decided = std::mem::take(&mut self.decided);
        decided.tokens.sort_by_key(|r| r.token);
        decided.token_parents.sort_by_key(|r| (r.token, r.ordinal));
        decided.states.sort_by_key(|r| (r.token, r.step, r.attempt));
        decided.batch_members.sort_by_key(|r| (r.batch_no, r.ordinal));
        decided.batch_outputs.sort_by_key(|r| (r.batch_no, r.ordinal));
        let mut block = BlockBuilder::default();
        block.add(std::mem::take(&mut self.bodies));
        decided.bodies = block.finish_into(&self.store).unwrap();
        let mut acted = std::mem::take(&mut self.acted);
        acted.sink_states.sort_by_key(|r| (r.token, r.step));
        let next = EpochNo(decided.epoch.0 + 1);
        self.epochs.push((decided, acted));
        (self.decided.epoch, self.acted.epoch) = (next, next);
    }
}
