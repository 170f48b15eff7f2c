use std::io::{self, Write};
use std::path::Path;

#[cfg(debug_assertions)]
use crate::Point;
#[cfg(debug_assertions)]
use crate::armed;

/// What the file system is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    /// Open what is there.
    Open,
    /// Make a file, or open it anew.
    Create,
    /// Make a folder.
    CreateFolder,
    /// Read bytes.
    Read,
    /// Write bytes; counted by [`write_all`].
    Write,
    /// Make a file or a folder durable.
    Sync,
    /// Give a file another name.
    Rename,
    /// Cut a file.
    SetLen,
    /// Size, kind or permissions of a file.
    Metadata,
    /// Set permissions.
    SetPermissions,
    /// Remove a file.
    Remove,
    /// Lock a file.
    Lock,
}

impl Call {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Open,
        Self::Create,
        Self::CreateFolder,
        Self::Read,
        Self::Write,
        Self::Sync,
        Self::Rename,
        Self::SetLen,
        Self::Metadata,
        Self::SetPermissions,
        Self::Remove,
        Self::Lock,
    ];

    /// Its name in `ELSPETH_FAULT`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Create => "create",
            Self::CreateFolder => "create-folder",
            Self::Read => "read",
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Rename => "rename",
            Self::SetLen => "set-len",
            Self::Metadata => "metadata",
            Self::SetPermissions => "set-permissions",
            Self::Remove => "remove",
            Self::Lock => "lock",
        }
    }
}

/// Stands before a call; fails where the call is to fail.
///
/// # Errors
/// The one that was asked for.
#[inline]
pub fn io(call: Call, path: &Path) -> io::Result<()> {
    #[cfg(debug_assertions)]
    return match armed::call(call, path) {
        None => Ok(()),
        Some(fault) => Err(fault.error()),
    };
    #[cfg(not(debug_assertions))]
    {
        let _ = (call, path);
        Ok(())
    }
}

/// Writes all of `bytes`, which go to the file at `path`; where the write is to come out short only half of them.
///
/// # Errors
/// Those of the writer, or the one that was asked for.
#[inline]
pub fn write_all(to: &mut (impl Write + ?Sized), bytes: &[u8], path: &Path) -> io::Result<()> {
    #[cfg(debug_assertions)]
    return write_in_halves(to, bytes, path);
    #[cfg(not(debug_assertions))]
    {
        let _ = path;
        to.write_all(bytes)
    }
}

/// Half and half, so that a process can end between them.
#[cfg(debug_assertions)]
fn write_in_halves(to: &mut (impl Write + ?Sized), bytes: &[u8], path: &Path) -> io::Result<()> {
    if !armed::is_armed() || bytes.is_empty() {
        return to.write_all(bytes);
    }
    let fault = armed::call(Call::Write, path);
    let (first, second) = bytes.split_at(bytes.len() / 2);
    match fault {
        None => {
            to.write_all(first)?;
            armed::reach(Point::HalfWritten);
            to.write_all(second)
        }
        Some(fault) => {
            if fault.is_short() {
                to.write_all(first)?;
            }
            Err(fault.error_of_write())
        }
    }
}

/// A file whose writes are counted, for code that takes a writer.
#[derive(Debug)]
pub struct Watched<'p, W> {
    inner: W,
    path: &'p Path,
}

impl<'p, W> Watched<'p, W> {
    /// Watches what goes to the file at `path`.
    pub const fn new(inner: W, path: &'p Path) -> Self {
        Self { inner, path }
    }

    /// The file.
    pub const fn get_ref(&self) -> &W {
        &self.inner
    }
}

impl<W: Write> Write for Watched<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        write_all(&mut self.inner, bytes, self.path).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
