//! Whether a receipt tells the whole way of its row. The row's first token is followed from the source on, along the graph,
//! to what became of it and of every token that was made of it. At each node that it came to, the records that every token
//! has there must be there, so that nothing can be left out without a gap.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::facts::{Batch, Facts, token_of};
use super::graph::{Graph, Mode, NodeKind};
use super::{Leaf, Receipt, Refusal};
use crate::record::{Kind, Record};
use crate::token::Token;

pub(super) struct Ways<'a> {
    receipt: &'a Receipt,
    graph: &'a Graph,
    facts: Facts<'a>,
    /// Whether every token has come to its end.
    completed: bool,
    /// Tokens that are still to be followed, and from which node.
    todo: Vec<(Token, u64)>,
    ends: BTreeMap<Token, End>,
    /// Positions of releases from which members and all that came of them are followed already.
    flushed: BTreeSet<usize>,
    /// Parts of releases that are shown as what is beside others: positions of the release and of the part.
    beside: BTreeSet<(usize, usize)>,
}

/// How the way of a token ended, and at which node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// It came to a sink.
    Sink(u64),
    /// It failed, and nothing was done with it.
    Discarded,
    /// It was forked or expanded.
    Parted(u64),
    Merged(u64),
    /// The merge for which it waited did not come about.
    NotMerged,
    Consumed(u64),
    /// It came there and waits.
    Waiting(u64),
}

enum Next {
    Node(u64),
    End(End),
}

impl<'a> Ways<'a> {
    pub(super) fn of(receipt: &'a Receipt, graph: &'a Graph, completed: bool) -> Result<Self, Refusal> {
        let facts = Facts::of(receipt)?;
        let (todo, ends) = (Vec::new(), BTreeMap::new());
        let (flushed, beside) = (BTreeSet::new(), BTreeSet::new());
        Ok(Self { receipt, graph, facts, completed, todo, ends, flushed, beside })
    }

    /// Follows the row, and finds everything that is told of.
    pub(super) fn follow(mut self) -> Result<(), Refusal> {
        self.begin()?;
        while let Some((token, from)) = self.todo.pop() {
            if !self.ends.contains_key(&token) {
                let end = self.way(token, from)?;
                self.reach(token, end)?;
            }
        }
        self.is_all_reached()?;
        self.is_cut_off_nowhere()
    }

    /// The row goes on from the source, if it was valid.
    fn begin(&mut self) -> Result<(), Refusal> {
        let records = &self.receipt.decisions.records;
        let first = Token::first_of(self.receipt.row).ok_or(Refusal::Row(self.receipt.row))?;
        if records.iter().any(|record| record.kind() == Kind::Row && record.is("valid")) {
            let on = self.graph.ahead(0).ok_or(Refusal::Graph)?;
            self.todo.push((first, on));
            return Ok(());
        }
        let error = records.iter().find(|record| record.kind() == Kind::ValidationError);
        let error = error.ok_or(Refusal::Gap { token: first, step: 0 })?;
        self.reach(first, error.number("destination").map_or(End::Discarded, End::Sink))
    }

    /// From node to node until the end.
    fn way(&self, token: Token, from: u64) -> Result<End, Refusal> {
        // What was done at sinks is one leaf, together with the outcome.
        let on_way = |step: &u64| self.graph.kind(*step) != Some(NodeKind::Sink);
        let mut left = self.facts.steps(token, 0).filter(on_way).count();
        let mut at = from;
        loop {
            match self.node(token, at)? {
                Next::Node(next) if next > at => {
                    left -= 1;
                    at = next;
                }
                Next::Node(_) => return Err(Refusal::Graph),
                Next::End(end) => {
                    let here = self.facts.state(token, at).filter(|_| on_way(&at));
                    let all = left == usize::from(here.is_some());
                    return if all { Ok(end) } else { Err(Refusal::Gap { token, step: at }) };
                }
            }
        }
    }

    /// What the record of a token at a node says about where it went.
    fn node(&self, token: Token, step: u64) -> Result<Next, Refusal> {
        let kind = self.graph.kind(step).ok_or(Refusal::Graph)?;
        let state = match (kind, self.facts.state(token, step)) {
            (NodeKind::Source, _) => return Err(Refusal::Graph),
            (NodeKind::Sink, _) => return Ok(Next::End(End::Sink(step))),
            (NodeKind::Aggregation | NodeKind::Coalesce, None) => return Ok(Next::End(End::Waiting(step))),
            (NodeKind::Transform | NodeKind::Gate, None) => return Err(Refusal::Gap { token, step }),
            (_, Some(state)) => state,
        };
        match state.text("status") {
            Some("completed") => self.completed_at(kind, token, step),
            Some("failed") if kind == NodeKind::Coalesce => Ok(Next::End(End::NotMerged)),
            Some("failed") => {
                let sink = self.facts.error(state).ok_or(Refusal::Gap { token, step })?;
                Ok(Next::End(sink.map_or(End::Discarded, End::Sink)))
            }
            Some(_) | None => Err(Refusal::Gap { token, step }),
        }
    }

    fn completed_at(&self, kind: NodeKind, token: Token, step: u64) -> Result<Next, Refusal> {
        let on = || self.graph.ahead(step).map(Next::Node).ok_or(Refusal::Graph);
        match kind {
            NodeKind::Transform if self.is_parted_at(token, step) => Ok(Next::End(End::Parted(step))),
            NodeKind::Aggregation if self.is_consumed_at(token, step) => Ok(Next::End(End::Consumed(step))),
            NodeKind::Transform | NodeKind::Aggregation => on(),
            NodeKind::Gate => {
                let edge = self.facts.routes(token, step).first().ok_or(Refusal::Gap { token, step })?;
                let edge = self.graph.edge(*edge).ok_or(Refusal::Graph)?;
                match edge.mode {
                    Mode::Copy => Ok(Next::End(End::Parted(step))),
                    Mode::Move | Mode::Divert => Ok(Next::Node(edge.to)),
                }
            }
            NodeKind::Coalesce => Ok(Next::End(End::Merged(step))),
            NodeKind::Source | NodeKind::Sink => Err(Refusal::Graph),
        }
    }

    /// A token that has children and came to no other node.
    fn is_parted_at(&self, token: Token, step: u64) -> bool {
        let on = |step: u64| self.graph.kind(step) != Some(NodeKind::Sink);
        !self.facts.children(token).is_empty() && !self.facts.steps(token, step + 1).any(on)
    }

    /// Where nothing says what became of a member, it was consumed if others came out of its batch, or if it was not seen
    /// where all go that come through.
    fn is_consumed_at(&self, token: Token, step: u64) -> bool {
        let batch = self.facts.batch(token, step);
        if let Some(outcome) = self.facts.outcomes.get(&token) {
            // One that came through may be consumed in a later batch.
            let here = batch.is_none_or(|batch| outcome.number("batch_no") == Some(batch.number));
            return here && outcome.text("outcome") == Some("consumed_in_batch");
        }
        let Some(batch) = batch else { return false };
        let parts = &self.receipt.releases.leaves[batch.release].parts.leaves;
        let made = parts.iter().any(|part| outputs(part).next().is_some());
        let ahead = self.graph.ahead(step);
        let unseen = ahead.is_some_and(|ahead| match self.graph.kind(ahead) {
            Some(NodeKind::Transform | NodeKind::Gate) => self.facts.state(token, ahead).is_none(),
            Some(NodeKind::Source | NodeKind::Aggregation | NodeKind::Coalesce | NodeKind::Sink) | None => {
                false
            }
        });
        made || unseen
    }

    /// A token has come to its end: that is what its outcome says, and those that were made of it go on.
    fn reach(&mut self, token: Token, end: End) -> Result<(), Refusal> {
        if !self.facts.made.contains_key(&token) {
            return Err(Refusal::LeftOut(token));
        }
        let found = usize::from(self.facts.outcome(token).is_some());
        if found < usize::from(self.completed) {
            return Err(Refusal::Outcomes { token, found });
        }
        self.ends.insert(token, end);
        match end {
            End::Sink(_) | End::Discarded | End::NotMerged => {}
            End::Waiting(step) if found > 0 && self.facts.outcome(token) != Some("buffered") => {
                return Err(Refusal::Gap { token, step });
            }
            End::Waiting(_) => {}
            End::Parted(step) => self.part(token, step)?,
            End::Merged(step) => self.merge(token, step)?,
            End::Consumed(step) => self.consume(token, step)?,
        }
        let outcome = self.facts.outcomes.get(&token);
        let fits = outcome.is_none_or(|outcome| self.fits(token, end, outcome));
        if fits { Ok(()) } else { Err(Refusal::Outcome(token)) }
    }

    fn fits(&self, token: Token, end: End, outcome: &Record) -> bool {
        let (kind, sink) = (outcome.text("outcome").unwrap_or_default(), outcome.number("sink"));
        let group = outcome.token("group");
        match end {
            End::Sink(step) => {
                let arrived = ["completed", "routed", "quarantined"].contains(&kind) && sink == Some(step);
                (arrived || kind == "diverted") && self.facts.state(token, step).is_some()
            }
            End::Discarded => kind == "quarantined" && sink.is_none(),
            End::Parted(step) => {
                let forked = self.graph.kind(step) == Some(NodeKind::Gate);
                kind == if forked { "forked" } else { "expanded" } && group == Some(token)
            }
            End::Merged(_) => kind == "coalesced" && group.as_slice() == self.facts.children(token),
            End::NotMerged => kind == "failed",
            End::Consumed(step) => {
                let batch = self.facts.batch(token, step).map(|batch| batch.number);
                kind == "consumed_in_batch" && outcome.number("batch_no") == batch
            }
            End::Waiting(_) => kind == "buffered" && !self.completed,
        }
    }

    fn made(&self, token: Token) -> Result<&'a Record, Refusal> {
        self.facts.made.get(&token).copied().ok_or(Refusal::LeftOut(token))
    }

    /// Children go on from the node that made them: each of a fork along the edge of its branch.
    fn part(&mut self, token: Token, step: u64) -> Result<(), Refusal> {
        let routes = self.facts.routes(token, step);
        let edges: Vec<_> = routes.iter().filter_map(|edge| self.graph.edge(*edge)).collect();
        let children = self.facts.children(token).to_vec();
        let forked = self.graph.kind(step) == Some(NodeKind::Gate);
        if children.is_empty() || forked && children.len() != edges.len() {
            return Err(Refusal::Gap { token, step });
        }
        for child in children {
            let made = self.made(child)?;
            let on = match made.text("branch") {
                Some(branch) => edges.iter().find(|edge| edge.label == branch).map(|edge| edge.to),
                None => self.graph.ahead(step).filter(|_| !forked),
            };
            let on = on.filter(|_| made.token("group") == Some(token)).ok_or(Refusal::Stranger(child))?;
            self.todo.push((child, on));
        }
        Ok(())
    }

    fn merge(&mut self, token: Token, step: u64) -> Result<(), Refusal> {
        let &[merged] = self.facts.children(token) else { return Err(Refusal::Gap { token, step }) };
        if self.made(merged)?.token("group") != Some(merged) {
            return Err(Refusal::Stranger(merged));
        }
        self.todo.push((merged, self.graph.ahead(step).ok_or(Refusal::Graph)?));
        Ok(())
    }

    /// What came out of a batch came from each of its members.
    fn consume(&mut self, token: Token, step: u64) -> Result<(), Refusal> {
        let batch = self.facts.batch(token, step).ok_or(Refusal::NoBatch(token))?;
        let on = self.graph.ahead(step).ok_or(Refusal::Graph)?;
        if !self.flushed.insert(batch.release) {
            return Ok(());
        }
        let parts = self.made_in(batch)?;
        self.todo.extend(parts.iter().flat_map(outputs).map(|output| (output, on)));
        Ok(())
    }

    /// The parts of all tokens that a release made. They are numbered from 0, and parts are in the order of tokens, so that
    /// they are all here if the next part is that of another token, or there is none.
    fn made_in(&mut self, batch: Batch) -> Result<&'a [Leaf], Refusal> {
        let all = &self.receipt.releases.leaves[batch.release].parts;
        let parts = all.leaves.as_slice();
        let first = Token::first_released(batch.number).ok_or(Refusal::Outputs(batch.number))?;
        let from = parts.partition_point(|part| token_of(part) < Some(first));
        let ours = |part: &Leaf| token_of(part).and_then(Token::release) == Some(batch.number);
        let count = parts[from..].iter().take_while(|part| ours(part)).count();
        let begin = match (count, from) {
            (1.., _) => parts[from].index,
            (0, 0) => 0,
            (0, _) => parts[from - 1].index + 1,
        };
        let (made, after) = parts[from..].split_at(count);
        let numbered = (0..).zip(made).all(|(number, part)| {
            part.index == begin + number && token_of(part).map(Token::ordinal) == Some(number)
        });
        let end = begin + made.len() as u64;
        let bounded = after.first().map_or(all.size, |part| part.index) == end;
        if !numbered || !bounded {
            return Err(Refusal::Outputs(batch.number));
        }
        self.beside.extend((!after.is_empty()).then_some((batch.release, from + count)));
        self.beside.extend((count == 0 && from > 0).then(|| (batch.release, from - 1)));
        Ok(made)
    }

    /// Nothing is told of others.
    fn is_all_reached(&self) -> Result<(), Refusal> {
        if let Some(token) = self.facts.made.keys().find(|token| !self.ends.contains_key(token)) {
            return Err(Refusal::Stranger(*token));
        }
        for (at, release) in self.receipt.releases.leaves.iter().enumerate() {
            for (place, part) in release.parts.leaves.iter().enumerate() {
                let other = token_of(part).filter(|token| !self.ends.contains_key(token));
                if let Some(token) = other.filter(|_| !self.beside.contains(&(at, place))) {
                    return Err(Refusal::Stranger(token));
                }
            }
        }
        Ok(())
    }

    /// Sinks do what was decided in its order. So where a run did not complete, everything has an outcome that came to its
    /// end no later than something that has one.
    fn is_cut_off_nowhere(&self) -> Result<(), Refusal> {
        let acted = self.facts.outcomes.keys().map(|token| self.facts.last(*token)).max();
        let ended =
            self.ends.iter().filter(|(_, end)| !matches!(end, End::Waiting(_))).map(|(token, _)| *token);
        let mut missing = ended.filter(|token| self.facts.outcome(*token).is_none());
        match missing.find(|token| Some(self.facts.last(*token)) <= acted) {
            Some(token) => Err(Refusal::Outcomes { token, found: 0 }),
            None => Ok(()),
        }
    }
}

/// Tokens that came out of the batch.
fn outputs(part: &Leaf) -> impl Iterator<Item = Token> {
    part.records.iter().filter(|it| it.kind() == Kind::BatchOutput).filter_map(|it| it.token("token"))
}
