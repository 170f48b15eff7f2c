//! The signature of an export: a C2SP signed note over the hash of its manifest, and so over every file of it.

use elspeth_canonical::HashVersion;
use elspeth_contracts::open_plain;
use elspeth_proof::{BadNote, Note, PublicKey, SecretKey};

use super::{ExportError, FORMAT, Manifest};

/// What the name of the manifest's file gets for the signature's.
pub const NOTE: &str = ".note";

/// What is signed: the form, the run, and the SHA-256 of the manifest, a line each.
fn signed_text(manifest: &Manifest, text: &str) -> String {
    format!("{FORMAT}\n{}\n{}\n", manifest.run_id, HashVersion::Sha256V1.hash(text.as_bytes()))
}

/// Signs a manifest, whose text is given.
#[must_use]
pub fn sign(manifest: &Manifest, text: &str, key: &SecretKey) -> String {
    let text = signed_text(manifest, text);
    let mut note = Note::new(&text).expect("ids and hexadecimal digits have no control characters");
    note.sign(key);
    note.to_string()
}

/// The names of those keys that signed a manifest; all signatures must be valid ones of these keys.
///
/// # Errors
/// What is wrong with the signature, in words.
pub(super) fn signers(
    manifest: (&Manifest, &str),
    note: &str,
    keys: &[PublicKey],
) -> Result<Vec<String>, String> {
    let note: Note =
        note.parse().map_err(|error: BadNote| format!("the signature of the manifest: {error}"))?;
    if note.text() != signed_text(manifest.0, manifest.1) {
        return Err("the signature is of another manifest".to_owned());
    }
    let mut names = Vec::new();
    for signature in note.signatures() {
        match note.verify_one(signature, keys) {
            Ok(key) => names.push(key.name().to_string()),
            Err(BadNote::UnknownKey { .. }) => {}
            Err(error) => return Err(format!("the signature of the manifest: {error}")),
        }
    }
    Ok(names)
}

/// An error where a note cannot be read.
pub(super) fn read(path: &std::path::Path) -> Result<Option<String>, ExportError> {
    match open_plain(path).and_then(std::io::read_to_string) {
        Ok(note) => Ok(Some(note)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ExportError::io("reading", path)(error)),
    }
}
