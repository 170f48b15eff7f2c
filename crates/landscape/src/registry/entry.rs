//! What is entered, kind by kind.

use elspeth_canonical::{ContentHash, HashVersion, to_canonical_vec};
use elspeth_contracts::{Micros, RunId, RunStatus};
use serde::{Deserialize, Serialize};

use super::as_text;
use crate::integrity::Registered;
use crate::purge::PurgeStart;
use crate::{LandscapeError, Resumption, RunStart, TakeUp};

/// One entry of the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    /// The log begins, with the database.
    Opened(Opened),
    /// A run began.
    Begun(Begun),
    /// A run that had stopped was taken up.
    TakenUp(TakenUp),
    /// How far a run has come.
    Head(RunHead),
    /// A run ended, in whichever way.
    Sealed(Sealed),
    /// A run's bodies are to be removed.
    PurgeRequested(PurgeRequested),
    /// A run's bodies are gone.
    Purged(Purged),
    /// Heads are signed by another key from here on.
    KeyAdded(KeyAdded),
    /// A key is not to be trusted any more.
    KeyRevoked(KeyRevoked),
    /// A run came from another database.
    Imported(Imported),
}

/// The log begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opened {
    /// The name of the log, which no other has: `elspeth.registry/<ULID>`.
    pub origin: String,
    /// When.
    pub opened_at: Micros,
}

/// A run began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begun {
    /// Which.
    #[serde(with = "as_text")]
    pub run: RunId,
    /// When.
    pub started_at: Micros,
    /// Its digest.
    pub hash_version: HashVersion,
    /// What its chain begins with: everything that is registered about it.
    pub chain: ContentHash,
}

/// A run was taken up: everything that is recorded of that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TakenUp {
    /// Which.
    #[serde(with = "as_text")]
    pub run: RunId,
    /// When.
    pub resumed_at: Micros,
    /// By whom.
    pub owner: String,
    /// Who had it before.
    pub owner_before: String,
    /// The first epoch that is new.
    pub epoch: u64,
    /// The first row that is new.
    pub row: u64,
    /// Version of the program that goes on.
    pub engine_version: String,
    /// The resolved settings, where they are others than those of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<String>,
    /// The source as it was recorded and as it was found, where a change was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_source: Option<String>,
}

/// A tree as it is at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeHead {
    /// Leaves.
    pub size: u64,
    /// Their root.
    pub root: ContentHash,
}

/// How far a run has come: at the commit of an epoch's decisions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunHead {
    /// Which.
    #[serde(with = "as_text")]
    pub run: RunId,
    /// The epoch that was decided last.
    pub epoch: u64,
    /// The chain of decisions after that.
    pub chain: ContentHash,
    /// The chain of acts, which may be behind.
    pub acted_chain: ContentHash,
    /// The leaves of rows.
    pub decisions: TreeHead,
    /// The leaves of releases.
    pub releases: TreeHead,
    /// The leaves of acts.
    pub acts: TreeHead,
    /// The key that signs the log's head after this entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
}

/// A run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// Which.
    #[serde(with = "as_text")]
    pub run: RunId,
    /// Its digest.
    pub hash_version: HashVersion,
    /// Hash of its settings.
    pub config_hash: ContentHash,
    /// Hash of its graph.
    pub topology_hash: ContentHash,
    /// As what it ended.
    #[serde(with = "as_text")]
    pub status: RunStatus,
    /// When it began.
    pub started_at: Micros,
    /// When it ended.
    pub completed_at: Micros,
    /// Rows.
    pub rows: u64,
    /// Records of every kind.
    pub records: u64,
    /// Hash of everything but time, duration, host and run id.
    pub content_root: ContentHash,
    /// Hash of everything.
    pub record_root: ContentHash,
    /// The key that signs the log's head after this entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
}

/// A run's bodies are to be removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PurgeRequested {
    /// Which run.
    #[serde(with = "as_text")]
    pub run: RunId,
    /// The purge's number in the database.
    pub purge: i64,
    /// When.
    pub requested_at: Micros,
    /// The run had to be older than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub older_than_days: Option<u32>,
    /// Whether somebody named the run.
    pub by_name: bool,
    /// The folder of its large bodies.
    pub payload_store: String,
    /// The key that signs the log's head after this entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
}

/// A run's bodies are gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purged {
    /// Which run.
    #[serde(with = "as_text")]
    pub run: RunId,
    /// The purge's number in the database.
    pub purge: i64,
    /// When.
    pub finished_at: Micros,
    /// Blocks removed.
    pub blocks: u64,
    /// Their bytes.
    pub block_bytes: u64,
    /// Files removed from the payload store.
    pub files: u64,
    /// Their bytes.
    pub file_bytes: u64,
    /// Files that stayed since others refer to them.
    pub kept_files: u64,
    /// The key that signs the log's head after this entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
}

/// Heads are signed by this key from here on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyAdded {
    /// The log that this is about, so that it is about no other.
    pub origin: String,
    /// The public key.
    pub key: String,
    /// When.
    pub added_at: Micros,
    /// The id of the key that it takes the place of; the first one takes no other's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// Signature lines of both keys over this entry without its signatures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<String>,
}

/// A key is not to be trusted any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRevoked {
    /// The log that this is about.
    pub origin: String,
    /// The id of the key.
    pub key: String,
    /// When.
    pub revoked_at: Micros,
    /// Why.
    pub reason: String,
    /// The id of the key that says so.
    pub signed_by: String,
    /// Its signature line over this entry without its signatures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<String>,
}

/// A run came from another database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Imported {
    /// Which.
    #[serde(with = "as_text")]
    pub run: RunId,
    /// When.
    pub imported_at: Micros,
    /// As it was sealed; absent where it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_root: Option<ContentHash>,
    /// As it was sealed; absent where it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_root: Option<ContentHash>,
    /// SHA-256 of the export's manifest.
    pub manifest: ContentHash,
    /// Whether its bodies came along.
    pub bodies: bool,
    /// The texts of the run's entries in the registry that it comes from, in their order.
    pub entries: Vec<String>,
    /// The key that signs the log's head after this entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
}

impl Entry {
    /// That a run begins.
    #[must_use]
    pub fn begun(start: &RunStart) -> Self {
        Self::Begun(Begun {
            run: start.run_id,
            started_at: start.started_at,
            hash_version: start.hash_version,
            chain: Registered::of_start(start).chain(),
        })
    }

    /// That a run is taken up.
    #[must_use]
    pub fn taken_up(up: &TakeUp) -> Self {
        let Resumption { epoch, row, engine_version, settings, accepted_source } = up.resumption.clone();
        Self::TakenUp(TakenUp {
            run: up.run_id,
            resumed_at: up.now,
            owner: up.owner.clone(),
            owner_before: up.seen_owner.clone(),
            epoch: epoch.0,
            row,
            engine_version,
            settings,
            accepted_source,
        })
    }

    /// That a run is to be purged; `purge` is the number that this has in the database.
    #[must_use]
    pub fn purge_requested(start: &PurgeStart, purge: i64, payload_store: &str) -> Self {
        Self::PurgeRequested(PurgeRequested {
            run: start.run.run_id,
            purge,
            requested_at: start.now,
            older_than_days: start.older_than_days,
            by_name: start.by_name,
            payload_store: payload_store.to_owned(),
            signed_by: None,
        })
    }

    /// The entry of that text; `None` when it is none, or not in the form in which entries are.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let entry: Self = serde_json::from_str(text).ok()?;
        let form = to_canonical_vec(&entry).ok()?;
        (form == text.as_bytes()).then_some(entry)
    }

    /// Its text.
    ///
    /// # Errors
    /// [`LandscapeError::Store`] when a number of it is too large for JSON.
    pub fn text(&self) -> Result<String, LandscapeError> {
        let bytes = to_canonical_vec(self).map_err(|error| LandscapeError::Store {
            context: format!("entering `{}` in the registry", self.name()),
            message: error.to_string(),
            retryable: false,
        })?;
        Ok(String::from_utf8(bytes).expect("JSON is text"))
    }

    /// What is signed of an entry about keys: its text without the signatures.
    ///
    /// # Errors
    /// As [`Entry::text`].
    pub fn statement(&self) -> Result<String, LandscapeError> {
        let mut unsigned = self.clone();
        match &mut unsigned {
            Self::KeyAdded(KeyAdded { signatures, .. }) | Self::KeyRevoked(KeyRevoked { signatures, .. }) => {
                signatures.clear();
            }
            Self::Opened(_)
            | Self::Begun(_)
            | Self::TakenUp(_)
            | Self::Head(_)
            | Self::Sealed(_)
            | Self::PurgeRequested(_)
            | Self::Purged(_)
            | Self::Imported(_) => {}
        }
        unsigned.text()
    }

    /// The kind, as the field `entry` has it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Opened(_) => "opened",
            Self::Begun(_) => "begun",
            Self::TakenUp(_) => "taken_up",
            Self::Head(_) => "head",
            Self::Sealed(_) => "sealed",
            Self::PurgeRequested(_) => "purge_requested",
            Self::Purged(_) => "purged",
            Self::KeyAdded(_) => "key_added",
            Self::KeyRevoked(_) => "key_revoked",
            Self::Imported(_) => "imported",
        }
    }

    /// The run that it tells of.
    #[must_use]
    pub const fn run(&self) -> Option<RunId> {
        match self {
            Self::Opened(_) | Self::KeyAdded(_) | Self::KeyRevoked(_) => None,
            Self::Begun(Begun { run, .. })
            | Self::TakenUp(TakenUp { run, .. })
            | Self::Head(RunHead { run, .. })
            | Self::Sealed(Sealed { run, .. })
            | Self::PurgeRequested(PurgeRequested { run, .. })
            | Self::Purged(Purged { run, .. })
            | Self::Imported(Imported { run, .. }) => Some(*run),
        }
    }

    /// Whether it tells of a key.
    pub(super) const fn is_about_keys(&self) -> bool {
        matches!(self, Self::KeyAdded(_) | Self::KeyRevoked(_))
    }

    /// The key that signs the log's head after it, where one does: its short name.
    #[must_use]
    pub fn signed_by(&self) -> Option<String> {
        match self {
            Self::Opened(_) | Self::Begun(_) | Self::TakenUp(_) => None,
            Self::KeyAdded(KeyAdded { key, .. }) => {
                key.parse().ok().map(|key: elspeth_proof::PublicKey| key.short_name())
            }
            Self::KeyRevoked(KeyRevoked { signed_by, .. }) => Some(signed_by.clone()),
            Self::Head(RunHead { signed_by, .. })
            | Self::Sealed(Sealed { signed_by, .. })
            | Self::PurgeRequested(PurgeRequested { signed_by, .. })
            | Self::Purged(Purged { signed_by, .. })
            | Self::Imported(Imported { signed_by, .. }) => signed_by.clone(),
        }
    }

    /// The place for the key that signs the log's head after it; `None` for kinds after which no head is signed, and for those
    /// about keys, which name theirs anyway.
    pub(super) const fn signer_mut(&mut self) -> Option<&mut Option<String>> {
        match self {
            Self::Opened(_) | Self::Begun(_) | Self::TakenUp(_) | Self::KeyAdded(_) | Self::KeyRevoked(_) => {
                None
            }
            Self::Head(RunHead { signed_by, .. })
            | Self::Sealed(Sealed { signed_by, .. })
            | Self::PurgeRequested(PurgeRequested { signed_by, .. })
            | Self::Purged(Purged { signed_by, .. })
            | Self::Imported(Imported { signed_by, .. }) => Some(signed_by),
        }
    }
}

impl From<TakenUp> for crate::ResumptionRecord {
    fn from(taken: TakenUp) -> Self {
        let TakenUp { resumed_at, owner, owner_before, epoch, row, engine_version, .. } = taken;
        let TakenUp { settings, accepted_source, .. } = taken;
        let epoch = elspeth_contracts::EpochNo(epoch);
        let resumption = Resumption { epoch, row, engine_version, settings, accepted_source };
        Self { at: resumed_at, owner, owner_before, resumption }
    }
}
