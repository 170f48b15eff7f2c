//! Records read back, grouped as they were written.

use std::ops::Range;

use crate::error::Error;
use crate::place::{Epoch, Moment};
use crate::plan::{Key, Plan, Table, Way};
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

    /// What one epoch wrote, which must be as much as the product counted.
    pub(crate) fn epoch(&mut self, epoch: &Epoch, arena: &mut Vec<u8>) -> Result<EpochRecords, Error> {
        let mut records = EpochRecords::default();
        let mut count = 0;
        for (at, table) in self.plan.tables.iter().enumerate().filter(|(_, table)| table.key != Key::Run) {
            let cells = self.table(at, epoch, arena)?;
            if table.is_counted() {
                count += (cells.len() / table.columns.len()) as u64;
            }
            let (decided, acted) = self.halves(table, cells);
            records.decided.extend((!decided.is_empty()).then_some(Group { table: at, cells: decided }));
            records.acted.extend((!acted.is_empty()).then_some(Group { table: at, cells: acted }));
        }
        if count == epoch.records {
            Ok(records)
        } else {
            Err(Error::Misplaced { epoch: epoch.number, found: count, expected: epoch.records })
        }
    }

    /// An epoch's records of one table.
    fn table(&mut self, at: usize, epoch: &Epoch, arena: &mut Vec<u8>) -> Result<Vec<Cell>, Error> {
        let (plan, query) = (self.plan, &mut self.queries[at]);
        let table = &plan.tables[at];
        let mut cells = Vec::new();
        for mut parameters in bounds(table.key, epoch) {
            parameters.insert(0, plan.run_no);
            let mut found = read(query, &parameters, table.columns.len(), arena)?;
            if let Key::Token(token, way) = table.key {
                let here = |record: &&[Cell]| {
                    let Cell::Int(token) = record[token] else { return false };
                    plan.places.epoch(token, moment(way, record)) == Some(epoch.number)
                };
                found = found.chunks_exact(table.columns.len()).filter(here).flatten().copied().collect();
            }
            cells.append(&mut found);
        }
        Ok(cells)
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

/// Records in key order; `?2`, `?3` and `?4` bound the epoch's part of the key.
fn select(table: &Table) -> String {
    let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let within = |key: &str| format!(" AND {key} >= ?2 AND {key} < ?3 ORDER BY {key}");
    let bounds = match table.key {
        Key::Row => within("row_index"),
        Key::Token(column, _) | Key::Release(column) => within(names[column]),
        Key::Epoch => within("epoch"),
        Key::Member => format!(" AND batch_no = ?4{}", within("ordinal")),
        Key::Run => String::new(),
    };
    format!("SELECT {} FROM {} WHERE run_no = ?1{bounds}", names.join(", "), table.name)
}

/// From where to where the records of an epoch are looked for, and then in which batch.
fn bounds(key: Key, epoch: &Epoch) -> Vec<Vec<i64>> {
    let plain = |range: &Range<i64>| vec![range.start, range.end];
    match key {
        Key::Row => vec![plain(&epoch.rows)],
        Key::Token(..) => epoch.tokens.iter().map(plain).collect(),
        Key::Release(_) => epoch.releases.iter().map(plain).collect(),
        Key::Member => {
            epoch.members.iter().map(|(batch, range)| vec![range.start, range.end, *batch]).collect()
        }
        Key::Epoch | Key::Run => vec![vec![epoch.number, epoch.number + 1]],
    }
}

/// When on its token's way a record was made.
fn moment(way: Way, record: &[Cell]) -> Moment {
    match way {
        Way::Birth => Moment::Birth,
        Way::End => Moment::End,
        Way::Step(column) => match record[column] {
            Cell::Int(step) => Moment::Visit(step),
            Cell::Null | Cell::Real(_) | Cell::Text { .. } | Cell::Blob { .. } => Moment::End,
        },
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
