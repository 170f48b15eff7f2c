//! Versions of the schema: what a file is, and how it becomes what this program writes.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use elspeth_contracts::{Clock as _, SystemClock};
use elspeth_faults::{Act, around};
use elspeth_landscape::registry::{Entry, Opened};
use elspeth_landscape::{Corruption, LandscapeError};
use rusqlite::Connection;
use ulid::Ulid;

use crate::error::{WriteFailed, write_error};
use crate::scan::is_ranged;
use crate::tables::Registry;
use crate::views::{self, Dialect};

/// Bytes of a page; larger pages mean fewer of them to log for each epoch.
pub(crate) const PAGE_SIZE: u32 = 8192;

/// Marks a database file as an audit record: "ELSP" in SQLite's `application_id`.
const APPLICATION_ID: i64 = 0x454c_5350;

/// Every step from an empty file to the newest version; version `n` is the state after the first `n`.
const MIGRATIONS: &[&str] = &[include_str!("../migrations/sqlite/0001_tables.sql")];

/// What they make of an empty file, compressed; a test compares it and tells how it is made.
const FILE_OF_TABLES: &[u8] = include_bytes!("../migrations/sqlite/tables.zst");

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing yet.
    Nothing,
    /// The tables of the newest version, from [`file_of_tables`], and nothing in them.
    Tables,
    /// An audit record of a known version.
    Record(usize),
}

/// The newest version.
pub(crate) const fn newest() -> usize {
    MIGRATIONS.len()
}

impl Found {
    pub(crate) const fn newest() -> Self {
        Self::Record(newest())
    }
}

/// What tells a file's application and version, and how many objects it has.
const MARKS: &str = "SELECT (SELECT application_id FROM pragma_application_id),
    (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)";

/// Looks without touching.
pub(crate) fn found(connection: &Connection, location: &str) -> Result<Found, LandscapeError> {
    let failed = |error| write_error(format!("opening audit database {location}"), &error);
    let (application, version, objects) = marks(connection).map_err(failed)?;
    if application == 0 && version == 0 && objects == 0 {
        return Ok(Found::Nothing);
    }
    if application != APPLICATION_ID {
        return Err(LandscapeError::Store {
            context: format!("opening audit database {location}"),
            message: "this is an SQLite database of another program; choose another path".to_owned(),
            retryable: false,
        });
    }
    match usize::try_from(version) {
        Ok(0) => Ok(Found::Tables),
        Ok(known) if (1..=newest()).contains(&known) => Ok(Found::Record(known)),
        _ => Err(unknown_version(location, version)),
    }
}

/// Application, version and number of objects; the last is counted only where it matters. The header of one of our files
/// says enough, which spares parsing its whole schema; of any other file all three are asked for at once, since another
/// process may be making it one of ours.
fn marks(connection: &Connection) -> rusqlite::Result<(i64, i64, i64)> {
    let mark = |sql| connection.query_row(sql, (), |row| row.get(0));
    match mark("PRAGMA application_id")? {
        APPLICATION_ID => Ok((APPLICATION_ID, mark("PRAGMA user_version")?, 0)),
        _ => connection.query_row(MARKS, (), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))),
    }
}

fn told(error: WriteFailed, location: &str) -> LandscapeError {
    error.told(|| format!("creating tables in audit database {location}"))
}

/// Brings the database to the newest version, in one transaction.
pub(crate) fn migrate(connection: &Connection, location: &str) -> Result<(), LandscapeError> {
    let failed = |error: rusqlite::Error| told(error.into(), location);
    connection.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
    // Another process may have been faster; the lock is ours now, so this look counts.
    let result = found(connection, location).and_then(|found| {
        connection.execute_batch(&migration(found)).map_err(failed)?;
        match found {
            Found::Nothing | Found::Tables => {
                open_registry(connection).map_err(|error| told(error, location))
            }
            Found::Record(_) => Ok(()),
        }
    });
    let ended = match &result {
        Ok(()) => around(Act::CreateTables, || connection.execute_batch("COMMIT")),
        Err(_) => connection.execute_batch("ROLLBACK"),
    };
    result.and(ended.map_err(failed))
}

/// The file of a database that has the tables of the newest version, and nothing else yet. To have SQLite make them one by one
/// takes several milliseconds.
pub(crate) fn file_of_tables() -> std::io::Result<Vec<u8>> {
    zstd::stream::decode_all(FILE_OF_TABLES)
}

/// The first entry of the database's log, which names it.
fn open_registry(connection: &Connection) -> Result<(), WriteFailed> {
    let origin = format!("elspeth.registry/{}", Ulid::new());
    let opened = Opened { origin, opened_at: SystemClock::new().now() };
    Registry { db: connection.into(), signer: None }.append(None, Entry::Opened(opened))
}

/// What makes the newest version of what is there. Views are always those of the newest.
fn migration(found: Found) -> String {
    let mut sql = String::new();
    match found {
        Found::Nothing => sql.push_str(&tables()),
        Found::Tables => sql.push_str(&format!("PRAGMA schema_version = {SCHEMA_VERSION};\n")),
        Found::Record(version) if version == newest() => return sql,
        Found::Record(version) => {
            sql.extend(views::ALL.iter().map(|(name, _)| format!("DROP VIEW IF EXISTS {name};\n")));
            sql.extend(MIGRATIONS[version..].iter().copied());
        }
    }
    sql.push_str(&views_entered());
    sql.push_str(&format!("PRAGMA user_version = {};", newest()));
    sql
}

/// What makes the tables of the newest version of nothing, in a file that says whose it is.
fn tables() -> String {
    format!("{}PRAGMA application_id = {APPLICATION_ID};\n", MIGRATIONS.concat())
}

fn view(name: &str, body: &str) -> String {
    format!("CREATE VIEW {name} AS\n{}", views::expanded(body.trim_end(), Dialect::Sqlite))
}

/// Enters the views into the schema as `CREATE VIEW` would, without compiling each of them: that takes several
/// milliseconds, and this connection asks none of them. Whatever else happens to the schema in the same transaction tells
/// other connections to read it anew.
fn views_entered() -> String {
    let entries = views::ALL.iter().map(|(name, body)| {
        let sql = view(name, body).replace('\'', "''");
        format!("('view', '{name}', '{name}', 0, '{sql}')")
    });
    let entries = entries.collect::<Vec<_>>().join(",\n");
    format!(
        "PRAGMA writable_schema = ON;
        INSERT INTO sqlite_schema(type, name, tbl_name, rootpage, sql) VALUES {entries};
        PRAGMA writable_schema = OFF;\n"
    )
}

/// What tells an object of the schema, as SQLite keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Object<'a> {
    kind: Cow<'a, str>,
    name: Cow<'a, str>,
    sql: Cow<'a, str>,
}

/// Tables, indexes and views that this program makes.
fn ours() -> impl Iterator<Item = Object<'static>> {
    let made = MIGRATIONS.iter().flat_map(|migration| migration.split(";\n")).filter_map(|statement| {
        let sql = without_comments(statement);
        let mut words = sql.split_whitespace();
        let kind = words.by_ref().skip_while(|word| *word != "CREATE").nth(1)?;
        let name = words.next()?;
        Some(Object { kind: kind.to_lowercase().into(), name: name.into(), sql: sql.into() })
    });
    let shown = views::ALL.iter().map(|(name, body)| Object {
        kind: "view".into(),
        name: (*name).into(),
        sql: view(name, body).into(),
    });
    made.chain(shown)
}

/// Without what stands before a statement.
fn without_comments(statement: &'static str) -> &'static str {
    let statement = statement.trim_start();
    match statement.strip_prefix("--") {
        Some(comment) => without_comments(comment.split_once('\n').map_or("", |(_, rest)| rest)),
        None => statement.trim_end(),
    }
}

/// Triggers, of which this program makes none: they can undo what others do. What has a name of ours, in whatever case, and is
/// something else, also in the place of a table; a table that is missing. Other things that are missing show nothing, and
/// whatever has another name is somebody's own.
fn otherwise(connection: &Connection) -> rusqlite::Result<Vec<Corruption>> {
    let mut expected: BTreeMap<String, Object<'_>> =
        ours().map(|object| (object.name.to_ascii_lowercase(), object)).collect();
    let mut seen = BTreeSet::new();
    let mut altered = Vec::new();
    let mut found = connection.prepare("SELECT type, name, sql FROM sqlite_schema")?;
    let mut found = found.query(())?;
    while let Some(row) = found.next()? {
        let name: String = row.get(1)?;
        let sql = row.get::<_, Option<String>>(2)?.unwrap_or_default();
        let object =
            Object { kind: row.get::<_, String>(0)?.into(), name: name.as_str().into(), sql: sql.into() };
        let folded = name.to_ascii_lowercase();
        let what = match expected.get(&folded) {
            _ if object.kind == "trigger" => "it is a trigger, and this program makes none".to_owned(),
            Some(_) if !seen.insert(folded) => "it is there twice".to_owned(),
            Some(made) if made.kind != object.kind => {
                format!("it is a {} instead of the {}", object.kind, made.kind)
            }
            Some(made) if *made != object => format!("it is not the {} that this program makes", made.kind),
            Some(_) | None => continue,
        };
        altered.push(Corruption { table: "sqlite_schema", id: name, what });
    }
    expected.retain(|name, object| object.kind == "table" && !seen.contains(name));
    let missing = |object: Object<'_>| Corruption {
        table: "sqlite_schema",
        id: object.name.into_owned(),
        what: "the table is missing".to_owned(),
    };
    altered.extend(expected.into_values().map(missing));
    Ok(altered)
}

/// What is not as this program makes it; tables whose indexes do not have what the tables have: who asks by an index then sees
/// other records than who asks the table; and tables with values of other types than their columns, as far as they are small.
/// Indexes that are right may be somebody's own.
pub(crate) fn altered(connection: &Connection) -> rusqlite::Result<Vec<Corruption>> {
    let mut altered = otherwise(connection)?;
    if !altered.is_empty() {
        return Ok(altered);
    }
    let mut indexed = connection.prepare(INDEXED)?;
    let indexed: Vec<String> = indexed.query_map((), |row| row.get(0))?.collect::<Result<_, _>>()?;
    for table in ours().filter(|object| object.kind == "table") {
        let is_indexed = indexed.iter().any(|name| name.eq_ignore_ascii_case(&table.name));
        if is_indexed || !is_ranged(&table.name) {
            altered.extend(contradicted(connection, &table, is_indexed)?);
        }
    }
    Ok(altered)
}

/// What SQLite finds in a table that its schema does not allow.
fn contradicted(
    connection: &Connection,
    table: &Object<'static>,
    is_indexed: bool,
) -> rusqlite::Result<Option<Corruption>> {
    let mut check = connection.prepare(&format!("PRAGMA integrity_check('{}')", table.name))?;
    let found: Vec<String> = check.query_map((), |row| row.get(0))?.collect::<Result<_, _>>()?;
    if let Some(typed) = found.iter().find(|found| found.starts_with(OF_OTHER_TYPE))
        && let Cow::Borrowed(name) = table.name
    {
        let what = format!("it is of another type than its column takes: {typed}");
        return Ok(Some(Corruption { table: name, id: "one of its values".to_owned(), what }));
    }
    // Whatever else is no value of a column shows where its record is hashed.
    let found = found.into_iter().next().filter(|found| is_indexed && found != "ok");
    Ok(found.map(|found| Corruption {
        table: "sqlite_schema",
        id: table.name.clone().into_owned(),
        what: format!("it contradicts its indexes: {found}"),
    }))
}

/// How SQLite begins to tell of a value in a table that is `STRICT`: `non-INTEGER value in nodes.run_no`.
const OF_OTHER_TYPE: &str = "non-";

/// Tables that have more than the order of their key.
const INDEXED: &str = "SELECT DISTINCT tbl_name FROM sqlite_schema WHERE type = 'index'";

/// Refuses to write into tables that are not as this program makes them: they may take what must not be, or change it.
pub(crate) fn check_own(connection: &Connection, location: &str) -> Result<(), LandscapeError> {
    let altered = otherwise(connection)
        .map_err(|error| write_error(format!("opening audit database {location}"), &error))?;
    altered.into_iter().next().map_or(Ok(()), |altered| Err(altered.into()))
}

/// SQLite counts changes of a schema. Making the tables takes fewer.
const SCHEMA_VERSION: u32 = 1 << 20;

/// A reader needs the newest version and never makes it.
pub(crate) fn check_readable(connection: &Connection, location: &str) -> Result<(), LandscapeError> {
    match found(connection, location)? {
        Found::Record(version) if version == newest() => Ok(()),
        Found::Record(version) => Err(LandscapeError::SchemaVersion {
            location: location.to_owned(),
            found: as_i64(version),
            known: as_i64(newest()),
            advice: "the next `elspeth run` that writes to it brings it up to date".to_owned(),
        }),
        Found::Nothing | Found::Tables => Err(LandscapeError::Store {
            context: format!("audit database {location}"),
            message: "the file is empty: no run was recorded in it".to_owned(),
            retryable: false,
        }),
    }
}

fn unknown_version(location: &str, found: i64) -> LandscapeError {
    LandscapeError::SchemaVersion {
        location: location.to_owned(),
        found,
        known: as_i64(newest()),
        advice: "use the elspeth version that wrote it, or a newer one".to_owned(),
    }
}

fn as_i64(version: usize) -> i64 {
    i64::try_from(version).expect("there are few versions")
}

#[cfg(test)]
mod tests {
    use rusqlite::types::Value;

    use super::*;

    type Row = (String, String, String, Option<String>);

    fn rows(connection: &Connection) -> Vec<Row> {
        let mut every =
            connection.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY rowid").unwrap();
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
        every.query_map((), read).unwrap().collect::<Result<_, _>>().unwrap()
    }

    fn made(sql: &str) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(sql).unwrap();
        connection
    }

    #[test]
    fn what_is_ours_is_what_sqlite_keeps() {
        let kept = rows(&made(&migration(Found::Nothing))).into_iter().filter_map(|(kind, name, _, sql)| {
            Some(Object { kind: kind.into(), name: name.into(), sql: sql?.into() })
        });
        assert_eq!(ours().collect::<Vec<_>>(), kept.collect::<Vec<_>>());
    }

    #[test]
    fn views_are_entered_as_they_would_be_created() {
        let mut created = MIGRATIONS.concat();
        for (name, body) in views::ALL {
            created
                .push_str(&format!("CREATE VIEW {name} AS\n{};\n", views::expanded(body, Dialect::Sqlite)));
        }
        assert_eq!(rows(&made(&migration(Found::Nothing))), rows(&made(&created)));
    }

    /// Where the header of a database file says what it takes to write and to read it, and the number for a write-ahead log.
    /// See <https://www.sqlite.org/fileformat2.html#file_format_version_numbers>.
    const FORMATS: std::ops::RangeInclusive<usize> = 18..=19;
    const WITH_LOG: u8 = 2;

    /// With `ELSPETH_WRITE_TABLES=1` in the environment it writes the file instead; do that when a migration is added.
    #[test]
    fn the_file_of_tables_is_what_the_migrations_make() {
        let expected = made(&format!("PRAGMA page_size = {PAGE_SIZE};\nBEGIN;\n{}COMMIT;", tables()));
        if std::env::var_os("ELSPETH_WRITE_TABLES").is_some() {
            let mut file = expected.serialize("main").unwrap().to_vec();
            file[FORMATS].fill(WITH_LOG);
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite/tables.zst");
            std::fs::write(path, zstd::encode_all(file.as_slice(), 19).unwrap()).unwrap();
            return;
        }
        let mut file = file_of_tables().unwrap();
        assert_eq!(file[FORMATS], [WITH_LOG; 2]);
        // A database in memory has no log.
        file[FORMATS].fill(1);
        let mut found = Connection::open_in_memory().unwrap();
        found.deserialize_read_exact("main", file.as_slice(), file.len(), false).unwrap();
        assert_eq!(rows(&found), rows(&expected));
        for pragma in
            ["application_id", "user_version", "page_size", "encoding", "auto_vacuum", "integrity_check"]
        {
            let told = |connection: &Connection| {
                connection.query_row(&format!("PRAGMA {pragma}"), (), |row| row.get::<_, Value>(0)).unwrap()
            };
            assert_eq!(told(&found), told(&expected), "{pragma}");
        }
    }
}
