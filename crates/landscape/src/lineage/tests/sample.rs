//! A small graph, and one row's way through it.

use std::collections::BTreeMap;

use elspeth_canonical::{ContentHash, HashVersion};
use elspeth_contracts::{
    Determinism, EdgeMode, EdgeNo, EdgeRecord, EpochNo, ExportStatus, Grade, Micros, NodeId, NodeRecord,
    NodeStateRecord, NodeStateStatus, NodeType, Outcome, RoutingEventRecord, RowIndex, RowRecord, RunStatus,
    StateContextRecord, Step, TokenKey, TokenOutcomeRecord, TokenRecord,
};
use elspeth_payload::{Block, BlockBuilder, BodyFragment, BodyKey};
use elspeth_value::{Row, Shape, Value};

use crate::lineage::assemble::lineage;
use crate::lineage::facts::{Facts, TokenFacts};
use crate::lineage::{Bodies, Graph, Lineage};
use crate::{LandscapeError, RunRecord, SourceRecord};

pub(super) const VERSION: HashVersion = HashVersion::Blake3V1;
pub(super) const RUN: &str = "01JZ8Q4Z8N5X2V7K3M9T0B6C1D";

pub(super) const SOURCE: u16 = 0;
pub(super) const MAPPER: u16 = 1;
pub(super) const QUALITY: u16 = 2;
pub(super) const APPROVED: u16 = 3;
pub(super) const REJECTED: u16 = 4;

pub(super) fn step(step: u16) -> Step {
    Step::new(step).unwrap()
}

pub(super) fn row_41() -> RowIndex {
    RowIndex::new(41).unwrap()
}

pub(super) fn token(ordinal: u32) -> TokenKey {
    TokenKey::of_row(row_41(), ordinal).unwrap()
}

pub(super) fn run() -> RunRecord {
    RunRecord {
        run_no: 1,
        run_id: RUN.parse().unwrap(),
        status: RunStatus::Completed,
        started_at: Micros(0),
        completed_at: Some(Micros(1)),
        settings: "{}".to_owned(),
        settings_path: "a.yaml".to_owned(),
        config_hash: VERSION.hash(b"{}"),
        hash_version: VERSION,
        topology_hash: VERSION.hash(b""),
        grade: Grade::FullReproducible,
        engine_version: "0.1.0".to_owned(),
        export_status: ExportStatus::None,
        source: SourceRecord::default(),
        owner: String::new(),
        heartbeat_at: Micros(0),
        error: None,
        content_root: None,
        record_root: None,
        epochs: 1,
    }
}

pub(super) fn node(at: u16, name: &str, node_type: NodeType, plugin: &str, config: &str) -> NodeRecord {
    NodeRecord {
        step: step(at),
        node_id: NodeId(format!("{node_type}_{name}_000000000000")),
        name: name.to_owned(),
        node_type,
        plugin: plugin.to_owned(),
        plugin_version: "1".to_owned(),
        determinism: Determinism::Deterministic,
        config: config.to_owned(),
        config_hash: VERSION.hash(config.as_bytes()),
        input_schema: "null".to_owned(),
        output_schema: "null".to_owned(),
    }
}

/// source -> mapper -> quality -> approved or rejected; mapper's errors and refused records go to rejected.
pub(super) fn graph() -> Graph {
    let condition = r#"{"condition":"row['score'] >= 80","routes":{"false":"rejected","true":"approved"}}"#;
    let edges = [
        (SOURCE, MAPPER, "continue", EdgeMode::Move),
        (SOURCE, REJECTED, "__quarantine__", EdgeMode::Divert),
        (MAPPER, QUALITY, "continue", EdgeMode::Move),
        (MAPPER, REJECTED, "__error_mapper__", EdgeMode::Divert),
        (QUALITY, APPROVED, "true", EdgeMode::Move),
        (QUALITY, REJECTED, "false", EdgeMode::Move),
    ];
    let edge = |(number, (from, to, label, mode)): (usize, (u16, u16, &str, EdgeMode))| EdgeRecord {
        edge: EdgeNo(u16::try_from(number).unwrap()),
        from: step(from),
        to: step(to),
        label: label.to_owned(),
        mode,
    };
    Graph {
        nodes: vec![
            node(SOURCE, "source", NodeType::Source, "csv", "{}"),
            node(MAPPER, "mapper", NodeType::Transform, "field_mapper", "{}"),
            node(QUALITY, "quality", NodeType::Gate, "gate", condition),
            node(APPROVED, "approved", NodeType::Sink, "csv", "{}"),
            node(REJECTED, "rejected", NodeType::Sink, "csv", "{}"),
        ],
        edges: edges.into_iter().enumerate().map(edge).collect(),
    }
}

pub(super) fn row(fields: &[(&str, Value)]) -> Row {
    let shape = Shape::new(fields.iter().map(|(name, _)| (*name).into()));
    Row::new(shape, fields.iter().map(|(_, value)| value.clone()).collect())
}

pub(super) fn read_row() -> Row {
    row(&[("id", Value::Int(7)), ("name", Value::Str(" Ann".into())), ("amount", Value::Float(2500.0))])
}

pub(super) fn mapped_row() -> Row {
    row(&[("id", Value::Int(7)), ("name", Value::Str("Ann".into())), ("score", Value::Int(85))])
}

pub(super) fn hash_of(row: &Row) -> ContentHash {
    row.content_hash(VERSION, &mut Vec::new()).unwrap()
}

pub(super) fn bodies(rows: &[(u32, u16, Row)]) -> Bodies<'static> {
    let mut fragment = BodyFragment::default();
    for (ordinal, at, row) in rows {
        fragment.push_row(BodyKey { token: token(*ordinal), step: step(*at) }, row);
    }
    let mut builder = BlockBuilder::default();
    builder.add(fragment);
    in_epochs([(0, Block::read(&builder.finish()).unwrap())])
}

/// Bodies by epoch.
pub(super) fn in_epochs<const N: usize>(blocks: [(u64, Block); N]) -> Bodies<'static> {
    let blocks = blocks.map(|(epoch, block)| (EpochNo(epoch), block));
    Bodies::of(RUN.parse().unwrap(), VERSION, blocks.into())
}

pub(super) fn both_bodies() -> Bodies<'static> {
    bodies(&[(0, SOURCE, read_row()), (0, MAPPER, mapped_row())])
}

pub(super) fn state(ordinal: u32, at: u16, status: NodeStateStatus) -> NodeStateRecord {
    NodeStateRecord {
        token: token(ordinal),
        step: step(at),
        attempt: 0,
        status,
        input_hash: None,
        output_hash: None,
        started_us: 0,
        duration_us: 0,
        waited_us: 0,
    }
}

pub(super) fn routing(ordinal: u32, at: u16, edge: u16) -> RoutingEventRecord {
    RoutingEventRecord {
        token: token(ordinal),
        step: step(at),
        attempt: 0,
        ordinal: 0,
        edge: EdgeNo(edge),
        reason: None,
    }
}

pub(super) fn plain_token(ordinal: u32) -> TokenFacts {
    TokenFacts {
        token: TokenRecord::plain(token(ordinal)),
        parents: Vec::new(),
        states: Vec::new(),
        contexts: Vec::new(),
        routing: Vec::new(),
        calls: Vec::new(),
        errors: Vec::new(),
        outcome: None,
        memberships: Vec::new(),
        made_by: None,
    }
}

pub(super) fn subject(tokens: Vec<TokenFacts>) -> Facts {
    let row =
        RowRecord { row_index: row_41(), source_data_hash: hash_of(&read_row()), read_us: 0, valid: true };
    Facts {
        rows: [(row_41(), (row, EpochNo(0)))].into(),
        tokens: tokens.into_iter().map(|t| (t.key(), t)).collect::<BTreeMap<_, _>>(),
        ..Facts::default()
    }
}

/// Mapped, found good, approved.
pub(super) fn approved() -> TokenFacts {
    let done = NodeStateStatus::Completed;
    TokenFacts {
        states: vec![
            state(0, SOURCE, done),
            NodeStateRecord {
                output_hash: Some(hash_of(&mapped_row())),
                duration_us: 1_250,
                waited_us: 1_250_000,
                ..state(0, MAPPER, done)
            },
            state(0, QUALITY, done),
            state(0, APPROVED, done),
        ],
        routing: vec![routing(0, QUALITY, 4)],
        contexts: vec![StateContextRecord {
            token: token(0),
            step: step(MAPPER),
            attempt: 0,
            context: r#"{"renamed":1}"#.to_owned(),
        }],
        outcome: Some(TokenOutcomeRecord::at_sink(token(0), Outcome::Routed, step(APPROVED))),
        ..plain_token(0)
    }
}

pub(super) fn explained(facts: Facts, bodies: &Bodies<'_>) -> Lineage {
    lineage(&run(), &graph(), (&facts, Some(row_41())), bodies).unwrap()
}

pub(super) fn corruption(facts: Facts, bodies: &Bodies<'_>) -> String {
    match lineage(&run(), &graph(), (&facts, Some(row_41())), bodies).unwrap_err() {
        LandscapeError::Corrupt(corruption) => corruption.to_string(),
        other => panic!("{other}"),
    }
}
