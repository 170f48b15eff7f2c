//! Versions of the schema in PostgreSQL.

use elspeth_contracts::{Clock as _, SystemClock};
use elspeth_faults::{Act, around};
use elspeth_landscape::LandscapeError;
use elspeth_landscape::registry::{Entry, Opened};
use ulid::Ulid;

use super::Session;
use crate::db::{Db, DbError, values};
use crate::error::{WriteFailed, postgres_error};
use crate::tables::Registry;
use crate::views::{self, Dialect};

/// Every step from nothing to the newest version; version `n` is the state after the first `n`.
const MIGRATIONS: &[&str] = &[include_str!("../../migrations/postgres/0001_tables.sql")];
const FUNCTIONS: &str = include_str!("../../migrations/postgres/functions.sql");

/// The number of the lock that whoever brings a schema to the newest version has: "ELSP".
const LOCK: &str = "SELECT pg_advisory_xact_lock(1162629968)";

/// Whether the schema has our mark, and whether it has a table that ours would be called.
const MARKS: &str = "SELECT to_regclass('elspeth_schema') IS NOT NULL, to_regclass('runs') IS NOT NULL";
const VERSION: &str = "SELECT version FROM elspeth_schema";

/// How many of our functions have other bodies than this program's, and may be made anew by this role.
const STALE: &str = "SELECT count(*) FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
    AND proname IN ('elspeth_time', 'elspeth_base32', 'elspeth_field')
    AND position(prosrc IN ?) = 0
    AND pg_has_role(proowner, 'USAGE') AND has_schema_privilege(pronamespace, 'CREATE')";

/// What a schema holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    Record(i64),
}

fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).expect("there are few versions")
}

/// Looks without touching.
fn found(session: &Session, location: &str) -> Result<Found, LandscapeError> {
    let db = Db::Postgres(session);
    let failed = |error: DbError| error.told(format!("opening audit database {location}"));
    let marks = db.first(MARKS, &[], |row| Ok::<_, DbError>((row.get::<bool>(0)?, row.get::<bool>(1)?)));
    match marks.map_err(failed)? {
        Some((true, _)) => {}
        Some((false, false)) | None => return Ok(Found::Nothing),
        Some((false, true)) => {
            return Err(LandscapeError::Store {
                context: format!("opening audit database {location}"),
                message: "it has a table `runs` of another program; choose another database or schema"
                    .to_owned(),
                retryable: false,
            });
        }
    }
    let version = db.number(VERSION, &[]).map_err(failed)?.unwrap_or_default();
    if (1..=newest()).contains(&version) {
        return Ok(Found::Record(version));
    }
    Err(LandscapeError::SchemaVersion {
        location: location.to_owned(),
        found: version,
        known: newest(),
        advice: "use the elspeth version that wrote it, or a newer one".to_owned(),
    })
}

/// A reader needs the newest version and never makes it.
pub(super) fn check_readable(session: &Session, location: &str) -> Result<(), LandscapeError> {
    match found(session, location)? {
        Found::Record(version) if version == newest() => Ok(()),
        Found::Record(version) => Err(LandscapeError::SchemaVersion {
            location: location.to_owned(),
            found: version,
            known: newest(),
            advice: "the next `elspeth run` that writes to it brings it up to date".to_owned(),
        }),
        Found::Nothing => Err(LandscapeError::Store {
            context: format!("audit database {location}"),
            message: "it is empty: no run was recorded in it".to_owned(),
            retryable: false,
        }),
    }
}

/// Whether functions are another program's. They take and give the same in all of a version, so that whoever owns them makes
/// them anew beside readers, and who does not leaves them.
fn are_stale(session: &Session) -> Result<bool, DbError> {
    let stale = Db::Postgres(session).number(STALE, values![FUNCTIONS])?;
    Ok(stale.is_some_and(|stale| stale > 0))
}

/// Sees to it that the schema is of the newest version, with the functions of this program.
pub(super) fn bring_up_to_date(session: &Session, location: &str) -> Result<(), LandscapeError> {
    if found(session, location)? == Found::Record(newest()) {
        let stale = are_stale(session);
        if !stale.map_err(|error| error.told(format!("opening audit database {location}")))? {
            return Ok(());
        }
    }
    let told = |error: WriteFailed| error.told(|| format!("creating tables in audit database {location}"));
    let begun = session.batch("BEGIN").and_then(|()| session.batch(LOCK));
    begun.map_err(|error| postgres_error(format!("creating tables in audit database {location}"), &error))?;
    // Another process may have been faster; the lock is ours now, so this look counts.
    let done = found(session, location).map_err(WriteFailed::from).and_then(|found| migrate(session, found));
    let ended = match &done {
        Ok(()) => around(Act::CreateTables, || session.commit()),
        Err(_) => session.batch("ROLLBACK"),
    };
    done.and(ended.map_err(|error| DbError::from(error).into())).map_err(told)
}

fn migrate(session: &Session, found: Found) -> Result<(), WriteFailed> {
    let from = match found {
        Found::Nothing => 0,
        Found::Record(version) => version,
    };
    let failed = |error: sqlx::Error| WriteFailed::from(DbError::from(error));
    if from == newest() {
        return if are_stale(session)? { session.batch(FUNCTIONS).map_err(failed) } else { Ok(()) };
    }
    session.batch(migration(usize::try_from(from).expect("a known version"))).map_err(failed)?;
    let db = Db::Postgres(session);
    if from > 0 {
        return Ok(db.execute("UPDATE elspeth_schema SET version = ?", values![newest()]).map(|_| ())?);
    }
    db.execute("INSERT INTO elspeth_schema(version) VALUES(?)", values![newest()])?;
    let origin = format!("elspeth.registry/{}", Ulid::new());
    let opened = Opened { origin, opened_at: SystemClock::new().now() };
    Registry { db, signer: None }.append(None, Entry::Opened(opened))
}

/// What makes the newest version of version `from`. Views are always those of the newest.
fn migration(from: usize) -> String {
    let mut sql = String::new();
    if from > 0 {
        let names = views::ALL.iter().rev();
        sql.extend(names.map(|(name, _)| format!("DROP VIEW IF EXISTS {name};\n")));
    }
    sql.extend(MIGRATIONS[from..].iter().copied());
    sql.push_str(FUNCTIONS);
    for (name, body) in views::ALL {
        let query = super::dialect::translated(&views::expanded(body.trim_end(), Dialect::Postgres));
        sql.push_str(&format!("CREATE VIEW {name} AS\n{query};\n"));
    }
    sql
}

/// Refuses a database without a record, before anything makes one.
pub(super) fn check_is_record(session: &Session, location: &str) -> Result<(), LandscapeError> {
    match found(session, location)? {
        Found::Record(_) => Ok(()),
        Found::Nothing => check_readable(session, location),
    }
}
