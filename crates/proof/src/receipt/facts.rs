//! The records of a receipt, by what is asked of them when a row is followed.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{Leaf, Receipt, Refusal};
use crate::record::{Kind, Record};
use crate::token::Token;

/// What the records say of tokens.
#[derive(Default)]
pub(super) struct Facts<'a> {
    /// By what made it.
    pub(super) made: BTreeMap<Token, &'a Record>,
    /// The last attempt of a token at a node.
    states: BTreeMap<(Token, u64), &'a Record>,
    /// Edges that were taken at a node.
    routes: BTreeMap<(Token, u64), Vec<u64>>,
    /// Where the error of an attempt sent a token.
    errors: BTreeMap<(Token, u64, u64), Option<u64>>,
    /// Batches by member and node.
    members: BTreeMap<(Token, u64), Batch>,
    children: BTreeMap<Token, Vec<Token>>,
    pub(super) outcomes: BTreeMap<Token, &'a Record>,
    /// Where a token is last told of: 0 for the row's leaf, and releases from 1 on.
    last: BTreeMap<Token, usize>,
}

/// A batch, and which of the releases that are shown is its.
#[derive(Debug, Clone, Copy)]
pub(super) struct Batch {
    pub(super) number: u64,
    pub(super) release: usize,
}

impl<'a> Facts<'a> {
    pub(super) fn of(receipt: &'a Receipt) -> Result<Self, Refusal> {
        let mut facts = Self::default();
        receipt.decisions.records.iter().for_each(|record| facts.decided(record, 0));
        for (at, release) in receipt.releases.leaves.iter().enumerate() {
            let batch = release.batches.first();
            // Branches that meet are all of one token, and so is all that comes of them.
            let shown = release.parts.leaves.len() as u64;
            if shown == 0 || batch.is_none() && shown != release.parts.size {
                return Err(Refusal::Parts(release.index));
            }
            let mut before = None;
            for part in &release.parts.leaves {
                let token = token_of(part).filter(|token| before.replace(*token) < Some(*token));
                token.ok_or(Refusal::Part { release: release.index, part: part.index })?;
                part.records.iter().for_each(|record| facts.decided(record, at + 1));
                for member in part.records.iter().filter(|it| it.kind() == Kind::BatchMember) {
                    facts.member(member, batch, at);
                }
            }
        }
        let acts = receipt.acts.leaves.iter().flat_map(|leaf| &leaf.records);
        acts.for_each(|record| facts.about(record));
        Ok(facts)
    }

    fn decided(&mut self, record: &'a Record, walk: usize) {
        let parent = record.token("parent");
        if let Some(token) = parent.or_else(|| record.token("token")) {
            let last = self.last.entry(token).or_default();
            *last = walk.max(*last);
        }
        self.about(record);
    }

    fn about(&mut self, record: &'a Record) {
        let Some(token) = record.token("token") else { return };
        let number = |name| record.number(name).unwrap_or_default();
        let (step, attempt) = (number("step"), number("attempt"));
        match record.kind() {
            Kind::Token => {
                self.made.insert(token, record);
            }
            Kind::TokenParent => {
                let parent = record.token("parent").expect("every link has one");
                self.children.entry(parent).or_default().push(token);
            }
            // Attempts are in order.
            Kind::NodeState => {
                self.states.insert((token, step), record);
            }
            Kind::RoutingEvent => self.routes.entry((token, step)).or_default().push(number("edge")),
            Kind::TransformError => {
                self.errors.insert((token, step, attempt), record.number("destination"));
            }
            Kind::TokenOutcome => {
                self.outcomes.insert(token, record);
            }
            Kind::Row
            | Kind::StateContext
            | Kind::Call
            | Kind::ValidationError
            | Kind::Operation
            | Kind::Artifact
            | Kind::Node
            | Kind::Edge
            | Kind::Batch
            | Kind::BatchMember
            | Kind::BatchOutput
            | Kind::Release => {}
        }
    }

    fn member(&mut self, member: &Record, batch: Option<&Record>, release: usize) {
        let number = member.number("batch_no");
        let batch = batch.filter(|batch| batch.number("batch_no") == number);
        let step = batch.and_then(|batch| batch.number("step"));
        if let (Some(token), Some(step), Some(number)) = (member.token("token"), step, number) {
            self.members.insert((token, step), Batch { number, release });
        }
    }

    pub(super) fn state(&self, token: Token, step: u64) -> Option<&'a Record> {
        self.states.get(&(token, step)).copied()
    }

    /// The steps at which a token has states, from one on.
    pub(super) fn steps(&self, token: Token, from: u64) -> impl Iterator<Item = u64> {
        self.states.range((token, from)..=(token, u64::MAX)).map(|((_, step), _)| *step)
    }

    pub(super) fn routes(&self, token: Token, step: u64) -> &[u64] {
        self.routes.get(&(token, step)).map(Vec::as_slice).unwrap_or_default()
    }

    /// Where the error of that attempt sent the token: a sink or nowhere; nothing where there was no error.
    pub(super) fn error(&self, state: &Record) -> Option<Option<u64>> {
        let key = (state.token("token")?, state.number("step")?, state.number("attempt")?);
        self.errors.get(&key).copied()
    }

    pub(super) fn batch(&self, token: Token, step: u64) -> Option<Batch> {
        self.members.get(&(token, step)).copied()
    }

    pub(super) fn children(&self, token: Token) -> &[Token] {
        self.children.get(&token).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn outcome(&self, token: Token) -> Option<&'a str> {
        self.outcomes.get(&token).and_then(|record| record.text("outcome"))
    }

    pub(super) fn last(&self, token: Token) -> usize {
        self.last.get(&token).copied().unwrap_or_default()
    }
}

/// The one token that a part of a release is about; a link is about the parent.
pub(super) fn token_of(part: &Leaf) -> Option<Token> {
    let of = |record: &Record| record.token("parent").or_else(|| record.token("token"));
    let token = part.records.first().and_then(of)?;
    part.records.iter().all(|record| of(record) == Some(token)).then_some(token)
}
