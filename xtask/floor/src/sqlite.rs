//! The part of SQLite's C API that the floor needs.
#![expect(unsafe_code, reason = "the floor is what the C API takes, without anything in between")]

use std::ffi::{CStr, CString};
use std::marker::PhantomData;
use std::os::raw::c_int;
use std::path::Path;
use std::ptr;

use libsqlite3_sys as ffi;

use crate::error::Error;

/// A value, or where its bytes are in an arena.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cell {
    Null,
    Int(i64),
    Real(f64),
    Text { start: u32, length: u32 },
    Blob { start: u32, length: u32 },
}

pub(crate) struct Connection {
    raw: *mut ffi::sqlite3,
}

/// A compiled statement; lives no longer than its connection.
pub(crate) struct Statement<'c> {
    raw: *mut ffi::sqlite3_stmt,
    connection: &'c Connection,
    _owned: PhantomData<*mut ()>,
}

impl Connection {
    /// A database that exists.
    pub(crate) fn open_existing(path: &Path) -> Result<Self, Error> {
        Self::open(path, ffi::SQLITE_OPEN_READWRITE)
    }

    /// A database that is made when it does not exist.
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        Self::open(path, ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_CREATE)
    }

    fn open(path: &Path, flags: c_int) -> Result<Self, Error> {
        let name = c_string(&path.to_string_lossy())?;
        let mut raw = ptr::null_mut();
        // SAFETY: `name` ends with NUL and outlives the call; `raw` receives a handle that is closed exactly once.
        let code = unsafe { ffi::sqlite3_open_v2(name.as_ptr(), &raw mut raw, flags, ptr::null()) };
        let connection = Self { raw };
        connection.check(code, &path.display().to_string())?;
        Ok(connection)
    }

    /// Executes statements that return nothing of interest.
    pub(crate) fn execute(&self, sql: &str) -> Result<(), Error> {
        let text = c_string(sql)?;
        // SAFETY: the handle is open, `text` ends with NUL, and no callback is given.
        let code =
            unsafe { ffi::sqlite3_exec(self.raw, text.as_ptr(), None, ptr::null_mut(), ptr::null_mut()) };
        self.check(code, sql)
    }

    pub(crate) fn prepare(&self, sql: &str) -> Result<Statement<'_>, Error> {
        let text = c_string(sql)?;
        let mut raw = ptr::null_mut();
        let flags = ffi::SQLITE_PREPARE_PERSISTENT;
        // SAFETY: the handle is open and `text` ends with NUL; the statement is finalized exactly once.
        let code = unsafe {
            ffi::sqlite3_prepare_v3(self.raw, text.as_ptr(), -1, flags, &raw mut raw, ptr::null_mut())
        };
        self.check(code, sql)?;
        Ok(Statement { raw, connection: self, _owned: PhantomData })
    }

    /// The single number that a query returns.
    pub(crate) fn number(&self, sql: &str) -> Result<i64, Error> {
        let mut statement = self.prepare(sql)?;
        if statement.step()? { Ok(statement.int(0)) } else { Err(self.error(sql, "no result")) }
    }

    fn check(&self, code: c_int, what: &str) -> Result<(), Error> {
        if code == ffi::SQLITE_OK {
            return Ok(());
        }
        // SAFETY: `sqlite3_errmsg` accepts any handle that `sqlite3_open_v2` gave, null too, and its text is copied.
        let message = unsafe { CStr::from_ptr(ffi::sqlite3_errmsg(self.raw)) }.to_string_lossy().into_owned();
        Err(self.error(what, &message))
    }

    #[expect(clippy::unused_self, reason = "an error belongs to a connection")]
    fn error(&self, what: &str, message: &str) -> Error {
        let what: String = what.chars().take(200).collect();
        Error::Sqlite { what, message: message.to_owned() }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: statements borrow the connection, so all of them are finalized; the handle is not used again.
        unsafe { ffi::sqlite3_close(self.raw) };
    }
}

impl Statement<'_> {
    /// Binds all of `cells` (from the first parameter on), runs to the end, and is ready for the next values.
    pub(crate) fn insert(&mut self, cells: &[Cell], arena: &[u8]) -> Result<(), Error> {
        for (parameter, cell) in (1..).zip(cells) {
            let code = self.bind(parameter, *cell, arena);
            self.connection.check(code, "binding a value")?;
        }
        self.step()?;
        // SAFETY: the statement is compiled. Its bindings point into `arena`, but are read by `step` alone, and each
        // of them is bound anew before the next one.
        let code = unsafe { ffi::sqlite3_reset(self.raw) };
        self.connection.check(code, "finishing an insert")
    }

    fn bind(&self, parameter: c_int, cell: Cell, arena: &[u8]) -> c_int {
        // SAFETY: the statement is compiled; text and blobs lie in `arena` (the slices are checked), which outlives
        // the `step` that reads them, so they need not be copied (`SQLITE_STATIC`).
        unsafe {
            match cell {
                Cell::Null => ffi::sqlite3_bind_null(self.raw, parameter),
                Cell::Int(value) => ffi::sqlite3_bind_int64(self.raw, parameter, value),
                Cell::Real(value) => ffi::sqlite3_bind_double(self.raw, parameter, value),
                Cell::Text { start, length } => {
                    let bytes = slice(arena, start, length);
                    let (data, size) = (bytes.as_ptr().cast(), length.cast_signed());
                    ffi::sqlite3_bind_text(self.raw, parameter, data, size, ffi::SQLITE_STATIC())
                }
                Cell::Blob { start, length } => {
                    let bytes = slice(arena, start, length);
                    let (data, size) = (bytes.as_ptr().cast(), length.cast_signed());
                    ffi::sqlite3_bind_blob(self.raw, parameter, data, size, ffi::SQLITE_STATIC())
                }
            }
        }
    }

    /// Binds integers and starts the query over.
    pub(crate) fn query(&mut self, parameters: &[i64]) -> Result<(), Error> {
        // SAFETY: the statement is compiled; integers are bound by value.
        unsafe { ffi::sqlite3_reset(self.raw) };
        for (parameter, value) in (1..).zip(parameters) {
            let code = self.bind(parameter, Cell::Int(*value), &[]);
            self.connection.check(code, "binding a value")?;
        }
        Ok(())
    }

    /// Whether there is another row.
    pub(crate) fn step(&mut self) -> Result<bool, Error> {
        // SAFETY: the statement is compiled.
        match unsafe { ffi::sqlite3_step(self.raw) } {
            ffi::SQLITE_ROW => Ok(true),
            ffi::SQLITE_DONE => Ok(false),
            code => self.connection.check(code, "executing a statement").map(|()| false),
        }
    }

    pub(crate) fn int(&self, column: c_int) -> i64 {
        // SAFETY: the statement is compiled; a column that is not there reads as null, that is 0.
        unsafe { ffi::sqlite3_column_int64(self.raw, column) }
    }

    pub(crate) fn text(&self, column: c_int) -> Option<String> {
        let mut arena = Vec::new();
        match self.cell(column, &mut arena) {
            Cell::Null => None,
            Cell::Int(value) => Some(value.to_string()),
            Cell::Real(value) => Some(value.to_string()),
            Cell::Text { .. } | Cell::Blob { .. } => Some(String::from_utf8_lossy(&arena).into_owned()),
        }
    }

    /// Copies a value of the current row; its bytes go to the end of `arena`.
    pub(crate) fn cell(&self, column: c_int, arena: &mut Vec<u8>) -> Cell {
        // SAFETY: the statement stands on a row; the bytes are valid until the next call on it and are copied here,
        // and `sqlite3_column_bytes` is asked after the pointer, as its documentation wants.
        unsafe {
            let kind = ffi::sqlite3_column_type(self.raw, column);
            match kind {
                ffi::SQLITE_INTEGER => Cell::Int(ffi::sqlite3_column_int64(self.raw, column)),
                ffi::SQLITE_FLOAT => Cell::Real(ffi::sqlite3_column_double(self.raw, column)),
                ffi::SQLITE_TEXT | ffi::SQLITE_BLOB => {
                    let data: *const u8 = ffi::sqlite3_column_blob(self.raw, column).cast();
                    let size = usize::try_from(ffi::sqlite3_column_bytes(self.raw, column)).unwrap_or(0);
                    let start = u32::try_from(arena.len()).expect("a batch of epochs is far below 4 GiB");
                    if size > 0 {
                        arena.extend_from_slice(std::slice::from_raw_parts(data, size));
                    }
                    let length = u32::try_from(size).expect("SQLite's values are below 2 GiB");
                    if kind == ffi::SQLITE_TEXT {
                        Cell::Text { start, length }
                    } else {
                        Cell::Blob { start, length }
                    }
                }
                _ => Cell::Null,
            }
        }
    }
}

impl Drop for Statement<'_> {
    fn drop(&mut self) {
        // SAFETY: the statement is compiled, its connection is open, and it is not used again.
        unsafe { ffi::sqlite3_finalize(self.raw) };
    }
}

fn slice(arena: &[u8], start: u32, length: u32) -> &[u8] {
    &arena[start as usize..start as usize + length as usize]
}

fn c_string(text: &str) -> Result<CString, Error> {
    CString::new(text).map_err(|error| Error::Sqlite { what: text.to_owned(), message: error.to_string() })
}
