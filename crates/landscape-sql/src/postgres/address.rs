//! Where a PostgreSQL database is, and how it is opened.

use std::fmt;
use std::time::Duration;

use elspeth_landscape::LandscapeError;
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;

use super::run::Done;
use super::{Session, schema};
use crate::Synchronous;
use crate::db::DbError;
use crate::error::postgres_error;

/// What may stand behind the `?` of a URL.
const PARAMETERS: [&str; 10] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "port",
    "dbname",
    "user",
    "application_name",
    "options",
];
/// Those of them that do not say which database is meant, and without which it may not be opened.
const KEPT: [&str; 6] = ["sslmode", "sslrootcert", "sslcert", "sslkey", "application_name", "options"];
/// Prepared statements that a connection keeps.
const STATEMENTS: usize = 400;

/// A database, and how statements of it wait.
#[derive(Clone)]
pub(crate) struct Address {
    options: PgConnectOptions,
    /// Without the password.
    location: String,
    pub(crate) patience: Duration,
    pub(crate) synchronous: Synchronous,
}

impl fmt::Debug for Address {
    /// Without the password, which the options have.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address").field("location", &self.location).finish_non_exhaustive()
    }
}

impl Address {
    /// Reads a URL: `postgresql://user@host:port/database?sslmode=verify-full`. What it does not say comes from the
    /// environment, as with other programs: `PGPASSWORD`, `PGPASSFILE`, `PGSSLROOTCERT`, ...
    pub(crate) fn parse(url: &str, patience: Duration) -> Result<Self, LandscapeError> {
        let refused = |message: String| LandscapeError::Store {
            context: format!("audit database {}", without_password(url)),
            message,
            retryable: false,
        };
        if let Some(unknown) = query(url).map(name).find(|name| !PARAMETERS.contains(name)) {
            let known = PARAMETERS.join(", ");
            return Err(refused(format!("`{unknown}` is no parameter of such a URL; there are {known}")));
        }
        let options: PgConnectOptions = url.parse().map_err(|error| match error {
            // The driver's own words may quote what it could not read.
            sqlx::Error::Configuration(_) => refused(
                "it is not a URL such as `postgresql://user@host:5432/database?sslmode=verify-full`"
                    .to_owned(),
            ),
            other => refused(other.to_string()),
        })?;
        let named = options.get_database().is_some();
        let options = options.statement_cache_capacity(STATEMENTS).disable_statement_logging();
        if !named {
            return Err(refused("it names no database".to_owned()));
        }
        let location = shown(&options, url);
        Ok(Self { options, location, patience, synchronous: Synchronous::Full })
    }

    pub(crate) fn location(&self) -> &str {
        &self.location
    }

    /// A connection, whatever the database has.
    fn connect(&self) -> Result<Session, LandscapeError> {
        self.connected()
            .map_err(|error| postgres_error(format!("opening audit database {}", self.location), &error))
    }

    /// A connection in place of one that was lost.
    pub(super) fn again(&self) -> Done<Session> {
        let session = self.connected().map_err(DbError::from)?;
        schema::bring_up_to_date(&session, &self.location)?;
        Ok(session)
    }

    fn connected(&self) -> sqlx::Result<Session> {
        let named = match self.options.get_application_name() {
            Some(_) => self.options.clone(),
            None => self.options.clone().application_name("elspeth"),
        };
        let session = Session::open(named, self.patience)?;
        let patience = self.patience.as_millis().max(1);
        let synchronous = match self.synchronous {
            Synchronous::Full => "on",
            Synchronous::Off => "off",
        };
        let settings = format!(
            "SET lock_timeout = {patience}; SET synchronous_commit = {synchronous}; SET client_min_messages = warning"
        );
        session.batch(settings)?;
        Ok(session)
    }

    /// A connection that writes; the database is brought to the newest version.
    pub(crate) fn writer(&self) -> Result<Session, LandscapeError> {
        let session = self.connect()?;
        schema::bring_up_to_date(&session, &self.location)?;
        Ok(session)
    }

    /// A connection that changes nothing, to a database that has a record.
    pub(crate) fn reader(&self) -> Result<Session, LandscapeError> {
        let session = self.connect()?;
        schema::check_readable(&session, &self.location)?;
        let read_only = session.batch("SET default_transaction_read_only = on");
        read_only
            .map_err(|error| postgres_error(format!("opening audit database {}", self.location), &error))?;
        Ok(session)
    }

    /// A connection that writes to a database that has a record already.
    pub(crate) fn existing(&self) -> Result<Session, LandscapeError> {
        schema::check_is_record(&self.connect()?, &self.location)?;
        self.writer()
    }
}

/// A URL's parameters with their values.
fn query(url: &str) -> impl Iterator<Item = &str> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    query.split('&').filter(|pair| !pair.is_empty())
}

fn name(pair: &str) -> &str {
    pair.split('=').next().unwrap_or(pair)
}

/// As a URL that opens the same database, without a password.
fn shown(options: &PgConnectOptions, url: &str) -> String {
    let host = match options.get_socket() {
        Some(folder) => folder.display().to_string().replace('%', "%25").replace('/', "%2F"),
        None => options.get_host().to_owned(),
    };
    let database = options.get_database().unwrap_or_default();
    let port = match options.get_port() {
        5432 => String::new(),
        port => format!(":{port}"),
    };
    let kept = query(url).filter(|pair| KEPT.contains(&name(pair))).collect::<Vec<_>>().join("&");
    let kept = if kept.is_empty() { kept } else { format!("?{kept}") };
    format!("postgresql://{}@{host}{port}/{database}{kept}", options.get_username())
}

/// A URL that may not be one, without what may be a password.
fn without_password(url: &str) -> String {
    let (head, tail) = url.split_once('?').map_or((url, ""), |(head, _)| (head, "?..."));
    let Some((scheme, rest)) = head.split_once("://") else { return format!("{head}{tail}") };
    match rest.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}@{host}{tail}")
        }
        None => format!("{scheme}://{rest}{tail}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Result<Address, LandscapeError> {
        Address::parse(url, Duration::from_secs(1))
    }

    #[test]
    fn a_password_is_shown_nowhere() {
        let address = parsed("postgresql://u:hunter2@h:1234/audit?sslmode=require").unwrap();
        assert_eq!(address.location(), "postgresql://u@h:1234/audit?sslmode=require");
        assert!(!format!("{address:?}").contains("hunter2"));
        for url in [
            "postgresql://u:hunter2@h/d?color=red",
            "postgresql://u:hunter2@h:x/d",
            "postgresql://u:hun@ter2@[/d",
        ] {
            let error = parsed(url).unwrap_err().to_string();
            assert!(!error.contains("hun") && !error.contains("ter2"), "{error}");
        }
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for (url, why) in [
            ("postgresql://u@h/d?color=red", "`color` is no parameter"),
            ("postgresql://u@h/d?sslmode=maybe", "is not a URL such as"),
            ("postgresql://u@h:port/d", "is not a URL such as"),
        ] {
            let error = parsed(url).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_socket_is_named_as_a_host_or_as_a_parameter() {
        for url in ["postgresql://u@%2Frun%2Fpg/d", "postgresql:///d?host=/run/pg&user=u"] {
            assert_eq!(parsed(url).unwrap().location(), "postgresql://u@%2Frun%2Fpg/d", "{url}");
        }
    }
}
