//! The run that a connection to PostgreSQL writes.

use std::sync::Arc;

use elspeth_contracts::{EpochNo, Micros, RunId};
use elspeth_faults::{Act, around};
use elspeth_landscape::integrity::EpochHashes;
use elspeth_landscape::registry::Entry;
use elspeth_landscape::{ActedEpoch, DecidedEpoch, LandscapeError, RunSeal, RunStart, TakeUp};
use rusqlite::types::Value;

use super::Session;
use super::copy::{Copies, Copy, Sending};
use crate::census::Census;
use crate::counters;
use crate::db::{Bind, Db, DbError};
use crate::error::WriteFailed;
use crate::insert::{Group, Statement};
use crate::tables::{
    Artifacts, BatchMembers, BatchOutputs, Batches, Calls, Edges, Epochs, Intents, Lease, NodeStates, Nodes,
    Operations, Registry, Releases, Resumptions, RoutingEvents, Rows, Runs, SinkStates, Staged,
    StateContexts, TokenOutcomes, TokenParents, Tokens, TransformErrors, ValidationErrors,
};

/// The run that is being written.
pub(super) struct OpenRun {
    pub(super) lease: Lease,
    copies: Copies,
    pub(super) stage: Stage,
    /// Rows that were decided by this process.
    pub(super) rows: usize,
    /// The numbers that showed that conservation holds; they are those of the record until something is added to it.
    pub(super) census: Option<Census>,
    /// What the staged epoch was made of, for the case that the connection is lost before its commit.
    replay: Replay,
}

/// What commit A of an epoch sends.
#[derive(Default)]
struct Replay {
    copies: Vec<Arc<Copy>>,
    statements: Statements,
}

/// Which time something is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    First,
    /// After the connection was lost: nobody knows whether what was tried came to be.
    Again,
}

/// What the open transaction holds.
pub(super) enum Stage {
    /// There is no transaction.
    Empty,
    /// Commit A of an epoch; and whether the hot records of commit B of the one before are there too.
    Staged(Staged, Option<EpochNo>),
    /// The connection was lost, and the epoch's transaction with it. It can be done again.
    Broken(Staged),
    /// Nothing, since an epoch could not be committed; it has to be rolled back before anything else.
    Lost,
}

/// What a commit adds to what is staged.
pub(super) struct Closing<'a> {
    pub(super) acted: Option<&'a ActedEpoch>,
    pub(super) hashes: &'a EpochHashes,
    pub(super) now: Micros,
}

/// Why a commit came to nothing.
pub(super) enum Refused {
    /// Another process has the run.
    Lost,
    Failed(WriteFailed),
}

impl<E: Into<WriteFailed>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

pub(super) type Done<T = ()> = Result<T, Refused>;

impl Refused {
    /// Whether there is no connection any more.
    pub(super) fn is_by_loss(&self) -> bool {
        match self {
            Self::Lost | Self::Failed(WriteFailed::Record(_)) => false,
            Self::Failed(WriteFailed::Database(error)) => error.is_loss(),
        }
    }
}

/// Does `work` in one durable transaction.
pub(super) fn transaction<T>(db: Db<'_>, act: Act, work: impl FnOnce() -> Done<T>) -> Done<T> {
    db.begin()?;
    let done = work().and_then(|result| Ok(around(act, || db.commit()).map(|()| result)?));
    if done.is_err() {
        // Where that fails too there is no connection, and with it no transaction.
        let _ = db.abandon();
    }
    done
}

/// Executes a statement of fixed text, and says how many records it changed.
fn change(db: Db<'_>, statement: Statement) -> Result<usize, DbError> {
    let (sql, values) = statement.parts();
    let values: Vec<&dyn Bind> = values.iter().map(|value| value as &dyn Bind).collect();
    db.execute(sql, &values)
}

/// The same of the run's own record, which is another process's where nothing changes.
pub(super) fn change_run(db: Db<'_>, statement: Statement) -> Done {
    match change(db, statement)? {
        0 => Err(Refused::Lost),
        _ => Ok(()),
    }
}

type Statements = Vec<(&'static str, Vec<Value>)>;

/// Executes statements, and says how many records the last one changed.
fn execute(db: Db<'_>, statements: &Statements) -> Result<u64, DbError> {
    let statements: Vec<(&str, &[Value])> =
        statements.iter().map(|(sql, values)| (*sql, values.as_slice())).collect();
    Ok(session(db).execute_all(&statements)?)
}

fn session(db: Db<'_>) -> &Session {
    let Db::Postgres(session) = db else { unreachable!("this is the writer of PostgreSQL") };
    session
}

impl Replay {
    fn perform(&self, db: Db<'_>) -> Done {
        let mut sending = Sending::to(session(db));
        sending.add(self.copies.iter().cloned())?;
        sending.finish()?;
        self.conclude(db)
    }

    /// What comes after the copies.
    fn conclude(&self, db: Db<'_>) -> Done {
        execute(db, &self.statements)?;
        Ok(())
    }
}

impl OpenRun {
    /// Registers run, nodes and edges.
    pub(super) fn register(registry: &Registry<'_>, start: &RunStart) -> Done<Self> {
        let db = registry.db;
        registry.admit(start.started_at)?;
        let (sql, values) = Runs::insert(start).parts();
        let values: Vec<&dyn Bind> = values.iter().map(|value| value as &dyn Bind).collect();
        let run_no = db.inserted(sql, &values, "run_no")?;
        let mut run = Self::of(Lease { run_no, owner: start.owner.clone() });
        let mut sending = Sending::to(session(db));
        sending.add(run.copies.of(Nodes, &start.nodes))?;
        sending.add(run.copies.of(Edges, &start.edges))?;
        sending.finish()?;
        registry.append(Some(run_no), Entry::begun(start))?;
        Ok(run)
    }

    /// `None` when the run is not as it was seen.
    pub(super) fn take_up(registry: &Registry<'_>, up: &TakeUp) -> Done<Option<Self>> {
        let Some(run_no) = Runs::take_up(registry.db, up)? else { return Ok(None) };
        Resumptions::insert(registry.db, run_no, up)?;
        registry.admit(up.now)?;
        registry.append(Some(run_no), Entry::taken_up(up))?;
        Ok(Some(Self::of(Lease { run_no, owner: up.owner.clone() })))
    }

    pub(super) fn of(lease: Lease) -> Self {
        Self {
            copies: Copies::new(lease.run_no),
            lease,
            stage: Stage::Empty,
            rows: 0,
            census: None,
            replay: Replay::default(),
        }
    }

    pub(super) fn stage(&mut self, db: Db<'_>, decided: &DecidedEpoch) -> Done {
        self.census = None;
        Self::in_transaction(db, || {
            self.fence(db)?;
            self.replay = self.send_decided(db, decided)?;
            self.replay.conclude(db)
        })?;
        self.rows += decided.rows.len();
        self.stage = Stage::Staged(Staged::of(decided), None);
        Ok(())
    }

    /// Begins a transaction with commit A of an epoch, without the epoch's own record.
    fn in_transaction(db: Db<'_>, insert: impl FnOnce() -> Done) -> Done {
        db.begin()?;
        let inserted = around(Act::Stage, insert);
        if inserted.is_err() {
            // Where that fails too there is no connection, and with it no transaction.
            let _ = db.abandon();
        }
        inserted
    }

    /// Stages again what was staged when the connection was lost.
    fn mend(&mut self, db: Db<'_>) -> Done {
        match std::mem::replace(&mut self.stage, Stage::Empty) {
            Stage::Broken(staged) | Stage::Staged(staged, _) => {
                let mended =
                    Self::in_transaction(db, || self.fence(db).and_then(|()| self.replay.perform(db)));
                self.stage = if mended.is_ok() { Stage::Staged(staged, None) } else { Stage::Broken(staged) };
                mended
            }
            other => {
                self.stage = other;
                Ok(())
            }
        }
    }

    /// Fails when the run is another process's meanwhile. Whoever has the lease and the lock on the run's record has both
    /// until the end of the transaction.
    pub(super) fn fence(&self, db: Db<'_>) -> Done {
        const HELD: &str = "SELECT run_no FROM runs WHERE run_no = ? AND owner = ? FOR NO KEY UPDATE";
        let held = db.number(HELD, &[&self.lease.run_no, &self.lease.owner])?;
        held.map(|_| ()).ok_or(Refused::Lost)
    }

    /// Sends the records of commit A of an epoch; what else belongs to it is to be sent after them.
    fn send_decided(&mut self, db: Db<'_>, decided: &DecidedEpoch) -> Done<Replay> {
        let copies = &mut self.copies;
        let mut sending = Sending::to(session(db));
        sending.add(copies.of(Rows, &decided.rows))?;
        sending.add(copies.of(Tokens, &decided.tokens))?;
        sending.add(copies.of(TokenParents, &decided.token_parents))?;
        sending.add(copies.of(NodeStates, &decided.states))?;
        sending.add(copies.of(StateContexts, &decided.contexts))?;
        sending.add(copies.of(RoutingEvents, &decided.routing))?;
        sending.add(copies.of(Calls, &decided.calls))?;
        sending.add(copies.of(ValidationErrors, &decided.validation_errors))?;
        sending.add(copies.of(TransformErrors, &decided.transform_errors))?;
        sending.add(copies.of(Batches, &decided.batches))?;
        sending.add(copies.of(BatchMembers, &decided.batch_members))?;
        sending.add(copies.of(BatchOutputs, &decided.batch_outputs))?;
        sending.add(copies.of(Releases, &decided.releases))?;
        let mut others = Group::default();
        let run_no = self.lease.run_no;
        Operations::insert(&mut others, run_no, &decided.operations);
        Intents::insert(&mut others, run_no, decided.epoch, &decided.intents);
        Epochs::bodies(&mut others, run_no, decided.epoch, &decided.bodies);
        let statements = others.statements().map(Statement::parts).collect();
        Ok(Replay { copies: sending.finish()?, statements })
    }

    /// Whether the commit at that time, of which the connection did not say what became of it, came to be. Each commit
    /// leaves its time as a sign of life.
    fn was_committed(&self, db: Db<'_>, now: Micros) -> Result<bool, DbError> {
        const LEFT: &str = "SELECT run_no FROM runs WHERE run_no = ? AND owner = ? AND heartbeat_at = ?";
        Ok(db.number(LEFT, &[&self.lease.run_no, &self.lease.owner, &now.0])?.is_some())
    }

    /// After a failure nothing of what was staged is there any more, unless the connection was lost: then it can be done again.
    pub(super) fn commit(
        &mut self,
        registry: &Registry<'_>,
        closing: &Closing<'_>,
        attempt: Attempt,
    ) -> Done {
        let db = registry.db;
        // A publication adds nothing that is counted.
        if closing.acted.is_some_and(|acted| !acted.outcomes.is_empty() || !acted.sink_states.is_empty()) {
            self.census = None;
        }
        if attempt == Attempt::Again {
            if self.was_committed(db, closing.now)? {
                self.stage = Stage::Empty;
                return Ok(());
            }
            self.mend(db)?;
        }
        let (staged, written) = match std::mem::replace(&mut self.stage, Stage::Empty) {
            Stage::Staged(staged, written) => (staged, written),
            Stage::Empty | Stage::Broken(_) | Stage::Lost => {
                return transaction(db, Act::CommitB, || {
                    self.fence(db)?;
                    closing.acted.map_or(Ok(()), |acted| self.insert_acted(db, acted))?;
                    self.insert_closing(registry, None, closing)
                });
            }
        };
        let act = if closing.acted.is_some() { Act::CommitAb } else { Act::CommitA };
        let acted = closing.acted.filter(|acted| written != Some(acted.epoch));
        let done = acted
            .map_or(Ok(()), |acted| self.insert_acted(db, acted))
            .and_then(|()| self.insert_closing(registry, Some(&staged), closing))
            .and_then(|()| Ok(around(act, || db.commit())?));
        match &done {
            Ok(()) => self.replay = Replay::default(),
            Err(refused) => self.lose(db, staged, refused),
        }
        done
    }

    /// Writes what commit B has for every token into the transaction of a staged epoch.
    pub(super) fn stage_acted(&mut self, db: Db<'_>, acted: &ActedEpoch, attempt: Attempt) -> Done {
        if attempt == Attempt::Again {
            self.mend(db)?;
        }
        let (staged, written) = match std::mem::replace(&mut self.stage, Stage::Empty) {
            Stage::Staged(staged, None) => (staged, acted.epoch),
            other => {
                self.stage = other;
                return Ok(());
            }
        };
        let done = around(Act::StageActed, || self.insert_acted(db, acted));
        match &done {
            Ok(()) => self.stage = Stage::Staged(staged, Some(written)),
            Err(refused) => self.lose(db, staged, refused),
        }
        done
    }

    /// Gives the transaction up.
    fn lose(&mut self, db: Db<'_>, staged: Staged, refused: &Refused) {
        self.stage = if refused.is_by_loss() {
            Stage::Broken(staged)
        } else {
            // Where that fails too there is no connection, and with it no transaction.
            let _ = db.abandon();
            Stage::Lost
        };
    }

    /// Commit B of the epoch before: what it has for every token.
    fn insert_acted(&mut self, db: Db<'_>, acted: &ActedEpoch) -> Done {
        let copies = &mut self.copies;
        let mut sending = Sending::to(session(db));
        sending.add(copies.of(SinkStates, &acted.sink_states))?;
        sending.add(copies.of(TransformErrors, &acted.transform_errors))?;
        sending.add(copies.of(RoutingEvents, &acted.routing))?;
        sending.add(copies.of(TokenOutcomes, &acted.outcomes))?;
        sending.finish()?;
        Ok(())
    }

    /// The rest of commit B, and commit A's own record.
    fn insert_closing(
        &self,
        registry: &Registry<'_>,
        staged: Option<&Staged>,
        Closing { acted, hashes, now }: &Closing<'_>,
    ) -> Done {
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
        let mut others: Statements = others.statements().map(Statement::parts).collect();
        others.push(Runs::heartbeat(&self.lease, *now).parts());
        if execute(registry.db, &others)? == 0 {
            return Err(Refused::Lost);
        }
        match &hashes.head {
            Some(head) => Ok(registry.append(Some(run_no), Entry::Head(head.clone()))?),
            None => Ok(()),
        }
    }

    /// Ends the run.
    pub(super) fn seal(
        &self,
        registry: &Registry<'_>,
        (seal, entry): (&RunSeal, &Entry),
        attempt: Attempt,
    ) -> Done {
        const SEALED: &str =
            "SELECT run_no FROM runs WHERE run_no = ? AND owner = ? AND completed_at = ? AND status = ?";
        let db = registry.db;
        if attempt == Attempt::Again {
            let status = seal.status.code();
            let values: [&dyn Bind; 4] =
                [&self.lease.run_no, &self.lease.owner, &seal.completed_at.0, &status];
            if db.number(SEALED, &values)?.is_some() {
                return Ok(());
            }
        }
        transaction(db, Act::Seal, || {
            self.fence(db)?;
            let summary = self.summary(db)?;
            change_run(db, Runs::seal(&self.lease, seal, &summary))?;
            Ok(registry.append(Some(self.lease.run_no), entry.clone())?)
        })
    }

    /// The run that was begun or taken up by that owner, if it came to be.
    pub(super) fn of_owner(db: Db<'_>, run_id: RunId, owner: &str) -> Done<Option<Self>> {
        const HELD: &str = "SELECT run_no FROM runs WHERE run_id = ? AND owner = ?";
        let run_no = db.number(HELD, &[&run_id.to_string(), &owner])?;
        Ok(run_no.map(|run_no| Self::of(Lease { run_no, owner: owner.to_owned() })))
    }

    /// The counters that are kept with a run.
    fn summary(&self, db: Db<'_>) -> Done<String> {
        if let Some(census) = &self.census {
            return Ok(counters::summary_of(db, self.lease.run_no, census)?);
        }
        let unknown = || LandscapeError::Store {
            context: "counting the records of a run".to_owned(),
            message: "an outcome of it is none that this program knows".to_owned(),
            retryable: false,
        };
        Ok(counters::summary_now(db, self.lease.run_no)?.ok_or_else(unknown)?)
    }
}
