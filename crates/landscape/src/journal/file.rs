//! The file of a journal: only ever longer, but for what a crash left unfinished at its end.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead as _, BufReader, Error, Read, Result as IoResult, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use elspeth_contracts::{RunId, create_durable, sync_folder};
use elspeth_faults::{Act, Call, around, io, write_all};
use serde::{Deserialize, Serialize};

use crate::LandscapeError;

/// Bytes that are read at once on the way back.
const CHUNK: u64 = 1 << 16;
/// What the first line of a journal begins with, and what else the first part of one has until it is closed.
const BEGINS: &[u8] = b"{\"record\":\"run\",";
const REGISTERED: [&[u8]; 3] = [BEGINS, b"{\"record\":\"node\",", b"{\"record\":\"edge\","];
const LINK: &[u8] = b"{\"record\":\"link\",";
const SEALED: &[u8] = b"{\"record\":\"sealed\",";
/// As many bytes of a line as tell what it begins with.
const LONGEST: u64 = 32;

/// Which half of an epoch a link closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Half {
    /// Run, nodes and edges.
    Registered,
    Decided,
    Acted,
    Published,
}

/// The line that closes what one commit added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Link {
    pub(super) record: LinkTag,
    pub(super) run_id: String,
    pub(super) half: Half,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) epoch: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) committed_at: Option<String>,
    /// The run's chain after it.
    pub(super) chain: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum LinkTag {
    #[serde(rename = "link")]
    Link,
}

impl Link {
    /// How far the run is by it.
    pub(super) fn place(&self) -> (Half, u64) {
        (self.half, self.epoch.unwrap_or_default())
    }
}

/// An open journal, which nobody else writes meanwhile.
#[derive(Debug)]
pub(super) struct JournalFile {
    file: File,
    path: PathBuf,
}

impl JournalFile {
    /// Opens it for writing at its end; makes it where it does not exist. What is behind its last closed part goes.
    pub(super) fn open(path: &Path) -> Result<Self, LandscapeError> {
        Self::opened(path).map_err(|error| trouble(path, &error))
    }

    fn opened(path: &Path) -> IoResult<Self> {
        let folder = path.parent().unwrap_or(Path::new(""));
        create_durable(folder)?;
        io(Call::Open, path)?;
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::other("another run is writing it")),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        if file.metadata()?.len() == 0 {
            // Nobody has waited for its name.
            sync_folder(folder)?;
        }
        let mut journal = Self { file, path: path.to_owned() };
        let end = match journal.last(&[LINK, SEALED])? {
            Some((at, line)) => at + line.len() as u64,
            None => journal.unfinished()?,
        };
        journal.cut(end)?;
        Ok(journal)
    }

    /// Nothing that is no journal is written to, or cut: what has no closed part is empty, or the beginning of a first one. An
    /// export begins as a journal does, but goes on otherwise.
    fn unfinished(&mut self) -> IoResult<u64> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut lines = BufReader::new(&self.file);
        let (mut begin, mut first) = (Vec::new(), true);
        loop {
            begin.clear();
            lines.by_ref().take(LONGEST).read_until(b'\n', &mut begin)?;
            if begin.is_empty() {
                return Ok(0);
            }
            let may_be = if first { &REGISTERED[..1] } else { &REGISTERED[..] };
            let part = |known: &&[u8]| begin.starts_with(known) || known.starts_with(&begin);
            if !may_be.iter().any(part) {
                return Err(Error::other("the file is no journal; name another one, or move it away"));
            }
            if !begin.ends_with(b"\n") {
                lines.skip_until(b'\n')?;
            }
            first = false;
        }
    }

    /// The last whole line that begins with one of these, and where it begins. However far back that is, a piece at a time is
    /// read.
    fn last(&mut self, beginnings: &[&[u8]]) -> IoResult<Option<(u64, Vec<u8>)>> {
        let length = self.file.metadata()?.len();
        let (mut to, mut end) = (length, None);
        while to > 0 {
            let from = to.saturating_sub(CHUNK);
            // The beginning of a line may be in the piece before.
            let bytes = self.bytes(from, length.min(to + LONGEST))?;
            let piece = usize::try_from(to - from).map_or(bytes.len(), |piece| piece.min(bytes.len()));
            let newlines = (0..piece).rev().filter(|at| bytes[*at] == b'\n').map(|at| at + 1);
            let starts = newlines.chain((from == 0).then_some(0));
            for start in starts {
                let at = from + start as u64;
                if let Some(end) = end.replace(at)
                    && beginnings.iter().any(|begin| bytes[start..].starts_with(begin))
                {
                    return Ok(Some((at, self.bytes(at, end)?)));
                }
            }
            to = from;
        }
        Ok(None)
    }

    fn bytes(&mut self, from: u64, to: u64) -> IoResult<Vec<u8>> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(from))?;
        (&mut self.file).take(to - from).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The link with which it ends, where that is one of this run. The run's own end is none any more when it goes on.
    pub(super) fn link(&mut self, run: RunId) -> Result<Option<Link>, LandscapeError> {
        self.linked(run).map_err(|error| trouble(&self.path, &error))
    }

    fn linked(&mut self, run: RunId) -> IoResult<Option<Link>> {
        let Some((at, line)) = self.last(&[LINK])? else { return Ok(None) };
        let link: Link = serde_json::from_slice(&line)?;
        if link.run_id != run.to_string() {
            return Ok(None);
        }
        // What is behind it can only be the run's own end.
        self.cut(at + line.len() as u64)?;
        Ok(Some(link))
    }

    fn cut(&mut self, length: u64) -> IoResult<()> {
        if self.file.metadata()?.len() == length {
            return Ok(());
        }
        io(Call::SetLen, &self.path)?;
        self.file.set_len(length)?;
        self.file.sync_all()
    }

    /// Adds lines.
    pub(super) fn append(&mut self, lines: &[u8]) -> Result<(), LandscapeError> {
        let written = around(Act::WriteJournal, || write_all(&mut self.file, lines, &self.path));
        written.map_err(|error| trouble(&self.path, &error))
    }

    /// Waits until what was added is on the disk.
    pub(super) fn sync(&mut self) -> Result<(), LandscapeError> {
        let synced =
            around(Act::SyncJournal, || io(Call::Sync, &self.path).and_then(|()| self.file.sync_data()));
        synced.map_err(|error| trouble(&self.path, &error))
    }
}

fn trouble(path: &Path, error: &Error) -> LandscapeError {
    LandscapeError::Store {
        context: format!("journal {}", path.display()),
        message: error.to_string(),
        retryable: false,
    }
}
