//! What records say of each other, where no hash is needed to see that it cannot be.

use elspeth_contracts::{NodeStateRecord, NodeType, Step, TokenKey, TokenRecord};

use super::Bad;
use super::gather::{Gathered, Known};
use super::near::Near;
use super::places::Epoch;

/// Records of an epoch that refer to what does not exist.
pub(super) fn check(known: &Known<'_>, epoch: &Epoch, gathered: &Gathered, bad: &mut Vec<Bad>) {
    let refer = Refer {
        known,
        gathered,
        tokens: Near::new(&gathered.decided.tokens),
        states: Near::new(&gathered.decided.states),
        sink_states: Near::new(&gathered.acted.sink_states),
    };
    rows(epoch, gathered, known, bad);
    refer.states(bad);
    refer.details(bad);
    refer.outcomes(bad);
}

/// Rows are numbered without a gap, and each has its first token.
fn rows(epoch: &Epoch, gathered: &Gathered, known: &Known<'_>, bad: &mut Vec<Bad>) {
    let names = known.names();
    let rows = &gathered.decided.rows;
    let Some((first, last)) = epoch.record.rows else { return };
    let mut expected = first.get();
    let mut tokens = gathered.decided.tokens.iter().peekable();
    for row in rows {
        if row.row_index.get() != expected {
            bad.push(Bad::exact("rows", format!("row {expected}")).what("it is missing"));
            expected = row.row_index.get();
        }
        expected += 1;
        let token = TokenKey::of_row(row.row_index, 0).expect("ordinal 0 is below every limit");
        while tokens.next_if(|t| t.token < token).is_some() {}
        if tokens.peek().is_none_or(|t| t.token != token) {
            bad.push(Bad::exact("tokens", names.token(token)).what("it is missing, but its row is there"));
        }
    }
    if expected <= last.get() {
        bad.push(Bad::exact("rows", format!("row {expected}")).what("it is missing"));
    }
    for error in &gathered.decided.validation_errors {
        let row = rows.binary_search_by_key(&error.row_index, |row| row.row_index);
        if row.is_ok_and(|at| rows[at].valid) {
            bad.push(
                Bad::exact("validation_errors", names.row(error.row_index)).what("its row was not refused"),
            );
        }
    }
}

struct Refer<'a> {
    known: &'a Known<'a>,
    gathered: &'a Gathered,
    tokens: Near<'a, TokenRecord>,
    states: Near<'a, NodeStateRecord>,
    sink_states: Near<'a, NodeStateRecord>,
}

impl Refer<'_> {
    /// Whether the token is one of this epoch, or born before: then it is not looked for here.
    fn has_token(&self, token: TokenKey) -> bool {
        let places = &self.known.places;
        let born = places.epoch(token.origin()).map(|at| at as u64);
        born != Some(self.gathered.decided.epoch.0) && born.is_some()
            || self.tokens.find(&token, |t| t.token).is_some()
    }

    fn states(&self, bad: &mut Vec<Bad>) {
        for (table, states, at_sinks) in [
            ("node_states", &self.gathered.decided.states, false),
            ("sink_states", &self.gathered.acted.sink_states, true),
        ] {
            // States are in the order of tokens, so that the token is mostly the one before or the next.
            let mut token = None;
            for state in states {
                let seen = token == Some(state.token);
                token = Some(state.token);
                let name = || self.known.names().state(state.token, state.step, state.attempt);
                let kind = self.known.node(state.step).map(|node| node.node_type);
                let belongs = match kind {
                    Some(NodeType::Sink) => at_sinks,
                    Some(
                        NodeType::Transform | NodeType::Gate | NodeType::Aggregation | NodeType::Coalesce,
                    ) => !at_sinks,
                    Some(NodeType::Source) | None => false,
                };
                if !belongs {
                    bad.push(
                        Bad::exact(table, name()).what("the node at its step is none that it can be of"),
                    );
                }
                if !seen && !self.has_token(state.token) {
                    bad.push(Bad::exact(table, name()).what("it is of a token that does not exist"));
                }
            }
        }
    }

    /// Whether there is such a state; the source's follows from the row.
    fn has_state(&self, (token, step, attempt): (TokenKey, Step, u8)) -> bool {
        let states = match self.known.is(step, NodeType::Sink) {
            true => &self.sink_states,
            false => &self.states,
        };
        let key = |s: &NodeStateRecord| (s.token, s.step, s.attempt);
        step == Step::SOURCE && attempt == 0 && self.has_token(token)
            || states.find(&(token, step, attempt), key).is_some()
    }

    fn details(&self, bad: &mut Vec<Bad>) {
        let Gathered { decided, acted, .. } = self.gathered;
        let contexts = decided.contexts.iter().map(|r| ("state_contexts", (r.token, r.step, r.attempt)));
        let routing = decided.routing.iter().chain(&acted.routing);
        let routed = routing.clone().map(|r| ("routing_events", (r.token, r.step, r.attempt)));
        let calls = decided.calls.iter().map(|r| ("calls", (r.token, r.step, r.attempt)));
        let errors = decided.transform_errors.iter().chain(&acted.transform_errors);
        let errors = errors.map(|r| ("transform_errors", (r.token, r.step, r.attempt)));
        for (table, key) in contexts.chain(routed).chain(calls).chain(errors) {
            if !self.has_state(key) {
                let name = self.known.names().state(key.0, key.1, key.2);
                bad.push(Bad::exact(table, name).what("there is no state that it is about"));
            }
        }
        for event in routing {
            let edge = self.known.edges.iter().find(|edge| edge.edge == event.edge);
            if edge.is_none_or(|edge| edge.from != event.step) {
                let name = self.known.names().state(event.token, event.step, event.attempt);
                let what = format!("edge {} does not begin at its node", event.edge.0);
                bad.push(Bad::exact("routing_events", name).what(what));
            }
        }
    }

    fn outcomes(&self, bad: &mut Vec<Bad>) {
        for outcome in &self.gathered.acted.outcomes {
            let name = || self.known.names().token(outcome.token);
            if !self.has_token(outcome.token) {
                bad.push(Bad::exact("token_outcomes", name()).what("it is of a token that does not exist"));
            }
            if outcome.sink.is_some_and(|sink| !self.known.is(sink, NodeType::Sink)) {
                bad.push(Bad::exact("token_outcomes", name()).what("its sink is none"));
            }
            if let Some((step, _)) = outcome.error_at
                && self.known.node(step).is_none()
            {
                bad.push(Bad::exact("token_outcomes", name()).what("its error is of no node"));
            }
        }
    }
}
