//! Typed pipeline values, rows, schema contracts and coercion at the border.

mod coerce;
mod contract;
mod declare;
mod normalise;
mod row;
mod text;
mod value;

pub use coerce::{CoerceError, coerce_text, coerce_value};
pub use contract::{Contract, ContractError, FieldSpec, FieldType, SchemaConflict, SchemaMode, Violation};
pub use normalise::{FieldResolution, NormaliseError, normalise_header, resolve_headers};
pub use row::{Row, Shape};
pub use text::write_python_float;
pub use value::{Map, Value};
