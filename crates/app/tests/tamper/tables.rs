//! The tables of a database, as it describes them itself.

use rusqlite::Connection;
use rusqlite::types::Value;

/// Whose SQL a change is said in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// A table with some of its records.
pub(crate) struct Table {
    pub(crate) dialect: Dialect,
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
    /// Some, from its beginning to its end.
    pub(crate) samples: Vec<Record>,
    /// All, for values that others have.
    pub(crate) records: Vec<Record>,
}

#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// Its position in the key, from 1; 0 for others. There can be no NULL in a key, whatever the schema says.
    pub(crate) key: i64,
    pub(crate) declared: String,
}

/// All values of a record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record(pub(crate) Vec<Value>);

impl Table {
    pub(crate) fn all(connection: &Connection, samples: usize) -> Vec<Self> {
        let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid";
        let mut names = connection.prepare(sql).unwrap();
        let names = names.query_map((), |row| row.get(0)).unwrap();
        names.map(|named| Self::of(connection, named.unwrap(), samples)).collect()
    }

    fn of(connection: &Connection, name: String, samples: usize) -> Self {
        let sql = "SELECT name, pk, type FROM pragma_table_info(?) ORDER BY cid";
        let mut columns = connection.prepare(sql).unwrap();
        let columns = columns.query_map([&name], |row| {
            Ok(Column { name: row.get(0)?, key: row.get(1)?, declared: row.get(2)? })
        });
        let columns: Vec<Column> = columns.unwrap().map(Result::unwrap).collect();
        let list = columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>().join(", ");
        let mut records = connection.prepare(&format!("SELECT {list} FROM {name}")).unwrap();
        let read = |row: &rusqlite::Row<'_>| {
            (0..columns.len()).map(|at| row.get(at)).collect::<rusqlite::Result<Vec<Value>>>()
        };
        let records: Vec<Record> =
            records.query_map((), |row| read(row).map(Record)).unwrap().map(Result::unwrap).collect();
        Self::with((Dialect::Sqlite, name), columns, records, samples)
    }

    /// One with so many samples of its records.
    pub(crate) fn with(
        (dialect, name): (Dialect, String),
        columns: Vec<Column>,
        records: Vec<Record>,
        samples: usize,
    ) -> Self {
        // Each kind of entry is another record, and each run was made otherwise.
        let samples =
            if ["registry", "heads", "runs"].contains(&name.as_str()) { samples * 4 } else { samples };
        let samples = sample(&records, samples);
        Self { dialect, name, columns, samples, records }
    }

    /// Every column, with its table.
    pub(crate) fn places(&self) -> impl Iterator<Item = (String, String)> + '_ {
        self.columns.iter().map(|column| (self.name.clone(), column.name.clone()))
    }

    /// What tells a record from others: its key, or everything that it has.
    pub(crate) fn condition(&self, record: &Record) -> String {
        let keys = self.columns.iter().zip(&record.0).filter(|(column, _)| column.key > 0);
        let is = |(column, value): (&Column, &Value)| {
            let is = if self.dialect == Dialect::Sqlite { "IS" } else { "IS NOT DISTINCT FROM" };
            format!("{} {is} {}", column.name, self.literal(value))
        };
        let mut parts: Vec<String> = keys.map(is).collect();
        if parts.is_empty() {
            parts = self.columns.iter().zip(&record.0).map(is).collect();
        }
        parts.join(" AND ")
    }

    /// A value in SQL.
    pub(crate) fn literal(&self, value: &Value) -> String {
        literal(self.dialect, value)
    }
}

fn literal(dialect: Dialect, value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Value::Blob(bytes) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            match dialect {
                Dialect::Sqlite => format!("x'{hex}'"),
                Dialect::Postgres => format!("'\\x{hex}'::bytea"),
            }
        }
    }
}

/// So many, evenly spread, the first and the last among them.
fn sample(records: &[Record], most: usize) -> Vec<Record> {
    if records.len() <= most || most < 2 {
        let records = &records[..most.min(records.len())];
        return records.to_vec();
    }
    (0..most).map(|at| records[at * (records.len() - 1) / (most - 1)].clone()).collect()
}
