use std::num::NonZeroU64;
use std::sync::Arc;

use elspeth_canonical::{ContentHash, HashVersion};
use elspeth_contracts::{Clock, EdgeRecord, Grade, NodeRecord, RunId, Step};
use elspeth_executors::{Pause, RateLimits, RetryPolicy, StepPlugins};
use elspeth_graph::ExecutionGraph;
use elspeth_landscape::{RunStart, SourceRecord};
use elspeth_payload::FilesystemStore;
use elspeth_plugin::{Sink, Source};
use elspeth_telemetry::Spans;
use elspeth_value::Contract;

use crate::FailureBudget;

/// Everything a run needs: the graph, an instance for each plugin node, and how to run.
pub struct RunPlan {
    /// The run's id.
    pub run_id: RunId,
    /// The graph.
    pub graph: Arc<ExecutionGraph>,
    /// The source.
    pub source: Box<dyn Source>,
    /// The transforms and aggregations.
    pub plugins: StepPlugins,
    /// The sinks.
    pub sinks: Vec<(Step, Box<dyn Sink>)>,
    /// JSON of the resolved settings in their order, secrets as fingerprints.
    pub settings: String,
    /// Where they were read from.
    pub settings_path: String,
    /// Hash of `settings`.
    pub config_hash: ContentHash,
    /// The run's digest.
    pub hash_version: HashVersion,
    /// Rows in flight at once.
    pub max_workers: usize,
    /// Rows of an epoch; where nothing is asked for, what suits the database and the rows.
    pub epoch_rows: Option<usize>,
    /// How many rows may fail.
    pub budget: FailureBudget,
    /// Whether a run that is resumed reads on in a source that has changed.
    pub accept_changed_source: bool,
    /// How failures of the world are tried again.
    pub retry: RetryPolicy,
    /// How often services may be asked.
    pub limits: RateLimits,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where bodies go that are too large for an epoch's block.
    pub bodies: FilesystemStore,
    /// Who watches.
    pub spans: Spans,
    /// How threads wait between attempts.
    pub pause: Arc<dyn Pause>,
    /// After how many epochs the registry hears how far the run is; where its heads are signed.
    pub heads_every: Option<NonZeroU64>,
    /// Version of this program.
    pub engine_version: String,
    /// Who writes the run: host, process, a random part.
    pub owner: String,
}

impl RunPlan {
    /// What is registered of the run; the source is open by now.
    pub(crate) fn start(&self) -> RunStart {
        RunStart {
            run_id: self.run_id,
            started_at: self.clock.now(),
            settings: self.settings.clone(),
            settings_path: self.settings_path.clone(),
            config_hash: self.config_hash,
            hash_version: self.hash_version,
            topology_hash: self.graph.topology_hash(),
            grade: Grade::FullReproducible,
            engine_version: self.engine_version.clone(),
            owner: self.owner.clone(),
            nodes: self.graph.nodes().iter().map(node_record).collect(),
            edges: self.graph.edges().iter().map(edge_record).collect(),
            source: source_record(self.source.as_ref()),
        }
    }
}

/// What the record keeps of a source, as far as it was read.
pub(crate) fn source_record(source: &dyn Source) -> SourceRecord {
    let identity = source.identity();
    let resolution = source.field_resolution();
    let mut stored = serde_json::json!({ "location": identity.location, "size_bytes": identity.size_bytes });
    note_read(&mut stored, identity.read_bytes, identity.content_hash);
    let snapshots = source.snapshots();
    if !snapshots.is_empty() {
        stored["snapshots"] = serde_json::json!(snapshots);
    }
    SourceRecord {
        identity: stored.to_string(),
        field_resolution: serde_json::json!(resolution.fields).to_string(),
        contract: contract_json(&source.contract()),
    }
}

/// How much of a source was read, in what the record keeps of it.
pub(crate) fn note_read(stored: &mut serde_json::Value, bytes: u64, hash: Option<ContentHash>) {
    stored["read_bytes"] = bytes.into();
    stored["content_hash"] = serde_json::json!(hash.map(|hash| hash.to_string()));
}

fn node_record(node: &elspeth_graph::Node) -> NodeRecord {
    NodeRecord {
        step: node.step,
        node_id: node.id.clone(),
        name: node.name.clone(),
        node_type: node.node_type(),
        plugin: node.plugin.clone(),
        plugin_version: node.plugin_version.clone(),
        determinism: node.determinism,
        config: node.config.clone(),
        config_hash: node.config_hash,
        input_schema: contract_json(&node.input),
        output_schema: contract_json(&node.output),
    }
}

fn edge_record(edge: &elspeth_graph::Edge) -> EdgeRecord {
    EdgeRecord { edge: edge.no, from: edge.from, to: edge.to, label: edge.label.clone(), mode: edge.mode }
}

fn contract_json(contract: &Contract) -> String {
    serde_json::to_string(contract).expect("a contract is plain data with text keys")
}
