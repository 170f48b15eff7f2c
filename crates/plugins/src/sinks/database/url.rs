//! The `url` option: which database. Means what it means in SQLAlchemy.

use std::path::PathBuf;

use elspeth_plugin::OptionError;

const FORMS: &str = "write `sqlite:///relative/path.db` or `sqlite:////absolute/path.db`";

/// The file that a URL names. What a refused URL holds is not repeated: there may be a password in it.
///
/// # Errors
/// It is no URL, one of another kind of database, or one of a database that does not outlive the run.
pub(super) fn file(url: &str) -> Result<PathBuf, OptionError> {
    let refused = |message: String, help: &str| Err(OptionError::new("url", message).with_help(help));
    let Some((scheme, rest)) = url.split_once("://") else {
        return refused("this is not the URL of a database".to_owned(), FORMS);
    };
    // SQLAlchemy names a Python driver behind `+`; it says nothing about the database.
    let kind = scheme.split('+').next().unwrap_or_default();
    if kind != "sqlite" {
        return refused(format!("`{kind}` databases are not available yet"), FORMS);
    }
    match rest {
        "" | "/" | "/:memory:" => refused("a database in memory is gone when the run ends".to_owned(), FORMS),
        _ if rest.contains('?') => refused("options behind `?` are not taken".to_owned(), FORMS),
        _ if rest.ends_with('/') => refused("the path is a folder".to_owned(), FORMS),
        _ => match rest.strip_prefix('/') {
            Some(path) => Ok(PathBuf::from(path)),
            None => refused("this is not the URL of a SQLite file".to_owned(), FORMS),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_taken_and_all_else_is_refused_without_being_repeated() {
        let cases = [
            ("sqlite:///rel/a.db", Ok("rel/a.db")),
            ("sqlite:////abs/a b%20.db", Ok("/abs/a b%20.db")),
            ("sqlite+pysqlite:///./a.db", Ok("./a.db")),
            ("sqlite:///:memory:", Err("a database in memory is gone when the run ends")),
            ("sqlite://", Err("a database in memory is gone when the run ends")),
            ("sqlite://a.db", Err("this is not the URL of a SQLite file")),
            ("sqlite:///a.db?mode=ro", Err("options behind `?` are not taken")),
            ("sqlite:///folder/", Err("the path is a folder")),
            ("postgresql+psycopg2://u:secret@h/d", Err("`postgresql` databases are not available yet")),
            ("a.db", Err("this is not the URL of a database")),
        ];
        for (url, expected) in cases {
            let found = file(url).map_err(|e| e.message);
            assert_eq!(found, expected.map(PathBuf::from).map_err(str::to_owned), "{url}");
        }
    }
}
