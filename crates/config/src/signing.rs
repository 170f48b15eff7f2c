//! The key that signs the heads of the registry: from settings or the environment, as text or in a file.

use std::fmt;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use elspeth_graph::SettingPath;
use elspeth_proof::SecretKey;
use thiserror::Error;

use crate::finding::Finding;
use crate::settings::{Settings, SigningSettings};
use crate::{Diagnostic, Environment, Loaded};

/// The variable that holds a secret key.
pub const SIGNING_KEY_VARIABLE: &str = "ELSPETH_SIGNING_KEY";
/// The variable that names the file of one.
pub const SIGNING_KEY_FILE_VARIABLE: &str = "ELSPETH_SIGNING_KEY_FILE";

/// Where the key is that signs heads, and how often it does while a run is under way. Shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Signing {
    source: Source,
    heads_every: NonZeroU64,
}

#[derive(Clone, PartialEq, Eq)]
enum Source {
    /// The setting that holds the key.
    Setting(String),
    /// The setting that names its file.
    SettingFile(PathBuf),
    /// The variable that holds the key.
    Variable(String),
    /// The variable that names its file.
    VariableFile(PathBuf),
}

/// Why a key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct BadKeyFile {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

impl fmt::Debug for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.source {
            Source::Setting(_) | Source::SettingFile(_) => "Signing(settings)",
            Source::Variable(_) | Source::VariableFile(_) => "Signing(environment)",
        })
    }
}

impl Signing {
    /// What the environment alone says.
    #[must_use]
    pub fn of_environment(environment: &Environment) -> Option<Self> {
        Self::with(environment, SigningSettings::default().heads_every)
    }

    fn with(environment: &Environment, heads_every: NonZeroU64) -> Option<Self> {
        let of = |name| environment.get(name).filter(|value| !value.is_empty());
        let source = match (of(SIGNING_KEY_VARIABLE), of(SIGNING_KEY_FILE_VARIABLE)) {
            (Some(key), _) => Source::Variable(key.to_owned()),
            (None, Some(file)) => Source::VariableFile(PathBuf::from(file)),
            (None, None) => return None,
        };
        Some(Self { source, heads_every })
    }

    /// After how many epochs of a run a head is signed.
    #[must_use]
    pub const fn heads_every(&self) -> NonZeroU64 {
        self.heads_every
    }

    /// The key. Reads its file, where it is in one.
    ///
    /// # Errors
    /// [`BadKeyFile`] when there is no key, or others could read it.
    pub fn key(&self) -> Result<SecretKey, BadKeyFile> {
        match &self.source {
            Source::Setting(text) => key_of(text, "`landscape.signing.key`"),
            Source::Variable(text) => {
                key_of(text, &format!("the environment variable `{SIGNING_KEY_VARIABLE}`"))
            }
            Source::SettingFile(path) | Source::VariableFile(path) => read_key_file(path),
        }
    }
}

fn key_of(text: &str, place: &str) -> Result<SecretKey, BadKeyFile> {
    text.trim().parse().map_err(|error| BadKeyFile {
        message: format!("{place} holds no secret key: {error}"),
        help: "`elspeth keys generate NAME -o FILE` makes one; give its one line".to_owned(),
    })
}

/// The secret key in a file: one line, as `elspeth keys generate` writes it.
///
/// # Errors
/// [`BadKeyFile`] when it cannot be read, others than its owner can read it, or it holds no key.
pub fn read_key_file(path: &Path) -> Result<SecretKey, BadKeyFile> {
    let shown = path.display();
    let unreadable = |error: std::io::Error| BadKeyFile {
        message: format!("cannot read the key file {shown}: {error}"),
        help: "check the path, and that you may read it; `elspeth keys generate NAME -o FILE` makes one"
            .to_owned(),
    };
    check_mode(path).map_err(unreadable)??;
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    key_of(&text, &format!("the file {shown}"))
}

#[cfg(unix)]
fn check_mode(path: &Path) -> std::io::Result<Result<(), BadKeyFile>> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path)?.permissions().mode() & 0o777;
    let shown = path.display();
    if mode & 0o077 == 0 {
        return Ok(Ok(()));
    }
    Ok(Err(BadKeyFile {
        message: format!("others than its owner may use the key file {shown} (mode {mode:03o})"),
        help: format!("`chmod 600 {shown}`; if somebody else may have read it, make a new key and rotate"),
    }))
}

#[cfg(not(unix))]
fn check_mode(_: &Path) -> std::io::Result<Result<(), BadKeyFile>> {
    Ok(Ok(()))
}

/// What settings and environment say of the key. Recorded settings hold no more than its name: then the environment has it.
pub(crate) fn choose(
    settings: &Settings,
    recorded: bool,
    environment: &Environment,
) -> Result<Option<Signing>, Box<Finding>> {
    let default = SigningSettings::default();
    let signing = settings.landscape.signing.as_ref().unwrap_or(&default);
    let heads_every = signing.heads_every;
    let source = match (&signing.key_file, &signing.key) {
        (Some(_), Some(_)) => {
            let message = "a key is given twice: as `key_file` and as `key`".to_owned();
            let finding = Finding::new("two-signing-keys", at("key"), message);
            return Err(Box::new(finding.help("remove one of them")));
        }
        (Some(file), None) => Source::SettingFile(PathBuf::from(file)),
        (None, Some(key)) if !recorded => Source::Setting(key.clone()),
        (None, named) => {
            let signing = Signing::with(environment, heads_every);
            return match (signing, named) {
                (None, Some(name)) => Err(Box::new(not_recorded(name))),
                (signing, _) => Ok(signing),
            };
        }
    };
    Ok(Some(Signing { source, heads_every }))
}

fn not_recorded(name: &str) -> Finding {
    let message = format!("the key {name} signed this run's heads, and is not in the record");
    Finding::new("secret-not-recorded", at("key"), message).help(format!(
        "give it in the environment variable `{SIGNING_KEY_VARIABLE}`, or the settings file with -s"
    ))
}

fn at(key: &str) -> SettingPath {
    SettingPath::new("landscape.signing").child(key)
}

/// What is recorded of a secret key's text: name and id, which are public; nothing of a text that is no key.
pub(crate) fn public_name(text: &str) -> String {
    match text.trim().parse::<SecretKey>() {
        Ok(key) => format!("{}+{}", key.public().name(), key.public().id()),
        Err(_) => "***".to_owned(),
    }
}

impl Loaded {
    /// The key that signs heads, where the settings or the environment have one. Reads its file, if it is in one.
    ///
    /// # Errors
    /// A [`Diagnostic`] when it cannot be used.
    pub fn signing_key(&self) -> Result<Option<SecretKey>, Box<Diagnostic>> {
        let Some(signing) = &self.signing else { return Ok(None) };
        signing.key().map(Some).map_err(|bad| {
            let finding = |setting| {
                Box::new(self.locator.diagnose(
                    Finding::new("bad-signing-key", at(setting), bad.message.clone()).help(bad.help.clone()),
                ))
            };
            match &signing.source {
                Source::Setting(_) => finding("key"),
                Source::SettingFile(_) => finding("key_file"),
                Source::Variable(_) => of_variable(SIGNING_KEY_VARIABLE, &bad),
                Source::VariableFile(_) => of_variable(SIGNING_KEY_FILE_VARIABLE, &bad),
            }
        })
    }
}

fn of_variable(name: &str, bad: &BadKeyFile) -> Box<Diagnostic> {
    let mut diagnostic = Diagnostic::new("bad-signing-key", bad.message.clone()).with_help(bad.help.clone());
    diagnostic.file = Some(format!("environment variable {name}"));
    Box::new(diagnostic)
}

#[cfg(test)]
mod tests;
