//! # Typed values, rows and schema contracts
//!
//! What travels through a pipeline, and the border that it has to cross to get in. Take this crate alone where data from
//! outside (CSV cells, JSON records) must become typed rows, or be refused with a reason that a person understands.
//!
//! ```
//! use elspeth_value::{Contract, Row, Value};
//! use serde_json::json;
//!
//! let contract = Contract::from_settings(&json!({
//!     "mode": "fixed",
//!     "fields": ["claim: str", "amount: float", "approved: bool?"],
//! }))?;
//!
//! let record = Row::from_pairs([("claim".into(), Value::Str("C-881".into())), ("amount".into(), Value::Int(2500))]);
//! let row = contract.coerce_row(record).expect("an integer is a float without loss");
//! let mut json = Vec::new();
//! row.write_json(&mut json);
//! assert_eq!(json, br#"{"claim":"C-881","amount":2500.0}"#);
//!
//! let record = Row::from_pairs([("claim".into(), Value::Int(881)), ("amount".into(), Value::Int(1))]);
//! let refused = contract.coerce_row(record).expect_err("a number is no text");
//! assert_eq!(refused.violation.to_string(), "field `claim` must be str: it is of type int");
//! # Ok::<(), elspeth_value::ContractError>(())
//! ```
//!
//! ## What is in it
//!
//! - [`Value`] and [`Map`]: one value, with its type. `2500` and `2500.0` are different values.
//! - [`Row`] and [`Shape`]: values in named slots. Rows of one kind share their shape, which knows the canonical order of
//!   the fields, so that [`Row::write_canonical`] and [`Row::content_hash`] neither sort nor allocate.
//! - [`Contract`]: which fields rows have, of which types; declared in a `schema:` mapping or learnt from data; checks rows
//!   and compares the two ends of an edge.
//! - [`coerce_text`], [`coerce_value`], [`Coercer`]: the border. Only here is anything converted, and only without loss.
//! - [`normalise_header`], [`resolve_headers`], [`mapping_errors`]: field names from the headers of files.
//! - [`write_python_float`]: floats as Python prints them.
//!
//! ## The invariant
//!
//! What has crossed the border can be hashed: floats are finite, integers within +-(2^53-1), moments in UTC. `2500` and
//! `2500.0` have the same canonical bytes, as RFC 8785 wants it; the typed JSON of [`Row::write_json`] keeps them apart.
//!
//! The crate knows no files, no plugins, no graph and no record of runs.

mod coerce;
mod coercer;
mod contract;
mod declare;
mod json;
mod normalise;
mod row;
mod text;
mod value;

pub use coerce::{CoerceError, coerce_text, coerce_value};
pub use coercer::Coercer;
pub use contract::{
    Contract, ContractError, FieldSpec, FieldType, RefusedRow, SchemaConflict, SchemaMode, Violation,
};
pub use json::MAX_NESTING;
pub use normalise::{
    FieldResolution, FieldsGrown, NormaliseError, mapping_errors, normalise_header, resolve_headers,
};
pub use row::{Row, Shape};
pub use text::write_python_float;
pub use value::{Map, Value};
