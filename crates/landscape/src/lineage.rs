//! Answers "why?" from a reader.
//!
//! [`explain`] gathers every record about one row or token, follows what each token carried from node to node (a state
//! stores a hash only where it says something new), and checks each body that it shows against the recorded hash. From a
//! row it goes to all that came of it by forks, expansions and merges, and names the batches that took its tokens; from a
//! token it goes back to what it came from, and lists the members of the batch that made it.
//!
//! Invariant: what is shown is what was recorded. A record that points to nothing, or a body with another hash, is
//! [`LandscapeError::Corrupt`]; a body that is gone is shown as purged.

mod assemble;
mod batches;
mod bodies;
mod facts;
mod flow;
mod graph;
mod model;
mod search;
#[cfg(test)]
mod tests;
mod text;
mod tree;

use elspeth_contracts::{RowIndex, TokenId};
use elspeth_payload::FilesystemStore;

pub use model::{
    Lineage, LineageBatch, LineageCall, LineageError, LineageMember, LineageMembers, LineageMembership,
    LineageOutcome, LineageRouting, LineageRow, LineageSource, LineageState, LineageToken, RoutingReason,
};
pub use text::LineageWords;
pub use tree::LineageTree;

pub(crate) use bodies::Bodies;
pub(crate) use facts::Facts;
pub(crate) use flow::{flows, source_row};
pub(crate) use graph::Graph;
pub(crate) use search::Search;

use crate::{LandscapeError, LandscapeReader, RunRef};

/// What is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Every token of a row.
    Row(RowIndex),
    /// One token, with those it came from.
    Token(TokenId),
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// About which run.
    pub run: RunRef,
    /// About what in it.
    pub subject: Subject,
    /// Only tokens that came to the sink of this name, with those they came from; of a row also by way of batches.
    pub sink: Option<String>,
    /// Of a batch that made a token, members are listed from this position on.
    pub members_from: u32,
}

/// The whole lineage of a row or token. `store` is where the run's large bodies are.
///
/// # Errors
/// [`LandscapeError::NotFound`] when the run has no such row, token or sink; [`LandscapeError::Corrupt`] when the record
/// contradicts itself; or the store's.
pub async fn explain(
    reader: &dyn LandscapeReader,
    store: Option<&FilesystemStore>,
    question: &Question,
) -> Result<Lineage, LandscapeError> {
    let run = reader.run(&question.run).await?;
    let graph = Graph::load(reader, run.run_no).await?;
    let (facts, row) = search::gather(reader, &run, &graph, question).await?;
    let bodies = Bodies::load(reader, &run, facts.epochs(), store).await?;
    assemble::lineage(&run, &graph, (&facts, row), &bodies)
}
