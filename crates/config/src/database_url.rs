use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::{Environment, variables};

/// Where an audit database is. URLs mean what they mean in SQLAlchemy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A SQLite file; relative to the working directory.
    SqliteFile(PathBuf),
    /// A SQLite database that is gone when the process ends.
    SqliteMemory,
    /// A PostgreSQL server; the URL with its password.
    Postgres(String),
}

/// A text that is not the URL of a database that can hold a record.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct DatabaseUrlError {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: &'static str,
}

const FORMS: &str =
    "write `sqlite:///relative/path.db`, `sqlite:////absolute/path.db` or `postgresql://user@host/name`";

impl DatabaseUrl {
    /// Reads a URL as settings have it.
    ///
    /// # Errors
    /// [`DatabaseUrlError`].
    ///
    /// ```
    /// use elspeth_config::DatabaseUrl;
    ///
    /// let url = DatabaseUrl::parse("sqlite:///./state/audit.db").unwrap();
    /// assert_eq!(url, DatabaseUrl::SqliteFile("./state/audit.db".into()));
    /// assert!(DatabaseUrl::parse("elspeth://audit").is_err());
    /// ```
    pub fn parse(url: &str) -> Result<Self, DatabaseUrlError> {
        let refused = |message: &str| DatabaseUrlError { message: message.to_owned(), help: FORMS };
        let Some((scheme, rest)) = url.split_once("://") else {
            let shown = crate::secrets::masked(without_userinfo(url));
            return Err(refused(&format!("`{shown}` is not the URL of a database")));
        };
        // SQLAlchemy names a Python driver behind `+`. Those of SQLite that mean the same file are known; another one may
        // mean an encrypted file, or options.
        match scheme.split_once('+').unwrap_or((scheme, "")) {
            ("sqlite", "" | "pysqlite" | "aiosqlite") => {
                sqlite(rest).ok_or_else(|| refused("this is not the URL of a SQLite file"))
            }
            ("sqlite", driver) => {
                Err(refused(&format!("SQLite files of the driver `{driver}` cannot hold a record")))
            }
            ("postgresql" | "postgres", _) if rest.is_empty() => {
                Err(refused("this PostgreSQL URL names no server"))
            }
            ("postgresql" | "postgres", _) => Ok(Self::Postgres(format!("postgresql://{rest}"))),
            _ => Err(refused(&format!("`{scheme}` databases cannot hold a record"))),
        }
    }

    /// The URL in `ELSPETH_LANDSCAPE__URL`, if the environment has one.
    ///
    /// # Errors
    /// [`DatabaseUrlError`].
    pub fn of_environment(environment: &Environment) -> Result<Option<Self>, DatabaseUrlError> {
        let url = variables::text_of(environment, "landscape", "url");
        url.map(|url| Self::parse(&url)).transpose().map_err(|error| {
            let message = format!("the environment variable `ELSPETH_LANDSCAPE__URL`: {error}");
            DatabaseUrlError { message, ..error }
        })
    }

    /// Reads what `-d` takes: a URL or the path of a SQLite file.
    ///
    /// # Errors
    /// [`DatabaseUrlError`], for a URL that is none of ours.
    pub fn from_argument(text: &str) -> Result<Self, DatabaseUrlError> {
        if text.contains("://") { Self::parse(text) } else { Ok(Self::SqliteFile(text.into())) }
    }

    /// The file, if it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::SqliteFile(path) => Some(path),
            Self::SqliteMemory | Self::Postgres(_) => None,
        }
    }
}

fn sqlite(rest: &str) -> Option<DatabaseUrl> {
    if rest.is_empty() || rest == "/" {
        return Some(DatabaseUrl::SqliteMemory);
    }
    match rest.strip_prefix('/')? {
        ":memory:" => Some(DatabaseUrl::SqliteMemory),
        path if path.contains('?') => None,
        path => Some(DatabaseUrl::SqliteFile(path.into())),
    }
}

fn without_userinfo(url: &str) -> &str {
    url.rsplit_once('@').map_or(url, |(_, rest)| rest)
}

/// As text for people: without the password.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SqliteFile(path) => write!(f, "{}", path.display()),
            Self::SqliteMemory => f.write_str(":memory:"),
            Self::Postgres(url) => f.write_str(&crate::secrets::masked(url)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_mean_what_they_mean_in_sqlalchemy() {
        let file = |path: &str| Some(DatabaseUrl::SqliteFile(path.into()));
        let cases = [
            ("sqlite:///rel/a.db", file("rel/a.db")),
            ("sqlite:////abs/a.db", file("/abs/a.db")),
            ("sqlite+pysqlite:///a.db", file("a.db")),
            ("sqlite+aiosqlite:///a.db", file("a.db")),
            ("sqlite+pysqlcipher:///a.db", None),
            ("sqlite:///:memory:", Some(DatabaseUrl::SqliteMemory)),
            ("sqlite://", Some(DatabaseUrl::SqliteMemory)),
            ("postgresql+psycopg2://u:p@h/d", Some(DatabaseUrl::Postgres("postgresql://u:p@h/d".to_owned()))),
            ("sqlite://a.db", None),
            ("sqlite:///a.db?mode=ro", None),
            ("mysql://h/d", None),
            ("state/audit.db", None),
        ];
        for (url, expected) in cases {
            assert_eq!(DatabaseUrl::parse(url).ok(), expected, "{url}");
        }
        assert_eq!(DatabaseUrl::from_argument("state/audit.db").ok(), file("state/audit.db"));
    }

    #[test]
    fn a_driver_of_files_that_are_no_sqlite_files_is_refused() {
        let error = DatabaseUrl::parse("sqlite+pysqlcipher://:hunter2@/a.db").unwrap_err();
        assert_eq!(error.message, "SQLite files of the driver `pysqlcipher` cannot hold a record");
        assert_eq!(error.help, FORMS);
    }

    #[test]
    fn a_password_is_never_shown() {
        let url = DatabaseUrl::parse("postgresql://u:hunter2@h/d").unwrap();
        assert_eq!(url.to_string(), "postgresql://u:***@h/d");
        let url = DatabaseUrl::parse("postgresql://u@h/d?password=hunter2&sslmode=require").unwrap();
        assert_eq!(url.to_string(), "postgresql://u@h/d?password=***&sslmode=require");
        for url in ["u:hunter2@h/d", "host=h password=hunter2 dbname=d"] {
            assert!(!DatabaseUrl::parse(url).unwrap_err().message.contains("hunter2"), "{url}");
        }
    }
}
