//! The one connection that writes a run into PostgreSQL.

use std::sync::Arc;

use async_trait::async_trait;
use elspeth_contracts::{EpochNo, Micros, RunId};
use elspeth_faults::{Act, around};
use elspeth_landscape::integrity::EpochHashes;
use elspeth_landscape::registry::Entry;
use elspeth_landscape::{
    ActedEpoch, ConservationBreach, DecidedEpoch, LandscapeError, LandscapeWriter, RunSeal, RunStart, TakeUp,
};
use elspeth_proof::SecretKey;

use super::copy::{Copies, Copy};
use super::{Address, Session};
use crate::db::{Bind, Db, DbError};
use crate::error::WriteFailed;
use crate::insert::{Group, Statement};
use crate::tables::{
    Artifacts, BatchMembers, BatchOutputs, Batches, Calls, Edges, Epochs, Intents, Lease, NodeStates, Nodes,
    Operations, Registry, Releases, Resumptions, RoutingEvents, Rows, Runs, SinkStates, Staged,
    StateContexts, TokenOutcomes, TokenParents, Tokens, TransformErrors, ValidationErrors,
};
use crate::{conservation, counters};

/// Writes one run at a time into a PostgreSQL database. Made by [`crate::Landscape`].
pub(crate) struct PostgresWriter {
    session: Session,
    location: String,
    run: Option<OpenRun>,
    signer: Option<Arc<SecretKey>>,
}

/// The run that is being written.
struct OpenRun {
    lease: Lease,
    copies: Copies,
    stage: Stage,
}

/// What the open transaction holds.
enum Stage {
    /// There is no transaction.
    Empty,
    /// Commit A of an epoch; and whether the hot records of commit B of the one before are there too.
    Staged(Staged, Option<EpochNo>),
    /// The database threw an epoch's commit A away when its commit failed.
    Lost,
}

/// What a commit adds to what is staged.
struct Closing<'a> {
    acted: Option<&'a ActedEpoch>,
    hashes: &'a EpochHashes,
    now: Micros,
}

/// Why a commit came to nothing.
enum Refused {
    /// Another process has the run.
    Lost,
    Failed(WriteFailed),
}

impl<E: Into<WriteFailed>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

type Done<T = ()> = Result<T, Refused>;

impl PostgresWriter {
    pub(crate) fn open(address: Address, signer: Option<Arc<SecretKey>>) -> Result<Self, LandscapeError> {
        let session = address.writer()?;
        Ok(Self { session, location: address.location().to_owned(), run: None, signer })
    }

    fn db(&self) -> Db<'_> {
        Db::Postgres(&self.session)
    }

    fn registry(&self) -> Registry<'_> {
        Registry { db: self.db(), signer: self.signer.as_deref() }
    }

    fn failed(&self, what: &str, refused: Refused) -> LandscapeError {
        let error = match refused {
            Refused::Lost => {
                let run_no = self.run.as_ref().map_or(0, |run| run.lease.run_no);
                match Runs::owner(self.db(), run_no) {
                    Ok(owner) => return LandscapeError::LeaseLost { owner: owner.unwrap_or_default() },
                    Err(error) => error.into(),
                }
            }
            Refused::Failed(error) => error,
        };
        error.told(|| format!("{what} in audit database {}", self.location))
    }

    fn out_of_order(&self, what: &str) -> LandscapeError {
        LandscapeError::Store {
            context: format!("audit database {}", self.location),
            message: what.to_owned(),
            retryable: false,
        }
    }

    fn open_run(&self) -> Result<&OpenRun, LandscapeError> {
        self.run.as_ref().ok_or_else(|| self.out_of_order("no run was begun on this writer"))
    }

    /// The run, when nothing of it is staged; `refusal` says what else would have to come first.
    fn resting_run(&self, refusal: &str) -> Result<i64, LandscapeError> {
        let run = self.open_run()?;
        match run.stage {
            Stage::Empty => Ok(run.lease.run_no),
            Stage::Staged(..) | Stage::Lost => Err(self.out_of_order(refusal)),
        }
    }

    fn no_run_yet(&self) -> Result<(), LandscapeError> {
        match self.run {
            Some(_) => Err(self.out_of_order("a run is open on this writer already")),
            None => Ok(()),
        }
    }

    /// Does something to the open run, and tells what went wrong.
    fn with_run<T>(
        &mut self,
        what: &str,
        work: impl FnOnce(&mut OpenRun, &Registry<'_>) -> Done<T>,
    ) -> Result<T, LandscapeError> {
        let mut run = self.run.take().ok_or_else(|| self.out_of_order("no run was begun on this writer"))?;
        let done = work(&mut run, &self.registry());
        self.run = Some(run);
        done.map_err(|refused| self.failed(what, refused))
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
fn transaction<T>(db: Db<'_>, act: Act, work: impl FnOnce() -> Done<T>) -> Done<T> {
    db.begin()?;
    let done = work().and_then(|result| Ok(around(act, || db.commit()).map(|()| result)?));
    if done.is_err() {
        db.abandon()?;
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
fn change_run(db: Db<'_>, statement: Statement) -> Done {
    match change(db, statement)? {
        0 => Err(Refused::Lost),
        _ => Ok(()),
    }
}

fn execute(db: Db<'_>, group: Group) -> Result<(), DbError> {
    group.statements().try_for_each(|statement| change(db, statement).map(|_| ()))
}

/// Sends records, table after table.
fn send(db: Db<'_>, copies: impl IntoIterator<Item = Option<Copy>>) -> Result<(), DbError> {
    let Db::Postgres(session) = db else { unreachable!("this is the writer of PostgreSQL") };
    let copies: Vec<Copy> = copies.into_iter().flatten().collect();
    let sent = session.ask(move |worker| {
        copies.into_iter().try_for_each(|Copy { sql, records }| worker.copy(&sql, records))
    });
    Ok(sent?)
}

impl OpenRun {
    /// Registers run, nodes and edges.
    fn register(registry: &Registry<'_>, start: &RunStart) -> Done<Self> {
        let db = registry.db;
        registry.admit(start.started_at)?;
        let (sql, values) = Runs::insert(start).parts();
        let values: Vec<&dyn Bind> = values.iter().map(|value| value as &dyn Bind).collect();
        let run_no = db.inserted(sql, &values, "run_no")?;
        let mut run = Self::of(Lease { run_no, owner: start.owner.clone() });
        send(db, [run.copies.of(Nodes, &start.nodes), run.copies.of(Edges, &start.edges)])?;
        registry.append(Some(run_no), Entry::begun(start))?;
        Ok(run)
    }

    /// `None` when the run is not as it was seen.
    fn take_up(registry: &Registry<'_>, up: &TakeUp) -> Done<Option<Self>> {
        let Some(run_no) = Runs::take_up(registry.db, up)? else { return Ok(None) };
        Resumptions::insert(registry.db, run_no, up)?;
        registry.admit(up.now)?;
        registry.append(Some(run_no), Entry::taken_up(up))?;
        Ok(Some(Self::of(Lease { run_no, owner: up.owner.clone() })))
    }

    fn of(lease: Lease) -> Self {
        Self { copies: Copies::new(lease.run_no), lease, stage: Stage::Empty }
    }

    fn stage(&mut self, db: Db<'_>, decided: &DecidedEpoch) -> Done {
        db.begin()?;
        match around(Act::Stage, || self.fence(db).and_then(|()| self.insert_decided(db, decided))) {
            Ok(()) => {
                self.stage = Stage::Staged(Staged::of(decided), None);
                Ok(())
            }
            Err(refused) => {
                db.abandon()?;
                Err(refused)
            }
        }
    }

    /// Fails when the run is another process's meanwhile. Whoever has the lease and the lock on the run's record has both
    /// until the end of the transaction.
    fn fence(&self, db: Db<'_>) -> Done {
        const HELD: &str = "SELECT run_no FROM runs WHERE run_no = ? AND owner = ? FOR NO KEY UPDATE";
        let held = db.number(HELD, &[&self.lease.run_no, &self.lease.owner])?;
        held.map(|_| ()).ok_or(Refused::Lost)
    }

    /// Commit A, without the epoch's own record. It ends at a savepoint, to which a failed commit goes back.
    fn insert_decided(&mut self, db: Db<'_>, decided: &DecidedEpoch) -> Done {
        let copies = &mut self.copies;
        send(
            db,
            [
                copies.of(Rows, &decided.rows),
                copies.of(Tokens, &decided.tokens),
                copies.of(TokenParents, &decided.token_parents),
                copies.of(NodeStates, &decided.states),
                copies.of(StateContexts, &decided.contexts),
                copies.of(RoutingEvents, &decided.routing),
                copies.of(Calls, &decided.calls),
                copies.of(ValidationErrors, &decided.validation_errors),
                copies.of(TransformErrors, &decided.transform_errors),
                copies.of(Batches, &decided.batches),
                copies.of(BatchMembers, &decided.batch_members),
                copies.of(BatchOutputs, &decided.batch_outputs),
                copies.of(Releases, &decided.releases),
            ],
        )?;
        let mut others = Group::default();
        let run_no = self.lease.run_no;
        Operations::insert(&mut others, run_no, &decided.operations);
        Intents::insert(&mut others, run_no, decided.epoch, &decided.intents);
        Epochs::bodies(&mut others, run_no, decided.epoch, &decided.bodies);
        execute(db, others)?;
        Ok(db.batch("SAVEPOINT decided")?)
    }

    /// After a failure, what was staged is still staged and can be committed again, unless the database lost it.
    fn commit(&mut self, registry: &Registry<'_>, closing: &Closing<'_>) -> Done {
        let db = registry.db;
        let (staged, written) = match std::mem::replace(&mut self.stage, Stage::Empty) {
            Stage::Staged(staged, written) => (staged, written),
            Stage::Empty | Stage::Lost => {
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
        if done.is_err() {
            self.unstage_acted(db, staged);
        }
        done
    }

    /// Writes what commit B has for every token into the transaction of a staged epoch.
    fn stage_acted(&mut self, db: Db<'_>, acted: &ActedEpoch) -> Done {
        let (staged, written) = match std::mem::replace(&mut self.stage, Stage::Empty) {
            Stage::Staged(staged, None) => (staged, acted.epoch),
            other => {
                self.stage = other;
                return Ok(());
            }
        };
        let done = around(Act::StageActed, || self.insert_acted(db, acted));
        match done {
            Ok(()) => self.stage = Stage::Staged(staged, Some(written)),
            Err(_) => self.unstage_acted(db, staged),
        }
        done
    }

    /// Goes back to where only commit A was staged.
    fn unstage_acted(&mut self, db: Db<'_>, staged: Staged) {
        let kept = db.batch("ROLLBACK TO decided").is_ok();
        self.stage = if kept { Stage::Staged(staged, None) } else { Stage::Lost };
    }

    /// Commit B of the epoch before: what it has for every token.
    fn insert_acted(&mut self, db: Db<'_>, acted: &ActedEpoch) -> Done {
        let copies = &mut self.copies;
        let records = [
            copies.of(SinkStates, &acted.sink_states),
            copies.of(TransformErrors, &acted.transform_errors),
            copies.of(RoutingEvents, &acted.routing),
            copies.of(TokenOutcomes, &acted.outcomes),
        ];
        Ok(send(db, records)?)
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
            (None, Some(acted)) => Epochs::advance_checkpoint(&mut others, run_no, acted.epoch, hashes),
            (None, None) => {}
        }
        execute(registry.db, others)?;
        change_run(registry.db, Runs::heartbeat(&self.lease, *now))?;
        match &hashes.head {
            Some(head) => Ok(registry.append(Some(run_no), Entry::Head(head.clone()))?),
            None => Ok(()),
        }
    }

    /// The counters that are kept with a run.
    fn summary(&self, db: Db<'_>) -> Done<String> {
        let unknown = || LandscapeError::Store {
            context: "counting the records of a run".to_owned(),
            message: "an outcome of it is none that this program knows".to_owned(),
            retryable: false,
        };
        Ok(counters::summary_now(db, self.lease.run_no)?.ok_or_else(unknown)?)
    }
}

#[async_trait]
impl LandscapeWriter for PostgresWriter {
    async fn begin_run(&mut self, start: &RunStart) -> Result<(), LandscapeError> {
        self.no_run_yet()?;
        let registry = self.registry();
        let run = transaction(self.db(), Act::BeginRun, || OpenRun::register(&registry, start));
        self.run = Some(run.map_err(|refused| self.failed("registering the run", refused))?);
        Ok(())
    }

    async fn take_up(&mut self, up: &TakeUp) -> Result<(), LandscapeError> {
        self.no_run_yet()?;
        let failed = |refused| self.failed("taking up the run", refused);
        let registry = self.registry();
        let taken = transaction(self.db(), Act::TakeUp, || OpenRun::take_up(&registry, up));
        match taken.map_err(failed)? {
            Some(run) => {
                self.run = Some(run);
                Ok(())
            }
            None => {
                let standing = Runs::standing(self.db(), up.run_id);
                Err(refusal(up.run_id, standing.map_err(|error| failed(error.into()))?))
            }
        }
    }

    async fn stage(&mut self, decided: &DecidedEpoch) -> Result<(), LandscapeError> {
        self.resting_run("an epoch is staged already")?;
        let what = format!("staging epoch {}", decided.epoch.0);
        self.with_run(&what, |run, registry| run.stage(registry.db, decided))
    }

    async fn stage_acted(&mut self, acted: &ActedEpoch) -> Result<(), LandscapeError> {
        self.with_run("writing what sinks did", |run, registry| run.stage_acted(registry.db, acted))
    }

    async fn commit(
        &mut self,
        acted: Option<&ActedEpoch>,
        hashes: &EpochHashes,
        now: Micros,
    ) -> Result<(), LandscapeError> {
        if let Stage::Lost = self.open_run()?.stage {
            return Err(self.out_of_order("the staged epoch was lost when its commit failed; roll it back"));
        }
        let closing = Closing { acted, hashes, now };
        self.with_run("committing an epoch", |run, registry| run.commit(registry, &closing))
    }

    async fn rollback(&mut self) -> Result<(), LandscapeError> {
        let Some(run) = &mut self.run else { return Ok(()) };
        match std::mem::replace(&mut run.stage, Stage::Empty) {
            Stage::Empty => Ok(()),
            Stage::Staged(..) | Stage::Lost => {
                self.db().abandon().map_err(|error| self.failed("rolling back an epoch", error.into()))
            }
        }
    }

    async fn heartbeat(&mut self, now: Micros) -> Result<(), LandscapeError> {
        match self.open_run()?.stage {
            Stage::Empty => self.with_run("showing a sign of life", |run, registry| {
                change_run(registry.db, Runs::heartbeat(&run.lease, now))
            }),
            Stage::Staged(..) | Stage::Lost => Ok(()),
        }
    }

    async fn seal(&mut self, seal: &RunSeal, entry: &Entry) -> Result<(), LandscapeError> {
        self.resting_run("an epoch is staged; commit it or roll it back before sealing")?;
        self.with_run("sealing the run", |run, registry| {
            transaction(registry.db, Act::Seal, || {
                run.fence(registry.db)?;
                let summary = run.summary(registry.db)?;
                change_run(registry.db, Runs::seal(&run.lease, seal, &summary))?;
                Ok(registry.append(Some(run.lease.run_no), entry.clone())?)
            })
        })?;
        self.run = None;
        Ok(())
    }

    async fn conservation(&mut self) -> Result<Vec<ConservationBreach>, LandscapeError> {
        let run_no = self.resting_run("an epoch is staged; commit it or roll it back before checking")?;
        conservation::check_each(self.db(), run_no)
    }
}
