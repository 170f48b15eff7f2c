//! Heads of a database's registry: to be remembered, and to be proven to continue each other.

use std::path::Path;

use elspeth_canonical::ContentHash;
use elspeth_landscape_sql::AuditRegistry;
use elspeth_proof::{Checkpoint, Consistency, Digest, Hash, Note, merkle};
use serde::Serialize;

use crate::signing::remembered_head;
use crate::store::{database_url, landscape, location};
use crate::{AppError, DatabaseChoice};

/// The head of a registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeadView {
    /// Where the record is.
    pub database: String,
    /// The name of the registry.
    pub origin: String,
    /// How many entries it covers.
    pub size: u64,
    /// The root of their tree, in hexadecimal digits.
    pub root: String,
    /// The keys that signed it: `<name>+<8 hex digits>` each.
    pub signed_by: Vec<String>,
    /// The head itself, a checkpoint: what is to be remembered.
    pub head: String,
}

/// The newest signed head of a database; where nobody ever signed one, that of all entries.
///
/// # Errors
/// [`AppError`] when there is no such database, or it cannot be read.
pub fn head(database: &DatabaseChoice) -> Result<HeadView, AppError> {
    let url = database_url(database)?;
    let text = landscape(&url)?.registry_view()?.head()?;
    let note: Option<Note> = text.parse().ok();
    let checkpoint = note.as_ref().and_then(|note| note.text().parse::<Checkpoint>().ok());
    let (Some(note), Some(checkpoint)) = (note, checkpoint) else {
        return Err(AppError::Refused {
            message: "the newest head in the registry cannot be read".to_owned(),
            help: Some("`elspeth verify --all` says more".to_owned()),
        });
    };
    let signed_by =
        note.signatures().iter().map(|signature| format!("{}+{}", signature.name(), signature.id()));
    Ok(HeadView {
        database: location(&url),
        origin: checkpoint.origin,
        size: checkpoint.size,
        root: checkpoint.root.to_string(),
        signed_by: signed_by.collect(),
        head: text,
    })
}

/// What was proven about two heads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConsistencyProof {
    /// The name of the registry.
    pub origin: String,
    /// How many entries the first head covers.
    pub first_size: u64,
    /// How many the second does.
    pub second_size: u64,
    /// The proof, as it is to be given to others.
    #[serde(skip)]
    pub text: String,
}

/// Proves that one head of a database's registry continues another, for somebody who has both and no access to the database.
///
/// # Errors
/// [`AppError`] when a file holds no head, or a head is not one of this database.
pub fn prove_consistency(
    database: &DatabaseChoice,
    first: &Path,
    second: &Path,
) -> Result<ConsistencyProof, AppError> {
    let registry = landscape(&database_url(database)?)?.registry_view()?;
    let ((earlier, first_text), (later, second_text)) = (remembered_head(first)?, remembered_head(second)?);
    if earlier.size > later.size {
        return Err(AppError::Refused {
            message: format!("{} covers more entries than {}", first.display(), second.display()),
            help: Some("give the older head first".to_owned()),
        });
    }
    let leaves = Leaves::of(&registry, later.size)?;
    leaves.check(&later, second)?;
    leaves.check(&earlier, first)?;
    let size = usize::try_from(earlier.size).unwrap_or(usize::MAX).min(leaves.hashes.len());
    let proof = merkle::prove_consistency(Digest::Sha256, &leaves.hashes, size);
    let text = Consistency { first: first_text, second: second_text, proof }.to_text();
    Ok(ConsistencyProof { origin: later.origin, first_size: earlier.size, second_size: later.size, text })
}

/// The first leaves of a registry.
struct Leaves {
    origin: String,
    hashes: Vec<Hash>,
}

impl Leaves {
    fn of(registry: &AuditRegistry, size: u64) -> Result<Self, AppError> {
        let (origin, _) = registry.keys()?;
        let hash = |leaf: ContentHash| Hash::from_bytes(*leaf.as_bytes());
        Ok(Self { origin, hashes: registry.leaves(size)?.into_iter().map(hash).collect() })
    }

    /// Whether a head is one of this registry.
    fn check(&self, head: &Checkpoint, file: &Path) -> Result<(), AppError> {
        let file = file.display();
        let refused = |message, help: &str| Err(AppError::Refused { message, help: Some(help.to_owned()) });
        if head.origin != self.origin {
            let message =
                format!("{file} is a head of another database ({}, not {})", head.origin, self.origin);
            return refused(message, "name the database that it is of with -d");
        }
        let verify = "`elspeth verify --all --since FILE` says more";
        let Some(leaves) = usize::try_from(head.size).ok().and_then(|size| self.hashes.get(..size)) else {
            let have = self.hashes.len();
            let message =
                format!("{file} covers {} entries, but the registry has no more than {have}", head.size);
            return refused(message, verify);
        };
        let mut tree = merkle::Tree::new(Digest::Sha256);
        leaves.iter().for_each(|leaf| tree.push(*leaf));
        if tree.root() == head.root {
            return Ok(());
        }
        refused(format!("{file} is not what the first {} entries of the registry give", head.size), verify)
    }
}
