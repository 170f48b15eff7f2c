use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};

use crate::passfile;

/// What may stand behind the `?` of a URL.
const PARAMETERS: [&str; 12] = [
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
    PASSFILE,
    CONNECT_TIMEOUT,
];
/// Those of them that do not say which database is meant, and without which it may not be opened.
const KEPT: [&str; 7] =
    ["sslmode", "sslrootcert", "sslcert", "sslkey", "application_name", "options", PASSFILE];
/// Those that the driver does not know.
const OURS: [&str; 2] = [PASSFILE, CONNECT_TIMEOUT];
const PASSFILE: &str = "passfile";
const CONNECT_TIMEOUT: &str = "connect_timeout";
/// How long a server may take to answer at first, where the URL does not say.
const CONNECTING: Duration = Duration::from_secs(10);
/// Prepared statements that a connection keeps.
const STATEMENTS: usize = 400;

/// A database, and how connections to it are opened.
#[derive(Clone)]
pub struct PgAddress {
    options: PgConnectOptions,
    /// Without the password.
    location: String,
    /// How long a server may take to answer at first.
    connecting: Duration,
}

/// A text that names no database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PgAddressError {
    /// The text, without what may be a password.
    pub url: String,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Debug for PgAddress {
    /// Without the password, which the options have.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgAddress").field("location", &self.location).finish_non_exhaustive()
    }
}

impl PgAddress {
    /// Reads a URL: `postgresql://user@host:port/database?sslmode=verify-full`. What it does not say comes from the
    /// environment, as with other programs: `PGPASSWORD`, `PGPASSFILE`, `PGSSLROOTCERT`, ...
    ///
    /// # Errors
    /// [`PgAddressError`].
    pub fn parse(url: &str) -> Result<Self, PgAddressError> {
        let refused = |message: String| PgAddressError { url: without_password(url), message };
        let url = &*with_encoded_password(url);
        if let Some(unknown) = query(url).map(name).find(|name| !PARAMETERS.contains(name)) {
            let known = PARAMETERS.join(", ");
            return Err(refused(format!("`{unknown}` is no parameter of such a URL; there are {known}")));
        }
        let connecting = connecting(url).map_err(refused)?;
        let options: PgConnectOptions = without_ours(url).parse().map_err(|error| match error {
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
        let options = with_password(options, url).map_err(refused)?;
        let location = shown(&options, url);
        Ok(Self { options, location, connecting })
    }

    /// The same database as a URL without a password.
    #[must_use]
    pub fn location(&self) -> &str {
        &self.location
    }

    /// Opens a connection. The server is told that it is of this program, unless the URL says otherwise.
    ///
    /// # Errors
    /// Those of the driver; [`sqlx::Error::PoolTimedOut`] when the server does not answer within `connect_timeout`, or ten seconds.
    pub async fn connect(&self) -> sqlx::Result<PgConnection> {
        let options = match self.options.get_application_name() {
            Some(_) => self.options.clone(),
            None => self.options.clone().application_name("elspeth"),
        };
        tokio::time::timeout(self.connecting, options.connect())
            .await
            .map_err(|_| sqlx::Error::PoolTimedOut)?
    }
}

/// Where a URL has a password with `/`, `?` or `#` in it, as SQLAlchemy takes it: everything between the first `:` and the first
/// `@` behind it. Other programs want these as `%2F`, `%3F` and `%23`, and read something else.
#[must_use]
pub fn bare_password(url: &str) -> Option<Range<usize>> {
    let (scheme, rest) = url.split_once("://")?;
    let (user, _) = rest.split_once('@')?;
    let (name, password) = user.split_once(':')?;
    let is_bare = |text: &str| text.contains(['/', '?', '#']);
    // `host:5432/database?user=me@cloud` is no password.
    let is_query = password.split_once('?').is_some_and(|(_, query)| query.contains('='));
    let start = scheme.len() + "://".len() + name.len() + 1;
    (is_bare(password) && !is_bare(name) && !is_query).then_some(start..start + password.len())
}

fn with_encoded_password(url: &str) -> Cow<'_, str> {
    let Some(password) = bare_password(url) else { return Cow::Borrowed(url) };
    let encoded = url[password.clone()].replace('/', "%2F").replace('?', "%3F").replace('#', "%23");
    Cow::Owned(format!("{}{encoded}{}", &url[..password.start], &url[password.end..]))
}

/// A URL's parameters with their values.
fn query(url: &str) -> impl Iterator<Item = &str> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    query.split('&').filter(|pair| !pair.is_empty())
}

fn name(pair: &str) -> &str {
    pair.split('=').next().unwrap_or(pair)
}

/// A URL that the driver understands.
fn without_ours(url: &str) -> String {
    let Some((head, _)) = url.split_once('?') else { return url.to_owned() };
    let others: Vec<&str> = query(url).filter(|pair| !OURS.contains(&name(pair))).collect();
    format!("{head}?{}", others.join("&"))
}

/// What libpq makes of it: whole seconds, at least two.
fn connecting(url: &str) -> Result<Duration, String> {
    let Some(text) = query(url).find_map(|pair| pair.strip_prefix(CONNECT_TIMEOUT)?.strip_prefix('=')) else {
        return Ok(CONNECTING);
    };
    match text.parse::<u32>() {
        Ok(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds.max(2).into())),
        Ok(_) | Err(_) => Err(format!("`{CONNECT_TIMEOUT}` is a number of whole seconds, from 1")),
    }
}

/// With the password of the password file, where neither URL nor environment has one.
fn with_password(options: PgConnectOptions, url: &str) -> Result<PgConnectOptions, String> {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = authority.split(['/', '?']).next().unwrap_or_default();
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    if user.contains(':') || std::env::var_os("PGPASSWORD").is_some() {
        return Ok(options);
    }
    let named = query(url).find_map(|pair| pair.strip_prefix(PASSFILE)?.strip_prefix('='));
    let named = named.map(|path| percent_decode_str(path).decode_utf8().map(|path| PathBuf::from(&*path)));
    let named = named.transpose().map_err(|_| format!("`{PASSFILE}` is no name of a file"))?;
    Ok(match passfile::find(named, &options)? {
        Some(password) => options.password(&password),
        None => options,
    })
}

/// As a URL that opens the same database, without a password.
fn shown(options: &PgConnectOptions, url: &str) -> String {
    let host = match socket(options) {
        Some(folder) => folder.replace('%', "%25").replace('/', "%2F"),
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

/// The folder of the socket; `PGHOST` may name it as a host.
pub(crate) fn socket(options: &PgConnectOptions) -> Option<String> {
    let named = || Some(options.get_host()).filter(|host| host.starts_with('/')).map(str::to_owned);
    options.get_socket().map(|folder| folder.display().to_string()).or_else(named)
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

    fn parsed(url: &str) -> Result<PgAddress, PgAddressError> {
        PgAddress::parse(url)
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
            let error = parsed(url).unwrap_err();
            let error = format!("{error} {}", error.url);
            assert!(!error.contains("hun") && !error.contains("ter2"), "{error}");
        }
    }

    #[test]
    fn a_password_may_be_written_as_sqlalchemy_takes_it() {
        for password in ["pa/ss", "12/ss", "a/b+c==", "12?34", "1#2", "/", "a%2Fb/c"] {
            let address = parsed(&format!("postgresql://u:{password}@h:1234/d?sslmode=require")).unwrap();
            assert_eq!(address.location(), "postgresql://u@h:1234/d?sslmode=require", "{password}");
        }
        let address = parsed("postgresql://h:1234/d?user=me@cloud").unwrap();
        assert_eq!(address.location(), "postgresql://me@cloud@h:1234/d");
        assert_eq!(with_encoded_password("postgresql://u:a/b%2Fc@h/d"), "postgresql://u:a%2Fb%2Fc@h/d");
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for (url, why) in [
            ("postgresql://u@h/d?color=red", "`color` is no parameter"),
            ("postgresql://u@h/d?sslmode=maybe", "is not a URL such as"),
            ("postgresql://u@h:port/d", "is not a URL such as"),
            ("postgresql://u@h/d?connect_timeout=0", "whole seconds, from 1"),
            ("postgresql://u@h/d?connect_timeout=soon", "whole seconds, from 1"),
        ] {
            let error = parsed(url).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_server_that_says_nothing_is_given_up_when_the_url_says_so() {
        for (parameters, seconds) in [("", 10), ("?connect_timeout=30", 30), ("?connect_timeout=1", 2)] {
            let address = parsed(&format!("postgresql://u@h/d{parameters}")).unwrap();
            assert_eq!(address.connecting, Duration::from_secs(seconds), "{parameters}");
            assert_eq!(address.location(), "postgresql://u@h/d", "{parameters}");
        }
    }

    #[test]
    fn a_socket_is_named_as_a_host_or_as_a_parameter() {
        for url in ["postgresql://u@%2Frun%2Fpg/d", "postgresql:///d?host=/run/pg&user=u"] {
            assert_eq!(parsed(url).unwrap().location(), "postgresql://u@%2Frun%2Fpg/d", "{url}");
        }
    }
}
