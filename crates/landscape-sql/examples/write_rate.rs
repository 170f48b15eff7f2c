//! How fast the store writes: synthetic epochs of 1,000 rows with seven records each (row, token, the states of a
//! transform and a gate, the gate's routing event, the sink's state, the outcome).
//!
//! ```text
//! cargo run --release -p elspeth-landscape-sql --example write_rate -- audit.db 200000 ask
//! cargo run --release -p xtask-floor -- floor audit.db floor.db
//! ```
//!
//! Without arguments it writes 10,000 rows to `write_rate.db`. The second command writes the identical records through
//! the raw C API and prints what that takes.

use std::time::{Duration, Instant};

use elspeth_canonical::{ContentHash, HashVersion};
use elspeth_contracts::{
    Determinism, EdgeMode, EdgeNo, EdgeRecord, EpochNo, Grade, Micros, NodeId, NodeRecord, NodeStateRecord,
    NodeStateStatus, NodeType, Outcome, RoutingEventRecord, RowIndex, RowRecord, RunId, RunStatus, Step,
    TokenKey, TokenOutcomeRecord, TokenRecord,
};
use elspeth_landscape::integrity::{Continuing, EpochHashes};
use elspeth_landscape::registry::{Entry, Sealed};
use elspeth_landscape::{
    ActedEpoch, DecidedEpoch, LandscapeReader as _, LandscapeWriter as _, RunRef, RunSeal, RunStart,
    SinkIntent, SinkProgress, SourceRecord,
};
use elspeth_landscape_sql::SqliteLandscape;

const EPOCH: u64 = 1_000;
const RECORDS_PER_ROW: f64 = 7.0;
const TRANSFORM: u16 = 1;
const GATE: u16 = 2;
const SINKS: [u16; 2] = [3, 4];

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let database = arguments.next().unwrap_or_else(|| "write_rate.db".to_owned());
    let rows = arguments.next().map_or(Ok(10_000), |rows| rows.parse())?;
    let ask = arguments.next().is_some_and(|word| word == "ask");
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?.block_on(async {
        measure(&database, rows).await?;
        if ask { questions(&database).await } else { Ok(()) }
    })
}

async fn measure(database: &str, rows: u64) -> Result<(), Failure> {
    let landscape = SqliteLandscape::at(database)?;
    let mut writer = landscape.writer().await?;
    let start = start();
    writer.begin_run(&start).await?;
    let mut busy = Duration::ZERO;
    let mut before: Option<ActedEpoch> = None;
    for epoch in 0..rows.div_ceil(EPOCH) {
        let (decided, acted) = synthetic(epoch, (epoch * EPOCH)..rows.min((epoch + 1) * EPOCH));
        let started = Instant::now();
        writer.stage(&decided).await?;
        writer.commit(before.as_ref(), &hashes(), Micros(1)).await?;
        busy += started.elapsed();
        before = Some(acted);
    }
    let started = Instant::now();
    writer.commit(before.as_ref(), &hashes(), Micros(1)).await?;
    busy += started.elapsed();
    let per_second = count(rows) / busy.as_secs_f64();
    println!("written        {rows} rows in {:.3} s", busy.as_secs_f64());
    println!("rows/s         {per_second:.0}");
    println!("records/s      {:.0}", per_second * RECORDS_PER_ROW);
    let started = Instant::now();
    let breaches = writer.conservation().await?;
    println!("conservation   {:.3} s ({} breaches)", started.elapsed().as_secs_f64(), breaches.len());
    let started = Instant::now();
    writer.seal(&seal(), &sealed(&start, rows)).await?;
    println!("seal           {:.3} s", started.elapsed().as_secs_f64());
    writer.close().await?;
    println!("bytes/row      {:.0}", count(std::fs::metadata(database)?.len()) / count(rows));
    Ok(())
}

/// What asking takes on so much record.
async fn questions(database: &str) -> Result<(), Failure> {
    let reader = SqliteLandscape::open_reader(database).await?;
    let run_no = reader.run(&RunRef::Latest).await?.run_no;
    let started = Instant::now();
    let counters = reader.counters(run_no).await?;
    println!("counters       {:.3} s ({} routed)", started.elapsed().as_secs_f64(), counters.routed);
    let started = Instant::now();
    let failures = reader.failures(run_no, 10).await?;
    println!("failures       {:.3} s ({})", started.elapsed().as_secs_f64(), failures.len());
    let started = Instant::now();
    let tokens = reader.tokens_at_sink(run_no, step(SINKS[1]), 1).await?;
    println!("tokens_at_sink {:.3} s ({})", started.elapsed().as_secs_f64(), tokens.len());
    Ok(())
}

fn count(number: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "rows and bytes of a benchmark stay far below 2^52")]
    let number = number as f64;
    number
}

/// One epoch's decisions and what came of them.
fn synthetic(epoch: u64, rows: std::ops::Range<u64>) -> (DecidedEpoch, ActedEpoch) {
    let mut decided = DecidedEpoch {
        epoch: EpochNo(epoch),
        started: Micros(1),
        bodies: vec![7; 100 * 1_000],
        source_position: "{\"offset\": 123456}".to_owned(),
        ..DecidedEpoch::default()
    };
    let mut acted = ActedEpoch { epoch: EpochNo(epoch), ..ActedEpoch::default() };
    let mut intents = SINKS.map(|sink| SinkIntent { sink: step(sink), tokens: Vec::new() });
    for index in rows {
        let row = RowIndex::new(index).expect("few rows");
        let token = TokenKey::of_row(row, 0).expect("the first token");
        let started_us = (index * 9).cast_signed();
        let state = |at: u16, output_hash| NodeStateRecord {
            token,
            step: step(at),
            attempt: 0,
            status: NodeStateStatus::Completed,
            input_hash: None,
            output_hash,
            started_us,
            duration_us: 3,
            waited_us: 0,
        };
        let route = usize::from(index % 3 == 0);
        decided.rows.push(RowRecord {
            row_index: row,
            source_data_hash: hash(index),
            read_us: started_us,
            valid: true,
        });
        decided.tokens.push(TokenRecord::plain(token));
        decided.states.push(state(TRANSFORM, Some(hash(index + 1))));
        decided.states.push(state(GATE, None));
        decided.routing.push(RoutingEventRecord {
            token,
            step: step(GATE),
            attempt: 0,
            ordinal: 0,
            edge: EdgeNo(if route == 0 { 2 } else { 3 }),
            reason: None,
        });
        intents[route].tokens.push(token);
        acted.sink_states.push(state(SINKS[route], None));
        acted.outcomes.push(TokenOutcomeRecord::at_sink(token, Outcome::Routed, step(SINKS[route])));
    }
    decided.intents = intents.to_vec();
    acted.sinks =
        SINKS.map(|sink| SinkProgress { sink: step(sink), position: "{\"offset\": 1}".to_owned() }).to_vec();
    (decided, acted)
}

fn step(number: u16) -> Step {
    Step::new(number).expect("few steps")
}

/// Some 32 bytes that no compression could shorten.
fn hash(seed: u64) -> ContentHash {
    let mut bytes = [0; 32];
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for chunk in bytes.chunks_exact_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        chunk.copy_from_slice(&state.to_le_bytes());
    }
    ContentHash::from_bytes(bytes)
}

fn hashes() -> EpochHashes {
    EpochHashes {
        chain: hash(1),
        acted_chain: hash(5),
        content: hash(2),
        state: "{}".to_owned(),
        head: None,
        staged: Some(Continuing { all: hash(3), intents: hash(4) }),
        positions: Vec::new(),
    }
}

fn start() -> RunStart {
    let kinds = [NodeType::Source, NodeType::Transform, NodeType::Gate, NodeType::Sink, NodeType::Sink];
    RunStart {
        run_id: RunId::from_ulid(ulid::Ulid::new()),
        started_at: Micros(1),
        settings: "{}".to_owned(),
        settings_path: "synthetic".to_owned(),
        config_hash: hash(3),
        hash_version: HashVersion::Blake3V1,
        topology_hash: hash(4),
        grade: Grade::FullReproducible,
        engine_version: env!("CARGO_PKG_VERSION").to_owned(),
        owner: "write_rate".to_owned(),
        nodes: (0..).zip(kinds).map(|(number, kind)| node(number, kind)).collect(),
        edges: [(0, 1, "continue"), (1, 2, "continue"), (2, 3, "low"), (2, 4, "high")]
            .into_iter()
            .zip(0..)
            .map(|((from, to, label), edge)| EdgeRecord {
                edge: EdgeNo(edge),
                from: step(from),
                to: step(to),
                label: label.to_owned(),
                mode: EdgeMode::Move,
            })
            .collect(),
        source: SourceRecord::default(),
    }
}

fn node(number: u16, node_type: NodeType) -> NodeRecord {
    NodeRecord {
        step: step(number),
        node_id: NodeId(format!("{node_type}_{number}")),
        name: format!("{node_type}_{number}"),
        node_type,
        plugin: "synthetic".to_owned(),
        plugin_version: "1".to_owned(),
        determinism: Determinism::Deterministic,
        config: "{}".to_owned(),
        config_hash: hash(5),
        input_schema: "null".to_owned(),
        output_schema: "null".to_owned(),
    }
}

fn sealed(start: &RunStart, rows: u64) -> Entry {
    Entry::Sealed(Sealed {
        run: start.run_id,
        hash_version: start.hash_version,
        config_hash: start.config_hash,
        topology_hash: start.topology_hash,
        status: RunStatus::Completed,
        started_at: start.started_at,
        completed_at: Micros(2),
        rows,
        records: rows,
        content_root: hash(6),
        record_root: hash(7),
        signed_by: None,
    })
}

fn seal() -> RunSeal {
    RunSeal {
        completed_at: Micros(2),
        status: RunStatus::Completed,
        error: None,
        source: SourceRecord::default(),
        content_root: Some(hash(6)),
        record_root: Some(hash(7)),
    }
}
