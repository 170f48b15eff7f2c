//! From facts to the answer: no IO.

use std::collections::BTreeMap;

use elspeth_contracts::{
    CallRecord, EdgeMode, EdgeRecord, ErrorReason, NodeRecord, NodeStateRecord, NodeType, Outcome,
    RoutingEventRecord, RowIndex, RunId, Step,
};
use serde_json::value::RawValue;

use super::facts::{Facts, TokenFacts};
use super::flow::{Flow, Passage, flows, source_row};
use super::{
    Bodies, Graph, Lineage, LineageCall, LineageError, LineageOutcome, LineageRouting, LineageRow,
    LineageState, LineageToken, RoutingReason,
};
use crate::{Corruption, LandscapeError, RunRecord};

/// The answer to a question; `row` is the one that it is about.
pub(super) fn lineage(
    run: &RunRecord,
    graph: &Graph,
    (facts, row): (&Facts, Option<RowIndex>),
    bodies: &Bodies<'_>,
) -> Result<Lineage, LandscapeError> {
    let flows = flows(facts, bodies)?;
    let mut tokens = Vec::with_capacity(facts.tokens.len());
    for key in facts.in_order() {
        let assembly = Assembly { run_id: run.run_id, graph, facts, token: &facts.tokens[&key] };
        tokens.push(assembly.token(&flows[&key])?);
    }
    let row = match row.and_then(|row| facts.rows.get(&row)) {
        None => None,
        Some((row, _)) => Some(LineageRow {
            row_id: run.run_id.row_id(row.row_index),
            row_index: row.row_index.get(),
            source_data_hash: row.source_data_hash,
            data: source_row(facts, row.row_index, bodies)?.body,
        }),
    };
    Ok(Lineage { run_id: run.run_id, row, tokens })
}

/// What is needed to show one token.
pub(super) struct Assembly<'a> {
    pub(super) run_id: RunId,
    pub(super) graph: &'a Graph,
    pub(super) facts: &'a Facts,
    pub(super) token: &'a TokenFacts,
}

impl Assembly<'_> {
    fn token(&self, flow: &Flow) -> Result<LineageToken, LandscapeError> {
        let states = self.token.states.iter().zip(&flow.passages);
        Ok(LineageToken {
            token_id: self.run_id.token_id(self.token.token.token),
            branch: self.token.token.branch.as_deref().map(str::to_owned),
            parents: self.parents(),
            made_by: self.made_by()?,
            batches: self.memberships()?,
            outcome: self.outcome()?,
            states: states.map(|(state, passage)| self.state(state, passage)).collect::<Result<_, _>>()?,
        })
    }

    fn outcome(&self) -> Result<Option<LineageOutcome>, LandscapeError> {
        let Some(outcome) = &self.token.outcome else { return Ok(self.waiting()) };
        let error = match outcome.error_at {
            None => None,
            Some(at) => {
                Some(self.error(at)?.ok_or_else(|| self.corrupt("token_outcomes", "its error is missing"))?)
            }
        };
        Ok(Some(LineageOutcome {
            outcome: outcome.outcome,
            sink: outcome.sink.map(|sink| self.name(sink)).transpose()?,
            error,
            group: outcome.group.map(|group| group.get()),
            batch: outcome.release().filter(|_| outcome.outcome == Outcome::ConsumedInBatch),
        }))
    }

    fn state(&self, state: &NodeStateRecord, passage: &Passage) -> Result<LineageState, LandscapeError> {
        let node = self.graph.node(state.step)?;
        let at = (state.step, state.attempt);
        let key =
            elspeth_contracts::StateKey { token: state.token, step: state.step, attempt: state.attempt };
        let routing = self.token.routing.iter().filter(|r| (r.step, r.attempt) == at);
        let calls = self.token.calls.iter().filter(|c| (c.step, c.attempt) == at);
        Ok(LineageState {
            state_id: self.run_id.state_id(key),
            node: node.name.clone(),
            node_type: node.node_type,
            plugin: node.plugin.clone(),
            step: state.step.get(),
            attempt: state.attempt,
            status: state.status,
            input_hash: passage.input.hash,
            output_hash: passage.output.hash,
            input: passage.input.body.clone(),
            output: passage.output.body.clone(),
            duration_ms: milliseconds(state.duration_us),
            waited_ms: milliseconds(state.waited_us),
            error: self.error(at)?,
            reason: self.context(at)?,
            routing: routing.map(|event| self.routing(node, event)).collect::<Result<_, _>>()?,
            calls: calls.map(|call| self.call(call)).collect(),
        })
    }

    /// Why the state of that step and attempt failed, if it did.
    fn error(&self, at: (Step, u8)) -> Result<Option<LineageError>, LandscapeError> {
        let refused = self.facts.validation_error.as_ref().filter(|_| at.0 == Step::SOURCE);
        let failed = self.token.errors.iter().find(|e| (e.step, e.attempt) == at);
        let (reason, destination): (&ErrorReason, Option<Step>) = match (refused, failed) {
            (Some(error), _) => (&error.reason, error.destination),
            (None, Some(error)) => (&error.reason, error.destination),
            (None, None) => return Ok(None),
        };
        Ok(Some(LineageError {
            node: self.name(at.0)?,
            reason: reason.clone(),
            destination: destination.map(|sink| self.name(sink)).transpose()?,
        }))
    }

    fn context(&self, at: (Step, u8)) -> Result<Option<Box<RawValue>>, LandscapeError> {
        let context = self.token.contexts.iter().find(|c| (c.step, c.attempt) == at);
        context.map(|c| self.json("state_contexts", &c.context)).transpose()
    }

    fn routing(
        &self,
        node: &NodeRecord,
        event: &RoutingEventRecord,
    ) -> Result<LineageRouting, LandscapeError> {
        let edge = self.graph.edge(event)?;
        let reason = match &event.reason {
            Some(recorded) => Some(RoutingReason::Recorded(self.json("routing_events", recorded)?)),
            None => gate_reason(node, edge),
        };
        Ok(LineageRouting { label: edge.label.clone(), mode: edge.mode, to: self.name(edge.to)?, reason })
    }

    fn call(&self, call: &CallRecord) -> LineageCall {
        LineageCall {
            call_id: self.run_id.call_id(call.call_no),
            index: call.call_index,
            call_type: call.call_type,
            status: call.status,
            request_hash: call.request_hash,
            response_hash: call.response_hash,
            error: call.error.clone(),
            latency_ms: milliseconds(call.latency_us),
        }
    }

    pub(super) fn name(&self, step: Step) -> Result<String, LandscapeError> {
        Ok(self.graph.node(step)?.name.clone())
    }

    fn json(&self, table: &'static str, text: &str) -> Result<Box<RawValue>, LandscapeError> {
        RawValue::from_string(text.to_owned())
            .map_err(|error| self.corrupt(table, &format!("is no JSON: {error}")).into())
    }

    fn corrupt(&self, table: &'static str, what: &str) -> Corruption {
        let id = format!("of token {}", self.run_id.token_id(self.token.token.token));
        Corruption { table, id, what: what.to_owned() }
    }
}

/// What a gate's registered config says of an edge that it chose: its condition gave the edge's label, or the label of
/// the route that forks.
fn gate_reason(node: &NodeRecord, edge: &EdgeRecord) -> Option<RoutingReason> {
    #[derive(serde::Deserialize)]
    struct GateConfig {
        condition: String,
        #[serde(default)]
        routes: BTreeMap<String, String>,
    }
    if node.node_type != NodeType::Gate {
        return None;
    }
    let config: GateConfig = serde_json::from_str(&node.config).ok()?;
    let result = match edge.mode {
        EdgeMode::Move => edge.label.clone(),
        EdgeMode::Divert => return None,
        EdgeMode::Copy => {
            let mut forking = config.routes.into_iter().filter(|(_, to)| to == "fork");
            match (forking.next(), forking.next()) {
                (Some((label, _)), None) => label,
                (None, _) | (Some(_), Some(_)) => return None,
            }
        }
    };
    Some(RoutingReason::Gate { condition: config.condition, result })
}

#[expect(clippy::cast_precision_loss, reason = "a duration of 285 years loses a microsecond")]
fn milliseconds(micros: i64) -> f64 {
    micros as f64 / 1_000.0
}
