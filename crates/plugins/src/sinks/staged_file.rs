//! A file that grows by commits and appears under its own name only when it is complete.
//!
//! All that file sinks do to the outside goes through here. The bytes are written to `<target>.<run id>.partial` beside
//! the target, each commit ends with an fsync, and publishing is one rename with an fsync of the folder. What comes
//! after the last recorded commit is cut off on reopening, and the hash of what is before it is checked: a staged file
//! that somebody else has changed is refused.
//!
//! The content is a *body*, which only grows, and a *tail* behind it, which the next commit overwrites (the `]` of a
//! JSON array), so that the file is well-formed after every commit.
//!
//! A sink whose final form differs from what it stages publishes by [`Rewriting`].

mod rewriting;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use elspeth_canonical::{ContentHash, HashVersion, Hasher};
use elspeth_contracts::{RunId, disk_advice};
use elspeth_faults::{Act, Call, Point, around, reach};
use elspeth_plugin::{Produced, SinkError};
use serde::{Deserialize, Serialize};

use super::folders;
pub(crate) use rewriting::Rewriting;

/// Ids of runs are of one length.
const ANY_RUN: &str = "00000000000000000000000000";
const PIECE: usize = 1024 * 1024;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct StagedFile {
    target: PathBuf,
    staging: PathBuf,
    /// `None` once published.
    file: Option<File>,
    body: Digest,
    tail: Vec<u8>,
    base: Option<Base>,
    /// What is under the target's name, when it is not body and tail as they were staged.
    published: Option<Digest>,
}

/// Where a staged file continues.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct StagedPosition {
    /// Bytes of the body.
    pub offset: u64,
    /// Their hash.
    pub content_hash: String,
    /// The digest of that hash.
    pub hash_version: String,
    /// What the target held when it was taken over, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Base>,
}

/// The target's content before the run, which the run's output follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Base {
    size: u64,
    content_hash: String,
}

/// What a new staged file begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// Nothing; the target will be replaced.
    Empty,
    /// The bytes of the target, if there is one.
    CopyOfTarget,
}

/// How what was staged is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    AsStaged,
    /// See [`Rewriting`].
    Rewritten,
}

/// For which target, run and digest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stage<'a> {
    pub target: &'a Path,
    pub run_id: RunId,
    pub version: HashVersion,
}

#[derive(Debug, Clone)]
struct Digest {
    version: HashVersion,
    hasher: Hasher,
    len: u64,
}

impl StagedFile {
    /// A new staged file, with the folders that it needs. A left-over of the same run is overwritten.
    ///
    /// # Errors
    /// Folders or file cannot be made, or the target cannot be read.
    pub(crate) fn create(stage: Stage<'_>, beginning: Beginning) -> Result<Self, SinkError> {
        let target = folders::resolve_target(stage.target)?;
        folders::create_parents(&target)?;
        let staging = staging_path(&target, stage.run_id);
        reach(Point::Before(Act::CreateStaged));
        let mut file = open_staging(&staging, true)?;
        let mut body = Digest::new(stage.version);
        let mut base = None;
        if exists(&target)? {
            keep_permissions(&target, &file)?;
            if beginning == Beginning::CopyOfTarget {
                body = copy_onto(&target, (&mut file, &staging), stage.version)?;
                base = Some(Base { size: body.len, content_hash: body.finish().to_string() });
            }
        }
        sync(&file, &staging).map_err(|e| failed("write", &staging, &e))?;
        folders::sync_parent(&staging)?;
        reach(Point::After(Act::CreateStaged));
        Ok(Self { target, staging, file: Some(file), body, tail: Vec::new(), base, published: None })
    }

    /// Opens the staged file where `position` says and cuts off what follows; a file that is published already, with
    /// exactly that body and `tail`, stays as it is.
    ///
    /// # Errors
    /// It is gone, or not what was written.
    pub(crate) fn reopen(
        stage: Stage<'_>,
        position: &StagedPosition,
        tail: &[u8],
    ) -> Result<Self, SinkError> {
        let mut reopened = Self::unopened(stage, position, tail)?;
        if exists(&reopened.staging)? {
            reopened.reopen_staging(position)?;
        } else {
            reopened.recognise_published(position)?;
        }
        Ok(reopened)
    }

    /// Replaces the tail by `bytes`, of which the first `body` belong to the body, and makes them durable.
    ///
    /// # Errors
    /// Disk full, file gone, already published.
    pub(crate) fn commit(&mut self, bytes: &[u8], body: usize) -> Result<(), SinkError> {
        let Some(file) = &mut self.file else {
            let message =
                format!("`{}` is published already; nothing can be added to it", self.target.display());
            return Err(SinkError::new(message));
        };
        let shorter = bytes.len() < self.tail.len();
        let end = self.body.len + bytes.len() as u64;
        let path = &self.staging;
        file.seek(SeekFrom::Start(self.body.len))
            .and_then(|_| around(Act::WriteStaged, || elspeth_faults::write_all(file, bytes, path)))
            .and_then(|()| if shorter { set_len(file, end, path) } else { Ok(()) })
            .and_then(|()| around(Act::SyncStaged, || sync(file, path)))
            .map_err(|e| failed("write", &self.staging, &e))?;
        self.body.update(&bytes[..body]);
        self.tail = bytes[body..].to_vec();
        Ok(())
    }

    /// Gives the file its own name, durably. One that has it already keeps it; whoever gave it may not have come so far as
    /// to make it durable.
    ///
    /// # Errors
    /// The rename fails, or the target was changed by somebody else while the run added to a copy of it.
    pub(crate) fn publish(&mut self) -> Result<(), SinkError> {
        if self.file.is_some() {
            self.check_base()?;
            rename(&self.staging, &self.target)?;
            self.file = None;
        }
        folders::sync_parent(&self.target)
    }

    /// Whether the body ends in something else than `line_end`.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn lacks_line_end(&mut self, line_end: &[u8]) -> Result<bool, SinkError> {
        let Some(file) = self.file.as_mut().filter(|_| self.body.len > 0) else { return Ok(false) };
        let mut end = vec![0; line_end.len().min(usize::try_from(self.body.len).unwrap_or(usize::MAX))];
        file.seek(SeekFrom::Start(self.body.len - end.len() as u64))
            .and_then(|_| elspeth_faults::io(Call::Read, &self.staging))
            .and_then(|()| file.read_exact(&mut end))
            .map_err(|e| failed("read", &self.staging, &e))?;
        Ok(end != line_end)
    }

    /// Whether nothing is in the body.
    pub(crate) fn is_empty(&self) -> bool {
        self.body.len == 0
    }

    /// Where the next commit starts.
    pub(crate) fn position(&self) -> StagedPosition {
        StagedPosition {
            offset: self.body.len,
            content_hash: self.body.finish().to_string(),
            hash_version: self.body.version.name().to_owned(),
            base: self.base.clone(),
        }
    }

    /// What the file is, tail included: as it is staged, and once it is published as it is under its name.
    pub(crate) fn produced(&self, rows: u64) -> Produced {
        let whole = self.published.clone().unwrap_or_else(|| {
            let mut staged = self.body.clone();
            staged.update(&self.tail);
            staged
        });
        Produced {
            artifact_type: "file",
            path: self.target.display().to_string(),
            content_hash: whole.finish(),
            size_bytes: whole.len,
            rows,
        }
    }

    fn unopened(stage: Stage<'_>, position: &StagedPosition, tail: &[u8]) -> Result<Self, SinkError> {
        let target = folders::resolve_target(stage.target)?;
        Ok(Self {
            staging: staging_path(&target, stage.run_id),
            target,
            file: None,
            body: Digest::new(stage.version),
            tail: tail.to_vec(),
            base: position.base.clone(),
            published: None,
        })
    }

    fn reopen_staging(&mut self, position: &StagedPosition) -> Result<(), SinkError> {
        let mut file = open_staging(&self.staging, false)?;
        let about = elspeth_faults::io(Call::Metadata, &self.staging).and_then(|()| file.metadata());
        let size = about.map_err(|e| failed("open", &self.staging, &e))?.len();
        if size < position.offset {
            return Err(self.changed(&format!("it has {size} bytes, but {} were written", position.offset)));
        }
        self.body = digest((&mut file, &self.staging), position.offset, self.body.version)
            .map_err(|e| failed("read", &self.staging, &e))?;
        self.compare(position)?;
        around(Act::CutBack, || set_len(&file, position.offset, &self.staging))
            .map_err(|e| failed("cut back", &self.staging, &e))?;
        self.file = Some(file);
        let tail = std::mem::take(&mut self.tail);
        self.commit(&tail, 0)
    }

    fn recognise_published(&mut self, position: &StagedPosition) -> Result<(), SinkError> {
        let mut file = open_published(&self.target)?.ok_or_else(|| self.gone())?;
        self.body = digest((&mut file, &self.target), position.offset, self.body.version)
            .map_err(|e| failed("read", &self.target, &e))?;
        let mut rest = Vec::new();
        elspeth_faults::io(Call::Read, &self.target)
            .and_then(|()| file.take(self.tail.len() as u64 + 1).read_to_end(&mut rest))
            .map_err(|e| failed("read", &self.target, &e))?;
        if self.body.len == position.offset && rest == self.tail && self.compare(position).is_ok() {
            return Ok(());
        }
        Err(self.gone())
    }

    fn gone(&self) -> SinkError {
        SinkError::new(format!("the unfinished output `{}` is gone", self.staging.display()))
            .with_help("put it back, or start a new run")
    }

    fn compare(&self, position: &StagedPosition) -> Result<(), SinkError> {
        let (now, before) = (self.body.finish().to_string(), &position.content_hash);
        if position.hash_version != self.body.version.name() {
            return Err(self.changed(&format!("it was hashed with {}", position.hash_version)));
        }
        if now == *before {
            return Ok(());
        }
        let len = position.offset;
        Err(self.changed(&format!("the hash of its first {len} bytes was {before} and is {now} now")))
    }

    fn changed(&self, difference: &str) -> SinkError {
        let message = format!(
            "the unfinished output `{}` is not what was written: {difference}",
            self.staging.display()
        );
        SinkError::new(message).with_help("put it back as it was, or start a new run")
    }

    fn check_base(&self) -> Result<(), SinkError> {
        let Some(base) = &self.base else { return Ok(()) };
        let now = elspeth_faults::io(Call::Open, &self.target)
            .and_then(|()| File::open(&self.target))
            .and_then(|mut file| digest((&mut file, &self.target), u64::MAX, self.body.version))
            .map_err(|e| failed("read", &self.target, &e))?;
        if now.len == base.size && now.finish().to_string() == base.content_hash {
            return Ok(());
        }
        let message = format!(
            "`{}` was changed by somebody else since this run began to append to it ({} bytes then, {} now)",
            self.target.display(),
            base.size,
            now.len
        );
        let help = format!("what this run wrote is in `{}`", self.staging.display());
        Err(SinkError::new(message).with_help(help))
    }
}

impl Digest {
    fn new(version: HashVersion) -> Self {
        Self { version, hasher: version.hasher(), len: 0 }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.len += bytes.len() as u64;
    }

    fn finish(&self) -> ContentHash {
        self.hasher.clone().finish()
    }
}

/// Whether a run could stage and publish `target`, without changing anything.
///
/// # Errors
/// As [`folders::check_target`]; also when a name that it has until then is too long.
pub(crate) fn check_staging(target: &Path, form: Form) -> Result<(), SinkError> {
    folders::check_target(target)?;
    let run_id = ANY_RUN.parse().expect("26 zeros are an id");
    let staging = staging_path(&folders::resolve_target(target)?, run_id);
    let longest = match form {
        Form::AsStaged => staging,
        Form::Rewritten => rewriting::rewritten_path(&staging),
    };
    folders::check_names(target, longest.file_name().unwrap_or_default())
}

fn staging_path(target: &Path, run_id: RunId) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{run_id}.partial"));
    target.with_file_name(name)
}

fn open_staging(staging: &Path, anew: bool) -> Result<File, SinkError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(anew).truncate(anew);
    elspeth_faults::io(if anew { Call::Create } else { Call::Open }, staging)
        .and_then(|()| options.open(staging))
        .map_err(|e| failed(if anew { "create" } else { "open" }, staging, &e))
}

/// Whether there is such a file. Not to be able to tell is an error: what was taken for missing would be written anew.
pub(crate) fn exists(path: &Path) -> Result<bool, SinkError> {
    elspeth_faults::io(Call::Metadata, path)
        .and_then(|()| path.try_exists())
        .map_err(|e| failed("look at", path, &e))
}

fn keep_permissions(target: &Path, file: &File) -> Result<(), SinkError> {
    elspeth_faults::io(Call::Metadata, target)
        .and_then(|()| fs::metadata(target))
        .and_then(|about| {
            elspeth_faults::io(Call::SetPermissions, target)?;
            file.set_permissions(about.permissions())
        })
        .map_err(|e| failed("take the permissions of", target, &e))
}

fn copy_onto(
    target: &Path,
    (file, staging): (&mut File, &Path),
    version: HashVersion,
) -> Result<Digest, SinkError> {
    let opened = elspeth_faults::io(Call::Open, target).and_then(|()| File::open(target));
    let mut from = opened.map_err(|e| failed("read", target, &e))?;
    let mut copied = Digest::new(version);
    let mut unwritten = false;
    each_piece((&mut from, target), u64::MAX, |piece| {
        copied.update(piece);
        elspeth_faults::write_all(file, piece, staging).inspect_err(|_| unwritten = true)
    })
    .map_err(|e| match unwritten {
        true => failed("write", staging, &e),
        false => failed("read", target, &e),
    })?;
    Ok(copied)
}

/// The digest of the next `len` bytes, or of fewer when there are no more.
fn digest(from: (&mut File, &Path), len: u64, version: HashVersion) -> io::Result<Digest> {
    let mut digest = Digest::new(version);
    each_piece(from, len, |piece| {
        digest.update(piece);
        Ok(())
    })?;
    Ok(digest)
}

fn each_piece(
    (file, path): (&mut File, &Path),
    len: u64,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    let mut left = len;
    while left > 0 {
        let wanted = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
        elspeth_faults::io(Call::Read, path)?;
        let got = match file.read(&mut piece[..wanted]) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        if got == 0 {
            return Ok(());
        }
        take(&piece[..got])?;
        left -= got as u64;
    }
    Ok(())
}

/// `None` when there is no file of that name.
fn open_published(target: &Path) -> Result<Option<File>, SinkError> {
    match elspeth_faults::io(Call::Open, target).and_then(|()| File::open(target)) {
        Ok(file) => Ok(Some(file)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(failed("read", target, &e)),
    }
}

fn sync(file: &File, path: &Path) -> io::Result<()> {
    elspeth_faults::io(Call::Sync, path).and_then(|()| file.sync_data())
}

fn set_len(file: &File, len: u64, path: &Path) -> io::Result<()> {
    elspeth_faults::io(Call::SetLen, path).and_then(|()| file.set_len(len))
}

/// Gives a complete file the target's name.
fn rename(complete: &Path, target: &Path) -> Result<(), SinkError> {
    let renamed = around(Act::Rename, || {
        elspeth_faults::io(Call::Rename, target).and_then(|()| fs::rename(complete, target))
    });
    renamed.map_err(|e| failed("publish", target, &e))
}

/// The error of a file that cannot be written, with advice where there is some.
pub(crate) fn failed(what: &str, path: &Path, error: &io::Error) -> SinkError {
    let message = format!("cannot {what} `{}`: {error}", path.display());
    let mut failure = SinkError::new(message);
    failure.retryable = matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::TimedOut);
    match disk_advice(error) {
        Some(advice) => failure.with_help(advice),
        None => failure,
    }
}
