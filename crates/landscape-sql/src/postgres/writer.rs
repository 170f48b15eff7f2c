//! The one connection that writes a run into PostgreSQL.

use std::sync::Arc;

use async_trait::async_trait;
use backon::BackoffBuilder as _;
use elspeth_contracts::{Micros, RunId};
use elspeth_faults::Act;
use elspeth_landscape::integrity::EpochHashes;
use elspeth_landscape::registry::Entry;
use elspeth_landscape::{
    ActedEpoch, ConservationBreach, DecidedEpoch, LandscapeError, LandscapeWriter, RunSeal, RunStart, TakeUp,
    absence,
};
use elspeth_proof::SecretKey;

use super::run::{Attempt, Closing, Done, OpenRun, Refused, Stage, change_run, transaction};
use super::{Address, Session};
use crate::conservation;
use crate::db::Db;
use crate::tables::{Registry, Runs};

/// The server takes a record of a statement with thousands of them for half of what it takes for one of hundreds.
const EPOCH_ROWS: usize = 8_192;

/// Rows of a run that are checked faster by two connections, by more than it takes to make the second.
const WORTH_ANOTHER: usize = 20_000;

/// Writes one run at a time into a PostgreSQL database. Made by [`crate::Landscape`].
pub(crate) struct PostgresWriter {
    address: Address,
    session: Session,
    location: String,
    run: Option<OpenRun>,
    signer: Option<Arc<SecretKey>>,
    /// Whether the server was waited for in vain: what is left to do is tried, but does not wait as long again.
    given_up: bool,
}

impl PostgresWriter {
    pub(crate) fn open(address: Address, signer: Option<Arc<SecretKey>>) -> Result<Self, LandscapeError> {
        let session = address.writer()?;
        let location = address.location().to_owned();
        Ok(Self { address, session, location, run: None, signer, given_up: false })
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
            Stage::Staged(..) | Stage::Broken(_) | Stage::Lost => Err(self.out_of_order(refusal)),
        }
    }

    fn no_run_yet(&self) -> Result<(), LandscapeError> {
        match self.run {
            Some(_) => Err(self.out_of_order("a run is open on this writer already")),
            None => Ok(()),
        }
    }

    /// Does something; when the connection is lost on the way, makes it anew and does it again. Whoever is asked again sees
    /// first whether it came to be.
    async fn persistently<T>(
        &mut self,
        mut work: impl FnMut(&mut Option<OpenRun>, &Registry<'_>, Attempt) -> Done<T>,
    ) -> Done<T> {
        let mut done = self.attempt(&mut work, Attempt::First);
        let waits = absence::WAITS.with_max_delay(absence::LONGEST_WAIT.min(self.address.patience * 2));
        let most = if self.given_up { 1 } else { usize::MAX };
        for wait in waits.build().take(most) {
            match &done {
                Err(refused) if refused.is_by_loss() => tokio::time::sleep(wait).await,
                _ => break,
            }
            match self.address.again() {
                Ok(session) => {
                    self.session = session;
                    done = self.attempt(&mut work, Attempt::Again);
                }
                Err(refused) => done = Err(refused),
            }
        }
        self.given_up = done.as_ref().is_err_and(Refused::is_by_loss);
        done
    }

    fn attempt<T>(
        &mut self,
        work: &mut impl FnMut(&mut Option<OpenRun>, &Registry<'_>, Attempt) -> Done<T>,
        attempt: Attempt,
    ) -> Done<T> {
        let mut run = self.run.take();
        let done = work(&mut run, &self.registry(), attempt);
        self.run = run;
        done
    }

    /// Does something to the open run, and tells what went wrong.
    async fn with_run<T>(
        &mut self,
        what: &str,
        mut work: impl FnMut(&mut OpenRun, &Registry<'_>, Attempt) -> Done<T>,
    ) -> Result<T, LandscapeError> {
        self.open_run()?;
        let work = |run: &mut Option<OpenRun>, registry: &Registry<'_>, attempt| {
            work(run.as_mut().expect("it was just looked at"), registry, attempt)
        };
        self.persistently(work).await.map_err(|refused| self.failed(what, refused))
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

#[async_trait]
impl LandscapeWriter for PostgresWriter {
    async fn begin_run(&mut self, start: &RunStart) -> Result<(), LandscapeError> {
        self.no_run_yet()?;
        let begun = self.persistently(|run, registry, attempt| {
            if attempt == Attempt::Again {
                *run = OpenRun::of_owner(registry.db, start.run_id, &start.owner)?;
            }
            if run.is_none() {
                *run = Some(transaction(registry.db, Act::BeginRun, || OpenRun::register(registry, start))?);
            }
            Ok(())
        });
        begun.await.map_err(|refused| self.failed("registering the run", refused))
    }

    async fn take_up(&mut self, up: &TakeUp) -> Result<(), LandscapeError> {
        self.no_run_yet()?;
        let taken = self.persistently(|run, registry, attempt| {
            if attempt == Attempt::Again {
                *run = OpenRun::of_owner(registry.db, up.run_id, &up.owner)?;
            }
            if run.is_none() {
                *run = transaction(registry.db, Act::TakeUp, || OpenRun::take_up(registry, up))?;
            }
            if run.is_some() { Ok(None) } else { Ok(Some(Runs::standing(registry.db, up.run_id)?)) }
        });
        let standing = taken.await.map_err(|refused| self.failed("taking up the run", refused))?;
        standing.map_or(Ok(()), |standing| Err(refusal(up.run_id, standing)))
    }

    async fn stage(&mut self, decided: &DecidedEpoch) -> Result<(), LandscapeError> {
        self.resting_run("an epoch is staged already")?;
        let what = format!("staging epoch {}", decided.epoch.0);
        self.with_run(&what, |run, registry, _| run.stage(registry.db, decided)).await
    }

    async fn stage_acted(&mut self, acted: &ActedEpoch) -> Result<(), LandscapeError> {
        let work = |run: &mut OpenRun, registry: &Registry<'_>, attempt| {
            run.stage_acted(registry.db, acted, attempt)
        };
        self.with_run("writing what sinks did", work).await
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
        let closing = Closing { acted, hashes, now };
        let work =
            |run: &mut OpenRun, registry: &Registry<'_>, attempt| run.commit(registry, &closing, attempt);
        self.with_run("committing an epoch", work).await
    }

    fn epoch_rows(&self) -> usize {
        EPOCH_ROWS
    }

    async fn rollback(&mut self) -> Result<(), LandscapeError> {
        let Some(run) = &mut self.run else { return Ok(()) };
        match std::mem::replace(&mut run.stage, Stage::Empty) {
            // A transaction ends with its connection.
            Stage::Empty | Stage::Broken(_) => Ok(()),
            Stage::Staged(..) | Stage::Lost => match self.db().abandon() {
                Err(error) if !error.is_loss() => Err(self.failed("rolling back an epoch", error.into())),
                Ok(()) | Err(_) => Ok(()),
            },
        }
    }

    async fn heartbeat(&mut self, now: Micros) -> Result<(), LandscapeError> {
        match self.open_run()?.stage {
            Stage::Empty => {
                let work = |run: &mut OpenRun, registry: &Registry<'_>, _| {
                    change_run(registry.db, Runs::heartbeat(&run.lease, now))
                };
                self.with_run("showing a sign of life", work).await
            }
            Stage::Staged(..) | Stage::Broken(_) | Stage::Lost => Ok(()),
        }
    }

    async fn seal(&mut self, seal: &RunSeal, entry: &Entry) -> Result<(), LandscapeError> {
        self.resting_run("an epoch is staged; commit it or roll it back before sealing")?;
        let work =
            |run: &mut OpenRun, registry: &Registry<'_>, attempt| run.seal(registry, (seal, entry), attempt);
        self.with_run("sealing the run", work).await?;
        self.run = None;
        Ok(())
    }

    async fn conservation(&mut self) -> Result<Vec<ConservationBreach>, LandscapeError> {
        let run_no = self.resting_run("an epoch is staged; commit it or roll it back before checking")?;
        // Without another connection it only takes longer.
        let beside = if self.open_run()?.rows < WORTH_ANOTHER { None } else { self.address.reader().ok() };
        let check = |run: &mut OpenRun, registry: &Registry<'_>, _| {
            let (census, breaches) = conservation::check_on_server(registry.db, beside.as_ref(), run_no)?;
            run.census = (breaches.is_empty() && census.is_exact()).then_some(census);
            Ok(breaches)
        };
        self.with_run("checking conservation", check).await
    }
}
