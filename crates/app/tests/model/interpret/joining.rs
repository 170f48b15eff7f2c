//! Forks' branches and where they meet again.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::pipeline::{Coalesce, Kind, Merge, NodeNo, Policy, Row};

use super::walking::Walk;
use super::{Event, Frame, Interpreter, Key, Token};

/// The branches of one forked token that are to meet at one coalesce.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// Tokens under way, by branch.
    live: BTreeMap<usize, usize>,
    arrived: BTreeMap<usize, Token>,
    lost: BTreeSet<usize>,
    ended: Option<End>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Merged,
    Failed,
    /// Failed, with a token that ended there for it.
    FailedToken,
}

/// What the policy says.
enum Verdict {
    Wait,
    Merge,
    Fail,
}

/// What an event at a coalesce leads to.
pub(super) enum Resolution {
    Merge {
        frame: Frame,
        row: Row,
        parts: Vec<Token>,
    },
    /// These tokens end there.
    Fail {
        frame: Frame,
        tokens: Vec<Token>,
    },
}

impl Interpreter<'_> {
    /// Counts a token on each of these branches.
    pub(super) fn enter_frames(&mut self, frames: &[Frame]) {
        for frame in frames {
            let group = self.groups.entry((frame.coalesce, frame.parent)).or_default();
            *group.live.entry(frame.branch).or_default() += 1;
        }
    }

    /// The token `key` is on these branches no more; the innermost is told first.
    pub(super) fn drop_frames(&mut self, key: Key, frames: &[Frame], walk: &mut Walk) {
        for frame in frames.iter().rev() {
            if !self.leave(frame) {
                continue;
            }
            if self.ordered.contains(&frame.coalesce) {
                self.inbox.entry(frame.coalesce).or_default().push(Event::Lost(key, *frame));
            } else if let Some(resolution) = self.lose(*frame) {
                self.resolve(resolution, walk);
            }
        }
    }

    fn group(&mut self, frame: &Frame) -> &mut Group {
        self.groups.get_mut(&(frame.coalesce, frame.parent)).expect("the fork made the group")
    }

    /// One token less on a branch; whether the branch is lost by that.
    fn leave(&mut self, frame: &Frame) -> bool {
        let group = self.group(frame);
        let live = group.live.get_mut(&frame.branch).expect("the token was counted");
        *live -= 1;
        *live == 0 && !group.arrived.contains_key(&frame.branch)
    }

    /// A branch has arrived.
    pub(super) fn join(&mut self, token: Token, frame: Frame) -> Option<Resolution> {
        let group = self.group(&frame);
        if group.ended.is_some() {
            self.leave(&frame);
            return Some(Resolution::Fail { frame, tokens: vec![token] });
        }
        group.arrived.insert(frame.branch, token);
        self.leave(&frame);
        self.decide(frame)
    }

    /// A branch cannot arrive any more.
    pub(super) fn lose(&mut self, frame: Frame) -> Option<Resolution> {
        let group = self.group(&frame);
        group.lost.insert(frame.branch);
        if group.ended.is_none() { self.decide(frame) } else { None }
    }

    fn coalesce(&self, no: NodeNo) -> Coalesce {
        match &self.pipeline.nodes[no].kind {
            Kind::Coalesce(coalesce) => coalesce.clone(),
            Kind::Transform { .. } | Kind::Gate { .. } | Kind::Aggregation(_) => {
                unreachable!("frames name coalesces")
            }
        }
    }

    fn decide(&mut self, frame: Frame) -> Option<Resolution> {
        let coalesce = self.coalesce(frame.coalesce);
        let group = self.group(&frame);
        let merges = match verdict(group, &coalesce) {
            Verdict::Wait => return None,
            Verdict::Merge => true,
            Verdict::Fail => false,
        };
        let arrived = std::mem::take(&mut group.arrived);
        let row = if merges { merged_row(&coalesce, &arrived) } else { None };
        group.ended = Some(if row.is_some() { End::Merged } else { End::Failed });
        let tokens: Vec<Token> = arrived.into_values().collect();
        match row {
            Some(row) => Some(Resolution::Merge { frame, row, parts: tokens }),
            None if tokens.is_empty() => None,
            None => Some(Resolution::Fail { frame, tokens }),
        }
    }

    /// Lets happen what an event led to.
    pub(super) fn resolve(&mut self, resolution: Resolution, walk: &mut Walk) {
        match resolution {
            Resolution::Merge { frame, row, parts } => self.merge(frame, row, parts, walk),
            Resolution::Fail { frame, tokens } => {
                let group = self.group(&frame);
                if group.ended == Some(End::Failed) {
                    group.ended = Some(End::FailedToken);
                    self.coalesce_failed += 1;
                }
                for token in tokens {
                    self.settle(token.key, "failed");
                    self.drop_frames(token.key, &token.frames, walk);
                }
            }
        }
    }

    fn merge(&mut self, frame: Frame, row: Row, parts: Vec<Token>, walk: &mut Walk) {
        for part in &parts {
            self.settle(part.key, "coalesced");
        }
        let mut parts = parts.into_iter();
        let frames = parts.next().expect("something was merged").frames;
        // The merged token takes the place of the first on the outer branches.
        for frame in parts.flat_map(|part| part.frames) {
            self.leave(&frame);
        }
        let next = self.coalesce(frame.coalesce).next;
        let key = walk.birth();
        walk.push(Token { key, row, frames }, next);
    }
}

fn verdict(group: &Group, coalesce: &Coalesce) -> Verdict {
    let expected = coalesce.branches.len();
    let arrived = group.arrived.len();
    let lost = group.lost.len();
    let all_known = arrived + lost == expected;
    match coalesce.policy {
        Policy::RequireAll if lost > 0 => Verdict::Fail,
        Policy::RequireAll if arrived == expected => Verdict::Merge,
        Policy::Quorum(wanted) if arrived >= wanted => Verdict::Merge,
        Policy::Quorum(wanted) if expected - lost < wanted => Verdict::Fail,
        Policy::First if arrived > 0 => Verdict::Merge,
        Policy::BestEffort if all_known && arrived > 0 => Verdict::Merge,
        Policy::First | Policy::BestEffort if all_known => Verdict::Fail,
        Policy::RequireAll | Policy::Quorum(_) | Policy::First | Policy::BestEffort => Verdict::Wait,
    }
}

/// The merged row; none when the branch to select is not there.
fn merged_row(coalesce: &Coalesce, arrived: &BTreeMap<usize, Token>) -> Option<Row> {
    match coalesce.merge {
        Merge::Union => {
            let mut row = Row::new();
            for token in arrived.values() {
                for (name, value) in &token.row {
                    row.insert(name.clone(), value.clone());
                }
            }
            Some(row)
        }
        Merge::Nested => {
            let field = |(branch, token): (&usize, &Token)| {
                (coalesce.branches[*branch].name.clone(), Json::Object(token.row.clone()))
            };
            Some(arrived.iter().map(field).collect())
        }
        Merge::Select(branch) => arrived.get(&branch).map(|token| token.row.clone()),
    }
}
