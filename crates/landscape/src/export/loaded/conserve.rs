//! The rules of conservation, and the counters, over records in memory. A database has the same rules as queries.

use std::collections::{BTreeMap, BTreeSet};

use elspeth_contracts::{
    BatchRecord, BatchStatus, FailureKind, NodeStateRecord, NodeStateStatus, NodeType, Outcome, RowIndex,
    RunId, Step, TokenKey, TokenOrigin, TokenOutcomeRecord, TokenRecord,
};

use super::Records;
use super::keyed::between;
use crate::{ConservationBreach, Counters};

/// Ids of a breach that are told.
const SHOWN: usize = 10;

/// What breaks a rule.
enum Found {
    Rows(Vec<RowIndex>),
    Tokens(Vec<TokenKey>),
    Epochs(Vec<u64>),
}

type Rule = (&'static str, fn(&Records) -> Found);

const RULES: &[Rule] = &[
    ("every epoch has as many rows as were read for it", |records| {
        let has = |rows: (RowIndex, RowIndex)| between(&records.rows, rows, |row| row.row_index).len() as u64;
        let odd = records.epochs.iter().filter(|epoch| epoch.rows.map_or(0, has) != epoch.row_count);
        Found::Epochs(odd.map(|epoch| epoch.epoch.0).collect())
    }),
    ("every row belongs to an epoch", |records| {
        let mut ranges: Vec<_> = records.epochs.iter().filter_map(|epoch| epoch.rows).collect();
        ranges.sort_unstable();
        let owned = |row: RowIndex| {
            let begun = &ranges[..ranges.partition_point(|(first, _)| *first <= row)];
            begun.last().is_some_and(|(_, last)| row <= *last)
        };
        let rows = records.rows.iter().map(|row| row.row_index).filter(|row| !owned(*row));
        Found::Rows(rows.collect())
    }),
    ("every row has a token", |records| {
        let first = |row: RowIndex| TokenKey::of_row(row, 0).expect("ordinal 0 is below every limit");
        let rows = records.rows.iter().map(|row| row.row_index);
        Found::Rows(rows.filter(|row| records.token(first(*row)).is_none()).collect())
    }),
    ("every token has a terminal outcome", |records| {
        let tokens = records.tokens.iter().map(|token| token.token);
        Found::Tokens(tokens.filter(|token| records.end(*token).is_none()).collect())
    }),
    ("every outcome is that of a token", |records| {
        let tokens = records.outcomes.iter().map(|outcome| outcome.token);
        Found::Tokens(tokens.filter(|token| records.token(*token).is_none()).collect())
    }),
    ("a completed or routed token names its sink", |records| {
        let ended = records.ended(|outcome| matches!(outcome, Outcome::Completed | Outcome::Routed));
        Found::Tokens(ended.filter(|outcome| outcome.sink.is_none()).map(|outcome| outcome.token).collect())
    }),
    ("a token whose outcome names a sink has a completed state there", |records| {
        let missing = |outcome: &&TokenOutcomeRecord| {
            outcome.sink.is_some_and(|sink| !records.arrived(outcome.token, sink))
        };
        Found::Tokens(records.ended(|_| true).filter(missing).map(|outcome| outcome.token).collect())
    }),
    ("a token with a completed state at a sink has an outcome that names the sink", |records| {
        let may = |outcome: Outcome| match outcome {
            Outcome::Completed | Outcome::Routed | Outcome::Quarantined | Outcome::Diverted => true,
            Outcome::Forked
            | Outcome::Expanded
            | Outcome::Coalesced
            | Outcome::ConsumedInBatch
            | Outcome::Failed
            | Outcome::Buffered => false,
        };
        let told = |state: &&NodeStateRecord| {
            records.end(state.token).is_some_and(|end| end.sink == Some(state.step) && may(end.outcome))
        };
        let completed = records.sink_states.iter().filter(|s| s.status == NodeStateStatus::Completed);
        Found::Tokens(completed.filter(|state| !told(state)).map(|state| state.token).collect())
    }),
    ("a forked, expanded or coalesced token has children in its group", |records| {
        let children: BTreeSet<_> =
            records.links().map(|(parent, child)| (parent, child.group)).collect::<BTreeSet<_>>();
        let parents = records
            .ended(|outcome| matches!(outcome, Outcome::Forked | Outcome::Expanded | Outcome::Coalesced));
        let childless = parents.filter(|end| !children.contains(&(end.token, end.group)));
        Found::Tokens(childless.map(|end| end.token).collect())
    }),
    ("a child of a fork or expansion names its parent as its group", |records| {
        let links: BTreeSet<_> = records.parents.iter().map(|link| (link.token, link.parent)).collect();
        let odd = records.tokens.iter().filter(|token| {
            let (own, group) = (token.token, token.group);
            group.is_some_and(|group| group != own && !links.contains(&(own, group)))
        });
        Found::Tokens(odd.map(|token| token.token).collect())
    }),
    ("a token with children of a fork or expansion was forked or expanded", |records| {
        let of_families = records.links().filter(|(parent, child)| child.group == Some(*parent));
        let was = |parent: TokenKey| {
            records.end(parent).is_some_and(|end| matches!(end.outcome, Outcome::Forked | Outcome::Expanded))
        };
        let odd: BTreeSet<_> = of_families.map(|(parent, _)| parent).filter(|parent| !was(*parent)).collect();
        Found::Tokens(odd.into_iter().collect())
    }),
    ("a token that a merged one came from was coalesced into it", |records| {
        let merged = records.links().filter(|(_, child)| child.group == Some(child.token));
        let was = |parent: TokenKey, child: &TokenRecord| {
            records
                .end(parent)
                .is_some_and(|end| end.outcome == Outcome::Coalesced && end.group == child.group)
        };
        let odd: BTreeSet<_> =
            merged.filter(|(parent, child)| !was(*parent, child)).map(|(it, _)| it).collect();
        Found::Tokens(odd.into_iter().collect())
    }),
    ("every token that a release made came from a token or a batch", |records| {
        let outputs: BTreeSet<_> = records.outputs.iter().map(|output| output.token).collect();
        let children: BTreeSet<_> = records.parents.iter().map(|link| link.token).collect();
        let released = records.tokens.iter().map(|token| token.token);
        let released = released.filter(|token| matches!(token.origin(), TokenOrigin::Batch(_)));
        let orphans = released.filter(|token| !outputs.contains(token) && !children.contains(token));
        Found::Tokens(orphans.collect())
    }),
    ("every batch that took members was flushed", |records| {
        let flushed = |number: u64| {
            let ended =
                |batch: &BatchRecord| matches!(batch.status, BatchStatus::Completed | BatchStatus::Failed);
            records.attempts(number).iter().any(ended)
        };
        let first = records.members.iter().filter(|member| member.ordinal == 0);
        Found::Tokens(first.filter(|member| !flushed(member.batch_no)).map(|member| member.token).collect())
    }),
    ("every batch that was flushed had taken members", |records| {
        let took: BTreeSet<_> = records.members.iter().map(|member| member.batch_no).collect();
        let numbers = records.batches.iter().map(|batch| batch.batch_no);
        Found::Tokens(numbers.filter(|number| !took.contains(number)).filter_map(made_by).collect())
    }),
    ("the members of a batch have positions without a gap", |records| {
        let mut sizes: BTreeMap<u64, (u64, u32)> = BTreeMap::new();
        for member in &records.members {
            let (count, last) = sizes.entry(member.batch_no).or_default();
            (*count, *last) = (*count + 1, member.ordinal);
        }
        let odd = sizes.into_iter().filter(|(_, (count, last))| *count != u64::from(*last) + 1);
        Found::Tokens(odd.filter_map(|(number, _)| made_by(number)).collect())
    }),
    ("a batch is completed by its last attempt", |records| {
        let odd = records
            .batches
            .windows(2)
            .filter(|pair| pair[0].batch_no == pair[1].batch_no && pair[0].status == BatchStatus::Completed);
        Found::Tokens(odd.filter_map(|pair| made_by(pair[0].batch_no)).collect())
    }),
    ("every flush of a batch is a release of its node", |records| {
        let released: BTreeSet<_> = records.releases.iter().map(|r| (r.number, r.step)).collect();
        let odd = records.batches.iter().filter(|batch| !released.contains(&(batch.batch_no, batch.step)));
        Found::Tokens(odd.filter_map(|batch| made_by(batch.batch_no)).collect())
    }),
    ("every member of a batch has a terminal outcome", |records| {
        let members = records.members.iter().map(|member| member.token);
        Found::Tokens(members.filter(|token| records.end(*token).is_none()).collect())
    }),
    ("a token consumed in a batch is a member of it, and it was completed", |records| {
        let consumed = records.ended(|outcome| outcome == Outcome::ConsumedInBatch);
        let members: BTreeSet<_> = records.members.iter().map(|m| (m.token, m.batch_no)).collect();
        let is_sound = |end: &&TokenOutcomeRecord| {
            end.release().is_some_and(|number| {
                members.contains(&(end.token, number)) && records.completed(number).is_some()
            })
        };
        Found::Tokens(consumed.filter(|end| !is_sound(end)).map(|end| end.token).collect())
    }),
    ("a member that its completed batch did not consume went on from there, or failed there", |records| {
        let mut odd = Vec::new();
        for member in &records.members {
            let Some(batch) = records.completed(member.batch_no) else { continue };
            let consumed = records.end(member.token).is_some_and(|end| {
                end.outcome == Outcome::ConsumedInBatch && end.release() == Some(member.batch_no)
            });
            if !consumed && !records.went_on(member.token, batch.step) {
                odd.push(member.token);
            }
        }
        Found::Tokens(odd)
    }),
    ("every output of a batch is a token", |records| {
        let outputs = records.outputs.iter().map(|output| output.token);
        Found::Tokens(outputs.filter(|token| records.token(*token).is_none()).collect())
    }),
    ("every output of a batch is one of a completed batch", |records| {
        let odd = records.outputs.iter().filter(|output| records.completed(output.batch_no).is_none());
        Found::Tokens(odd.map(|output| output.token).collect())
    }),
];

/// The first token that a batch can make, which names it.
fn made_by(number: u64) -> Option<TokenKey> {
    TokenKey::of_batch(number, 0)
}

impl Records {
    fn token(&self, token: TokenKey) -> Option<&TokenRecord> {
        let at = self.tokens.binary_search_by_key(&token, |record| record.token).ok()?;
        Some(&self.tokens[at])
    }

    /// The terminal outcome.
    fn end(&self, token: TokenKey) -> Option<&TokenOutcomeRecord> {
        let of_token = between(&self.outcomes, (token, token), |outcome| outcome.token);
        of_token.iter().find(|outcome| outcome.outcome.is_terminal())
    }

    fn ended(&self, which: impl Fn(Outcome) -> bool) -> impl Iterator<Item = &TokenOutcomeRecord> {
        self.outcomes.iter().filter(move |o| o.outcome.is_terminal() && which(o.outcome))
    }

    fn arrived(&self, token: TokenKey, sink: Step) -> bool {
        let states = between(&self.sink_states, (token, token), |state| state.token);
        states.iter().any(|state| state.step == sink && state.status == NodeStateStatus::Completed)
    }

    /// Parents, each with a child that exists.
    fn links(&self) -> impl Iterator<Item = (TokenKey, &TokenRecord)> {
        self.parents.iter().filter_map(|link| Some((link.parent, self.token(link.token)?)))
    }

    fn attempts(&self, number: u64) -> &[BatchRecord] {
        between(&self.batches, (number, number), |batch| batch.batch_no)
    }

    fn completed(&self, number: u64) -> Option<&BatchRecord> {
        self.attempts(number).iter().find(|batch| batch.status == BatchStatus::Completed)
    }

    /// Whether a token came further than that node, or failed there.
    fn went_on(&self, token: TokenKey, step: Step) -> bool {
        let states = between(&self.states, (token, token), |state| state.token);
        let further = |state: &NodeStateRecord| {
            state.step > step || state.step == step && state.status == NodeStateStatus::Failed
        };
        states.iter().any(further)
            || !between(&self.sink_states, (token, token), |state| state.token).is_empty()
    }

    /// The rules that the run breaks.
    pub(super) fn breaches(&self, run: RunId) -> Vec<ConservationBreach> {
        let breach = |(rule, find): &Rule| {
            let (table, names): (_, Vec<String>) = match find(self) {
                Found::Rows(rows) => {
                    ("rows", rows.into_iter().map(|row| run.row_id(row).to_string()).collect())
                }
                Found::Tokens(tokens) => {
                    ("tokens", tokens.into_iter().map(|token| run.token_id(token).to_string()).collect())
                }
                Found::Epochs(epochs) => {
                    ("epochs", epochs.into_iter().map(|epoch| format!("epoch {epoch}")).collect())
                }
            };
            let count = names.len() as u64;
            let ids = names.into_iter().take(SHOWN).collect();
            (count > 0).then_some(ConservationBreach { rule, table, ids, count })
        };
        RULES.iter().filter_map(breach).collect()
    }

    /// What the records come to.
    pub(super) fn counters(&self) -> Counters {
        let mut counters = Counters {
            processed: self.rows.len() as u64,
            buffered: self.buffered(),
            coalesce_failed: self.failed_merges(),
            ..Counters::default()
        };
        for end in self.ended(|_| true) {
            counters.add(end.outcome, 1);
        }
        for sink in self.nodes.iter().filter(|node| node.node_type == NodeType::Sink) {
            let here = |state: &&NodeStateRecord| {
                state.step == sink.step && state.status == NodeStateStatus::Completed
            };
            let arrived = self.sink_states.iter().filter(here).count() as u64;
            counters.destinations.insert(sink.name.clone(), arrived);
        }
        counters
    }

    /// Tokens that wait in open batches.
    fn buffered(&self) -> u64 {
        let open = |number: u64| {
            let ended =
                |batch: &BatchRecord| matches!(batch.status, BatchStatus::Completed | BatchStatus::Failed);
            !self.attempts(number).iter().any(ended)
        };
        let members = self.members.iter().filter(|m| open(m.batch_no)).map(|member| member.token);
        let told = self.outcomes.iter().filter(|o| !o.outcome.is_terminal()).map(|outcome| outcome.token);
        let waiting: BTreeSet<TokenKey> = members.chain(told).collect();
        waiting.into_iter().filter(|token| self.end(*token).is_none()).count() as u64
    }

    /// Merges that failed: the context of one of the branches tells of the merge.
    fn failed_merges(&self) -> u64 {
        let is_merge = |step: Step| {
            self.nodes.iter().any(|node| node.step == step && node.node_type == NodeType::Coalesce)
        };
        let told = |key| self.contexts.binary_search_by_key(&key, |c| (c.token, c.step, c.attempt)).is_ok();
        let failed = self.transform_errors.iter().filter(|error| {
            error.reason.kind != FailureKind::LateArrivalAfterMerge
                && is_merge(error.step)
                && told((error.token, error.step, error.attempt))
        });
        failed.count() as u64
    }
}
