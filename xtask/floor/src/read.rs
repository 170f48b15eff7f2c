//! Records read back, grouped as they were written.

use crate::error::Error;
use crate::plan::{Epoch, Key, ORDINAL_BITS, Plan, Table};
use crate::sqlite::{Cell, Connection, Statement};

/// Records of one table that one half of one commit writes.
#[derive(Debug, Default, Clone)]
pub(crate) struct Group {
    /// Place of the table in the plan.
    pub(crate) table: usize,
    /// All columns of all records, one record after the other.
    pub(crate) cells: Vec<Cell>,
}

/// What the two commits of an epoch write.
#[derive(Debug, Default)]
pub(crate) struct EpochRecords {
    /// Commit A.
    pub(crate) decided: Vec<Group>,
    /// Commit B.
    pub(crate) acted: Vec<Group>,
}

/// Reads the records of one epoch after another. Bytes go to an arena.
pub(crate) struct Reader<'d> {
    plan: &'d Plan,
    /// One per table, in the plan's order.
    queries: Vec<Statement<'d>>,
}

impl<'d> Reader<'d> {
    pub(crate) fn new(database: &'d Connection, plan: &'d Plan) -> Result<Self, Error> {
        let queries =
            plan.tables.iter().map(|table| database.prepare(&select(table))).collect::<Result<_, _>>()?;
        Ok(Self { plan, queries })
    }

    /// What belongs to the run as a whole.
    pub(crate) fn run(&mut self, arena: &mut Vec<u8>) -> Result<Vec<Group>, Error> {
        let mut groups = Vec::new();
        for (at, table) in self.plan.tables.iter().enumerate().filter(|(_, table)| table.key == Key::Run) {
            let cells = read(&mut self.queries[at], &[self.plan.run_no], table.columns.len(), arena)?;
            groups.push(Group { table: at, cells });
        }
        Ok(groups)
    }

    pub(crate) fn epoch(&mut self, epoch: Epoch, arena: &mut Vec<u8>) -> Result<EpochRecords, Error> {
        let mut records = EpochRecords::default();
        for (at, table) in self.plan.tables.iter().enumerate().filter(|(_, table)| table.key != Key::Run) {
            let (from, to) = range(table.key, epoch);
            let parameters = [self.plan.run_no, from, to];
            let cells = read(&mut self.queries[at], &parameters, table.columns.len(), arena)?;
            let (decided, acted) = self.halves(table, cells);
            records.decided.extend((!decided.is_empty()).then_some(Group { table: at, cells: decided }));
            records.acted.extend((!acted.is_empty()).then_some(Group { table: at, cells: acted }));
        }
        Ok(records)
    }

    /// A record of a sink's step is written by commit B.
    fn halves(&self, table: &Table, cells: Vec<Cell>) -> (Vec<Cell>, Vec<Cell>) {
        if table.is_acted() {
            return (Vec::new(), cells);
        }
        let Some(step) = table.step else { return (cells, Vec::new()) };
        let (mut decided, mut acted) = (Vec::new(), Vec::new());
        for record in cells.chunks_exact(table.columns.len()) {
            let at_sink = matches!(record[step], Cell::Int(step) if self.plan.sinks.contains(&step));
            let half = if at_sink { &mut acted } else { &mut decided };
            half.extend_from_slice(record);
        }
        (decided, acted)
    }
}

/// Records in key order; `?2` and `?3` bound the epoch's part of the key.
fn select(table: &Table) -> String {
    let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let bounds = match table.key {
        Key::Row => " AND row_index >= ?2 AND row_index < ?3 ORDER BY row_index",
        Key::Token => " AND token >= ?2 AND token < ?3 ORDER BY token",
        Key::Epoch => " AND epoch >= ?2 AND epoch < ?3 ORDER BY epoch",
        Key::Run => "",
    };
    format!("SELECT {} FROM {} WHERE run_no = ?1{bounds}", names.join(", "), table.name)
}

fn range(key: Key, epoch: Epoch) -> (i64, i64) {
    let (first, end) = epoch.rows;
    match key {
        Key::Row => (first, end),
        Key::Token => (first << ORDINAL_BITS, end << ORDINAL_BITS),
        Key::Epoch | Key::Run => (epoch.number, epoch.number + 1),
    }
}

fn read(
    query: &mut Statement<'_>,
    parameters: &[i64],
    columns: usize,
    arena: &mut Vec<u8>,
) -> Result<Vec<Cell>, Error> {
    query.query(parameters)?;
    let mut cells = Vec::new();
    while query.step()? {
        cells.extend((0..).take(columns).map(|column| query.cell(column, arena)));
    }
    Ok(cells)
}
