//! Keys and heads in files.

use std::path::Path;

use elspeth_proof::{Checkpoint, Note, PublicKey};

use crate::AppError;

/// A public key: its text, or a file that holds it.
pub(crate) fn public_key(given: &str) -> Result<PublicKey, AppError> {
    let text = match given.parse() {
        Ok(key) => return Ok(key),
        Err(_) => read(Path::new(given), "the key")?,
    };
    let public = text.lines().find_map(|line| line.trim().parse().ok());
    public.ok_or_else(|| AppError::NotFound {
        message: format!("{given} holds no public key"),
        help: Some(
            "a public key is a line `<name>+<8 hex digits>+<base64>`; `elspeth keys show FILE` prints that of a key file"
                .to_owned(),
        ),
    })
}

/// A head that somebody kept, with its signatures or without.
pub(crate) fn remembered_head(path: &Path) -> Result<Checkpoint, AppError> {
    let text = read(path, "the head")?;
    let head = text.parse::<Note>().ok().and_then(|note| note.text().parse().ok());
    head.ok_or_else(|| AppError::NotFound {
        message: format!("{} holds no head of a registry", path.display()),
        help: Some("`elspeth head -o FILE` writes one".to_owned()),
    })
}

fn read(path: &Path, what: &str) -> Result<String, AppError> {
    std::fs::read_to_string(path).map_err(|error| AppError::NotFound {
        message: format!("cannot read {what} {}: {error}", path.display()),
        help: None,
    })
}
