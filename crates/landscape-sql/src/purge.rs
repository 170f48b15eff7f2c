//! What a purge asks of the database and does to it. See [`elspeth_landscape::purge`].

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use elspeth_canonical::ContentHash;
use elspeth_contracts::{EpochNo, Grade, Micros, PurgeStatus, RunId, RunStatus, UnknownCode};
use elspeth_landscape::purge::{
    BlockKey, LandscapePurger, PurgeCandidate, PurgeStart, PurgeView, RecordedPurge, StoredBlock,
};
use elspeth_landscape::registry::{Entry, Purged};
use elspeth_landscape::{Corruption, LandscapeError};
use elspeth_proof::SecretKey;

use crate::db::{Bind, Connection, Db, DbError, Row, values};
use crate::error::{WriteFailed, write_error};
use crate::reader::SILENT;
use crate::tables::Registry;

/// Looks for bodies that may be purged. Changes nothing. Made by [`crate::Landscape`].
pub struct DatabasePurgeView {
    connection: Connection,
    location: String,
}

/// Purges bodies of a database, also beside a writer. Made by [`crate::Landscape`].
pub struct DatabasePurger {
    view: DatabasePurgeView,
    signer: Option<Arc<SecretKey>>,
}

const CANDIDATES: &str =
    "SELECT r.run_no, r.run_id, r.status, r.completed_at, r.heartbeat_at, r.owner, r.settings,
    count(b.epoch), coalesce(sum(length(b.block)), 0)
    FROM runs r LEFT JOIN bodies b ON b.run_no = r.run_no GROUP BY r.run_no ORDER BY r.run_no";
const PURGES: &str =
    "SELECT p.purge_no, p.run_no, r.run_id, p.status, p.payload_store, p.blocks, p.block_bytes,
    p.files, p.file_bytes, p.kept_files, (SELECT count(*) FROM purge_files f WHERE f.purge_no = p.purge_no)
    FROM purges p JOIN runs r ON r.run_no = p.run_no";
const BLOCKS: &str = "SELECT run_no, epoch, block FROM bodies
    WHERE (run_no, epoch) > (?1, ?2) AND run_no BETWEEN ?3 AND ?4 ORDER BY run_no, epoch LIMIT ?5";

/// The run, if it is as it was seen. One that is not completed changes its owner, as if it were taken up.
const LOWER_GRADE: &str =
    "UPDATE runs SET grade = ?1, owner = CASE status WHEN 1 THEN owner ELSE 'elspeth purge' END
    WHERE run_no = ?2 AND status = ?3 AND owner = ?4 AND heartbeat_at = ?5 AND completed_at IS ?6";
const BEGIN: &str = "INSERT INTO purges(run_no, requested_at, older_than_days, by_name, payload_store)
    VALUES(?, ?, ?, ?, ?)";
const FORGET_CHECKPOINTS: &str = "DELETE FROM checkpoints WHERE run_no = ?";
const REMOVE_BLOCK: &str = "DELETE FROM bodies WHERE run_no = ? AND epoch = ? RETURNING length(block)";
/// A body that several purges are to remove from one store is listed once.
const LIST_FILE: &str = "INSERT INTO purge_files(purge_no, hash) SELECT ?1, ?2 WHERE NOT EXISTS (
    SELECT 1 FROM purges p JOIN purge_files f ON f.purge_no = p.purge_no
    WHERE p.status = 0 AND p.payload_store = ?3 AND f.hash = ?2)";
const COUNT_BLOCKS: &str =
    "UPDATE purges SET blocks = blocks + ?, block_bytes = block_bytes + ? WHERE purge_no = ?";
const FILES: &str = "SELECT f.hash FROM purges p JOIN purge_files f ON f.purge_no = p.purge_no
    WHERE p.status = 0 AND p.payload_store = ? ORDER BY f.purge_no, f.hash LIMIT ?";
const UNLIST: &str = "DELETE FROM purge_files WHERE hash = ?1 AND purge_no IN (
    SELECT purge_no FROM purges WHERE status = 0 AND payload_store = ?2) RETURNING purge_no";
const COUNT_KEPT: &str = "UPDATE purges SET kept_files = kept_files + 1 WHERE purge_no = ?";
const COUNT_REMOVED: &str =
    "UPDATE purges SET files = files + 1, file_bytes = file_bytes + ? WHERE purge_no = ?";
const FINISH: &str = "UPDATE purges SET status = 1, finished_at = ?1 WHERE status = 0
    AND NOT EXISTS (SELECT 1 FROM purge_files f WHERE f.purge_no = purges.purge_no)
    AND NOT EXISTS (SELECT 1 FROM bodies b WHERE b.run_no = purges.run_no)
    RETURNING run_no, (SELECT run_id FROM runs r WHERE r.run_no = purges.run_no), purge_no, finished_at, blocks,
    block_bytes, files, file_bytes, kept_files";

impl DatabasePurgeView {
    pub(crate) fn new(connection: Connection, location: String) -> Self {
        Self { connection, location }
    }

    fn list<T>(
        &self,
        sql: &str,
        values: &[&dyn Bind],
        read: fn(&Row<'_>) -> Result<Result<T, Corruption>, DbError>,
    ) -> Result<Vec<T>, LandscapeError> {
        let rows = self.connection.db().list(sql, values, read);
        let rows = rows
            .map_err(|error| error.told(format!("looking for bodies in audit database {}", self.location)))?;
        rows.into_iter().map(|row| row.map_err(LandscapeError::from)).collect()
    }

    fn purges(&self, which: &str, values: &[&dyn Bind]) -> Result<Vec<RecordedPurge>, LandscapeError> {
        self.list(&format!("{PURGES} WHERE {which} ORDER BY p.purge_no"), values, read_purge)
    }
}

fn read_candidate(row: &Row<'_>) -> Result<Result<PurgeCandidate, Corruption>, DbError> {
    let (id, status) = (row.get::<String>(1)?, row.get(2)?);
    let (run_id, status) = match (read_id(&id), code(RunStatus::from_code(status), "runs", &id)) {
        (Ok(run_id), Ok(status)) => (run_id, status),
        (Err(corrupt), _) | (_, Err(corrupt)) => return Ok(Err(corrupt)),
    };
    Ok(Ok(PurgeCandidate {
        run_no: row.get(0)?,
        run_id,
        status,
        completed_at: row.get::<Option<i64>>(3)?.map(Micros),
        heartbeat_at: Micros(row.get(4)?),
        owner: row.get(5)?,
        settings: row.get(6)?,
        blocks: unsigned(row, 7)?,
        block_bytes: unsigned(row, 8)?,
    }))
}

fn read_purge(row: &Row<'_>) -> Result<Result<RecordedPurge, Corruption>, DbError> {
    let (purge_no, id, status): (i64, String, i64) = (row.get(0)?, row.get(2)?, row.get(3)?);
    let status = code(PurgeStatus::from_code(status), "purges", &format!("purge_no {purge_no}"));
    let (run_id, status) = match (read_id(&id), status) {
        (Ok(run_id), Ok(status)) => (run_id, status),
        (Err(corrupt), _) | (_, Err(corrupt)) => return Ok(Err(corrupt)),
    };
    Ok(Ok(RecordedPurge {
        purge_no,
        run_no: row.get(1)?,
        run_id,
        status,
        payload_store: PathBuf::from(row.get::<String>(4)?),
        blocks: unsigned(row, 5)?,
        block_bytes: unsigned(row, 6)?,
        files: unsigned(row, 7)?,
        file_bytes: unsigned(row, 8)?,
        kept_files: unsigned(row, 9)?,
        files_left: unsigned(row, 10)?,
    }))
}

/// What is entered about a purge that has just come to its end, and the number of its run.
fn read_ended(row: &Row<'_>) -> Result<(i64, Result<Purged, LandscapeError>), DbError> {
    let purged = |run| -> Result<Purged, DbError> {
        Ok(Purged {
            run,
            purge: row.get(2)?,
            finished_at: Micros(row.get(3)?),
            blocks: unsigned(row, 4)?,
            block_bytes: unsigned(row, 5)?,
            files: unsigned(row, 6)?,
            file_bytes: unsigned(row, 7)?,
            kept_files: unsigned(row, 8)?,
            signed_by: None,
        })
    };
    let entry = match read_id(&row.get::<String>(1)?) {
        Ok(run) => Ok(purged(run)?),
        Err(corrupt) => Err(corrupt.into()),
    };
    Ok((row.get(0)?, entry))
}

fn read_block(row: &Row<'_>) -> Result<Result<StoredBlock, Corruption>, DbError> {
    let key = BlockKey { run_no: row.get(0)?, epoch: EpochNo(row.get::<i64>(1)?.cast_unsigned()) };
    Ok(Ok(StoredBlock { key, bytes: row.get(2)? }))
}

fn read_hash(row: &Row<'_>) -> Result<Result<ContentHash, Corruption>, DbError> {
    row.get::<[u8; 32]>(0).map(ContentHash::from_bytes).map(Ok)
}

fn read_id(text: &str) -> Result<RunId, Corruption> {
    let corrupt = |what| Corruption { table: "runs", id: format!("run_id {text}"), what };
    text.parse().map_err(|error| corrupt(format!("`run_id`: {error}")))
}

fn code<E>(found: Result<E, UnknownCode>, table: &'static str, id: &str) -> Result<E, Corruption> {
    found.map_err(|unknown| Corruption { table, id: id.to_owned(), what: format!("`status`: {unknown}") })
}

fn unsigned(row: &Row<'_>, column: usize) -> Result<u64, DbError> {
    row.get::<i64>(column).map(i64::cast_unsigned)
}

#[async_trait]
impl PurgeView for DatabasePurgeView {
    async fn candidates(&mut self) -> Result<Vec<PurgeCandidate>, LandscapeError> {
        self.list(CANDIDATES, &[], read_candidate)
    }

    async fn open_purges(&mut self) -> Result<Vec<RecordedPurge>, LandscapeError> {
        self.purges("p.status = 0", &[])
    }

    async fn blocks(
        &mut self,
        run_no: Option<i64>,
        after: Option<BlockKey>,
        limit: u32,
    ) -> Result<Vec<StoredBlock>, LandscapeError> {
        let after = after.map_or((i64::MIN, -1), |key| (key.run_no, key.epoch.0.cast_signed()));
        let (first, last) = run_no.map_or((i64::MIN, i64::MAX), |run_no| (run_no, run_no));
        self.list(BLOCKS, values![after.0, after.1, first, last, limit], read_block)
    }

    async fn lease_clock(&mut self, run: &PurgeCandidate) -> Result<Option<Micros>, LandscapeError> {
        let Db::Postgres(_) = self.connection.db() else { return Ok(None) };
        let read = |row: &Row<'_>| Ok(Ok(row.get::<i64>(1)?));
        let silent = self.list(SILENT, values![run.run_no], read)?;
        Ok(silent.first().map(|silent| Micros(run.heartbeat_at.0.saturating_add(*silent))))
    }
}

impl DatabasePurger {
    /// What SQLite deletes it overwrites, in the pages that stay and in those that become free.
    pub(crate) fn new(
        view: DatabasePurgeView,
        signer: Option<Arc<SecretKey>>,
    ) -> Result<Self, LandscapeError> {
        let secured = match view.connection.db() {
            Db::Sqlite(_) => view.connection.db().batch("PRAGMA secure_delete = ON"),
            Db::Postgres(_) => Ok(()),
        };
        secured.map_err(|error| error.told(format!("opening audit database {}", view.location)))?;
        Ok(Self { view, signer })
    }

    fn registry(&self) -> Registry<'_> {
        Registry { db: self.view.connection.db(), signer: self.signer.as_deref() }
    }

    /// Does `work` in one durable transaction.
    fn transaction<T>(
        &self,
        what: &str,
        work: impl FnOnce(Db<'_>) -> Result<T, WriteFailed>,
    ) -> Result<T, LandscapeError> {
        let db = self.view.connection.db();
        let done = db.transaction(|| work(db));
        done.map_err(|error| error.told(|| format!("{what} in audit database {}", self.view.location)))
    }

    /// Copies the write-ahead log into the file and empties it; `false` when somebody reads in it.
    fn empty_log(&self, connection: &rusqlite::Connection) -> Result<bool, LandscapeError> {
        let busy: rusqlite::Result<i64> =
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |row| row.get(0));
        let failed =
            |error| write_error(format!("emptying the log in audit database {}", self.view.location), error);
        match busy {
            Ok(busy) => Ok(busy == 0),
            Err(error) => match failed(&error) {
                LandscapeError::Store { retryable: true, .. } => Ok(false),
                other => Err(other),
            },
        }
    }

    /// The text under which a store's folder is recorded.
    fn recorded_path<'p>(&self, store: &'p Path) -> Result<&'p str, LandscapeError> {
        store.to_str().ok_or_else(|| LandscapeError::Store {
            context: format!("purging in audit database {}", self.view.location),
            message: format!("the path of the payload store {} is not text", store.display()),
            retryable: false,
        })
    }
}

#[async_trait]
impl PurgeView for DatabasePurger {
    async fn candidates(&mut self) -> Result<Vec<PurgeCandidate>, LandscapeError> {
        self.view.candidates().await
    }

    async fn open_purges(&mut self) -> Result<Vec<RecordedPurge>, LandscapeError> {
        self.view.open_purges().await
    }

    async fn blocks(
        &mut self,
        run_no: Option<i64>,
        after: Option<BlockKey>,
        limit: u32,
    ) -> Result<Vec<StoredBlock>, LandscapeError> {
        self.view.blocks(run_no, after, limit).await
    }

    async fn lease_clock(&mut self, run: &PurgeCandidate) -> Result<Option<Micros>, LandscapeError> {
        self.view.lease_clock(run).await
    }
}

#[async_trait]
impl LandscapePurger for DatabasePurger {
    async fn begin(&mut self, start: &PurgeStart) -> Result<(), LandscapeError> {
        let (run, store) = (&start.run, self.recorded_path(&start.payload_store)?);
        let seen = values![
            Grade::AttributableOnly.code(),
            run.run_no,
            run.status.code(),
            run.owner,
            run.heartbeat_at.0,
            run.completed_at.map(|at| at.0)
        ];
        let begun = self.transaction("recording a purge", |db| {
            if db.execute(LOWER_GRADE, seen)? == 0 {
                return Ok(false);
            }
            self.registry().admit(start.now)?;
            let values = values![run.run_no, start.now.0, start.older_than_days, start.by_name, store];
            let purge_no = db.inserted(BEGIN, values, "purge_no")?;
            let entry = Entry::purge_requested(start, purge_no, store);
            db.execute(FORGET_CHECKPOINTS, values![run.run_no])?;
            self.registry().append(Some(run.run_no), entry)?;
            Ok(true)
        })?;
        if begun {
            return Ok(());
        }
        Err(LandscapeError::Store {
            context: format!("purging run {}", run.run_id),
            message: "another process works on it; nothing of it was purged".to_owned(),
            retryable: true,
        })
    }

    async fn remove_blocks(
        &mut self,
        purge: &RecordedPurge,
        epochs: &[EpochNo],
        large: &[ContentHash],
    ) -> Result<(), LandscapeError> {
        let store = self.recorded_path(&purge.payload_store)?;
        self.transaction("removing bodies", |db| {
            for hash in large {
                db.execute(LIST_FILE, values![purge.purge_no, hash, store])?;
            }
            let (mut blocks, mut bytes) = (0, 0);
            for epoch in epochs {
                let length = db.number(REMOVE_BLOCK, values![purge.run_no, epoch.0.cast_signed()])?;
                blocks += i64::from(length.is_some());
                bytes += length.unwrap_or_default();
            }
            db.execute(COUNT_BLOCKS, values![blocks, bytes, purge.purge_no])?;
            Ok(())
        })
    }

    async fn files(&mut self, store: &Path, limit: u32) -> Result<Vec<ContentHash>, LandscapeError> {
        let store = self.recorded_path(store)?;
        self.view.list(FILES, values![store, limit], read_hash)
    }

    async fn keep_files(&mut self, store: &Path, hashes: &[ContentHash]) -> Result<(), LandscapeError> {
        let store = self.recorded_path(store)?;
        self.transaction("keeping files", |db| {
            for hash in hashes {
                if let Some(purge_no) = unlist(db, store, hash)? {
                    db.execute(COUNT_KEPT, values![purge_no])?;
                }
            }
            Ok(())
        })
    }

    async fn removed_files(
        &mut self,
        store: &Path,
        removed: &[(ContentHash, Option<u64>)],
    ) -> Result<(), LandscapeError> {
        let store = self.recorded_path(store)?;
        self.transaction("recording removed files", |db| {
            for (hash, length) in removed {
                if let (Some(purge_no), Some(length)) = (unlist(db, store, hash)?, length) {
                    db.execute(COUNT_REMOVED, values![length.cast_signed(), purge_no])?;
                }
            }
            Ok(())
        })
    }

    async fn wipe(&mut self) -> Result<bool, LandscapeError> {
        match self.view.connection.db() {
            Db::Sqlite(connection) => self.empty_log(connection),
            // The server reuses the place of what was deleted by itself; `docs/operations.md` says how to force it.
            Db::Postgres(session) => match session.batch("VACUUM bodies") {
                Ok(()) => Ok(true),
                Err(error) => {
                    Err(DbError::from(error).told(format!("vacuuming audit database {}", self.view.location)))
                }
            },
        }
    }

    async fn finish(&mut self, now: Micros) -> Result<(), LandscapeError> {
        self.transaction("ending a purge", |db| {
            for (run_no, purged) in db.list(FINISH, values![now.0], read_ended)? {
                self.registry().append(Some(run_no), Entry::Purged(purged?))?;
            }
            Ok(())
        })
    }

    async fn recorded(&mut self, purge_no: i64) -> Result<RecordedPurge, LandscapeError> {
        let found = self.view.purges("p.purge_no = ?", values![purge_no])?;
        found.into_iter().next().ok_or_else(|| {
            let (id, what) = (format!("purge_no {purge_no}"), "it is gone".to_owned());
            Corruption { table: "purges", id, what }.into()
        })
    }
}

/// The purge that had it on its list.
fn unlist(db: Db<'_>, store: &str, hash: &ContentHash) -> Result<Option<i64>, DbError> {
    db.number(UNLIST, values![hash, store])
}
