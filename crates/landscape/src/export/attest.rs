//! What lets an export be told by a head of the registry: the entry about the run's end, and its place in the log.

use elspeth_canonical::ContentHash;
use elspeth_contracts::RunId;
use elspeth_proof::{BadCheckpoint, BadNote, Checkpoint, Digest, Hash, Note, Trust, Vouched, merkle};
use serde::{Deserialize, Serialize};

use crate::LandscapeError;
use crate::registry::{Entry, Imported, Log, Opened, Sealed};
use crate::verify::{RegistryScan, StoredEntry};

/// An entry of the registry with the proof that it is in the log that a head is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attestation {
    /// The text of the entry: the last one about an end of the run, or about its import.
    pub entry: String,
    /// Its number.
    pub index: u64,
    /// Hashes that lead from it to the head's root (RFC 9162, 2.1.3.1), in hexadecimal digits.
    pub proof: Vec<ContentHash>,
    /// The head: a checkpoint, signed or not.
    pub head: String,
}

/// What one pass through the log finds.
#[derive(Default)]
struct Seen {
    origin: String,
    size: u64,
    peaks: Vec<u8>,
    /// The last entry about an end of the run.
    end: Option<(u64, String)>,
    /// The newest signed head.
    signed: Option<(u64, String)>,
}

impl Seen {
    fn take(&mut self, run: RunId, stored: StoredEntry) {
        let number = stored.number.cast_unsigned();
        match Entry::read(&stored.text) {
            Some(Entry::Opened(Opened { origin, .. })) => self.origin = origin,
            Some(Entry::Sealed(Sealed { run: of, .. }) | Entry::Imported(Imported { run: of, .. }))
                if of == run =>
            {
                self.end = Some((number, stored.text));
            }
            Some(_) | None => {}
        }
        self.signed = stored.head.map(|head| (number + 1, head)).or(self.signed.take());
        (self.size, self.peaks) = (number + 1, stored.peaks);
    }

    /// The newest signed head, unless it is older than the entry; else that of the whole log, which nobody signed.
    fn head(&self, index: u64) -> Option<(u64, String)> {
        let signed = self.signed.clone().filter(|(size, _)| *size > index);
        signed.or_else(|| {
            let log = Log::from_stored(self.size, &self.peaks)?;
            Some((self.size, log.head(&self.origin).to_string()))
        })
    }
}

/// Looks for the entry about the run's end, and proves its place under the newest head.
///
/// # Errors
/// [`LandscapeError`] of the store.
pub fn attest(scan: &mut dyn RegistryScan, run: RunId) -> Result<Option<Attestation>, LandscapeError> {
    let mut seen = Seen::default();
    scan.entries(&mut |stored| seen.take(run, stored))?;
    let Some((index, entry)) = seen.end.take() else { return Ok(None) };
    let Some((size, head)) = seen.head(index) else { return Ok(None) };
    let mut prover = merkle::Prover::new(Digest::Sha256);
    scan.entries(&mut |stored| {
        let number = stored.number.cast_unsigned();
        if number < size {
            prover.push(Digest::Sha256.leaf(stored.text.as_bytes()), number == index);
        }
    })?;
    let proof = prover.finish().hashes;
    let proof = proof.iter().map(|hash| ContentHash::from_bytes(*hash.as_bytes())).collect();
    Ok(Some(Attestation { entry, index, proof, head }))
}

impl Attestation {
    /// The name of the log.
    ///
    /// # Errors
    /// What is wrong with the head, in words.
    pub fn origin(&self) -> Result<String, String> {
        let note: Note = self.head.parse().map_err(|error: BadNote| error.to_string())?;
        let head: Checkpoint = note.text().parse().map_err(|error: BadCheckpoint| error.to_string())?;
        Ok(head.origin)
    }

    /// Whether the entry is in the log, and who stands for its head.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn vouched(&self, trust: &Trust) -> Result<(Checkpoint, Vouched), String> {
        let (head, vouched) = trust.vouch(&self.head).map_err(|error| error.to_string())?;
        let leaf = Digest::Sha256.leaf(self.entry.as_bytes());
        let proof: Vec<Hash> = self.proof.iter().map(|hash| Hash::from_bytes(*hash.as_bytes())).collect();
        let root = merkle::root_from(Digest::Sha256, head.size, &[(self.index, leaf)], &proof)
            .map_err(|error| format!("the proof of the run's entry: {error}"))?;
        match root == head.root {
            true => Ok((head, vouched)),
            false => Err("the run's entry is not in the log that the head is of".to_owned()),
        }
    }
}
