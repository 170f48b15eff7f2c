//! A program that decides by itself and records its decisions: refunds below 50 are paid at once, others are looked at by a
//! person. Uses nothing but the record: no settings file, no engine, no plugins.
//!
//! ```text
//! cargo run -p elspeth-landscape-sql --example record_decisions [DATABASE]
//! ```
//!
//! Afterwards the record can be asked like that of any run, with this program or with `elspeth explain`.

use std::error::Error;
use std::sync::Arc;

use elspeth_canonical::HashVersion;
use elspeth_contracts::{
    Clock, Determinism, EdgeMode, EdgeNo, EdgeRecord, EpochNo, Grade, IdSource, Micros, NodeId, NodeRecord,
    NodeStateRecord, NodeStateStatus, NodeType, Outcome, RandomIds, RoutingEventRecord, RowIndex, RowRecord,
    RunStatus, Step, SystemClock, TokenKey, TokenOutcomeRecord, TokenRecord, Topology,
};
use elspeth_landscape::integrity::LeafEncoder;
use elspeth_landscape::lineage::{Question, Subject, explain};
use elspeth_landscape::{
    ActedEpoch, DecidedEpoch, Recorder, RunRef, RunSeal, RunStart, SinkIntent, SourceRecord,
};
use elspeth_landscape_sql::SqliteLandscape;
use elspeth_payload::{BlockBuilder, BodyFragment, BodyKey};
use elspeth_value::{Row, Shape, Value};

const HASH: HashVersion = HashVersion::Blake3V1;
const CONDITION: &str = "row['amount'] < 50";

/// The steps of this program, as the record will name them.
const DESK: u16 = 1;
const PAID: u16 = 2;
const REVIEW: u16 = 3;

/// The ways from the desk.
const SMALL: EdgeNo = EdgeNo(1);
const LARGE: EdgeNo = EdgeNo(2);

fn main() -> Result<(), Box<dyn Error>> {
    let database = std::env::args().nth(1).unwrap_or_else(|| ":memory:".to_owned());
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(desk(&database))
}

/// A day at the desk, recorded in that database.
pub(crate) async fn desk(database: &str) -> Result<(), Box<dyn Error>> {
    let landscape = SqliteLandscape::at(database)?;
    let clock = SystemClock::new();

    // Begin: what this run is, and which steps it has.
    let start = run_start(&clock);
    let mut recorder = Recorder::begin(Box::new(landscape.writer().await?), &start).await?;

    // Decide, record, and only then act. What was done is recorded with the next commit.
    let epoch = decide(&requests(), start.started_at, &clock);
    recorder.stage(&epoch).await?;
    recorder.commit(None, clock.now()).await?;
    let acted = act(&epoch);
    recorder.commit(Some(&acted), clock.now()).await?;

    let sealed = recorder.seal(run_seal(&clock)).await?;
    println!("content root {}", sealed.content_root.ok_or("a sealed run has its roots")?);

    // Ask the record why the second request was not paid.
    let reader = landscape.reader().await?;
    let row = RowIndex::new(1).ok_or("1 is a row")?;
    let question = Question { run: RunRef::Latest, subject: Subject::Row(row), sink: None, members_from: 0 };
    print!("{}", explain(&reader, None, &question).await?.to_text());
    Ok(())
}

fn requests() -> Vec<Row> {
    let shape = Shape::new(["customer".into(), "amount".into()]);
    [("Ada", 19.5), ("Grace", 250.0), ("Edsger", 49.0)]
        .into_iter()
        .map(|(customer, amount)| {
            Row::new(Arc::clone(&shape), vec![Value::Str(customer.into()), Value::Float(amount)])
        })
        .collect()
}

/// One epoch: every request with its way to a sink.
fn decide(requests: &[Row], began: Micros, clock: &dyn Clock) -> DecidedEpoch {
    let mut epoch = DecidedEpoch { epoch: EpochNo(0), started: clock.now(), ..DecidedEpoch::default() };
    let mut leaf = LeafEncoder::new(HASH);
    let mut bodies = BodyFragment::default();
    let mut intents = [PAID, REVIEW].map(|sink| SinkIntent { sink: step(sink), tokens: Vec::new() });
    for (number, row) in (0..).zip(requests) {
        let row_index = RowIndex::new(number).expect("three requests are below the limit");
        let token = TokenKey::of_row(row_index, 0).expect("ordinal 0 is below the limit");
        let small = matches!(row.get("amount"), Some(Value::Float(amount)) if *amount < 50.0);

        let source_data_hash =
            row.content_hash(HASH, &mut Vec::new()).expect("texts and floats can be hashed");
        let started_us = clock.now().since(began);
        let record = RowRecord { row_index, source_data_hash, read_us: started_us, valid: true };
        let state = state(token, DESK, started_us);
        let edge = if small { SMALL } else { LARGE };
        let way = RoutingEventRecord { token, step: step(DESK), attempt: 0, ordinal: 0, edge, reason: None };

        leaf.row(&record);
        leaf.token(&TokenRecord::plain(token));
        leaf.state(&state);
        leaf.routing(&way);
        epoch.row_leaves.push(leaf.finish());
        bodies.push_row(BodyKey { token, step: Step::SOURCE }, row);
        epoch.rows.push(record);
        epoch.tokens.push(TokenRecord::plain(token));
        epoch.states.push(state);
        epoch.routing.push(way);
        intents[usize::from(!small)].tokens.push(token);
    }
    let mut block = BlockBuilder::default();
    block.add(bodies);
    epoch.bodies = block.finish();
    epoch.intents = intents.into();
    epoch.source_position = format!("{{\"requests\":{}}}", requests.len());
    epoch
}

/// Pays, or files for review; here the printing stands for it.
fn act(decided: &DecidedEpoch) -> ActedEpoch {
    let mut acted = ActedEpoch { epoch: decided.epoch, ..ActedEpoch::default() };
    for intent in &decided.intents {
        for token in &intent.tokens {
            let verb = if intent.sink == step(PAID) { "paid" } else { "to be reviewed" };
            println!("{verb}: token {}", token.get());
            acted.sink_states.push(state(*token, intent.sink.get(), 0));
            acted.outcomes.push(TokenOutcomeRecord::at_sink(*token, Outcome::Routed, intent.sink));
        }
    }
    acted.sink_states.sort_by_key(|state| state.token);
    acted.outcomes.sort_by_key(|outcome| outcome.token);
    acted
}

fn state(token: TokenKey, at: u16, started_us: i64) -> NodeStateRecord {
    NodeStateRecord {
        token,
        step: step(at),
        attempt: 0,
        status: NodeStateStatus::Completed,
        input_hash: None,
        output_hash: None,
        started_us,
        duration_us: 0,
        waited_us: 0,
    }
}

fn step(number: u16) -> Step {
    Step::new(number).expect("four steps are below the limit")
}

fn run_start(clock: &dyn Clock) -> RunStart {
    let settings = "{\"limit\":50}".to_owned();
    let condition = format!("{{\"condition\":\"{CONDITION}\"}}");
    let nodes = vec![
        node(0, "requests", NodeType::Source, "refund_desk", "{}"),
        node(DESK, "desk", NodeType::Gate, "gate", &condition),
        node(PAID, "paid", NodeType::Sink, "refund_desk", "{}"),
        node(REVIEW, "review", NodeType::Sink, "refund_desk", "{}"),
    ];
    let edges = vec![
        edge(EdgeNo(0), (0, DESK), "continue"),
        edge(SMALL, (DESK, PAID), "true"),
        edge(LARGE, (DESK, REVIEW), "false"),
    ];
    RunStart {
        run_id: RandomIds.next_run_id(),
        started_at: clock.now(),
        config_hash: HASH.hash(settings.as_bytes()),
        settings,
        settings_path: "built in".to_owned(),
        hash_version: HASH,
        topology_hash: Topology::of_records(&nodes, &edges).expect("the ways are between steps").hash(HASH),
        grade: Grade::FullReproducible,
        engine_version: env!("CARGO_PKG_VERSION").to_owned(),
        owner: format!("refund desk, process {}", std::process::id()),
        nodes,
        edges,
        source: source(),
    }
}

fn node(at: u16, name: &str, node_type: NodeType, plugin: &str, config: &str) -> NodeRecord {
    let config_hash = HASH.hash(config.as_bytes());
    NodeRecord {
        step: step(at),
        node_id: NodeId(format!("{node_type}_{name}_{}", &config_hash.to_string()[..12])),
        name: name.to_owned(),
        node_type,
        plugin: plugin.to_owned(),
        plugin_version: env!("CARGO_PKG_VERSION").to_owned(),
        determinism: Determinism::Deterministic,
        config: config.to_owned(),
        config_hash,
        input_schema: "null".to_owned(),
        output_schema: "null".to_owned(),
    }
}

fn edge(edge: EdgeNo, (from, to): (u16, u16), label: &str) -> EdgeRecord {
    EdgeRecord { edge, from: step(from), to: step(to), label: label.to_owned(), mode: EdgeMode::Move }
}

fn source() -> SourceRecord {
    SourceRecord { identity: "{}".to_owned(), field_resolution: "{}".to_owned(), contract: "{}".to_owned() }
}

fn run_seal(clock: &dyn Clock) -> RunSeal {
    RunSeal {
        completed_at: clock.now(),
        status: RunStatus::Completed,
        error: None,
        source: source(),
        content_root: None,
        record_root: None,
    }
}
