//! Conservation: no record is lost or made up between the source and the outcomes.
//!
//! Each rule is a query that returns the records that break it. It is asked only when the [`Census`], which passes once
//! over each table, does not show already that there are none: a million rows must be checked in well under a second.

use elspeth_contracts::{RowIndex, RunId, TokenKey};
use elspeth_landscape::{ConservationBreach, Corruption, LandscapeError};
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use crate::census::{CONNECTIONS, Census};
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
    /// Whether the numbers alone show that nothing breaks it.
    holds: fn(&Census) -> bool,
    /// Returns the records that break the rule; `?1` is the run.
    breaches: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        text: "every epoch has as many rows as were read for it",
        names: Names::Epoch,
        holds: Census::epochs_are_whole,
        breaches:
            "SELECT e.epoch FROM epochs e WHERE e.run_no = ?1 AND e.row_count <> (SELECT count(*) FROM rows r
            WHERE r.run_no = ?1 AND r.row_index BETWEEN e.first_row AND e.last_row)",
    },
    Rule {
        text: "every row belongs to an epoch",
        names: Names::Row,
        holds: Census::epochs_are_whole,
        breaches: "SELECT r.row_index FROM rows r WHERE r.run_no = ?1
            AND NOT EXISTS (SELECT 1 FROM epochs e WHERE e.run_no = ?1
                AND r.row_index BETWEEN e.first_row AND e.last_row)",
    },
    Rule {
        text: "every row has a token",
        names: Names::Row,
        holds: Census::rows_have_tokens,
        breaches: "SELECT r.row_index FROM rows r WHERE r.run_no = ?1
            AND NOT EXISTS (SELECT 1 FROM tokens t WHERE t.run_no = ?1 AND t.token = r.row_index << 20)",
    },
    Rule {
        text: "every token has a terminal outcome",
        names: Names::Token,
        holds: |census| census.tokens_without_outcome == 0,
        breaches: "SELECT token FROM tokens WHERE run_no = ?1
            EXCEPT SELECT token FROM token_outcomes WHERE run_no = ?1 AND terminal = 1 ORDER BY 1",
    },
    Rule {
        // Each token has one; where both are as many, there is no other.
        text: "every outcome is that of a token",
        names: Names::Token,
        holds: |census| {
            census.tokens_without_outcome == 0
                && census.outcomes == census.tokens
                && census.outcomes_not_terminal == 0
        },
        breaches: "SELECT token FROM token_outcomes WHERE run_no = ?1
            EXCEPT SELECT token FROM tokens WHERE run_no = ?1 ORDER BY 1",
    },
    Rule {
        text: "a completed or routed token names its sink",
        names: Names::Token,
        holds: |census| census.without_sink == 0,
        breaches: "SELECT token FROM token_outcomes WHERE run_no = ?1 AND outcome IN (0, 1) AND sink IS NULL",
    },
    Rule {
        text: "a token whose outcome names a sink has a completed state there",
        names: Names::Token,
        holds: |census| census.arrivals == census.at_sinks,
        breaches:
            "SELECT token, sink FROM token_outcomes WHERE run_no = ?1 AND terminal = 1 AND sink IS NOT NULL
            EXCEPT SELECT token, step FROM sink_states WHERE run_no = ?1 AND status = 2 ORDER BY 1, 2",
    },
    Rule {
        // Each outcome at a sink has its state; where both are as many, there is no other.
        text: "a token with a completed state at a sink has an outcome that names the sink",
        names: Names::Token,
        holds: |census| {
            census.arrivals == census.at_sinks
                && census.at_sinks == census.sink_states
                && census.ending_at_sinks == census.at_sinks
        },
        breaches: "SELECT s.token FROM sink_states s WHERE s.run_no = ?1 AND s.status = 2
            AND NOT EXISTS (SELECT 1 FROM token_outcomes o WHERE o.run_no = ?1 AND o.token = s.token
                AND o.terminal = 1 AND o.sink = s.step AND o.outcome IN (0, 1, 6, 7))",
    },
    Rule {
        text: "a forked, expanded or coalesced token has children in its group",
        names: Names::Token,
        holds: |census| census.parents == 0,
        breaches: "SELECT o.token FROM token_outcomes o WHERE o.run_no = ?1 AND o.outcome IN (2, 3, 4)
            AND NOT EXISTS (SELECT 1 FROM token_parents p JOIN tokens t ON t.run_no = p.run_no AND t.token = p.token
                WHERE p.run_no = ?1 AND p.parent = o.token AND t.group_no = o.group_no)",
    },
];

/// The rules that the run breaks. The connections work at once.
pub(crate) async fn breaches(
    connections: [&mut SqliteConnection; CONNECTIONS],
    run_no: i64,
) -> Result<Vec<ConservationBreach>, LandscapeError> {
    let [first, second, third] = connections;
    let census = Census::take([&mut *first, second, third], run_no).await.map_err(|error| failed(&error))?;
    let run = run_id(first, run_no).await?;
    let mut found = Vec::new();
    for rule in RULES.iter().filter(|rule| !(rule.holds)(&census)) {
        found.extend(broken(first, run_no, run, rule).await?);
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
