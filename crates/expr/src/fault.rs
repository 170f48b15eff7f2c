//! What went wrong in an operation, before the place is known.

use crate::api::{EvalError, Span};

/// A failure without a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault(Box<str>);

impl Fault {
    pub(crate) fn new(message: impl Into<Box<str>>) -> Self {
        Self(message.into())
    }

    /// The failure at its place. Boxed, to keep the path without failures narrow.
    pub(crate) fn at(self, span: Span) -> Box<EvalError> {
        Box::new(EvalError { span, message: self.0.into() })
    }
}
