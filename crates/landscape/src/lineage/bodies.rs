use std::sync::Arc;

use elspeth_canonical::{ContentHash, HashVersion};
use elspeth_contracts::{EpochNo, RunId};
use elspeth_payload::{Block, BodyKey, FilesystemStore, PayloadError};

use crate::shown::hash_of_body;
use crate::{Corruption, LandscapeError, LandscapeReader, RunRecord, Shown};

/// The bodies of one epoch, as far as they are still there.
#[derive(Debug)]
pub(crate) struct Bodies<'a> {
    run_id: RunId,
    version: HashVersion,
    epoch: Option<EpochNo>,
    block: Option<Block>,
    store: Option<&'a FilesystemStore>,
}

impl<'a> Bodies<'a> {
    pub(crate) async fn load(
        reader: &dyn LandscapeReader,
        run: &RunRecord,
        epoch: Option<EpochNo>,
        store: Option<&'a FilesystemStore>,
    ) -> Result<Self, LandscapeError> {
        let bytes = match epoch {
            Some(epoch) => reader.bodies(run.run_no, epoch).await?,
            None => None,
        };
        let mut bodies = Self { run_id: run.run_id, version: run.hash_version, epoch, block: None, store };
        bodies.block =
            bytes.map(|bytes| Block::read(&bytes)).transpose().map_err(|error| bodies.failed(error))?;
        Ok(bodies)
    }

    /// Bodies that were read from somewhere else.
    #[cfg(test)]
    pub(crate) fn of(run_id: RunId, version: HashVersion, block: Option<Block>) -> Self {
        Self { run_id, version, epoch: None, block, store: None }
    }

    pub(crate) const fn epoch(&self) -> Option<EpochNo> {
        self.epoch
    }

    /// The body of `key`, which must have the hash that was recorded.
    pub(crate) fn shown(&self, key: BodyKey, recorded: ContentHash) -> Result<Shown, LandscapeError> {
        let Some(block) = &self.block else { return Ok(Shown::Purged) };
        let Some(body) = block.body(key, self.store).map_err(|error| self.failed(error))? else {
            return Ok(Shown::Purged);
        };
        let found = hash_of_body(self.version, &body);
        if found == Ok(recorded) {
            return Ok(Shown::Body(Arc::new(body)));
        }
        let found =
            found.map_or_else(|error| format!("no hash ({error})"), |hash| format!("the hash {hash}"));
        Err(LandscapeError::Corrupt(Corruption {
            table: "bodies",
            id: format!("of token {} after step {}", self.run_id.token_id(key.token), key.step.get()),
            what: format!("it has {found}, but {recorded} is recorded"),
        }))
    }

    fn failed(&self, error: PayloadError) -> LandscapeError {
        let epoch = self.epoch.map_or_else(|| "?".to_owned(), |epoch| epoch.0.to_string());
        match error {
            PayloadError::Damaged(_) | PayloadError::Mismatch { .. } | PayloadError::TooDeep { .. } => {
                let what = error.to_string();
                Corruption { table: "bodies", id: format!("of epoch {epoch}"), what }.into()
            }
            PayloadError::Io { .. } => LandscapeError::Store {
                context: format!("reading the bodies of epoch {epoch}"),
                message: error.to_string(),
                retryable: false,
            },
        }
    }
}
