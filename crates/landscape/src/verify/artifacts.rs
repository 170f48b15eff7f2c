//! What sinks produced, compared with what is on the disk.
//!
//! Other programs may do with an output what they like, so a file that is gone shows nothing. A file with other content is
//! not what the run wrote; unless a later run wrote to the same path, which is what paths are for.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use elspeth_canonical::{ContentHash, HashVersion};
use elspeth_contracts::{ArtifactRecord, RunStatus};

use super::scan::RecordScan;
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

/// Compares every file that a completed run published with what was `read`. `artifacts` are the newest of each path.
pub(super) fn check(
    scan: &mut dyn RecordScan,
    run: &RunRecord,
    (artifacts, read): (Option<&[ArtifactRecord]>, Vec<Option<OnDisk>>),
    ledger: &mut Ledger,
) -> Result<(), LandscapeError> {
    let Some(artifacts) = artifacts else {
        ledger.skip(Check::Artifacts, "outputs are not part of an export");
        return Ok(());
    };
    if run.status != RunStatus::Completed {
        ledger.skip(Check::Artifacts, "nothing was published");
        return Ok(());
    }
    let (mut same, mut elsewhere) = (0, 0);
    for (artifact, read) in artifacts.iter().zip(read) {
        match read {
            None => elsewhere += 1,
            Some(Ok(Some(found))) if found == (artifact.size_bytes, artifact.content_hash) => same += 1,
            Some(found) => match scan.later_writer(&artifact.path)? {
                Some(later) => {
                    ledger.note(
                        Check::Artifacts,
                        format!("{} was written again by run {later}", artifact.path),
                    );
                }
                None => differs(artifact, found, ledger),
            },
        }
    }
    if same > 0 {
        ledger.note(Check::Artifacts, format!("{same} files are as they were written"));
    }
    if elsewhere > 0 {
        ledger.note(Check::Artifacts, format!("{elsewhere} artifacts are no files and were not looked at"));
    }
    Ok(())
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
    let mut file = match File::open(path) {
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
