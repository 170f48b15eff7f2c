//! Takes an exported run into a database: what was every column there is every column here.

use std::collections::HashMap;
use std::sync::Arc;

use elspeth_canonical::ContentHash;
use elspeth_contracts::{RunId, TokenOutcomeRecord, TokenRecord};
use elspeth_landscape::LandscapeError;
use elspeth_landscape::export::{
    ArtifactLine, CheckpointLine, EpochLine, ExportError, ImportEnd, Line, LineError, OperationLine,
    PurgeLine, RecordImport, ResumptionLine, RunLine, SinkIntentLine,
};
use elspeth_landscape::registry::{self, Entry};
use elspeth_landscape::verify::EpochRecord;
use elspeth_proof::SecretKey;

use crate::db::{Bind, Connection, Db, DbError, values};
use crate::error::WriteFailed;
use crate::insert::Table;
use crate::stored::reason_json;
use crate::tables::{
    BatchMembers, BatchOutputs, Batches, Calls, Edges, NodeStates, Nodes, Registry, Releases, RoutingEvents,
    Rows, SinkStates, StateContexts, TokenOutcomes, TokenParents, Tokens, TransformErrors, ValidationErrors,
};
use crate::taking::Records;

/// Imports one run into a database. Made by [`crate::Landscape`].
pub struct Import {
    connection: Connection,
    location: String,
    run: Option<Imported>,
    /// Who signs the head of the registry after it.
    signer: Option<Arc<SecretKey>>,
}

/// The run that is being imported.
struct Imported {
    run_no: i64,
    records: Records,
    /// The numbers that its purges have here.
    purges: HashMap<i64, i64>,
    /// As it was sealed.
    roots: (Option<ContentHash>, Option<ContentHash>),
    run_id: RunId,
    /// What the registry that it comes from says of it.
    entries: Vec<String>,
}

const RUN: &str = "INSERT INTO runs(run_id, id_high, id_low, status, started_at, completed_at, settings, settings_path,
    config_hash, hash_version, topology_hash, grade, engine_version, source_identity, field_resolution, schema_contract,
    export_status, owner, heartbeat_at, error, content_root, record_root, summary)
    VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const EPOCH: &str =
    "INSERT INTO epochs(run_no, epoch, first_row, last_row, row_count, record_count, started_at,
    decided_at, acted_at, chain_hash, acted_chain, content_root, continuation, positions)
    VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const OPERATION: &str =
    "INSERT INTO operations(run_no, epoch, step, ordinal, kind, status, attempts, started_us,
    duration_us, published, error) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const ARTIFACT: &str =
    "INSERT INTO artifacts(run_no, epoch, step, ordinal, artifact_type, path, content_hash,
    size_bytes, row_count, idempotency_key, published) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const CHECKPOINT: &str =
    "INSERT INTO checkpoints(run_no, epoch, source_position, buffers, hash_state, pending, intents_hash)
    VALUES(?, ?, ?, ?, ?, ?, ?)";
const SINK_POSITION: &str = "INSERT INTO sink_positions(run_no, sink, epoch, position) VALUES(?, ?, ?, ?)";
const SINK_INTENT: &str = "INSERT INTO sink_intents(run_no, epoch, sink, tokens) VALUES(?, ?, ?, ?)";
const RESUMPTION: &str =
    "INSERT INTO resumptions(run_no, ordinal, resumed_at, owner, owner_before, epoch, row_index,
    engine_version, settings, accepted_source) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
/// A purge keeps its number, unless another has it here.
const PURGE: &str =
    "INSERT INTO purges(purge_no, run_no, status, requested_at, finished_at, older_than_days, by_name,
    payload_store, blocks, block_bytes, files, file_bytes, kept_files)
    VALUES(CASE WHEN EXISTS (SELECT 1 FROM purges WHERE purge_no = ?1) THEN NULL ELSE ?1 END,
    ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
/// The same where numbers come from a sequence, which must then not give a number that is taken.
const PURGE_POSTGRES: &str =
    "INSERT INTO purges(purge_no, run_no, status, requested_at, finished_at, older_than_days, by_name,
    payload_store, blocks, block_bytes, files, file_bytes, kept_files)
    VALUES(CASE WHEN EXISTS (SELECT 1 FROM purges WHERE purge_no = ?1)
        THEN nextval(pg_get_serial_sequence('purges', 'purge_no')) ELSE ?1 END,
    ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
const PURGES_NUMBERED: &str =
    "SELECT setval(pg_get_serial_sequence('purges', 'purge_no'), max(purge_no)) FROM purges
    HAVING max(purge_no) > (SELECT last_value FROM purges_purge_no_seq)";
const PURGE_FILE: &str = "INSERT INTO purge_files(purge_no, hash) VALUES(?, ?)";
const BODIES: &str = "INSERT INTO bodies(run_no, epoch, block) VALUES(?, ?, ?)";

/// Why a record is not taken.
enum Refused {
    Wrong(String),
    Store(DbError),
}

impl From<DbError> for Refused {
    fn from(error: DbError) -> Self {
        match error.broken_constraint() {
            Some(message) => Self::Wrong(format!("no database takes it: {message}")),
            None => Self::Store(error),
        }
    }
}

impl From<String> for Refused {
    fn from(what: String) -> Self {
        Self::Wrong(what)
    }
}

impl Import {
    /// Begins a transaction that nobody sees before its end.
    pub(crate) fn begin(connection: Connection, location: String) -> Result<Self, LandscapeError> {
        let begun = connection.db().begin();
        begun.map_err(|error| error.told(format!("importing into audit database {location}")))?;
        Ok(Self { connection, location, run: None, signer: None })
    }

    /// The same, signing the head of the registry.
    pub(crate) fn signing(mut self, signer: Option<Arc<SecretKey>>) -> Self {
        self.signer = signer;
        self
    }

    fn failed(&self, error: impl Into<WriteFailed>) -> LandscapeError {
        error.into().told(|| format!("importing into audit database {}", self.location))
    }

    fn begin_run(&mut self, run: &RunLine) -> Result<(), Refused> {
        let sql = "SELECT 1 FROM runs WHERE run_id = ?";
        let id = run.run_id.to_string();
        let db = self.connection.db();
        if db.number(sql, values![id])?.is_some() {
            return Err(format!("run {id} is in this database already").into());
        }
        let run_no = insert_run(db, run)?;
        self.run = Some(Imported {
            run_no,
            records: Records::new(db, run_no),
            purges: HashMap::new(),
            roots: (run.content_root, run.record_root),
            run_id: run.run_id,
            entries: Vec::new(),
        });
        Ok(())
    }

    fn take(&mut self, line: &Line) -> Result<(), Refused> {
        if let Line::Run(run) = line {
            return self.begin_run(run);
        }
        let run = self.run.as_mut().ok_or_else(|| "the run must come first".to_owned())?;
        run.take(self.connection.db(), line)
    }
}

impl RecordImport for Import {
    fn add(&mut self, line: &Line) -> Result<(), LineError> {
        self.take(line).map_err(|refused| match refused {
            Refused::Wrong(what) => LineError::Wrong(what),
            Refused::Store(error) => LineError::Other(Box::new(ExportError::Record(self.failed(error)))),
        })
    }

    fn finish(mut self: Box<Self>, end: &ImportEnd) -> Result<(), LandscapeError> {
        if let Some(mut run) = self.run.take() {
            run.records.flush(self.connection.db()).map_err(|error| self.failed(error))?;
            let registry = Registry { db: self.connection.db(), signer: self.signer.as_deref() };
            let admitted = registry.admit(end.now);
            let entered = admitted.and_then(|()| registry.append(Some(run.run_no), run.entry(end)));
            entered.map_err(|error| self.failed(error))?;
        }
        self.connection.db().commit().map_err(|error| self.failed(error))
    }
}

/// Whether there may be one for every row.
fn comes_in_bulk(line: &Line) -> bool {
    matches!(
        line,
        Line::Row(_)
            | Line::Token(_)
            | Line::TokenParent(_)
            | Line::NodeState(_)
            | Line::StateContext(_)
            | Line::RoutingEvent(_)
            | Line::Call(_)
            | Line::ValidationError(_)
            | Line::TransformError(_)
            | Line::BatchMember(_)
            | Line::BatchOutput(_)
            | Line::Release(_)
            | Line::SinkState(_)
            | Line::TokenOutcome(_)
    )
}

fn insert_run(db: Db<'_>, run: &RunLine) -> Result<i64, DbError> {
    let id: RunId = run.run_id;
    let (high, low) = id.halves();
    let values = values![
        id.to_string(),
        high.cast_signed(),
        low.cast_signed(),
        run.status.code(),
        run.started_at.0,
        run.completed_at.map(|at| at.0),
        run.settings,
        run.settings_path,
        run.config_hash,
        run.hash_version.name(),
        run.topology_hash,
        run.grade.code(),
        run.engine_version,
        run.source_identity,
        run.field_resolution,
        run.schema_contract,
        run.export_status.code(),
        run.owner,
        run.heartbeat_at.0,
        run.error.as_ref().map(reason_json),
        run.content_root,
        run.record_root,
        run.summary,
    ];
    db.inserted(RUN, values, "run_no")
}

impl Imported {
    fn take(&mut self, db: Db<'_>, line: &Line) -> Result<(), Refused> {
        if !comes_in_bulk(line) {
            self.records.flush(db)?;
        }
        match line {
            Line::Run(_) => return Err("there is a run before it already".to_owned().into()),
            Line::Node(record) => self.one(db, Nodes, record)?,
            Line::Edge(record) => self.one(db, Edges, record)?,
            Line::Row(record) => self.one(db, Rows, record)?,
            Line::Token(record) => self.one(db, Tokens, &TokenRecord::from(record.clone()))?,
            Line::TokenParent(record) => self.one(db, TokenParents, record)?,
            Line::NodeState(record) => self.one(db, NodeStates, record)?,
            Line::StateContext(record) => self.one(db, StateContexts, record)?,
            Line::RoutingEvent(record) => self.one(db, RoutingEvents, record)?,
            Line::Call(record) => self.one(db, Calls, record)?,
            Line::ValidationError(record) => self.one(db, ValidationErrors, record)?,
            Line::TransformError(record) => self.one(db, TransformErrors, record)?,
            Line::Batch(record) => self.one(db, Batches, record)?,
            Line::BatchMember(record) => self.one(db, BatchMembers, record)?,
            Line::BatchOutput(record) => self.one(db, BatchOutputs, record)?,
            Line::Release(record) => self.one(db, Releases, record)?,
            Line::SinkState(record) => self.one(db, SinkStates, record)?,
            Line::TokenOutcome(record) => {
                self.one(db, TokenOutcomes, &TokenOutcomeRecord::try_from(record.clone())?)?;
            }
            Line::Operation(record) => self.operation(db, record)?,
            Line::Artifact(record) => self.artifact(db, record)?,
            Line::Epoch(record) => self.epoch(db, record)?,
            Line::Checkpoint(record) => self.checkpoint(db, record)?,
            Line::SinkPosition(record) => {
                let (sink, epoch) = (record.sink.get(), record.epoch.0.cast_signed());
                execute(db, SINK_POSITION, values![self.run_no, sink, epoch, record.position])?;
            }
            Line::SinkIntent(record) => self.intent(db, record)?,
            Line::Resumption(record) => self.resumption(db, record)?,
            Line::Purge(record) => self.purge(db, record)?,
            Line::PurgeFile(record) => {
                let purge = self.purges.get(&record.purge_no).copied();
                let purge =
                    purge.ok_or_else(|| format!("there is no purge {} before it", record.purge_no))?;
                execute(db, PURGE_FILE, values![purge, record.hash])?;
            }
            Line::Registry(record) => self.entries.push(record.entry.clone()),
            Line::Bodies(record) => {
                let epoch = record.epoch.0.cast_signed();
                execute(db, BODIES, values![self.run_no, epoch, record.block.0])?;
            }
            // A file of the payload store, which is none of the database.
            Line::Payload(_) => {}
        }
        Ok(())
    }

    fn entry(self, end: &ImportEnd) -> Entry {
        Entry::Imported(registry::Imported {
            run: self.run_id,
            imported_at: end.now,
            content_root: self.roots.0,
            record_root: self.roots.1,
            manifest: end.manifest,
            bodies: end.bodies,
            entries: self.entries,
            signed_by: None,
        })
    }

    fn one<T: Table>(&mut self, db: Db<'_>, table: T, record: &T::Record) -> Result<(), DbError> {
        self.records.add(db, table, record)
    }

    fn operation(&self, db: Db<'_>, record: &OperationLine) -> Result<(), DbError> {
        let values = values![
            self.run_no,
            record.epoch.0.cast_signed(),
            record.step.get(),
            record.ordinal.cast_signed(),
            record.kind.code(),
            record.status.code(),
            record.attempts,
            record.started_us,
            record.duration_us,
            record.published,
            record.error.as_ref().map(reason_json),
        ];
        execute(db, OPERATION, values)
    }

    fn artifact(&self, db: Db<'_>, record: &ArtifactLine) -> Result<(), DbError> {
        let values = values![
            self.run_no,
            record.epoch.0.cast_signed(),
            record.step.get(),
            record.ordinal.cast_signed(),
            record.artifact_type,
            record.path,
            record.content_hash,
            record.size_bytes.cast_signed(),
            record.row_count.cast_signed(),
            record.idempotency_key,
            record.published,
        ];
        execute(db, ARTIFACT, values)
    }

    fn epoch(&self, db: Db<'_>, record: &EpochLine) -> Result<(), Refused> {
        let record = EpochRecord::try_from(record.clone())?;
        let values = values![
            self.run_no,
            record.epoch.0.cast_signed(),
            record.rows.map(|(first, _)| first.get().cast_signed()),
            record.rows.map(|(_, last)| last.get().cast_signed()),
            record.row_count.cast_signed(),
            record.record_count.cast_signed(),
            record.started_at.0,
            record.decided_at.0,
            record.acted_at.map(|at| at.0),
            record.chain_hash,
            record.acted_chain,
            record.content_root,
            record.continuation,
            record.positions,
        ];
        Ok(execute(db, EPOCH, values)?)
    }

    fn checkpoint(&self, db: Db<'_>, record: &CheckpointLine) -> Result<(), DbError> {
        let values = values![
            self.run_no,
            record.epoch.0.cast_signed(),
            record.source_position,
            record.buffers,
            record.hash_state,
            record.pending.0,
            record.intents_hash,
        ];
        execute(db, CHECKPOINT, values)
    }

    fn intent(&self, db: Db<'_>, record: &SinkIntentLine) -> Result<(), DbError> {
        let tokens: Vec<u8> = record.tokens.iter().flat_map(|token| token.get().to_be_bytes()).collect();
        let values = values![self.run_no, record.epoch.0.cast_signed(), record.sink.get(), tokens];
        execute(db, SINK_INTENT, values)
    }

    fn resumption(&self, db: Db<'_>, record: &ResumptionLine) -> Result<(), DbError> {
        let values = values![
            self.run_no,
            record.ordinal.cast_signed(),
            record.resumed_at.0,
            record.owner,
            record.owner_before,
            record.epoch.0.cast_signed(),
            record.row_index.cast_signed(),
            record.engine_version,
            record.settings,
            record.accepted_source,
        ];
        execute(db, RESUMPTION, values)
    }

    fn purge(&mut self, db: Db<'_>, record: &PurgeLine) -> Result<(), DbError> {
        let values = values![
            record.purge_no,
            self.run_no,
            record.status.code(),
            record.requested_at.0,
            record.finished_at.map(|at| at.0),
            record.older_than_days,
            record.by_name,
            record.payload_store,
            record.blocks.cast_signed(),
            record.block_bytes.cast_signed(),
            record.files.cast_signed(),
            record.file_bytes.cast_signed(),
            record.kept_files.cast_signed(),
        ];
        let number = match db {
            Db::Sqlite(_) => db.inserted(PURGE, values, "purge_no")?,
            Db::Postgres(_) => {
                let number = db.inserted(PURGE_POSTGRES, values, "purge_no")?;
                db.number(PURGES_NUMBERED, &[])?;
                number
            }
        };
        self.purges.insert(record.purge_no, number);
        Ok(())
    }
}

fn execute(db: Db<'_>, sql: &str, values: &[&dyn Bind]) -> Result<(), DbError> {
    db.execute(sql, values).map(|_| ())
}
