//! Conservation: no record is lost or made up between the source and the outcomes.
//!
//! Each rule is a query that returns the records that break it. A million rows must be checked in well under a second,
//! so rules compare tables side by side in key order (`EXCEPT` with `ORDER BY` merges two clustered tables), and look
//! records up one by one only when their numbers already do not agree.

use elspeth_contracts::{RowIndex, RunId, TokenKey};
use elspeth_landscape::{ConservationBreach, Corruption, LandscapeError};
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use crate::error::store_error;

/// What the ids of a rule's breaches are.
#[derive(Debug, Clone, Copy)]
enum Names {
    Row,
    Token,
    Epoch,
}

struct Rule {
    text: &'static str,
    names: Names,
    /// Returns the numbers of the records that break the rule; `?1` is the run.
    breaches: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        text: "every epoch has as many rows as were read for it",
        names: Names::Epoch,
        breaches:
            "SELECT e.epoch FROM epochs e WHERE e.run_no = ?1 AND e.row_count <> (SELECT count(*) FROM rows r
            WHERE r.run_no = ?1 AND r.row_index BETWEEN e.first_row AND e.last_row)",
    },
    Rule {
        text: "every row belongs to an epoch",
        names: Names::Row,
        breaches: "SELECT r.row_index FROM rows r WHERE r.run_no = ?1
            AND (SELECT sum(e.row_count) FROM epochs e WHERE e.run_no = ?1)
                IS NOT (SELECT count(*) FROM rows c WHERE c.run_no = ?1)
            AND NOT EXISTS (SELECT 1 FROM epochs e WHERE e.run_no = ?1
                AND r.row_index BETWEEN e.first_row AND e.last_row)",
    },
    Rule {
        // As many first tokens as rows, from the same first to the same last without a gap: then each row has one.
        text: "every row has a token",
        names: Names::Row,
        breaches: "SELECT r.row_index FROM rows r WHERE r.run_no = ?1
            AND ((SELECT count(*) FROM rows c WHERE c.run_no = ?1)
                    IS NOT (SELECT max(c.row_index) FROM rows c WHERE c.run_no = ?1)
                        - (SELECT min(c.row_index) FROM rows c WHERE c.run_no = ?1) + 1
                OR (SELECT count(*), min(f.token >> 20), max(f.token >> 20) FROM tokens f
                        WHERE f.run_no = ?1 AND f.token & 1048575 = 0 AND f.token < 1 << 55)
                    IS NOT (SELECT count(*),
                        (SELECT min(c.row_index) FROM rows c WHERE c.run_no = ?1),
                        (SELECT max(c.row_index) FROM rows c WHERE c.run_no = ?1)
                        FROM rows c WHERE c.run_no = ?1))
            AND NOT EXISTS (SELECT 1 FROM tokens t WHERE t.run_no = ?1 AND t.token = r.row_index << 20)",
    },
    Rule {
        text: "every token has a terminal outcome",
        names: Names::Token,
        breaches: "SELECT token FROM tokens WHERE run_no = ?1
            EXCEPT SELECT token FROM token_outcomes WHERE run_no = ?1 AND terminal = 1 ORDER BY 1",
    },
    Rule {
        text: "every outcome is that of a token",
        names: Names::Token,
        breaches: "SELECT token FROM token_outcomes WHERE run_no = ?1
            EXCEPT SELECT token FROM tokens WHERE run_no = ?1 ORDER BY 1",
    },
    Rule {
        text: "a completed or routed token names its sink",
        names: Names::Token,
        breaches: "SELECT token FROM token_outcomes WHERE run_no = ?1 AND outcome IN (0, 1) AND sink IS NULL",
    },
    Rule {
        text: "a token whose outcome names a sink has a completed state there",
        names: Names::Token,
        breaches:
            "SELECT token, sink FROM token_outcomes WHERE run_no = ?1 AND terminal = 1 AND sink IS NOT NULL
            EXCEPT SELECT token, step FROM sink_states WHERE run_no = ?1 AND status = 2 ORDER BY 1, 2",
    },
    Rule {
        // Where the rule before holds and both are as many, each state is some outcome's.
        text: "a token with a completed state at a sink has an outcome that names the sink",
        names: Names::Token,
        breaches: "SELECT s.token FROM sink_states s WHERE s.run_no = ?1 AND s.status = 2
            AND (SELECT count(*) FROM sink_states c WHERE c.run_no = ?1 AND c.status = 2)
                <> (SELECT count(*) FROM token_outcomes c WHERE c.run_no = ?1 AND c.terminal = 1
                    AND c.sink IS NOT NULL AND c.outcome IN (0, 1, 6, 7))
            AND NOT EXISTS (SELECT 1 FROM token_outcomes o WHERE o.run_no = ?1 AND o.token = s.token
                AND o.terminal = 1 AND o.sink = s.step AND o.outcome IN (0, 1, 6, 7))",
    },
    Rule {
        text: "a forked, expanded or coalesced token has children in its group",
        names: Names::Token,
        breaches: "SELECT o.token FROM token_outcomes o WHERE o.run_no = ?1 AND o.outcome IN (2, 3, 4)
            AND (o.token, o.group_no) NOT IN (SELECT p.parent, t.group_no FROM token_parents p
                JOIN tokens t ON t.run_no = p.run_no AND t.token = p.token
                WHERE p.run_no = ?1 AND t.group_no IS NOT NULL)",
    },
];

/// The rules that the run breaks.
pub(crate) async fn breaches(
    connection: &mut SqliteConnection,
    run_no: i64,
) -> Result<Vec<ConservationBreach>, LandscapeError> {
    let run = run_id(connection, run_no).await?;
    let mut found = Vec::new();
    for rule in RULES {
        found.extend(broken(connection, run_no, run, rule).await?);
    }
    Ok(found)
}

async fn broken(
    connection: &mut SqliteConnection,
    run_no: i64,
    run: RunId,
    rule: &Rule,
) -> Result<Option<ConservationBreach>, LandscapeError> {
    const SHOWN: usize = 10;
    let rows = sqlx::query(rule.breaches)
        .bind(run_no)
        .fetch_all(connection)
        .await
        .map_err(|error| failed(&error))?;
    if rows.is_empty() {
        return Ok(None);
    }
    let ids = rows.iter().take(SHOWN).map(|row| name(run, rule.names, row.get(0))).collect();
    let count = u64::try_from(rows.len()).expect("a length fits 64 bits");
    Ok(Some(ConservationBreach { rule: rule.text, ids, count }))
}

fn name(run: RunId, names: Names, number: i64) -> String {
    let number = number.cast_unsigned();
    match names {
        Names::Epoch => format!("epoch {number}"),
        Names::Row => {
            RowIndex::new(number).map_or_else(|| format!("row {number}"), |row| run.row_id(row).to_string())
        }
        Names::Token => TokenKey::from_u64(number)
            .map_or_else(|| format!("token {number}"), |token| run.token_id(token).to_string()),
    }
}

async fn run_id(connection: &mut SqliteConnection, run_no: i64) -> Result<RunId, LandscapeError> {
    let text: String = sqlx::query_scalar("SELECT run_id FROM runs WHERE run_no = ?")
        .bind(run_no)
        .fetch_one(connection)
        .await
        .map_err(|error| failed(&error))?;
    text.parse().map_err(|error| {
        Corruption { table: "runs", id: format!("run_no {run_no}"), what: format!("`run_id`: {error}") }
            .into()
    })
}

fn failed(error: &sqlx::Error) -> LandscapeError {
    store_error("checking conservation", error)
}
