//! Counters of a run, computed from its record; when a run is sealed they are kept beside it, because a sealed record
//! changes no more.

use std::collections::BTreeMap;

use elspeth_contracts::{NodeType, Outcome};
use elspeth_landscape::{Corruption, Counters, LandscapeError};
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use crate::census::Census;
use crate::error::store_error;
use crate::stored::{Origin, Stored};

const OUTCOMES: &str =
    "SELECT outcome, count(*) AS tokens FROM token_outcomes WHERE run_no = ? AND terminal = 1
    GROUP BY outcome";
const ROWS: &str = "SELECT count(*) FROM rows WHERE run_no = ?";
/// Tokens that wait in open batches: members of batches that were not flushed, and those that were recorded as buffered,
/// as long as nothing came after that. Batches are few, so they are visited one after the other by their numbers.
const BUFFERED: &str = "WITH RECURSIVE batch(n) AS (
        SELECT min(m.batch_no) FROM batch_members m WHERE m.run_no = ?1
        UNION ALL
        SELECT (SELECT min(m.batch_no) FROM batch_members m WHERE m.run_no = ?1 AND m.batch_no > batch.n)
        FROM batch WHERE batch.n IS NOT NULL),
    waiting(token) AS (
        SELECT m.token FROM batch CROSS JOIN batch_members m ON m.run_no = ?1 AND m.batch_no = batch.n
        WHERE NOT EXISTS (SELECT 1 FROM batches b WHERE b.run_no = ?1 AND b.batch_no = batch.n AND b.status IN (2, 3))
        UNION
        SELECT token FROM token_outcomes WHERE run_no = ?1 AND terminal = 0)
    SELECT count(*) FROM waiting WHERE NOT EXISTS
        (SELECT 1 FROM token_outcomes t WHERE t.run_no = ?1 AND t.token = waiting.token AND t.terminal = 1)";
/// Merges that failed, however many branches had come: the state of one of them tells of the merge. What came too late
/// for a merge does not make it fail.
const COALESCE_FAILED: &str = "SELECT count(*) FROM transform_errors e
    JOIN nodes n ON n.run_no = e.run_no AND n.step = e.step AND n.node_type = 4
    JOIN state_contexts c ON c.run_no = e.run_no AND c.token = e.token AND c.step = e.step AND c.attempt = e.attempt
    WHERE e.run_no = ? AND e.reason ->> 'kind' <> 'late_arrival_after_merge'";
const DESTINATIONS: &str = "SELECT n.name, coalesce(s.tokens, 0) AS tokens FROM nodes n LEFT JOIN
    (SELECT step, count(*) AS tokens FROM sink_states WHERE run_no = ?1 AND status = 2 GROUP BY step) s
    ON s.step = n.step WHERE n.run_no = ?1 AND n.node_type = 5";

/// Of a sealed run what was kept, else what the record says now.
pub(crate) async fn counters(
    connection: &mut SqliteConnection,
    run_no: i64,
) -> Result<Counters, LandscapeError> {
    let kept: Option<Option<String>> = sqlx::query_scalar("SELECT summary FROM runs WHERE run_no = ?")
        .bind(run_no)
        .fetch_optional(&mut *connection)
        .await
        .map_err(|error| failed(&error))?;
    match kept.flatten() {
        Some(summary) => read_summary(run_no, &summary),
        None => computed(connection, run_no).await,
    }
}

/// What is kept with a run when it is sealed.
pub(crate) async fn summary_json(
    connection: &mut SqliteConnection,
    run_no: i64,
) -> Result<String, LandscapeError> {
    let counters = computed(connection, run_no).await?;
    Ok(counters.kept())
}

/// The same for a run of which conservation holds, from the numbers that showed it.
pub(crate) fn summary_of(
    connection: &rusqlite::Connection,
    run_no: i64,
    census: &Census,
) -> rusqlite::Result<String> {
    let mut counters = Counters { processed: census.rows().cast_unsigned(), ..Counters::default() };
    for outcome in Outcome::ALL {
        counters.add(*outcome, census.number_of(*outcome).cast_unsigned());
    }
    let mut merges = false;
    let mut nodes = connection.prepare("SELECT step, name, node_type FROM nodes WHERE run_no = ?")?;
    let mut nodes = nodes.query([run_no])?;
    while let Some(node) = nodes.next()? {
        let (step, kind): (i64, i64) = (node.get(0)?, node.get(2)?);
        if kind == i64::from(NodeType::Sink.code()) {
            counters.destinations.insert(node.get(1)?, census.at_sink(step).cast_unsigned());
        }
        merges |= kind == i64::from(NodeType::Coalesce.code());
    }
    if merges {
        let failed: i64 = connection.query_row(COALESCE_FAILED, [run_no], |row| row.get(0))?;
        counters.coalesce_failed = failed.cast_unsigned();
    }
    Ok(counters.kept())
}

/// The same of any run, whatever holds of it; `None` where an outcome is none.
pub(crate) fn summary_now(
    connection: &rusqlite::Connection,
    run_no: i64,
) -> rusqlite::Result<Option<String>> {
    let count = |sql| connection.query_row(sql, [run_no], |row| row.get(0)).map(i64::cast_unsigned);
    let mut counters = Counters {
        processed: count(ROWS)?,
        buffered: count(BUFFERED)?,
        coalesce_failed: count(COALESCE_FAILED)?,
        ..Counters::default()
    };
    let mut outcomes = connection.prepare(OUTCOMES)?;
    let mut outcomes = outcomes.query([run_no])?;
    while let Some(row) = outcomes.next()? {
        let Ok(outcome) = Outcome::from_code(row.get(0)?) else { return Ok(None) };
        counters.add(outcome, row.get::<_, i64>(1)?.cast_unsigned());
    }
    let mut sinks = connection.prepare(DESTINATIONS)?;
    let mut sinks = sinks.query([run_no])?;
    while let Some(row) = sinks.next()? {
        counters.destinations.insert(row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned());
    }
    Ok(Some(counters.kept()))
}

fn read_summary(run_no: i64, summary: &str) -> Result<Counters, LandscapeError> {
    let counters = Counters::of_kept(summary).map_err(|error| Corruption {
        table: "runs",
        id: format!("run_no {run_no}"),
        what: format!("`summary`: {error}"),
    })?;
    Ok(counters)
}

/// What the record says.
pub(crate) async fn computed(
    connection: &mut SqliteConnection,
    run_no: i64,
) -> Result<Counters, LandscapeError> {
    let mut counters = Counters {
        processed: count(connection, ROWS, run_no).await?,
        buffered: count(connection, BUFFERED, run_no).await?,
        coalesce_failed: count(connection, COALESCE_FAILED, run_no).await?,
        destinations: destinations(connection, run_no).await?,
        ..Counters::default()
    };
    let origin = Origin { table: "token_outcomes", key: &["outcome"] };
    let rows = sqlx::query(OUTCOMES)
        .bind(run_no)
        .fetch_all(&mut *connection)
        .await
        .map_err(|error| failed(&error))?;
    for row in &rows {
        let stored = Stored::new(row, origin);
        let tokens = stored.unsigned("tokens")?;
        counters.add(stored.code("outcome", Outcome::from_code)?, tokens);
    }
    Ok(counters)
}

async fn destinations(
    connection: &mut SqliteConnection,
    run_no: i64,
) -> Result<BTreeMap<String, u64>, LandscapeError> {
    let rows = sqlx::query(DESTINATIONS)
        .bind(run_no)
        .fetch_all(&mut *connection)
        .await
        .map_err(|error| failed(&error))?;
    let origin = Origin { table: "nodes", key: &["name"] };
    rows.iter()
        .map(|row| {
            let stored = Stored::new(row, origin);
            Ok((stored.text("name")?, stored.unsigned("tokens")?))
        })
        .collect()
}

async fn count(
    connection: &mut SqliteConnection,
    sql: &'static str,
    run_no: i64,
) -> Result<u64, LandscapeError> {
    let row =
        sqlx::query(sql).bind(run_no).fetch_one(&mut *connection).await.map_err(|error| failed(&error))?;
    Ok(row.get::<i64, _>(0).cast_unsigned())
}

fn failed(error: &sqlx::Error) -> LandscapeError {
    store_error("counting the records of a run", error)
}
