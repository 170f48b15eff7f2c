use elspeth_contracts::Micros;

use crate::{ActedEpoch, DecidedEpoch, LandscapeError, LandscapeWriter, RunSeal, RunStart};

/// Drives a [`LandscapeWriter`] through one run: begin, epochs, seal.
pub struct Recorder {
    writer: Box<dyn LandscapeWriter>,
}

impl Recorder {
    /// Registers the run.
    ///
    /// # Errors
    /// [`LandscapeError`] of the store.
    pub async fn begin(mut writer: Box<dyn LandscapeWriter>, start: &RunStart) -> Result<Self, LandscapeError> {
        writer.begin_run(start).await?;
        Ok(Self { writer })
    }

    /// Writes an epoch's decisions; not durable before [`Recorder::commit`].
    ///
    /// # Errors
    /// [`LandscapeError`] of the store.
    pub async fn stage(&mut self, decided: &DecidedEpoch) -> Result<(), LandscapeError> {
        self.writer.stage(decided).await
    }

    /// Makes the staged decisions durable, together with what was done with the epoch before.
    ///
    /// # Errors
    /// [`LandscapeError`] of the store.
    pub async fn commit(&mut self, _acted: Option<&ActedEpoch>, _now: Micros) -> Result<(), LandscapeError> {
        todo!()
    }

    /// Throws away a staged epoch.
    ///
    /// # Errors
    /// [`LandscapeError`] of the store.
    pub async fn rollback(&mut self) -> Result<(), LandscapeError> {
        self.writer.rollback().await
    }

    /// Ends the run; when it is to be completed, checks conservation first and fails it on a breach.
    ///
    /// # Errors
    /// [`LandscapeError::Corrupt`] on a breach (the run is sealed as failed), or the store's.
    pub async fn seal(self, _seal: RunSeal) -> Result<RunSeal, LandscapeError> {
        todo!()
    }
}
