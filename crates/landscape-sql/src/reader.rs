//! Answers for those who ask about runs.

use async_trait::async_trait;
use elspeth_contracts::{
    ArtifactRecord, BatchMemberRecord, BatchOutputRecord, BatchRecord, CallRecord, EdgeRecord, EpochNo,
    Micros, NodeRecord, NodeStateRecord, ReleaseRecord, RoutingEventRecord, RowIndex, RowRecord,
    StateContextRecord, Step, TokenKey, TokenOrigin, TokenOutcomeRecord, TokenParentRecord, TokenRecord,
    TransformErrorRecord, ValidationErrorRecord,
};
use elspeth_landscape::{
    BatchSize, Corruption, Counters, Failure, FailureCount, LandscapeError, LandscapeReader, Page,
    ResumePoint, ResumptionRecord, RunRecord, RunRef, RunSummary,
};

use crate::asking::{Asked, Source, StoredRow};
use crate::stored::{Origin, Stored};
use crate::tables::{
    Artifacts, BatchMembers, BatchOutputs, Batches, Calls, Edges, Epochs, NodeStates, Nodes, Releases,
    Resumptions, RoutingEvents, Rows, Runs, StateContexts, TokenOutcomes, TokenParents, Tokens,
    TransformErrors, ValidationErrors,
};
use crate::{counters, failures, resume};

/// Reads an audit database, also while a run is written into it. Made by [`crate::Landscape`].
pub struct Reader {
    source: Source,
    location: String,
}

/// For how long the owner of a run has been silent, by the server's clock.
pub(crate) const SILENT: &str =
    "SELECT run_id, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - shown_at AS silent
    FROM runs WHERE run_no = ?";

/// Rows of epochs that sinks have not acted on.
const TO_ACT_ON: &str = "SELECT run_id, (SELECT CAST(coalesce(sum(e.row_count), 0) AS BIGINT) FROM epochs e
        WHERE e.run_no = runs.run_no AND e.acted_at IS NULL) AS to_act_on FROM runs WHERE run_no = ?";

/// How a record is made of what is stored.
type Read<T> = fn(&Stored<'_>) -> Result<T, LandscapeError>;

impl Reader {
    pub(crate) fn new(source: Source, location: String) -> Self {
        Self { source, location }
    }

    /// Where the database is, for messages.
    #[must_use]
    pub fn location(&self) -> &str {
        &self.location
    }

    async fn asked(&self, sql: &'static str, values: &[Asked]) -> Result<Vec<StoredRow>, LandscapeError> {
        self.source.rows(sql, values, &self.reading()).await
    }

    async fn rows(
        &self,
        sql: &'static str,
        values: &[Option<i64>],
    ) -> Result<Vec<StoredRow>, LandscapeError> {
        let values: Vec<Asked> = values.iter().copied().map(Asked::Int).collect();
        self.asked(sql, &values).await
    }

    async fn list<T>(
        &self,
        sql: &'static str,
        values: &[Option<i64>],
        origin: Origin,
        read: Read<T>,
    ) -> Result<Vec<T>, LandscapeError> {
        let rows = self.rows(sql, values).await?;
        rows.iter().map(|row| read(&Stored::new(row, origin))).collect()
    }

    /// Every record of `token` in one table.
    async fn of_token<T>(
        &self,
        sql: &'static str,
        key: (i64, TokenKey),
        origin: Origin,
        read: Read<T>,
    ) -> Result<Vec<T>, LandscapeError> {
        self.list(sql, &[Some(key.0), Some(number(key.1))], origin, read).await
    }

    /// The records of every number in a list.
    async fn of_each<T>(
        &self,
        sql: &'static str,
        listed: Listed,
        origin: Origin,
        read: Read<T>,
    ) -> Result<Vec<T>, LandscapeError> {
        if listed.numbers == "[]" {
            return Ok(Vec::new());
        }
        let rows = self.asked(sql, &[Asked::Int(Some(listed.run_no)), Asked::Text(listed.numbers)]).await?;
        rows.iter().map(|row| read(&Stored::new(row, origin))).collect()
    }

    /// What [`Held::snapshot`] says it is doing.
    fn reading(&self) -> String {
        format!("reading audit database {}", self.location)
    }

    /// The numbers of the runs that are meant: one, or an error that says why not.
    async fn run_number(&self, run: &RunRef) -> Result<i64, LandscapeError> {
        let rows = match run {
            RunRef::Latest => self.asked(Runs::SELECT_LATEST, &[]).await,
            RunRef::Prefix(prefix) => {
                self.asked(Runs::SELECT_BY_PREFIX, &[Asked::Text(prefix.clone())]).await
            }
        }?;
        let read = |row| {
            let stored = Stored::new(row, Runs::ORIGIN);
            Ok((stored.int("run_no")?, stored.text("run_id")?))
        };
        let found = rows.iter().map(read).collect::<Result<Vec<_>, LandscapeError>>()?;
        match (found.as_slice(), run) {
            ([(run_no, _)], _) => Ok(*run_no),
            ([], RunRef::Latest) => {
                Err(LandscapeError::NoSuchRun(format!("no run is recorded in {}", self.location)))
            }
            ([], RunRef::Prefix(prefix)) => Err(LandscapeError::NoSuchRun(format!(
                "no run in {} has an id that begins with `{prefix}`; `elspeth runs` lists them",
                self.location
            ))),
            ([(_, first), rest @ ..], _) if rest.iter().all(|(_, id)| id == first) => Err(Corruption {
                table: "runs",
                id: first.clone(),
                what: format!("{} runs have this id", found.len()),
            }
            .into()),
            (several, _) => Err(LandscapeError::NoSuchRun(ambiguous(run, several))),
        }
    }
}

fn ambiguous(run: &RunRef, several: &[(i64, String)]) -> String {
    let prefix = match run {
        RunRef::Prefix(prefix) => prefix.as_str(),
        RunRef::Latest => "",
    };
    let ids: Vec<&str> = several.iter().take(5).map(|(_, id)| id.as_str()).collect();
    let more = if several.len() > ids.len() { " and more" } else { "" };
    format!("several runs have an id that begins with `{prefix}`: {}{more}; write more of it", ids.join(", "))
}

/// Numbers of one run, as the JSON list that SQLite takes as a table.
struct Listed {
    run_no: i64,
    numbers: String,
}

impl Listed {
    fn of(run_no: i64, numbers: impl Iterator<Item = u64>) -> Self {
        let numbers: Vec<String> = numbers.map(|number| number.to_string()).collect();
        Self { run_no, numbers: format!("[{}]", numbers.join(",")) }
    }

    fn tokens(run_no: i64, tokens: &[TokenKey]) -> Self {
        Self::of(run_no, tokens.iter().map(|token| token.get()))
    }
}

fn number(token: TokenKey) -> i64 {
    token.get().cast_signed()
}

/// The first and the last token of an origin.
fn numbers(origin: TokenOrigin) -> (Option<i64>, Option<i64>) {
    let (first, last) = origin.tokens();
    (Some(number(first)), Some(number(last)))
}

fn paged(run_no: i64, batch_no: u64, page: Page) -> [Option<i64>; 4] {
    [Some(run_no), Some(batch_no.cast_signed()), Some(i64::from(page.from)), Some(i64::from(page.limit))]
}

/// The row whose first token this is; the source's state is that token's.
fn first_of_row(token: TokenKey) -> Option<i64> {
    match token.origin() {
        TokenOrigin::Row(row) if token.ordinal() == 0 => Some(row.get().cast_signed()),
        TokenOrigin::Row(_) | TokenOrigin::Batch(_) => None,
    }
}

#[async_trait]
impl LandscapeReader for Reader {
    async fn runs(&self) -> Result<Vec<RunSummary>, LandscapeError> {
        self.list(Runs::SELECT_SUMMARIES, &[], Runs::ORIGIN, Runs::read_summary).await
    }

    async fn run(&self, run: &RunRef) -> Result<RunRecord, LandscapeError> {
        let run_no = self.run_number(run).await?;
        let found = self.list(Runs::SELECT, &[Some(run_no)], Runs::ORIGIN, Runs::read).await?;
        found
            .into_iter()
            .next()
            .ok_or_else(|| LandscapeError::NoSuchRun(format!("run number {run_no} is gone")))
    }

    async fn nodes(&self, run_no: i64) -> Result<Vec<NodeRecord>, LandscapeError> {
        self.list(Nodes::SELECT, &[Some(run_no)], Nodes::ORIGIN, Nodes::read).await
    }

    async fn edges(&self, run_no: i64) -> Result<Vec<EdgeRecord>, LandscapeError> {
        self.list(Edges::SELECT, &[Some(run_no)], Edges::ORIGIN, Edges::read).await
    }

    async fn counters(&self, run_no: i64) -> Result<Counters, LandscapeError> {
        let mut held = self.source.held().await;
        let mut snapshot = held.snapshot(&self.reading()).await?;
        counters::counters(&mut snapshot, run_no).await
    }

    async fn row(&self, run_no: i64, row: RowIndex) -> Result<Option<(RowRecord, EpochNo)>, LandscapeError> {
        let key = [Some(run_no), Some(row.get().cast_signed())];
        Ok(self.list(Rows::SELECT, &key, Rows::ORIGIN, Rows::read).await?.pop())
    }

    async fn tokens_of_row(&self, run_no: i64, row: RowIndex) -> Result<Vec<TokenRecord>, LandscapeError> {
        let (first, last) = numbers(TokenOrigin::Row(row));
        self.list(Tokens::SELECT, &[Some(run_no), first, last], Tokens::ORIGIN, Tokens::read).await
    }

    async fn token(&self, run_no: i64, token: TokenKey) -> Result<Option<TokenRecord>, LandscapeError> {
        let key = [Some(run_no), Some(number(token)), Some(number(token))];
        Ok(self.list(Tokens::SELECT, &key, Tokens::ORIGIN, Tokens::read).await?.pop())
    }

    async fn parents(&self, run_no: i64, token: TokenKey) -> Result<Vec<TokenParentRecord>, LandscapeError> {
        self.of_token(TokenParents::SELECT, (run_no, token), TokenParents::ORIGIN, TokenParents::read).await
    }

    async fn children(
        &self,
        run_no: i64,
        parent: TokenKey,
        origin: TokenOrigin,
    ) -> Result<Vec<TokenRecord>, LandscapeError> {
        let (first, last) = numbers(origin);
        let key = [Some(run_no), Some(number(parent)), first, last];
        self.list(Tokens::SELECT_CHILDREN, &key, Tokens::ORIGIN, Tokens::read).await
    }

    async fn memberships(
        &self,
        run_no: i64,
        origin: TokenOrigin,
    ) -> Result<Vec<BatchMemberRecord>, LandscapeError> {
        let (first, last) = numbers(origin);
        let key = [Some(run_no), first, last];
        self.list(BatchMembers::SELECT_BY_TOKEN, &key, BatchMembers::ORIGIN, BatchMembers::read).await
    }

    async fn batch(&self, run_no: i64, batch_no: u64) -> Result<Vec<BatchRecord>, LandscapeError> {
        let key = [Some(run_no), Some(batch_no.cast_signed())];
        self.list(Batches::SELECT, &key, Batches::ORIGIN, Batches::read).await
    }

    async fn batch_size(&self, run_no: i64, batch_no: u64) -> Result<BatchSize, LandscapeError> {
        let key = [Some(run_no), Some(batch_no.cast_signed())];
        let count = |sql, origin| self.list(sql, &key, origin, |stored| stored.unsigned("tokens"));
        let members = count(BatchMembers::COUNT, BatchMembers::ORIGIN).await?;
        let outputs = count(BatchOutputs::COUNT, BatchOutputs::ORIGIN).await?;
        Ok(BatchSize { members: members.into_iter().sum(), outputs: outputs.into_iter().sum() })
    }

    async fn batch_members(
        &self,
        run_no: i64,
        batch_no: u64,
        page: Page,
    ) -> Result<Vec<BatchMemberRecord>, LandscapeError> {
        let key = paged(run_no, batch_no, page);
        self.list(BatchMembers::SELECT, &key, BatchMembers::ORIGIN, BatchMembers::read).await
    }

    async fn batch_outputs(
        &self,
        run_no: i64,
        batch_no: u64,
        page: Page,
    ) -> Result<Vec<BatchOutputRecord>, LandscapeError> {
        let key = paged(run_no, batch_no, page);
        self.list(BatchOutputs::SELECT, &key, BatchOutputs::ORIGIN, BatchOutputs::read).await
    }

    async fn made_by_batch(
        &self,
        run_no: i64,
        token: TokenKey,
    ) -> Result<Option<BatchOutputRecord>, LandscapeError> {
        let TokenOrigin::Batch(batch_no) = token.origin() else { return Ok(None) };
        let key = [Some(run_no), Some(batch_no.cast_signed()), Some(number(token))];
        let found =
            self.list(BatchOutputs::SELECT_BY_TOKEN, &key, BatchOutputs::ORIGIN, BatchOutputs::read).await?;
        Ok(found.into_iter().next())
    }

    async fn release(&self, run_no: i64, number: u64) -> Result<Option<ReleaseRecord>, LandscapeError> {
        let key = [Some(run_no), Some(number.cast_signed())];
        Ok(self.list(Releases::SELECT, &key, Releases::ORIGIN, Releases::read).await?.pop())
    }

    async fn states(&self, run_no: i64, token: TokenKey) -> Result<Vec<NodeStateRecord>, LandscapeError> {
        let key = [Some(run_no), Some(number(token)), first_of_row(token)];
        self.list(NodeStates::SELECT, &key, NodeStates::ORIGIN, NodeStates::read).await
    }

    async fn contexts(
        &self,
        run_no: i64,
        token: TokenKey,
    ) -> Result<Vec<StateContextRecord>, LandscapeError> {
        self.of_token(StateContexts::SELECT, (run_no, token), StateContexts::ORIGIN, StateContexts::read)
            .await
    }

    async fn routing(&self, run_no: i64, token: TokenKey) -> Result<Vec<RoutingEventRecord>, LandscapeError> {
        self.of_token(RoutingEvents::SELECT, (run_no, token), RoutingEvents::ORIGIN, RoutingEvents::read)
            .await
    }

    async fn calls(&self, run_no: i64, token: TokenKey) -> Result<Vec<CallRecord>, LandscapeError> {
        self.of_token(Calls::SELECT, (run_no, token), Calls::ORIGIN, Calls::read).await
    }

    async fn transform_errors(
        &self,
        run_no: i64,
        token: TokenKey,
    ) -> Result<Vec<TransformErrorRecord>, LandscapeError> {
        self.of_token(
            TransformErrors::SELECT,
            (run_no, token),
            TransformErrors::ORIGIN,
            TransformErrors::read,
        )
        .await
    }

    async fn validation_error(
        &self,
        run_no: i64,
        row: RowIndex,
    ) -> Result<Option<ValidationErrorRecord>, LandscapeError> {
        let key = [Some(run_no), Some(row.get().cast_signed())];
        let found = self
            .list(ValidationErrors::SELECT, &key, ValidationErrors::ORIGIN, ValidationErrors::read)
            .await?;
        Ok(found.into_iter().next())
    }

    async fn outcome(
        &self,
        run_no: i64,
        token: TokenKey,
    ) -> Result<Option<TokenOutcomeRecord>, LandscapeError> {
        let key = (run_no, token);
        let mut found =
            self.of_token(TokenOutcomes::SELECT, key, TokenOutcomes::ORIGIN, TokenOutcomes::read).await?;
        Ok(found.pop())
    }

    async fn bodies(&self, run_no: i64, epoch: EpochNo) -> Result<Option<Vec<u8>>, LandscapeError> {
        let key = [Some(run_no), Some(epoch.0.cast_signed())];
        let origin = Origin { table: "bodies", key: &["run_no", "epoch"] };
        Ok(self.list(Epochs::SELECT_BODIES, &key, origin, |stored| stored.bytes("block")).await?.pop())
    }

    async fn artifacts(&self, run_no: i64) -> Result<Vec<ArtifactRecord>, LandscapeError> {
        self.list(Artifacts::SELECT_NEWEST, &[Some(run_no)], Artifacts::ORIGIN, Artifacts::read).await
    }

    async fn tokens_at_sink(
        &self,
        run_no: i64,
        sink: Step,
        limit: u32,
    ) -> Result<Vec<TokenKey>, LandscapeError> {
        let values = [Some(run_no), Some(i64::from(sink.get())), Some(i64::from(limit))];
        let origin = Origin { table: "sink_states", key: &["run_no", "token"] };
        self.list(NodeStates::SELECT_AT_SINK, &values, origin, |stored| stored.token("token")).await
    }

    async fn failures(&self, run_no: i64, limit: u64) -> Result<Vec<Failure>, LandscapeError> {
        let mut held = self.source.held().await;
        let mut snapshot = held.snapshot(&self.reading()).await?;
        failures::list(&mut snapshot, run_no, limit).await
    }

    async fn failure_counts(&self, run_no: i64) -> Result<Vec<FailureCount>, LandscapeError> {
        let mut held = self.source.held().await;
        let mut snapshot = held.snapshot(&self.reading()).await?;
        failures::counts(&mut snapshot, run_no).await
    }

    async fn states_of(
        &self,
        run_no: i64,
        tokens: &[TokenKey],
    ) -> Result<Vec<NodeStateRecord>, LandscapeError> {
        let listed = Listed::tokens(run_no, tokens);
        self.of_each(NodeStates::SELECT_OF_EACH, listed, NodeStates::ORIGIN, NodeStates::read).await
    }

    async fn first_parents(
        &self,
        run_no: i64,
        tokens: &[TokenKey],
    ) -> Result<Vec<TokenParentRecord>, LandscapeError> {
        let listed = Listed::tokens(run_no, tokens);
        self.of_each(TokenParents::SELECT_FIRST, listed, TokenParents::ORIGIN, TokenParents::read).await
    }

    async fn rows_of(
        &self,
        run_no: i64,
        rows: &[RowIndex],
    ) -> Result<Vec<(RowRecord, EpochNo)>, LandscapeError> {
        let listed = Listed::of(run_no, rows.iter().map(|row| row.get()));
        self.of_each(Rows::SELECT_OF_EACH, listed, Rows::ORIGIN, Rows::read).await
    }

    async fn releases_of(&self, run_no: i64, numbers: &[u64]) -> Result<Vec<ReleaseRecord>, LandscapeError> {
        let listed = Listed::of(run_no, numbers.iter().copied());
        self.of_each(Releases::SELECT_OF_EACH, listed, Releases::ORIGIN, Releases::read).await
    }

    async fn memberships_of(
        &self,
        run_no: i64,
        tokens: &[TokenKey],
    ) -> Result<Vec<BatchMemberRecord>, LandscapeError> {
        let listed = Listed::tokens(run_no, tokens);
        self.of_each(BatchMembers::SELECT_OF_EACH, listed, BatchMembers::ORIGIN, BatchMembers::read).await
    }

    async fn resume_point(&self, run_no: i64) -> Result<ResumePoint, LandscapeError> {
        let mut held = self.source.held().await;
        let mut snapshot = held.snapshot(&self.reading()).await?;
        resume::point(&mut snapshot, run_no).await
    }

    async fn failed_tokens(
        &self,
        run_no: i64,
        after: Option<TokenKey>,
        limit: u32,
    ) -> Result<Vec<TokenKey>, LandscapeError> {
        let after = after.map_or(-1, number);
        let values = [Some(run_no), Some(after), Some(limit.into())];
        self.list(TokenOutcomes::SELECT_FAILED, &values, TokenOutcomes::ORIGIN, |stored| {
            stored.token("token")
        })
        .await
    }

    async fn lease_clock(&self, run: &RunRecord) -> Result<Option<Micros>, LandscapeError> {
        let Source::Postgres(_) = &self.source else { return Ok(None) };
        let silent = self.asked(SILENT, &[Asked::Int(Some(run.run_no))]).await?;
        let silent = silent.first().map(|row| Stored::new(row, Runs::ORIGIN).int("silent")).transpose()?;
        Ok(silent.map(|silent| Micros(run.heartbeat_at.0.saturating_add(silent))))
    }

    async fn resumptions(&self, run_no: i64) -> Result<Vec<ResumptionRecord>, LandscapeError> {
        self.list(Resumptions::SELECT, &[Some(run_no)], Resumptions::ORIGIN, Resumptions::read).await
    }

    async fn rows_to_act_on(&self, run_no: i64) -> Result<u64, LandscapeError> {
        let found = self.asked(TO_ACT_ON, &[Asked::Int(Some(run_no))]).await?;
        let rows = found.first().map(|row| Stored::new(row, Runs::ORIGIN).int("to_act_on")).transpose()?;
        Ok(rows.unwrap_or_default().cast_unsigned())
    }
}
