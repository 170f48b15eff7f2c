//! What a reader knows about the subject, gathered before anything is worked out.

use std::collections::{BTreeMap, BTreeSet};

use elspeth_contracts::{
    CallRecord, EdgeRecord, EpochNo, NodeRecord, NodeStateRecord, NodeType, RoutingEventRecord, RowIndex,
    RowRecord, StateContextRecord, Step, TokenId, TokenKey, TokenOrigin, TokenOutcomeRecord,
    TokenParentRecord, TokenRecord, TransformErrorRecord, ValidationErrorRecord,
};

use super::{Question, Subject};
use crate::{Corruption, LandscapeError, LandscapeReader, RunRecord};

/// The registered graph.
#[derive(Debug)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<NodeRecord>,
    pub(crate) edges: Vec<EdgeRecord>,
}

/// Everything recorded about one token.
#[derive(Debug)]
pub(crate) struct TokenFacts {
    pub(crate) token: TokenRecord,
    pub(crate) parents: Vec<TokenParentRecord>,
    pub(crate) states: Vec<NodeStateRecord>,
    pub(crate) contexts: Vec<StateContextRecord>,
    pub(crate) routing: Vec<RoutingEventRecord>,
    pub(crate) calls: Vec<CallRecord>,
    pub(crate) errors: Vec<TransformErrorRecord>,
    pub(crate) outcome: Option<TokenOutcomeRecord>,
}

/// Everything recorded about the subject of a question.
#[derive(Debug)]
pub(crate) struct SubjectFacts {
    pub(crate) row: Option<RowRecord>,
    pub(crate) epoch: Option<EpochNo>,
    pub(crate) validation_error: Option<ValidationErrorRecord>,
    /// By key, parents with their children.
    pub(crate) tokens: BTreeMap<TokenKey, TokenFacts>,
}

impl Graph {
    pub(crate) async fn load(reader: &dyn LandscapeReader, run_no: i64) -> Result<Self, LandscapeError> {
        Ok(Self { nodes: reader.nodes(run_no).await?, edges: reader.edges(run_no).await? })
    }

    pub(crate) fn node(&self, step: Step) -> Result<&NodeRecord, Corruption> {
        self.nodes.get(step.index()).filter(|node| node.step == step).ok_or_else(|| Corruption {
            table: "nodes",
            id: format!("step {}", step.get()),
            what: "records refer to this node, but it is not registered".to_owned(),
        })
    }

    pub(crate) fn edge(&self, event: &RoutingEventRecord) -> Result<&EdgeRecord, Corruption> {
        self.edges.get(event.edge.index()).filter(|edge| edge.edge == event.edge).ok_or_else(|| Corruption {
            table: "edges",
            id: event.edge.0.to_string(),
            what: "a routing event refers to this edge, but it is not registered".to_owned(),
        })
    }

    fn sink(&self, name: &str) -> Result<Step, LandscapeError> {
        let sinks = || self.nodes.iter().filter(|node| node.node_type == NodeType::Sink);
        sinks().find(|node| node.name == name).map(|node| node.step).ok_or_else(|| {
            let names: Vec<&str> = sinks().map(|node| node.name.as_str()).collect();
            LandscapeError::NotFound(format!(
                "the run has no sink `{name}`; its sinks are {}",
                names.join(", ")
            ))
        })
    }
}

impl TokenFacts {
    async fn load(
        reader: &dyn LandscapeReader,
        run_no: i64,
        token: TokenRecord,
    ) -> Result<Self, LandscapeError> {
        let key = token.token;
        Ok(Self {
            parents: reader.parents(run_no, key).await?,
            states: reader.states(run_no, key).await?,
            contexts: reader.contexts(run_no, key).await?,
            routing: reader.routing(run_no, key).await?,
            calls: reader.calls(run_no, key).await?,
            errors: reader.transform_errors(run_no, key).await?,
            outcome: reader.outcome(run_no, key).await?,
            token,
        })
    }

    fn came_to(&self, sink: Step) -> bool {
        self.states.iter().any(|state| state.step == sink)
    }
}

/// Gathers everything about the subject of `question`.
pub(super) async fn load_subject(
    reader: &dyn LandscapeReader,
    run: &RunRecord,
    graph: &Graph,
    question: &Question,
) -> Result<SubjectFacts, LandscapeError> {
    let (row, mut tokens) = match question.subject {
        Subject::Row(index) => {
            let row = reader.row(run.run_no, index).await?.ok_or_else(|| {
                LandscapeError::NotFound(format!("run {} has no row {}", run.run_id, index.get()))
            })?;
            (Some(row), of_row(reader, run, index).await?)
        }
        Subject::Token(id) => {
            let key = run.run_id.parse_token_id(id).ok_or_else(|| no_such_token(run, id))?;
            let tokens = with_ancestors(reader, run, key).await?;
            (row_of_tokens(reader, run, &tokens).await?, tokens)
        }
    };
    if let Some(name) = &question.sink {
        tokens = at_sink(tokens, graph.sink(name)?, name)?;
    }
    let validation_error = match &row {
        Some((row, _)) => reader.validation_error(run.run_no, row.row_index).await?,
        None => None,
    };
    let (row, epoch) = row.unzip();
    Ok(SubjectFacts { row, epoch, validation_error, tokens })
}

/// The row that tokens came from; none when they came from a batch.
async fn row_of_tokens(
    reader: &dyn LandscapeReader,
    run: &RunRecord,
    tokens: &Tokens,
) -> Result<Option<(RowRecord, EpochNo)>, LandscapeError> {
    let Some(index) = tokens.keys().find_map(|token| row_of(*token)) else { return Ok(None) };
    let missing = || Corruption {
        table: "rows",
        id: index.get().to_string(),
        what: "it has tokens, but is missing itself".to_owned(),
    };
    Ok(Some(reader.row(run.run_no, index).await?.ok_or_else(missing)?))
}

fn row_of(token: TokenKey) -> Option<RowIndex> {
    match token.origin() {
        TokenOrigin::Row(row) => Some(row),
        TokenOrigin::Batch(_) => None,
    }
}

type Tokens = BTreeMap<TokenKey, TokenFacts>;

async fn of_row(
    reader: &dyn LandscapeReader,
    run: &RunRecord,
    row: RowIndex,
) -> Result<Tokens, LandscapeError> {
    let mut tokens = Tokens::new();
    for token in reader.tokens_of_row(run.run_no, row).await? {
        tokens.insert(token.token, TokenFacts::load(reader, run.run_no, token).await?);
    }
    Ok(tokens)
}

async fn with_ancestors(
    reader: &dyn LandscapeReader,
    run: &RunRecord,
    subject: TokenKey,
) -> Result<Tokens, LandscapeError> {
    let mut tokens = Tokens::new();
    let mut wanted = vec![subject];
    while let Some(key) = wanted.pop() {
        if tokens.contains_key(&key) {
            continue;
        }
        let token = reader.token(run.run_no, key).await?.ok_or_else(|| no_token(run, key, subject))?;
        let facts = TokenFacts::load(reader, run.run_no, token).await?;
        wanted.extend(facts.parents.iter().map(|p| p.parent));
        tokens.insert(key, facts);
    }
    Ok(tokens)
}

fn no_token(run: &RunRecord, key: TokenKey, subject: TokenKey) -> LandscapeError {
    let id = run.run_id.token_id(key);
    if key == subject {
        return no_such_token(run, id);
    }
    Corruption {
        table: "tokens",
        id: id.to_string(),
        what: "it is a parent, but is missing itself".to_owned(),
    }
    .into()
}

fn no_such_token(run: &RunRecord, id: TokenId) -> LandscapeError {
    LandscapeError::NotFound(format!("run {} has no token {id}", run.run_id))
}

/// Those that came to the sink, with those they came from.
fn at_sink(mut tokens: Tokens, sink: Step, name: &str) -> Result<Tokens, LandscapeError> {
    let mut wanted: Vec<TokenKey> =
        tokens.values().filter(|t| t.came_to(sink)).map(|t| t.token.token).collect();
    if wanted.is_empty() {
        return Err(LandscapeError::NotFound(format!("no token of it came to sink `{name}`")));
    }
    let mut kept = BTreeSet::new();
    while let Some(key) = wanted.pop() {
        if kept.insert(key)
            && let Some(facts) = tokens.get(&key)
        {
            wanted.extend(facts.parents.iter().map(|p| p.parent));
        }
    }
    tokens.retain(|key, _| kept.contains(key));
    Ok(tokens)
}
