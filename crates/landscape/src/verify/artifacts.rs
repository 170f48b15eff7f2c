//! What sinks produced, compared with what is on the disk.
//!
//! Other programs may do with an output what they like, so a file that is gone shows nothing. A file with other content is
//! not what the run wrote; unless a later run wrote to the same path, which is what paths are for. A run that was imported wrote
//! its files elsewhere: what is here is nothing that can be held against it. Nor can what a relative path means in another folder.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use elspeth_canonical::{ContentHash, HashVersion};
use elspeth_contracts::{ArtifactRecord, RunId, RunStatus, open_plain};
use serde_json::Value;

use super::scan::{Later, LaterFile, LaterSink, ScanSource};
use super::{Bad, Check, Ledger};
use crate::{LandscapeError, RunRecord};

const FILE: &str = "file";
const CHUNK: usize = 1 << 16;

/// Size and hash of a file; nothing where there is none.
pub(super) type OnDisk = io::Result<Option<(u64, ContentHash)>>;

/// Reads every file that a completed run published; nothing for what is no file.
pub(super) fn read(run: &RunRecord, artifacts: Option<&[ArtifactRecord]>) -> Vec<Option<OnDisk>> {
    let published = artifacts.filter(|_| run.status == RunStatus::Completed).unwrap_or_default();
    let is_file = |artifact: &&ArtifactRecord| artifact.artifact_type == FILE;
    let read = |file: &ArtifactRecord| on_disk(Path::new(&file.path), run.hash_version);
    published.iter().map(|artifact| Some(artifact).filter(is_file).map(read)).collect()
}

/// What is known of a run's files.
pub(super) struct Files<'a> {
    /// The newest of each path; none where nobody is to look at them.
    pub(super) artifacts: Option<&'a [ArtifactRecord]>,
    /// What [`read`] found.
    pub(super) read: Vec<Option<OnDisk>>,
    /// Whether the run ran somewhere else.
    pub(super) imported: bool,
    /// Whether relative paths mean what they meant to the run.
    pub(super) ran_here: bool,
}

/// Compares every file that a completed run published with what was read. Which runs wrote it later is asked as the record is
/// by now: what scans see that were opened before knows of none that came while files were read.
pub(super) fn check(
    source: &dyn ScanSource,
    run: &RunRecord,
    files: Files<'_>,
    ledger: &mut Ledger,
) -> Result<(), LandscapeError> {
    let Some(artifacts) = files.artifacts else {
        ledger.skip(Check::Artifacts, "outputs are not part of an export");
        return Ok(());
    };
    if run.status != RunStatus::Completed {
        ledger.skip(Check::Artifacts, "nothing was published");
        return Ok(());
    }
    let (mut same, mut elsewhere, mut other) = (0, 0, Vec::new());
    for (artifact, read) in artifacts.iter().zip(files.read) {
        match read {
            None => elsewhere += 1,
            Some(Ok(Some(found))) if found == (artifact.size_bytes, artifact.content_hash) => same += 1,
            Some(found) => other.push((artifact, found)),
        }
    }
    if same > 0 {
        ledger.note(Check::Artifacts, format!("{same} files are as they were written"));
    }
    if elsewhere > 0 {
        ledger.note(Check::Artifacts, format!("{elsewhere} artifacts are no files and were not looked at"));
    }
    let later = if other.is_empty() { Later::default() } else { source.open(run)?.later()? };
    for (artifact, found) in other {
        let path = &artifact.path;
        let is_there = matches!(found, Ok(Some(_)));
        if let Some(run) = writer(&later.files, artifact, &found) {
            ledger.note(Check::Artifacts, format!("{path} was written again by run {run}"));
        } else if files.imported && is_there {
            ledger.unknown(Check::Artifacts, format!("{path} is another file here than where the run ran"));
        } else if !files.ran_here && Path::new(path).is_relative() && is_there {
            let what = format!("{path} is another file, unless the run ran in another folder than this one");
            ledger.unknown(Check::Artifacts, what);
        } else if let Some(run) = unended(&later.unended, artifact).filter(|_| is_there) {
            let what = format!(
                "{path} is another file; run {run} may have given it its name, and has to go on first"
            );
            ledger.unknown(Check::Artifacts, what);
        } else {
            differs(artifact, found, ledger);
        }
    }
    Ok(())
}

/// The last run that gave a file its content: its record says that the file got its name, or has just this content, with which it
/// got its name when the process was killed.
fn writer(later: &[LaterFile], artifact: &ArtifactRecord, found: &OnDisk) -> Option<RunId> {
    let here = place(&artifact.path);
    let wrote = |file: &&LaterFile| {
        let is_it = matches!(found, Ok(Some(found)) if *found == (file.size_bytes, file.content_hash));
        (file.published || is_it) && place(&file.path) == here
    };
    later.iter().rev().find(wrote).map(|file| file.run_id)
}

/// The last run that may have given the file its name before it stopped: one of its sinks is told of the file, or of a folder in
/// which it is.
fn unended(later: &[LaterSink], artifact: &ArtifactRecord) -> Option<RunId> {
    let here = place(&artifact.path)?;
    let writes = |sink: &&LaterSink| {
        let config = serde_json::from_str(&sink.config).unwrap_or_default();
        let is_here = |told: &PathBuf| here.starts_with(told) && told.parent().is_some();
        texts(&config).into_iter().filter_map(place).any(|told| is_here(&told))
            && !(sink.ended && is_staged(&here, sink.run_id))
    };
    later.iter().rev().find(writes).map(|sink| sink.run_id)
}

/// Whether what a run wrote for the file still lies beside it, so that the run did not give the file its name.
fn is_staged(file: &Path, run: RunId) -> bool {
    let mut staged = file.as_os_str().to_owned();
    staged.push(format!(".{run}.partial"));
    Path::new(&staged).exists()
}

/// All texts in some JSON.
fn texts(json: &Value) -> Vec<&str> {
    match json {
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
    }
}

/// A file's place, however settings name it.
fn place(path: &str) -> Option<PathBuf> {
    fs::canonicalize(path).or_else(|_| std::path::absolute(path)).ok()
}

fn differs(artifact: &ArtifactRecord, found: OnDisk, ledger: &mut Ledger) {
    let ArtifactRecord { path, size_bytes, content_hash, .. } = artifact;
    match found {
        Ok(Some((size, hash))) => {
            let what = if size == *size_bytes {
                format!("the file has the hash {hash}, but {content_hash} is recorded")
            } else {
                format!("the file has {size} bytes, but {size_bytes} are recorded")
            };
            ledger.bad(Check::Artifacts, Bad::exact("artifacts", path.as_str()).what(what));
        }
        Ok(None) => ledger.unknown(Check::Artifacts, format!("{path} is not there (any more)")),
        Err(error) => ledger.unknown(Check::Artifacts, format!("{path} cannot be read: {error}")),
    }
}

fn on_disk(path: &Path, version: HashVersion) -> OnDisk {
    let mut file = match open_plain(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let (mut size, mut hasher) = (0, version.hasher());
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            return Ok(Some((size, hasher.finish())));
        }
        size += read as u64;
        hasher.update(&chunk[..read]);
    }
}
