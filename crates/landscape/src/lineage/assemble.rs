//! From facts to the answer: no IO.

use std::collections::BTreeMap;

use elspeth_contracts::{
    CallRecord, ErrorReason, NodeRecord, NodeStateRecord, NodeType, RoutingEventRecord, RunId, Step, TokenKey,
};
use elspeth_payload::BodyKey;
use serde_json::value::RawValue;

use super::facts::SubjectFacts;
use super::flow::{Flow, Passage};
use super::{
    Bodies, Graph, Held, Lineage, LineageCall, LineageError, LineageOutcome, LineageRouting, LineageRow,
    LineageState, LineageToken, RoutingReason, TokenFacts, flow,
};
use crate::{Corruption, LandscapeError, RunRecord, Shown};

/// The answer to a question.
pub(super) fn lineage(
    run: &RunRecord,
    graph: &Graph,
    facts: SubjectFacts,
    bodies: &Bodies<'_>,
) -> Result<Lineage, LandscapeError> {
    let source = source_row(&facts, bodies)?;
    let mut flows: BTreeMap<TokenKey, Flow> = BTreeMap::new();
    let mut tokens = Vec::with_capacity(facts.tokens.len());
    for (key, token) in &facts.tokens {
        let start = start_of(token, &source, &flows);
        let lookup = |key, hash| bodies.shown(key, hash);
        let flow = flow(*key, start, &token.states, &lookup)?;
        tokens.push(Assembly { run_id: run.run_id, graph, facts: &facts, token }.token(&flow)?);
        flows.insert(*key, flow);
    }
    let row = facts.row.as_ref().map(|row| LineageRow {
        row_id: run.run_id.row_id(row.row_index),
        row_index: row.row_index.get(),
        source_data_hash: row.source_data_hash,
        data: source.body.clone(),
    });
    Ok(Lineage { run_id: run.run_id, row, tokens })
}

fn source_row(facts: &SubjectFacts, bodies: &Bodies<'_>) -> Result<Held, LandscapeError> {
    let Some(row) = &facts.row else { return Ok(Held::default()) };
    let token = TokenKey::of_row(row.row_index, 0).expect("every row has an ordinal 0");
    let body = bodies.shown(BodyKey { token, step: Step::SOURCE }, row.source_data_hash)?;
    Ok(Held { hash: Some(row.source_data_hash), body })
}

/// What a token has when it sets out: the source's row, or what its first parent carried at its end.
fn start_of(token: &TokenFacts, source: &Held, flows: &BTreeMap<TokenKey, Flow>) -> Held {
    match token.parents.first() {
        None => source.clone(),
        Some(parent) => flows.get(&parent.parent).map_or_else(purged, |flow| flow.end.clone()),
    }
}

fn purged() -> Held {
    Held { hash: None, body: Shown::Purged }
}

/// What is needed to show one token.
struct Assembly<'a> {
    run_id: RunId,
    graph: &'a Graph,
    facts: &'a SubjectFacts,
    token: &'a TokenFacts,
}

impl Assembly<'_> {
    fn token(&self, flow: &Flow) -> Result<LineageToken, LandscapeError> {
        let states = self.token.states.iter().zip(&flow.passages);
        Ok(LineageToken {
            token_id: self.run_id.token_id(self.token.token.token),
            branch: self.token.token.branch.clone(),
            parents: self.token.parents.iter().map(|p| self.run_id.token_id(p.parent)).collect(),
            outcome: self.outcome()?,
            states: states.map(|(state, passage)| self.state(state, passage)).collect::<Result<_, _>>()?,
        })
    }

    fn outcome(&self) -> Result<Option<LineageOutcome>, LandscapeError> {
        let Some(outcome) = &self.token.outcome else { return Ok(None) };
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
            group: outcome.group,
            batch: outcome.batch_no,
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
        let reason = match (&event.reason, condition_of(node)) {
            (Some(recorded), _) => Some(RoutingReason::Recorded(self.json("routing_events", recorded)?)),
            (None, Some(condition)) if edge.mode != elspeth_contracts::EdgeMode::Divert => {
                Some(RoutingReason::Gate { condition, result: edge.label.clone() })
            }
            (None, _) => None,
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

    fn name(&self, step: Step) -> Result<String, LandscapeError> {
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

/// A gate's condition as its registered config has it.
fn condition_of(node: &NodeRecord) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct GateConfig {
        condition: String,
    }
    if node.node_type != NodeType::Gate {
        return None;
    }
    serde_json::from_str::<GateConfig>(&node.config).ok().map(|config| config.condition)
}

#[expect(clippy::cast_precision_loss, reason = "a duration of 285 years loses a microsecond")]
fn milliseconds(micros: i64) -> f64 {
    micros as f64 / 1_000.0
}
