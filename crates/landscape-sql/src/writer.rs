//! The one connection that writes a run.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use elspeth_contracts::{EpochNo, Micros, RunId};
use elspeth_faults::{Act, around};
use elspeth_landscape::integrity::EpochHashes;
use elspeth_landscape::registry::Entry;
use elspeth_landscape::{
    ActedEpoch, ConservationBreach, DecidedEpoch, Durability, LandscapeError, LandscapeWriter, RunSeal,
    RunStart, TakeUp,
};
use elspeth_proof::SecretKey;
use rusqlite::Connection;

use crate::background::BackgroundCount;
use crate::census::Census;
use crate::connect::Synchronous;
use crate::db::DbError;
use crate::error::{WriteFailed, write_error};
use crate::folding::BackgroundFold;
use crate::insert::{Group, Inserts};
use crate::log::Log;
use crate::place::Place;
use crate::presence::Presence;
use crate::tables::{
    Artifacts, BatchMembers, BatchOutputs, Batches, Calls, Edges, Epochs, Intents, Lease, NodeStates, Nodes,
    Operations, Registry, Releases, Resumptions, RoutingEvents, Rows, Runs, SinkStates, Staged,
    StateContexts, TokenOutcomes, TokenParents, Tokens, TransformErrors, ValidationErrors,
};
use crate::{conservation, counters};

/// Writes one run at a time into an SQLite database. Made by [`crate::SqliteLandscape`].
///
/// `stage`, `commit` and `seal` work on the thread that polls them: what they do is the record's critical path, and
/// handing every statement to another thread costs as much as the statement.
pub struct SqliteWriter {
    /// Before the connection, so that its threads are done before that is closed.
    run: Option<OpenRun>,
    connection: Connection,
    /// After the connection, so that the last user has closed it.
    place: Arc<Place>,
    location: String,
    patience: Duration,
    synchronous: Synchronous,
    presence: Presence,
    signer: Option<Arc<SecretKey>>,
    /// While a run is open whose epochs are committed without waiting for the disk.
    log: Option<Log>,
    /// Whether the last commit has to be waited for.
    waits: bool,
}

/// The run that is being written.
struct OpenRun {
    lease: Lease,
    inserts: Inserts,
    stage: Stage,
    /// Epochs of which only the decisions are durable, each with the row after its last one.
    decided: VecDeque<(EpochNo, i64)>,
    background: Option<BackgroundCount>,
    folding: Option<BackgroundFold>,
    /// The numbers that showed that conservation holds; until more becomes of tokens.
    census: Option<Census>,
}

/// What the open transaction holds.
enum Stage {
    /// There is no transaction.
    Empty,
    /// Commit A of an epoch; and whether the hot records of commit B of the one before are there too.
    Staged(Staged, Option<EpochNo>),
    /// Nothing, since an epoch could not be committed; it has to be rolled back before anything else.
    Lost,
}

/// What a commit adds to what is staged.
struct Closing<'a> {
    acted: Option<&'a ActedEpoch>,
    hashes: &'a EpochHashes,
    now: Micros,
}

/// The connection, and who signs the registry that is written through it.
struct Ledger<'a> {
    connection: &'a Connection,
    signer: Option<&'a SecretKey>,
}

impl Ledger<'_> {
    fn registry(&self) -> Registry<'_> {
        Registry { db: self.connection.into(), signer: self.signer }
    }
}

impl SqliteWriter {
    pub(crate) fn new(
        connection: Connection,
        place: Arc<Place>,
        location: String,
        (patience, synchronous): (Duration, Synchronous),
    ) -> Self {
        let presence = Presence::of(place.path());
        Self {
            run: None,
            connection,
            place,
            location,
            patience,
            synchronous,
            presence,
            signer: None,
            log: None,
            waits: false,
        }
    }

    /// The same, signing the heads of the registry.
    pub(crate) fn signing(mut self, signer: Option<Arc<SecretKey>>) -> Self {
        self.signer = signer;
        self
    }

    /// Path of the database, for messages.
    #[must_use]
    pub fn location(&self) -> &str {
        &self.location
    }

    /// Closes the database; whatever is staged is thrown away. The last one to close a database folds its
    /// write-ahead log into the file.
    ///
    /// # Errors
    /// [`LandscapeError::Store`] when the database cannot be closed properly.
    pub async fn close(mut self) -> Result<(), LandscapeError> {
        self.run = None;
        let what = || format!("closing audit database {}", self.location);
        self.connection.close().map_err(|(_, error)| write_error(what(), &error))
    }

    fn failed(&self, what: &str, error: impl Into<WriteFailed>) -> LandscapeError {
        let error = error.into();
        if let (WriteFailed::Database(DbError::Sqlite(rusqlite::Error::StatementChangedRows(0))), Some(run)) =
            (&error, &self.run)
            && let Ok(Some(owner)) = Runs::owner((&self.connection).into(), run.lease.run_no)
        {
            return LandscapeError::LeaseLost { owner };
        }
        error.told(|| format!("{what} in audit database {}", self.location))
    }

    fn out_of_order(&self, what: &str) -> LandscapeError {
        LandscapeError::Store {
            context: format!("audit database {}", self.location),
            message: what.to_owned(),
            retryable: false,
        }
    }

    /// Lets epochs be committed without waiting for the disk.
    fn relieve(&mut self) -> Result<(), LandscapeError> {
        let relieved = Log::relieve(&self.connection, self.place.path());
        self.log = relieved.map_err(|error| self.failed("preparing the run", error))?;
        Ok(())
    }

    /// Fails when the file is gone into which the record goes: nobody would ever find what is committed then.
    fn check_presence(&self) -> Result<(), LandscapeError> {
        if self.presence.lasts(self.place.path()) {
            return Ok(());
        }
        Err(self.out_of_order(
            "its file was deleted, moved or replaced while the run was writing to it; put it back, or start a new run where it is lost",
        ))
    }

    /// The run, when nothing of it is staged; `refusal` says what else would have to come first.
    fn resting_run(&self, refusal: &str) -> Result<i64, LandscapeError> {
        let run = self.open_run()?;
        match run.stage {
            Stage::Empty => Ok(run.lease.run_no),
            Stage::Staged(..) | Stage::Lost => Err(self.out_of_order(refusal)),
        }
    }

    fn ledger(&self) -> Ledger<'_> {
        Ledger { connection: &self.connection, signer: self.signer.as_deref() }
    }

    fn open_run(&self) -> Result<&OpenRun, LandscapeError> {
        self.run.as_ref().ok_or_else(|| self.out_of_order("no run was begun on this writer"))
    }

    /// The counters that are kept with the run: from the numbers that showed that conservation holds, else counted now.
    fn summary(&self, run_no: i64) -> Result<String, LandscapeError> {
        let failed =
            |error: DbError| error.told(format!("counting the records of a run in {}", self.location));
        if let Some(census) = self.run.as_ref().and_then(|run| run.census.as_ref()) {
            let summary = counters::summary_of((&self.connection).into(), run_no, census);
            return summary.map_err(failed);
        }
        let counted = counters::summary_now((&self.connection).into(), run_no);
        let unknown = || self.out_of_order("an outcome of the run is none that this program knows");
        counted.map_err(failed)?.ok_or_else(unknown)
    }

    /// Copies the write-ahead log into the database and empties it, so that the file alone is the whole record.
    ///
    /// A failure is none of the run's: everything is durable in the log, whoever opens the database next tries again,
    /// and a reader that is busy with the log is not waited for.
    fn fold_log(&self) {
        let _ = self.connection.busy_timeout(Duration::ZERO);
        let fold = || self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
        let _ = around(Act::FoldLog, fold);
        let _ = self.connection.busy_timeout(self.patience);
    }
}

/// Why a run could not be taken up.
fn refusal(run_id: RunId, standing: Option<(String, bool)>) -> LandscapeError {
    match standing {
        Some((_, true)) => LandscapeError::Completed { run_id },
        Some((owner, false)) => LandscapeError::Owned { run_id, owner },
        None => LandscapeError::NoSuchRun(format!("run {run_id} is not in this database")),
    }
}

/// Does `work` in one durable transaction.
fn transaction<T>(
    connection: &Connection,
    act: Act,
    work: impl FnOnce() -> Result<T, WriteFailed>,
) -> Result<T, WriteFailed> {
    execute(connection, "BEGIN IMMEDIATE")?;
    let done = work().and_then(|result| Ok(make_durable(connection, act).map(|()| result)?));
    if done.is_err() {
        abandon(connection)?;
    }
    done
}

/// Commits the open transaction; nothing else in this writer does.
fn make_durable(connection: &Connection, act: Act) -> rusqlite::Result<()> {
    around(act, || execute(connection, "COMMIT"))
}

/// Ends the open transaction, if the failure that came before has not ended it already.
fn abandon(connection: &Connection) -> rusqlite::Result<()> {
    if connection.is_autocommit() { Ok(()) } else { execute(connection, "ROLLBACK") }
}

fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute(()).map(|_| ())
}

impl OpenRun {
    /// Registers run, nodes and edges.
    fn register(ledger: &Ledger<'_>, start: &RunStart) -> Result<Self, WriteFailed> {
        let connection = ledger.connection;
        ledger.registry().admit(start.started_at)?;
        Runs::insert(start).execute(connection)?;
        let mut run = Self::of(Lease { run_no: connection.last_insert_rowid(), owner: start.owner.clone() });
        run.inserts.all(connection, Nodes, &start.nodes)?;
        run.inserts.all(connection, Edges, &start.edges)?;
        ledger.registry().append(Some(run.lease.run_no), Entry::begun(start))?;
        Ok(run)
    }

    /// `None` when the run is not as it was seen.
    fn take_up(ledger: &Ledger<'_>, up: &TakeUp) -> Result<Option<Self>, WriteFailed> {
        let connection = ledger.connection;
        let Some(run_no) = Runs::take_up(connection.into(), up)? else { return Ok(None) };
        Resumptions::insert(connection.into(), run_no, up)?;
        let mut run = Self::of(Lease { run_no, owner: up.owner.clone() });
        run.decided = Epochs::open(connection.into(), run_no)?.into();
        ledger.registry().admit(up.now)?;
        ledger.registry().append(Some(run_no), Entry::taken_up(up))?;
        Ok(Some(run))
    }

    /// Ends the run.
    fn seal(
        &self,
        ledger: &Ledger<'_>,
        (seal, summary): (&RunSeal, &str),
        entry: &Entry,
    ) -> Result<(), WriteFailed> {
        Runs::seal(&self.lease, seal, summary).change_one(ledger.connection)?;
        ledger.registry().append(Some(self.lease.run_no), entry.clone())
    }

    fn of(lease: Lease) -> Self {
        Self {
            inserts: Inserts::new(lease.run_no),
            lease,
            stage: Stage::Empty,
            decided: VecDeque::new(),
            background: None,
            folding: None,
            census: None,
        }
    }

    fn stage(&mut self, connection: &Connection, decided: &DecidedEpoch) -> rusqlite::Result<()> {
        execute(connection, "BEGIN IMMEDIATE")?;
        let inserted = around(Act::Stage, || {
            self.fence(connection).and_then(|()| self.insert_decided(connection, decided))
        });
        match inserted {
            Ok(()) => {
                self.stage = Stage::Staged(Staged::of(decided), None);
                Ok(())
            }
            Err(error) => {
                abandon(connection)?;
                Err(error)
            }
        }
    }

    /// Fails when the run is another process's meanwhile. Whoever has the lock and the lease then has both until the end of
    /// the transaction.
    fn fence(&self, connection: &Connection) -> rusqlite::Result<()> {
        match Runs::holds(connection.into(), &self.lease) {
            Ok(true) => Ok(()),
            Ok(false) => Err(rusqlite::Error::StatementChangedRows(0)),
            Err(DbError::Sqlite(error)) => Err(error),
            Err(DbError::Postgres(_)) => unreachable!("SQLite was asked"),
        }
    }

    /// Commit A, without the epoch's own record.
    fn insert_decided(&mut self, connection: &Connection, decided: &DecidedEpoch) -> rusqlite::Result<()> {
        let inserts = &mut self.inserts;
        inserts.all(connection, Rows, &decided.rows)?;
        inserts.all(connection, Tokens, &decided.tokens)?;
        inserts.all(connection, TokenParents, &decided.token_parents)?;
        inserts.all(connection, NodeStates, &decided.states)?;
        inserts.all(connection, StateContexts, &decided.contexts)?;
        inserts.all(connection, RoutingEvents, &decided.routing)?;
        inserts.all(connection, Calls, &decided.calls)?;
        inserts.all(connection, ValidationErrors, &decided.validation_errors)?;
        inserts.all(connection, TransformErrors, &decided.transform_errors)?;
        inserts.all(connection, Batches, &decided.batches)?;
        inserts.all(connection, BatchMembers, &decided.batch_members)?;
        inserts.all(connection, BatchOutputs, &decided.batch_outputs)?;
        inserts.all(connection, Releases, &decided.releases)?;
        let mut others = Group::default();
        let run_no = self.lease.run_no;
        Operations::insert(&mut others, run_no, &decided.operations);
        Intents::insert(&mut others, run_no, decided.epoch, &decided.intents);
        Epochs::bodies(&mut others, run_no, decided.epoch, &decided.bodies);
        others.execute(connection)
    }

    /// After a failure nothing of what was staged is there any more.
    fn commit(&mut self, ledger: &Ledger<'_>, closing: &Closing<'_>) -> Result<(), WriteFailed> {
        let connection = ledger.connection;
        let (staged, written) = match std::mem::replace(&mut self.stage, Stage::Empty) {
            Stage::Staged(staged, written) => (staged, written),
            Stage::Empty | Stage::Lost => {
                return transaction(connection, Act::CommitB, || {
                    self.fence(connection)?;
                    self.insert_alone(ledger, closing)
                });
            }
        };
        let act = if closing.acted.is_some() { Act::CommitAb } else { Act::CommitA };
        let acted = closing.acted.filter(|acted| written != Some(acted.epoch));
        let done = acted
            .map_or(Ok(()), |acted| Ok(self.insert_acted(connection, acted)?))
            .and_then(|()| self.insert_closing(ledger, Some(&staged), closing))
            .and_then(|()| Ok(make_durable(connection, act)?));
        match done {
            Ok(()) => self.decided.extend(staged.end().map(|end| (staged.epoch, end))),
            Err(_) => self.lose(connection),
        }
        done
    }

    /// Commit B, when no epoch is staged.
    fn insert_alone(&mut self, ledger: &Ledger<'_>, closing: &Closing<'_>) -> Result<(), WriteFailed> {
        closing.acted.map_or(Ok(()), |acted| self.insert_acted(ledger.connection, acted))?;
        self.insert_closing(ledger, None, closing)
    }

    /// Writes what commit B has for every token into the transaction of a staged epoch.
    fn stage_acted(&mut self, connection: &Connection, acted: &ActedEpoch) -> rusqlite::Result<()> {
        let (staged, written) = match std::mem::replace(&mut self.stage, Stage::Empty) {
            Stage::Staged(staged, None) => (staged, acted.epoch),
            other => {
                self.stage = other;
                return Ok(());
            }
        };
        let done = around(Act::StageActed, || self.insert_acted(connection, acted));
        match done {
            Ok(()) => self.stage = Stage::Staged(staged, Some(written)),
            Err(_) => self.lose(connection),
        }
        done
    }

    /// Gives the transaction up. A savepoint before commit B would keep commit A, but SQLite copies each page then that commit B
    /// changes, for a run that ends here anyway.
    fn lose(&mut self, connection: &Connection) {
        // Where that fails too, the transaction is gone already, or goes with the connection.
        let _ = abandon(connection);
        self.stage = Stage::Lost;
    }

    /// What follows from a commit: rows whose end is durable can be counted, and what was counted at the end is no more.
    fn committed(&mut self, acted: Option<&ActedEpoch>, (path, synchronous): (&Path, Synchronous)) {
        BackgroundFold::committed(&mut self.folding, path, synchronous);
        if let Some(acted) = acted {
            self.census.take_if(|_| !acted.outcomes.is_empty());
            while let Some((_, end)) = self.decided.front().filter(|(epoch, _)| *epoch <= acted.epoch) {
                BackgroundCount::rows_done(&mut self.background, *end, || {
                    (path.to_owned(), self.lease.run_no)
                });
                self.decided.pop_front();
            }
        }
        self.census.take_if(|_| !self.decided.is_empty());
    }

    /// Commit B of the epoch before: what it has for every token.
    fn insert_acted(&mut self, connection: &Connection, acted: &ActedEpoch) -> rusqlite::Result<()> {
        let inserts = &mut self.inserts;
        inserts.all(connection, SinkStates, &acted.sink_states)?;
        inserts.all(connection, TransformErrors, &acted.transform_errors)?;
        inserts.all(connection, RoutingEvents, &acted.routing)?;
        inserts.all(connection, TokenOutcomes, &acted.outcomes)
    }

    /// The rest of commit B, and commit A's own record.
    fn insert_closing(
        &self,
        ledger: &Ledger<'_>,
        staged: Option<&Staged>,
        Closing { acted, hashes, now }: &Closing<'_>,
    ) -> Result<(), WriteFailed> {
        let run_no = self.lease.run_no;
        let mut others = Group::default();
        if let Some(acted) = acted {
            Operations::insert(&mut others, run_no, &acted.operations);
            Artifacts::insert(&mut others, run_no, &acted.artifacts);
            Epochs::sink_positions(&mut others, run_no, acted.epoch, &acted.sinks);
            Intents::delete(&mut others, run_no, acted.epoch);
            Epochs::acted(&mut others, run_no, (acted, hashes), *now);
        }
        match (staged, acted) {
            (Some(staged), _) => Epochs::decided(&mut others, run_no, staged, hashes, *now),
            (None, Some(_)) => Epochs::advance_checkpoint(&mut others, run_no, hashes),
            (None, None) => {}
        }
        others.execute(ledger.connection)?;
        Runs::heartbeat(&self.lease, *now).change_one(ledger.connection)?;
        match &hashes.head {
            Some(head) => ledger.registry().append(Some(run_no), Entry::Head(head.clone())),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl LandscapeWriter for SqliteWriter {
    async fn begin_run(&mut self, start: &RunStart) -> Result<(), LandscapeError> {
        if self.run.is_some() {
            return Err(self.out_of_order("a run is open on this writer already"));
        }
        let ledger = self.ledger();
        let run = transaction(&self.connection, Act::BeginRun, || OpenRun::register(&ledger, start));
        self.run = Some(run.map_err(|error| self.failed("registering the run", error))?);
        self.relieve()
    }

    async fn take_up(&mut self, up: &TakeUp) -> Result<(), LandscapeError> {
        if self.run.is_some() {
            return Err(self.out_of_order("a run is open on this writer already"));
        }
        let connection = &self.connection;
        let failed = |error: WriteFailed| self.failed("taking up the run", error);
        let taken = transaction(connection, Act::TakeUp, || OpenRun::take_up(&self.ledger(), up));
        match taken.map_err(failed)? {
            Some(run) => {
                self.run = Some(run);
                self.relieve()
            }
            None => {
                let standing = Runs::standing(connection.into(), up.run_id);
                Err(refusal(up.run_id, standing.map_err(|error| failed(error.into()))?))
            }
        }
    }

    async fn stage(&mut self, decided: &DecidedEpoch) -> Result<(), LandscapeError> {
        self.resting_run("an epoch is staged already")?;
        let run = self.run.as_mut().expect("a resting run is an open one");
        let staged = run.stage(&self.connection, decided);
        staged.map_err(|error| self.failed(&format!("staging epoch {}", decided.epoch.0), error))
    }

    async fn stage_acted(&mut self, acted: &ActedEpoch) -> Result<(), LandscapeError> {
        self.open_run()?;
        let run = self.run.as_mut().expect("it was just looked at");
        let staged = run.stage_acted(&self.connection, acted);
        staged.map_err(|error| self.failed("writing what sinks did", error))
    }

    async fn commit(
        &mut self,
        acted: Option<&ActedEpoch>,
        hashes: &EpochHashes,
        now: Micros,
    ) -> Result<(), LandscapeError> {
        if let Stage::Lost = self.open_run()?.stage {
            return Err(self.out_of_order("the epoch before could not be committed; roll it back"));
        }
        self.check_presence()?;
        let run = self.run.as_mut().expect("it was just looked at");
        let ledger = Ledger { connection: &self.connection, signer: self.signer.as_deref() };
        let committed = run.commit(&ledger, &Closing { acted, hashes, now });
        match committed {
            Ok(()) => run.committed(acted, (self.place.path(), self.synchronous)),
            Err(error) => return Err(self.failed("committing an epoch", error)),
        }
        self.waits = true;
        Ok(())
    }

    fn durability(&mut self) -> Durability {
        let log = self.log.as_ref().filter(|_| std::mem::take(&mut self.waits));
        log.map(Log::durability).unwrap_or_default()
    }

    async fn rollback(&mut self) -> Result<(), LandscapeError> {
        let Some(run) = &mut self.run else { return Ok(()) };
        match std::mem::replace(&mut run.stage, Stage::Empty) {
            Stage::Empty => Ok(()),
            Stage::Staged(..) | Stage::Lost => {
                let done = abandon(&self.connection);
                done.map_err(|error| self.failed("rolling back an epoch", error))
            }
        }
    }

    async fn heartbeat(&mut self, now: Micros) -> Result<(), LandscapeError> {
        let run = self.open_run()?;
        match run.stage {
            Stage::Empty => Runs::heartbeat(&run.lease, now)
                .change_one(&self.connection)
                .map_err(|error| self.failed("showing a sign of life", error)),
            Stage::Staged(..) | Stage::Lost => Ok(()),
        }
    }

    async fn seal(&mut self, seal: &RunSeal, entry: &Entry) -> Result<(), LandscapeError> {
        let run_no = self.resting_run("an epoch is staged; commit it or roll it back before sealing")?;
        self.check_presence()?;
        let summary = self.summary(run_no)?;
        if let Some(log) = self.log.take() {
            log.burden(&self.connection).map_err(|error| self.failed("sealing the run", error))?;
        }
        let (ledger, run) = (self.ledger(), self.open_run()?);
        let sealed = transaction(&self.connection, Act::Seal, || run.seal(&ledger, (seal, &summary), entry));
        sealed.map_err(|error| self.failed("sealing the run", error))?;
        // Only a run that does not end well is still counted. Nobody else has the log in hand when it is folded, or closes the
        // database last.
        if let Some(OpenRun { background, folding, .. }) = self.run.take() {
            background.and_then(BackgroundCount::finish);
            drop(folding);
        }
        self.fold_log();
        Ok(())
    }

    async fn conservation(&mut self) -> Result<Vec<ConservationBreach>, LandscapeError> {
        let run_no = self.resting_run("an epoch is staged; commit it or roll it back before checking")?;
        self.check_presence()?;
        let run = self.run.as_mut().expect("a resting run is an open one");
        let counted = run.background.take().and_then(BackgroundCount::finish).unwrap_or_default();
        let (census, breaches) = conservation::check(&self.connection, run_no, counted)?;
        run.census = breaches.is_empty().then_some(census);
        Ok(breaches)
    }
}
