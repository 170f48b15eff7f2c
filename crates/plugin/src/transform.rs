use elspeth_contracts::{ErrorReason, RunId, TokenKey};
use elspeth_value::{Contract, Row};

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
    /// A sentence, when such rows cannot be worked on (a mapped field that `input` cannot have).
    fn output_contract(&self, input: &Contract) -> Result<Contract, String>;

    /// What it needs of its input.
    fn input_contract(&self) -> Contract {
        Contract::observed()
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
