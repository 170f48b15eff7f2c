//! The answer as a tree for people.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use elspeth_contracts::{EdgeMode, NodeStateStatus, TokenId};
use elspeth_value::{Row, Value};

use super::{
    Lineage, LineageError, LineageOutcome, LineageRouting, LineageState, LineageToken, RoutingReason,
};
use crate::Shown;
use crate::text::{abridged, short_hash, value_text};

impl Lineage {
    /// A readable tree: the row, then every token with the nodes that it visited, what each changed and decided, and
    /// what became of it; children below their parent.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        self.write_text(&mut out).expect("a string takes whatever is written");
        out
    }

    fn write_text(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "Run {}", self.run_id)?;
        if let Some(row) = &self.row {
            writeln!(
                out,
                "Row {} · {} · source data {}",
                row.row_index,
                row.row_id,
                short_hash(row.source_data_hash)
            )?;
            write_body(out, &row.data)?;
        }
        for token in self.tokens.iter().filter(|token| self.parent_of(token).is_none()) {
            self.write_token(out, token, 0)?;
        }
        Ok(())
    }

    /// The parent below which a token is shown: its first one that is part of the answer.
    fn parent_of(&self, token: &LineageToken) -> Option<TokenId> {
        token.parents.iter().copied().find(|parent| self.tokens.iter().any(|t| t.token_id == *parent))
    }

    fn write_token(&self, out: &mut String, token: &LineageToken, depth: usize) -> fmt::Result {
        let pad = "  ".repeat(depth);
        let branch = token.branch.as_ref().map(|branch| format!(" · branch {branch}")).unwrap_or_default();
        writeln!(out, "\n{pad}Token {}{branch}", token.token_id)?;
        let mut reason_shown = false;
        for state in &token.states {
            write_state(out, &pad, state)?;
            reason_shown |= state.error.is_some();
        }
        write_outcome(out, &pad, token.outcome.as_ref(), reason_shown)?;
        for child in self.tokens.iter().filter(|t| self.parent_of(t) == Some(token.token_id)) {
            self.write_token(out, child, depth + 1)?;
        }
        Ok(())
    }
}

fn write_body(out: &mut String, body: &Shown) -> fmt::Result {
    match body {
        Shown::Nothing => Ok(()),
        Shown::Purged => writeln!(out, "    (purged)"),
        Shown::Body(_) => match body.row() {
            Some(row) => {
                fields(row).try_for_each(|(name, value)| writeln!(out, "    {name}: {}", value_text(value)))
            }
            None => writeln!(out, "    {}", abridged(&serde_json::to_string(body).unwrap_or_default())),
        },
    }
}

fn fields(row: &Row) -> impl Iterator<Item = (&str, &Value)> {
    row.shape().names().iter().map(|name| name.as_str()).zip(row.values())
}

fn write_state(out: &mut String, pad: &str, state: &LineageState) -> fmt::Result {
    write!(out, "{pad}├─ {} {}", state.node_type, state.node)?;
    if state.plugin != state.node_type.as_str() {
        write!(out, " ({})", state.plugin)?;
    }
    if state.attempt > 0 {
        write!(out, " · attempt {}", u16::from(state.attempt) + 1)?;
    }
    writeln!(out, " · {} · {}{}", state.status, hashes(state), took(state.duration_ms))?;
    let pad = format!("{pad}│    ");
    write_changes(out, &pad, state)?;
    if let Some(reason) = &state.reason {
        writeln!(out, "{pad}{}", abridged(reason.get()))?;
    }
    for call in &state.calls {
        writeln!(out, "{pad}call {} · {} · {}", call.call_type, call.status, short_hash(call.request_hash))?;
    }
    if let Some(error) = &state.error {
        writeln!(out, "{pad}{}", error_text(error))?;
    }
    state.routing.iter().try_for_each(|routing| writeln!(out, "{pad}{}", routing_text(routing)))
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

fn took(milliseconds: f64) -> String {
    if milliseconds > 0.0 { format!(" · {milliseconds} ms") } else { String::new() }
}

/// Fields that a node added (`+`), changed (`~`) or took away (`-`).
fn write_changes(out: &mut String, pad: &str, state: &LineageState) -> fmt::Result {
    if state.status != NodeStateStatus::Completed || state.input_hash == state.output_hash {
        return Ok(());
    }
    let (Some(before), Some(after)) = (state.input.row(), state.output.row()) else { return Ok(()) };
    let old: BTreeMap<&str, &Value> = fields(before).collect();
    for (name, value) in fields(after) {
        match old.get(name) {
            None => writeln!(out, "{pad}+ {name}: {}", value_text(value))?,
            Some(was) if *was == value => {}
            Some(was) => writeln!(out, "{pad}~ {name}: {} → {}", value_text(was), value_text(value))?,
        }
    }
    fields(before)
        .filter(|(name, _)| after.get(name).is_none())
        .try_for_each(|(name, value)| writeln!(out, "{pad}- {name}: {}", value_text(value)))
}

fn routing_text(routing: &LineageRouting) -> String {
    let to = &routing.to;
    match (&routing.reason, routing.mode) {
        (Some(RoutingReason::Gate { condition, result }), _) => format!("{condition} → {result} → {to}"),
        (Some(RoutingReason::Recorded(reason)), _) => {
            format!("{} → {to} ({})", routing.label, abridged(reason.get()))
        }
        (None, EdgeMode::Divert) => format!("diverted → {to}"),
        (None, EdgeMode::Move | EdgeMode::Copy) => format!("{} → {to}", routing.label),
    }
}

fn error_text(error: &LineageError) -> String {
    let reason = &error.reason;
    let line = reason.line.map(|line| format!(" (line {line} of the source)")).unwrap_or_default();
    format!("{}: {}{line}", reason.kind, reason.message)
}

fn write_outcome(
    out: &mut String,
    pad: &str,
    outcome: Option<&LineageOutcome>,
    reason_shown: bool,
) -> fmt::Result {
    let Some(outcome) = outcome else { return writeln!(out, "{pad}└─ under way") };
    write!(out, "{pad}└─ {}", outcome.outcome)?;
    if let Some(sink) = &outcome.sink {
        write!(out, " · sink {sink}")?;
    }
    if let Some(error) = &outcome.error {
        write!(out, " · because of {}", error.node)?;
        if !reason_shown {
            write!(out, ": {}", error_text(error))?;
        }
    }
    writeln!(out)
}
