//! Multi-row inserts with cached statement text, and statements of fixed text.
//!
//! A statement's text depends on the table, on the columns that its records need and on their number. The number is one of
//! [`SIZES`], so that few texts exist and the database compiles each of them once. `run_no` is
//! part of the text: it is the same for everything that one writer writes, and each bound value costs time.
//!
//! A statement that fails leaves what it wrote before (`OR FAIL`): whoever executes one gives up the transaction then.
//! Otherwise SQLite would keep a copy of each page that a statement changes, to undo it alone.

use std::collections::HashMap;
use std::fmt::Write as _;

use elspeth_canonical::ContentHash;
use elspeth_contracts::{Step, TokenKey};
use rusqlite::types::{ToSql, ToSqlOutput, Value, ValueRef};
use rusqlite::{CachedStatement, Connection};

/// Numbers of records of one statement. From 64 on, more records to a statement make no difference.
const SIZES: [usize; 3] = [64, 8, 1];

/// How the records of one table are written.
pub(crate) trait Table: 'static {
    /// One record.
    type Record: Sync + 'static;
    /// The table.
    const NAME: &'static str;
    /// Columns that every record gives, in the order in which [`Table::bind`] binds them. `run_no` goes before them.
    const COLUMNS: &'static [&'static str];
    /// Columns that are left to their DEFAULT where no record of a statement needs another value. At most eight.
    const UNUSUAL: &'static [&'static str] = &[];

    /// Which of the unusual columns (bit 0 is the first) this record needs.
    fn needs(_record: &Self::Record) -> u8 {
        0
    }

    /// Binds the columns, then those of the unusual ones that are in `shape`.
    fn bind(record: &Self::Record, shape: u8, values: &mut Values);
}

/// The shape in which the flag of each bit says whether it is set.
pub(crate) fn shape<const N: usize>(flags: [bool; N]) -> u8 {
    flags.iter().rev().fold(0, |shape, flag| shape << 1 | u8::from(*flag))
}

/// Takes values in the order of the parameters: straight into a statement, or to be kept until its turn.
pub(crate) struct Values<'c> {
    target: Target<'c>,
    bound: usize,
    failed: Option<rusqlite::Error>,
}

enum Target<'c> {
    Statement(CachedStatement<'c>),
    Kept(Vec<Value>),
    /// In the form in which PostgreSQL copies records.
    Copied(&'c mut Vec<u8>),
}

/// A value of which the database makes its own copy.
struct Borrowed<'v>(ValueRef<'v>);

impl ToSql for Borrowed<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(self.0))
    }
}

impl Default for Values<'_> {
    fn default() -> Self {
        Self { target: Target::Kept(Vec::new()), bound: 0, failed: None }
    }
}

impl<'c> Values<'c> {
    fn into(statement: CachedStatement<'c>) -> Self {
        Self { target: Target::Statement(statement), bound: 0, failed: None }
    }

    /// Values that are appended to a copy.
    pub(crate) fn copied(out: &'c mut Vec<u8>) -> Self {
        Self { target: Target::Copied(out), bound: 0, failed: None }
    }

    pub(crate) fn int(&mut self, value: i64) -> &mut Self {
        self.add(ValueRef::Integer(value))
    }

    /// Numbers of 64 bits are stored bit by bit.
    pub(crate) fn unsigned(&mut self, value: u64) -> &mut Self {
        self.int(value.cast_signed())
    }

    pub(crate) fn maybe_int(&mut self, value: Option<i64>) -> &mut Self {
        self.add(value.map_or(ValueRef::Null, ValueRef::Integer))
    }

    pub(crate) fn token(&mut self, token: TokenKey) -> &mut Self {
        self.unsigned(token.get())
    }

    pub(crate) fn step(&mut self, step: Step) -> &mut Self {
        self.int(i64::from(step.get()))
    }

    pub(crate) fn maybe_step(&mut self, step: Option<Step>) -> &mut Self {
        self.maybe_int(step.map(|step| i64::from(step.get())))
    }

    pub(crate) fn hash(&mut self, hash: &ContentHash) -> &mut Self {
        self.blob(hash.as_bytes())
    }

    pub(crate) fn maybe_hash(&mut self, hash: Option<&ContentHash>) -> &mut Self {
        self.add(hash.map_or(ValueRef::Null, |hash| ValueRef::Blob(hash.as_bytes())))
    }

    pub(crate) fn blob(&mut self, bytes: &[u8]) -> &mut Self {
        self.add(ValueRef::Blob(bytes))
    }

    /// One that is not copied where values are kept.
    pub(crate) fn long_blob(&mut self, bytes: Vec<u8>) -> &mut Self {
        if let Target::Kept(values) = &mut self.target {
            self.bound += 1;
            values.push(Value::Blob(bytes));
            return self;
        }
        self.blob(&bytes)
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.add(ValueRef::Text(text.as_bytes()))
    }

    pub(crate) fn maybe_text(&mut self, text: Option<&str>) -> &mut Self {
        self.add(text.map_or(ValueRef::Null, |text| ValueRef::Text(text.as_bytes())))
    }

    fn add(&mut self, value: ValueRef<'_>) -> &mut Self {
        self.bound += 1;
        match &mut self.target {
            Target::Statement(statement) => {
                if let Err(error) = statement.raw_bind_parameter(self.bound, Borrowed(value)) {
                    self.failed.get_or_insert(error);
                }
            }
            Target::Kept(values) => values.push(owned(value)),
            Target::Copied(out) => crate::postgres::push(out, value),
        }
        self
    }

    fn execute(self) -> rusqlite::Result<()> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        match self.target {
            Target::Statement(mut statement) => statement.raw_execute().map(|_| ()),
            Target::Kept(_) | Target::Copied(_) => unreachable!("only a statement's own values are executed"),
        }
    }
}

fn owned(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_owned()),
    }
}

/// A statement of fixed text with its values.
pub(crate) struct Statement {
    sql: &'static str,
    values: Values<'static>,
}

impl Statement {
    pub(crate) fn fixed(sql: &'static str, values: Values<'static>) -> Self {
        Self { sql, values }
    }

    pub(crate) fn execute(self, connection: &Connection) -> rusqlite::Result<()> {
        self.change(connection).map(|_| ())
    }

    /// Executes it and fails with [`rusqlite::Error::StatementChangedRows`] unless it changes exactly one record.
    pub(crate) fn change_one(self, connection: &Connection) -> rusqlite::Result<()> {
        match self.change(connection)? {
            1 => Ok(()),
            changed => Err(rusqlite::Error::StatementChangedRows(changed)),
        }
    }

    fn change(self, connection: &Connection) -> rusqlite::Result<usize> {
        let mut statement = connection.prepare_cached(self.sql)?;
        match self.values.target {
            Target::Kept(values) => statement.execute(rusqlite::params_from_iter(values)),
            Target::Statement(_) | Target::Copied(_) => unreachable!("a fixed statement's values are kept"),
        }
    }

    /// Its text, and what it is given.
    pub(crate) fn parts(self) -> (&'static str, Vec<Value>) {
        match self.values.target {
            Target::Kept(values) => (self.sql, values),
            Target::Statement(_) | Target::Copied(_) => unreachable!("a fixed statement's values are kept"),
        }
    }
}

/// Statements of fixed text, one after the other.
#[derive(Default)]
pub(crate) struct Group(Vec<Statement>);

impl Group {
    /// Adds a statement, whose values are to be bound next.
    pub(crate) fn then(&mut self, sql: &'static str) -> &mut Values<'static> {
        self.0.push(Statement::fixed(sql, Values::default()));
        &mut self.0.last_mut().expect("it was just pushed").values
    }

    pub(crate) fn execute(self, connection: &Connection) -> rusqlite::Result<()> {
        self.0.into_iter().try_for_each(|statement| statement.execute(connection))
    }

    pub(crate) fn statements(self) -> impl Iterator<Item = Statement> {
        self.0.into_iter()
    }
}

/// Inserts the records of one run, with the texts used so far.
pub(crate) struct Inserts {
    run_no: i64,
    texts: HashMap<(&'static str, u8, usize), String>,
}

impl Inserts {
    pub(crate) fn new(run_no: i64) -> Self {
        Self { run_no, texts: HashMap::new() }
    }

    /// Inserts all of `records`, which are in key order.
    pub(crate) fn all<T: Table>(
        &mut self,
        connection: &Connection,
        _table: T,
        mut records: &[T::Record],
    ) -> rusqlite::Result<()> {
        while let Some(size) = SIZES.iter().find(|size| **size <= records.len()) {
            let (now, later) = records.split_at(*size);
            records = later;
            let shape = now.iter().fold(0, |shape, record| shape | T::needs(record));
            let mut values = Values::into(connection.prepare_cached(self.text::<T>(shape, *size))?);
            for record in now {
                T::bind(record, shape, &mut values);
            }
            values.execute()?;
        }
        Ok(())
    }

    fn text<T: Table>(&mut self, shape: u8, records: usize) -> &str {
        let run_no = self.run_no;
        self.texts.entry((T::NAME, shape, records)).or_insert_with(|| text::<T>(run_no, shape, records))
    }
}

fn text<T: Table>(run_no: i64, shape: u8, records: usize) -> String {
    let mut sql = format!("INSERT OR FAIL INTO {}(run_no", T::NAME);
    let mut record = format!("({run_no}");
    for column in T::COLUMNS.iter().chain(unusual::<T>(shape)) {
        write!(sql, ",{column}").expect("a String takes all text");
        record.push_str(",?");
    }
    sql.push_str(")VALUES");
    record.push(')');
    for at in 0..records {
        sql.push_str(if at == 0 { "" } else { "," });
        sql.push_str(&record);
    }
    sql
}

pub(crate) fn unusual<T: Table>(shape: u8) -> impl Iterator<Item = &'static &'static str> {
    T::UNUSUAL.iter().enumerate().filter(move |(bit, _)| shape & (1 << bit) != 0).map(|(_, column)| column)
}
