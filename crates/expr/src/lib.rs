//! The expression language of gates, triggers and commencement gates: a subset of Python's expressions, with Python's
//! meaning, without an interpreter.
//!
//! A text is parsed once into a typed tree ([`Expr::parse`]), checked against what is known of the rows
//! ([`Expr::check`]), and then evaluated for each row ([`Expr::eval`]) in some tens of nanoseconds.
//!
//! ```
//! use elspeth_expr::{Expr, ExprType, Root, Scope};
//! use elspeth_value::{Contract, FieldSpec, FieldType, Row, SchemaMode, Shape, Value};
//!
//! let gate = Expr::parse("row['amount'] >= 1000 and row['category'] in ('a', 'b')", Root::Row)?;
//! assert_eq!(gate.fields(), ["amount", "category"]);
//!
//! // Before the first row: what type has the result, and is there a mistake?
//! let field = |name: &str, ty| FieldSpec { name: name.into(), ty, required: true };
//! let contract = Contract {
//!     mode: SchemaMode::Fixed,
//!     fields: vec![field("amount", FieldType::Int), field("category", FieldType::Str)],
//!     ..Contract::observed()
//! };
//! assert_eq!(gate.check(&contract), Ok(ExprType::Bool));
//!
//! let wrong = Expr::parse("row['amuont'] > 5", Root::Row)?.check(&contract).unwrap_err();
//! assert_eq!(wrong[0].message, "the rows have no field 'amuont'");
//! assert_eq!((wrong[0].span.start, wrong[0].span.end), (0, 13));
//!
//! // For each row.
//! let shape = Shape::new(["amount".into(), "category".into()]);
//! let row = Row::new(shape, vec![Value::Int(2500), Value::Str("b".into())]);
//! let result = gate.eval(Scope::Row(&row))?;
//! assert_eq!(result, Value::Bool(true));
//! assert_eq!(Expr::label(&result), "true");
//!
//! // What is not part of the language is refused at its place, with advice.
//! let refused = Expr::parse("row.amount > 5", Root::Row).unwrap_err();
//! assert_eq!(refused.help.as_deref(), Some("write row['amount']"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The language
//!
//! | | |
//! |---|---|
//! | names | `row` ([`Root::Row`]); `row['batch_count']`, `row['batch_age_seconds']` ([`Root::Trigger`]); `dependency_runs`, `collections`, `env` ([`Root::Commencement`]) |
//! | literals | `'text'`, `"text"` with Python's escapes, `7`, `1_000`, `0xff`, `2.5`, `1e3`, `True`, `False`, `None`, `[a, b]`, `(a, b)`, `{a, b}`, `{'k': v}` |
//! | access | `x['key']`, `x[0]`, `x[-1]`, `x.get('key')`, `x.get('key', default)` |
//! | comparison | `== != < <= > >= in`, `not in`, chained too; `is None`, `is not None` |
//! | logic | `and`, `or` (they give an operand, as in Python), `not`, `x if c else y` |
//! | arithmetic | `+ - * / // %`, with Python's signs and types; `bool` counts as `int` |
//! | functions | `str int float bool abs len`, with one argument |
//!
//! A line may end within brackets; `#` starts a comment.
//!
//! # Bounds
//!
//! A text has at most 4 KiB and 64 levels of nesting. One evaluation builds at most 1 MiB of text and lists (an item
//! counts 32 bytes more than its content); a field that is given as it is does not count.
//!
//! # Where it differs from Python
//!
//! - Whole numbers beyond +-(2^53-1), infinities and NaN are errors, since the record cannot hold them.
//! - `%` does not format text. `int()` and `float()` read ASCII digits only.
//! - A result that is a tuple or a set becomes a list, a set in the order of its text; the keys of a dict that is a result
//!   must be `str`. Within the expression they stay what they are: `(1,) == [1]` is false.
//! - Text that is written as a day (`'2024-01-31'`) or a moment (RFC 3339; without offset UTC; a day alone is its first
//!   moment) compares with a date or datetime as that day or moment, since there are no literals for these. Other text is
//!   unequal to them, and ordering it is an error. `str()` of a moment is RFC 3339 in UTC.
//! - A float that meets a decimal in a comparison is the number that is written (`0.1` is one tenth). Arithmetic between
//!   the two is an error, as in Python.
//! - Unknown escapes, a tuple without parentheses, and a number that runs into a word are refused.
//!
//! # Invariant
//!
//! An [`Expr`] is immutable and its evaluation depends on nothing but the row: no clock, no environment, no state that
//! could change a result. [`Expr::check`] reports only what fails for every row that meets the contract.
//!
//! This crate knows nothing of gates, routes and files; positions are byte offsets in the text.

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
