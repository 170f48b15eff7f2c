//! The words of the answer for people.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use elspeth_contracts::{BatchStatus, EdgeMode, NodeStateStatus, NodeType, Outcome, TokenId, TokenKey};
use elspeth_proof::printable;
use elspeth_value::{Row, Value};
use serde::Deserialize;

use super::tree::is_coalesced;
use super::{
    Lineage, LineageBatch, LineageError, LineageMembership, LineageRouting, LineageSource, LineageState,
    LineageToken, RoutingReason,
};
use crate::Shown;
use crate::text::{abridged, short_hash, value_text};

/// The most members and outputs of a batch that are named.
const LISTED: usize = 10;

/// What can be said of tokens with the whole answer at hand. Nothing of it is made printable yet.
#[derive(Debug)]
pub struct LineageWords<'a> {
    pub(super) lineage: &'a Lineage,
    /// Asks about something else in the same run.
    command: &'a str,
    /// Positions of the answer's tokens.
    places: BTreeMap<TokenId, usize>,
}

/// What a coalesce records of a merge.
#[derive(Debug, Deserialize)]
struct Merge {
    policy: String,
    merge: String,
    #[serde(default)]
    expected: Vec<String>,
    #[serde(default)]
    arrived: Vec<String>,
    #[serde(default)]
    lost: Vec<String>,
    #[serde(default)]
    late: Vec<String>,
    #[serde(default)]
    collisions: BTreeMap<String, Vec<String>>,
}

impl<'a> LineageWords<'a> {
    /// `command` is what has to be typed before ` --row N` or ` --token ID` to ask about something else in the same run.
    #[must_use]
    pub fn of(lineage: &'a Lineage, command: &'a str) -> Self {
        let places = lineage.tokens.iter().map(|token| token.token_id).zip(0..).collect();
        Self { lineage, command, places }
    }

    /// The position of a token, if it is part of the answer.
    #[must_use]
    pub fn place(&self, id: TokenId) -> Option<usize> {
        self.places.get(&id).copied()
    }

    /// What a token is, after its id.
    #[must_use]
    pub fn heading(&self, token: &LineageToken) -> String {
        if let Some(made_by) = &token.made_by {
            let (position, batch) = (u64::from(made_by.position) + 1, named(&made_by.batch));
            return format!(" · output {position} of {} of {batch}", made_by.outputs);
        }
        let branch = token.branch.as_ref().map(|branch| format!(" · branch {branch}")).unwrap_or_default();
        match self.merged_at(token) {
            Some(state) => format!("{branch} · merged at {}", state.node),
            None => branch,
        }
    }

    /// What it was made of, and the row that it was made with.
    pub(super) fn origin(&self, token: &LineageToken) -> Vec<String> {
        let mut lines = match &token.made_by {
            Some(made_by) => self.members(made_by),
            None => self.merge(token),
        };
        lines.extend(self.own_row(token));
        lines
    }

    fn members(&self, made_by: &LineageSource) -> Vec<String> {
        let members = &made_by.members;
        let mut lines = vec![format!("{} of {}", made_by.batch, count(members.count, "member"))];
        lines.extend(members.tokens.iter().take(LISTED).map(|member| match member.row_index {
            Some(row) => format!("{}: row {row} · {}", member.position + 1, member.token_id),
            None => format!("{}: {}", member.position + 1, member.token_id),
        }));
        let more = members.count.saturating_sub(members.tokens.len().min(LISTED) as u64);
        lines.extend(match (more, members.count > members.tokens.len() as u64) {
            (0, _) => None,
            (_, false) => Some(format!("… and {more} more (--json has them)")),
            (_, true) => Some(format!("… and {more} more (--json lists 1000 from --members-from N on)")),
        });
        lines.extend(members.tokens.first().map(|first| match first.row_index {
            Some(row) => format!("why?  {} --row {row}", self.command),
            None => format!("why?  {} --token {}", self.command, first.token_id),
        }));
        lines
    }

    fn merge(&self, token: &LineageToken) -> Vec<String> {
        let Some(state) = self.merged_at(token) else { return Vec::new() };
        let from: Vec<String> = token.parents.iter().map(|parent| self.with_branch(*parent)).collect();
        let mut lines = vec![format!("from {}", from.join(", "))];
        lines.extend(merge_lines(state));
        lines
    }

    /// The row of a token that was made with one of its own: whole, or against that of its first parent.
    fn own_row(&self, token: &LineageToken) -> Vec<String> {
        let Some(first) = token.states.first() else { return Vec::new() };
        let Some(row) = first.input.row() else { return Vec::new() };
        if token.made_by.is_some() {
            return fields(row).map(|(name, value)| format!("{name}: {}", value_text(value))).collect();
        }
        let parent = token.parents.first().and_then(|parent| self.token(*parent));
        let Some(last) = parent.and_then(|parent| parent.states.last()) else { return Vec::new() };
        let (hash, carried) = match last.status {
            NodeStateStatus::Completed => (last.output_hash, &last.output),
            NodeStateStatus::Open | NodeStateStatus::Pending | NodeStateStatus::Failed => {
                (last.input_hash, &last.input)
            }
        };
        match carried.row() {
            Some(carried) if hash != first.input_hash => changes(carried, row),
            Some(_) | None => Vec::new(),
        }
    }

    /// The state at which the first of the merged tokens waited: that of the merge.
    fn merged_at(&self, token: &LineageToken) -> Option<&LineageState> {
        let first = self.token(*token.parents.first()?).filter(|parent| is_coalesced(parent))?;
        first.states.last()
    }

    fn token(&self, id: TokenId) -> Option<&LineageToken> {
        self.place(id).map(|at| &self.lineage.tokens[at])
    }

    fn with_branch(&self, id: TokenId) -> String {
        match self.token(id).and_then(|token| token.branch.as_ref()) {
            Some(branch) => format!("{id} ({branch})"),
            None => id.to_string(),
        }
    }

    /// The lines below a state's own.
    pub(super) fn state_details(&self, token: &LineageToken, state: &LineageState) -> Vec<String> {
        let mut lines = changed_at(state);
        if let Some(reason) = &state.reason {
            match state.node_type {
                NodeType::Coalesce => lines.extend(self.merge_details(token, state)),
                NodeType::Source
                | NodeType::Transform
                | NodeType::Gate
                | NodeType::Aggregation
                | NodeType::Sink => lines.push(abridged(reason.get())),
            }
        }
        let here = |batch: &&LineageMembership| batch.step == Some(state.step);
        for batch in token.batches.iter().filter(here) {
            lines.extend(self.membership(token, batch, state.status == NodeStateStatus::Completed));
        }
        lines.extend(state.calls.iter().map(|call| {
            format!("call {} · {} · {}", call.call_type, call.status, short_hash(call.request_hash))
        }));
        lines.extend(state.error.as_ref().map(ToString::to_string));
        lines.extend(state.routing.iter().map(ToString::to_string));
        lines
    }

    /// How the branches came together, unless that is said where the merged token is.
    fn merge_details(&self, token: &LineageToken, state: &LineageState) -> Vec<String> {
        let merged = self.merged_into(token).is_some_and(|id| self.token(id).is_some());
        if merged { Vec::new() } else { merge_lines(state) }
    }

    /// The token that it became part of at a coalesce.
    #[must_use]
    pub fn merged_into(&self, token: &LineageToken) -> Option<TokenId> {
        let outcome = token.outcome.as_ref().filter(|outcome| outcome.outcome == Outcome::Coalesced)?;
        outcome.group.and_then(TokenKey::from_u64).map(|key| self.lineage.run_id.token_id(key))
    }

    /// What a batch did with a token whose state there was `completed`, or was not.
    fn membership(
        &self,
        token: &LineageToken,
        membership: &LineageMembership,
        completed: bool,
    ) -> Vec<String> {
        let batch = &membership.batch;
        let consumed = token.outcome.as_ref().is_some_and(|outcome| {
            outcome.outcome == Outcome::ConsumedInBatch && outcome.batch == Some(batch.batch)
        });
        let (position, members) = (u64::from(membership.position) + 1, membership.members);
        let made = if consumed {
            format!(" · made {}", count(membership.outputs, "token"))
        } else if completed && batch.status == BatchStatus::Completed {
            " · let it go on".to_owned()
        } else {
            String::new()
        };
        let mut lines =
            vec![format!("member {position} of {members} of batch {} · {batch}{made}", batch.batch)];
        if consumed {
            let shown = membership.output_tokens.iter().take(LISTED);
            lines.extend(shown.map(|output| format!("→ {output}")));
            let more = membership.outputs.saturating_sub(membership.output_tokens.len().min(LISTED) as u64);
            if more > 0 {
                lines.push(format!("… and {more} more (--json has them)"));
            }
            let first = membership.output_tokens.first().filter(|output| self.token(**output).is_none());
            lines.extend(first.map(|output| format!("on  {} --token {output}", self.command)));
        }
        lines
    }

    /// What became of a token.
    #[must_use]
    pub fn outcome_line(&self, token: &LineageToken) -> String {
        let Some(outcome) = &token.outcome else { return "under way".to_owned() };
        let mut line = outcome.outcome.to_string();
        if let Some(sink) = &outcome.sink {
            line.push_str(&format!(" · sink {sink}"));
        }
        if let Some(merged) = self.merged_into(token) {
            line.push_str(&format!(" · into {merged}"));
        }
        if let Some(batch) = outcome.batch {
            let member = token.batches.iter().find(|member| member.batch.batch == batch);
            line.push_str(&match member.filter(|_| outcome.outcome == Outcome::Buffered) {
                Some(member) => format!(
                    " · member {} of batch {batch}, which waits for more",
                    u64::from(member.position) + 1
                ),
                None => format!(" · batch {batch}"),
            });
        }
        if let Some(error) = &outcome.error {
            line.push_str(&format!(" · because of {}", error.node));
            if token.states.iter().all(|state| state.error.is_none()) {
                line.push_str(&format!(": {error}"));
            }
        }
        line
    }
}

pub(super) fn write_body(out: &mut String, body: &Shown) -> fmt::Result {
    match body {
        Shown::Nothing => Ok(()),
        Shown::Purged => writeln!(out, "    (purged)"),
        Shown::Body(_) => match body.row() {
            Some(row) => fields(row).try_for_each(|(name, value)| {
                writeln!(out, "    {}", printable(&format!("{name}: {}", value_text(value))))
            }),
            None => {
                let json = serde_json::to_string(body).unwrap_or_default();
                writeln!(out, "    {}", printable(&abridged(&json)))
            }
        },
    }
}

fn fields(row: &Row) -> impl Iterator<Item = (&str, &Value)> {
    row.shape().names().iter().map(|name| name.as_str()).zip(row.values())
}

/// A state's own line.
pub(super) fn state_line(state: &LineageState) -> String {
    let mut line = format!("{} {}", state.node_type, state.node);
    if state.plugin != state.node_type.as_str() {
        line.push_str(&format!(" ({})", state.plugin));
    }
    if state.attempt > 0 {
        line.push_str(&format!(" · attempt {}", u16::from(state.attempt) + 1));
    }
    line.push_str(&format!(" · {} · {}", state.status, hashes(state)));
    if state.duration_ms > 0.0 {
        line.push_str(&format!(" · {} ms", state.duration_ms));
    }
    if state.waited_ms > 0.0 {
        line.push_str(&format!(" · waited {:.3} s for the rate limit", state.waited_ms / 1_000.0));
    }
    line
}

fn hashes(state: &LineageState) -> String {
    match (state.input_hash, state.output_hash) {
        (None, None) => "no data".to_owned(),
        (None, Some(output)) => format!("→ {}", short_hash(output)),
        (Some(input), None) => short_hash(input),
        (Some(input), Some(output)) if input == output => format!("{} unchanged", short_hash(input)),
        (Some(input), Some(output)) => format!("{} → {}", short_hash(input), short_hash(output)),
    }
}

/// Fields that were added (`+`), changed (`~`) or taken away (`-`).
fn changes(before: &Row, after: &Row) -> Vec<String> {
    let mut lines = Vec::new();
    let old: BTreeMap<&str, &Value> = fields(before).collect();
    for (name, value) in fields(after) {
        match old.get(name) {
            None => lines.push(format!("+ {name}: {}", value_text(value))),
            Some(was) if *was == value => {}
            Some(was) => lines.push(format!("~ {name}: {} → {}", value_text(was), value_text(value))),
        }
    }
    let gone = fields(before).filter(|(name, _)| after.get(name).is_none());
    lines.extend(gone.map(|(name, value)| format!("- {name}: {}", value_text(value))));
    lines
}

/// What a node changed.
fn changed_at(state: &LineageState) -> Vec<String> {
    if state.status != NodeStateStatus::Completed || state.input_hash == state.output_hash {
        return Vec::new();
    }
    match (state.input.row(), state.output.row()) {
        (Some(before), Some(after)) => changes(before, after),
        (None, _) | (_, None) => Vec::new(),
    }
}

/// How a merge went; as it was recorded where it says something else than is known here.
fn merge_lines(state: &LineageState) -> Vec<String> {
    let Some(recorded) = &state.reason else { return Vec::new() };
    let Ok(merge) = serde_json::from_str::<Merge>(recorded.get()) else {
        return vec![abridged(recorded.get())];
    };
    let mut line = format!("{} · {}", merge.policy, merge.merge);
    let mut without = merge.expected.clone();
    without.retain(|branch| {
        ![&merge.arrived, &merge.lost, &merge.late].iter().any(|known| known.contains(branch))
    });
    let branches = [
        ("arrived", &merge.arrived),
        ("lost", &merge.lost),
        ("late", &merge.late),
        ("not waited for", &without),
    ];
    for (what, branches) in branches {
        if !branches.is_empty() {
            line.push_str(&format!(" · {what} {}", branches.join(", ")));
        }
    }
    let collisions = merge.collisions.iter();
    let collisions = collisions.map(|(field, branches)| format!("{field}: given by {}", branches.join(", ")));
    std::iter::once(line).chain(collisions).collect()
}

fn named(batch: &LineageBatch) -> String {
    match &batch.node {
        Some(node) => format!("batch {} of {node}", batch.batch),
        None => format!("batch {}", batch.batch),
    }
}

/// What became of it, and why.
impl fmt::Display for LineageBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            BatchStatus::Draft | BatchStatus::Executing => return f.write_str("not flushed yet"),
            BatchStatus::Completed => f.write_str("flushed")?,
            BatchStatus::Failed => f.write_str("flush failed")?,
        }
        if let Some(trigger) = self.trigger {
            write!(f, " by {trigger}")?;
        }
        if let Some(row) = self.flushed_at_row {
            write!(f, " at row {row}")?;
        }
        if self.attempts > 1 {
            write!(f, ", attempt {}", self.attempts)?;
        }
        match &self.reason {
            Some(reason) => write!(f, " ({})", abridged(reason)),
            None => Ok(()),
        }
    }
}

fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

impl fmt::Display for LineageRouting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { label, to, .. } = self;
        match (&self.reason, self.mode) {
            (Some(RoutingReason::Gate { condition, result }), EdgeMode::Copy) => {
                write!(f, "{condition} → {result} → branch {label} → {to}")
            }
            (Some(RoutingReason::Gate { condition, result }), EdgeMode::Move | EdgeMode::Divert) => {
                write!(f, "{condition} → {result} → {to}")
            }
            (Some(RoutingReason::Recorded(reason)), _) => {
                write!(f, "{label} → {to} ({})", abridged(reason.get()))
            }
            (None, EdgeMode::Divert) => write!(f, "diverted → {to}"),
            (None, EdgeMode::Copy) => write!(f, "branch {label} → {to}"),
            (None, EdgeMode::Move) => write!(f, "{label} → {to}"),
        }
    }
}

impl fmt::Display for LineageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = &self.reason;
        write!(f, "{}: {}", reason.kind, reason.message)?;
        match reason.line {
            Some(line) => write!(f, " (line {line} of the source)"),
            None => Ok(()),
        }
    }
}
