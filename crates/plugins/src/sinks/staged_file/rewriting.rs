//! Staged files whose content is brought into its final form when they are published.
//!
//! The final form is written beside the staged file and takes the target's name by one rename; only then the staged file
//! goes. A crash before leaves the staged file, from which publishing starts again; after it, the target is recognised by
//! what was staged, which can be worked out from it.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use elspeth_canonical::HashVersion;
use elspeth_faults::{Act, Call, Watched, around};
use elspeth_plugin::SinkError;

use super::super::folders;
use super::{
    Digest, PIECE, Stage, StagedFile, StagedPosition, exists, failed, keep_permissions, open_published,
    open_staging, rename,
};

/// How staged content becomes what is published, and back: `restore` undoes `rewrite`, and fails for what `rewrite` does
/// not produce.
pub(crate) trait Rewriting {
    /// Writes the final form.
    fn rewrite(&self, staged: &mut dyn Read, published: &mut dyn Write) -> io::Result<()>;

    /// Writes what was staged; reads to the end.
    fn restore(&self, published: &mut dyn Read, staged: &mut dyn Write) -> io::Result<()>;
}

impl StagedFile {
    /// As [`StagedFile::reopen`], for a file without tail that is published by [`StagedFile::publish_rewritten`].
    ///
    /// # Errors
    /// It is gone, or not what was written.
    pub(crate) fn reopen_rewritten(
        stage: Stage<'_>,
        position: &StagedPosition,
        rewriting: &dyn Rewriting,
    ) -> Result<Self, SinkError> {
        let mut reopened = Self::unopened(stage, position, &[])?;
        if exists(&reopened.staging)? {
            reopened.reopen_staging(position)?;
        } else {
            reopened.recognise_rewritten(position, rewriting)?;
        }
        Ok(reopened)
    }

    /// Gives the final form of the body the target's name, durably. A target that has it already keeps it, as in
    /// [`StagedFile::publish`].
    ///
    /// # Errors
    /// Disk full, or somebody else has changed the staged file.
    pub(crate) fn publish_rewritten(&mut self, rewriting: &dyn Rewriting) -> Result<(), SinkError> {
        let Some(mut staged) = self.file.take() else { return folders::sync_parent(&self.target) };
        let path = rewritten_path(&self.staging);
        let published = around(Act::WriteFinal, || self.write_final_form(&mut staged, &path, rewriting));
        self.file = Some(staged);
        // A half-written file is of no use, and the disk may be full; when it stays, the next attempt overwrites it.
        let published = published.inspect_err(|_| drop(fs::remove_file(&path)))?;
        rename(&path, &self.target)?;
        folders::sync_parent(&self.target)?;
        around(Act::RemoveStaged, || {
            elspeth_faults::io(Call::Remove, &self.staging).and_then(|()| fs::remove_file(&self.staging))
        })
        .map_err(|e| failed("remove", &self.staging, &e))?;
        folders::sync_parent(&self.target)?;
        self.file = None;
        self.published = Some(published);
        Ok(())
    }

    fn write_final_form(
        &self,
        staged: &mut File,
        path: &Path,
        rewriting: &dyn Rewriting,
    ) -> Result<Digest, SinkError> {
        let file = open_staging(path, true)?;
        keep_permissions(&self.staging, &file)?;
        staged.seek(SeekFrom::Start(0)).map_err(|e| failed("read", &self.staging, &e))?;
        let unread = Cell::new(false);
        let reading = Reading { inner: staged, path: &self.staging, failed: &unread };
        let mut from = Digesting::new(reading.take(self.body.len), self.body.version);
        let to = BufWriter::with_capacity(PIECE, Watched::new(file, path));
        let mut to = Digesting::new(to, self.body.version);
        rewriting
            .rewrite(&mut from, &mut to)
            .and_then(|()| to.flush())
            .and_then(|()| super::sync(to.inner.get_ref().get_ref(), path))
            .map_err(|e| match unread.get() {
                true => failed("read", &self.staging, &e),
                false => failed("write", path, &e),
            })?;
        // Its hash will be recorded, so it must be made of exactly what this run wrote.
        if from.digest.finish() == self.body.finish() {
            return Ok(to.digest);
        }
        Err(self.changed("somebody else wrote into it"))
    }

    fn recognise_rewritten(
        &mut self,
        position: &StagedPosition,
        rewriting: &dyn Rewriting,
    ) -> Result<(), SinkError> {
        let inner = open_published(&self.target)?.ok_or_else(|| self.gone())?;
        let reading = Reading { inner, path: &self.target, failed: &Cell::new(false) };
        let mut from = Digesting::new(reading, self.body.version);
        let mut to = Digesting::new(io::sink(), self.body.version);
        match rewriting.restore(&mut from, &mut to) {
            Ok(()) => {}
            Err(e) if matches!(e.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) => {
                return Err(self.gone());
            }
            Err(e) => return Err(failed("read", &self.target, &e)),
        }
        self.body = to.digest;
        if self.body.len != position.offset || self.compare(position).is_err() {
            return Err(self.gone());
        }
        self.published = Some(from.digest);
        Ok(())
    }
}

/// Where the final form is written.
pub(super) fn rewritten_path(staging: &Path) -> PathBuf {
    staging.with_extension("final.partial")
}

/// A file whose reads are counted.
struct Reading<'p, R> {
    inner: R,
    path: &'p Path,
    /// Whether reading is what went wrong, where the same code reads and writes.
    failed: &'p Cell<bool>,
}

impl<R: Read> Read for Reading<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let got = elspeth_faults::io(Call::Read, self.path).and_then(|()| self.inner.read(into));
        got.inspect_err(|_| self.failed.set(true))
    }
}

/// Keeps the digest of what passes.
struct Digesting<T> {
    inner: T,
    digest: Digest,
}

impl<T> Digesting<T> {
    fn new(inner: T, version: HashVersion) -> Self {
        Self { inner, digest: Digest::new(version) }
    }
}

impl<T: Read> Read for Digesting<T> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let got = self.inner.read(into)?;
        self.digest.update(&into[..got]);
        Ok(got)
    }
}

impl<T: Write> Write for Digesting<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.inner.write(bytes)?;
        self.digest.update(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
