//! Text records (CSV) against a contract, at a million of them a second: which column has which type is worked out once.

use std::sync::Arc;

use compact_str::CompactString;

use crate::{Contract, FieldSpec, FieldType, Row, SchemaMode, Shape, Value, Violation, coerce_text};

/// Reads the cells of text records as the values of rows of one shape.
///
/// A column that the contract does not name stays text. A blank cell is null in an optional field and a violation in a
/// required one, except in `str` fields, which take it as it is.
///
/// ```
/// use elspeth_value::{Coercer, Contract, Shape, Value};
/// use serde_json::json;
///
/// let contract = Contract::from_settings(&json!({"mode": "fixed", "fields": ["id: int", "score: float?"]}))?;
/// let coercer = Coercer::new(&contract, Shape::new(["id".into(), "score".into()]));
///
/// let row = coercer.text_record(["7", " 87.5"].into_iter()).unwrap();
/// assert_eq!(row.values(), [Value::Int(7), Value::Float(87.5)]);
/// let violation = coercer.text_record(["seven", ""].into_iter()).unwrap_err();
/// assert_eq!(violation.to_string(), "field `id` must be int: `seven` is not an integer");
/// # Ok::<(), elspeth_value::ContractError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Coercer {
    shape: Arc<Shape>,
    /// By slot.
    columns: Box<[FieldSpec]>,
    /// A violation that every record has: a required field without a column, or a column that a fixed schema lacks.
    always: Option<Violation>,
}

impl Coercer {
    /// For records whose cells are the fields of `shape`, in its order.
    #[must_use]
    pub fn new(contract: &Contract, shape: Arc<Shape>) -> Self {
        let columns = shape.names().iter().map(|name| column(contract, name)).collect();
        Self { columns, always: violation_of_all(contract, &shape), shape }
    }

    /// The shape of all its rows.
    #[must_use]
    pub fn shape(&self) -> &Arc<Shape> {
        &self.shape
    }

    /// The row of one record's cells.
    ///
    /// # Errors
    /// The first violation.
    ///
    /// # Panics
    /// When there are not as many cells as fields; what that means is the reader's to say.
    pub fn text_record<'a>(&self, cells: impl Iterator<Item = &'a str>) -> Result<Row, Violation> {
        let mut values = Vec::with_capacity(self.columns.len());
        for (cell, field) in cells.zip(&self.columns) {
            values.push(value_of(cell, field)?);
        }
        match &self.always {
            Some(violation) => Err(violation.clone()),
            None => Ok(Row::new(Arc::clone(&self.shape), values)),
        }
    }
}

fn column(contract: &Contract, name: &CompactString) -> FieldSpec {
    let (ty, required) =
        contract.field(name).map_or((FieldType::Str, false), |field| (field.ty, field.required));
    FieldSpec { name: name.clone(), ty, required: required || contract.required_fields.contains(name) }
}

fn value_of(cell: &str, field: &FieldSpec) -> Result<Value, Violation> {
    if field.ty != FieldType::Str && cell.trim().is_empty() {
        return match field.required {
            true => Err(Violation::Missing { field: field.name.clone() }),
            false => Ok(Value::Null),
        };
    }
    field.coerced(coerce_text(field.ty, cell))
}

fn violation_of_all(contract: &Contract, shape: &Shape) -> Option<Violation> {
    let declared = contract.fields.iter().filter(|f| f.required).map(|f| &f.name);
    let lacking = declared.chain(&contract.required_fields).find(|name| shape.slot(name).is_none());
    let extra =
        || shape.names().iter().find(|name| contract.mode == SchemaMode::Fixed && !contract.allows(name));
    match lacking {
        Some(field) => Some(Violation::Missing { field: field.clone() }),
        None => extra().map(|field| Violation::Extra { field: field.clone() }),
    }
}
