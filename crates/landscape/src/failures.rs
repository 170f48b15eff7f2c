//! What went wrong with which rows, for `elspeth errors`.

use std::collections::BTreeSet;
use std::fmt::{self, Write};

use elspeth_contracts::{FailureKind, NodeRecord, NodeType, RunId, Step, TokenId};
use elspeth_payload::FilesystemStore;
use elspeth_proof::printable;
use serde::{Serialize, Serializer};

use crate::lineage::{Bodies, Facts, Graph, Search, flows, source_row};
use crate::text::abridged;
use crate::{Corruption, Failure, FailureCount, LandscapeError, LandscapeReader, RunRecord, Shown};

/// The failures of a run. Serialises as the list of single failures.
#[derive(Debug)]
pub struct FailureReport {
    /// The run.
    pub run_id: RunId,
    /// All failures, counted by node, kind and destination.
    pub groups: Vec<FailureGroup>,
    /// The first ones, in canonical order.
    pub failures: Vec<FailureView>,
}

/// Failures of one kind at one node that went to one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailureGroup {
    /// The node's name.
    pub node: String,
    /// What the node is.
    pub node_type: NodeType,
    /// Kind of failure.
    pub kind: String,
    /// Name of the sink, or `discard`.
    pub destination: String,
    /// How many.
    pub count: u64,
    /// What one of them says.
    pub example: String,
}

/// One failure.
#[derive(Debug, Clone, Serialize)]
pub struct FailureView {
    /// Position of the row in the source; none for an output of a batch.
    pub row_index: Option<u64>,
    /// The token.
    pub token_id: TokenId,
    /// Name of the node where it failed.
    pub node: String,
    /// Kind of failure.
    pub kind: FailureKind,
    /// What was wrong.
    pub message: String,
    /// Name of the sink it went to, or `discard`.
    pub destination: String,
    /// What came into the node.
    pub data: Shown,
}

impl Serialize for FailureReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.failures.serialize(serializer)
    }
}

/// The failures of a run; single ones up to `limit`. `store` is where the run's large bodies are.
///
/// # Errors
/// [`LandscapeError::Corrupt`] when the record contradicts itself; or the store's.
pub async fn failures(
    reader: &dyn LandscapeReader,
    store: Option<&FilesystemStore>,
    run: &RunRecord,
    limit: u64,
) -> Result<FailureReport, LandscapeError> {
    let graph = Graph::load(reader, run.run_no).await?;
    let counts = reader.failure_counts(run.run_no).await?;
    let groups = counts.into_iter().map(|count| group(&graph, count)).collect::<Result<_, _>>()?;
    let mut views = Vec::new();
    let mut bodies = Bodies::load(reader, run, BTreeSet::new(), store).await?;
    for failure in reader.failures(run.run_no, limit).await? {
        let mut search = Search::new(reader, run, &graph);
        search.with_forebears(failure.token).await?;
        let facts = search.into_facts();
        let epochs = facts.epochs();
        if !bodies.are_of(&epochs) {
            bodies = Bodies::load(reader, run, epochs, store).await?;
        }
        let data = input_of(&facts, &failure, &bodies)?;
        views.push(view(run.run_id, &graph, failure, data)?);
    }
    Ok(FailureReport { run_id: run.run_id, groups, failures: views })
}

fn destination(graph: &Graph, sink: Option<Step>) -> Result<String, Corruption> {
    sink.map_or_else(|| Ok("discard".to_owned()), |sink| Ok(graph.node(sink)?.name.clone()))
}

fn group(graph: &Graph, count: FailureCount) -> Result<FailureGroup, Corruption> {
    let NodeRecord { name, node_type, .. } = graph.node(count.step)?;
    Ok(FailureGroup {
        node: name.clone(),
        node_type: *node_type,
        kind: count.kind,
        destination: destination(graph, count.destination)?,
        count: count.count,
        example: count.example,
    })
}

fn view(run_id: RunId, graph: &Graph, failure: Failure, data: Shown) -> Result<FailureView, Corruption> {
    Ok(FailureView {
        row_index: failure.row_index.map(|row| row.get()),
        token_id: run_id.token_id(failure.token),
        node: graph.node(failure.step)?.name.clone(),
        kind: failure.reason.kind,
        message: failure.reason.message,
        destination: destination(graph, failure.destination)?,
        data,
    })
}

/// What came into the node where a token failed; of a refused record, what was read.
fn input_of(facts: &Facts, failure: &Failure, bodies: &Bodies<'_>) -> Result<Shown, LandscapeError> {
    if let (Step::SOURCE, Some(row)) = (failure.step, failure.row_index) {
        return Ok(source_row(facts, row, bodies)?.body);
    }
    let at = (failure.step, failure.attempt);
    let flows = flows(facts, bodies)?;
    let (Some(token), Some(flow)) = (facts.tokens.get(&failure.token), flows.get(&failure.token)) else {
        return Ok(Shown::Purged);
    };
    let state = token.states.iter().position(|state| (state.step, state.attempt) == at);
    let input = state.and_then(|state| flow.passages.get(state)).map(|passage| &passage.input);
    Ok(input.unwrap_or(&flow.end).body.clone())
}

impl FailureReport {
    /// How many failures there are, shown or not.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.groups.iter().map(|group| group.count).sum()
    }

    /// Failures in groups, then the single ones.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        self.write_text(&mut out).expect("a string takes whatever is written");
        out
    }

    fn write_text(&self, out: &mut String) -> fmt::Result {
        let total = self.total();
        if total == 0 {
            return writeln!(out, "Run {}: no failures", self.run_id);
        }
        writeln!(out, "Run {}: {total} {}\n", self.run_id, if total == 1 { "failure" } else { "failures" })?;
        for FailureGroup { node, node_type, kind, destination, count, example } in &self.groups {
            let what = format!("{kind} at {node_type} {node} → {destination}");
            writeln!(out, "{count:>8} × {}", printable(&what))?;
            writeln!(out, "           {}", printable(&abridged(example)))?;
        }
        writeln!(out)?;
        self.failures.iter().try_for_each(|failure| failure.write_text(out))?;
        let more = total.saturating_sub(self.failures.len() as u64);
        if more > 0 {
            writeln!(out, "… and {more} more")?;
        }
        Ok(())
    }
}

impl FailureView {
    fn write_text(&self, out: &mut String) -> fmt::Result {
        match self.row_index {
            Some(row) => write!(out, "row {row}")?,
            None => write!(out, "token {}", self.token_id)?,
        }
        writeln!(out, " · {} · {} → {}", self.node, self.kind, self.destination)?;
        writeln!(out, "    {}", printable(&abridged(&self.message)))?;
        match &self.data {
            Shown::Nothing => Ok(()),
            Shown::Purged => writeln!(out, "    (purged)"),
            Shown::Body(_) => {
                let json = serde_json::to_string(&self.data).unwrap_or_default();
                writeln!(out, "    {}", printable(&abridged(&json)))
            }
        }
    }
}
