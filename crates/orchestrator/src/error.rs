use elspeth_contracts::{ErrorReason, FailureKind, RunId};
use elspeth_engine::{EngineError, NotKept};
use elspeth_executors::{ActError, MissingPlugin};
use elspeth_landscape::LandscapeError;
use elspeth_plugin::SourceError;
use thiserror::Error;

/// Why a run could not begin, or ended before its work was done.
#[derive(Debug, Error)]
pub enum RunError {
    /// The source could not be opened or read.
    #[error("source: {0}")]
    Source(SourceError),
    /// A sink could not be opened, written or published.
    #[error(transparent)]
    Act(ActError),
    /// A row's body could not be kept.
    #[error("{0}")]
    Bodies(NotKept),
    /// The record could not be written, or contradicts itself.
    #[error(transparent)]
    Record(#[from] LandscapeError),
    /// What the run goes on with is not what it began with.
    #[error("this run cannot go on: {what} was {before} and is {now} now")]
    Changed {
        /// What differs.
        what: &'static str,
        /// As recorded.
        before: String,
        /// As found.
        now: String,
    },
    /// The data is more than a run, or a batch of it, can hold.
    #[error("{what}")]
    Limit {
        /// Which limit.
        what: String,
        /// How to stay below it.
        help: &'static str,
    },
    /// More rows failed than the settings allow.
    #[error("{failed} of {rows} rows failed, but {limit}")]
    Budget {
        /// Rows that failed.
        failed: u64,
        /// Rows read.
        rows: u64,
        /// What the settings allow.
        limit: String,
    },
    /// It was stopped while its source was being opened.
    #[error("stopped while the source was being opened; nothing was recorded")]
    Stopped,
    /// The plan lacks an instance.
    #[error(transparent)]
    Plan(#[from] MissingPlugin),
    /// The run ended, and that could not be recorded: as far as the record knows, it is still running.
    #[error("{}the end of run {run_id} could not be recorded: {error}", before.as_ref().map(|before| format!("{before}; and ")).unwrap_or_default())]
    EndNotRecorded {
        /// The run.
        run_id: RunId,
        /// Why it failed, if it did.
        before: Option<Box<Self>>,
        /// Why that could not be recorded.
        error: LandscapeError,
    },
    /// A thread of ours ended when it should not have: a bug.
    #[error("internal error: {0}")]
    Internal(String),
}

impl RunError {
    /// As it is recorded on the run.
    #[must_use]
    pub fn reason(&self) -> ErrorReason {
        let kind = match self {
            Self::Source(_) | Self::Stopped => FailureKind::SourceFailed,
            Self::Act(_) => FailureKind::SinkFailed,
            Self::Record(_) | Self::Bodies(_) | Self::EndNotRecorded { .. } => FailureKind::RecordFailed,
            Self::Changed { .. } => FailureKind::SourceFailed,
            Self::Budget { .. } => FailureKind::BudgetExceeded,
            Self::Limit { .. } => FailureKind::LimitExceeded,
            Self::Plan(_) | Self::Internal(_) => FailureKind::Internal,
        };
        ErrorReason::new(kind, self.to_string())
    }

    /// What the user can do about it, where that is known.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        match self {
            Self::Source(error) => error.help.as_deref(),
            Self::Act(error) => error.help.as_deref(),
            Self::Budget { .. } => Some("mend what makes them fail, or allow more, and resume the run"),
            Self::Changed { what, .. } if what.starts_with("the source") => Some(
                "put the source back as it was; or, to read on in the changed one, give --accept-changed-source, which is recorded",
            ),
            Self::Changed { .. } => Some("resume it with the settings it began with, or start a new run"),
            Self::Bodies(kept) => kept.help,
            Self::Limit { help, .. } => Some(help),
            Self::EndNotRecorded { before, .. } => before.as_ref().and_then(|before| before.help()),
            Self::Record(_) | Self::Stopped | Self::Plan(_) | Self::Internal(_) => None,
        }
    }

    /// Whether our own record or rules are broken, as against the world outside (exit 4 as against 1).
    #[must_use]
    pub fn is_ours(&self) -> bool {
        match self {
            Self::Record(LandscapeError::Corrupt(_)) | Self::Plan(_) | Self::Internal(_) => true,
            Self::EndNotRecorded { before, error, .. } => {
                matches!(error, LandscapeError::Corrupt(_))
                    || before.as_ref().is_some_and(|before| before.is_ours())
            }
            Self::Source(_)
            | Self::Act(_)
            | Self::Bodies(_)
            | Self::Stopped
            | Self::Record(_)
            | Self::Changed { .. }
            | Self::Limit { .. }
            | Self::Budget { .. } => false,
        }
    }
}

impl From<EngineError> for RunError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Source(error) => Self::Source(error),
            EngineError::Corrupt(corruption) => Self::Record(corruption.into()),
            EngineError::Bodies(kept) | EngineError::Buffers(kept) => Self::Bodies(kept),
            EngineError::TooManyRows => {
                Self::Limit { what: error.to_string(), help: "divide the source's data between several runs" }
            }
            EngineError::BatchTooLarge => Self::Limit {
                what: error.to_string(),
                help: "give the aggregation a trigger that lets batches go sooner, for example a `count`, and start a new run",
            },
            EngineError::WorkerLost(_) => Self::Internal(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_no_faults_of_ours_and_come_with_advice() {
        for error in [EngineError::TooManyRows, EngineError::BatchTooLarge] {
            let words = error.to_string();
            let error = RunError::from(error);
            assert_eq!((error.is_ours(), error.to_string()), (false, words));
            assert_eq!(error.reason().kind, FailureKind::LimitExceeded);
            assert!(error.help().is_some());
        }
    }
}
