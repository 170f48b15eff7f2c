//! The writing that is timed: the same records, the same transactions, nothing else.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;

use crate::error::Error;
use crate::plan::{Plan, Table};
use crate::process;
use crate::read::{Group, Reader};
use crate::sqlite::{Cell, Connection, Statement};

/// Records of one statement at most. Measured: from 64 on the time hardly changes.
const LARGEST: usize = 256;

/// Epochs that are read before as many transactions are written.
const BATCH: usize = 32;

/// What the writer of the product sets on its connection besides the page size (`landscape-sql`).
const SETTINGS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
    PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 4096; PRAGMA cache_size = -16384;";

#[derive(Debug, Serialize)]
pub(crate) struct Written {
    /// From the first transaction to the closing of the database, without the reading in between.
    seconds: f64,
    /// CPU time of the same.
    cpu_seconds: f64,
    transactions: u64,
    /// Records of what happened, of all tables.
    records: u64,
    tables: BTreeMap<String, u64>,
}

/// Seconds that something took.
#[derive(Debug, Clone, Copy)]
struct Took {
    wall: f64,
    cpu: f64,
}

/// The beginning of something.
struct Beginning {
    wall: Instant,
    cpu: f64,
}

impl Took {
    fn and(self, other: Self) -> Self {
        Self { wall: self.wall + other.wall, cpu: self.cpu + other.cpu }
    }
}

impl Beginning {
    fn now() -> Self {
        Self { wall: Instant::now(), cpu: process::cpu_seconds() }
    }

    fn until_now(&self) -> Took {
        Took { wall: self.wall.elapsed().as_secs_f64(), cpu: process::cpu_seconds() - self.cpu }
    }
}

/// The transactions of one batch, each with the groups that it writes in order.
type Transactions = Vec<Vec<Group>>;

/// Writes everything of the run in `source` into a new database at `scratch`.
pub(crate) fn rewrite(source: &Connection, plan: &Plan, scratch: &Path) -> Result<Written, Error> {
    remove(scratch)?;
    let target = Connection::create(scratch)?;
    let page_size = source.number("PRAGMA page_size")?;
    target.execute(&format!("PRAGMA page_size = {page_size}; {SETTINGS}"))?;
    for statement in plan.tables.iter().flat_map(|table| &table.schema) {
        target.execute(statement)?;
    }
    let mut writer = Writer { target: &target, plan, statements: HashMap::new(), transactions: 0 };
    let elapsed = write_all(&mut Reader::new(source, plan)?, &mut writer)?;
    let transactions = writer.transactions;
    drop(writer);
    let tables = counts(source, &target, plan)?;
    let closing = Beginning::now();
    drop(target);
    let took = elapsed.and(closing.until_now());
    let records = plan
        .tables
        .iter()
        .filter(|table| table.holds_records())
        .filter_map(|table| tables.get(&table.name))
        .sum();
    Ok(Written { seconds: took.wall, cpu_seconds: took.cpu, transactions, records, tables })
}

/// Commit B of an epoch is one transaction with commit A of the next; the last one's stands alone.
fn write_all(reader: &mut Reader<'_>, writer: &mut Writer<'_>) -> Result<Took, Error> {
    let mut arena = Vec::new();
    let run = reader.run(&mut arena)?;
    let mut elapsed = writer.write(&[run], &arena)?;
    // The bytes of a batch's last commit B are needed by the next batch, so they stay in the arena until then.
    let mut open: Vec<Group> = Vec::new();
    let mut open_arena = Vec::new();
    for epochs in writer.plan.epochs.chunks(BATCH) {
        arena = std::mem::take(&mut open_arena);
        let mut transactions = Transactions::new();
        for epoch in epochs {
            let records = reader.epoch(epoch, &mut arena)?;
            let mut transaction = records.decided;
            transaction.append(&mut open);
            open = records.acted;
            transactions.push(transaction);
        }
        elapsed = elapsed.and(writer.write(&transactions, &arena)?);
        open_arena = keep(&mut open, &arena);
    }
    elapsed = elapsed.and(writer.write(&[open], &open_arena)?);
    Ok(elapsed)
}

/// Copies the bytes of `groups` into an arena of their own.
fn keep(groups: &mut [Group], arena: &[u8]) -> Vec<u8> {
    let mut kept = Vec::new();
    for cell in groups.iter_mut().flat_map(|group| &mut group.cells) {
        if let Cell::Text { start, length } | Cell::Blob { start, length } = cell {
            let from = *start as usize;
            *start = u32::try_from(kept.len()).expect("a part of an arena is no longer than the arena");
            kept.extend_from_slice(&arena[from..from + *length as usize]);
        }
    }
    kept
}

struct Writer<'d> {
    target: &'d Connection,
    plan: &'d Plan,
    /// By table, columns that are left out, and number of records.
    statements: HashMap<(usize, u64, usize), Statement<'d>>,
    transactions: u64,
}

/// One statement to come: its text's key, and its values without the columns that are left out.
struct Part {
    table: usize,
    omitted: u64,
    count: usize,
    cells: Vec<Cell>,
}

impl<'d> Writer<'d> {
    fn write(&mut self, transactions: &[Vec<Group>], arena: &[u8]) -> Result<Took, Error> {
        // What to leave out is found before the clock starts: the product knows it from its types.
        let parts: Vec<Vec<Part>> = transactions
            .iter()
            .map(|groups| groups.iter().flat_map(|group| self.parts(group)).collect())
            .collect();
        let start = Beginning::now();
        for transaction in &parts {
            self.target.execute("BEGIN IMMEDIATE")?;
            for part in transaction {
                self.insert(part, arena)?;
            }
            self.target.execute("COMMIT")?;
            self.transactions += 1;
        }
        Ok(start.until_now())
    }

    /// Cuts a group into statements of few sizes, so that few texts are compiled.
    fn parts(&self, group: &Group) -> Vec<Part> {
        let table = &self.plan.tables[group.table];
        let width = table.columns.len();
        let omitted = omitted(table, &group.cells);
        let mut parts = Vec::new();
        let mut rest = &group.cells[..];
        while let Some(power) = (rest.len() / width).checked_ilog2() {
            let count = LARGEST.min(1 << power);
            let (records, later) = rest.split_at(count * width);
            let given = records.iter().enumerate().filter(|(at, _)| omitted & (1 << (at % width)) == 0);
            parts.push(Part {
                table: group.table,
                omitted,
                count,
                cells: given.map(|(_, cell)| *cell).collect(),
            });
            rest = later;
        }
        parts
    }

    fn insert(&mut self, part: &Part, arena: &[u8]) -> Result<(), Error> {
        let statement = match self.statements.entry((part.table, part.omitted, part.count)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let table = &self.plan.tables[part.table];
                unknown.insert(self.target.prepare(&text(
                    table,
                    self.plan.run_no,
                    part.omitted,
                    part.count,
                ))?)
            }
        };
        statement.insert(&part.cells, arena)
    }
}

/// The columns in which every record has what the table's DEFAULT gives.
fn omitted(table: &Table, cells: &[Cell]) -> u64 {
    let width = table.columns.len();
    let is_default = |column: usize| {
        let default = table.columns[column].default.map_or(Cell::Null, Cell::Int);
        cells.iter().skip(column).step_by(width).all(|cell| *cell == default)
    };
    // One column always stays, and with it the number of records.
    (0..width)
        .filter(|column| is_default(*column))
        .take(width - 1)
        .fold(0, |omitted, column| omitted | 1 << column)
}

fn text(table: &Table, run_no: i64, omitted: u64, count: usize) -> String {
    let given = table.columns.iter().enumerate().filter(|(at, _)| omitted & (1 << at) == 0);
    let names: Vec<&str> = given.map(|(_, column)| column.name.as_str()).collect();
    let record = format!("({run_no}{})", ",?".repeat(names.len()));
    let mut sql = format!("INSERT INTO {}(run_no,{})VALUES", table.name, names.join(","));
    for at in 0..count {
        write!(sql, "{}{record}", if at == 0 { "" } else { "," }).expect("a String takes all text");
    }
    sql
}

/// Proves that nothing was left out.
fn counts(source: &Connection, target: &Connection, plan: &Plan) -> Result<BTreeMap<String, u64>, Error> {
    let mut counts = BTreeMap::new();
    for table in &plan.tables {
        // The registry has an entry of no run: the database's own.
        let sql = format!("SELECT count(*) FROM {} WHERE run_no IS NOT NULL", table.name);
        let count = |database: &Connection| database.number(&sql).map(i64::cast_unsigned);
        let (expected, written) = (count(source)?, count(target)?);
        if expected != written {
            return Err(Error::Incomplete { table: table.name.clone(), written, expected });
        }
        counts.insert(table.name.clone(), written);
    }
    Ok(counts)
}

/// Removes what an earlier measurement left.
fn remove(database: &Path) -> Result<(), Error> {
    for ending in ["", "-wal", "-shm"] {
        let path = PathBuf::from(format!("{}{ending}", database.display()));
        if path.exists() {
            fs::remove_file(&path).map_err(|source| Error::Io { path, source })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod waiting;
