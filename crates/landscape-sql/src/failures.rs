//! What went wrong with which rows.
//!
//! A failure is a refused source record, or the error that ended a token's path. Errors after which another attempt
//! followed are in the lineage and not here.

use elspeth_contracts::{EpochNo, Step, TokenKey, TokenOrigin};
use elspeth_landscape::{Failure, FailureCount, LandscapeError};

use crate::asking::{Asked, Snapshot, StoredRow};
use crate::stored::{Origin, Stored};

/// `e` ended the path of its token: the outcome says so or, before there is one, no later attempt does.
macro_rules! ended_the_path {
    () => {
        "(EXISTS (SELECT 1 FROM token_outcomes o WHERE o.run_no = e.run_no AND o.token = e.token AND o.terminal = 1
            AND o.error_step = e.step AND o.error_attempt = e.attempt)
        OR (NOT EXISTS (SELECT 1 FROM token_outcomes o WHERE o.run_no = e.run_no AND o.token = e.token
                AND o.terminal = 1)
            AND NOT EXISTS (SELECT 1 FROM node_states s WHERE s.run_no = e.run_no AND s.token = e.token
                AND s.step = e.step AND s.attempt > e.attempt)))"
    };
}

const REFUSED: &str = "SELECT v.run_no, v.row_index, v.destination, v.reason,
    (SELECT p.epoch FROM epochs p WHERE p.run_no = v.run_no AND p.first_row <= v.row_index
     ORDER BY p.first_row DESC LIMIT 1) AS epoch
    FROM validation_errors v WHERE v.run_no = ?1 ORDER BY v.row_index LIMIT ?2";

const ENDED: &str = concat!(
    "SELECT e.run_no, e.token, e.step, e.attempt, e.destination, e.reason,
    (SELECT p.epoch FROM epochs p WHERE p.run_no = e.run_no AND p.first_row <= (e.token >> 20)
     ORDER BY p.first_row DESC LIMIT 1) AS epoch
    FROM transform_errors e WHERE e.run_no = ?1 AND ",
    ended_the_path!(),
    " ORDER BY e.token, e.step, e.attempt LIMIT ?2"
);

const COUNTS: &str = concat!(
    "SELECT step, kind, destination, count(*) AS failures, min(reason) AS reason FROM (
        SELECT 0 AS step, reason ->> 'kind' AS kind, destination, reason FROM validation_errors WHERE run_no = ?1
        UNION ALL
        SELECT e.step, e.reason ->> 'kind', e.destination, e.reason FROM transform_errors e WHERE e.run_no = ?1 AND ",
    ended_the_path!(),
    ") AS every GROUP BY step, kind, destination ORDER BY step, kind, destination"
);

const REFUSED_ORIGIN: Origin = Origin { table: "validation_errors", key: &["run_no", "row_index"] };
const ENDED_ORIGIN: Origin =
    Origin { table: "transform_errors", key: &["run_no", "token", "step", "attempt"] };

/// The first `limit` failures in canonical order.
pub(crate) async fn list(
    snapshot: &mut Snapshot<'_>,
    run_no: i64,
    limit: u64,
) -> Result<Vec<Failure>, LandscapeError> {
    let refused = select(snapshot, REFUSED, run_no, limit).await?;
    let ended = select(snapshot, ENDED, run_no, limit).await?;
    let mut failures = Vec::with_capacity(refused.len() + ended.len());
    for row in &refused {
        failures.push(read_refused(&Stored::new(row, REFUSED_ORIGIN))?);
    }
    for row in &ended {
        failures.push(read_ended(&Stored::new(row, ENDED_ORIGIN))?);
    }
    failures.sort_by_key(|failure| (failure.token, failure.step, failure.attempt));
    failures.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(failures)
}

async fn select(
    snapshot: &mut Snapshot<'_>,
    sql: &'static str,
    run_no: i64,
    limit: u64,
) -> Result<Vec<StoredRow>, LandscapeError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    snapshot.rows(sql, &[Asked::Int(Some(run_no)), Asked::Int(Some(limit))], READING).await
}

fn read_refused(stored: &Stored<'_>) -> Result<Failure, LandscapeError> {
    let row = stored.row_index("row_index")?;
    Ok(Failure {
        row_index: Some(row),
        token: TokenKey::of_row(row, 0).expect("ordinal 0 is below the limit"),
        step: Step::SOURCE,
        attempt: 0,
        reason: stored.reason("reason")?,
        destination: stored.maybe_step("destination")?,
        epoch: read_epoch(stored)?,
    })
}

fn read_ended(stored: &Stored<'_>) -> Result<Failure, LandscapeError> {
    let token = stored.token("token")?;
    let (row_index, epoch) = match token.origin() {
        TokenOrigin::Row(row) => (Some(row), read_epoch(stored)?),
        TokenOrigin::Batch(_) => (None, None),
    };
    Ok(Failure {
        row_index,
        token,
        step: stored.step("step")?,
        attempt: stored.number("attempt")?,
        reason: stored.reason("reason")?,
        destination: stored.maybe_step("destination")?,
        epoch,
    })
}

fn read_epoch(stored: &Stored<'_>) -> Result<Option<EpochNo>, LandscapeError> {
    Ok(stored.maybe_unsigned("epoch")?.map(EpochNo))
}

/// All failures, counted by step, kind and destination.
pub(crate) async fn counts(
    snapshot: &mut Snapshot<'_>,
    run_no: i64,
) -> Result<Vec<FailureCount>, LandscapeError> {
    let rows = snapshot.rows(COUNTS, &[Asked::Int(Some(run_no))], READING).await?;
    let origin = Origin { table: "transform_errors", key: &["step", "kind"] };
    rows.iter().map(|row| read_count(&Stored::new(row, origin))).collect()
}

fn read_count(stored: &Stored<'_>) -> Result<FailureCount, LandscapeError> {
    Ok(FailureCount {
        step: stored.step("step")?,
        kind: stored.text("kind")?,
        destination: stored.maybe_step("destination")?,
        count: stored.unsigned("failures")?,
        example: stored.reason("reason")?.message,
    })
}

const READING: &str = "reading the failures of a run";
