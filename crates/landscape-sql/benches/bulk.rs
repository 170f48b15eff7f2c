//! Ways to write many records into PostgreSQL: binary `COPY` of so many records at a time, and `INSERT` from arrays.
//!
//! Each way writes 200,000 states into a table like the record's own, a thousand in each transaction, on a throw-away server
//! with `fsync` on. What is shown is the least time of a record; ways take turns.
//!
//! ```sh
//! cargo bench -p elspeth-landscape-sql --bench bulk
//! ```
#![expect(clippy::unwrap_used, reason = "a bench whose server does not answer has nothing to say")]

use std::time::{Duration, Instant};

use elspeth_testkit::{PgCluster, PgDurability};
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Executor as _};

const RECORDS: u32 = 200_000;
/// Records of one kind in an epoch of the default size, and so in a transaction.
const EPOCH: u32 = 1000;
const PASSES: usize = 3;

const TABLE: &str = "CREATE TABLE states (
    run_no BIGINT NOT NULL, token BIGINT NOT NULL, step BIGINT NOT NULL, attempt BIGINT NOT NULL DEFAULT 0,
    status BIGINT NOT NULL DEFAULT 2 CHECK (status BETWEEN 0 AND 3), started_us BIGINT NOT NULL, duration_us BIGINT NOT NULL,
    waited_us BIGINT NOT NULL DEFAULT 0, output_hash BYTEA CHECK (length(output_hash) = 32),
    input_hash BYTEA CHECK (length(input_hash) = 32), PRIMARY KEY (run_no, token, step, attempt))";
const COPY: &str =
    "COPY states(run_no, token, step, started_us, duration_us) FROM STDIN WITH (FORMAT binary)";
const UNNEST: &str = "INSERT INTO states(run_no, token, step, started_us, duration_us)
    SELECT 1, * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])";
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

#[derive(Clone, Copy)]
enum Way {
    Copy,
    Unnest,
}

/// Each with the records of one statement.
const WAYS: [(Way, usize); 6] = [
    (Way::Copy, 1000),
    (Way::Copy, 500),
    (Way::Copy, 250),
    (Way::Copy, 125),
    (Way::Unnest, 1000),
    (Way::Unnest, 500),
];

fn main() {
    // Runners of tests start benches too, and expect them to be quick.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let Some(cluster) = PgCluster::start(PgDurability::Full) else {
        println!("skipped: there is no PostgreSQL on this machine");
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = PgConnection::connect(&cluster.fresh()).await.unwrap();
        let mut best = [Duration::MAX; WAYS.len()];
        for _ in 0..PASSES {
            for (way, best) in WAYS.into_iter().zip(&mut best) {
                *best = (*best).min(written(&mut connection, way).await);
            }
        }
        for ((way, many), best) in WAYS.iter().zip(best) {
            let name = match way {
                Way::Copy => "COPY",
                Way::Unnest => "UNNEST",
            };
            println!("{name} of {many}: {:.2} µs a record", best.as_secs_f64() * 1e6 / f64::from(RECORDS));
        }
    });
}

async fn written(connection: &mut PgConnection, (way, many): (Way, usize)) -> Duration {
    connection.execute("DROP TABLE IF EXISTS states").await.unwrap();
    connection.execute(TABLE).await.unwrap();
    let started = Instant::now();
    for epoch in 0..RECORDS / EPOCH {
        connection.execute("BEGIN").await.unwrap();
        let rows = epoch * EPOCH..(epoch + 1) * EPOCH;
        let tokens: Vec<i64> = rows.map(|row| i64::from(row) << 20).collect();
        for part in tokens.chunks(many) {
            match way {
                Way::Copy => {
                    let mut copy = connection.copy_in_raw(COPY).await.unwrap();
                    copy.send(records(part)).await.unwrap();
                    copy.finish().await.unwrap();
                }
                Way::Unnest => {
                    let (steps, durations) = (vec![3_i64; part.len()], vec![17_i64; part.len()]);
                    let insert = sqlx::query(UNNEST).bind(part).bind(steps).bind(part).bind(durations);
                    insert.execute(&mut *connection).await.unwrap();
                }
            }
        }
        connection.execute("COMMIT").await.unwrap();
    }
    started.elapsed()
}

/// In the binary form of `COPY`.
fn records(tokens: &[i64]) -> Vec<u8> {
    let mut out = HEADER.to_vec();
    for token in tokens {
        out.extend(5_i16.to_be_bytes());
        for value in [1, *token, 3, *token, 17] {
            out.extend(8_i32.to_be_bytes());
            out.extend(value.to_be_bytes());
        }
    }
    out.extend((-1_i16).to_be_bytes());
    out
}
