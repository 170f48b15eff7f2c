//! A text file that is read from front to back, with exact positions and a running hash.
//!
//! The reader sees a window of UTF-8 ([`TextInput::rest`]), consumes whole records from it and asks for more when a
//! record is not complete yet ([`TextInput::fill`]). The hash covers the file's own bytes: with UTF-8 exactly those
//! consumed; with other encodings all those taken from the file so far, since a character's place in the file is not
//! known there.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use elspeth_canonical::{ContentHash, HashVersion, Hasher};
use elspeth_contracts::disk_advice;
use elspeth_faults::Call;
use elspeth_plugin::{ReadSoFar, SourceError, SourceIdentity};
use elspeth_value::FieldResolution;
use serde::{Deserialize, Serialize};

use crate::text_encoding::{StreamDecoder, TextEncoding};

/// How much is taken from the file at once.
const PIECE: usize = 256 * 1024;

/// A window larger than this gives its memory back once it is nearly empty.
const KEPT_CAPACITY: usize = 4 * PIECE;

const UTF8_MARK: &[u8] = b"\xEF\xBB\xBF";

/// See the module's documentation.
pub(crate) struct TextInput {
    path: PathBuf,
    file: File,
    size: Option<u64>,
    version: HashVersion,
    encoding: TextEncoding,
    decoder: StreamDecoder,
    window: Vec<u8>,
    consumed: usize,
    hashed: usize,
    hasher: Hasher,
    taken: u64,
    offset: u64,
    line: u64,
    exhausted: bool,
}

/// Where in a file the next record begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TextPosition {
    /// Bytes of UTF-8 text before it.
    pub offset: u64,
    /// Its line, from 1.
    pub line: u64,
    /// Bytes of the file that were read; the same as `offset` for a UTF-8 file.
    pub read_bytes: u64,
    /// Hash of those bytes; without it the file is taken as it is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<String>,
    /// The digest of that hash.
    pub hash_version: String,
}

impl TextPosition {
    /// What a source with these headers had read there.
    pub(crate) fn recall(&self, field_resolution: FieldResolution) -> ReadSoFar {
        let content_hash = self.content_hash.as_ref().and_then(|hash| hash.parse().ok());
        ReadSoFar { read_bytes: self.read_bytes, content_hash, field_resolution }
    }
}

impl TextInput {
    /// Opens a file at its beginning, or where an earlier reader of it stopped.
    ///
    /// # Errors
    /// The file cannot be read, or is not the one that was read up to `position`.
    pub(crate) fn open(
        path: &Path,
        encoding: TextEncoding,
        version: HashVersion,
        position: Option<&TextPosition>,
    ) -> Result<Self, SourceError> {
        let opened = elspeth_faults::io(Call::Open, path).and_then(|()| File::open(path));
        let file = opened.map_err(|e| cannot("open", path, &e))?;
        let about = elspeth_faults::io(Call::Metadata, path).and_then(|()| file.metadata());
        let about = about.map_err(|e| cannot("open", path, &e))?;
        if about.is_dir() {
            let message = format!("cannot read `{}`: it is a folder", path.display());
            return Err(SourceError::new(message).with_help("name a file inside of it"));
        }
        let mut input = Self {
            path: path.to_owned(),
            file,
            size: about.is_file().then_some(about.len()),
            version,
            encoding,
            decoder: encoding.decoder(),
            window: Vec::new(),
            consumed: 0,
            hashed: 0,
            hasher: version.hasher(),
            taken: 0,
            offset: 0,
            line: 1,
            exhausted: false,
        };
        match position {
            None => input.skip_byte_order_mark()?,
            Some(position) => input.advance_to(position)?,
        }
        Ok(input)
    }

    /// The text that is read but not consumed.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.window[self.consumed..]
    }

    /// The `len` bytes of text that were consumed last; valid until the next [`Self::fill`].
    pub(crate) fn just_consumed(&self, len: usize) -> &[u8] {
        &self.window[self.consumed - len..self.consumed]
    }

    /// Whether [`Self::rest`] is all that is left.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    /// Whether the next record may have to wait for whoever writes: this is a pipe, and no line of it is complete. What
    /// was read before must not wait for it.
    pub(crate) fn may_wait(&self) -> bool {
        self.size.is_none()
            && !self.exhausted
            && memchr::memchr(b'\n', self.rest().trim_ascii_start()).is_none()
    }

    /// The line, from 1, on which [`Self::rest`] begins.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// Steps over `len` bytes of text with `line_ends` line ends in them.
    pub(crate) fn consume(&mut self, len: usize, line_ends: u64) {
        self.consumed += len;
        self.offset += len as u64;
        self.line += line_ends;
    }

    /// Reads more into the window, at least doubling what is not consumed so that a long record is looked at a few
    /// times only. Returns false when there is no more.
    pub(crate) fn fill(&mut self) -> Result<bool, SourceError> {
        if self.exhausted {
            return Ok(false);
        }
        self.compact();
        let pieces = self.window.len().div_ceil(PIECE).max(1);
        self.take_piece(pieces * PIECE)?;
        Ok(true)
    }

    /// Hashes what was consumed. Called once per batch, so that the digest sees long stretches.
    pub(crate) fn settle(&mut self) {
        if self.decoder.is_identity() && self.hashed < self.consumed {
            self.hasher.update(&self.window[self.hashed..self.consumed]);
            self.hashed = self.consumed;
        }
    }

    /// Where the rest begins; [`Self::settle`] comes first.
    pub(crate) fn position(&self) -> TextPosition {
        TextPosition {
            offset: self.offset,
            line: self.line,
            read_bytes: self.read_bytes(),
            content_hash: Some(self.content_hash().to_string()),
            hash_version: self.version.name().to_owned(),
        }
    }

    /// What was read; [`Self::settle`] comes first.
    pub(crate) fn identity(&self) -> SourceIdentity {
        SourceIdentity {
            location: self.path.display().to_string(),
            size_bytes: self.size,
            read_bytes: self.read_bytes(),
            content_hash: Some(self.content_hash()),
        }
    }

    /// How its text is written, byte order included.
    pub(crate) fn encoding(&self) -> TextEncoding {
        self.decoder.found(self.encoding)
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn content_hash(&self) -> ContentHash {
        self.hasher.clone().finish()
    }

    fn read_bytes(&self) -> u64 {
        if self.decoder.is_identity() { self.offset } else { self.taken }
    }

    fn compact(&mut self) {
        self.settle();
        self.window.drain(..self.consumed);
        self.hashed = 0;
        self.consumed = 0;
        if self.window.capacity() > KEPT_CAPACITY && self.window.len() < PIECE {
            self.window.shrink_to(KEPT_CAPACITY);
        }
    }

    /// Takes `wanted` bytes from the file, fewer at its end; what is no plain file gives what it has.
    fn take_piece(&mut self, wanted: usize) -> Result<(), SourceError> {
        let first = self.taken == 0;
        if self.decoder.is_identity() {
            let start = self.window.len();
            let taken = elspeth_faults::io(Call::Read, &self.path)
                .and_then(|()| read_piece(&mut self.file, self.size.is_some(), wanted, &mut self.window))
                .map_err(|e| cannot("read", &self.path, &e))?;
            if first {
                self.check_encoding(&self.window[start..])?;
            }
            self.taken += taken as u64;
            self.exhausted = taken == 0 || (self.size.is_some() && taken < wanted);
            return Ok(());
        }
        let mut piece = Vec::with_capacity(wanted);
        let taken = elspeth_faults::io(Call::Read, &self.path)
            .and_then(|()| read_piece(&mut self.file, self.size.is_some(), wanted, &mut piece))
            .map_err(|e| cannot("read", &self.path, &e))?;
        if first {
            self.check_encoding(&piece)?;
        }
        self.taken += taken as u64;
        self.exhausted = taken == 0 || (self.size.is_some() && taken < wanted);
        self.hasher.update(&piece);
        self.decoder.decode(&piece, self.exhausted, &mut self.window);
        Ok(())
    }

    /// In another encoding the whole file could be one long header.
    fn check_encoding(&self, head: &[u8]) -> Result<(), SourceError> {
        let Some(found) = self.encoding.contradicted_by(head) else { return Ok(()) };
        let (path, name) = (self.path.display(), self.encoding.name());
        let message = format!("cannot read `{path}` as {name}: it is in another encoding by its first bytes");
        Err(SourceError::new(message).with_help(format!("write `encoding: {found}`")))
    }

    fn skip_byte_order_mark(&mut self) -> Result<(), SourceError> {
        self.fill()?;
        if self.decoder.is_identity() && self.rest().starts_with(UTF8_MARK) {
            self.consume(UTF8_MARK.len(), 0);
        }
        Ok(())
    }

    /// Reads up to `position` again, which proves that it is the same file.
    fn advance_to(&mut self, position: &TextPosition) -> Result<(), SourceError> {
        while self.taken < position.read_bytes && !self.exhausted {
            let wanted =
                usize::try_from(position.read_bytes - self.taken).map_or(PIECE, |left| left.min(PIECE));
            let known = self.window.len() as u64;
            if self.offset + known <= position.offset {
                self.consume_all();
            }
            self.take_piece(wanted)?;
        }
        if self.size == Some(self.taken) && !self.exhausted {
            // The end of the file may have given text of its own: the mark of a character that was cut off.
            self.take_piece(PIECE)?;
        }
        let ahead = position.offset.checked_sub(self.offset).and_then(|n| usize::try_from(n).ok());
        let Some(ahead) = ahead.filter(|n| *n <= self.rest().len() && self.taken == position.read_bytes)
        else {
            let difference =
                format!("it has {} bytes now, but {} were read", self.taken, position.read_bytes);
            // There is no place to go on from, whatever is accepted.
            return Err(self
                .changed(&difference)
                .with_help("put the file back as it was, or start a new run"));
        };
        self.consume(ahead, 0);
        self.line = position.line;
        self.settle();
        self.compare_hash(position)
    }

    fn consume_all(&mut self) {
        let len = self.rest().len();
        self.consume(len, 0);
        self.compact();
    }

    fn compare_hash(&self, position: &TextPosition) -> Result<(), SourceError> {
        let Some(before) = &position.content_hash else { return Ok(()) };
        if position.hash_version != self.version.name() {
            let (old, new) = (&position.hash_version, self.version.name());
            return Err(SourceError::new(format!(
                "cannot continue to read `{}`: it was hashed with {old}, and now {new} is asked for",
                self.path.display()
            )));
        }
        let now = self.content_hash().to_string();
        if now == *before {
            return Ok(());
        }
        let bytes = position.read_bytes;
        Err(self.changed(&format!("the hash of its first {bytes} bytes was {before} and is {now} now")))
    }

    fn changed(&self, difference: &str) -> SourceError {
        let message =
            format!("the source `{}` has changed since it was read: {difference}", self.path.display());
        SourceError::new(message)
            .with_help("put the file back as it was, or continue with --accept-changed-source")
    }
}

fn read_piece(file: &mut File, plain: bool, wanted: usize, into: &mut Vec<u8>) -> io::Result<usize> {
    if plain {
        into.reserve(wanted);
        return file.take(wanted as u64).read_to_end(into);
    }
    let start = into.len();
    into.resize(start + wanted, 0);
    let taken = loop {
        match file.read(&mut into[start..]) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            other => break other,
        }
    };
    into.truncate(start + taken.as_ref().copied().unwrap_or(0));
    taken
}

/// The error of a file that cannot be opened or read.
pub(crate) fn cannot(what: &str, path: &Path, error: &io::Error) -> SourceError {
    let message = format!("cannot {what} `{}`: {}", path.display(), plain_words(error));
    let help = match error.kind() {
        io::ErrorKind::NotFound => "relative paths are relative to the folder in which elspeth runs",
        io::ErrorKind::PermissionDenied => "let the user that runs elspeth read it",
        _ => match disk_advice(error) {
            Some(advice) => advice,
            None => return SourceError::new(message),
        },
    };
    SourceError::new(message).with_help(help)
}

fn plain_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}
