use elspeth_value::{Contract, Row, Value};
use thiserror::Error;

/// A place in the expression's text: byte offsets, end exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// Why a text is not an expression, or does not fit the schema.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct ExprError {
    /// Where in the text.
    pub span: Span,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

/// Why an expression has no value for this row. The message names missing keys and the fields that exist.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct EvalError {
    /// Where in the text.
    pub span: Span,
    /// What is wrong.
    pub message: String,
}

/// Which names an expression may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// `row`, a pipeline row (gates, computed fields).
    Row,
    /// `row` with `batch_count` and `batch_age_seconds` only (aggregation triggers).
    Trigger,
    /// `dependency_runs`, `collections`, `env` (commencement gates).
    Commencement,
}

/// What the names stand for in one evaluation.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// `row` is this row.
    Row(&'a Row),
    /// Each name is this value.
    Names(&'a [(&'a str, Value)]),
}

/// A static type, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExprType {
    /// Not known before evaluation.
    Unknown,
    /// `None`.
    Null,
    /// `bool`.
    Bool,
    /// `int`.
    Int,
    /// `float`.
    Float,
    /// `str`.
    Str,
    /// A list, tuple or set.
    List,
    /// A dict.
    Map,
}

/// A parsed expression. Cheap to share; evaluation takes `&self` and allocates only for results that need it.
#[derive(Debug, Clone)]
pub struct Expr {
    text: String,
}

impl Expr {
    /// Parses `text`.
    ///
    /// # Errors
    /// [`ExprError`] with the position of the first thing that is refused.
    pub fn parse(_text: &str, _root: Root) -> Result<Self, ExprError> {
        todo!()
    }

    /// The text it was parsed from.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names of the row fields that it reads, in order of first use, each once.
    #[must_use]
    pub fn fields(&self) -> Vec<&str> {
        todo!()
    }

    /// The type of the result for rows of that contract.
    ///
    /// # Errors
    /// Every type error, and every field that such rows cannot have.
    pub fn check(&self, _contract: &Contract) -> Result<ExprType, Vec<ExprError>> {
        todo!()
    }

    /// Evaluates.
    ///
    /// # Errors
    /// [`EvalError`]: missing key, wrong operand types, division by zero, a result that is too large.
    pub fn eval(&self, _scope: Scope<'_>) -> Result<Value, EvalError> {
        todo!()
    }

    /// Python's truth of a value: empty and zero are false.
    #[must_use]
    pub fn truth(_value: &Value) -> bool {
        todo!()
    }

    /// The text that Python's `str()` gives; how a gate's result becomes a route label (`true`/`false` for booleans).
    #[must_use]
    pub fn label(_value: &Value) -> String {
        todo!()
    }
}
