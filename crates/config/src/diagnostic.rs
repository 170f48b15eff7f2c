use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// A text and where it came from; diagnostics quote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceText {
    /// Path as the user gave it.
    pub name: String,
    /// What was read.
    pub text: String,
}

/// A part of a text, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TextSpan {
    /// First byte.
    pub offset: usize,
    /// How many bytes.
    pub len: usize,
}

/// Something that is wrong (or odd) in the settings, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Stable, kebab-case.
    pub code: &'static str,
    /// What is wrong, in the user's words.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// The file; for a value that the environment set, that variable.
    pub file: Option<String>,
    /// Line, from 1.
    pub line: Option<usize>,
    /// Column in characters, from 1.
    pub column: Option<usize>,
    /// The setting: keys and indexes joined by `.`; empty for the file as a whole.
    pub setting: String,
    /// The part of the file that is meant.
    #[serde(skip)]
    pub span: Option<TextSpan>,
    /// The file's text, to be quoted.
    #[serde(skip)]
    pub source: Option<Arc<SourceText>>,
}

impl Diagnostic {
    /// A diagnostic that no place in a file belongs to.
    #[must_use]
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            help: None,
            file: None,
            line: None,
            column: None,
            setting: String::new(),
            span: None,
            source: None,
        }
    }

    /// The same with advice.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}:")?;
        }
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, "{line}:{column}:")?;
        }
        let gap = if self.file.is_some() || self.line.is_some() { " " } else { "" };
        write!(f, "{gap}{} [{}]", self.message, self.code)?;
        if let Some(help) = &self.help {
            write!(f, " ({help})")?;
        }
        Ok(())
    }
}
