//! Counters of a run, computed from its record; when a run is sealed they are kept beside it, because a sealed record
//! changes no more.

use std::collections::BTreeMap;

use elspeth_contracts::{NodeType, Outcome};
use elspeth_landscape::{Corruption, Counters, LandscapeError};

use crate::asking::{Asked, Snapshot};
use crate::census::Census;
use crate::db::{Db, DbError, Row, values};
use crate::stored::{Origin, Stored};

const OUTCOMES: &str =
    "SELECT outcome, count(*) AS tokens FROM token_outcomes WHERE run_no = ? AND terminal = 1
    GROUP BY outcome";
const ROWS: &str = "SELECT count(*) AS number FROM rows WHERE run_no = ?";
/// Tokens that wait in open batches: members of batches that were not flushed, and those that were recorded as buffered,
/// as long as nothing came after that. Batches are few, so they are visited one after the other by their numbers,
/// and none twice: who puts a text in the place of a number breaks their order.
const BUFFERED: &str = "WITH RECURSIVE batch(n) AS (
        SELECT min(m.batch_no) FROM batch_members m WHERE m.run_no = ?1
        UNION
        SELECT (SELECT min(m.batch_no) FROM batch_members m WHERE m.run_no = ?1 AND m.batch_no > batch.n)
        FROM batch WHERE batch.n IS NOT NULL),
    unflushed(n) AS MATERIALIZED (SELECT batch.n FROM batch WHERE batch.n IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM batches b WHERE b.run_no = ?1 AND b.batch_no = batch.n AND b.status IN (2, 3))),
    waiting(token) AS (
        SELECT m.token FROM unflushed CROSS JOIN batch_members m ON m.run_no = ?1 AND m.batch_no = unflushed.n
        UNION
        SELECT token FROM token_outcomes WHERE run_no = ?1 AND terminal = 0)
    SELECT count(*) AS number FROM waiting WHERE NOT EXISTS
        (SELECT 1 FROM token_outcomes t WHERE t.run_no = ?1 AND t.token = waiting.token AND t.terminal = 1)";
/// Merges that failed, however many branches had come: the state of one of them tells of the merge. What came too late
/// for a merge does not make it fail.
const COALESCE_FAILED: &str = "SELECT count(*) AS number FROM transform_errors e
    JOIN nodes n ON n.run_no = e.run_no AND n.step = e.step AND n.node_type = 4
    JOIN state_contexts c ON c.run_no = e.run_no AND c.token = e.token AND c.step = e.step AND c.attempt = e.attempt
    WHERE e.run_no = ? AND e.reason ->> 'kind' <> 'late_arrival_after_merge'";
const DESTINATIONS: &str = "SELECT n.name, coalesce(s.tokens, 0) AS tokens FROM nodes n LEFT JOIN
    (SELECT step, count(*) AS tokens FROM sink_states WHERE run_no = ?1 AND status = 2 GROUP BY step) s
    ON s.step = n.step WHERE n.run_no = ?1 AND n.node_type = 5";

/// Of a sealed run what was kept, else what the record says now.
pub(crate) async fn counters(snapshot: &mut Snapshot<'_>, run_no: i64) -> Result<Counters, LandscapeError> {
    let kept =
        snapshot.rows("SELECT run_no, summary FROM runs WHERE run_no = ?", &of(run_no), COUNTING).await?;
    let origin = Origin { table: "runs", key: &["run_no"] };
    let kept = kept.iter().map(|row| Stored::new(row, origin).maybe_text("summary")).next().transpose()?;
    match kept.flatten() {
        Some(summary) => read_summary(run_no, &summary),
        None => computed(snapshot, run_no).await,
    }
}

/// The same for a run of which conservation holds, from the numbers that showed it.
pub(crate) fn summary_of(db: Db<'_>, run_no: i64, census: &Census) -> Result<String, DbError> {
    let mut counters = Counters { processed: census.rows().cast_unsigned(), ..Counters::default() };
    for outcome in Outcome::ALL {
        counters.add(*outcome, census.number_of(*outcome).cast_unsigned());
    }
    let mut merges = false;
    db.each("SELECT step, name, node_type FROM nodes WHERE run_no = ?", values![run_no], |node| {
        let (step, kind): (i64, i64) = (node.get(0)?, node.get(2)?);
        if kind == i64::from(NodeType::Sink.code()) {
            counters.destinations.insert(node.get(1)?, census.at_sink(step).cast_unsigned());
        }
        merges |= kind == i64::from(NodeType::Coalesce.code());
        Ok::<(), DbError>(())
    })?;
    if merges {
        let failed = db.number(COALESCE_FAILED, values![run_no])?;
        counters.coalesce_failed = failed.unwrap_or_default().cast_unsigned();
    }
    Ok(counters.kept())
}

/// The same of any run, whatever holds of it; `None` where an outcome is none.
pub(crate) fn summary_now(db: Db<'_>, run_no: i64) -> Result<Option<String>, DbError> {
    let count =
        |sql| Ok::<u64, DbError>(db.number(sql, values![run_no])?.unwrap_or_default().cast_unsigned());
    let mut counters = Counters {
        processed: count(ROWS)?,
        buffered: count(BUFFERED)?,
        coalesce_failed: count(COALESCE_FAILED)?,
        ..Counters::default()
    };
    let pair = |row: &Row<'_>| Ok::<(i64, i64), DbError>((row.get(0)?, row.get(1)?));
    for (code, tokens) in db.list(OUTCOMES, values![run_no], pair)? {
        let Ok(outcome) = Outcome::from_code(code) else { return Ok(None) };
        counters.add(outcome, tokens.cast_unsigned());
    }
    let sink = |row: &Row<'_>| Ok::<(String, i64), DbError>((row.get(0)?, row.get(1)?));
    for (sink, tokens) in db.list(DESTINATIONS, values![run_no], sink)? {
        counters.destinations.insert(sink, tokens.cast_unsigned());
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
async fn computed(snapshot: &mut Snapshot<'_>, run_no: i64) -> Result<Counters, LandscapeError> {
    let mut counters = Counters {
        processed: count(snapshot, ROWS, run_no).await?,
        buffered: count(snapshot, BUFFERED, run_no).await?,
        coalesce_failed: count(snapshot, COALESCE_FAILED, run_no).await?,
        destinations: destinations(snapshot, run_no).await?,
        ..Counters::default()
    };
    let origin = Origin { table: "token_outcomes", key: &["outcome"] };
    for row in &snapshot.rows(OUTCOMES, &of(run_no), COUNTING).await? {
        let stored = Stored::new(row, origin);
        let tokens = stored.unsigned("tokens")?;
        counters.add(stored.code("outcome", Outcome::from_code)?, tokens);
    }
    Ok(counters)
}

async fn destinations(
    snapshot: &mut Snapshot<'_>,
    run_no: i64,
) -> Result<BTreeMap<String, u64>, LandscapeError> {
    let rows = snapshot.rows(DESTINATIONS, &of(run_no), COUNTING).await?;
    let origin = Origin { table: "nodes", key: &["name"] };
    rows.iter()
        .map(|row| {
            let stored = Stored::new(row, origin);
            Ok((stored.text("name")?, stored.unsigned("tokens")?))
        })
        .collect()
}

async fn count(snapshot: &mut Snapshot<'_>, sql: &'static str, run_no: i64) -> Result<u64, LandscapeError> {
    let rows = snapshot.rows(sql, &of(run_no), COUNTING).await?;
    let origin = Origin { table: "runs", key: &[] };
    rows.iter().map(|row| Stored::new(row, origin).unsigned("number")).sum()
}

fn of(run_no: i64) -> [Asked; 1] {
    [Asked::Int(Some(run_no))]
}

const COUNTING: &str = "counting the records of a run";
