//! From a question to everything recorded about its subject.

use std::collections::{BTreeMap, BTreeSet};

use elspeth_contracts::{
    BatchMemberRecord, NodeType, Outcome, RowIndex, Step, TokenId, TokenKey, TokenOrigin, TokenRecord,
};

use super::facts::{BatchFacts, Facts, TokenFacts};
use super::{Graph, Question, Subject};
use crate::{Corruption, LandscapeError, LandscapeReader, Page, RunRecord};

/// The most members and outputs of a batch that one answer lists.
pub(crate) const PAGE: u32 = 1_000;
/// The most tokens that are looked at on the way through batches to a sink.
const MOST_ON_THE_WAY: usize = 10_000;

/// Gathers facts about one token after the other.
pub(crate) struct Search<'a> {
    reader: &'a dyn LandscapeReader,
    run: &'a RunRecord,
    graph: &'a Graph,
    /// The first member of a batch that is listed.
    members_from: u32,
    facts: Facts,
    /// Of every walk that was met, by its first token: which tokens were members of which batches.
    memberships: BTreeMap<TokenKey, Vec<BatchMemberRecord>>,
}

/// Gathers everything about the subject of `question`, which is `Question::subject`'s first row too, if it has one.
pub(super) async fn gather(
    reader: &dyn LandscapeReader,
    run: &RunRecord,
    graph: &Graph,
    question: &Question,
) -> Result<(Facts, Option<RowIndex>), LandscapeError> {
    let mut search = Search::new(reader, run, graph);
    search.members_from = question.members_from;
    let row = match question.subject {
        Subject::Row(index) => {
            search.row_and_descendants(index).await?;
            Some(index)
        }
        Subject::Token(id) => {
            let key = run.run_id.parse_token_id(id).ok_or_else(|| no_such_token(run, id))?;
            search.with_forebears(key).await?;
            search.facts.rows.keys().next().copied()
        }
    };
    if let Some(name) = &question.sink {
        let sink = graph.sink(name)?;
        if matches!(question.subject, Subject::Row(_)) {
            search.through_batches().await?;
        }
        search.keep_only(sink, name)?;
    }
    let mut facts = search.facts;
    if let Some(row) = row {
        facts.validation_error = reader.validation_error(run.run_no, row).await?;
    }
    Ok((facts, row))
}

impl<'a> Search<'a> {
    pub(crate) fn new(reader: &'a dyn LandscapeReader, run: &'a RunRecord, graph: &'a Graph) -> Self {
        let (facts, memberships) = (Facts::default(), BTreeMap::new());
        Self { reader, run, graph, members_from: 0, facts, memberships }
    }

    pub(crate) fn into_facts(self) -> Facts {
        self.facts
    }

    async fn row_and_descendants(&mut self, index: RowIndex) -> Result<(), LandscapeError> {
        let row = self.reader.row(self.run.run_no, index).await?.ok_or_else(|| {
            LandscapeError::NotFound(format!("run {} has no row {}", self.run.run_id, index.get()))
        })?;
        self.facts.rows.insert(index, row);
        let mut open = Vec::new();
        for token in self.reader.tokens_of_row(self.run.run_no, index).await? {
            open.push(token.token);
            self.add(token).await?;
        }
        self.descendants(open).await
    }

    /// Adds the children of tokens, their children and so on; not what batches made.
    async fn descendants(&mut self, mut open: Vec<TokenKey>) -> Result<(), LandscapeError> {
        while let Some(key) = open.pop() {
            let Some(token) = self.facts.tokens.get(&key) else { continue };
            for child in self.children(&token.clone()).await? {
                if !self.facts.tokens.contains_key(&child.token) {
                    open.push(child.token);
                    self.add(child).await?;
                }
            }
        }
        Ok(())
    }

    async fn children(&self, token: &TokenFacts) -> Result<Vec<TokenRecord>, LandscapeError> {
        let run_no = self.run.run_no;
        if let Some(merged) = token.merged_into() {
            let merged = self.reader.token(run_no, merged).await?;
            return Ok(vec![merged.ok_or_else(|| self.missing(token.key(), "it was merged into nothing"))?]);
        }
        let mut children = Vec::new();
        if token.may_have_children() {
            for walk in token.walks() {
                children.extend(self.reader.children(run_no, token.key(), walk).await?);
            }
        }
        Ok(children)
    }

    /// Adds a token and those it came from; where a batch made one of them, that batch's members are only listed.
    pub(crate) async fn with_forebears(&mut self, subject: TokenKey) -> Result<(), LandscapeError> {
        let mut wanted = vec![subject];
        while let Some(key) = wanted.pop() {
            if self.facts.tokens.contains_key(&key) {
                continue;
            }
            let token = self.reader.token(self.run.run_no, key).await?;
            let token = token.ok_or_else(|| {
                if key == subject {
                    return no_such_token(self.run, self.run.run_id.token_id(key));
                }
                self.missing(key, "it is a parent, but is missing itself")
            })?;
            self.add(token).await?;
            wanted.extend(self.facts.tokens[&key].parents.iter().map(|parent| parent.parent));
        }
        Ok(())
    }

    /// Adds what the batches made that consumed tokens of these, and what came of that.
    async fn through_batches(&mut self) -> Result<(), LandscapeError> {
        let mut passed = BTreeSet::new();
        while self.facts.tokens.len() < MOST_ON_THE_WAY {
            let consumed = self.facts.tokens.values().filter_map(|token| token.outcome.as_ref());
            let consumed = consumed.filter(|outcome| outcome.outcome == Outcome::ConsumedInBatch);
            let Some(batch) = consumed.filter_map(|o| o.release()).find(|batch| !passed.contains(batch))
            else {
                break;
            };
            passed.insert(batch);
            let outputs = self.facts.batches.get(&batch).map(|batch| batch.outputs.clone());
            let mut open = Vec::new();
            for output in outputs.unwrap_or_default() {
                let token = self.reader.token(self.run.run_no, output.token).await?;
                let token = token.ok_or_else(|| self.missing(output.token, "a batch made it"))?;
                open.push(token.token);
                self.add(token).await?;
            }
            self.descendants(open).await?;
        }
        Ok(())
    }

    /// Keeps those that came to the sink, with those they came from.
    fn keep_only(&mut self, sink: Step, name: &str) -> Result<(), LandscapeError> {
        let at_sink = self.facts.tokens.values().filter(|token| token.came_to(sink));
        let mut wanted: Vec<TokenKey> = at_sink.map(TokenFacts::key).collect();
        if wanted.is_empty() {
            return Err(LandscapeError::NotFound(format!("no token of it came to sink `{name}`")));
        }
        let mut kept = BTreeSet::new();
        while let Some(key) = wanted.pop() {
            if kept.insert(key)
                && let Some(token) = self.facts.tokens.get(&key)
            {
                wanted.extend(self.facts.forebears(token));
            }
        }
        self.facts.tokens.retain(|key, _| kept.contains(key));
        Ok(())
    }

    /// Adds everything recorded about one token, and the row, the batches and the releases that it has to do with.
    async fn add(&mut self, token: TokenRecord) -> Result<(), LandscapeError> {
        let (reader, run_no, key) = (self.reader, self.run.run_no, token.token);
        let parents = reader.parents(run_no, key).await?;
        let made_by = if parents.is_empty() { reader.made_by_batch(run_no, key).await? } else { None };
        let mut facts = TokenFacts {
            parents,
            states: reader.states(run_no, key).await?,
            contexts: reader.contexts(run_no, key).await?,
            routing: reader.routing(run_no, key).await?,
            calls: reader.calls(run_no, key).await?,
            errors: reader.transform_errors(run_no, key).await?,
            outcome: reader.outcome(run_no, key).await?,
            memberships: self.memberships_of(key).await?,
            made_by,
            token,
        };
        facts.order_sinks(self.graph);
        match key.origin() {
            TokenOrigin::Row(row) => self.add_row(row).await?,
            TokenOrigin::Batch(number) => self.add_release(number).await?,
        }
        for member in &facts.memberships {
            self.add_release(member.batch_no).await?;
            self.add_batch(member.batch_no, false).await?;
        }
        if let Some(made_by) = &facts.made_by {
            self.add_batch(made_by.batch_no, true).await?;
        }
        self.facts.tokens.insert(key, facts);
        Ok(())
    }

    async fn memberships_of(&mut self, token: TokenKey) -> Result<Vec<BatchMemberRecord>, LandscapeError> {
        if !self.graph.has(NodeType::Aggregation) {
            return Ok(Vec::new());
        }
        let (walk, _) = token.origin().tokens();
        let of_walk = match self.memberships.entry(walk) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(unknown) => {
                unknown.insert(self.reader.memberships(self.run.run_no, token.origin()).await?)
            }
        };
        Ok(of_walk.iter().filter(|member| member.token == token).cloned().collect())
    }

    async fn add_row(&mut self, row: RowIndex) -> Result<(), LandscapeError> {
        if !self.facts.rows.contains_key(&row) {
            let record = self.reader.row(self.run.run_no, row).await?.ok_or_else(|| Corruption {
                table: "rows",
                id: row.get().to_string(),
                what: "it has tokens, but is missing itself".to_owned(),
            })?;
            self.facts.rows.insert(row, record);
        }
        Ok(())
    }

    async fn add_release(&mut self, number: u64) -> Result<(), LandscapeError> {
        if !self.facts.releases.contains_key(&number)
            && let Some(release) = self.reader.release(self.run.run_no, number).await?
        {
            self.facts.releases.insert(number, release);
        }
        Ok(())
    }

    async fn add_batch(&mut self, batch_no: u64, with_members: bool) -> Result<(), LandscapeError> {
        let (reader, run_no) = (self.reader, self.run.run_no);
        let mut batch = match self.facts.batches.remove(&batch_no) {
            Some(known) => known,
            None => BatchFacts {
                attempts: reader.batch(run_no, batch_no).await?,
                size: reader.batch_size(run_no, batch_no).await?,
                members: Vec::new(),
                outputs: reader.batch_outputs(run_no, batch_no, Page { from: 0, limit: PAGE }).await?,
            },
        };
        if with_members && batch.members.is_empty() {
            let page = Page { from: self.members_from, limit: PAGE };
            batch.members = reader.batch_members(run_no, batch_no, page).await?;
        }
        self.facts.batches.insert(batch_no, batch);
        Ok(())
    }

    fn missing(&self, token: TokenKey, what: &str) -> LandscapeError {
        let id = self.run.run_id.token_id(token).to_string();
        Corruption { table: "tokens", id, what: what.to_owned() }.into()
    }
}

fn no_such_token(run: &RunRecord, id: TokenId) -> LandscapeError {
    LandscapeError::NotFound(format!("run {} has no token {id}", run.run_id))
}
