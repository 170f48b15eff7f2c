//! Where an audit database is, as users write it.

use std::fmt;
use std::path::{Path, PathBuf};

use elspeth_landscape::LandscapeError;

/// Where an audit database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// In that file.
    File(PathBuf),
    /// Nowhere: it is gone when its [`crate::SqliteLandscape`] is dropped.
    Memory,
}

impl Location {
    /// Reads a path or an URL in the manner of SQLAlchemy: `sqlite:///relative`, `sqlite:////absolute`,
    /// `sqlite:///:memory:` (also `sqlite://`). A text without `://` is a path.
    ///
    /// # Errors
    /// [`LandscapeError::Store`] for another scheme, or for a host or query in the URL.
    pub fn parse(text: &str) -> Result<Self, LandscapeError> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Ok(if text == ":memory:" { Self::Memory } else { Self::File(PathBuf::from(text)) });
        };
        if scheme != "sqlite" {
            return Err(refused(
                text,
                &format!("the scheme `{scheme}` is not available; write `sqlite:///path/to/audit.db`"),
            ));
        }
        if rest.contains('?') {
            return Err(refused(text, "URL parameters are not supported; write the path alone"));
        }
        match rest.strip_prefix('/') {
            Some("" | ":memory:") => Ok(Self::Memory),
            Some(path) => Ok(Self::File(PathBuf::from(path))),
            None if rest.is_empty() => Ok(Self::Memory),
            None => Err(refused(
                text,
                &format!("a relative path takes three slashes: `sqlite:///{rest}`, an absolute one four"),
            )),
        }
    }

    /// The file, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Memory => None,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Memory => f.write_str(":memory:"),
        }
    }
}

fn refused(text: &str, why: &str) -> LandscapeError {
    LandscapeError::Store {
        context: format!("audit database `{text}`"),
        message: why.to_owned(),
        retryable: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_mean_what_they_mean_in_sqlalchemy() {
        for (text, path) in [
            ("sqlite:///./state/audit.db", "./state/audit.db"),
            ("sqlite:///state/audit.db", "state/audit.db"),
            ("sqlite:////var/audit.db", "/var/audit.db"),
            ("state/audit.db", "state/audit.db"),
            ("/var/audit.db", "/var/audit.db"),
        ] {
            assert_eq!(Location::parse(text).unwrap(), Location::File(path.into()), "{text}");
        }
        for text in ["sqlite:///:memory:", "sqlite://", "sqlite:///", ":memory:"] {
            assert_eq!(Location::parse(text).unwrap(), Location::Memory, "{text}");
        }
    }

    #[test]
    fn a_url_that_cannot_be_meant_is_refused_with_advice() {
        for (text, advice) in [
            ("postgresql://host/db", "`postgresql` is not available"),
            ("sqlite://state/audit.db", "`sqlite:///state/audit.db`"),
            ("sqlite:///audit.db?mode=ro", "URL parameters"),
        ] {
            let error = Location::parse(text).unwrap_err().to_string();
            assert!(error.contains(advice) && error.contains(text), "{error}");
        }
    }
}
