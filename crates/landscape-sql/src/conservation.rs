//! Conservation: no record is lost or made up between the source and the outcomes.
//!
//! Each rule is a query that returns the records that break it. It is asked only when the [`Census`], which counts records,
//! does not show already that there are none: a million rows must be checked in well under a second.

use elspeth_contracts::{RowIndex, RunId, TokenKey};
use elspeth_landscape::{ConservationBreach, Corruption, LandscapeError};
use rusqlite::Connection;

use crate::background::Counted;
use crate::batch_rules::{BATCH_RULES, FAMILIES, FAMILY_RULES, TreeRule};
use crate::census::Census;
use crate::db::{Db, DbError, values};
use crate::tally::{Stretch, Tally};

/// What the ids of a rule's breaches are.
#[derive(Debug, Clone, Copy)]
enum Names {
    Row,
    Token,
    Epoch,
}

impl Names {
    const fn table(self) -> &'static str {
        match self {
            Self::Row => "rows",
            Self::Token => "tokens",
            Self::Epoch => "epochs",
        }
    }
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
        holds: Census::tokens_have_outcomes,
        breaches: "SELECT token FROM tokens WHERE run_no = ?1
            EXCEPT SELECT token FROM token_outcomes WHERE run_no = ?1 AND terminal = 1 ORDER BY 1",
    },
    Rule {
        text: "every outcome is that of a token",
        names: Names::Token,
        holds: Census::outcomes_have_tokens,
        breaches: "SELECT token FROM token_outcomes WHERE run_no = ?1
            EXCEPT SELECT token FROM tokens WHERE run_no = ?1 ORDER BY 1",
    },
    Rule {
        text: "a completed or routed token names its sink",
        names: Names::Token,
        holds: Census::outcomes_name_sinks,
        breaches: "SELECT token FROM token_outcomes WHERE run_no = ?1 AND outcome IN (0, 1) AND sink IS NULL",
    },
    Rule {
        text: "a token whose outcome names a sink has a completed state there",
        names: Names::Token,
        holds: Census::outcomes_have_arrivals,
        breaches:
            "SELECT token, sink FROM token_outcomes WHERE run_no = ?1 AND terminal = 1 AND sink IS NOT NULL
            EXCEPT SELECT token, step FROM sink_states WHERE run_no = ?1 AND status = 2 ORDER BY 1, 2",
    },
    Rule {
        text: "a token with a completed state at a sink has an outcome that names the sink",
        names: Names::Token,
        holds: Census::arrivals_have_outcomes,
        breaches: "SELECT s.token FROM sink_states s WHERE s.run_no = ?1 AND s.status = 2
            AND NOT EXISTS (SELECT 1 FROM token_outcomes o WHERE o.run_no = ?1 AND o.token = s.token
                AND o.terminal = 1 AND o.sink = s.step AND o.outcome IN (0, 1, 6, 7))",
    },
];

/// Takes the census and the rules that the run breaks. `counted` is what was counted before the end.
pub(crate) fn check(
    connection: &Connection,
    run_no: i64,
    counted: Counted,
) -> Result<(Census, Vec<ConservationBreach>), LandscapeError> {
    let census = census(connection, run_no, counted).map_err(|error| DbError::from(error).told(CHECKING))?;
    let broken = broken(connection, run_no, &census).map_err(|error| error.told(CHECKING))?;
    Ok((census, named(connection.into(), run_no, broken)?))
}

/// The rules that the run breaks, each asked for what breaks it, without a census.
pub(crate) fn check_each(db: Db<'_>, run_no: i64) -> Result<Vec<ConservationBreach>, LandscapeError> {
    db.batch(BY_HASH).map_err(|error| error.told(CHECKING))?;
    let found = each(db, run_no).map_err(|error| error.told(CHECKING));
    db.batch(AS_BEFORE).map_err(|error| error.told(CHECKING))?;
    named(db, run_no, found?)
}

/// A run that was just written is unknown to the planner, which would compare each record with each.
const BY_HASH: &str = "SET enable_nestloop = off";
const AS_BEFORE: &str = "SET enable_nestloop = on";

/// Where there are as many rows as the epochs have, and each epoch has its own, there is no other row. Else rows are compared
/// with ranges, one by one.
const OUTSIDE: &str = "SELECT r.row_index FROM rows r WHERE r.run_no = ?1
    AND (SELECT count(*) FROM rows WHERE run_no = ?1)
        <> (SELECT coalesce(sum(last_row - first_row + 1), 0) FROM epochs WHERE run_no = ?1)
    AND NOT EXISTS (SELECT 1 FROM epochs e WHERE e.run_no = ?1
        AND r.row_index BETWEEN e.first_row AND e.last_row)";

/// Whether tokens came of tokens or of releases, or say so. Where none did, nothing can break the rules about these.
const THERE_ARE_FAMILIES: &str = "SELECT EXISTS (SELECT 1 FROM token_parents WHERE run_no = ?1)
    OR EXISTS (SELECT 1 FROM tokens WHERE run_no = ?1 AND (token >= 36028797018963968 OR group_no IS NOT NULL))
    OR EXISTS (SELECT 1 FROM token_outcomes WHERE run_no = ?1 AND (outcome IN (2, 3, 4) OR group_no IS NOT NULL))";
/// The same of batches.
const THERE_ARE_BATCHES: &str = "SELECT EXISTS (SELECT 1 FROM batches WHERE run_no = ?1)
    OR EXISTS (SELECT 1 FROM batch_members WHERE run_no = ?1) OR EXISTS (SELECT 1 FROM batch_outputs WHERE run_no = ?1)
    OR EXISTS (SELECT 1 FROM releases WHERE run_no = ?1)
    OR EXISTS (SELECT 1 FROM token_outcomes WHERE run_no = ?1 AND (outcome = 5 OR batch_no IS NOT NULL))";

/// Which of the rules about tokens, from "every row has a token" on, hold by numbers alone: one join that is counted answers for
/// two of them, where asking for what breaks them takes a query each.
const HELD: &str = "WITH r AS (SELECT count(*) AS n, min(row_index) AS lowest, max(row_index) AS highest
        FROM rows WHERE run_no = ?1),
    t AS (SELECT count(*) AS n, count(*) FILTER (WHERE token & 1048575 = 0) AS firsts, min(token) >> 20 AS lowest,
        max(token) >> 20 AS highest FROM tokens WHERE run_no = ?1 AND token < 36028797018963968),
    released AS (SELECT count(*) AS n FROM tokens WHERE run_no = ?1 AND token >= 36028797018963968),
    o AS (SELECT count(*) AS n, count(sink) FILTER (WHERE terminal = 1) AS at_sinks,
        count(*) FILTER (WHERE outcome IN (0, 1) AND sink IS NULL) AS nowhere,
        count(sink) FILTER (WHERE outcome NOT IN (0, 1, 6, 7)) AS elsewhere FROM token_outcomes WHERE run_no = ?1),
    ended AS (SELECT count(*) AS n FROM tokens t JOIN token_outcomes o ON o.token = t.token
        WHERE t.run_no = ?1 AND o.run_no = ?1 AND o.terminal = 1),
    completed AS (SELECT count(*) AS n FROM sink_states WHERE run_no = ?1 AND status = 2),
    arrived AS (SELECT count(*) AS n FROM token_outcomes o WHERE o.run_no = ?1 AND o.terminal = 1 AND EXISTS
        (SELECT 1 FROM sink_states s WHERE s.run_no = ?1 AND s.token = o.token AND s.step = o.sink AND s.status = 2))
    SELECT r.n = t.firsts AND (r.n = 0 OR r.highest - r.lowest + 1 = r.n AND t.lowest = r.lowest AND t.highest = r.highest),
        ended.n = t.n + released.n, ended.n = t.n + released.n AND ended.n = o.n, o.nowhere = 0,
        arrived.n = o.at_sinks, arrived.n = o.at_sinks AND completed.n = arrived.n AND o.elsewhere = 0
    FROM r, t, released, o, ended, completed, arrived";
/// Rules that come before those.
const OF_EPOCHS: usize = 2;

fn held(db: Db<'_>, run_no: i64) -> Result<[bool; RULES.len()], DbError> {
    let mut held = [false; RULES.len()];
    let answers = db.first(HELD, values![run_no], |row| {
        (0..RULES.len() - OF_EPOCHS).map(|at| row.get::<bool>(at)).collect::<Result<Vec<_>, DbError>>()
    })?;
    held[OF_EPOCHS..].copy_from_slice(&answers.unwrap_or_else(|| vec![false; RULES.len() - OF_EPOCHS]));
    Ok(held)
}

fn each(db: Db<'_>, run_no: i64) -> Result<Vec<Broken>, DbError> {
    let mut found = Vec::new();
    for (rule, _) in RULES.iter().zip(held(db, run_no)?).filter(|(_, held)| !held) {
        let breaches = if rule.text == "every row belongs to an epoch" { OUTSIDE } else { rule.breaches };
        found.push(Broken { text: rule.text, names: rule.names, numbers: numbers(db, breaches, run_no)? });
    }
    for (rules, there_are) in [(FAMILY_RULES, THERE_ARE_FAMILIES), (BATCH_RULES, THERE_ARE_BATCHES)] {
        let there_are = db.first(there_are, values![run_no], |row| row.get::<bool>(0))?;
        if there_are != Some(true) {
            continue;
        }
        found.extend(broken_trees(db, run_no, rules, None)?);
    }
    found.retain(|broken| !broken.numbers.is_empty());
    Ok(found)
}

fn named(db: Db<'_>, run_no: i64, broken: Vec<Broken>) -> Result<Vec<ConservationBreach>, LandscapeError> {
    if broken.is_empty() {
        return Ok(Vec::new());
    }
    let run = run_id(db, run_no)?;
    Ok(broken.into_iter().map(|broken| broken.named(run)).collect())
}

fn census(connection: &Connection, run_no: i64, counted: Counted) -> rusqlite::Result<Census> {
    let Counted { mut tally, again } = counted;
    for stretch in &again {
        tally.add(&Tally::of(connection, run_no, *stretch)?);
    }
    let whole = again == [Stretch::ALL];
    if !whole && !tally.is_of_everything(connection, run_no)? {
        tally = Tally::of(connection, run_no, Stretch::ALL)?;
    }
    Census::of(connection, run_no, tally)
}

/// A rule with what breaks it.
struct Broken {
    text: &'static str,
    names: Names,
    numbers: Vec<i64>,
}

fn broken(connection: &Connection, run_no: i64, census: &Census) -> Result<Vec<Broken>, DbError> {
    let mut found = Vec::new();
    for rule in RULES.iter().filter(|rule| !(rule.holds)(census)) {
        let numbers = numbers(connection.into(), rule.breaches, run_no)?;
        found.push(Broken { text: rule.text, names: rule.names, numbers });
    }
    if census.has_families() {
        let known = census.families_hold().then_some((FAMILIES, true));
        found.extend(broken_trees(connection.into(), run_no, FAMILY_RULES, known)?);
    }
    if census.has_batches() {
        found.extend(broken_trees(connection.into(), run_no, BATCH_RULES, None)?);
    }
    found.retain(|broken| !broken.numbers.is_empty());
    Ok(found)
}

/// `known` is the answer to a question of theirs that need not be asked.
fn broken_trees(
    db: Db<'_>,
    run_no: i64,
    rules: &[TreeRule],
    known: Option<(&'static str, bool)>,
) -> Result<Vec<Broken>, DbError> {
    let (mut found, mut asked) = (Vec::new(), Vec::from_iter(known));
    for rule in rules {
        if let Some(question) = rule.held {
            let answer = match asked.iter().find(|(of, _)| *of == question) {
                Some((_, answer)) => *answer,
                None => db.first(question, values![run_no], |row| row.get::<bool>(0))? == Some(true),
            };
            asked.push((question, answer));
            if answer {
                continue;
            }
        }
        let numbers = numbers(db, rule.breaches, run_no)?;
        found.push(Broken { text: rule.text, names: Names::Token, numbers });
    }
    Ok(found)
}

fn numbers(db: Db<'_>, breaches: &str, run_no: i64) -> Result<Vec<i64>, DbError> {
    db.list(breaches, values![run_no], |row| row.get(0))
}

impl Broken {
    fn named(self, run: RunId) -> ConservationBreach {
        const SHOWN: usize = 10;
        let ids = self.numbers.iter().take(SHOWN).map(|number| name(run, self.names, *number)).collect();
        let count = u64::try_from(self.numbers.len()).expect("a length fits 64 bits");
        ConservationBreach { rule: self.text, table: self.names.table(), ids, count }
    }
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

fn run_id(db: Db<'_>, run_no: i64) -> Result<RunId, LandscapeError> {
    let found =
        db.first("SELECT run_id FROM runs WHERE run_no = ?", values![run_no], |row| row.get::<String>(0));
    let text = found.map_err(|error: DbError| error.told(CHECKING))?.unwrap_or_default();
    text.parse().map_err(|error| {
        Corruption { table: "runs", id: format!("run_no {run_no}"), what: format!("`run_id`: {error}") }
            .into()
    })
}

const CHECKING: &str = "checking conservation";
