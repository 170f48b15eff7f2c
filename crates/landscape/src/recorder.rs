use std::num::NonZeroU64;

use elspeth_canonical::{ContentHash, HashVersion};
use elspeth_contracts::{
    EdgeRecord, EpochNo, ErrorReason, FailureKind, Micros, NodeRecord, RunId, RunStatus,
};

use crate::integrity::{ActedDigest, DecidedDigest, EpochHashes, RecorderState, Registered, TreesAhead};
use crate::registry::{Entry, RunHead, Sealed};
use crate::{
    ActedEpoch, Checkpoint, ConservationBreach, Corruption, DecidedEpoch, Durability, LandscapeError,
    LandscapeWriter, RunRecord, RunSeal, RunStart, TakeUp,
};

/// Drives a [`LandscapeWriter`] through one run: begin, epochs, seal; and closes every commit with its hashes.
///
/// After a commit that failed, the recorder is where it was before: the epoch is still staged, and can be committed again
/// or rolled back.
pub struct Recorder {
    writer: Box<dyn LandscapeWriter>,
    run: Identity,
    state: RecorderState,
    staged: Option<DecidedDigest>,
    /// After how many epochs the registry hears how far the run is.
    heads_every: Option<NonZeroU64>,
    /// Conservation was checked, and nothing about tokens was committed since.
    checked: bool,
}

/// What never changes about a run and is entered in the registry when it is sealed.
#[derive(Debug, Clone, Copy)]
struct Identity {
    run_id: RunId,
    started_at: Micros,
    config_hash: ContentHash,
    hash_version: HashVersion,
    topology_hash: ContentHash,
}

impl Recorder {
    /// Registers the run.
    ///
    /// # Errors
    /// [`LandscapeError`] of the store.
    pub async fn begin(
        mut writer: Box<dyn LandscapeWriter>,
        start: &RunStart,
    ) -> Result<Self, LandscapeError> {
        writer.begin_run(start).await?;
        let run = Identity {
            run_id: start.run_id,
            started_at: start.started_at,
            config_hash: start.config_hash,
            hash_version: start.hash_version,
            topology_hash: start.topology_hash,
        };
        Ok(Self::at(writer, run, RecorderState::new(&Registered::of_start(start))))
    }

    const fn at(writer: Box<dyn LandscapeWriter>, run: Identity, state: RecorderState) -> Self {
        Self { writer, run, state, staged: None, heads_every: None, checked: false }
    }

    /// Enters in the registry after every so many epochs how far the run is, so that its head can be signed on the way.
    #[must_use]
    pub fn with_heads_every(self, epochs: Option<NonZeroU64>) -> Self {
        Self { heads_every: epochs, ..self }
    }

    /// Takes a run over from an owner that is gone, at its last commit. `graph` are the run's registered nodes and edges,
    /// `checkpoint` is that of its [`crate::ResumePoint`].
    ///
    /// The point may be read before or after the run is seen; where the owner commits between, the run is not as it was
    /// seen and is not taken up.
    ///
    /// # Errors
    /// [`LandscapeError::Owned`] when somebody else was faster, [`LandscapeError::Completed`],
    /// [`LandscapeError::Corrupt`] when the checkpoint is none, or the store's.
    pub async fn take_up(
        mut writer: Box<dyn LandscapeWriter>,
        up: &TakeUp,
        run: &RunRecord,
        graph: (&[NodeRecord], &[EdgeRecord]),
        checkpoint: Option<&Checkpoint>,
    ) -> Result<Self, LandscapeError> {
        writer.take_up(up).await?;
        let state = match checkpoint {
            Some(checkpoint) => state_of(run.hash_version, checkpoint)?,
            None => RecorderState::new(&Registered::of_record(run, graph)),
        };
        let run = Identity {
            run_id: run.run_id,
            started_at: run.started_at,
            config_hash: run.config_hash,
            hash_version: run.hash_version,
            topology_hash: run.topology_hash,
        };
        Ok(Self::at(writer, run, state))
    }

    /// Writes an epoch's decisions; not durable before [`Recorder::commit`].
    ///
    /// # Errors
    /// [`LandscapeError`] of the store; [`LandscapeError::Corrupt`] when the epoch is not what it must be.
    pub async fn stage(&mut self, decided: &DecidedEpoch) -> Result<(), LandscapeError> {
        self.stage_hashed(decided, DecidedDigest::of(self.run.hash_version, decided)).await
    }

    /// The same, with the digest that another thread made of `decided` meanwhile.
    ///
    /// # Errors
    /// As [`Recorder::stage`].
    pub async fn stage_hashed(
        &mut self,
        decided: &DecidedEpoch,
        digest: DecidedDigest,
    ) -> Result<(), LandscapeError> {
        self.check_stageable(decided)?;
        check_digest(decided.epoch, digest.epoch())?;
        self.writer.stage(decided).await?;
        self.staged = Some(digest);
        Ok(())
    }

    fn check_stageable(&self, decided: &DecidedEpoch) -> Result<(), Corruption> {
        let what = if self.staged.is_some() {
            "it was given before the epoch before it was committed"
        } else if decided.rows.len() != decided.row_leaves.len() {
            "it has another number of content leaves than of rows"
        } else if decided.releases.len() != decided.release_leaves.len() {
            "it has another number of content leaves than of releases"
        } else {
            return Ok(());
        };
        Err(Corruption { table: "epochs", id: decided.epoch.0.to_string(), what: what.to_owned() })
    }

    /// Writes what was done with an epoch before to the staged one, while another thread makes its digest.
    /// [`Recorder::commit_hashed`] has to come next, with the same `acted`; or [`Recorder::rollback`].
    ///
    /// # Errors
    /// [`LandscapeError`] of the store.
    pub async fn stage_acted(&mut self, acted: &ActedEpoch) -> Result<(), LandscapeError> {
        match self.staged {
            Some(_) => self.writer.stage_acted(acted).await,
            None => Ok(()),
        }
    }

    /// Makes the staged decisions durable, together with what was done with an epoch before.
    ///
    /// # Errors
    /// [`LandscapeError`] of the store; [`LandscapeError::Corrupt`] when `acted` tells of tokens without outcome.
    pub async fn commit(&mut self, acted: Option<&ActedEpoch>, now: Micros) -> Result<(), LandscapeError> {
        let digest = acted.map(|acted| ActedDigest::of(self.run.hash_version, acted)).transpose()?;
        self.commit_hashed(acted.zip(digest.as_ref()), now).await?.wait()
    }

    /// The same, with the digest that another thread made of `acted` meanwhile. What was staged is durable when what is given
    /// back says so; the recorder can go on before.
    ///
    /// # Errors
    /// [`LandscapeError`] of the store; [`LandscapeError::Corrupt`] when the digest is of another epoch.
    pub async fn commit_hashed(
        &mut self,
        acted: Option<(&ActedEpoch, &ActedDigest)>,
        now: Micros,
    ) -> Result<Durability, LandscapeError> {
        if let Some((acted, digest)) = acted {
            check_digest(acted.epoch, digest.epoch())?;
        }
        let next = self.state.after(acted, self.staged.as_ref(), now);
        let hashes = EpochHashes {
            head: self.head(&next),
            staged: self.staged.as_ref().map(DecidedDigest::continuing),
            positions: acted.map(|(_, digest)| digest.positions().to_vec()).unwrap_or_default(),
            ..next.hashes()
        };
        let acted = acted.map(|(acted, _)| acted);
        self.writer.commit(acted, &hashes, now).await?;
        self.state = next;
        self.checked &= self.staged.is_none() && acted.is_none_or(|acted| acted.outcomes.is_empty());
        self.staged = None;
        Ok(self.writer.durability())
    }

    /// What the registry hears of the commit after which the state is `next`.
    fn head(&self, next: &RecorderState) -> Option<RunHead> {
        let (epoch, every) = (self.staged.as_ref()?.epoch(), self.heads_every?);
        let [decisions, releases, acts] = next.trees().heads();
        let (chain, acted_chain) = next.chains();
        (epoch.0 + 1).is_multiple_of(every.get()).then_some(RunHead {
            run: self.run.run_id,
            epoch: epoch.0,
            chain,
            acted_chain,
            decisions,
            releases,
            acts,
            signed_by: None,
        })
    }

    /// Throws away a staged epoch.
    ///
    /// # Errors
    /// [`LandscapeError`] of the store.
    pub async fn rollback(&mut self) -> Result<(), LandscapeError> {
        self.writer.rollback().await?;
        self.staged = None;
        Ok(())
    }

    /// Shows that the owner lives, while nothing is committed. Where the database is locked or its server away, that is left to the
    /// next time: nothing is lost by it, and who is silent for less than a minute keeps the run.
    ///
    /// # Errors
    /// [`LandscapeError`] of the store, for good.
    pub async fn heartbeat(&mut self, now: Micros) -> Result<(), LandscapeError> {
        match self.writer.heartbeat(now).await {
            Err(LandscapeError::Store { retryable: true, .. }) => Ok(()),
            shown => shown,
        }
    }

    /// The trees as they are after the last commit, for whoever hashes the next epochs ahead of theirs.
    #[must_use]
    pub fn trees(&self) -> TreesAhead {
        self.state.trees()
    }

    /// Rows of an epoch that suit the store.
    #[must_use]
    pub fn epoch_rows(&self) -> usize {
        self.writer.epoch_rows()
    }

    /// How many records of every kind were committed.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.state.records()
    }

    /// Checks the rules of conservation, so that nothing is published of a run that breaks one.
    ///
    /// # Errors
    /// [`LandscapeError::Corrupt`] on a breach, or the store's.
    pub async fn check_conservation(&mut self) -> Result<(), LandscapeError> {
        let breach = self.writer.conservation().await?.into_iter().next();
        self.checked = breach.is_none();
        breach.map_or(Ok(()), |breach| Err(corruption(breach).into()))
    }

    /// Ends the run; when it is to be completed, checks conservation first (unless that was done) and fails it on a
    /// breach. Gives back the seal as it was recorded, with both roots.
    ///
    /// # Errors
    /// [`LandscapeError::Corrupt`] on a breach (the run is sealed as failed), or the store's.
    pub async fn seal(mut self, mut seal: RunSeal) -> Result<RunSeal, LandscapeError> {
        if self.staged.is_some() {
            self.rollback().await?;
        }
        let breach = match seal.status {
            RunStatus::Completed if !self.checked => {
                self.writer.conservation().await?.into_iter().next().map(corruption)
            }
            RunStatus::Completed | RunStatus::Running | RunStatus::Failed | RunStatus::Interrupted => None,
        };
        if let Some(breach) = &breach {
            seal.status = RunStatus::Failed;
            seal.error = Some(ErrorReason::new(FailureKind::Internal, breach.to_string()));
        }
        let content_root = self.state.content_root(self.run.topology_hash, &seal);
        seal.content_root = Some(content_root);
        let record_root = self.state.record_root(&seal, content_root);
        seal.record_root = Some(record_root);
        self.writer.seal(&seal, &self.sealed(&seal, (content_root, record_root))).await?;
        breach.map_or(Ok(seal), |breach| Err(breach.into()))
    }
}

impl Recorder {
    /// What is entered in the registry about the end.
    fn sealed(&self, seal: &RunSeal, (content_root, record_root): (ContentHash, ContentHash)) -> Entry {
        let Identity { run_id, started_at, config_hash, hash_version, topology_hash } = self.run;
        let [decisions, ..] = self.state.trees().heads();
        Entry::Sealed(Sealed {
            run: run_id,
            hash_version,
            config_hash,
            topology_hash,
            status: seal.status,
            started_at,
            completed_at: seal.completed_at,
            rows: decisions.size,
            records: self.state.records(),
            content_root,
            record_root,
            signed_by: None,
        })
    }
}

fn state_of(version: HashVersion, checkpoint: &Checkpoint) -> Result<RecorderState, Corruption> {
    RecorderState::from_stored(version, &checkpoint.hash_state).ok_or_else(|| Corruption {
        table: "epochs",
        id: "the last one".to_owned(),
        what: "its integrity state cannot be read".to_owned(),
    })
}

fn check_digest(of: EpochNo, digest: EpochNo) -> Result<(), Corruption> {
    if of == digest {
        return Ok(());
    }
    let what = format!("it was given with the digest of epoch {}", digest.0);
    Err(Corruption { table: "epochs", id: of.0.to_string(), what })
}

fn corruption(breach: ConservationBreach) -> Corruption {
    let more = breach.count.saturating_sub(breach.ids.len() as u64);
    let mut id = breach.ids.join(", ");
    if more > 0 {
        id.push_str(&format!(" and {more} more"));
    }
    Corruption { table: "conservation", id, what: breach.rule.to_owned() }
}
