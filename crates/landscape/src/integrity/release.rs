//! The leaf of a release: a small tree of its own, so that what it says of one token can be shown without the others.

use elspeth_canonical::{ContentHash, HashVersion};
use elspeth_contracts::{
    BatchMemberRecord, BatchOutputRecord, BatchRecord, CallRecord, NodeStateRecord, RoutingEventRecord,
    StateContextRecord, TokenKey, TokenParentRecord, TokenRecord, TransformErrorRecord,
};

use super::MerkleTree;
use super::encode::{Encoder, Record, UNPROVEN};
use super::leaf::LEAF_PREFIX;

/// Everything that is recorded of one release: the flush of a batch, or a merge of branches that came with different rows.
/// Lists are in key order.
#[derive(Debug)]
pub struct ReleaseRecords<'a> {
    /// Attempts to flush; none where branches were merged.
    pub batches: &'a [BatchRecord],
    /// Members of the batch.
    pub members: Members<'a>,
    /// Outputs of the batch.
    pub outputs: Picked<'a, BatchOutputRecord>,
    /// Tokens that it made.
    pub tokens: Picked<'a, TokenRecord>,
    /// Their parents.
    pub parents: Picked<'a, TokenParentRecord>,
    /// States.
    pub states: Picked<'a, NodeStateRecord>,
    /// More about them.
    pub contexts: Picked<'a, StateContextRecord>,
    /// Where tokens were sent.
    pub routing: Picked<'a, RoutingEventRecord>,
    /// Requests.
    pub calls: Picked<'a, CallRecord>,
    /// Why nodes failed.
    pub errors: Picked<'a, TransformErrorRecord>,
}

/// Members of a batch, by ordinal.
#[derive(Debug, Clone, Copy)]
pub enum Members<'a> {
    /// All of them: the ordinal of each is its position.
    All(u64, &'a [TokenKey]),
    /// As they were recorded.
    Recorded(&'a [BatchMemberRecord]),
}

/// All of some records, or those that were picked.
#[derive(Debug)]
pub enum Picked<'a, R> {
    /// All.
    All(&'a [R]),
    /// Some.
    Some(Vec<&'a R>),
}

impl ReleaseRecords<'_> {
    /// The release's leaf.
    #[must_use]
    pub fn leaf(&self, version: HashVersion) -> ContentHash {
        if UNPROVEN {
            return ContentHash::from_bytes([0; 32]);
        }
        self.shown(version, |_, _, _| {})
    }

    /// Tokens that are members.
    pub(crate) fn members(&self) -> impl Iterator<Item = TokenKey> + '_ {
        (0..self.members.len()).map(|at| self.members.token(at))
    }

    /// The bytes of the attempts to flush, of which the leaf is made beside the parts.
    pub(crate) fn attempts(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        self.batches.iter().for_each(|batch| out.content(batch));
        out.bytes().to_vec()
    }

    /// Its leaf; and shows each part: its token, its bytes and its hash.
    pub(crate) fn shown(
        &self,
        version: HashVersion,
        mut show: impl FnMut(TokenKey, &[u8], ContentHash),
    ) -> ContentHash {
        let (mut tree, mut out) = (MerkleTree::new(version), Encoder::default());
        let mut turns = Turns::of(self);
        while let Some(token) = turns.next() {
            out.u8(LEAF_PREFIX);
            turns.give(token, &mut out);
            let part = version.hash(out.bytes());
            show(token, &out.bytes()[1..], part);
            tree.push(part);
            out.clear();
        }
        out.u8(LEAF_PREFIX);
        self.batches.iter().for_each(|batch| out.content(batch));
        out.u64(tree.size());
        out.hash(tree.root());
        version.hash(out.bytes())
    }
}

impl<'a> Members<'a> {
    fn len(self) -> usize {
        match self {
            Self::All(_, tokens) => tokens.len(),
            Self::Recorded(records) => records.len(),
        }
    }

    fn token(self, at: usize) -> TokenKey {
        match self {
            Self::All(_, tokens) => tokens[at],
            Self::Recorded(records) => records[at].token,
        }
    }

    fn record(self, at: usize) -> BatchMemberRecord {
        match self {
            Self::All(batch_no, tokens) => {
                let ordinal = u32::try_from(at).expect("a batch has fewer members than ordinals");
                BatchMemberRecord { batch_no, ordinal, token: tokens[at] }
            }
            Self::Recorded(records) => records[at].clone(),
        }
    }

    /// Positions by token, where they are not in that order already: mostly members come in the order of their rows.
    fn order(self) -> Option<Vec<usize>> {
        let key = |at: &usize| (self.token(*at), *at);
        if (0..self.len()).is_sorted_by_key(|at| key(&at)) {
            return None;
        }
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.sort_by_key(key);
        Some(order)
    }
}

impl<'a, R> Picked<'a, R> {
    /// The one at a position.
    pub fn get(&self, at: usize) -> Option<&'a R> {
        match self {
            Self::All(records) => records.get(at),
            Self::Some(records) => records.get(at).copied(),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &'a R> + '_ {
        (0..).map_while(|at| self.get(at))
    }
}

impl<R> Default for Picked<'_, R> {
    fn default() -> Self {
        Self::All(&[])
    }
}

/// Every list, as far as it was given to parts.
struct Turns<'a> {
    members: MemberTurn<'a>,
    outputs: Turn<'a, BatchOutputRecord>,
    tokens: Turn<'a, TokenRecord>,
    /// By the parent, of which it tells.
    parents: Turn<'a, TokenParentRecord>,
    states: Turn<'a, NodeStateRecord>,
    contexts: Turn<'a, StateContextRecord>,
    routing: Turn<'a, RoutingEventRecord>,
    calls: Turn<'a, CallRecord>,
    errors: Turn<'a, TransformErrorRecord>,
}

impl<'a> Turns<'a> {
    fn of(records: &ReleaseRecords<'a>) -> Self {
        Self {
            members: MemberTurn { members: records.members, order: records.members.order(), next: 0 },
            outputs: Turn::of(&records.outputs, |r| r.token),
            tokens: Turn::of(&records.tokens, |r| r.token),
            parents: Turn::of(&records.parents, |r| r.parent),
            states: Turn::of(&records.states, |r| r.token),
            contexts: Turn::of(&records.contexts, |r| r.token),
            routing: Turn::of(&records.routing, |r| r.token),
            calls: Turn::of(&records.calls, |r| r.token),
            errors: Turn::of(&records.errors, |r| r.token),
        }
    }

    /// The token of which something comes next.
    fn next(&self) -> Option<TokenKey> {
        let heads = [
            self.members.head(),
            self.outputs.head(),
            self.tokens.head(),
            self.parents.head(),
            self.states.head(),
            self.contexts.head(),
            self.routing.head(),
            self.calls.head(),
            self.errors.head(),
        ];
        heads.into_iter().flatten().min()
    }

    fn give(&mut self, token: TokenKey, out: &mut Encoder) {
        self.members.give(token, out);
        self.outputs.give(token, out);
        self.tokens.give(token, out);
        self.parents.give(token, out);
        self.states.give(token, out);
        self.contexts.give(token, out);
        self.routing.give(token, out);
        self.calls.give(token, out);
        self.errors.give(token, out);
    }
}

struct MemberTurn<'a> {
    members: Members<'a>,
    order: Option<Vec<usize>>,
    next: usize,
}

impl MemberTurn<'_> {
    fn at(&self) -> Option<usize> {
        match &self.order {
            None => Some(self.next).filter(|at| *at < self.members.len()),
            Some(order) => order.get(self.next).copied(),
        }
    }

    fn head(&self) -> Option<TokenKey> {
        self.at().map(|at| self.members.token(at))
    }

    fn give(&mut self, token: TokenKey, out: &mut Encoder) {
        while let Some(at) = self.at().filter(|at| self.members.token(*at) == token) {
            out.content(&self.members.record(at));
            self.next += 1;
        }
    }
}

/// Records by token, and within a token by key.
struct Turn<'a, R> {
    records: Picked<'a, R>,
    next: usize,
    token: fn(&R) -> TokenKey,
}

impl<'a, R: Record> Turn<'a, R> {
    fn of(records: &Picked<'a, R>, token: fn(&R) -> TokenKey) -> Self {
        let sorted = records.iter().is_sorted_by_key(token);
        let records = match records {
            Picked::All(slice) if sorted => Picked::All(slice),
            Picked::All(_) | Picked::Some(_) => {
                let mut records: Vec<&R> = records.iter().collect();
                records.sort_by_key(|record| token(record));
                Picked::Some(records)
            }
        };
        Self { records, next: 0, token }
    }

    fn head(&self) -> Option<TokenKey> {
        self.records.get(self.next).map(self.token)
    }

    fn give(&mut self, token: TokenKey, out: &mut Encoder) {
        while let Some(record) = self.records.get(self.next).filter(|record| (self.token)(record) == token) {
            out.content(record);
            self.next += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use elspeth_contracts::NodeStateStatus;
    use proptest::prelude::*;

    use super::super::golden::{state, token};
    use super::*;

    const VERSION: HashVersion = HashVersion::Sha256V1;

    /// The definition, taken literally: for each token, by number, everything of it in the order of kinds.
    fn defined(
        members: &[BatchMemberRecord],
        states: &[NodeStateRecord],
        parents: &[TokenParentRecord],
    ) -> ContentHash {
        let mut tokens: Vec<TokenKey> = members.iter().map(|r| r.token).collect();
        tokens.extend(states.iter().map(|r| r.token));
        tokens.extend(parents.iter().map(|r| r.parent));
        tokens.sort_unstable();
        tokens.dedup();
        let mut tree = MerkleTree::new(VERSION);
        for token in &tokens {
            let mut out = Encoder::default();
            out.u8(0);
            members.iter().filter(|r| r.token == *token).for_each(|r| out.content(r));
            parents.iter().filter(|r| r.parent == *token).for_each(|r| out.content(r));
            states.iter().filter(|r| r.token == *token).for_each(|r| out.content(r));
            tree.push(VERSION.hash(out.bytes()));
        }
        let mut out = Encoder::default();
        out.u8(0);
        out.u64(tokens.len() as u64);
        out.hash(tree.root());
        VERSION.hash(out.bytes())
    }

    proptest! {
        #[test]
        fn every_token_has_a_part_of_its_own(
            rows in prop::collection::vec(0_u64..40, 0..30),
            visited in prop::collection::btree_set((0_u64..40, 1_u16..4), 0..30),
            merged in prop::collection::vec(0_u64..40, 0..6),
        ) {
            let members: Vec<_> = (0..)
                .zip(&rows)
                .map(|(ordinal, row)| BatchMemberRecord { batch_no: 7, ordinal, token: token(*row, 0) })
                .collect();
            let states: Vec<_> = visited
                .iter()
                .map(|(row, step)| state((token(*row, 0), *step, 0), NodeStateStatus::Completed, (0, 0, 0)))
                .collect();
            let parents: Vec<_> = (0..)
                .zip(&merged)
                .map(|(ordinal, row)| TokenParentRecord { token: token(50, 1), parent: token(*row, 0), ordinal })
                .collect();
            let records = |members| ReleaseRecords {
                batches: &[],
                members,
                outputs: Picked::default(),
                tokens: Picked::default(),
                parents: Picked::Some(parents.iter().collect()),
                states: Picked::All(&states),
                contexts: Picked::default(),
                routing: Picked::default(),
                calls: Picked::default(),
                errors: Picked::default(),
            };
            let tokens: Vec<_> = members.iter().map(|member| member.token).collect();
            let expected = defined(&members, &states, &parents);
            prop_assert_eq!(records(Members::Recorded(&members)).leaf(VERSION), expected);
            prop_assert_eq!(records(Members::All(7, &tokens)).leaf(VERSION), expected);
        }
    }
}
