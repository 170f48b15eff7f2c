//! The pipelines, one for each kind of construct; none has a timer that could fire.

use std::fs;
use std::path::Path;

use super::data;
use crate::error::Error;

/// A pipeline by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pipeline {
    pub(super) name: &'static str,
    settings: &'static str,
}

macro_rules! pipelines {
    ($($name:literal),+ $(,)?) => {
        /// All of them.
        pub(super) const ALL: &[Pipeline] = &[
            $(Pipeline { name: $name, settings: include_str!(concat!("pipelines/", $name, ".yaml")) }),+
        ];
    };
}

pipelines![
    "files",
    "append",
    "growing",
    "refused",
    "tables",
    "forks",
    "batches",
    "across",
    "explode",
    "large",
    "nothing",
    "worthless",
    "many",
];

/// What the settings are called in each folder.
pub(super) const SETTINGS: &str = "settings.yaml";

impl Pipeline {
    /// Makes a folder in which it can run. Inputs are at `../../input`.
    pub(super) fn prepare(&self, folder: &Path) -> Result<(), Error> {
        data::write_outputs(&folder.join("out"))?;
        let settings = folder.join(SETTINGS);
        fs::write(&settings, self.settings).map_err(Error::io(&settings))
    }
}
