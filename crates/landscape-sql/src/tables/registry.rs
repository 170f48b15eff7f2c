//! `registry` and `heads`: the append-only log of the database, and its signed heads.

use elspeth_contracts::Micros;
use elspeth_landscape::registry::{Admission, Entry, KeyAdded, Keys, Log, Opened, Signer};
use elspeth_landscape::{Corruption, LandscapeError};
use elspeth_proof::SecretKey;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::error::WriteFailed;

/// The log, for a writer: what is appended becomes durable with the transaction that is open.
pub(crate) struct Registry<'a> {
    pub(crate) connection: &'a Connection,
    /// Who signs its heads; nobody, where no key is given.
    pub(crate) signer: Option<&'a SecretKey>,
}

impl Registry<'_> {
    const LAST: &'static str = "SELECT number, peaks FROM registry ORDER BY number DESC LIMIT 1";
    const FIRST: &'static str = "SELECT entry FROM registry WHERE number = 0";
    /// Entries about keys, and the first.
    const OF_NO_RUN: &'static str = "SELECT number, entry FROM registry WHERE run_no IS NULL ORDER BY number";
    const INSERT: &'static str = "INSERT INTO registry(number, run_no, entry, peaks) VALUES(?, ?, ?, ?)";
    const INSERT_HEAD: &'static str = "INSERT INTO heads(size, note) VALUES(?, ?)";

    /// Appends an entry, and the signed head that belongs to it. A key that was revoked since the run began signs no more.
    pub(crate) fn append(&self, run_no: Option<i64>, entry: Entry) -> Result<(), WriteFailed> {
        let mut log = self.log()?;
        let mut signer = None;
        if let Some(key) = self.signer {
            let (origin, keys) = self.keys()?;
            signer = keys.is_live(key.public()).then_some((origin, key));
        }
        let signer = signer.as_ref().map(|(origin, key)| Signer { origin, key });
        self.enter(&mut log, (run_no, entry), signer)
    }

    /// Sees to it that the signer may sign what begins now; the first key of a database is entered.
    pub(crate) fn admit(&self, now: Micros) -> Result<(), WriteFailed> {
        let Some(key) = self.signer else { return Ok(()) };
        let (origin, keys) = self.keys()?;
        match keys.admit(key.public()).map_err(LandscapeError::from)? {
            Admission::Current => Ok(()),
            Admission::First => {
                let added = KeyAdded {
                    origin: origin.clone(),
                    key: key.public().to_string(),
                    added_at: now,
                    replaces: None,
                    signatures: Vec::new(),
                };
                self.enter_key(&origin, Entry::KeyAdded(added), key)
            }
        }
    }

    /// Appends an entry about a key, and a head that `key` signs.
    pub(crate) fn enter_key(&self, origin: &str, entry: Entry, key: &SecretKey) -> Result<(), WriteFailed> {
        self.enter(&mut self.log()?, (None, entry), Some(Signer { origin, key }))
    }

    fn enter(
        &self,
        log: &mut Log,
        (run_no, entry): (Option<i64>, Entry),
        signer: Option<Signer<'_>>,
    ) -> Result<(), WriteFailed> {
        let appended = log.enter(entry, signer)?;
        let values = params![appended.number.cast_signed(), run_no, appended.text, appended.peaks];
        self.connection.prepare_cached(Self::INSERT)?.execute(values)?;
        if let Some(note) = appended.note {
            self.connection.execute(Self::INSERT_HEAD, params![log.size().cast_signed(), note])?;
        }
        Ok(())
    }

    /// The log as far as it goes.
    pub(crate) fn log(&self) -> Result<Log, WriteFailed> {
        let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?));
        let last = self.connection.prepare_cached(Self::LAST)?.query_row((), read).optional()?;
        let Some((last, peaks)) = last else { return Ok(Log::empty()) };
        let size = u64::try_from(last).ok().map(|last| last + 1);
        let log = size.and_then(|size| Log::from_stored(size, &peaks));
        Ok(log.ok_or_else(|| corrupt(last, "`peaks` are not those of a log of that length"))?)
    }

    /// The log's name, and its keys.
    pub(crate) fn keys(&self) -> Result<(String, Keys), WriteFailed> {
        let origin = self.origin()?;
        let mut keys = Keys::default();
        let mut statement = self.connection.prepare_cached(Self::OF_NO_RUN)?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            let (number, text): (i64, String) = (row.get(0)?, row.get(1)?);
            let entry = Entry::read(&text).ok_or_else(|| corrupt(number, "it cannot be read"))?;
            keys.enter(&origin, &entry).map_err(|what| corrupt(number, &what))?;
        }
        Ok((origin, keys))
    }

    pub(crate) fn origin(&self) -> Result<String, WriteFailed> {
        let first: Option<String> =
            self.connection.prepare_cached(Self::FIRST)?.query_row((), |row| row.get(0)).optional()?;
        match first.and_then(|text| Entry::read(&text)) {
            Some(Entry::Opened(Opened { origin, .. })) => Ok(origin),
            Some(_) | None => Err(corrupt(0, "the log does not begin with `opened`").into()),
        }
    }
}

fn corrupt(number: i64, what: &str) -> LandscapeError {
    Corruption { table: "registry", id: format!("number {number}"), what: what.to_owned() }.into()
}
