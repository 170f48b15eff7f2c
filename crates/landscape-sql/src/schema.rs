//! Versions of the schema: what a file is, and how it becomes what this program writes.

use elspeth_landscape::LandscapeError;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Executor as _, Row as _};

use crate::error::store_error;
use crate::views;

/// Marks a database file as an audit record: "ELSP" in SQLite's `application_id`.
const APPLICATION_ID: i64 = 0x454c_5350;

/// Every step from an empty file to the newest version; version `n` is the state after the first `n`.
const MIGRATIONS: &[&str] = &[include_str!("../migrations/sqlite/0001_tables.sql")];

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing yet.
    Nothing,
    /// An audit record of a known version.
    Record(usize),
}

/// The newest version.
pub(crate) const fn newest() -> usize {
    MIGRATIONS.len()
}

/// Looks without touching.
pub(crate) async fn found(
    connection: &mut SqliteConnection,
    location: &str,
) -> Result<Found, LandscapeError> {
    let sql = "SELECT (SELECT application_id FROM pragma_application_id) AS application,
        (SELECT user_version FROM pragma_user_version) AS version, (SELECT count(*) FROM sqlite_schema) AS objects";
    let row = sqlx::query(sql)
        .fetch_one(connection)
        .await
        .map_err(|error| store_error(format!("opening audit database {location}"), &error))?;
    let (application, version, objects): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
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
        Ok(known) if (1..=newest()).contains(&known) => Ok(Found::Record(known)),
        _ => Err(unknown_version(location, version)),
    }
}

/// Brings the database to the newest version, in one transaction.
pub(crate) async fn migrate(connection: &mut SqliteConnection, location: &str) -> Result<(), LandscapeError> {
    if found(connection, location).await? == Found::Record(newest()) {
        return Ok(());
    }
    let context = || format!("creating tables in audit database {location}");
    connection.execute("BEGIN IMMEDIATE").await.map_err(|error| store_error(context(), &error))?;
    // Another process may have been faster; the lock is ours now, so this look counts.
    let result = match found(connection, location).await {
        Ok(Found::Nothing) => apply(connection, 0).await.map_err(|error| store_error(context(), &error)),
        Ok(Found::Record(version)) => {
            apply(connection, version).await.map_err(|error| store_error(context(), &error))
        }
        Err(error) => Err(error),
    };
    let end = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = connection.execute(end).await.map_err(|error| store_error(context(), &error));
    result.and(ended.map(|_| ()))
}

async fn apply(connection: &mut SqliteConnection, from: usize) -> Result<(), sqlx::Error> {
    if from == newest() {
        return Ok(());
    }
    for (name, _) in views::ALL {
        connection.execute(sqlx::raw_sql(AssertSqlSafe(format!("DROP VIEW IF EXISTS {name}")))).await?;
    }
    for migration in &MIGRATIONS[from..] {
        connection.execute(sqlx::raw_sql(*migration)).await?;
    }
    for (name, body) in views::ALL {
        let sql = format!("CREATE VIEW {name} AS\n{}", views::expanded(body));
        connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
    }
    let marks = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {};", newest());
    connection.execute(sqlx::raw_sql(AssertSqlSafe(marks))).await?;
    Ok(())
}

/// A reader needs the newest version and never makes it.
pub(crate) async fn check_readable(
    connection: &mut SqliteConnection,
    location: &str,
) -> Result<(), LandscapeError> {
    match found(connection, location).await? {
        Found::Record(version) if version == newest() => Ok(()),
        Found::Record(version) => Err(LandscapeError::SchemaVersion {
            location: location.to_owned(),
            found: as_i64(version),
            known: as_i64(newest()),
            advice: "the next `elspeth run` that writes to it brings it up to date".to_owned(),
        }),
        Found::Nothing => Err(LandscapeError::Store {
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
