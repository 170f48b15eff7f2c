use std::path::PathBuf;

/// A settings file and the environment it is read in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsChoice {
    /// The file.
    pub path: PathBuf,
    /// Where variables come from besides the process's environment.
    pub env: EnvChoice,
}

/// Where `${VAR}` comes from besides the process's environment, which always wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvChoice {
    /// The nearest `.env` from the working directory upward, if there is one.
    Search,
    /// This file, which must exist.
    File(PathBuf),
    /// Nothing.
    NoDotenv,
}

/// Which audit database is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseChoice {
    /// A path or a URL.
    Location(String),
    /// The one that a settings file names.
    Settings(SettingsChoice),
    /// The one that `ELSPETH_LANDSCAPE__URL` names, else `./state/audit.db`.
    Environment(EnvChoice),
}
