//! The expression language of gates and triggers.

mod api;
mod ast;
mod atoms;
mod budget;
mod call;
mod check;
mod ev;
mod eval;
mod fault;
mod kinds;
mod lexer;
mod literal;
mod moment;
mod number;
mod ops;
mod parser;
mod refuse;
mod suggest;
mod text;

pub use api::{EvalError, Expr, ExprError, ExprType, Root, Scope, Span};
