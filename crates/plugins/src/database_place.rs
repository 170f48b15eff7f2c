//! The `url` option of what talks to a database: which one. Means what it means in SQLAlchemy.

use std::path::PathBuf;

use elspeth_plugin::OptionError;
use elspeth_postgres::PgAddress;

const FORMS: &str =
    "write `sqlite:///relative/path.db`, `sqlite:////absolute/path.db` or `postgresql://user@host/name`";

/// A database.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// A SQLite file.
    File(PathBuf),
    /// One of a PostgreSQL server.
    Server(PgAddress),
}

impl Place {
    /// Reads a URL. What a refused URL holds is not repeated: there may be a password in it.
    ///
    /// # Errors
    /// It is no URL, one of another kind of database, or one of a database that does not outlive the run.
    pub(crate) fn parse(url: &str) -> Result<Self, OptionError> {
        let refused = |message: &str, help: &str| Err(OptionError::new("url", message).with_help(help));
        let Some((scheme, rest)) = url.split_once("://") else {
            return refused("this is not the URL of a database", FORMS);
        };
        // SQLAlchemy names a Python driver behind `+`. Those of SQLite that mean the same file are known; another one may
        // mean an encrypted file, or options.
        match scheme.split_once('+').unwrap_or((scheme, "")) {
            ("sqlite", "" | "pysqlite" | "aiosqlite") => {}
            ("sqlite", driver) => {
                return refused(&format!("SQLite files of the driver `{driver}` are not available"), FORMS);
            }
            ("postgresql" | "postgres", _) => return server(rest),
            (kind, _) => return refused(&format!("`{kind}` databases are not available"), FORMS),
        }
        match rest {
            "" | "/" | "/:memory:" => refused("a database in memory is gone when the run ends", FORMS),
            _ if rest.contains('?') => refused("options behind `?` are not taken", FORMS),
            _ if rest.ends_with('/') => refused("the path is a folder", FORMS),
            _ => match rest.strip_prefix('/') {
                Some(path) => Ok(Self::File(PathBuf::from(path))),
                None => refused("this is not the URL of a SQLite file", FORMS),
            },
        }
    }

    /// How it is shown and recorded: a path or a URL, without a password.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Server(address) => address.location().to_owned(),
        }
    }
}

fn server(rest: &str) -> Result<Place, OptionError> {
    let address = PgAddress::parse(&format!("postgresql://{rest}"));
    address.map(Place::Server).map_err(|error| OptionError::new("url", error.message).with_help(FORMS))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_URL: &str = "it is not a URL such as `postgresql://user@host:5432/database?sslmode=verify-full`";

    #[test]
    fn databases_are_taken_and_all_else_is_refused_without_being_repeated() {
        let cases = [
            ("sqlite:///rel/a.db", Ok("rel/a.db")),
            ("sqlite:////abs/a b%20.db", Ok("/abs/a b%20.db")),
            ("sqlite+pysqlite:///./a.db", Ok("./a.db")),
            ("sqlite+aiosqlite:////abs/a.db", Ok("/abs/a.db")),
            (
                "sqlite+pysqlcipher://:secret@/a.db",
                Err("SQLite files of the driver `pysqlcipher` are not available"),
            ),
            ("sqlite:///:memory:", Err("a database in memory is gone when the run ends")),
            ("sqlite://", Err("a database in memory is gone when the run ends")),
            ("sqlite://a.db", Err("this is not the URL of a SQLite file")),
            ("sqlite:///a.db?mode=ro", Err("options behind `?` are not taken")),
            ("sqlite:///folder/", Err("the path is a folder")),
            ("postgresql+psycopg2://u:secret@h/d", Ok("postgresql://u@h/d")),
            ("postgres://h/d?user=u", Ok("postgresql://u@h/d")),
            ("postgresql://u:secret@h:x/d", Err(NO_URL)),
            ("mysql://u:secret@h/d", Err("`mysql` databases are not available")),
            ("a.db", Err("this is not the URL of a database")),
        ];
        for (url, expected) in cases {
            let found = Place::parse(url).map(|place| place.shown()).map_err(|e| e.message);
            assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned), "{url}");
        }
    }
}
