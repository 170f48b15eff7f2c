//! Which tables a database has, and when the records of each are written.

use std::collections::BTreeSet;

use crate::error::Error;
use crate::place::{Epoch, Places};
use crate::sqlite::Connection;

/// Tables that are written by commit B although their records do not say so by the step of a sink.
const ACTED: [&str; 2] = ["token_outcomes", "sink_positions"];

/// Tables that hold the state of the writer or packed bodies; no records of what happened.
const NO_RECORDS: [&str; 4] = ["bodies", "checkpoints", "sink_intents", "sink_positions"];

/// The tables of one run and its epochs.
pub(crate) struct Plan {
    pub(crate) run_no: i64,
    pub(crate) tables: Vec<Table>,
    pub(crate) epochs: Vec<Epoch>,
    pub(crate) places: Places,
    pub(crate) sinks: BTreeSet<i64>,
}

pub(crate) struct Table {
    pub(crate) name: String,
    /// Statements that make it, with its indexes.
    pub(crate) schema: Vec<String>,
    /// All but `run_no`, which is part of the statement.
    pub(crate) columns: Vec<Column>,
    pub(crate) key: Key,
    /// The place of `step` in `columns`, where there is one.
    pub(crate) step: Option<usize>,
}

pub(crate) struct Column {
    pub(crate) name: String,
    /// What a record has where the statement leaves the column out.
    pub(crate) default: Option<i64>,
}

/// How a record tells its epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// By the index of its row.
    Row,
    /// By its token, in the column of that number, and a moment of the token's way.
    Token(usize, Way),
    /// It names the epoch.
    Epoch,
    /// By the number of its release, in the column of that number.
    Release(usize),
    /// By its place in a batch, which accepts members in one epoch after the other.
    Member,
    /// It belongs to the run as a whole.
    Run,
}

/// When on its token's way a record was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Birth,
    /// At the step in the column of that number.
    Step(usize),
    End,
}

impl Plan {
    pub(crate) fn of(database: &Connection) -> Result<Self, Error> {
        let run_no = only_run(database)?;
        let (places, epochs) = Places::of(database, run_no)?;
        Ok(Self { run_no, tables: tables(database)?, epochs, places, sinks: sinks(database)? })
    }
}

impl Table {
    /// Whether commit B writes every record of it.
    pub(crate) fn is_acted(&self) -> bool {
        ACTED.contains(&self.name.as_str())
    }

    /// Whether it holds records of what happened.
    pub(crate) fn holds_records(&self) -> bool {
        !NO_RECORDS.contains(&self.name.as_str())
    }

    /// Whether an epoch's own count of its records has those of this table.
    pub(crate) fn is_counted(&self) -> bool {
        self.holds_records() && self.name != "epochs"
    }
}

fn only_run(database: &Connection) -> Result<i64, Error> {
    let mut query = database.prepare("SELECT run_no FROM runs")?;
    let mut runs = Vec::new();
    while query.step()? {
        runs.push(query.int(0));
    }
    match runs.as_slice() {
        [run_no] => Ok(*run_no),
        _ => Err(Error::Runs { found: runs.len() }),
    }
}

/// Every table whose records belong to a run, in the order in which they were made, so that a table comes after those
/// that it refers to.
fn tables(database: &Connection) -> Result<Vec<Table>, Error> {
    let mut query = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid")?;
    let mut tables = Vec::new();
    while query.step()? {
        let name = query.text(0).unwrap_or_default();
        let mut columns = columns(database, &name)?;
        let before = columns.len();
        columns.retain(|column| column.name != "run_no");
        if columns.len() < before {
            let schema = schema(database, &name)?;
            let key = key(&name, &columns);
            let step = columns.iter().position(|column| column.name == "step");
            tables.push(Table { name, schema, columns, key, step });
        }
    }
    Ok(tables)
}

fn columns(database: &Connection, table: &str) -> Result<Vec<Column>, Error> {
    let mut query =
        database.prepare(&format!("SELECT name, dflt_value FROM pragma_table_info('{table}')"))?;
    let mut columns = Vec::new();
    while query.step()? {
        let default = query.text(1).and_then(|text| text.parse().ok());
        columns.push(Column { name: query.text(0).unwrap_or_default(), default });
    }
    Ok(columns)
}

fn schema(database: &Connection, table: &str) -> Result<Vec<String>, Error> {
    let sql = format!(
        "SELECT sql FROM sqlite_schema WHERE tbl_name = '{table}' AND type IN ('table', 'index') AND sql IS NOT NULL
         ORDER BY type DESC, rowid"
    );
    let mut query = database.prepare(&sql)?;
    let mut statements = Vec::new();
    while query.step()? {
        statements.extend(query.text(0));
    }
    Ok(statements)
}

fn key(table: &str, columns: &[Column]) -> Key {
    let place = |name: &str| columns.iter().position(|column| column.name == name);
    let released = match table {
        "releases" => place("number"),
        "batches" | "batch_outputs" => place("batch_no"),
        _ => None,
    };
    match (table, released, place("token")) {
        ("batch_members", ..) => Key::Member,
        (_, Some(number), _) => Key::Release(number),
        ("token_outcomes", None, Some(token)) => Key::Token(token, Way::End),
        (_, None, Some(token)) => Key::Token(token, place("step").map_or(Way::Birth, Way::Step)),
        _ if place("row_index").is_some() => Key::Row,
        _ if place("epoch").is_some() => Key::Epoch,
        _ => Key::Run,
    }
}

/// Steps of sinks (`NodeType::Sink` is stored as 5).
fn sinks(database: &Connection) -> Result<BTreeSet<i64>, Error> {
    let mut query = database.prepare("SELECT step FROM nodes WHERE node_type = 5")?;
    let mut sinks = BTreeSet::new();
    while query.step()? {
        sinks.insert(query.int(0));
    }
    Ok(sinks)
}
