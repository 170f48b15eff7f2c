//! Where the files of an export are.

use std::path::{Path, PathBuf};

use super::Form;

/// Name of the manifest in a folder.
pub(super) const MANIFEST: &str = "manifest.json";
/// Name of the records in a folder.
const RECORDS: &str = "records.jsonl";
/// What a file of records ends in.
pub(super) const LINES: &str = "jsonl";

/// Where an export goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub(super) folder: PathBuf,
    /// The file of records; none for a CSV file of each kind.
    pub(super) records: Option<String>,
    manifest: String,
    pub(super) replaces: bool,
}

impl Target {
    /// Of JSON lines: a file whose name ends in `.jsonl`, with its manifest beside it (`x.manifest.json` of `x.jsonl`); else a
    /// folder with `records.jsonl` and `manifest.json`.
    #[must_use]
    pub fn json(path: &Path) -> Self {
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        match (path.file_name().and_then(|name| name.to_str()), beside(path)) {
            (Some(name), Some(manifest)) if !path.is_dir() => {
                Self { folder, records: Some(name.to_owned()), manifest, replaces: false }
            }
            _ => Self {
                folder: path.to_owned(),
                records: Some(RECORDS.to_owned()),
                manifest: MANIFEST.to_owned(),
                replaces: false,
            },
        }
    }

    /// Of CSV files: a folder with one for each kind and `manifest.json`.
    #[must_use]
    pub fn csv(path: &Path) -> Self {
        Self { folder: path.to_owned(), records: None, manifest: MANIFEST.to_owned(), replaces: false }
    }

    /// The same, in the place of an export that may be there.
    #[must_use]
    pub fn replacing(self) -> Self {
        Self { replaces: true, ..self }
    }

    /// How records are written there.
    #[must_use]
    pub fn form(&self) -> Form {
        if self.records.is_some() { Form::Json } else { Form::Csv }
    }

    /// Where the manifest will be.
    #[must_use]
    pub fn manifest(&self) -> PathBuf {
        self.folder.join(&self.manifest)
    }

    /// The manifest's name there.
    pub(super) fn manifest_name(&self) -> &str {
        &self.manifest
    }

    /// The file that holds all records, or the folder with those of each kind.
    #[must_use]
    pub fn records(&self) -> PathBuf {
        self.records.as_ref().map_or_else(|| self.folder.clone(), |name| self.folder.join(name))
    }
}

/// The manifest of a file of lines.
pub(super) fn beside(path: &Path) -> Option<String> {
    let stem = path.file_stem()?.to_str()?;
    (path.extension()? == LINES).then(|| format!("{stem}.manifest.json"))
}
