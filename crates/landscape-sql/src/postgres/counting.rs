//! What is counted over the rows of a run, by the server. Links between tokens are not.

use elspeth_contracts::Outcome;

use super::Session;
use crate::db::{Db, DbError, values};
use crate::tally::Tally;

const ROWS: &str = "SELECT count(*) FROM rows WHERE run_no = ?1";

const TOKENS: &str = "SELECT count(*), count(*) FILTER (WHERE t.token & 1048575 = 0 AND t.token < 36028797018963968),
        count(t.group_no), count(*) FILTER (WHERE t.group_no <> t.token), count(*) FILTER (WHERE o.token IS NULL)
    FROM tokens t LEFT JOIN token_outcomes o ON o.run_no = ?1 AND o.token = t.token AND o.terminal = 1 WHERE t.run_no = ?1";

/// Outcomes of each kind, with a sink and without; and how many of their tokens have a completed state there. A token that has two
/// is counted twice, in both numbers, so that these agree only where each such state has its outcome, too.
const ENDS: &str =
    "SELECT o.outcome, o.sink IS NOT NULL, count(*), count(s.token), count(o.group_no), count(o.batch_no)
    FROM token_outcomes o LEFT JOIN sink_states s
        ON s.run_no = ?1 AND s.token = o.token AND s.step = o.sink AND s.status = 2 AND o.terminal = 1
    WHERE o.run_no = ?1 GROUP BY 1, 2";

const STATES: &str = "SELECT step, count(*), count(*) FILTER (WHERE status = 2) FROM sink_states WHERE run_no = ?1 GROUP BY step";

/// A run that was just written is unknown to the planner, which would compare each record with each.
const BY_HASH: &str = "SET enable_nestloop = off";
const AS_BEFORE: &str = "SET enable_nestloop = on";

/// What was counted.
#[derive(Default)]
pub(crate) struct Numbers {
    /// Without families.
    pub(crate) tally: Tally,
    /// Outcomes that name a group, and those that name a batch.
    pub(crate) in_groups: i64,
    pub(crate) in_batches: i64,
}

/// Asks while the planner may compare no record with each of another table.
pub(crate) fn by_hash<T>(db: Db<'_>, ask: impl FnOnce() -> Result<T, DbError>) -> Result<T, DbError> {
    db.batch(BY_HASH)?;
    let answer = ask();
    let restored = db.batch(AS_BEFORE);
    answer.and_then(|answer| restored.map(|()| answer))
}

/// Counts all of a run; half of it by `beside`, at the same time, where that is a connection to the same database.
pub(crate) fn count(db: Db<'_>, beside: Option<&Session>, run_no: i64) -> Result<Numbers, DbError> {
    let Some(beside) = beside else {
        let mut numbers = ends(db, run_no)?;
        tokens(db, run_no, &mut numbers.tally)?;
        return Ok(numbers);
    };
    std::thread::scope(|scope| {
        let theirs = std::thread::Builder::new().spawn_scoped(scope, || {
            let beside = Db::Postgres(beside);
            by_hash(beside, || ends(beside, run_no))
        });
        let mut ours = Tally::default();
        tokens(db, run_no, &mut ours)?;
        // What another connection could not be asked, this one is.
        let mut numbers = match theirs.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(Ok(numbers))) => numbers,
            Ok(Ok(Err(_)) | Err(_)) | Err(_) => ends(db, run_no)?,
        };
        numbers.tally.add(&ours);
        Ok(numbers)
    })
}

fn tokens(db: Db<'_>, run_no: i64, tally: &mut Tally) -> Result<(), DbError> {
    tally.rows = db.number(ROWS, values![run_no])?.unwrap_or_default();
    let counted = db.first(TOKENS, values![run_no], |row| {
        Ok::<[i64; 5], DbError>([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?])
    })?;
    [tally.tokens, tally.firsts, tally.in_groups, tally.grouped, tally.without_outcome] =
        counted.unwrap_or_default();
    Ok(())
}

fn ends(db: Db<'_>, run_no: i64) -> Result<Numbers, DbError> {
    let mut numbers = Numbers::default();
    let tally = &mut numbers.tally;
    db.each(ENDS, values![run_no], |row| {
        let (outcome, at_sink): (i64, bool) = (row.get(0)?, row.get(1)?);
        let (tokens, arrivals): (i64, i64) = (row.get(2)?, row.get(3)?);
        tally.add_ends(Outcome::from_code(outcome).ok(), at_sink, tokens);
        tally.arrivals += arrivals;
        numbers.in_groups += row.get::<i64>(4)?;
        numbers.in_batches += row.get::<i64>(5)?;
        Ok::<(), DbError>(())
    })?;
    db.each(STATES, values![run_no], |row| {
        let (step, states, completed): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        tally.sink_states += states;
        tally.completed.insert(step, completed);
        Ok::<(), DbError>(())
    })?;
    Ok(numbers)
}
