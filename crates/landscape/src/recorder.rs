use elspeth_canonical::{ContentHash, HashVersion};
use elspeth_contracts::{EdgeRecord, EpochNo, ErrorReason, FailureKind, Micros, NodeRecord, RunStatus};

use crate::integrity::{ActedDigest, DecidedDigest, RecorderState, Registered, TreesAhead};
use crate::{
    ActedEpoch, Checkpoint, ConservationBreach, Corruption, DecidedEpoch, LandscapeError, LandscapeWriter,
    RunRecord, RunSeal, RunStart, TakeUp,
};

/// Drives a [`LandscapeWriter`] through one run: begin, epochs, seal; and closes every commit with its hashes.
///
/// After a commit that failed, the recorder is where it was before: the epoch is still staged, and can be committed again
/// or rolled back.
pub struct Recorder {
    writer: Box<dyn LandscapeWriter>,
    version: HashVersion,
    topology_hash: ContentHash,
    state: RecorderState,
    staged: Option<DecidedDigest>,
    /// Conservation was checked, and nothing about tokens was committed since.
    checked: bool,
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
        Ok(Self {
            writer,
            version: start.hash_version,
            topology_hash: start.topology_hash,
            state: RecorderState::new(&Registered::of_start(start)),
            staged: None,
            checked: false,
        })
    }

    /// Takes up a run at a commit: `state` is that commit's [`crate::integrity::EpochHashes::state`].
    ///
    /// # Errors
    /// [`LandscapeError::Corrupt`] when no commit stores such a state.
    pub fn continue_from(
        writer: Box<dyn LandscapeWriter>,
        (version, topology_hash): (HashVersion, ContentHash),
        state: &str,
    ) -> Result<Self, LandscapeError> {
        let state = RecorderState::from_stored(version, state).ok_or_else(|| Corruption {
            table: "epochs",
            id: "the last one".to_owned(),
            what: "its integrity state cannot be read".to_owned(),
        })?;
        Ok(Self { writer, version, topology_hash, state, staged: None, checked: false })
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
        let known = (run.hash_version, run.topology_hash);
        match checkpoint {
            Some(checkpoint) => Self::continue_from(writer, known, &checkpoint.hash_state),
            None => Ok(Self {
                writer,
                version: run.hash_version,
                topology_hash: run.topology_hash,
                state: RecorderState::new(&Registered::of_record(run, graph)),
                staged: None,
                checked: false,
            }),
        }
    }

    /// Writes an epoch's decisions; not durable before [`Recorder::commit`].
    ///
    /// # Errors
    /// [`LandscapeError`] of the store; [`LandscapeError::Corrupt`] when the epoch is not what it must be.
    pub async fn stage(&mut self, decided: &DecidedEpoch) -> Result<(), LandscapeError> {
        self.stage_hashed(decided, DecidedDigest::of(self.version, decided)).await
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

    /// Writes what was done with the epoch before to the staged one, while another thread makes its digest.
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

    /// Makes the staged decisions durable, together with what was done with the epoch before.
    ///
    /// # Errors
    /// [`LandscapeError`] of the store; [`LandscapeError::Corrupt`] when `acted` tells of tokens without outcome.
    pub async fn commit(&mut self, acted: Option<&ActedEpoch>, now: Micros) -> Result<(), LandscapeError> {
        let digest = acted.map(|acted| ActedDigest::of(self.version, acted)).transpose()?;
        self.commit_hashed(acted.zip(digest.as_ref()), now).await
    }

    /// The same, with the digest that another thread made of `acted` meanwhile.
    ///
    /// # Errors
    /// [`LandscapeError`] of the store; [`LandscapeError::Corrupt`] when the digest is of another epoch.
    pub async fn commit_hashed(
        &mut self,
        acted: Option<(&ActedEpoch, &ActedDigest)>,
        now: Micros,
    ) -> Result<(), LandscapeError> {
        if let Some((acted, digest)) = acted {
            check_digest(acted.epoch, digest.epoch())?;
        }
        let next = self.state.after(acted, self.staged.as_ref(), now);
        let acted = acted.map(|(acted, _)| acted);
        self.writer.commit(acted, &next.hashes(), now).await?;
        self.state = next;
        self.checked &= self.staged.is_none() && acted.is_none_or(|acted| acted.outcomes.is_empty());
        self.staged = None;
        Ok(())
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

    /// Shows that the owner lives, while nothing is committed.
    ///
    /// # Errors
    /// [`LandscapeError`] of the store.
    pub async fn heartbeat(&mut self, now: Micros) -> Result<(), LandscapeError> {
        self.writer.heartbeat(now).await
    }

    /// The trees as they are after the last commit, for whoever hashes the next epochs ahead of theirs.
    #[must_use]
    pub fn trees(&self) -> TreesAhead {
        self.state.trees()
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
        let content_root = self.state.content_root(self.topology_hash, &seal);
        seal.content_root = Some(content_root);
        seal.record_root = Some(self.state.record_root(&seal, content_root));
        self.writer.seal(&seal).await?;
        breach.map_or(Ok(seal), |breach| Err(breach.into()))
    }
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
