//! Everything that is known of one thing of a lineage, why it happened before what it was.

use elspeth_app::{
    Lineage, LineageBatch, LineageCall, LineageError, LineageMember, LineageMembership, LineageRouting,
    LineageSource, LineageState, LineageToken, LineageWords, RoutingReason, Shown, TokenId,
};

use super::json::{self, Marks};
use super::lines::Line;
use super::nodes::{Item, Tone, outcome_tone};

/// A lineage, and what can be said of its tokens.
pub(super) struct Details<'a> {
    lineage: &'a Lineage,
    words: LineageWords<'a>,
}

impl<'a> Details<'a> {
    pub(super) fn of(lineage: &'a Lineage) -> Self {
        Self { lineage, words: LineageWords::of(lineage, "") }
    }

    /// The lines about an item; none about one that is not there.
    pub(super) fn lines(&self, item: Item) -> Vec<Line> {
        match item.owner().and_then(|owner| self.lineage.tokens.get(owner)) {
            None => origin(self.lineage),
            Some(token) => self.of_token(token, item).unwrap_or_default(),
        }
    }

    fn of_token(&self, token: &LineageToken, item: Item) -> Option<Vec<Line>> {
        let made_by = token.made_by.as_ref();
        Some(match item {
            Item::Origin => origin(self.lineage),
            Item::Token(_) => whole(&self.words, token),
            Item::Parent { index, .. } => self.parent(*token.parents.get(index)?),
            Item::MadeBy(_) | Item::MoreMembers(_) => source(made_by?),
            Item::Member { index, .. } => member(made_by?.members.tokens.get(index)?),
            Item::State { state, .. } => passed(token, token.states.get(state)?),
            Item::Routing { state, index, .. } => routing(token.states.get(state)?.routing.get(index)?),
            Item::Call { state, index, .. } => call(token.states.get(state)?.calls.get(index)?),
            Item::Membership { batch, .. } => membership(token.batches.get(batch)?),
            Item::Output { batch, index, .. } => {
                elsewhere(*token.batches.get(batch)?.output_tokens.get(index)?)
            }
            Item::Outcome(_) => outcome(&self.words, token),
        })
    }

    fn parent(&self, id: TokenId) -> Vec<Line> {
        match self.words.place(id) {
            Some(at) => whole(&self.words, &self.lineage.tokens[at]),
            None => elsewhere(id),
        }
    }
}

fn origin(lineage: &Lineage) -> Vec<Line> {
    let Some(row) = &lineage.row else {
        return vec![
            Line::plain("It has no row of its own: a batch made it of its members."),
            Line::field("run", &lineage.run_id.to_string()),
        ];
    };
    let mut lines = vec![
        Line::field("row", &row.row_index.to_string()),
        Line::field("row id", &row.row_id.to_string()),
        Line::field("run", &lineage.run_id.to_string()),
        Line::field("tokens", &lineage.tokens.len().to_string()),
        Line::field("source hash", &row.source_data_hash.to_string()),
    ];
    section(&mut lines, "Source data", json::body(&row.data, &Marks::new()));
    lines
}

fn whole(words: &LineageWords<'_>, token: &LineageToken) -> Vec<Line> {
    let mut lines = vec![Line::field("token", &token.token_id.to_string())];
    lines.extend(token.branch.as_ref().map(|branch| Line::field("branch", branch)));
    if token.made_by.is_none() {
        lines.extend(token.parents.iter().map(|parent| Line::field("parent", &parent.to_string())));
    }
    lines.push(Line::field("states", &token.states.len().to_string()));
    section(&mut lines, "Outcome", became(words, token));
    if let Some(made_by) = &token.made_by {
        section(&mut lines, "Made by", source(made_by));
    }
    for batch in &token.batches {
        section(&mut lines, "Member of", membership(batch));
    }
    let ends = (token.states.first(), token.states.last());
    if let (Some(first), Some(last)) = ends {
        let begin = carried(&first.input, &first.output);
        section(&mut lines, "Changed on its way", json::changes(begin, carried(&last.output, &last.input)));
        section(&mut lines, "At the end", json::body(carried(&last.output, &last.input), &Marks::new()));
    }
    lines
}

/// The first that there is.
fn carried<'a>(body: &'a Shown, other: &'a Shown) -> &'a Shown {
    if *body == Shown::Nothing { other } else { body }
}

fn elsewhere(id: TokenId) -> Vec<Line> {
    vec![
        Line::field("token", &id.to_string()),
        Line::plain(""),
        Line::plain("It is no part of this lineage; Enter opens its own."),
    ]
}

fn member(member: &LineageMember) -> Vec<Line> {
    let mut lines = vec![Line::field("member", &(u64::from(member.position) + 1).to_string())];
    lines.extend(member.row_index.map(|row| Line::field("row", &row.to_string())));
    lines.extend(elsewhere(member.token_id));
    lines
}

fn source(made_by: &LineageSource) -> Vec<Line> {
    let members = &made_by.members;
    let mut lines = batch(&made_by.batch);
    let position = u64::from(made_by.position) + 1;
    lines.push(Line::field("output", &format!("{position} of {}", made_by.outputs)));
    lines.push(Line::field("members", &format!("{}, {} listed", members.count, members.tokens.len())));
    if members.next.is_some() {
        lines.push(Line::plain("m lists more of them."));
    }
    lines
}

fn membership(member: &LineageMembership) -> Vec<Line> {
    let mut lines = batch(&member.batch);
    let position = u64::from(member.position) + 1;
    lines.push(Line::field("member", &format!("{position} of {}", member.members)));
    let (outputs, listed) = (member.outputs, member.output_tokens.len());
    lines.push(Line::field("outputs", &format!("{outputs}, {listed} listed")));
    lines
}

fn batch(batch: &LineageBatch) -> Vec<Line> {
    let mut lines = vec![Line::field("batch", &batch.batch.to_string())];
    lines.extend(batch.node.as_ref().map(|node| Line::field("node", node)));
    lines.push(Line::field("status", &batch.status.to_string()));
    lines.extend(batch.trigger.map(|trigger| Line::field("trigger", &trigger.to_string())));
    lines.extend(batch.reason.as_ref().map(|reason| Line::field("reason", reason)));
    lines.push(Line::field("attempts", &batch.attempts.to_string()));
    lines.extend(batch.flushed_at_row.map(|row| Line::field("flushed at", &format!("row {row}"))));
    lines
}

fn passed(token: &LineageToken, state: &LineageState) -> Vec<Line> {
    let mut lines = vec![
        Line::field("node", &format!("{} {}", state.node_type, state.node)),
        Line::field("plugin", &state.plugin),
        Line::field("status", state.status.as_str()),
        Line::field("attempt", &(u16::from(state.attempt) + 1).to_string()),
        Line::field("duration", &format!("{} ms", state.duration_ms)),
    ];
    if state.waited_ms > 0.0 {
        lines.push(Line::field("waited", &format!("{} ms for the rate limit", state.waited_ms)));
    }
    if let Some(failed) = &state.error {
        section(&mut lines, "Error", error(failed));
    }
    for sent in &state.routing {
        section(&mut lines, "Sent", routing(sent));
    }
    if let Some(reason) = &state.reason {
        section(&mut lines, "Reason", json::value(reason.get()));
    }
    for batch in token.batches.iter().filter(|batch| batch.step == Some(state.step)) {
        section(&mut lines, "Batch", membership(batch));
    }
    for made in &state.calls {
        section(&mut lines, "Call", call(made));
    }
    bodies(&mut lines, state);
    section(&mut lines, "Record", record(token, state));
    lines
}

fn bodies(lines: &mut Vec<Line>, state: &LineageState) {
    let same = state.input_hash.is_some() && state.input_hash == state.output_hash;
    let (input, output) = json::marks(&state.input, &state.output);
    section(lines, "Changed", json::changes(&state.input, &state.output));
    section(lines, "Input", json::body(&state.input, &input));
    let after = if same { vec![Line::plain("as the input")] } else { json::body(&state.output, &output) };
    section(lines, "Output", after);
}

fn record(token: &LineageToken, state: &LineageState) -> Vec<Line> {
    let hash = |hash: Option<_>| hash.map_or_else(|| "none".to_owned(), |hash| format!("{hash}"));
    vec![
        Line::field("state", &state.state_id.to_string()),
        Line::field("token", &token.token_id.to_string()),
        Line::field("step", &state.step.to_string()),
        Line::field("input hash", &hash(state.input_hash)),
        Line::field("output hash", &hash(state.output_hash)),
    ]
}

fn error(error: &LineageError) -> Vec<Line> {
    let reason = &error.reason;
    let mut lines = vec![Line::bad(&error.to_string())];
    lines.push(Line::field("at", &error.node));
    lines.extend(reason.field.as_ref().map(|field| Line::field("field", field)));
    if reason.retryable {
        lines.push(Line::plain("Trying again could help."));
    }
    lines.extend(error.destination.as_ref().map(|sink| Line::field("sent to", sink)));
    lines
}

fn routing(routing: &LineageRouting) -> Vec<Line> {
    let mut lines = vec![
        Line::field("to", &routing.to),
        Line::field("label", &routing.label),
        Line::field("mode", routing.mode.as_str()),
    ];
    match &routing.reason {
        Some(RoutingReason::Gate { condition, result }) => {
            lines.push(Line::field("condition", condition));
            lines.push(Line::field("result", result));
        }
        Some(RoutingReason::Recorded(reason)) => lines.extend(json::value(reason.get())),
        None => {}
    }
    lines
}

fn call(call: &LineageCall) -> Vec<Line> {
    let mut lines = vec![
        Line::field("call", &format!("{} {}", call.index, call.call_type)),
        Line::field("status", call.status.as_str()),
        Line::field("latency", &format!("{} ms", call.latency_ms)),
    ];
    if let Some(error) = &call.error {
        lines.push(Line::bad(&format!("{}: {}", error.kind, error.message)));
    }
    lines.push(Line::field("request hash", &call.request_hash.to_string()));
    lines.extend(call.response_hash.map(|hash| Line::field("response", &hash.to_string())));
    lines.push(Line::field("call id", &call.call_id.to_string()));
    lines
}

fn outcome(words: &LineageWords<'_>, token: &LineageToken) -> Vec<Line> {
    let mut lines = became(words, token);
    lines.push(Line::field("token", &token.token_id.to_string()));
    lines
}

fn became(words: &LineageWords<'_>, token: &LineageToken) -> Vec<Line> {
    let line = words.outcome_line(token);
    let bad = outcome_tone(token) == Tone::Bad;
    let mut lines = vec![if bad { Line::bad(&line) } else { Line::plain(&line) }];
    let Some(outcome) = &token.outcome else { return lines };
    lines.extend(outcome.sink.as_ref().map(|sink| Line::field("sink", sink)));
    lines.extend(words.merged_into(token).map(|into| Line::field("into", &into.to_string())));
    lines.extend(outcome.batch.map(|batch| Line::field("batch", &batch.to_string())));
    lines.extend(outcome.group.map(|group| Line::field("group", &group.to_string())));
    lines.extend(outcome.error.iter().flat_map(error));
    lines
}

/// Adds lines under a title, when there are any.
fn section(lines: &mut Vec<Line>, title: &str, under: Vec<Line>) {
    if under.is_empty() {
        return;
    }
    if !lines.is_empty() {
        lines.push(Line::plain(""));
    }
    lines.push(Line::heading(title));
    lines.extend(under);
}

#[cfg(test)]
mod tests {
    use super::super::lines::Mark;
    use super::*;

    #[test]
    fn a_section_without_lines_has_no_title() {
        let mut lines = Vec::new();
        section(&mut lines, "Empty", Vec::new());
        assert_eq!(lines, Vec::<Line>::new());
        section(&mut lines, "First", vec![Line::marked(Mark::Added, "a: 1")]);
        section(&mut lines, "Second", vec![Line::plain("x")]);
        let texts: Vec<_> = lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["First", "+ a: 1", "", "Second", "x"]);
    }
}
