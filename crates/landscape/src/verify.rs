//! Verification: a run's record is read back as a whole, everything that was hashed is hashed again, and the hashes are
//! compared with those that were stored while it was written. `docs/evidence-format.md` says what is checked, in which order.
//!
//! - A [`ScanSource`] gives the records; this module knows no database.
//! - [`verify`] answers with a [`Verification`]: sound, tampered (with the first bad record), or not to be told.
//!
//! Memory holds the records of a few epochs, and a few bytes for each token that waited in a batch; epochs are read and hashed
//! by as many threads as the machine has cores.

mod artifacts;
mod aside;
mod bodies;
mod conserve;
mod entered;
mod epochs;
mod examine;
mod fold;
mod gather;
mod leaves;
mod ledger;
mod near;
mod places;
mod refer;
mod registry;
mod run;
mod scan;
mod story;
mod threads;
mod whole;
mod witness;

use elspeth_canonical::{ContentHash, HashVersion};
use elspeth_contracts::{ArtifactRecord, EdgeRecord, NodeRecord, RowIndex, RunId};
use elspeth_payload::LargeBodies;
use elspeth_proof::{Digest, Hash};
use serde::{Serialize, Serializer};

pub(crate) use epochs::{EpochRecords, Epochs};
use ledger::{Bad, Check, Ledger};
pub use registry::{RegistryFindings, RegistryScan, StoredEntry, Trust, verify_registry};
pub use scan::{
    Account, BatchRecords, CheckpointRecord, Continuation, Counted, Effect, Effects, EpochRecord, Later,
    LaterFile, LaterSink, PurgeRecord, Purging, RecordScan, RowRecords, RunMark, ScanSource, TokenRange,
    TokenRecords,
};
use whole::Verifier;
use witness::Witness;
pub use witness::{ProvenLeaves, ProvenRelease, RowProof};

use crate::{Corruption, LandscapeError, ResumptionRecord, RunRecord};

/// Whether a run's record is what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerifyStatus {
    /// Everything is as it was written.
    Ok,
    /// Something is not.
    Tampered,
    /// Nothing is wrong as far as can be told, but not everything can.
    Incomplete,
}

/// How one check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckStatus {
    /// Nothing is wrong.
    Ok,
    /// Something is.
    Tampered,
    /// Something could not be looked at.
    Incomplete,
    /// There is nothing to check.
    Skipped,
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verification {
    /// The run; none where even its record cannot be read.
    pub run_id: Option<RunId>,
    /// The answer.
    pub status: VerifyStatus,
    /// Check by check.
    pub checks: Vec<CheckResult>,
    /// How many records were read.
    pub records: u64,
    /// As it is recorded.
    pub content_root: Option<String>,
    /// As it is recorded.
    pub record_root: Option<String>,
    /// The first record that is not what it was.
    pub first_bad: Option<BadRecord>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckResult {
    /// Which.
    pub name: &'static str,
    /// How it came out.
    pub status: CheckStatus,
    /// What was found, or looked at.
    pub detail: String,
}

/// A record that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BadRecord {
    /// Its table.
    pub table: String,
    /// Its public id, or what tells it from others in the table.
    pub id: String,
    /// What is wrong.
    pub what: String,
}

/// A run and what is registered of it.
pub struct Subject<'a> {
    /// The run.
    pub run: &'a RunRecord,
    /// Its nodes, in step order.
    pub nodes: &'a [NodeRecord],
    /// Its edges, in their order.
    pub edges: &'a [EdgeRecord],
    /// The times that it was taken up, in their order.
    pub resumptions: &'a [ResumptionRecord],
    /// What its sinks produced, the newest of each path; none where nobody is to look at it.
    pub artifacts: Option<&'a [ArtifactRecord]>,
    /// Where its large bodies are.
    pub bodies: Option<&'a dyn LargeBodies>,
    /// What [`verify_registry`] found in the same database; nothing where there is none, but an export.
    pub registry: Option<&'a RegistryFindings>,
    /// Whether relative paths mean the files that they meant where the run ran.
    pub ran_here: bool,
    /// Whether nothing but the run is looked at: the time that takes does not grow with the other runs of the database.
    pub alone: bool,
}

/// Verifies one run.
///
/// # Errors
/// [`LandscapeError`] of the store; a record that cannot be what it is, is no error but the answer.
pub fn verify(source: &dyn ScanSource, subject: &Subject<'_>) -> Result<Verification, LandscapeError> {
    watched(source, subject, None)
}

/// What comes of proving a row.
#[derive(Debug)]
pub enum Proving {
    /// The run is what was written, and this is the row's proof.
    Proven(Box<RowProof>),
    /// The record is not what was written, so that nothing can be proven by it; or it is not sealed.
    Refused(Verification),
    /// There is no such row.
    NoRow,
}

/// Proves one row of a sealed run: everything that is recorded of it and of what was made of it, with proofs that this is
/// under the run's content root. The whole run is verified on the way.
///
/// # Errors
/// [`LandscapeError`] of the store.
pub fn prove(
    source: &dyn ScanSource,
    subject: &Subject<'_>,
    row: RowIndex,
) -> Result<Proving, LandscapeError> {
    let Subject { run, nodes, edges, bodies, .. } = *subject;
    let mut scan = source.open(run)?;
    let story = Verifier { source, subject }.story(scan.as_mut(), row, bodies);
    drop(scan);
    let story = match story {
        Ok(Some(story)) => story,
        Ok(None) => return Ok(Proving::NoRow),
        // The verification says what it is.
        Err(LandscapeError::Corrupt(_)) => return Ok(Proving::Refused(verify(source, subject)?)),
        Err(other) => return Err(other),
    };
    let mut witness = Witness::new(run, story);
    let verification = watched(source, subject, Some(&mut witness))?;
    let topology = run::topology(nodes, edges).and_then(|text| String::from_utf8(text).ok());
    let proof = match verification.status {
        VerifyStatus::Ok | VerifyStatus::Incomplete => topology.and_then(|text| witness.proof(text)),
        VerifyStatus::Tampered => None,
    };
    Ok(proof.map_or(Proving::Refused(verification), |proof| Proving::Proven(Box::new(proof))))
}

/// Verifies a run, before the eyes of a witness.
fn watched(
    source: &dyn ScanSource,
    subject: &Subject<'_>,
    witness: Option<&mut Witness>,
) -> Result<Verification, LandscapeError> {
    let mut ledger = Ledger::new(subject.run.run_id);
    let records = match (Verifier { source, subject }).all(&mut ledger, witness) {
        Ok(records) => records,
        Err(LandscapeError::Corrupt(corruption)) => {
            ledger.bad(Check::Records, corruption.into());
            0
        }
        Err(other) => return Err(other),
    };
    Ok(answer(subject.run, records, ledger))
}

fn proof_digest(version: HashVersion) -> Digest {
    match version {
        HashVersion::Blake3V1 => Digest::Blake3,
        HashVersion::Sha256V1 => Digest::Sha256,
    }
}

fn proof_hash(hash: ContentHash) -> Hash {
    Hash::from_bytes(*hash.as_bytes())
}

fn answer_of(ledger: &Ledger) -> VerifyStatus {
    match (ledger.is_sound(), ledger.is_complete()) {
        (false, _) => VerifyStatus::Tampered,
        (true, false) => VerifyStatus::Incomplete,
        (true, true) => VerifyStatus::Ok,
    }
}

fn answer(run: &RunRecord, records: u64, ledger: Ledger) -> Verification {
    Verification {
        run_id: Some(run.run_id),
        status: answer_of(&ledger),
        first_bad: ledger.first_bad(),
        checks: ledger.results(),
        records,
        content_root: run.content_root.map(|root| root.to_string()),
        record_root: run.record_root.map(|root| root.to_string()),
    }
}

impl Verification {
    /// The answer where a run's own record, or that of its graph, cannot be read.
    #[must_use]
    pub fn unreadable(run_id: Option<RunId>, corruption: Corruption) -> Self {
        let bad = BadRecord::from(corruption);
        let detail = format!("{} {}: {}", bad.table, bad.id, bad.what);
        Self {
            run_id,
            status: VerifyStatus::Tampered,
            checks: vec![CheckResult { name: Check::Run.name(), status: CheckStatus::Tampered, detail }],
            records: 0,
            content_root: None,
            record_root: None,
            first_bad: Some(bad),
        }
    }
}

impl Verification {
    /// The answer where there is no run to verify.
    #[must_use]
    pub fn of_registry(registry: &RegistryFindings) -> Self {
        let mut ledger = Ledger::new(RunId::from_ulid(Default::default()));
        registry.tell(None, &mut ledger);
        let (first_bad, status) = (ledger.first_bad(), answer_of(&ledger));
        let mut checks = ledger.results();
        checks.retain(|check| [Check::Registry.name(), Check::Database.name()].contains(&check.name));
        Self { run_id: None, status, checks, records: 0, content_root: None, record_root: None, first_bad }
    }
}

impl From<Corruption> for BadRecord {
    fn from(Corruption { table, id, what }: Corruption) -> Self {
        Self { table: table.to_owned(), id, what }
    }
}

impl VerifyStatus {
    /// The name that is shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Tampered => "tampered",
            Self::Incomplete => "incomplete",
        }
    }
}

impl CheckStatus {
    /// The name that is shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Tampered => "tampered",
            Self::Incomplete => "incomplete",
            Self::Skipped => "skipped",
        }
    }
}

impl Serialize for VerifyStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Serialize for CheckStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
