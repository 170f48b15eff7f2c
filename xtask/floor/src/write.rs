//! The writing that is timed: the same records, the same transactions, nothing else.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::Error;
use crate::plan::{Plan, Table};
use crate::read::{Group, Reader};
use crate::sqlite::{Cell, Connection, Statement};

/// Records of one statement at most. Measured: from 64 on the time hardly changes.
const LARGEST: usize = 256;

/// Epochs that are read before as many transactions are written.
const BATCH: usize = 32;

/// What the writer of the product sets on its connection besides the page size (`landscape-sql`).
const SETTINGS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
    PRAGMA wal_autocheckpoint = 4096; PRAGMA cache_size = -16384;";

#[derive(Debug, Serialize)]
pub(crate) struct Written {
    /// From the first transaction to the closing of the database, without the reading in between.
    seconds: f64,
    transactions: u64,
    /// Records of what happened, of all tables.
    records: u64,
    tables: BTreeMap<String, u64>,
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
    let closing = Instant::now();
    drop(target);
    let seconds = (elapsed + closing.elapsed()).as_secs_f64();
    let records = plan
        .tables
        .iter()
        .filter(|table| table.holds_records())
        .filter_map(|table| tables.get(&table.name))
        .sum();
    Ok(Written { seconds, transactions, records, tables })
}

/// Commit B of an epoch is one transaction with commit A of the next; the last one's stands alone.
fn write_all(reader: &mut Reader<'_>, writer: &mut Writer<'_>) -> Result<Duration, Error> {
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
            let records = reader.epoch(*epoch, &mut arena)?;
            let mut transaction = records.decided;
            transaction.append(&mut open);
            open = records.acted;
            transactions.push(transaction);
        }
        elapsed += writer.write(&transactions, &arena)?;
        open_arena = keep(&mut open, &arena);
    }
    elapsed += writer.write(&[open], &open_arena)?;
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
    fn write(&mut self, transactions: &[Vec<Group>], arena: &[u8]) -> Result<Duration, Error> {
        // What to leave out is found before the clock starts: the product knows it from its types.
        let parts: Vec<Vec<Part>> = transactions
            .iter()
            .map(|groups| groups.iter().flat_map(|group| self.parts(group)).collect())
            .collect();
        let start = Instant::now();
        for transaction in &parts {
            self.target.execute("BEGIN IMMEDIATE")?;
            for part in transaction {
                self.insert(part, arena)?;
            }
            self.target.execute("COMMIT")?;
            self.transactions += 1;
        }
        Ok(start.elapsed())
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
        let sql = format!("SELECT count(*) FROM {}", table.name);
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
mod tests {
    use super::*;
    use crate::pages::Pages;

    const TABLES: [&str; 9] = [
        "CREATE TABLE runs(run_no INTEGER PRIMARY KEY, run_id TEXT NOT NULL)",
        "CREATE TABLE nodes(run_no INTEGER, step INTEGER, node_type INTEGER, PRIMARY KEY(run_no, step)) WITHOUT ROWID",
        "CREATE TABLE rows(run_no INTEGER, row_index INTEGER, hash BLOB, valid INTEGER NOT NULL DEFAULT 1,
         PRIMARY KEY(run_no, row_index)) WITHOUT ROWID",
        "CREATE TABLE tokens(run_no INTEGER, token INTEGER, branch TEXT, PRIMARY KEY(run_no, token)) WITHOUT ROWID",
        "CREATE TABLE node_states(run_no INTEGER, token INTEGER, step INTEGER, took REAL,
         PRIMARY KEY(run_no, token, step)) WITHOUT ROWID",
        "CREATE TABLE token_outcomes(run_no INTEGER, token INTEGER, terminal INTEGER NOT NULL DEFAULT 1,
         PRIMARY KEY(run_no, token)) WITHOUT ROWID",
        "CREATE TABLE epochs(run_no INTEGER, epoch INTEGER, first_row INTEGER, last_row INTEGER,
         PRIMARY KEY(run_no, epoch)) WITHOUT ROWID",
        "CREATE TABLE bodies(run_no INTEGER NOT NULL REFERENCES runs, epoch INTEGER, block BLOB, UNIQUE(run_no, epoch))",
        "CREATE INDEX epochs_by_row ON epochs(run_no, first_row)",
    ];

    /// A run of 700 rows in epochs of 300, each row seen by a transform (step 1) and a sink (step 2).
    fn original(path: &Path) -> Connection {
        let database = Connection::create(path).unwrap();
        for table in TABLES {
            database.execute(table).unwrap();
        }
        let rows = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 699)";
        let records = [
            "INSERT INTO runs VALUES (7, 'r'); INSERT INTO nodes VALUES (7, 0, 0), (7, 1, 1), (7, 2, 5)".to_owned(),
            format!("{rows} INSERT INTO rows SELECT 7, i, randomblob(32), i % 100 <> 3 FROM n"),
            format!("{rows} INSERT INTO tokens SELECT 7, i << 20, CASE i WHEN 5 THEN 'left' END FROM n"),
            format!("{rows} INSERT INTO node_states SELECT 7, i << 20, 1, i / 8.0 FROM n"),
            format!("{rows} INSERT INTO node_states SELECT 7, i << 20, 2, NULL FROM n"),
            format!("{rows} INSERT INTO token_outcomes SELECT 7, i << 20, 1 FROM n"),
            "INSERT INTO epochs VALUES (7, 0, 0, 299), (7, 1, 300, 599), (7, 2, 600, 699), (7, 3, NULL, NULL)".to_owned(),
            "INSERT INTO bodies VALUES (7, 0, randomblob(9000)), (7, 1, x''), (7, 2, x'00')".to_owned(),
        ];
        for sql in records {
            database.execute(&sql).unwrap();
        }
        database
    }

    #[test]
    fn the_copy_has_the_same_records_and_transactions() {
        let folder = tempfile::tempdir().unwrap();
        let source = original(&folder.path().join("source.db"));
        let plan = Plan::of(&source).unwrap();
        let copy = folder.path().join("copy.db");
        let written = rewrite(&source, &plan, &copy).unwrap();
        // The run, four epochs, and the last epoch's commit B.
        assert_eq!(written.transactions, 6);
        assert_eq!(written.records, 1 + 3 + 700 * 5 + 4);
        source.execute(&format!("ATTACH '{}' AS copy", copy.display())).unwrap();
        for table in &plan.tables {
            let name = &table.name;
            let differing =
                format!("SELECT count(*) FROM (SELECT * FROM {name} EXCEPT SELECT * FROM copy.{name})");
            assert_eq!(source.number(&differing).unwrap(), 0, "{name}");
        }
    }

    #[test]
    fn commit_b_holds_what_sinks_did_and_outcomes() {
        let folder = tempfile::tempdir().unwrap();
        let source = original(&folder.path().join("source.db"));
        let plan = Plan::of(&source).unwrap();
        let records = Reader::new(&source, &plan).unwrap().epoch(plan.epochs[1], &mut Vec::new()).unwrap();
        let named = |groups: &[Group]| -> Vec<(String, usize)> {
            let count = |group: &Group| group.cells.len() / plan.tables[group.table].columns.len();
            groups.iter().map(|group| (plan.tables[group.table].name.clone(), count(group))).collect()
        };
        let pairs = |pairs: &[(&str, usize)]| -> Vec<(String, usize)> {
            pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
        };
        let decided = [("rows", 300), ("tokens", 300), ("node_states", 300), ("epochs", 1), ("bodies", 1)];
        assert_eq!(named(&records.decided), pairs(&decided));
        assert_eq!(named(&records.acted), pairs(&[("node_states", 300), ("token_outcomes", 300)]));
    }

    #[test]
    fn columns_at_their_default_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let source = original(&folder.path().join("source.db"));
        let plan = Plan::of(&source).unwrap();
        let tokens = plan.tables.iter().find(|table| table.name == "tokens").unwrap();
        let plain = [Cell::Int(1), Cell::Null, Cell::Int(2), Cell::Null];
        assert_eq!(
            text(tokens, 7, omitted(tokens, &plain), 2),
            "INSERT INTO tokens(run_no,token)VALUES(7,?),(7,?)"
        );
        let branch = Cell::Text { start: 0, length: 1 };
        assert_eq!(omitted(tokens, &[Cell::Int(1), Cell::Null, Cell::Int(2), branch]), 0);
    }

    #[test]
    fn more_than_one_run_has_no_floor() {
        let folder = tempfile::tempdir().unwrap();
        let source = original(&folder.path().join("source.db"));
        source.execute("INSERT INTO runs VALUES (8, 's')").unwrap();
        let Err(error) = Plan::of(&source) else { panic!("two runs were accepted") };
        assert!(error.to_string().contains("2 runs"), "{error}");
    }

    #[test]
    fn bodies_are_counted_apart() {
        let folder = tempfile::tempdir().unwrap();
        let source = original(&folder.path().join("source.db"));
        let pages = serde_json::to_value(Pages::of(&source).unwrap()).unwrap();
        let (all, bodies) =
            (pages["database_bytes"].as_i64().unwrap(), pages["body_bytes"].as_i64().unwrap());
        assert!(bodies > 9000 && bodies < 40_000, "{bodies}");
        assert!(all > bodies + 700 * 32, "{all}");
    }
}
