//! Multi-row inserts with cached statement text.
//!
//! A statement's text depends on the table, on the columns that its records need and on their number. The number is one of
//! [`SIZES`], so that few texts exist and the database compiles each of them once. `run_no` is
//! part of the text: it is the same for everything that one writer writes, and each bound value costs time.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use elspeth_canonical::ContentHash;
use elspeth_contracts::{Step, TokenKey};
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Arguments as _, AssertSqlSafe, SqlSafeStr as _, SqlStr};

/// Numbers of records of one statement. An epoch of the usual size takes one statement for each table.
const SIZES: [usize; 10] = [1000, 500, 200, 100, 50, 20, 10, 5, 2, 1];

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

/// Values to be bound, in order.
#[derive(Default)]
pub(crate) struct Values(SqliteArguments);

impl Values {
    fn with_capacity(values: usize) -> Self {
        let mut arguments = SqliteArguments::default();
        arguments.reserve(values, 0);
        Self(arguments)
    }

    pub(crate) fn int(&mut self, value: i64) -> &mut Self {
        self.add(value)
    }

    /// Numbers of 64 bits are stored bit by bit.
    pub(crate) fn unsigned(&mut self, value: u64) -> &mut Self {
        self.add(value.cast_signed())
    }

    pub(crate) fn maybe_int(&mut self, value: Option<i64>) -> &mut Self {
        self.add(value)
    }

    pub(crate) fn token(&mut self, token: TokenKey) -> &mut Self {
        self.unsigned(token.get())
    }

    pub(crate) fn step(&mut self, step: Step) -> &mut Self {
        self.int(i64::from(step.get()))
    }

    pub(crate) fn maybe_step(&mut self, step: Option<Step>) -> &mut Self {
        self.add(step.map(|step| i64::from(step.get())))
    }

    pub(crate) fn hash(&mut self, hash: &ContentHash) -> &mut Self {
        self.add(&hash.as_bytes()[..])
    }

    pub(crate) fn maybe_hash(&mut self, hash: Option<&ContentHash>) -> &mut Self {
        self.add(hash.map(|hash| &hash.as_bytes()[..]))
    }

    pub(crate) fn blob(&mut self, bytes: &[u8]) -> &mut Self {
        self.add(bytes)
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.add(text)
    }

    pub(crate) fn maybe_text(&mut self, text: Option<&str>) -> &mut Self {
        self.add(text)
    }

    fn add<'t, T>(&mut self, value: T) -> &mut Self
    where
        T: sqlx::Encode<'t, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
    {
        self.0.add(value).expect("integers, texts and bytes always encode");
        self
    }
}

/// A statement ready to be executed.
pub(crate) struct Statement {
    sql: SqlStr,
    values: Values,
}

impl Statement {
    /// One of fixed text.
    pub(crate) fn fixed(sql: &'static str, values: Values) -> Self {
        Self { sql: sql.into_sql_str(), values }
    }
}

/// The texts used so far by the writer of one run.
pub(crate) struct Texts {
    run_no: i64,
    known: HashMap<(&'static str, u8, usize), Arc<str>>,
}

impl Texts {
    pub(crate) fn new(run_no: i64) -> Self {
        Self { run_no, known: HashMap::new() }
    }

    fn get<T: Table>(&mut self, shape: u8, records: usize) -> Arc<str> {
        let run_no = self.run_no;
        let text = self
            .known
            .entry((T::NAME, shape, records))
            .or_insert_with(|| text::<T>(run_no, shape, records).into());
        Arc::clone(text)
    }
}

fn text<T: Table>(run_no: i64, shape: u8, records: usize) -> String {
    let mut sql = format!("INSERT INTO {}(run_no", T::NAME);
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

fn unusual<T: Table>(shape: u8) -> impl Iterator<Item = &'static &'static str> {
    T::UNUSUAL.iter().enumerate().filter(move |(bit, _)| shape & (1 << bit) != 0).map(|(_, column)| column)
}

/// A source of statements.
pub(crate) trait Work: Send {
    /// The next one.
    fn next(&mut self, texts: &mut Texts) -> Option<Statement>;
}

/// Records that are to be inserted.
pub(crate) struct Insert<'r, T: Table> {
    records: &'r [T::Record],
}

impl<'r, T: Table> Insert<'r, T> {
    /// All of `records`, which are in key order.
    pub(crate) fn boxed(_table: T, records: &'r [T::Record]) -> Box<dyn Work + 'r> {
        Box::new(Self { records })
    }
}

impl<T: Table> Work for Insert<'_, T> {
    fn next(&mut self, texts: &mut Texts) -> Option<Statement> {
        let size = *SIZES.iter().find(|size| **size <= self.records.len())?;
        let (now, later) = self.records.split_at(size);
        self.records = later;
        let shape = now.iter().fold(0, |shape, record| shape | T::needs(record));
        let columns = T::COLUMNS.len() + unusual::<T>(shape).count();
        let mut values = Values::with_capacity(size * columns);
        for record in now {
            T::bind(record, shape, &mut values);
        }
        Some(Statement { sql: AssertSqlSafe(texts.get::<T>(shape, size)).into_sql_str(), values })
    }
}

/// Statements that the database's thread executes one after the other without being spoken to in between: each time it
/// is, two threads change places. Their text has anonymous parameters only.
pub(crate) struct Group {
    sql: String,
    values: Values,
}

impl Group {
    pub(crate) fn new() -> Self {
        Self { sql: String::new(), values: Values::default() }
    }

    /// Adds a statement, whose values are to be bound next.
    pub(crate) fn then(&mut self, sql: &str) -> &mut Values {
        if !self.sql.is_empty() {
            self.sql.push(';');
        }
        self.sql.push_str(sql);
        &mut self.values
    }

    pub(crate) fn boxed<'w>(self) -> Box<dyn Work + 'w> {
        Box::new(Some(self))
    }
}

impl Work for Option<Group> {
    fn next(&mut self, _texts: &mut Texts) -> Option<Statement> {
        let group = self.take()?;
        Some(Statement { sql: AssertSqlSafe(group.sql).into_sql_str(), values: group.values })
    }
}

/// Executes all of it in order. While the database's thread works on one statement, the next one's values are gathered.
pub(crate) async fn execute_all(
    connection: &mut SqliteConnection,
    texts: &mut Texts,
    work: Vec<Box<dyn Work + '_>>,
) -> Result<(), sqlx::Error> {
    let mut work = work.into_iter().peekable();
    let mut ready = next_statement(&mut work, texts);
    while let Some(statement) = ready {
        let mut running = pin!(execute(connection, statement));
        let early = std::future::poll_fn(|context| Poll::Ready(running.as_mut().poll(context))).await;
        ready = next_statement(&mut work, texts);
        match early {
            Poll::Ready(result) => result?,
            Poll::Pending => running.await?,
        };
    }
    Ok(())
}

fn next_statement<'w>(
    work: &mut std::iter::Peekable<impl Iterator<Item = Box<dyn Work + 'w>>>,
    texts: &mut Texts,
) -> Option<Statement> {
    while let Some(first) = work.peek_mut() {
        if let Some(statement) = first.next(texts) {
            return Some(statement);
        }
        work.next();
    }
    None
}

/// Executes one statement; how many records it changed.
pub(crate) async fn execute(
    connection: &mut SqliteConnection,
    statement: Statement,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query_with(statement.sql, statement.values.0).execute(connection).await?;
    Ok(done.rows_affected())
}
