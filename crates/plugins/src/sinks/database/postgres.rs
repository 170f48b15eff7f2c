//! A database of a PostgreSQL server: connecting, looking at tables, running statements, and what its errors mean.

use std::sync::Arc;

use elspeth_plugin::SinkError;
use elspeth_postgres::{PgAddress, PgFailure};
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::{Arguments as _, AssertSqlSafe, Executor as _, Row as _};

use super::column::{Column, Kind, Origin, Typed};
use super::insert::Admitted;
use super::store::{Blame, Cell, Done, Found, Record};
use super::table::{Layout, Table};
use crate::sql_name::quoted;

/// What is written is meant to last, and locks are waited for as long as in a file, in each attempt that `retry` allows.
/// Transactions are such that a writer sees what others committed while it waited for them.
const SETTINGS: &str = "SET client_min_messages = warning; SET lock_timeout = 10000; SET TimeZone = 'UTC';
    SET default_transaction_isolation = 'read committed'; SET default_transaction_read_only = off;
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// Which schema new tables come into, and whether it is one in which runs are recorded.
const PURPOSE: &str = "SELECT current_schema(),
    to_regclass(quote_ident(current_schema()) || '.elspeth_schema') IS NOT NULL";

/// A table's own name, its kind, and whether runs are recorded beside it.
const RELATION: &str = "SELECT c.relkind::text,
    to_regclass(quote_ident(n.nspname) || '.elspeth_schema') IS NOT NULL
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)";

/// Domains count as what they are made of.
const COLUMNS: &str = "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull,
        CASE WHEN a.attgenerated <> '' OR a.attidentity = 'a' THEN 2 WHEN a.atthasdef OR a.attidentity = 'd' THEN 1 ELSE 0 END,
        b.typname::text, format_type(b.oid, -1), CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
    WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

/// A connection.
#[derive(Debug)]
pub(super) struct PostgresStore {
    location: String,
    connection: PgConnection,
}

impl PostgresStore {
    /// Connects.
    ///
    /// # Errors
    /// The server does not let us in, or the tables would come among those of a record.
    pub(super) async fn open(address: &PgAddress) -> Result<Self, SinkError> {
        let location = address.location().to_owned();
        let connection = address.connect().await.map_err(|error| failure("open", &location, &error))?;
        let mut store = Self { location, connection };
        store.run(SETTINGS, "open").await?;
        store.check_purpose().await?;
        Ok(store)
    }

    /// A record of runs is no place for a pipeline's rows.
    async fn check_purpose(&mut self) -> Result<(), SinkError> {
        let found = sqlx::query(PURPOSE).fetch_one(&mut self.connection).await;
        let row = found.map_err(|error| self.failure("open", &error))?;
        let (schema, is_record): (Option<String>, Option<bool>) = (row.get(0), row.get(1));
        let Some(schema) = schema else {
            let message = format!("`{}` has no schema that tables can be in", self.location);
            return Err(SinkError::new(message).with_help("create the schema that search_path names"));
        };
        if is_record == Some(true) { Err(self.is_record(&schema)) } else { Ok(()) }
    }

    fn is_record(&self, schema: &str) -> SinkError {
        let message = format!("the schema `{schema}` of `{}` is the record of runs", self.location);
        SinkError::new(message).with_help(
            "give the rows a database or a schema of their own: `?options=-csearch_path%3Dname` behind the URL",
        )
    }

    /// What bears that name.
    ///
    /// # Errors
    /// The database cannot be read.
    pub(super) async fn find(&mut self, table: &str) -> Result<Found, SinkError> {
        let found = sqlx::query(RELATION).bind(quoted(table)).fetch_optional(&mut self.connection).await;
        let Some(row) = found.map_err(|error| self.failure("read", &error))? else {
            return Ok(Found::Nothing);
        };
        if row.get::<Option<bool>, _>(1) == Some(true) {
            return Err(self.is_record(table));
        }
        let kind: String = row.get(0);
        let other = match kind.as_str() {
            "r" | "p" => {
                let columns = sqlx::query(COLUMNS).bind(quoted(table)).fetch_all(&mut self.connection).await;
                let columns = columns.map_err(|error| self.failure("read", &error))?;
                return Ok(Found::Table(columns.iter().map(column).collect()));
            }
            "v" => "view",
            "m" => "materialized view",
            "f" => "foreign table",
            "S" => "sequence",
            _ => "thing of another kind",
        };
        Ok(Found::Other(other.to_owned()))
    }

    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// Runs statements that were made here and not of data.
    ///
    /// # Errors
    /// `doing`, with the cause.
    pub(super) async fn run(&mut self, sql: impl Into<String>, doing: &str) -> Result<(), SinkError> {
        let done = self.connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.into()))).await;
        done.map(drop).map_err(|error| {
            let mut failure = self.failure(doing, &error);
            failure.retryable |= is_taken(&error);
            failure
        })
    }

    /// Runs a statement with values.
    ///
    /// # Errors
    /// As the database gives them.
    pub(super) async fn execute(&mut self, sql: &'static str, values: &[Cell]) -> Done<()> {
        sqlx::query_with(sql, arguments(values)).execute(&mut self.connection).await.map(drop)
    }

    /// The only row of a query, or none.
    ///
    /// # Errors
    /// As the database gives them.
    pub(super) async fn fetch(&mut self, sql: &'static str, values: &[Cell]) -> Done<Option<Record>> {
        let row = sqlx::query_with(sql, arguments(values)).fetch_optional(&mut self.connection).await?;
        row.map(|row| {
            Ok(Record { epoch: row.try_get(0)?, state: row.try_get(1)?, published: row.try_get(2)? })
        })
        .transpose()
    }

    /// Inserts rows of one layout, all columns as lists of texts that the server casts; how many the table took.
    ///
    /// # Errors
    /// As the database gives them.
    pub(super) async fn insert(&mut self, table: &Table, text: Arc<str>, rows: &[Admitted<'_>]) -> Done<u64> {
        let mut values = PgArguments::default();
        let columns = rows.first().map_or(&[][..], |row| &row.layout.columns);
        for (slot, number) in columns.iter().enumerate() {
            let column = table.column(*number);
            let texts: Vec<_> = rows.iter().map(|row| column.text(&row.row.values()[slot])).collect();
            values.add(texts).map_err(sqlx::Error::Encode)?;
        }
        let done = sqlx::query_with(AssertSqlSafe(text), values).execute(&mut self.connection);
        Ok(done.await?.rows_affected())
    }

    /// Whether the text of a statement works with no row of that layout.
    pub(super) async fn works_without_rows(&mut self, text: Arc<str>, layout: &Layout) -> bool {
        if layout.columns.is_empty() {
            // It inserts one row, always.
            return true;
        }
        let mut values = PgArguments::default();
        let added = layout.columns.iter().try_for_each(|_| values.add(Vec::<String>::new()));
        added.is_ok()
            && sqlx::query_with(AssertSqlSafe(text), values).execute(&mut self.connection).await.is_ok()
    }

    /// An error of this database while `doing` something.
    pub(super) fn failure(&self, doing: &str, error: &sqlx::Error) -> SinkError {
        failure(doing, &self.location, error)
    }
}

fn column(row: &PgRow) -> Column {
    let (typname, cast, modifier): (String, String, i32) = (row.get(4), row.get(5), row.get(6));
    let kind = match typname.as_str() {
        "int2" | "int4" | "int8" => Kind::Integer,
        "float4" => Kind::Single,
        "float8" => Kind::Real,
        "varchar" | "bpchar" => length(modifier).map_or(Kind::Text, |most| Kind::Typed(Typed::Limited(most))),
        "text" | "name" | "citext" => Kind::Text,
        "bool" => Kind::Typed(Typed::Boolean),
        "numeric" => Kind::Typed(Typed::Numeric(scale(modifier))),
        "date" => Kind::Typed(Typed::Date),
        "timestamp" | "timestamptz" => Kind::Typed(Typed::Timestamp),
        "json" | "jsonb" => Kind::Typed(Typed::Json),
        "bytea" => Kind::Typed(Typed::Bytes),
        _ => Kind::Typed(Typed::Spelled),
    };
    let origin = match row.get::<i32, _>(3) {
        0 => Origin::Row,
        1 => Origin::RowOrDatabase,
        _ => Origin::Generated,
    };
    Column { name: row.get(0), declared: row.get(1), cast, kind, not_null: row.get(2), origin }
}

/// The digits behind the point that a `numeric` keeps, as its modifier says; negative ones count as none.
fn scale(modifier: i32) -> Option<u32> {
    let scale = modifier.checked_sub(4).filter(|bits| *bits >= 0)? & 0x7ff;
    Some(u32::try_from((scale ^ 1024) - 1024).unwrap_or(0))
}

/// The characters that a `varchar` or `char` holds, as its modifier says.
fn length(modifier: i32) -> Option<usize> {
    usize::try_from(modifier.checked_sub(4)?).ok()
}

fn arguments(cells: &[Cell]) -> PgArguments {
    let mut arguments = PgArguments::default();
    for cell in cells {
        let added = match cell {
            Cell::Text(text) => arguments.add(text.clone()),
            Cell::Int(number) => arguments.add(*number),
        };
        added.expect("numbers and texts always encode");
    }
    arguments
}

/// Classes of errors that are no row's fault: of the connection, the transaction, the server and its disk, locks and operators.
const OF_DATABASE: [&str; 9] = ["08", "25", "40", "53", "54", "55", "57", "58", "XX"];
/// Classes of which some errors are a row's, and others the table's or of what it needs: a text that a type cannot read, or what
/// row-level security forbids (42), but also a table that is gone. All other classes are of rows: data (22), constraints (23),
/// the check of a view (44), what triggers raise (P0, or a code of their own).
const UNCLEAR: [&str; 31] = [
    "00", "01", "02", "03", "09", "0A", "0B", "0F", "0L", "0P", "0Z", "10", "20", "21", "24", "26", "27",
    "28", "2B", "2D", "2F", "34", "38", "39", "3B", "3D", "3F", "42", "72", "F0", "HV",
];
/// A row that is too large.
const TOO_LARGE: &str = "54000";

/// Whose fault it is that rows were not inserted.
pub(super) fn blame(error: &sqlx::Error) -> Blame {
    let PgFailure { message, code, .. } = PgFailure::of(error);
    let Some(code) = code else { return Blame::Database };
    let is_of = |classes: &[&str]| code.get(..2).is_none_or(|class| classes.contains(&class));
    let why = format!("the table refuses the row: {message}");
    if code != TOO_LARGE && is_of(&OF_DATABASE) {
        Blame::Database
    } else if is_of(&UNCLEAR) {
        Blame::Unclear(why)
    } else {
        Blame::Row(why)
    }
}

/// Whether another program has made a table of the same name meanwhile, which the next attempt finds.
fn is_taken(error: &sqlx::Error) -> bool {
    const CODES: [&str; 2] = ["42P07", "23505"];
    PgFailure::of(error).code.is_some_and(|code| CODES.contains(&code.as_str()))
}

fn failure(doing: &str, location: &str, error: &sqlx::Error) -> SinkError {
    let PgFailure { message, advice, retryable, .. } = PgFailure::of(error);
    let mut failure = SinkError::new(format!("cannot {doing} `{location}`: {message}"));
    failure.retryable = retryable;
    failure.help = advice.map(str::to_owned);
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_of_a_numeric_is_in_its_modifier() {
        let modifier = |precision: i32, scale: i32| ((precision << 16) | (scale & 0x7ff)) + 4;
        assert_eq!(scale(-1), None);
        assert_eq!(scale(modifier(10, 2)), Some(2));
        assert_eq!(scale(modifier(10, 0)), Some(0));
        assert_eq!(scale(modifier(5, -2)), Some(0));
    }

    #[test]
    fn the_length_of_a_text_is_in_its_modifier() {
        assert_eq!(length(-1), None);
        assert_eq!(length(7), Some(3));
    }
}
