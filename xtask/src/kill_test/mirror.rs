//! The tables of a PostgreSQL database in SQLite, so that everything that is asked of a file can be asked of them.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use serde_json::Value as Json;

use super::kept::Database;
use crate::error::Error;

/// What only PostgreSQL has: tables, and columns with their table before them.
const ONLY_THERE: [&str; 2] = ["elspeth_schema.version", "runs.shown_at"];

/// Columns by table, with their types.
type Columns = BTreeMap<String, Vec<(String, String)>>;

/// The statements that make a record in an SQLite file.
pub(super) fn pattern(file: &Path) -> Result<String, Error> {
    let failed = |error: rusqlite::Error| Error::format(file.display().to_string(), error);
    let sql =
        "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%' ORDER BY rowid";
    let connection = Connection::open(file).map_err(failed)?;
    let mut statements = connection.prepare(sql).map_err(failed)?;
    let statements = statements.query_map((), |row| row.get::<_, String>(0)).map_err(failed)?;
    Ok(statements.collect::<Result<Vec<_>, _>>().map_err(failed)?.join(";\n"))
}

/// A copy in memory.
///
/// # Errors
/// When the tables are not those of SQLite, or something in them cannot be there.
pub(super) fn of(database: &Database<'_>) -> Result<Connection, Error> {
    let mirror = Connection::open_in_memory().map_err(failed)?;
    mirror.execute_batch("PRAGMA foreign_keys = OFF").map_err(failed)?;
    mirror.execute_batch(database.server.pattern).map_err(failed)?;
    let columns = columns(&mirror).map_err(failed)?;
    check_columns(database, &columns)?;
    let tables = columns.keys();
    let each =
        tables.map(|table| format!("SELECT json_build_array('{table}', row_to_json(t)) FROM {table} t"));
    let records = database.ask(&each.collect::<Vec<_>>().join(" UNION ALL "));
    // A server does not give a run's number again that a crash took back; the first is 1 here, as in a file.
    let before = database.ask("SELECT coalesce(min(run_no), 1) - 1 FROM runs");
    let before: i64 = before.parse().map_err(|error| Error::format("the number of a run", error))?;
    for line in records.lines() {
        let record: (String, BTreeMap<String, Json>) =
            serde_json::from_str(line).map_err(|error| Error::format("a record", error))?;
        let (table, mut fields) = record;
        if let Some(number) = fields.get("run_no").and_then(Json::as_i64) {
            fields.insert("run_no".to_owned(), (number - before).into());
        }
        insert(&mirror, (&table, &columns[&table]), |column| fields.remove(column))?;
    }
    Ok(mirror)
}

fn failed(error: rusqlite::Error) -> Error {
    Error::format("the mirror of the record", error)
}

fn columns(mirror: &Connection) -> rusqlite::Result<Columns> {
    let sql = "SELECT t.name, c.name, c.type FROM sqlite_schema AS t, pragma_table_info(t.name) AS c
        WHERE t.type = 'table' ORDER BY t.name, c.cid";
    let mut columns = Columns::new();
    let mut statement = mirror.prepare(sql)?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        columns.entry(row.get(0)?).or_default().push((row.get(1)?, row.get(2)?));
    }
    Ok(columns)
}

/// What PostgreSQL has more must be known here, or it would be compared by nobody.
fn check_columns(database: &Database<'_>, columns: &Columns) -> Result<(), Error> {
    let sql = "SELECT c.table_name || '.' || c.column_name FROM information_schema.columns c
        JOIN information_schema.tables t USING (table_schema, table_name)
        WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE'";
    let found = database.ask(sql);
    let known = |name: &str| {
        let (table, column) = name.split_once('.').unwrap_or_default();
        columns.get(table).is_some_and(|columns| columns.iter().any(|(known, _)| known == column))
    };
    match found.lines().find(|name| !known(name) && !ONLY_THERE.contains(name)) {
        Some(name) => Err(Error::format("the schema of PostgreSQL", format!("SQLite has no {name}"))),
        None => Ok(()),
    }
}

fn insert(
    mirror: &Connection,
    (table, columns): (&str, &[(String, String)]),
    mut take: impl FnMut(&str) -> Option<Json>,
) -> Result<(), Error> {
    let mut values = Vec::new();
    for (column, kind) in columns {
        let value = take(column).and_then(|json| value(json, kind));
        values
            .push(value.ok_or_else(|| Error::format("a record", format!("{table}.{column} is no {kind}")))?);
    }
    let marks = vec!["?"; values.len()].join(", ");
    let mut statement =
        mirror.prepare_cached(&format!("INSERT INTO {table} VALUES ({marks})")).map_err(failed)?;
    statement.execute(params_from_iter(values)).map(drop).map_err(failed)
}

fn value(json: Json, kind: &str) -> Option<Value> {
    match (json, kind) {
        (Json::Null, _) => Some(Value::Null),
        (Json::Number(number), "INTEGER") => number.as_i64().map(Value::Integer),
        (Json::String(text), "TEXT") => Some(Value::Text(text)),
        (Json::String(text), "BLOB") => bytes(text.strip_prefix("\\x")?).map(Value::Blob),
        (Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) | Json::Object(_), _) => None,
    }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    hex.as_bytes().chunks(2).map(|pair| Some(digit(pair.first()?)? << 4 | digit(pair.get(1)?)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_the_column() {
        assert_eq!(value(Json::from("\\x07ff"), "BLOB"), Some(Value::Blob(vec![7, 255])));
        assert_eq!(value(Json::from(i64::MIN), "INTEGER"), Some(Value::Integer(i64::MIN)));
        assert_eq!(value(Json::Null, "TEXT"), Some(Value::Null));
        for (json, kind) in
            [(Json::from("x"), "BLOB"), (Json::from("\\x0"), "BLOB"), (Json::from(1.5), "INTEGER")]
        {
            assert_eq!(value(json.clone(), kind), None, "{json}");
        }
    }
}
