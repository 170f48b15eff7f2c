//! Everything stored of one run, for verifiers.

mod cells;
mod export;
mod gathered;
mod keys;
mod log;
mod mark;
mod records;

use std::collections::HashSet;

use elspeth_contracts::{
    BatchMemberRecord, BatchOutputRecord, BatchRecord, CallRecord, EpochNo, Micros, NodeStateRecord,
    PurgeStatus, ReleaseRecord, RoutingEventRecord, RowIndex, RowRecord, RunId, RunStatus,
    StateContextRecord, TokenKey, TokenOutcomeRecord, TokenParentRecord, TokenRecord, TransformErrorRecord,
    ValidationErrorRecord,
};
use elspeth_landscape::registry::Entry;
use elspeth_landscape::verify::{
    Account, BatchRecords, CheckpointRecord, Continuation, Counted, Effects, EpochRecord, Later, LaterFile,
    LaterSink, PurgeRecord, RecordScan, RegistryScan, RowRecords, RunMark, ScanSource, TokenRange,
    TokenRecords,
};
use elspeth_landscape::{Corruption, LandscapeError, RunRecord, SinkIntent};

use crate::background::Counted as CountedRows;
use crate::db::{Bind, Connection, Db, DbError, Row, values};
use crate::error::WriteFailed;
use crate::landscape::Landscape;
use crate::{conservation, counters};
use cells::{Cells, first_released};
use gathered::Gathered;
use log::LogScan;
use records::Table;
pub(crate) use records::is_ranged;

/// Opens scans of an audit database. Made by [`crate::Landscape`].
pub struct Scans {
    landscape: Landscape,
}

impl Scans {
    pub(crate) fn new(landscape: Landscape) -> Result<Self, LandscapeError> {
        landscape.check_readable()?;
        Ok(Self { landscape })
    }

    /// A scan of the registry.
    ///
    /// # Errors
    /// [`LandscapeError::Store`] when the database cannot be read.
    pub fn registry(&self) -> Result<Box<dyn RegistryScan>, LandscapeError> {
        let (connection, location) = (self.landscape.snapshot()?, self.landscape.location());
        Ok(Box::new(LogScan { connection, location }))
    }
}

impl ScanSource for Scans {
    fn open(&self, run: &RunRecord) -> Result<Box<dyn RecordScan>, LandscapeError> {
        Ok(Box::new(self.scan_of(run)?))
    }
}

impl Scans {
    fn scan_of(&self, run: &RunRecord) -> Result<Scan, LandscapeError> {
        let (connection, location) = (self.landscape.snapshot()?, self.landscape.location());
        let ranges = Ranges::new(connection.db(), (run.run_id, run.run_no));
        let ranges = ranges.map_err(|error| error.told(verifying(&location)))?;
        Ok(Scan { connection, location, run_no: run.run_no, run_id: run.run_id, ranges })
    }
}

struct Scan {
    connection: Connection,
    location: String,
    run_no: i64,
    run_id: RunId,
    ranges: Ranges,
}

/// Tables of which a scan reads ranges.
struct Ranges {
    rows: Gathered<RowRecord>,
    validation_errors: Gathered<ValidationErrorRecord>,
    tokens: Gathered<TokenRecord>,
    parents: Gathered<TokenParentRecord>,
    states: Gathered<NodeStateRecord>,
    sink_states: Gathered<NodeStateRecord>,
    contexts: Gathered<StateContextRecord>,
    routing: Gathered<RoutingEventRecord>,
    calls: Gathered<CallRecord>,
    transform_errors: Gathered<TransformErrorRecord>,
    outcomes: Gathered<TokenOutcomeRecord>,
    batches: Gathered<BatchRecord>,
    outputs: Gathered<BatchOutputRecord>,
    members: Gathered<BatchMemberRecord>,
}

impl Ranges {
    fn new(db: Db<'_>, run: (RunId, i64)) -> Result<Self, DbError> {
        Ok(Self {
            rows: Gathered::new(db, &records::ROWS, run)?,
            validation_errors: Gathered::new(db, &records::VALIDATION_ERRORS, run)?,
            tokens: Gathered::new(db, &records::TOKENS, run)?,
            parents: Gathered::new(db, &records::TOKEN_PARENTS, run)?,
            states: Gathered::new(db, &records::NODE_STATES, run)?,
            sink_states: Gathered::new(db, &records::SINK_STATES, run)?,
            contexts: Gathered::new(db, &records::STATE_CONTEXTS, run)?,
            routing: Gathered::new(db, &records::ROUTING_EVENTS, run)?,
            calls: Gathered::new(db, &records::CALLS, run)?,
            transform_errors: Gathered::new(db, &records::TRANSFORM_ERRORS, run)?,
            outcomes: Gathered::new(db, &records::TOKEN_OUTCOMES, run)?,
            batches: Gathered::new(db, &records::BATCHES, run)?,
            outputs: Gathered::new(db, &records::BATCH_OUTPUTS, run)?,
            members: Gathered::new(db, &records::MEMBERS, run)?,
        })
    }
}

fn verifying(location: &str) -> String {
    format!("verifying audit database {location}")
}

impl Scan {
    fn failed(&self, error: WriteFailed) -> LandscapeError {
        error.told(|| verifying(&self.location))
    }

    /// Reads every record that a table's query gives.
    fn each<R>(
        &self,
        table: &Table<R>,
        values: &[&dyn Bind],
        mut each: impl FnMut(R),
    ) -> Result<(), LandscapeError> {
        let read = |row: &Row<'_>| -> Result<(), WriteFailed> {
            each((table.read)(&Cells::new(row, self.run_id, (table.name, table.key)))?);
            Ok(())
        };
        self.connection.db().each(table.sql, values, read).map_err(|error| self.failed(error))
    }

    fn read<R>(
        &self,
        table: &Table<R>,
        values: &[&dyn Bind],
        out: &mut Vec<R>,
    ) -> Result<(), LandscapeError> {
        self.each(table, values, |record| out.push(record))
    }

    /// Reads the records of a range of a table.
    fn range<R: Send + 'static>(
        &self,
        table: impl Fn(&Ranges) -> &Gathered<R>,
        range: (i64, i64),
        out: &mut Vec<R>,
    ) -> Result<(), LandscapeError> {
        table(&self.ranges).read(self.connection.db(), range, out).map_err(|error| self.failed(error))
    }

    /// Reads a list by an own query.
    fn list<R>(
        &self,
        (sql, table, key): (&str, &'static str, usize),
        read: impl Fn(&Cells<'_>) -> Result<R, LandscapeError>,
    ) -> Result<Vec<R>, LandscapeError> {
        let read = |row: &Row<'_>| Ok(read(&Cells::new(row, self.run_id, (table, key)))?);
        self.connection
            .db()
            .list(sql, values![self.run_no], read)
            .map_err(|error: WriteFailed| self.failed(error))
    }

    fn number(&self, sql: &str, values: &[&dyn Bind]) -> Result<Option<i64>, LandscapeError> {
        self.connection.db().number(sql, values).map_err(|error| self.failed(error.into()))
    }

    /// Numbers of runs that ran somewhere else, and not here since.
    fn imported(&self) -> Result<HashSet<i64>, LandscapeError> {
        // Whoever has many runs has few entries that have to be read as what they are.
        let sql = "SELECT number, run_no, entry FROM registry WHERE run_no <> ?
            AND (entry LIKE '%imported%' OR entry LIKE '%taken_up%') ORDER BY number";
        let entries =
            self.list((sql, "registry", 1), |cells| Ok((cells.int(1)?, Entry::read(&cells.text(2)?))))?;
        let mut imported = HashSet::new();
        for (run, entry) in entries {
            match entry {
                Some(Entry::Imported(_)) => imported.insert(run),
                Some(Entry::TakenUp(_)) => imported.remove(&run),
                Some(_) | None => false,
            };
        }
        Ok(imported)
    }
}

/// Tables whose records belong to tokens.
const OF_TOKENS: [&str; 9] = [
    "tokens",
    "token_parents",
    "node_states",
    "sink_states",
    "state_contexts",
    "routing_events",
    "calls",
    "transform_errors",
    "token_outcomes",
];

/// When runs ended last here, by the numbers of their entries: clocks can be set back.
macro_rules! ended {
    () => {
        "WITH ended AS (SELECT run_no, max(number) AS number FROM registry
            WHERE entry LIKE '%\"entry\":\"sealed\"%' GROUP BY run_no) "
    };
}

/// Files of runs that did not end before this one, in the order of their ends: those that got their names, and the newest of each sink.
const LATER_FILES: &str = concat!(
    ended!(),
    "SELECT a.run_no, a.path, a.size_bytes, a.content_hash, a.published, r.run_id
    FROM runs r JOIN artifacts a ON a.run_no = r.run_no LEFT JOIN ended e ON e.run_no = r.run_no
    WHERE r.run_no <> ?1
        AND (r.completed_at IS NULL OR e.number > (SELECT number FROM ended WHERE run_no = ?1))
        AND a.artifact_type = 'file' AND (a.published = 1
            OR (a.run_no, a.step, a.epoch) IN (SELECT run_no, step, max(epoch) FROM artifacts GROUP BY run_no, step))
    ORDER BY r.completed_at IS NULL, e.number, r.heartbeat_at, r.run_no, a.published"
);

/// Sinks (5) of runs that did not complete (1) and may have given files their names, of which nothing is recorded: their sinks are
/// done with all that was decided, and they did not end before this one.
const LATER_UNENDED: &str = concat!(
    ended!(),
    "SELECT r.run_no, r.run_id, n.config, r.completed_at
    FROM runs r JOIN nodes n ON n.run_no = r.run_no AND n.node_type = 5 LEFT JOIN ended e ON e.run_no = r.run_no
    WHERE r.run_no <> ?1 AND r.status <> 1
        AND (r.completed_at IS NULL OR e.number > (SELECT number FROM ended WHERE run_no = ?1))
        AND NOT EXISTS (SELECT 1 FROM epochs x WHERE x.run_no = r.run_no AND x.acted_at IS NULL)
        AND NOT EXISTS (SELECT 1 FROM artifacts a WHERE a.run_no = r.run_no AND a.published = 1)
    ORDER BY r.heartbeat_at, r.run_no, n.step"
);

/// Tables that have records of runs, beside those of tokens.
const OF_RUNS: [&str; 18] = [
    "nodes",
    "edges",
    "rows",
    "operations",
    "batches",
    "batch_members",
    "batch_outputs",
    "releases",
    "artifacts",
    "validation_errors",
    "epochs",
    "checkpoints",
    "sink_positions",
    "sink_intents",
    "resumptions",
    "bodies",
    "purges",
    "registry",
];

impl RecordScan for Scan {
    fn mark(&mut self) -> Result<RunMark, LandscapeError> {
        self.marked()
    }

    fn renew(&mut self) -> Result<(), LandscapeError> {
        self.connection.renew().map_err(|error| self.failed(error.into()))
    }

    fn epochs(&mut self) -> Result<Vec<EpochRecord>, LandscapeError> {
        let mut epochs = Vec::new();
        self.read(&records::EPOCHS, values![self.run_no], &mut epochs)?;
        Ok(epochs)
    }

    fn releases(&mut self) -> Result<Vec<ReleaseRecord>, LandscapeError> {
        let mut releases = Vec::new();
        self.read(&records::RELEASES, values![self.run_no], &mut releases)?;
        Ok(releases)
    }

    fn members(&mut self, each: &mut dyn FnMut(BatchMemberRecord)) -> Result<(), LandscapeError> {
        let mut members = Vec::new();
        self.range(|ranges| &ranges.members, (i64::MIN, i64::MAX), &mut members)?;
        members.into_iter().for_each(each);
        Ok(())
    }

    fn merged(&mut self, each: &mut dyn FnMut(TokenParentRecord)) -> Result<(), LandscapeError> {
        let merged = self.ranges.parents.each(self.connection.db(), (first_released(), i64::MAX), each);
        merged.map_err(|error| self.failed(error))
    }

    fn failed_merges(&mut self, each: &mut dyn FnMut(TokenOutcomeRecord)) -> Result<(), LandscapeError> {
        self.each(&records::FAILED_MERGES, values![self.run_no], each)
    }

    fn rows(
        &mut self,
        (first, last): (RowIndex, RowIndex),
        out: &mut RowRecords,
    ) -> Result<(), LandscapeError> {
        let range = (first.get().cast_signed(), last.get().cast_signed());
        self.range(|ranges| &ranges.rows, range, &mut out.rows)?;
        self.range(|ranges| &ranges.validation_errors, range, &mut out.validation_errors)
    }

    fn tokens(&mut self, tokens: TokenRange, out: &mut TokenRecords) -> Result<(), LandscapeError> {
        let range = (tokens.first.get().cast_signed(), tokens.last.get().cast_signed());
        self.range(|ranges| &ranges.tokens, range, &mut out.tokens)?;
        self.range(|ranges| &ranges.parents, range, &mut out.parents)?;
        self.range(|ranges| &ranges.states, range, &mut out.states)?;
        self.range(|ranges| &ranges.sink_states, range, &mut out.sink_states)?;
        self.range(|ranges| &ranges.contexts, range, &mut out.contexts)?;
        self.range(|ranges| &ranges.routing, range, &mut out.routing)?;
        self.range(|ranges| &ranges.calls, range, &mut out.calls)?;
        self.range(|ranges| &ranges.transform_errors, range, &mut out.transform_errors)?;
        self.range(|ranges| &ranges.outcomes, range, &mut out.outcomes)
    }

    fn batches(&mut self, (first, last): (u64, u64), out: &mut BatchRecords) -> Result<(), LandscapeError> {
        let range = (first.cast_signed(), last.cast_signed());
        self.range(|ranges| &ranges.batches, range, &mut out.batches)?;
        self.range(|ranges| &ranges.outputs, range, &mut out.outputs)
    }

    fn effects(&mut self, epoch: EpochNo) -> Result<Effects, LandscapeError> {
        let mut effects = Effects::default();
        let epoch = epoch.0.cast_signed();
        let key: &[&dyn Bind] = &[&self.run_no, &epoch];
        self.read(&records::OPERATIONS, key, &mut effects.operations)?;
        self.read(&records::ARTIFACTS, key, &mut effects.artifacts)?;
        Ok(effects)
    }

    fn block(&mut self, epoch: EpochNo) -> Result<Option<Vec<u8>>, LandscapeError> {
        let sql = "SELECT epoch, block FROM bodies WHERE run_no = ?1 AND epoch = ?2";
        let table = Table { name: "bodies", key: 1, sql, read: |cells| cells.bytes(1) };
        let mut blocks = Vec::new();
        self.read(&table, values![self.run_no, epoch.0.cast_signed()], &mut blocks)?;
        Ok(blocks.pop())
    }

    fn blocks(&mut self) -> Result<Vec<EpochNo>, LandscapeError> {
        let sql = "SELECT epoch FROM bodies WHERE run_no = ? ORDER BY epoch";
        self.list((sql, "bodies", 1), |cells| cells.epoch(0))
    }

    fn came_without_bodies(&mut self) -> Result<bool, LandscapeError> {
        let sql = "SELECT number, entry FROM registry WHERE run_no = ? ORDER BY number";
        let entries = self.list((sql, "registry", 1), |cells| Ok(Entry::read(&cells.text(1)?)))?;
        Ok(entries.iter().any(|entry| matches!(entry, Some(Entry::Imported(imported)) if !imported.bodies)))
    }

    fn count(&mut self, table: Counted) -> Result<u64, LandscapeError> {
        let of = |table: &str| {
            self.number(&format!("SELECT count(*) FROM {table} WHERE run_no = ?"), values![self.run_no])
        };
        let count = match table {
            Counted::Batches => of("batches")?,
            Counted::BatchOutputs => of("batch_outputs")?,
            Counted::Operations => of("operations")?,
            Counted::Artifacts => of("artifacts")?,
            Counted::OfReleased => {
                let parts: Vec<String> = OF_TOKENS
                    .iter()
                    .map(|table| format!("(SELECT count(*) FROM {table} WHERE run_no = ?1 AND token >= ?2)"))
                    .collect();
                let sql = format!("SELECT {}", parts.join(" + "));
                self.number(&sql, values![self.run_no, first_released()])?
            }
        };
        Ok(count.unwrap_or_default().cast_unsigned())
    }

    fn beyond(&mut self, rows: u64) -> Result<Option<Corruption>, LandscapeError> {
        for table in ["rows", "validation_errors"] {
            let sql = format!(
                "SELECT row_index FROM {table} WHERE run_no = ?1 AND (row_index < 0 OR row_index >= ?2) LIMIT 1"
            );
            if let Some(row) = self.part_of_key((&sql, table), values![self.run_no, rows.cast_signed()])? {
                return Ok(Some(Corruption {
                    table,
                    id: format!("row {row}"),
                    what: "no epoch has that row".to_owned(),
                }));
            }
        }
        let end = (rows << 20).cast_signed();
        for table in OF_TOKENS {
            let sql = format!(
                "SELECT token FROM {table} WHERE run_no = ?1 AND token < 0
                UNION ALL SELECT token FROM {table} WHERE run_no = ?1 AND token >= ?2 AND token < ?3
                UNION ALL SELECT token FROM {table} WHERE run_no = ?1 AND token > {} LIMIT 1",
                i64::MAX
            );
            let values = values![self.run_no, end, first_released()];
            if let Some(token) = self.part_of_key((&sql, table), values)? {
                let id = TokenKey::from_u64(token.cast_unsigned()).map_or_else(
                    || format!("token {token}"),
                    |token| self.run_id.token_id(token).to_string(),
                );
                return Ok(Some(Corruption {
                    table,
                    id,
                    what: "no epoch has a row of that token".to_owned(),
                }));
            }
        }
        for table in ["batches", "batch_members", "batch_outputs"] {
            let sql =
                format!("SELECT batch_no FROM {table} WHERE run_no = ?1 AND batch_no > {} LIMIT 1", i64::MAX);
            self.part_of_key((&sql, table), values![self.run_no])?;
        }
        Ok(None)
    }

    fn orphan(&mut self) -> Result<Option<Corruption>, LandscapeError> {
        for name in OF_RUNS.into_iter().chain(OF_TOKENS) {
            let mut after = i64::MIN;
            while let Some(run_no) = self.next_run(name, after)? {
                let known =
                    self.number("SELECT run_no FROM runs WHERE run_no = ?", values![run_no])?.is_some();
                if !known {
                    let what = format!("table {name} has records of it, but it does not exist");
                    return Ok(Some(Corruption { table: "runs", id: format!("number {run_no}"), what }));
                }
                after = run_no;
            }
        }
        let sql =
            "SELECT purge_no FROM purge_files WHERE purge_no NOT IN (SELECT purge_no FROM purges) LIMIT 1";
        Ok(self.number(sql, &[])?.map(|purge| Corruption {
            table: "purges",
            id: format!("number {purge}"),
            what: "there are files of it, but it does not exist".to_owned(),
        }))
    }

    fn continuation(&mut self) -> Result<Continuation, LandscapeError> {
        let sql =
            "SELECT epoch, source_position, buffers, hash_state, pending, intents_hash FROM checkpoints WHERE run_no = ?
            ORDER BY epoch";
        let checkpoints = self.list((sql, "checkpoints", 1), |cells| {
            Ok(CheckpointRecord {
                epoch: cells.epoch(0)?,
                source_position: cells.text(1)?,
                buffers: cells.text(2)?,
                hash_state: cells.text(3)?,
                pending: cells.bytes(4)?,
                intents_hash: cells.hash(5)?,
            })
        })?;
        let sql = "SELECT sink, epoch, position FROM sink_positions WHERE run_no = ? ORDER BY sink";
        let position = |cells: &Cells<'_>| Ok((cells.step(0)?, cells.epoch(1)?, cells.text(2)?));
        let positions = self.list((sql, "sink_positions", 1), position)?;
        let sql = "SELECT epoch, sink, tokens FROM sink_intents WHERE run_no = ? ORDER BY epoch, sink";
        let intents = self.list((sql, "sink_intents", 2), |cells| {
            let bytes = cells.bytes(2)?;
            let (tokens, rest) = bytes.as_chunks::<8>();
            let key = |bytes: &[u8; 8]| TokenKey::from_u64(u64::from_be_bytes(*bytes));
            match tokens.iter().map(key).collect::<Option<Vec<_>>>() {
                Some(tokens) if rest.is_empty() => {
                    Ok((cells.epoch(0)?, SinkIntent { sink: cells.step(1)?, tokens }))
                }
                Some(_) | None => Err(cells.corrupt("`tokens` are no tokens")),
            }
        })?;
        Ok(Continuation { checkpoints, positions, intents })
    }

    fn resumption_numbers(&mut self) -> Result<Vec<u64>, LandscapeError> {
        let sql = "SELECT ordinal FROM resumptions WHERE run_no = ? ORDER BY ordinal";
        self.list((sql, "resumptions", 1), |cells| cells.unsigned(0))
    }

    fn purges(&mut self) -> Result<Vec<PurgeRecord>, LandscapeError> {
        let sql = "SELECT purge_no, status, blocks, finished_at, requested_at, older_than_days, by_name, payload_store,
            block_bytes, files, file_bytes, kept_files,
            (SELECT count(*) FROM purge_files f WHERE f.purge_no = p.purge_no) AS files_left
            FROM purges p WHERE run_no = ? ORDER BY purge_no";
        self.list((sql, "purges", 1), |cells| {
            let status = cells.code(1, PurgeStatus::from_code)?;
            let finished_at: Option<Micros> = cells.maybe_time(3)?;
            if finished_at.is_some() != (status == PurgeStatus::Done) {
                return Err(cells.corrupt("`finished_at` contradicts `status`"));
            }
            Ok(PurgeRecord {
                purge_no: cells.int(0)?,
                status,
                requested_at: cells.time(4)?,
                finished_at,
                older_than_days: cells.maybe_number(5)?,
                by_name: cells.flag(6)?,
                payload_store: cells.text(7)?,
                blocks: cells.unsigned(2)?,
                block_bytes: cells.unsigned(8)?,
                files: cells.unsigned(9)?,
                file_bytes: cells.unsigned(10)?,
                kept_files: cells.unsigned(11)?,
                files_left: cells.unsigned(12)?,
            })
        })
    }

    fn entries(&mut self) -> Result<Vec<(u64, String)>, LandscapeError> {
        let sql = "SELECT number, entry FROM registry WHERE run_no = ? ORDER BY number";
        self.list((sql, "registry", 1), |cells| Ok((cells.unsigned(0)?, cells.text(1)?)))
    }

    fn account(&mut self, status: RunStatus) -> Result<Account, LandscapeError> {
        let (mut breaches, mut summary) = (Vec::new(), None);
        if status == RunStatus::Completed {
            let db = self.connection.db();
            let (census, found) = match db {
                Db::Sqlite(connection) => {
                    conservation::check(connection, self.run_no, CountedRows::default())?
                }
                Db::Postgres(_) => conservation::check_on_server(db, None, self.run_no)?,
            };
            if found.is_empty() && census.is_exact() {
                summary = Some(counters::summary_of(db, self.run_no, &census).map(Some));
            }
            breaches = found;
        }
        let summary = summary.unwrap_or_else(|| counters::summary_now(self.connection.db(), self.run_no));
        Ok(Account { breaches, summary: summary.map_err(|error| self.failed(error.into()))? })
    }

    fn summary(&mut self) -> Result<Option<String>, LandscapeError> {
        let sql = "SELECT run_no, summary FROM runs WHERE run_no = ?";
        Ok(self.list((sql, "runs", 1), |cells| cells.maybe_text(1))?.pop().flatten())
    }

    fn later(&mut self) -> Result<Later, LandscapeError> {
        let imported = self.imported()?;
        let files = self.list((LATER_FILES, "artifacts", 1), |cells| {
            let file = LaterFile {
                run_id: cells.run_id(5)?,
                path: cells.text(1)?,
                size_bytes: cells.unsigned(2)?,
                content_hash: cells.hash(3)?,
                published: cells.flag(4)?,
            };
            Ok((cells.int(0)?, file))
        })?;
        let unended = self.list((LATER_UNENDED, "runs", 1), |cells| {
            let ended = cells.maybe_int(3)?.is_some();
            Ok((cells.int(0)?, LaterSink { run_id: cells.run_id(1)?, config: cells.text(2)?, ended }))
        })?;
        let files = files.into_iter().filter(|(run, _)| !imported.contains(run));
        let unended = unended.into_iter().filter(|(run, _)| !imported.contains(run));
        Ok(Later { files: files.map(|it| it.1).collect(), unended: unended.map(|it| it.1).collect() })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;
    use crate::connect;

    #[test]
    fn every_table_with_records_of_runs_is_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.db");
        let database = connect::writer(&path, Duration::ZERO, connect::Synchronous::Off).unwrap();
        let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'runs'
            AND EXISTS (SELECT 1 FROM pragma_table_info(sqlite_schema.name) c WHERE c.name = 'run_no')";
        let mut found = database.prepare(sql).unwrap();
        let found = found.query_map((), |row| row.get::<_, String>(0)).unwrap();
        let found = found.collect::<Result<BTreeSet<_>, _>>().unwrap();
        assert_eq!(found, OF_RUNS.into_iter().chain(OF_TOKENS).map(str::to_owned).collect());
    }
}
