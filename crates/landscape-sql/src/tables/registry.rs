//! `registry` and `heads`: the append-only log of the database, and its signed heads.

use elspeth_contracts::Micros;
use elspeth_landscape::registry::{Admission, Entry, KeyAdded, Keys, Log, Opened, Signer};
use elspeth_landscape::{Corruption, LandscapeError};
use elspeth_proof::SecretKey;

use crate::db::{Db, DbError, Row, values};
use crate::error::WriteFailed;

/// The log, for a writer: what is appended becomes durable with the transaction that is open.
pub(crate) struct Registry<'a> {
    pub(crate) db: Db<'a>,
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
        self.db.lock_registry()?;
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
        self.db.lock_registry()?;
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
        self.db.lock_registry()?;
        self.enter(&mut self.log()?, (None, entry), Some(Signer { origin, key }))
    }

    fn enter(
        &self,
        log: &mut Log,
        (run_no, entry): (Option<i64>, Entry),
        signer: Option<Signer<'_>>,
    ) -> Result<(), WriteFailed> {
        let appended = log.enter(entry, signer)?;
        let values = values![appended.number.cast_signed(), run_no, appended.text, appended.peaks];
        self.db.execute(Self::INSERT, values)?;
        if let Some(note) = appended.note {
            self.db.execute(Self::INSERT_HEAD, values![log.size().cast_signed(), note])?;
        }
        Ok(())
    }

    /// The log as far as it goes.
    pub(crate) fn log(&self) -> Result<Log, WriteFailed> {
        let read = |row: &Row<'_>| Ok::<_, DbError>((row.get::<i64>(0)?, row.get::<Vec<u8>>(1)?));
        let Some((last, peaks)) = self.db.first(Self::LAST, &[], read)? else { return Ok(Log::empty()) };
        let size = u64::try_from(last).ok().map(|last| last + 1);
        let log = size.and_then(|size| Log::from_stored(size, &peaks));
        Ok(log.ok_or_else(|| corrupt(last, "`peaks` are not those of a log of that length"))?)
    }

    /// The log's name, and its keys.
    pub(crate) fn keys(&self) -> Result<(String, Keys), WriteFailed> {
        let origin = self.origin()?;
        let mut keys = Keys::default();
        self.db.each(Self::OF_NO_RUN, &[], |row| {
            let (number, text): (i64, String) = (row.get(0)?, row.get(1)?);
            let entry = Entry::read(&text).ok_or_else(|| corrupt(number, "it cannot be read"))?;
            keys.enter(&origin, &entry).map_err(|what| corrupt(number, &what))?;
            Ok::<(), WriteFailed>(())
        })?;
        Ok((origin, keys))
    }

    pub(crate) fn origin(&self) -> Result<String, WriteFailed> {
        let first = self.db.first(Self::FIRST, &[], |row| row.get::<String>(0))?;
        match first.and_then(|text| Entry::read(&text)) {
            Some(Entry::Opened(Opened { origin, .. })) => Ok(origin),
            Some(_) | None => Err(corrupt(0, "the log does not begin with `opened`").into()),
        }
    }
}

fn corrupt(number: i64, what: &str) -> LandscapeError {
    Corruption { table: "registry", id: format!("number {number}"), what: what.to_owned() }.into()
}
