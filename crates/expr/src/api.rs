//! The public types of the language.

use std::sync::Arc;

use elspeth_value::{Contract, Row, Value};
use thiserror::Error;

use crate::ast::Node;
use crate::check;
use crate::ev::Ev;
use crate::eval::Frame;
use crate::parser;
use crate::text::str_of;

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

/// A parsed expression. Cheap to clone and to share; evaluation takes `&self` and allocates only for results that need it.
#[derive(Debug, Clone)]
pub struct Expr {
    text: Arc<str>,
    root: Root,
    node: Arc<Node>,
}

impl Expr {
    /// Parses `text`.
    ///
    /// # Errors
    /// [`ExprError`] with the position of the first thing that is refused.
    pub fn parse(text: &str, root: Root) -> Result<Self, ExprError> {
        let node = parser::parse(text, root)?;
        Ok(Self { text: text.into(), root, node: Arc::new(node) })
    }

    /// The text it was parsed from.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names of the row fields that it reads, in order of first use, each once. Presence tests (`'a' in row`) count;
    /// fields whose names are computed (`row[row['a']]`) are not known.
    #[must_use]
    pub fn fields(&self) -> Vec<&str> {
        check::fields(&self.node)
    }

    /// The type of the result for rows of that contract. For triggers the contract is not asked, their two fields are
    /// known; nothing is known of commencement names.
    ///
    /// # Errors
    /// Every type error, and every field that such rows cannot have.
    pub fn check(&self, contract: &Contract) -> Result<ExprType, Vec<ExprError>> {
        check::check(&self.node, self.root, contract)
    }

    /// Evaluates.
    ///
    /// # Errors
    /// [`EvalError`]: missing key, wrong operand types, division by zero, a result that is too large.
    pub fn eval(&self, scope: Scope<'_>) -> Result<Value, EvalError> {
        Frame::new(scope).result(&self.node).map_err(|error| *error)
    }

    /// Python's truth of a value: empty and zero are false.
    #[must_use]
    pub fn truth(value: &Value) -> bool {
        Ev::of(value).truth()
    }

    /// The text that Python's `str()` gives; how a gate's result becomes a route label (`true`/`false` for booleans).
    #[must_use]
    pub fn label(value: &Value) -> String {
        match value {
            Value::Bool(value) => value.to_string(),
            Value::Null
            | Value::Int(_)
            | Value::Float(_)
            | Value::Str(_)
            | Value::Decimal(_)
            | Value::Date(_)
            | Value::DateTime(_)
            | Value::Bytes(_)
            | Value::List(_)
            | Value::Map(_) => str_of(&Ev::of(value), usize::MAX),
        }
    }
}
