//! A run's record in the words of W3C PROV, as PROV-JSON: rows, tokens, batches and artifacts are entities; what nodes did with
//! them, loads and writes are activities; nodes are agents. Sections are written beside each other to files without a name,
//! and put together at the end: no more than an epoch is in memory.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use elspeth_contracts::{
    BatchRecord, BatchStatus, EpochNo, Micros, NodeRecord, NodeStateRecord, NodeStateStatus, RowIndex, RunId,
    StateKey, Step, TokenKey, TokenOrigin,
};
use serde_json::{Map, Value, json};

use super::one::OneFile;
use super::{ArtifactLine, ExportError, Line, LineSink, OperationLine, RunLine, TokenLine, token_text};

/// The sections of a document after its prefixes, in their order.
#[derive(Clone, Copy)]
enum Section {
    Entity,
    Activity,
    Agent,
    Used,
    Generated,
    Informed,
    Derived,
    Associated,
    Member,
}

impl Section {
    const NAMES: [&str; 9] = [
        "entity",
        "activity",
        "agent",
        "used",
        "wasGeneratedBy",
        "wasInformedBy",
        "wasDerivedFrom",
        "wasAssociatedWith",
        "hadMember",
    ];
}

/// Writes PROV-JSON.
pub struct ProvFile {
    file: OneFile,
    run: RunId,
    /// From when on microseconds are counted.
    start: Micros,
    sections: Vec<Spool>,
    relations: u64,
    open: OpenEpoch,
    /// The operation that a step did last.
    last: HashMap<Step, (EpochNo, String)>,
}

/// A section that is under way.
struct Spool {
    file: BufWriter<File>,
    is_empty: bool,
}

/// What is to be tied to lines of the epoch that are still to come.
#[derive(Default)]
struct OpenEpoch {
    rows: Vec<String>,
    /// Tokens that a sink took.
    taken: Vec<NodeStateRecord>,
    /// The attempt at each batch that made its outputs.
    flushes: HashMap<u64, String>,
}

impl ProvFile {
    /// Begins a document that is to be at `path`; creates the folder where it does not exist.
    ///
    /// # Errors
    /// [`ExportError::Exists`] when there is something already, [`ExportError::Io`].
    pub fn create(path: &Path, run: RunId, start: Micros) -> Result<Self, ExportError> {
        let file = OneFile::at(path)?;
        let spool = |_| {
            let spool = tempfile::tempfile_in(file.folder()).map_err(file.io())?;
            Ok(Spool { file: BufWriter::new(spool), is_empty: true })
        };
        let sections = Section::NAMES.iter().map(spool).collect::<Result<_, ExportError>>()?;
        let (open, last) = (OpenEpoch::default(), HashMap::new());
        Ok(Self { file, run, start, sections, relations: 0, open, last })
    }

    /// Gives the document its name.
    ///
    /// # Errors
    /// [`ExportError::Io`].
    pub fn finish(self) -> Result<(), ExportError> {
        let Self { file, run, sections, .. } = self;
        file.write(|out| document(out, run, sections))
    }

    fn put(&mut self, section: Section, name: &str, record: &Value) -> Result<(), ExportError> {
        let written = self.sections[section as usize].put(name, record);
        written.map_err(self.file.io())
    }

    fn relate(&mut self, section: Section, record: &Value) -> Result<(), ExportError> {
        self.relations += 1;
        self.put(section, &format!("_:{}", self.relations), record)
    }

    fn used(&mut self, activity: &str, entity: &str) -> Result<(), ExportError> {
        self.relate(Section::Used, &json!({"prov:activity": activity, "prov:entity": entity}))
    }

    fn generated(&mut self, entity: &str, activity: Option<&str>) -> Result<(), ExportError> {
        let mut record = json!({"prov:entity": entity});
        if let Some(activity) = activity {
            record["prov:activity"] = json!(activity);
        }
        self.relate(Section::Generated, &record)
    }

    fn derived(&mut self, entity: &str, from: &str) -> Result<(), ExportError> {
        self.relate(Section::Derived, &json!({"prov:generatedEntity": entity, "prov:usedEntity": from}))
    }

    fn associated(&mut self, activity: &str, agent: &str) -> Result<(), ExportError> {
        self.relate(Section::Associated, &json!({"prov:activity": activity, "prov:agent": agent}))
    }

    /// An activity of a node.
    fn activity(
        &mut self,
        (name, step): (&str, Step),
        (started_us, duration_us): (i64, i64),
        attributes: Attributes,
    ) -> Result<(), ExportError> {
        let at = |us: i64| Micros(self.start.0.saturating_add(us)).rfc3339();
        let attributes = attributes
            .prov("prov:startTime", at(started_us))
            .prov("prov:endTime", at(started_us.saturating_add(duration_us)));
        self.put(Section::Activity, name, &attributes.into())?;
        self.associated(name, &agent(step))
    }

    fn row_name(&self, row: RowIndex) -> String {
        format!("row:{}", self.run.row_id(row))
    }

    fn token_name(&self, token: TokenKey) -> String {
        format!("token:{}", self.run.token_id(token))
    }

    fn state_name(&self, state: &NodeStateRecord) -> String {
        let key = StateKey { token: state.token, step: state.step, attempt: state.attempt };
        format!("state:{}", self.run.state_id(key))
    }

    fn run(&mut self, run: &RunLine) -> Result<(), ExportError> {
        let name = format!("run:{}", run.run_id);
        let mut attributes = Attributes::of("Run", &run.settings_path)
            .with("status", run.status.to_string())
            .with("config_hash", run.config_hash.to_string())
            .with("topology_hash", run.topology_hash.to_string())
            .with("hash_version", run.hash_version.name())
            .with("grade", run.grade.to_string())
            .some("content_root", run.content_root.map(|root| root.to_string()))
            .some("record_root", run.record_root.map(|root| root.to_string()))
            .prov("prov:startTime", run.started_at.rfc3339());
        if let Some(at) = run.completed_at {
            attributes = attributes.prov("prov:endTime", at.rfc3339());
        }
        self.put(Section::Activity, &name, &attributes.into())?;
        let engine =
            Attributes::of("Engine", "elspeth").software().with("version", run.engine_version.as_str());
        self.put(Section::Agent, ENGINE, &engine.into())?;
        self.associated(&name, ENGINE)?;
        self.source(&run.source_identity)
    }

    fn source(&mut self, identity: &str) -> Result<(), ExportError> {
        let identity: Map<String, Value> = serde_json::from_str(identity).unwrap_or_default();
        let mut attributes =
            Attributes::of("Source", identity.get("location").and_then(Value::as_str).unwrap_or(""));
        for (name, value) in identity {
            if value.is_string() || value.is_number() || value.is_boolean() {
                attributes = attributes.with(&name, value);
            }
        }
        self.put(Section::Entity, SOURCE, &attributes.into())
    }

    fn node(&mut self, node: &NodeRecord) -> Result<(), ExportError> {
        let attributes = Attributes::of("Node", &node.name)
            .software()
            .with("node_id", node.node_id.to_string())
            .with("node_type", node.node_type.to_string())
            .with("plugin", node.plugin.as_str())
            .with("plugin_version", node.plugin_version.as_str())
            .with("determinism", node.determinism.to_string())
            .with("config_hash", node.config_hash.to_string());
        self.put(Section::Agent, &agent(node.step), &attributes.into())
    }

    fn token(&mut self, token: &TokenLine) -> Result<(), ExportError> {
        let name = self.token_name(token.token);
        let attributes =
            Attributes::of("Token", &token_text(token.token)).some("branch", token.branch.clone());
        self.put(Section::Entity, &name, &attributes.into())?;
        match token.token.origin() {
            TokenOrigin::Row(row) if token.token.ordinal() == 0 => self.derived(&name, &self.row_name(row)),
            TokenOrigin::Row(_) | TokenOrigin::Batch(_) => Ok(()),
        }
    }

    fn state(&mut self, state: &NodeStateRecord) -> Result<(), ExportError> {
        let name = self.state_name(state);
        let attributes = Attributes::of("State", "")
            .with("status", state.status.to_string())
            .with("attempt", state.attempt)
            .some("input_hash", state.input_hash.map(|hash| hash.to_string()))
            .some("output_hash", state.output_hash.map(|hash| hash.to_string()));
        self.activity((&name, state.step), (state.started_us, state.duration_us), attributes)?;
        self.used(&name, &self.token_name(state.token))
    }

    /// An attempt has no times of its own.
    fn flush(&mut self, batch: &BatchRecord) -> Result<(), ExportError> {
        let name = format!("at:flush-{}-{}", batch.batch_no, batch.attempt);
        let attributes = Attributes::of("Flush", "")
            .with("status", batch.status.to_string())
            .with("attempt", batch.attempt)
            .some("trigger", batch.trigger.map(|trigger| trigger.to_string()));
        self.put(Section::Activity, &name, &attributes.into())?;
        self.associated(&name, &agent(batch.step))?;
        self.used(&name, &batch_name(batch.batch_no))?;
        if batch.status == BatchStatus::Completed {
            self.open.flushes.insert(batch.batch_no, name);
        }
        Ok(())
    }

    fn operation(&mut self, line: &OperationLine) -> Result<(), ExportError> {
        let OperationLine { epoch, step, ordinal, started_us, duration_us, .. } = *line;
        let name = format!("at:operation-{}-{}-{ordinal}", epoch.0, step.get());
        let attributes = Attributes::of("Operation", "")
            .with("kind", line.kind.to_string())
            .with("status", line.status.to_string())
            .with("attempts", line.attempts)
            .with("published", line.published);
        self.activity((&name, step), (started_us, duration_us), attributes)?;
        if step == Step::SOURCE {
            self.used(&name, SOURCE)?;
            for row in std::mem::take(&mut self.open.rows) {
                self.generated(&row, Some(&name))?;
            }
        }
        let taken = self.open.taken.extract_if(.., |state| {
            (state.step, state.started_us, state.duration_us) == (step, started_us, duration_us)
        });
        for state in taken.collect::<Vec<_>>() {
            self.used(&name, &self.token_name(state.token))?;
        }
        if let Some((_, before)) = self.last.insert(step, (epoch, name.clone())) {
            self.relate(Section::Informed, &json!({"prov:informed": name, "prov:informant": before}))?;
        }
        Ok(())
    }

    fn artifact(&mut self, line: &ArtifactLine) -> Result<(), ExportError> {
        let name = format!("at:artifact-{}-{}-{}", line.epoch.0, line.step.get(), line.ordinal);
        let attributes = Attributes::of("Artifact", &line.path)
            .with("artifact_type", line.artifact_type.as_str())
            .with("path", line.path.as_str())
            .with("content_hash", line.content_hash.to_string())
            .with("size_bytes", line.size_bytes)
            .with("row_count", line.row_count)
            .with("published", line.published);
        self.put(Section::Entity, &name, &attributes.into())?;
        let write = self.last.get(&line.step).map(|(_, write)| write.clone());
        self.generated(&name, write.as_deref())
    }

    /// What no operation claimed: rows came from somewhere, and what a sink took was written by what it did last.
    fn epoch(&mut self, epoch: EpochNo) -> Result<(), ExportError> {
        let OpenEpoch { rows, taken, .. } = std::mem::take(&mut self.open);
        rows.iter().try_for_each(|row| self.generated(row, None))?;
        for state in taken {
            let write = self.last.get(&state.step).filter(|(at, _)| *at == epoch);
            if let Some(write) = write.map(|(_, write)| write.clone()) {
                self.used(&write, &self.token_name(state.token))?;
            }
        }
        Ok(())
    }
}

impl LineSink for ProvFile {
    fn line(&mut self, line: &Line) -> Result<(), ExportError> {
        match line {
            Line::Run(run) => self.run(run),
            Line::Node(node) => self.node(node),
            Line::Row(row) => {
                let name = self.row_name(row.row_index);
                let attributes = Attributes::of("Row", &row.row_index.get().to_string())
                    .with("row_index", row.row_index.get())
                    .with("source_data_hash", row.source_data_hash.to_string())
                    .with("valid", row.valid);
                self.put(Section::Entity, &name, &attributes.into())?;
                self.open.rows.push(name);
                Ok(())
            }
            Line::Token(token) => self.token(token),
            Line::TokenParent(line) => {
                self.derived(&self.token_name(line.token), &self.token_name(line.parent))
            }
            Line::NodeState(state) => self.state(state),
            Line::SinkState(state) => {
                if state.status == NodeStateStatus::Completed {
                    self.open.taken.push(state.clone());
                }
                self.state(state)
            }
            Line::Batch(batch) => self.flush(batch),
            Line::BatchMember(line) => {
                let (batch, token) = (batch_name(line.batch_no), self.token_name(line.token));
                if line.ordinal == 0 {
                    let attributes = Attributes::of("Batch", &line.batch_no.to_string()).collection();
                    self.put(Section::Entity, &batch, &attributes.into())?;
                }
                self.relate(Section::Member, &json!({"prov:collection": batch, "prov:entity": token}))
            }
            Line::BatchOutput(line) => {
                let token = self.token_name(line.token);
                let flush = self.open.flushes.get(&line.batch_no).cloned();
                self.generated(&token, flush.as_deref())?;
                self.derived(&token, &batch_name(line.batch_no))
            }
            Line::Operation(operation) => self.operation(operation),
            Line::Artifact(artifact) => self.artifact(artifact),
            Line::Epoch(line) => self.epoch(line.epoch),
            Line::Edge(_)
            | Line::StateContext(_)
            | Line::RoutingEvent(_)
            | Line::Call(_)
            | Line::ValidationError(_)
            | Line::TransformError(_)
            | Line::Release(_)
            | Line::TokenOutcome(_)
            | Line::Checkpoint(_)
            | Line::SinkPosition(_)
            | Line::SinkIntent(_)
            | Line::Resumption(_)
            | Line::Purge(_)
            | Line::PurgeFile(_)
            | Line::Registry(_)
            | Line::Bodies(_)
            | Line::Payload(_) => Ok(()),
        }
    }
}

const ENGINE: &str = "at:engine";
const SOURCE: &str = "at:source";

fn agent(step: Step) -> String {
    format!("at:node-{}", step.get())
}

fn batch_name(batch_no: u64) -> String {
    format!("at:batch-{batch_no}")
}

/// What is said of an entity, activity or agent.
struct Attributes {
    types: Vec<String>,
    record: Map<String, Value>,
}

impl Attributes {
    fn of(class: &str, label: &str) -> Self {
        let attributes = Self { types: vec![format!("elspeth:{class}")], record: Map::new() };
        if label.is_empty() { attributes } else { attributes.prov("prov:label", label.to_owned()) }
    }

    fn and_a(mut self, class: &str) -> Self {
        self.types.push(class.to_owned());
        self
    }

    fn software(self) -> Self {
        self.and_a("prov:SoftwareAgent")
    }

    fn collection(self) -> Self {
        self.and_a("prov:Collection")
    }

    fn prov(mut self, name: &str, value: String) -> Self {
        self.record.insert(name.to_owned(), Value::String(value));
        self
    }

    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.record.insert(format!("elspeth:{name}"), value.into());
        self
    }

    fn some(self, name: &str, value: Option<String>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
}

impl From<Attributes> for Value {
    fn from(Attributes { types, mut record }: Attributes) -> Self {
        let qualified = |name: String| json!({"$": name, "type": "prov:QUALIFIED_NAME"});
        let types: Vec<Self> = types.into_iter().map(qualified).collect();
        record.insert("prov:type".to_owned(), types.into());
        Self::Object(record)
    }
}

impl Spool {
    fn put(&mut self, name: &str, record: &Value) -> io::Result<()> {
        let start = if std::mem::take(&mut self.is_empty) { "\n" } else { ",\n" };
        write!(self.file, "{start}{}:{record}", Value::from(name))
    }

    fn copy(self, out: &mut impl Write) -> io::Result<()> {
        let mut file = self.file.into_inner()?;
        file.seek(SeekFrom::Start(0))?;
        io::copy(&mut file, out).map(|_| ())
    }
}

/// Prefixes, and the sections with something in them.
fn document(out: &mut impl Write, run: RunId, sections: Vec<Spool>) -> io::Result<()> {
    let prefixes = json!({
        "elspeth": "urn:elspeth:",
        "run": "urn:elspeth:run:",
        "row": "urn:elspeth:row:",
        "token": "urn:elspeth:token:",
        "state": "urn:elspeth:state:",
        "at": format!("urn:elspeth:run:{run}:"),
    });
    write!(out, "{{\"prefix\":{prefixes}")?;
    for (name, spool) in Section::NAMES.into_iter().zip(sections) {
        if !spool.is_empty {
            write!(out, ",\n\"{name}\":{{")?;
            spool.copy(out)?;
            out.write_all(b"\n}")?;
        }
    }
    out.write_all(b"}\n")
}
