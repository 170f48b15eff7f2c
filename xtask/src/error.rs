//! What can go wrong in a task.

use std::path::{Path, PathBuf};

/// The failure of one task; its text is the last line that the user sees.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("cannot start `{command}`: {source}")]
    Start { command: String, source: std::io::Error },
    #[error("`{command}` failed ({status})")]
    Status { command: String, status: String },
    #[error("{what} is not as expected: {detail}")]
    Format { what: String, detail: String },
    #[error("{count} finding(s) of {check}")]
    Findings { check: &'static str, count: usize },
    #[error("failed: {}", steps.join(", "))]
    Steps { steps: Vec<String> },
    #[error("{0}")]
    Stale(String),
}

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn format(what: impl Into<String>, detail: impl ToString) -> Self {
        Self::Format { what: what.into(), detail: detail.to_string() }
    }
}

/// Prints the findings of a check and turns them into its result.
pub(crate) fn report(check: &'static str, findings: &[String]) -> Result<(), Error> {
    for finding in findings {
        println!("{finding}");
    }
    if findings.is_empty() { Ok(()) } else { Err(Error::Findings { check, count: findings.len() }) }
}
