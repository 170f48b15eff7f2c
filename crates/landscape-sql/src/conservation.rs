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
use crate::postgres::{Session, counting};
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
        breaches: OUTSIDE,
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
    let db = Db::from(connection);
    let census = census(connection, run_no, counted).map_err(|error| error.told(CHECKING))?;
    let broken = broken(db, run_no, &census).map_err(|error| error.told(CHECKING))?;
    Ok((census, named(db, run_no, broken)?))
}

/// The same on a server, which counts everything now; a part of it by another connection to it, where there is one.
pub(crate) fn check_on_server(
    db: Db<'_>,
    beside: Option<&Session>,
    run_no: i64,
) -> Result<(Census, Vec<ConservationBreach>), LandscapeError> {
    let checked = counting::by_hash(db, || {
        let numbers = counting::count(db, beside, run_no)?;
        let census = Census::of_numbers(db, run_no, numbers)?;
        let broken = broken(db, run_no, &census)?;
        Ok((census, broken))
    });
    let (census, broken) = checked.map_err(|error| error.told(CHECKING))?;
    Ok((census, named(db, run_no, broken)?))
}

/// Where there are as many rows as the epochs have, and each epoch has its own, there is no other row. Else rows are compared
/// with ranges, one by one.
const OUTSIDE: &str = "SELECT r.row_index FROM rows r WHERE r.run_no = ?1
    AND (SELECT count(*) FROM rows WHERE run_no = ?1)
        <> (SELECT coalesce(sum(last_row - first_row + 1), 0) FROM epochs WHERE run_no = ?1)
    AND NOT EXISTS (SELECT 1 FROM epochs e WHERE e.run_no = ?1
        AND r.row_index BETWEEN e.first_row AND e.last_row)";

fn named(db: Db<'_>, run_no: i64, broken: Vec<Broken>) -> Result<Vec<ConservationBreach>, LandscapeError> {
    if broken.is_empty() {
        return Ok(Vec::new());
    }
    let run = run_id(db, run_no)?;
    Ok(broken.into_iter().map(|broken| broken.named(run)).collect())
}

fn census(connection: &Connection, run_no: i64, counted: Counted) -> Result<Census, DbError> {
    let Counted { mut tally, again } = counted;
    for stretch in &again {
        tally.add(&Tally::of(connection, run_no, *stretch)?);
    }
    let whole = again == [Stretch::ALL];
    if !whole && !tally.is_of_everything(connection, run_no)? {
        tally = Tally::of(connection, run_no, Stretch::ALL)?;
    }
    Census::of(connection.into(), run_no, tally)
}

/// A rule with what breaks it.
struct Broken {
    text: &'static str,
    names: Names,
    numbers: Vec<i64>,
}

fn broken(db: Db<'_>, run_no: i64, census: &Census) -> Result<Vec<Broken>, DbError> {
    let mut found = Vec::new();
    for rule in RULES.iter().filter(|rule| !(rule.holds)(census)) {
        let numbers = numbers(db, rule.breaches, run_no)?;
        found.push(Broken { text: rule.text, names: rule.names, numbers });
    }
    if census.has_families() {
        let known = census.families_hold().then_some((FAMILIES, true));
        found.extend(broken_trees(db, run_no, FAMILY_RULES, known)?);
    }
    if census.has_batches() {
        found.extend(broken_trees(db, run_no, BATCH_RULES, None)?);
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
