use elspeth_config::Diagnostic;
use elspeth_contracts::RunId;
use elspeth_landscape::LandscapeError;
use elspeth_landscape::export::ExportError;
use elspeth_landscape::verify::BadRecord;
use elspeth_orchestrator::RunError;
use thiserror::Error;

/// Why a use case could not be carried out.
#[derive(Debug, Error)]
pub enum AppError {
    /// The settings are wrong, or what they name is not usable.
    #[error("{} errors in {}", .0.errors.len(), .0.file)]
    Settings(Diagnostics),
    /// The run could not begin, or its end could not be recorded.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The record could not be read or written, or contradicts itself.
    #[error(transparent)]
    Record(#[from] LandscapeError),
    /// A run ended, and that could not be recorded.
    #[error("{error}")]
    Unrecorded {
        /// Why.
        error: Box<RunError>,
        /// How to go on with the run.
        help: String,
    },
    /// A run that was to go on is not what was written.
    #[error("run {run_id} is not what was written: {} {}: {}", .bad.table, .bad.id, .bad.what)]
    Altered {
        /// Which.
        run_id: RunId,
        /// The first record that was changed.
        bad: Box<BadRecord>,
    },
    /// Something named by the user does not exist.
    #[error("{message}")]
    NotFound {
        /// What.
        message: String,
        /// What to do instead.
        help: Option<String>,
    },
    /// What was said is no question.
    #[error("{message}")]
    Usage {
        /// What is wrong with it.
        message: String,
        /// What to say instead.
        help: String,
    },
    /// What was asked for is possible, but not now.
    #[error("{message}")]
    Refused {
        /// Why.
        message: String,
        /// What to do instead.
        help: Option<String>,
    },
    /// A record could not be exported or imported.
    #[error(transparent)]
    Export(ExportError),
    /// The machine would not let us: no threads, no output.
    #[error("{0}")]
    Output(String),
}

/// Errors of a settings file.
#[derive(Debug, Clone)]
pub struct Diagnostics {
    /// The file.
    pub file: String,
    /// What is wrong, in the order of the file.
    pub errors: Vec<Diagnostic>,
}

impl From<ExportError> for AppError {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Record(error) => Self::Record(error),
            other => Self::Export(other),
        }
    }
}

impl AppError {
    /// The exit code: 4 when our own record or an invariant is broken, 2 when it was used wrongly, else 1.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Record(LandscapeError::Corrupt(_))
            | Self::Export(ExportError::Unsound(_))
            | Self::Altered { .. } => 4,
            Self::Run(error) if error.is_ours() => 4,
            Self::Unrecorded { error, .. } if error.is_ours() => 4,
            Self::Usage { .. } => 2,
            Self::Settings(_)
            | Self::Run(_)
            | Self::Unrecorded { .. }
            | Self::Record(_)
            | Self::NotFound { .. }
            | Self::Refused { .. }
            | Self::Export(_)
            | Self::Output(_) => 1,
        }
    }

    /// What the user can do about it, where that is known.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        match self {
            Self::Run(error) => error.help(),
            Self::Unrecorded { help, .. } | Self::Usage { help, .. } => Some(help),
            Self::NotFound { help, .. } | Self::Refused { help, .. } => help.as_deref(),
            Self::Export(error) => advice(error),
            Self::Altered { .. } => Some(
                "`elspeth verify` tells more; go on from a copy of the record that it calls sound, or run the pipeline anew",
            ),
            Self::Settings(_) | Self::Record(_) | Self::Output(_) => None,
        }
    }
}

fn advice(error: &ExportError) -> Option<&'static str> {
    match error {
        ExportError::Unsound(_) => Some("`elspeth verify` tells more; only a sound record is exported"),
        ExportError::Body { .. } => Some(
            "mend that; a relative path of the payload store begins in the folder in which the run was started. An export \
             without `--bodies` needs no payload store",
        ),
        ExportError::Exists(_) => Some("name another place with `-o`, or remove it first"),
        ExportError::NoExport { .. } => {
            Some("name the folder of an export, or its `.jsonl` file with the manifest beside it")
        }
        ExportError::Altered { .. } => {
            Some("the export was changed since it was written, or did not arrive as a whole; get it again")
        }
        ExportError::Record(_) | ExportError::Io { .. } | ExportError::Sink(_) | ExportError::Line { .. } => {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use elspeth_landscape::Corruption;

    use super::*;

    #[test]
    fn a_record_that_contradicts_itself_is_exit_code_4_and_the_world_is_1() {
        let corrupt = || {
            LandscapeError::Corrupt(Corruption {
                table: "tokens",
                id: "7".to_owned(),
                what: "odd".to_owned(),
            })
        };
        assert_eq!(AppError::Record(corrupt()).exit_code(), 4);
        assert_eq!(AppError::Run(RunError::Record(corrupt())).exit_code(), 4);
        assert_eq!(AppError::Run(RunError::Internal("a bug".to_owned())).exit_code(), 4);
        let locked = LandscapeError::Store {
            context: "opening".to_owned(),
            message: "locked".to_owned(),
            retryable: true,
        };
        assert_eq!(AppError::Record(locked).exit_code(), 1);
        assert_eq!(AppError::Output("disk full".to_owned()).exit_code(), 1);
    }
}
