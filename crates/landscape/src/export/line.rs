//! The records of an export, one to a line: the table of all kinds with their fields, from which both forms follow.

use elspeth_contracts::{
    BatchMemberRecord, BatchOutputRecord, BatchRecord, CallRecord, EdgeRecord, NodeRecord, NodeStateRecord,
    ReleaseRecord, RoutingEventRecord, RowRecord, RunId, StateContextRecord, StateKey, TokenParentRecord,
    TransformErrorRecord, ValidationErrorRecord,
};
use serde_json::Value;

use super::field::{Atom, Field};
use super::object::Object;
use super::records::{
    ArtifactLine, BodiesLine, CheckpointLine, EpochLine, OperationLine, OutcomeLine, PayloadLine,
    PurgeFileLine, PurgeLine, RegistryLine, ResumptionLine, RunLine, SinkIntentLine, SinkPositionLine,
    TokenLine,
};

macro_rules! column {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $column:literal) => {
        $column
    };
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident($type:ident) $name:literal $table:literal
        { $($field:ident $($column:literal)?),+ $(,)? })+) => {
        /// What a line is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($(#[$doc])* $variant,)+ }

        /// One record.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Line { $($(#[$doc])* $variant($type),)+ }

        impl Kind {
            /// All of them, in the order in which they come first.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The text in the field `record`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The table of the database, which is also the name of the CSV file.
            #[must_use]
            pub const fn table(self) -> &'static str {
                match self { $(Self::$variant => $table,)+ }
            }

            /// The fields besides the public id.
            #[must_use]
            pub const fn columns(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$(column!($field $($column)?),)+],)+ }
            }
        }

        impl Line {
            /// What it is about.
            #[must_use]
            pub const fn kind(&self) -> Kind {
                match self { $(Self::$variant(_) => Kind::$variant,)+ }
            }

            /// Every field besides the public id, with its value.
            pub fn each(&self, mut each: impl FnMut(&'static str, Atom<'_>)) {
                match self {
                    $(Self::$variant(record) => {
                        $(each(column!($field $($column)?), record.$field.atom());)+
                    })+
                }
            }

            /// The cells of a CSV file, in the order of [`Kind::columns`].
            fn cells_of(&self, mut each: impl FnMut(String)) {
                match self {
                    $(Self::$variant(record) => { $(each(record.$field.cell());)+ })+
                }
            }

            fn of_object(kind: Kind, mut object: Object) -> Result<Self, String> {
                let line = match kind {
                    $(Kind::$variant => Self::$variant($type {
                        $($field: field(&mut object, column!($field $($column)?))?,)+
                    }),)+
                };
                match object.rest() {
                    None => Ok(line),
                    Some(name) => Err(format!("a {} has no field `{name}`", kind.name())),
                }
            }

            fn of_cells(kind: Kind, mut cells: impl Iterator<Item = impl AsRef<str>>) -> Result<Self, String> {
                Ok(match kind {
                    $(Kind::$variant => Self::$variant($type {
                        $($field: cell(cells.next(), column!($field $($column)?))?,)+
                    }),)+
                })
            }
        }
    };
}

kinds! {
    /// The run itself; the first line.
    Run(RunLine) "run" "runs" {
        run_id, status, started_at, completed_at, settings, settings_path, config_hash, hash_version, topology_hash,
        grade, engine_version, source_identity, field_resolution, schema_contract, export_status, owner, heartbeat_at,
        error, content_root, record_root, summary,
    }
    /// A node of the graph.
    Node(NodeRecord) "node" "nodes" {
        step, node_id, name, node_type, plugin, plugin_version, determinism, config, config_hash, input_schema,
        output_schema,
    }
    /// An edge of the graph.
    Edge(EdgeRecord) "edge" "edges" { edge, from "from_step", to "to_step", label, mode }
    /// A record of the source.
    Row(RowRecord) "row" "rows" { row_index, source_data_hash, read_us, valid }
    /// An instance of a row.
    Token(TokenLine) "token" "tokens" { token, branch, group_no }
    /// A parent of a token.
    TokenParent(TokenParentRecord) "token_parent" "token_parents" { token, ordinal, parent }
    /// An attempt of a token at a node between source and sinks.
    NodeState(NodeStateRecord) "node_state" "node_states" {
        token, step, attempt, status, started_us, duration_us, waited_us, output_hash, input_hash,
    }
    /// More about a state.
    StateContext(StateContextRecord) "state_context" "state_contexts" { token, step, attempt, context }
    /// A decision about where a token goes.
    RoutingEvent(RoutingEventRecord) "routing_event" "routing_events" {
        token, step, attempt, ordinal, edge, reason,
    }
    /// A request to the outside.
    Call(CallRecord) "call" "calls" {
        token, step, attempt, call_index, call_no, call_type, status, latency_us, request_hash, response_hash, error,
    }
    /// Why a record of the source was refused.
    ValidationError(ValidationErrorRecord) "validation_error" "validation_errors" {
        row_index, destination, reason,
    }
    /// Why a node failed for a token.
    TransformError(TransformErrorRecord) "transform_error" "transform_errors" {
        token, step, attempt, destination, reason,
    }
    /// An attempt to flush a batch.
    Batch(BatchRecord) "batch" "batches" { batch_no, attempt, step, status, trigger "trigger_type", reason }
    /// A token that a batch took.
    BatchMember(BatchMemberRecord) "batch_member" "batch_members" { batch_no, ordinal, token }
    /// A token that came of a batch.
    BatchOutput(BatchOutputRecord) "batch_output" "batch_outputs" { batch_no, ordinal, token }
    /// A flush of a batch, or a merge across rows.
    Release(ReleaseRecord) "release" "releases" { number, step, epoch, row "row_index", after }
    /// A source load or sink write.
    Operation(OperationLine) "operation" "operations" {
        epoch, step, ordinal, kind, status, attempts, started_us, duration_us, published, error,
    }
    /// An attempt of a token at a sink.
    SinkState(NodeStateRecord) "sink_state" "sink_states" {
        token, step, attempt, status, started_us, duration_us, waited_us, output_hash, input_hash,
    }
    /// What became of a token.
    TokenOutcome(OutcomeLine) "token_outcome" "token_outcomes" {
        token, outcome, sink, error_step, error_attempt, group_no, batch_no,
    }
    /// A thing that a sink produced.
    Artifact(ArtifactLine) "artifact" "artifacts" {
        epoch, step, ordinal, artifact_type, path, content_hash, size_bytes, row_count, idempotency_key, published,
    }
    /// An epoch; comes after its records.
    Epoch(EpochLine) "epoch" "epochs" {
        epoch, first_row, last_row, row_count, record_count, started_at, decided_at, acted_at, chain_hash, acted_chain, content_root, continuation, positions,
    }
    /// From where the run would go on after an epoch.
    Checkpoint(CheckpointLine) "checkpoint" "checkpoints" {
        epoch, source_position, buffers, hash_state, pending, intents_hash,
    }
    /// From where a sink would go on.
    SinkPosition(SinkPositionLine) "sink_position" "sink_positions" { sink, epoch, position }
    /// What a sink is about to write.
    SinkIntent(SinkIntentLine) "sink_intent" "sink_intents" { epoch, sink, tokens }
    /// A time that the run was taken up.
    Resumption(ResumptionLine) "resumption" "resumptions" {
        ordinal, resumed_at, owner, owner_before, epoch, row_index, engine_version, settings, accepted_source,
    }
    /// A purge of the run's bodies.
    Purge(PurgeLine) "purge" "purges" {
        purge_no, status, requested_at, finished_at, older_than_days, by_name, payload_store, blocks, block_bytes,
        files, file_bytes, kept_files,
    }
    /// A large body that an open purge has yet to remove.
    PurgeFile(PurgeFileLine) "purge_file" "purge_files" { purge_no, hash }
    /// An entry of the database's registry that tells of the run.
    Registry(RegistryLine) "registry_entry" "registry" { number, entry }
    /// The packed bodies of an epoch.
    Bodies(BodiesLine) "bodies" "bodies" { epoch, block }
    /// A large body: a file of the payload store.
    Payload(PayloadLine) "payload" "payloads" { hash, content }
}

fn field<T: Field>(object: &mut Object, name: &'static str) -> Result<T, String> {
    match object.take(name) {
        Some(value) => T::of_json(value).map_err(|what| format!("`{name}` {what}")),
        None => T::absent().ok_or_else(|| format!("`{name}` is missing")),
    }
}

fn cell<T: Field>(cell: Option<impl AsRef<str>>, name: &'static str) -> Result<T, String> {
    let cell = cell.ok_or_else(|| format!("`{name}` is missing"))?;
    T::of_cell(cell.as_ref()).map_err(|what| format!("`{name}`: {what}"))
}

impl Kind {
    /// The kind with that name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// The field with the public id, of those kinds that have one.
    #[must_use]
    pub const fn id_column(self) -> Option<&'static str> {
        match self {
            Self::Row => Some("row_id"),
            Self::Token => Some("token_id"),
            Self::NodeState | Self::SinkState => Some("state_id"),
            Self::Call => Some("call_id"),
            Self::Run
            | Self::Node
            | Self::Edge
            | Self::TokenParent
            | Self::StateContext
            | Self::RoutingEvent
            | Self::ValidationError
            | Self::TransformError
            | Self::Batch
            | Self::BatchMember
            | Self::BatchOutput
            | Self::Release
            | Self::Operation
            | Self::TokenOutcome
            | Self::Artifact
            | Self::Epoch
            | Self::Checkpoint
            | Self::SinkPosition
            | Self::SinkIntent
            | Self::Resumption
            | Self::Purge
            | Self::PurgeFile
            | Self::Registry
            | Self::Bodies
            | Self::Payload => None,
        }
    }
}

impl Line {
    /// The public id, of those kinds that have one.
    #[must_use]
    pub fn id(&self, run: RunId) -> Option<String> {
        let state = |record: &NodeStateRecord| {
            let key = StateKey { token: record.token, step: record.step, attempt: record.attempt };
            run.state_id(key).to_string()
        };
        match self {
            Self::Row(record) => Some(run.row_id(record.row_index).to_string()),
            Self::Token(record) => Some(run.token_id(record.token).to_string()),
            Self::NodeState(record) | Self::SinkState(record) => Some(state(record)),
            Self::Call(record) => Some(run.call_id(record.call_no).to_string()),
            Self::Run(_)
            | Self::Node(_)
            | Self::Edge(_)
            | Self::TokenParent(_)
            | Self::StateContext(_)
            | Self::RoutingEvent(_)
            | Self::ValidationError(_)
            | Self::TransformError(_)
            | Self::Batch(_)
            | Self::BatchMember(_)
            | Self::BatchOutput(_)
            | Self::Release(_)
            | Self::Operation(_)
            | Self::TokenOutcome(_)
            | Self::Artifact(_)
            | Self::Epoch(_)
            | Self::Checkpoint(_)
            | Self::SinkPosition(_)
            | Self::SinkIntent(_)
            | Self::Resumption(_)
            | Self::Purge(_)
            | Self::PurgeFile(_)
            | Self::Registry(_)
            | Self::Bodies(_)
            | Self::Payload(_) => None,
        }
    }

    /// Adds it as a line of JSON, with the end of the line. Fields without a value are left out.
    pub fn write_json(&self, run: RunId, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"record\":\"");
        out.extend_from_slice(self.kind().name().as_bytes());
        out.push(b'"');
        let mut write = |name: &str, atom: &Atom<'_>| {
            out.extend_from_slice(b",\"");
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":");
            atom.write_json(out);
        };
        if let (Some(name), Some(id)) = (self.kind().id_column(), self.id(run)) {
            write(name, &Atom::Text(id.into()));
        }
        self.each(|name, atom| {
            if atom != Atom::Null {
                write(name, &atom);
            }
        });
        out.extend_from_slice(b"}\n");
    }

    /// Reads a line of JSON.
    pub(super) fn read_json(text: &str) -> Result<Told, String> {
        let mut object = Object::read(text)?;
        let kind = match object.take("record") {
            Some(Value::String(name)) => {
                Kind::of_name(&name).ok_or_else(|| format!("there is no record `{name}`"))?
            }
            Some(_) | None => return Err("`record` does not say what it is".to_owned()),
        };
        let id = kind.id_column().map(|name| field(&mut object, name)).transpose()?;
        Ok(Told { line: Self::of_object(kind, object)?, id })
    }

    /// The cells of a CSV file: of [`Kind::id_column`], then of [`Kind::columns`].
    #[must_use]
    pub fn cells(&self, run: RunId) -> Vec<String> {
        let mut cells: Vec<String> = self.id(run).into_iter().collect();
        self.cells_of(|cell| cells.push(cell));
        cells
    }

    /// Reads such cells.
    pub(super) fn read_cells(kind: Kind, cells: &csv::StringRecord) -> Result<Told, String> {
        let expected = Self::head(kind).count();
        if cells.len() != expected {
            return Err(format!("it has {} cells, but should have {expected}", cells.len()));
        }
        let mut cells = cells.iter();
        let id = kind.id_column().and_then(|_| cells.next()).map(str::to_owned);
        Ok(Told { line: Self::of_cells(kind, cells)?, id })
    }

    /// The names of all fields of a kind, as the head of a CSV file.
    pub fn head(kind: Kind) -> impl Iterator<Item = &'static str> {
        kind.id_column().into_iter().chain(kind.columns().iter().copied())
    }
}

/// A line that was read, and the public id that it has by itself.
pub(super) struct Told {
    pub(super) line: Line,
    id: Option<String>,
}

impl Told {
    /// The line, provided that the id is the one that it has in that run.
    pub(super) fn of(self, run: RunId) -> Result<Line, String> {
        match (self.line.id(run), self.id) {
            (Some(id), Some(found)) if id != found => {
                let name = self.line.kind().id_column().unwrap_or("id");
                Err(format!("`{name}` must be {id}, but is `{found}`"))
            }
            (Some(_) | None, Some(_) | None) => Ok(self.line),
        }
    }
}

#[cfg(test)]
mod tests;
