use elspeth_contracts::{ErrorReason, RunId, TokenKey};
use elspeth_value::{Contract, Row};

use crate::OptionError;

/// What a transform makes of a row.
pub type TransformResult = Result<TransformOutput, ErrorReason>;

/// One row in; one, several or an error out. Shared by all workers; runs on a worker's own thread, where it may block.
///
/// An `Err` is the row's failure and goes to the node's `on_error`; mark it [`ErrorReason::retryable`] when another
/// attempt could help. A panic counts as an error. Output rows must hold only values that have a canonical form.
pub trait Transform: Send + Sync {
    /// What goes out when rows of `input` come in.
    ///
    /// # Errors
    /// Every option by which such rows cannot be worked on (a mapped field that `input` cannot have).
    fn output_contract(&self, input: &Contract) -> Result<Contract, Vec<OptionError>>;

    /// What it needs of its input.
    fn input_contract(&self) -> Contract {
        Contract::observed()
    }

    /// The fields of its input that its options name, so that a name which no row can have is found before a run.
    fn named_fields(&self) -> Vec<NamedField> {
        Vec::new()
    }

    /// Names that it gives to fields, where [`Transform::output_contract`] may not tell them all.
    fn given_names(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether it may return [`TransformOutput::Many`].
    fn expands(&self) -> bool {
        false
    }

    /// Works on one row.
    ///
    /// # Errors
    /// The row's failure.
    fn process(&self, row: Row, context: &TransformContext<'_>) -> TransformResult;
}

/// A field that options name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedField {
    /// Path of the option that names it: keys and indexes joined by `.`.
    pub option: String,
    /// The field.
    pub field: String,
    /// Whether a row without it passes although it was not looked at, which defeats the purpose of the transform.
    pub passes_unseen: bool,
}

impl NamedField {
    /// A field without which the transform has nothing to do.
    #[must_use]
    pub fn new(option: impl Into<String>, field: &str) -> Self {
        Self { option: option.into(), field: field.to_owned(), passes_unseen: false }
    }
}

/// What a transform gives back.
#[derive(Debug, Clone, PartialEq)]
pub enum TransformOutput {
    /// The very row that came in; saves hashing it again.
    Unchanged(Row),
    /// Another row.
    One(Row),
    /// Several rows; the transform must say so in [`Transform::expands`].
    Many(Vec<Row>),
}

/// For whom a transform works.
#[derive(Debug, Clone, Copy)]
pub struct TransformContext<'a> {
    /// The run.
    pub run_id: RunId,
    /// The token.
    pub token: TokenKey,
    /// The node's name.
    pub node: &'a str,
    /// Which attempt, from 0.
    pub attempt: u8,
}
