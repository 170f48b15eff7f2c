//! From the proof of a row and the registry to a receipt.

use elspeth_canonical::{ContentHash, HashVersion};
use elspeth_contracts::RunId;
use elspeth_landscape::registry::{Entry, Log};
use elspeth_landscape::verify::{ProvenLeaves, ProvenRelease, RegistryScan, RowProof, StoredEntry};
use elspeth_landscape::{Corruption, LandscapeError, RunRecord};
use elspeth_proof::merkle::Prover;
use elspeth_proof::{Decisions, Digest, Hash, Leaf, Leaves, Position, Receipt, Record, Release};

/// What the registry says of a run's end, under its newest head.
pub(super) struct Registered {
    entry: String,
    position: Position,
    head: String,
}

/// As far as the registry was read.
struct Reading {
    run: RunId,
    /// Hashes of entries, and whether each is the run's end.
    leaves: Vec<Hash>,
    log: Log,
    origin: Option<String>,
    end: Option<(u64, String)>,
    /// The newest signed head, and over how many entries.
    signed: Option<(u64, String)>,
}

impl Registered {
    /// The run's last seal; nothing where the registry does not tell of one.
    pub(super) fn of(scan: &mut dyn RegistryScan, run: RunId) -> Result<Option<Self>, LandscapeError> {
        let mut reading =
            Reading { run, leaves: Vec::new(), log: Log::empty(), origin: None, end: None, signed: None };
        scan.entries(&mut |stored| reading.take(stored))?;
        Ok(reading.registered())
    }
}

impl Reading {
    fn take(&mut self, stored: StoredEntry) {
        let number = self.log.size();
        match Entry::read(&stored.text) {
            Some(Entry::Opened(opened)) => self.origin = Some(opened.origin),
            Some(Entry::Sealed(sealed)) if sealed.run == self.run => {
                self.end = Some((number, stored.text.clone()));
            }
            Some(_) | None => {}
        }
        self.leaves.push(hash(Log::leaf(&stored.text)));
        self.log.append(&stored.text);
        if let Some(head) = stored.head {
            self.signed = Some((self.log.size(), head));
        }
    }

    fn registered(self) -> Option<Registered> {
        let (index, entry) = self.end?;
        let (size, head) = match self.signed.filter(|(size, _)| *size > index) {
            Some(signed) => signed,
            None => (self.log.size(), self.log.head(&self.origin?).to_string()),
        };
        let mut prover = Prover::new(Digest::Sha256);
        for (at, leaf) in (0..size).zip(&self.leaves) {
            prover.push(*leaf, at == index);
        }
        let position = Position { index, size, proof: prover.finish().hashes };
        Some(Registered { entry, position, head })
    }
}

/// Puts a receipt together.
pub(super) fn compose(
    proof: RowProof,
    (run, row): (&RunRecord, u64),
    registered: Registered,
) -> Result<Receipt, LandscapeError> {
    let RowProof { topology, source, artifacts, decisions, releases, acts, bodies } = proof;
    let mut records = Vec::new();
    for (_, bytes) in &decisions.leaves {
        records.extend(read(bytes)?);
    }
    let decisions = Decisions { size: decisions.proof.size, proof: decisions.proof.hashes, records };
    let Registered { entry, position, head } = registered;
    Ok(Receipt {
        digest: match run.hash_version {
            HashVersion::Blake3V1 => Digest::Blake3,
            HashVersion::Sha256V1 => Digest::Sha256,
        },
        run: run.run_id.to_string(),
        row,
        topology,
        source: hash(source),
        artifacts: hash(artifacts),
        decisions,
        releases: leaves(releases, release)?,
        acts: leaves(acts, leaf)?,
        bodies,
        entry,
        registry: position,
        head,
    })
}

fn leaves<L, T>(
    proven: ProvenLeaves<L>,
    each: fn(u64, L) -> Result<T, LandscapeError>,
) -> Result<Leaves<T>, LandscapeError> {
    let ProvenLeaves { proof, leaves } = proven;
    let leaves = leaves.into_iter().map(|(index, leaf)| each(index, leaf)).collect::<Result<_, _>>()?;
    Ok(Leaves { size: proof.size, proof: proof.hashes, leaves })
}

fn leaf(index: u64, bytes: Vec<u8>) -> Result<Leaf, LandscapeError> {
    Ok(Leaf { index, records: read(&bytes)? })
}

fn release(index: u64, proven: ProvenRelease) -> Result<Release, LandscapeError> {
    Ok(Release { index, batches: read(&proven.attempts)?, parts: leaves(proven.parts, leaf)? })
}

/// What a leaf is over. The bytes were made of records that were read, so that they can be read again.
fn read(bytes: &[u8]) -> Result<Vec<Record>, LandscapeError> {
    Record::read_all(bytes).map_err(|error| {
        let what = format!("its bytes cannot be read as records: {error}");
        Corruption { table: "rows", id: "of the receipt".to_owned(), what }.into()
    })
}

fn hash(hash: ContentHash) -> Hash {
    Hash::from_bytes(*hash.as_bytes())
}
