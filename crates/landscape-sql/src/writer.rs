//! The one connection that writes a run.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use elspeth_contracts::Micros;
use elspeth_landscape::integrity::EpochHashes;
use elspeth_landscape::{
    ActedEpoch, ConservationBreach, DecidedEpoch, LandscapeError, LandscapeWriter, RunSeal, RunStart,
};
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _};

use crate::error::store_error;
use crate::insert::{Group, Insert, Texts, Work, execute, execute_all};
use crate::landscape::Scratch;
use crate::tables::{
    Artifacts, Calls, Edges, Epochs, Intents, NodeStates, Nodes, Operations, RoutingEvents, Rows, Runs,
    SinkStates, Staged, StateContexts, TokenOutcomes, TokenParents, Tokens, TransformErrors,
    ValidationErrors,
};
use crate::{conservation, counters};

/// Writes one run at a time into an SQLite database. Made by [`crate::SqliteLandscape`].
pub struct SqliteWriter {
    connection: SqliteConnection,
    location: String,
    patience: Duration,
    run: Option<OpenRun>,
    /// Keeps the file of a database that is in no file until the last user is gone.
    _scratch: Option<Arc<Scratch>>,
}

/// The run that is being written.
struct OpenRun {
    run_no: i64,
    texts: Texts,
    stage: Stage,
}

/// What the open transaction holds.
enum Stage {
    /// There is no transaction.
    Empty,
    /// Commit A of an epoch.
    Staged(Staged),
    /// The database threw an epoch's commit A away when its commit failed.
    Lost,
}

impl SqliteWriter {
    pub(crate) fn new(connection: SqliteConnection, location: String, patience: Duration) -> Self {
        Self { connection, location, patience, run: None, _scratch: None }
    }

    /// The same, keeping a scratch folder.
    pub(crate) fn keeping(mut self, scratch: Option<Arc<Scratch>>) -> Self {
        self._scratch = scratch;
        self
    }

    /// Path of the database, for messages.
    #[must_use]
    pub fn location(&self) -> &str {
        &self.location
    }

    /// Closes the connection; whatever is staged is thrown away. The last one to close a database folds its
    /// write-ahead log into the file.
    ///
    /// # Errors
    /// [`LandscapeError::Store`] when the database cannot be closed properly.
    pub async fn close(self) -> Result<(), LandscapeError> {
        let location = self.location;
        self.connection
            .close()
            .await
            .map_err(|error| store_error(format!("closing audit database {location}"), &error))
    }

    fn failed(&self, what: &str, error: &sqlx::Error) -> LandscapeError {
        store_error(format!("{what} in audit database {}", self.location), error)
    }

    fn out_of_order(&self, what: &str) -> LandscapeError {
        LandscapeError::Store {
            context: format!("audit database {}", self.location),
            message: what.to_owned(),
            retryable: false,
        }
    }

    /// Takes the open run out, so that it and the connection can be borrowed at once.
    fn take_run(&mut self) -> Result<OpenRun, LandscapeError> {
        self.run.take().ok_or_else(|| self.out_of_order("no run was begun on this writer"))
    }

    async fn begin(&mut self) -> Result<(), sqlx::Error> {
        self.connection.execute("BEGIN IMMEDIATE").await.map(|_| ())
    }

    async fn end(&mut self) -> Result<(), sqlx::Error> {
        self.connection.execute("COMMIT").await.map(|_| ())
    }

    /// Ends the open transaction, if the failure that came before has not ended it already.
    async fn abandon(&mut self) -> Result<(), sqlx::Error> {
        match self.connection.execute("ROLLBACK").await {
            Ok(_) => Ok(()),
            Err(sqlx::Error::Database(error)) if error.message().contains("no transaction is active") => {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    async fn stage_rows(&mut self, run: &mut OpenRun, decided: &DecidedEpoch) -> Result<(), sqlx::Error> {
        self.begin().await?;
        let work = decided_work(run.run_no, decided);
        match execute_all(&mut self.connection, &mut run.texts, work).await {
            Ok(()) => {
                run.stage = Stage::Staged(Staged::of(decided));
                Ok(())
            }
            Err(error) => {
                self.abandon().await?;
                Err(error)
            }
        }
    }

    /// After a failure, what was staged is still staged and can be committed again, unless the database lost it.
    async fn commit_all(
        &mut self,
        run: &mut OpenRun,
        acted: Option<&ActedEpoch>,
        hashes: &EpochHashes,
        now: Micros,
    ) -> Result<(), sqlx::Error> {
        let staged = match &run.stage {
            Stage::Staged(staged) => Some(staged),
            Stage::Empty | Stage::Lost => None,
        };
        let work = commit_work(run.run_no, staged, acted, hashes, now);
        if staged.is_none() {
            self.begin().await?;
        }
        let done = execute_all(&mut self.connection, &mut run.texts, work).await;
        match (&done, &run.stage) {
            (Ok(()), _) => run.stage = Stage::Empty,
            (Err(_), Stage::Empty | Stage::Lost) => self.abandon().await?,
            (Err(_), Stage::Staged(_)) => {
                if self.connection.execute("ROLLBACK TO decided").await.is_err() {
                    run.stage = Stage::Lost;
                }
            }
        }
        done
    }

    async fn register(&mut self, start: &RunStart) -> Result<OpenRun, sqlx::Error> {
        execute(&mut self.connection, Runs::insert(start)).await?;
        let row = sqlx::query(Runs::SELECT_NUMBER)
            .bind(start.run_id.to_string())
            .fetch_one(&mut self.connection)
            .await?;
        let run_no = row.try_get(0)?;
        let mut texts = Texts::new(run_no);
        let graph = vec![Insert::boxed(Nodes, &start.nodes), Insert::boxed(Edges, &start.edges)];
        execute_all(&mut self.connection, &mut texts, graph).await?;
        Ok(OpenRun { run_no, texts, stage: Stage::Empty })
    }

    /// Copies the write-ahead log into the database and empties it, so that the file alone is the whole record.
    ///
    /// A failure is none of the run's: everything is durable in the log, whoever opens the database next tries again,
    /// and a reader that is busy with the log is not waited for.
    async fn fold_log(&mut self) {
        let patience = self.patience.as_millis();
        let fold = format!(
            "PRAGMA busy_timeout = 0; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA busy_timeout = {patience};"
        );
        let _ = self.connection.execute(sqlx::raw_sql(AssertSqlSafe(fold))).await;
    }

    async fn seal_in_transaction(&mut self, run_no: i64, seal: &RunSeal) -> Result<(), LandscapeError> {
        let summary = counters::summary_json(&mut self.connection, run_no).await?;
        execute(&mut self.connection, Runs::seal(run_no, seal, &summary))
            .await
            .map_err(|error| self.failed("sealing the run", &error))?;
        Ok(())
    }
}

#[async_trait]
impl LandscapeWriter for SqliteWriter {
    async fn begin_run(&mut self, start: &RunStart) -> Result<(), LandscapeError> {
        const WHAT: &str = "registering the run";
        if self.run.is_some() {
            return Err(self.out_of_order("a run is open on this writer already"));
        }
        self.begin().await.map_err(|error| self.failed(WHAT, &error))?;
        let registered = match self.register(start).await {
            Ok(run) => self.end().await.map(|()| run),
            Err(error) => Err(error),
        };
        match registered {
            Ok(run) => {
                self.run = Some(run);
                Ok(())
            }
            Err(error) => {
                let error = self.failed(WHAT, &error);
                self.abandon().await.map_err(|error| self.failed(WHAT, &error))?;
                Err(error)
            }
        }
    }

    async fn stage(&mut self, decided: &DecidedEpoch) -> Result<(), LandscapeError> {
        let mut run = self.take_run()?;
        let result = match run.stage {
            Stage::Staged(_) | Stage::Lost => Err(self.out_of_order("an epoch is staged already")),
            Stage::Empty => {
                let what = format!("staging epoch {}", decided.epoch.0);
                let staged = self.stage_rows(&mut run, decided).await;
                staged.map_err(|error| self.failed(&what, &error))
            }
        };
        self.run = Some(run);
        result
    }

    async fn commit(
        &mut self,
        acted: Option<&ActedEpoch>,
        hashes: &EpochHashes,
        now: Micros,
    ) -> Result<(), LandscapeError> {
        let mut run = self.take_run()?;
        let result = match &run.stage {
            Stage::Lost => {
                Err(self.out_of_order("the staged epoch was lost when its commit failed; roll it back"))
            }
            Stage::Empty | Stage::Staged(_) => {
                let committed = self.commit_all(&mut run, acted, hashes, now).await;
                committed.map_err(|error| self.failed("committing an epoch", &error))
            }
        };
        self.run = Some(run);
        result
    }

    async fn rollback(&mut self) -> Result<(), LandscapeError> {
        let Some(run) = &mut self.run else { return Ok(()) };
        match std::mem::replace(&mut run.stage, Stage::Empty) {
            Stage::Empty => Ok(()),
            Stage::Staged(_) | Stage::Lost => {
                self.abandon().await.map_err(|error| self.failed("rolling back an epoch", &error))
            }
        }
    }

    async fn heartbeat(&mut self, now: Micros) -> Result<(), LandscapeError> {
        let Some(run) = &self.run else {
            return Err(self.out_of_order("no run was begun on this writer"));
        };
        let run_no = match run.stage {
            Stage::Empty => run.run_no,
            Stage::Staged(_) | Stage::Lost => return Ok(()),
        };
        execute(&mut self.connection, Runs::heartbeat(run_no, now))
            .await
            .map_err(|error| self.failed("showing a sign of life", &error))?;
        Ok(())
    }

    async fn seal(&mut self, seal: &RunSeal) -> Result<(), LandscapeError> {
        const WHAT: &str = "sealing the run";
        let Some(run) = &self.run else {
            return Err(self.out_of_order("no run was begun on this writer"));
        };
        let run_no = match run.stage {
            Stage::Empty => run.run_no,
            Stage::Staged(_) | Stage::Lost => {
                return Err(self.out_of_order("an epoch is staged; commit it or roll it back before sealing"));
            }
        };
        self.begin().await.map_err(|error| self.failed(WHAT, &error))?;
        let sealed = match self.seal_in_transaction(run_no, seal).await {
            Ok(()) => self.end().await.map_err(|error| self.failed(WHAT, &error)),
            Err(error) => Err(error),
        };
        match sealed {
            Ok(()) => {
                self.run = None;
                self.fold_log().await;
            }
            Err(_) => self.abandon().await.map_err(|error| self.failed(WHAT, &error))?,
        }
        sealed
    }

    async fn conservation(&mut self) -> Result<Vec<ConservationBreach>, LandscapeError> {
        let Some(run) = &self.run else { return Err(self.out_of_order("no run was begun on this writer")) };
        conservation::breaches(&mut self.connection, run.run_no).await
    }
}

/// Commit A, without the epoch's own record. It ends at a savepoint, to which a failed commit goes back.
fn decided_work(run_no: i64, decided: &DecidedEpoch) -> Vec<Box<dyn Work + '_>> {
    let mut others = Group::new();
    Operations::insert(&mut others, run_no, &decided.operations);
    Intents::insert(&mut others, run_no, decided.epoch, &decided.intents);
    Epochs::bodies(&mut others, run_no, decided.epoch, &decided.bodies);
    others.then("SAVEPOINT decided");
    vec![
        Insert::boxed(Rows, &decided.rows),
        Insert::boxed(Tokens, &decided.tokens),
        Insert::boxed(TokenParents, &decided.token_parents),
        Insert::boxed(NodeStates, &decided.states),
        Insert::boxed(StateContexts, &decided.contexts),
        Insert::boxed(RoutingEvents, &decided.routing),
        Insert::boxed(Calls, &decided.calls),
        Insert::boxed(ValidationErrors, &decided.validation_errors),
        Insert::boxed(TransformErrors, &decided.transform_errors),
        others.boxed(),
    ]
}

/// Commit B of the epoch before, commit A's own record, and the end of the transaction.
fn commit_work<'a>(
    run_no: i64,
    staged: Option<&Staged>,
    acted: Option<&'a ActedEpoch>,
    hashes: &EpochHashes,
    now: Micros,
) -> Vec<Box<dyn Work + 'a>> {
    let mut others = Group::new();
    let mut work = match acted {
        Some(acted) => acted_work(run_no, acted, now, &mut others),
        None => Vec::new(),
    };
    match (staged, acted) {
        (Some(staged), _) => Epochs::decided(&mut others, run_no, staged, hashes, now),
        (None, Some(acted)) => Epochs::advance_checkpoint(&mut others, run_no, acted.epoch, hashes),
        (None, None) => {}
    }
    Runs::heartbeat_in(&mut others, run_no, now);
    others.then("COMMIT");
    work.push(others.boxed());
    work
}

fn acted_work<'a>(
    run_no: i64,
    acted: &'a ActedEpoch,
    now: Micros,
    others: &mut Group,
) -> Vec<Box<dyn Work + 'a>> {
    Operations::insert(others, run_no, &acted.operations);
    Artifacts::insert(others, run_no, &acted.artifacts);
    Epochs::sink_positions(others, run_no, acted.epoch, &acted.sinks);
    Intents::delete(others, run_no, acted.epoch);
    Epochs::acted(others, run_no, acted, now);
    vec![
        Insert::boxed(SinkStates, &acted.sink_states),
        Insert::boxed(TransformErrors, &acted.transform_errors),
        Insert::boxed(RoutingEvents, &acted.routing),
        Insert::boxed(TokenOutcomes, &acted.outcomes),
    ]
}
