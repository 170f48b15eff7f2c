//! What an export holds, and by which hashes it can be told that it still does.

use std::collections::BTreeMap;

use elspeth_canonical::{ContentHash, HashVersion};
use elspeth_contracts::{Micros, RunId, RunStatus};
use serde::{Deserialize, Serialize};

use super::{Attestation, Counts, Kind, RunLine};

/// The form of exports that this program writes and reads.
pub const FORMAT: &str = "elspeth-export-v1";

/// How the records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// A line of JSON for each record.
    Json,
    /// A CSV file for each kind.
    Csv,
}

/// The description of an export, in a file beside its records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// How the records are written.
    pub form: Form,
    /// Version of the program that exported.
    pub engine_version: String,
    /// When, by RFC 3339.
    pub exported_at: String,
    /// The run.
    pub run_id: String,
    /// How far it had got.
    pub status: String,
    /// Its digest.
    pub hash_version: String,
    /// As sealed.
    pub content_root: Option<String>,
    /// As sealed.
    pub record_root: Option<String>,
    /// Whether bodies are in it.
    pub bodies: bool,
    /// How many records of each kind are in it.
    pub records: BTreeMap<String, u64>,
    /// The files with the records.
    pub files: Vec<ManifestFile>,
    /// What the registry of the database says of the run's end, with the newest head; none of a run that has not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<Attestation>,
}

/// A file with records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestFile {
    /// Its name, beside the manifest.
    pub name: String,
    /// How long it is.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal digits.
    pub sha256: String,
}

/// What a manifest says of the run.
#[derive(Debug, Clone)]
pub struct ManifestRun {
    /// The run.
    pub run_id: RunId,
    /// How far it had got.
    pub status: RunStatus,
    /// Its digest.
    pub hash_version: HashVersion,
    /// As sealed.
    pub content_root: Option<ContentHash>,
    /// As sealed.
    pub record_root: Option<ContentHash>,
}

/// What a manifest says of the export.
#[derive(Debug, Clone)]
pub struct ManifestExport {
    /// How the records are written.
    pub form: Form,
    /// Version of the program that exports.
    pub engine_version: String,
    /// When.
    pub exported_at: Micros,
    /// Whether bodies are in it.
    pub bodies: bool,
    /// What the registry says of the run's end.
    pub registry: Option<Attestation>,
}

/// What the lines of an export say themselves.
#[derive(Debug)]
pub struct ReadLines {
    /// Of the run.
    pub run: RunLine,
    /// How many there are.
    pub counts: Counts,
    /// Whether the run was imported without its bodies where it was exported.
    pub came_without_bodies: bool,
}

impl Manifest {
    /// Of an export that was written.
    #[must_use]
    pub fn of(run: &ManifestRun, export: ManifestExport, counts: &Counts, files: Vec<ManifestFile>) -> Self {
        Self {
            format: FORMAT.to_owned(),
            form: export.form,
            engine_version: export.engine_version,
            exported_at: export.exported_at.rfc3339(),
            run_id: run.run_id.to_string(),
            status: run.status.to_string(),
            hash_version: run.hash_version.name().to_owned(),
            content_root: run.content_root.map(|root| root.to_string()),
            record_root: run.record_root.map(|root| root.to_string()),
            bodies: export.bodies,
            records: counts.iter().map(|(kind, count)| (kind.name().to_owned(), *count)).collect(),
            files,
            registry: export.registry,
        }
    }

    /// As it is written: JSON with indentation.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).expect("a manifest is JSON") + "\n"
    }

    /// Whether it says of the lines that were read what they say themselves.
    ///
    /// # Errors
    /// What differs, in words.
    pub fn check(&self, read: &ReadLines) -> Result<(), String> {
        self.check_run(&read.run)?;
        self.check_counts(&read.counts)?;
        self.check_bodies(read)
    }

    fn check_run(&self, run: &RunLine) -> Result<(), String> {
        let id = run.run_id.to_string();
        if self.run_id != id {
            return Err(format!("it is of run {}, but the records are of run {id}", self.run_id));
        }
        let root =
            |root: Option<ContentHash>| root.map_or_else(|| "none".to_owned(), |root| root.to_string());
        let told = |root: &Option<String>| root.clone().unwrap_or_else(|| "none".to_owned());
        let fields = [
            ("status", self.status.clone(), run.status.to_string()),
            ("hash_version", self.hash_version.clone(), run.hash_version.name().to_owned()),
            ("content_root", told(&self.content_root), root(run.content_root)),
            ("record_root", told(&self.record_root), root(run.record_root)),
        ];
        match fields.into_iter().find(|(_, told, recorded)| told != recorded) {
            Some((name, told, recorded)) => {
                Err(format!("its `{name}` is {told}, but the record of the run says {recorded}"))
            }
            None => Ok(()),
        }
    }

    /// There may be none although they were asked for: of no rows, or where they were gone already.
    fn check_bodies(&self, read: &ReadLines) -> Result<(), String> {
        let count = |kind: Kind| read.counts.get(&kind).copied().unwrap_or_default();
        let found = count(Kind::Bodies) + count(Kind::Payload) > 0;
        let none_left = read.came_without_bodies || count(Kind::Row) == 0 || count(Kind::Purge) > 0;
        match (self.bodies, found) {
            (false, true) => Err("it says that no bodies are in it, but there are some".to_owned()),
            (true, false) if !none_left => {
                Err("it says that bodies are in it, but there are none".to_owned())
            }
            (true, _) | (false, false) => Ok(()),
        }
    }

    /// Whether the lines that were read are those that it counts.
    fn check_counts(&self, counts: &Counts) -> Result<(), String> {
        for kind in Kind::ALL {
            let told = self.records.get(kind.name()).copied().unwrap_or_default();
            let found = counts.get(kind).copied().unwrap_or_default();
            if told != found {
                let name = kind.name();
                return Err(format!("it counts {told} records `{name}`, but there are {found}"));
            }
        }
        match self.records.keys().find(|name| Kind::of_name(name).is_none()) {
            Some(unknown) => Err(format!("there is no record `{unknown}`")),
            None => Ok(()),
        }
    }
}
