use elspeth_expr::Span;
use thiserror::Error;

use crate::SettingPath;

/// A rule of the dialect that the settings break.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct GraphError {
    /// Stable, kebab-case.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Where it is written.
    pub at: SettingPath,
    /// The part of the text at that place, when it is about an expression.
    pub span: Option<Span>,
}

/// Something legal that is probably not meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphWarning {
    /// Stable, kebab-case.
    pub code: &'static str,
    /// What is odd.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Where it is written.
    pub at: SettingPath,
}

impl GraphError {
    pub(crate) fn new(code: &'static str, at: &SettingPath, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: None, at: at.clone(), span: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
