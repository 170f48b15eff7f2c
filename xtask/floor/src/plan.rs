//! Which tables a database has, and when the records of each are written.

use std::collections::BTreeSet;

use crate::error::Error;
use crate::sqlite::Connection;

/// A token's number holds the index of its row above these bits (`TokenKey`).
pub(crate) const ORDINAL_BITS: u32 = 20;

/// Tables that are written by commit B although their records do not say so by the step of a sink.
const ACTED: [&str; 2] = ["token_outcomes", "sink_positions"];

/// Tables that hold the state of the writer or packed bodies; no records of what happened.
const NO_RECORDS: [&str; 4] = ["bodies", "checkpoints", "sink_intents", "sink_positions"];

/// The tables of one run and its epochs.
pub(crate) struct Plan {
    pub(crate) run_no: i64,
    pub(crate) tables: Vec<Table>,
    pub(crate) epochs: Vec<Epoch>,
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
    /// By its token, which knows the row.
    Token,
    /// It names the epoch.
    Epoch,
    /// It belongs to the run as a whole.
    Run,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Epoch {
    pub(crate) number: i64,
    /// Rows from the first to before the second; empty for an epoch without rows.
    pub(crate) rows: (i64, i64),
}

impl Plan {
    pub(crate) fn of(database: &Connection) -> Result<Self, Error> {
        let run_no = only_run(database)?;
        Ok(Self {
            run_no,
            tables: tables(database)?,
            epochs: epochs(database, run_no)?,
            sinks: sinks(database)?,
        })
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
            let key = key(&columns);
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

fn key(columns: &[Column]) -> Key {
    let has = |name: &str| columns.iter().any(|column| column.name == name);
    // A batch has members of many epochs, and they say so by the batch alone.
    if has("batch_no") && !has("terminal") {
        Key::Run
    } else if has("token") {
        Key::Token
    } else if has("row_index") {
        Key::Row
    } else if has("epoch") {
        Key::Epoch
    } else {
        Key::Run
    }
}

fn epochs(database: &Connection, run_no: i64) -> Result<Vec<Epoch>, Error> {
    let sql = "SELECT epoch, coalesce(first_row, 0), coalesce(last_row + 1, 0) FROM epochs WHERE run_no = ?1 ORDER BY 1";
    let mut query = database.prepare(sql)?;
    query.query(&[run_no])?;
    let mut epochs = Vec::new();
    while query.step()? {
        epochs.push(Epoch { number: query.int(0), rows: (query.int(1), query.int(2)) });
    }
    Ok(epochs)
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
