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
use rusqlite::{Connection, OptionalExtension as _, Params, params};

use crate::error::{WriteFailed, write_error};
use crate::insert::{Inserts, Table};
use crate::landscape::Scratch;
use crate::stored::reason_json;
use crate::tables::{
    BatchMembers, BatchOutputs, Batches, Calls, Edges, NodeStates, Nodes, Registry, Releases, RoutingEvents,
    Rows, SinkStates, StateContexts, TokenOutcomes, TokenParents, Tokens, TransformErrors, ValidationErrors,
};

/// Imports one run into an SQLite database. Made by [`crate::SqliteLandscape`].
pub struct SqliteImport {
    connection: Connection,
    location: String,
    run: Option<Imported>,
    /// Who signs the head of the registry after it.
    signer: Option<Arc<SecretKey>>,
    _scratch: Option<Arc<Scratch>>,
}

/// The run that is being imported.
struct Imported {
    run_no: i64,
    inserts: Inserts,
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
    decided_at, acted_at, chain_hash, content_root, continuation, positions) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
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
const PURGE_FILE: &str = "INSERT INTO purge_files(purge_no, hash) VALUES(?, ?)";
const BODIES: &str = "INSERT INTO bodies(run_no, epoch, block) VALUES(?, ?, ?)";

/// Why a record is not taken.
enum Refused {
    Wrong(String),
    Store(rusqlite::Error),
}

impl From<rusqlite::Error> for Refused {
    fn from(error: rusqlite::Error) -> Self {
        match &error {
            rusqlite::Error::SqliteFailure(failure, message)
                if failure.code == rusqlite::ErrorCode::ConstraintViolation =>
            {
                let message = message.as_deref().unwrap_or("a constraint");
                Self::Wrong(format!("no database takes it: {message}"))
            }
            _ => Self::Store(error),
        }
    }
}

impl From<String> for Refused {
    fn from(what: String) -> Self {
        Self::Wrong(what)
    }
}

impl SqliteImport {
    /// Begins a transaction that nobody sees before its end.
    pub(crate) fn begin(connection: Connection, location: String) -> Result<Self, LandscapeError> {
        let begun = connection.execute_batch("BEGIN IMMEDIATE");
        begun.map_err(|error| write_error(format!("importing into audit database {location}"), &error))?;
        Ok(Self { connection, location, run: None, signer: None, _scratch: None })
    }

    /// The same, signing the head of the registry.
    pub(crate) fn signing(mut self, signer: Option<Arc<SecretKey>>) -> Self {
        self.signer = signer;
        self
    }

    /// The same, keeping a scratch folder.
    pub(crate) fn keeping(mut self, scratch: Option<Arc<Scratch>>) -> Self {
        self._scratch = scratch;
        self
    }

    fn failed(&self, error: impl Into<WriteFailed>) -> LandscapeError {
        error.into().told(|| format!("importing into audit database {}", self.location))
    }

    fn begin_run(&mut self, run: &RunLine) -> Result<(), Refused> {
        let sql = "SELECT 1 FROM runs WHERE run_id = ?";
        let id = run.run_id.to_string();
        if self.connection.query_row(sql, [&id], |_| Ok(())).optional()?.is_some() {
            return Err(format!("run {id} is in this database already").into());
        }
        insert_run(&self.connection, run)?;
        let run_no = self.connection.last_insert_rowid();
        self.run = Some(Imported {
            run_no,
            inserts: Inserts::new(run_no),
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
        run.take(&self.connection, line)
    }
}

impl RecordImport for SqliteImport {
    fn add(&mut self, line: &Line) -> Result<(), LineError> {
        self.take(line).map_err(|refused| match refused {
            Refused::Wrong(what) => LineError::Wrong(what),
            Refused::Store(error) => LineError::Other(Box::new(ExportError::Record(self.failed(error)))),
        })
    }

    fn finish(mut self: Box<Self>, end: &ImportEnd) -> Result<(), LandscapeError> {
        if let Some(run) = self.run.take() {
            let registry = Registry { connection: &self.connection, signer: self.signer.as_deref() };
            let admitted = registry.admit(end.now);
            let entered = admitted.and_then(|()| registry.append(Some(run.run_no), run.entry(end)));
            entered.map_err(|error| self.failed(error))?;
        }
        self.connection.execute_batch("COMMIT").map_err(|error| self.failed(error))
    }
}

fn insert_run(connection: &Connection, run: &RunLine) -> rusqlite::Result<()> {
    let id: RunId = run.run_id;
    let (high, low) = id.halves();
    let values = params![
        id.to_string(),
        high.cast_signed(),
        low.cast_signed(),
        run.status.code(),
        run.started_at.0,
        run.completed_at.map(|at| at.0),
        run.settings,
        run.settings_path,
        run.config_hash.as_bytes(),
        run.hash_version.name(),
        run.topology_hash.as_bytes(),
        run.grade.code(),
        run.engine_version,
        run.source_identity,
        run.field_resolution,
        run.schema_contract,
        run.export_status.code(),
        run.owner,
        run.heartbeat_at.0,
        run.error.as_ref().map(reason_json),
        run.content_root.as_ref().map(|root| *root.as_bytes()),
        run.record_root.as_ref().map(|root| *root.as_bytes()),
        run.summary,
    ];
    connection.execute(RUN, values).map(|_| ())
}

impl Imported {
    fn take(&mut self, connection: &Connection, line: &Line) -> Result<(), Refused> {
        match line {
            Line::Run(_) => return Err("there is a run before it already".to_owned().into()),
            Line::Node(record) => self.one(connection, Nodes, record)?,
            Line::Edge(record) => self.one(connection, Edges, record)?,
            Line::Row(record) => self.one(connection, Rows, record)?,
            Line::Token(record) => self.one(connection, Tokens, &TokenRecord::from(record.clone()))?,
            Line::TokenParent(record) => self.one(connection, TokenParents, record)?,
            Line::NodeState(record) => self.one(connection, NodeStates, record)?,
            Line::StateContext(record) => self.one(connection, StateContexts, record)?,
            Line::RoutingEvent(record) => self.one(connection, RoutingEvents, record)?,
            Line::Call(record) => self.one(connection, Calls, record)?,
            Line::ValidationError(record) => self.one(connection, ValidationErrors, record)?,
            Line::TransformError(record) => self.one(connection, TransformErrors, record)?,
            Line::Batch(record) => self.one(connection, Batches, record)?,
            Line::BatchMember(record) => self.one(connection, BatchMembers, record)?,
            Line::BatchOutput(record) => self.one(connection, BatchOutputs, record)?,
            Line::Release(record) => self.one(connection, Releases, record)?,
            Line::SinkState(record) => self.one(connection, SinkStates, record)?,
            Line::TokenOutcome(record) => {
                self.one(connection, TokenOutcomes, &TokenOutcomeRecord::try_from(record.clone())?)?;
            }
            Line::Operation(record) => self.operation(connection, record)?,
            Line::Artifact(record) => self.artifact(connection, record)?,
            Line::Epoch(record) => self.epoch(connection, record)?,
            Line::Checkpoint(record) => self.checkpoint(connection, record)?,
            Line::SinkPosition(record) => {
                let (sink, epoch) = (record.sink.get(), record.epoch.0.cast_signed());
                execute(connection, SINK_POSITION, params![self.run_no, sink, epoch, record.position])?;
            }
            Line::SinkIntent(record) => self.intent(connection, record)?,
            Line::Resumption(record) => self.resumption(connection, record)?,
            Line::Purge(record) => self.purge(connection, record)?,
            Line::PurgeFile(record) => {
                let purge = self.purges.get(&record.purge_no).copied();
                let purge =
                    purge.ok_or_else(|| format!("there is no purge {} before it", record.purge_no))?;
                execute(connection, PURGE_FILE, params![purge, record.hash.as_bytes()])?;
            }
            Line::Registry(record) => self.entries.push(record.entry.clone()),
            Line::Bodies(record) => {
                let epoch = record.epoch.0.cast_signed();
                execute(connection, BODIES, params![self.run_no, epoch, record.block.0])?;
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

    fn one<T: Table>(
        &mut self,
        connection: &Connection,
        table: T,
        record: &T::Record,
    ) -> rusqlite::Result<()> {
        self.inserts.all(connection, table, std::slice::from_ref(record))
    }

    fn operation(&self, connection: &Connection, record: &OperationLine) -> rusqlite::Result<()> {
        let values = params![
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
        execute(connection, OPERATION, values)
    }

    fn artifact(&self, connection: &Connection, record: &ArtifactLine) -> rusqlite::Result<()> {
        let values = params![
            self.run_no,
            record.epoch.0.cast_signed(),
            record.step.get(),
            record.ordinal.cast_signed(),
            record.artifact_type,
            record.path,
            record.content_hash.as_bytes(),
            record.size_bytes.cast_signed(),
            record.row_count.cast_signed(),
            record.idempotency_key,
            record.published,
        ];
        execute(connection, ARTIFACT, values)
    }

    fn epoch(&self, connection: &Connection, record: &EpochLine) -> Result<(), Refused> {
        let record = EpochRecord::try_from(record.clone())?;
        let values = params![
            self.run_no,
            record.epoch.0.cast_signed(),
            record.rows.map(|(first, _)| first.get().cast_signed()),
            record.rows.map(|(_, last)| last.get().cast_signed()),
            record.row_count.cast_signed(),
            record.record_count.cast_signed(),
            record.started_at.0,
            record.decided_at.0,
            record.acted_at.map(|at| at.0),
            record.chain_hash.as_bytes(),
            record.content_root.as_bytes(),
            record.continuation.as_bytes(),
            record.positions,
        ];
        Ok(execute(connection, EPOCH, values)?)
    }

    fn checkpoint(&self, connection: &Connection, record: &CheckpointLine) -> rusqlite::Result<()> {
        let values = params![
            self.run_no,
            record.epoch.0.cast_signed(),
            record.source_position,
            record.buffers,
            record.hash_state,
            record.pending.0,
            record.intents_hash.as_bytes(),
        ];
        execute(connection, CHECKPOINT, values)
    }

    fn intent(&self, connection: &Connection, record: &SinkIntentLine) -> rusqlite::Result<()> {
        let tokens: Vec<u8> = record.tokens.iter().flat_map(|token| token.get().to_be_bytes()).collect();
        let values = params![self.run_no, record.epoch.0.cast_signed(), record.sink.get(), tokens];
        execute(connection, SINK_INTENT, values)
    }

    fn resumption(&self, connection: &Connection, record: &ResumptionLine) -> rusqlite::Result<()> {
        let values = params![
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
        execute(connection, RESUMPTION, values)
    }

    fn purge(&mut self, connection: &Connection, record: &PurgeLine) -> rusqlite::Result<()> {
        let values = params![
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
        execute(connection, PURGE, values)?;
        self.purges.insert(record.purge_no, connection.last_insert_rowid());
        Ok(())
    }
}

fn execute(connection: &Connection, sql: &str, values: impl Params) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute(values).map(|_| ())
}
