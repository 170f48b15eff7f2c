use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use elspeth_canonical::{ContentHash, HashVersion};
use elspeth_contracts::{EpochNo, RunId};
use elspeth_payload::{Block, Body, BodyKey, FilesystemStore, LargeBodies, PayloadError};

use crate::shown::hash_of_body;
use crate::{Corruption, LandscapeError, LandscapeReader, RunRecord, Shown};

/// The bodies of some epochs, as far as they are still there.
#[derive(Debug)]
pub(crate) struct Bodies<'a> {
    run_id: RunId,
    version: HashVersion,
    /// Those that were asked for.
    epochs: BTreeSet<EpochNo>,
    /// Those that were not purged.
    blocks: BTreeMap<EpochNo, Block>,
    store: Option<&'a FilesystemStore>,
}

impl<'a> Bodies<'a> {
    pub(crate) async fn load(
        reader: &dyn LandscapeReader,
        run: &RunRecord,
        epochs: BTreeSet<EpochNo>,
        store: Option<&'a FilesystemStore>,
    ) -> Result<Self, LandscapeError> {
        let (run_id, version, blocks) = (run.run_id, run.hash_version, BTreeMap::new());
        let mut bodies = Self { run_id, version, epochs, blocks, store };
        for epoch in bodies.epochs.clone() {
            if let Some(bytes) = reader.bodies(run.run_no, epoch).await? {
                let block = Block::read(&bytes).map_err(|error| bodies.failed(epoch, error))?;
                bodies.blocks.insert(epoch, block);
            }
        }
        Ok(bodies)
    }

    /// Bodies that were read from somewhere else.
    #[cfg(test)]
    pub(crate) fn of(run_id: RunId, version: HashVersion, blocks: BTreeMap<EpochNo, Block>) -> Self {
        Self { run_id, version, epochs: blocks.keys().copied().collect(), blocks, store: None }
    }

    /// Whether they are those of exactly these epochs.
    pub(crate) fn are_of(&self, epochs: &BTreeSet<EpochNo>) -> bool {
        self.epochs == *epochs
    }

    /// The body of `key` as it is shown; it must have the hash that was recorded.
    pub(crate) fn shown(
        &self,
        epoch: Option<EpochNo>,
        key: BodyKey,
        recorded: ContentHash,
    ) -> Result<Shown, LandscapeError> {
        let Some(epoch) = epoch else { return Ok(Shown::Purged) };
        let body = self.body(epoch, key, Some(recorded))?;
        Ok(body.map_or(Shown::Purged, |(body, _)| Shown::Body(Arc::new(body))))
    }

    /// The body of `key` with its hash, which must be the one that was recorded, if one was; `None` when it is gone.
    pub(crate) fn body(
        &self,
        epoch: EpochNo,
        key: BodyKey,
        recorded: Option<ContentHash>,
    ) -> Result<Option<(Body, ContentHash)>, LandscapeError> {
        let Some(block) = self.blocks.get(&epoch) else { return Ok(None) };
        let Some(body) = block
            .body(key, self.store.map(|store| store as &dyn LargeBodies))
            .map_err(|error| self.failed(epoch, error))?
        else {
            return Ok(None);
        };
        let what = match (hash_of_body(self.version, &body, &mut Vec::new()), recorded) {
            (Ok(hash), None) => return Ok(Some((body, hash))),
            (Ok(hash), Some(recorded)) if hash == recorded => return Ok(Some((body, hash))),
            (Ok(hash), Some(recorded)) => format!("it has the hash {hash}, but {recorded} is recorded"),
            (Err(error), _) => format!("it has no hash ({error})"),
        };
        Err(LandscapeError::Corrupt(Corruption {
            table: "bodies",
            id: format!("of token {} after step {}", self.run_id.token_id(key.token), key.step.get()),
            what,
        }))
    }

    fn failed(&self, epoch: EpochNo, error: PayloadError) -> LandscapeError {
        match error {
            PayloadError::Damaged(_) | PayloadError::Mismatch { .. } | PayloadError::TooDeep { .. } => {
                let what = error.to_string();
                Corruption { table: "bodies", id: format!("of epoch {}", epoch.0), what }.into()
            }
            PayloadError::Io { .. } => LandscapeError::Store {
                context: format!("reading the bodies of epoch {}", epoch.0),
                message: match error.advice() {
                    Some(advice) => format!("{error}; {advice}"),
                    None => error.to_string(),
                },
                retryable: false,
            },
        }
    }
}
