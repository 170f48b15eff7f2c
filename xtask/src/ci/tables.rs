//! Tables that examples write, as files that can be compared: `out/x.sqlite` becomes a folder of that name with a CSV file
//! for each table, its rows in the order in which they were written.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row};

use crate::error::Error;

/// How the name of such a database ends.
pub(super) const ENDING: &str = ".sqlite";

/// Puts a folder of CSV files in the place of a database.
///
/// # Errors
/// When the database cannot be read, or the folder not be written.
pub(super) fn unfold(database: &Path) -> Result<(), Error> {
    let unreadable = |error: rusqlite::Error| Error::format(database.display().to_string(), error);
    let tables = dump(database).map_err(unreadable)?;
    for ending in ["", "-wal", "-shm", "-journal"] {
        let mut part = database.as_os_str().to_owned();
        part.push(ending);
        let part = Path::new(&part);
        if part.is_file() {
            fs::remove_file(part).map_err(Error::io(part))?;
        }
    }
    fs::create_dir(database).map_err(Error::io(database))?;
    for (name, text) in tables {
        let file = database.join(format!("{name}.csv"));
        fs::write(&file, text).map_err(Error::io(&file))?;
    }
    Ok(())
}

/// Every table with its text; not those that keep account of epochs.
fn dump(database: &Path) -> Result<Vec<(String, String)>, rusqlite::Error> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let mut statement = connection.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_elspeth%' ESCAPE '\\' \
         AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    )?;
    let names = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
    let table = |name: String| {
        let text = csv(&connection, &name)?;
        Ok((name, text))
    };
    names.into_iter().map(table).collect()
}

fn csv(connection: &Connection, table: &str) -> Result<String, rusqlite::Error> {
    let mut statement = connection.prepare(&format!("SELECT * FROM \"{}\"", table.replace('"', "\"\"")))?;
    let columns = statement.column_names().join(",");
    let width = statement.column_count();
    let mut text = format!("{columns}\n");
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let cells = (0..width).map(|column| cell(row, column)).collect::<Result<Vec<_>, _>>()?;
        text.push_str(&cells.join(","));
        text.push('\n');
    }
    Ok(text)
}

/// Text is quoted, so that it differs from numbers; null is empty.
fn cell(row: &Row<'_>, column: usize) -> Result<String, rusqlite::Error> {
    Ok(match row.get_ref(column)? {
        ValueRef::Null => String::new(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => format!("{number:?}"),
        ValueRef::Text(text) => format!("\"{}\"", String::from_utf8_lossy(text).replace('"', "\"\"")),
        ValueRef::Blob(bytes) => bytes.iter().fold("x".to_owned(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("text takes everything");
            text
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_becomes_a_folder_of_tables() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.sqlite");
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL;
                 CREATE TABLE _elspeth_epochs (epoch INTEGER);
                 CREATE TABLE \"a b\" (n INTEGER, t TEXT, r REAL, z BLOB);
                 INSERT INTO \"a b\" VALUES (2, 'say \"7\"', 7.0, x'0aff'), (1, '7', 1e300, NULL);
                 CREATE TABLE none (n INTEGER);",
            )
            .unwrap();
        drop(connection);
        unfold(&path).unwrap();
        let read = |name| fs::read_to_string(path.join(name)).unwrap();
        assert_eq!(read("a b.csv"), "n,t,r,z\n2,\"say \"\"7\"\"\",7.0,x0aff\n1,\"7\",1e300,\n");
        assert_eq!(read("none.csv"), "n\n");
        assert_eq!(fs::read_dir(&path).unwrap().count(), 2);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "neither the file nor its log is left");
    }
}
