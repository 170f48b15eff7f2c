//! The expression language of gates and triggers.

mod api;

pub use api::{EvalError, Expr, ExprError, ExprType, Root, Scope, Span};
