//! Keys and heads: where they come from, and in which files they are.

use std::path::Path;

use elspeth_config::{BadKeyFile, Signing};
use elspeth_proof::{Checkpoint, Note, PublicKey, SecretKey};

use crate::prepare::environment;
use crate::{AppError, DatabaseChoice, EnvChoice, prepare};

/// The key that signs what is done to that database: that of the settings which name it, else that of the environment.
pub(crate) fn signer(database: &DatabaseChoice, env: &EnvChoice) -> Result<Option<SecretKey>, AppError> {
    match database {
        DatabaseChoice::Settings(settings) => prepare(settings)?.signing_key(),
        DatabaseChoice::Location(_) | DatabaseChoice::Environment(_) => {
            let signing = Signing::of_environment(&environment(env)?);
            signing.map(|signing| signing.key()).transpose().map_err(refused)
        }
    }
}

/// The secret key in a file.
pub(crate) fn secret_key(path: &Path) -> Result<SecretKey, AppError> {
    elspeth_config::read_key_file(path).map_err(refused)
}

fn refused(bad: BadKeyFile) -> AppError {
    AppError::Refused { message: bad.message, help: Some(bad.help) }
}

/// A public key: its text, or a file that holds it.
pub(crate) fn public_key(given: &str) -> Result<PublicKey, AppError> {
    let text = match given.parse() {
        Ok(key) => return Ok(key),
        Err(_) => read(Path::new(given), "the public key")?,
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
pub(crate) fn remembered_head(path: &Path) -> Result<(Checkpoint, String), AppError> {
    let text = read(path, "the head")?;
    let head = text.parse::<Note>().ok().and_then(|note| note.text().parse().ok());
    let head = head.ok_or_else(|| AppError::NotFound {
        message: format!("{} holds no head of a registry", path.display()),
        help: Some("`elspeth head -o FILE` writes one".to_owned()),
    })?;
    Ok((head, text))
}

fn read(path: &Path, what: &str) -> Result<String, AppError> {
    std::fs::read_to_string(path).map_err(|error| AppError::NotFound {
        message: format!("cannot read {what} {}: {error}", path.display()),
        help: Some("check the path, and that you may read it".to_owned()),
    })
}
