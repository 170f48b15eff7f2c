//! The file that has passwords: lines of `host:port:database:user:password`, as for other programs.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use sqlx::postgres::PgConnectOptions;

use crate::address;

/// The password for a connection, if there is one: in the file that the URL names, that `PGPASSFILE` names, or in
/// `.pgpass` at home. The last two need not be there. A file that others may read is none: it is refused where somebody named
/// it.
pub(crate) fn find(named: Option<PathBuf>, options: &PgConnectOptions) -> Result<Option<String>, String> {
    if let Some(path) = named {
        return read(&path)?.map_or_else(
            || Err(format!("there is no password file {}", path.display())),
            |text| Ok(Wanted::by(options).in_file(&text)),
        );
    }
    let text = match std::env::var_os("PGPASSFILE") {
        Some(path) => read(Path::new(&path))?,
        // Nobody asked for this one, so it is no reason to stop.
        None => std::env::home_dir().and_then(|home| read(&home.join(".pgpass")).ok().flatten()),
    };
    Ok(text.and_then(|text| Wanted::by(options).in_file(&text)))
}

/// None, where there is no file.
fn read(path: &Path) -> Result<Option<String>, String> {
    let failed = |error: io::Error| format!("the password file {}: {error}", path.display());
    let mode = match fs::metadata(path) {
        Ok(about) => about.permissions().mode(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if mode & 0o077 != 0 {
        return Err(format!(
            "the password file {} is not read, since others may read or change it; let only its owner: chmod 600",
            path.display()
        ));
    }
    fs::read_to_string(path).map(Some).map_err(failed)
}

/// A connection.
struct Wanted {
    hosts: Vec<String>,
    /// Port, database, user.
    rest: [String; 3],
}

impl Wanted {
    fn by(options: &PgConnectOptions) -> Self {
        let user = options.get_username();
        Self {
            hosts: match address::socket(options) {
                Some(folder) => vec![folder, "localhost".to_owned()],
                None => vec![options.get_host().to_owned()],
            },
            rest: [
                options.get_port().to_string(),
                options.get_database().unwrap_or(user).to_owned(),
                user.to_owned(),
            ],
        }
    }

    fn in_file(&self, text: &str) -> Option<String> {
        text.lines().find_map(|line| self.password(line))
    }

    fn password(&self, line: &str) -> Option<String> {
        let fields = fields(line);
        let [host, rest @ .., password] = fields.get(..5)? else { return None };
        let host_fits = self.hosts.iter().any(|wanted| fits(host, wanted));
        let fits = host_fits && rest.iter().zip(&self.rest).all(|(field, wanted)| fits(field, wanted));
        fits.then(|| unescaped(password))
    }
}

fn fits(field: &str, wanted: &str) -> bool {
    field == "*" || unescaped(field) == wanted
}

/// What is between colons; a backslash before one makes it a part of the field. None in a comment.
fn fields(line: &str) -> Vec<&str> {
    if line.starts_with('#') {
        return Vec::new();
    }
    let mut escaped = false;
    let between = |c: char| {
        let is_colon = c == ':' && !escaped;
        escaped = c == '\\' && !escaped;
        is_colon
    };
    line.split(between).collect()
}

fn unescaped(field: &str) -> String {
    let mut text = String::new();
    let mut letters = field.chars();
    while let Some(letter) = letters.next() {
        text.extend(if letter == '\\' { letters.next().or(Some('\\')) } else { Some(letter) });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(line: &str) -> Option<String> {
        let rest = ["5432", "audit", "u:v"].map(str::to_owned);
        Wanted { hosts: vec!["/run/pg".to_owned(), "localhost".to_owned()], rest }.password(line)
    }

    #[test]
    fn the_first_line_that_fits_has_the_password() {
        for line in [
            r"localhost:5432:audit:u\:v:secret",
            "*:*:*:*:secret",
            r"/run/pg:*:audit:u\:v:secret:",
            r"*:5432:*:*:secret",
        ] {
            assert_eq!(password(line).as_deref(), Some("secret"), "{line}");
        }
        assert_eq!(password(r"*:*:*:*:a\:b\\c").as_deref(), Some(r"a:b\c"));
        for line in [
            "localhost:5432:audit:u:secret",
            r"#*:*:*:*:secret",
            "*:*:*:*",
            "",
            r"*:5433:*:*:secret",
            r"elsewhere:*:*:*:secret",
        ] {
            assert_eq!(password(line), None, "{line}");
        }
    }
}
