//! Where outside data becomes pipeline data: checked and coerced once, against the schema or what was learnt.

use std::sync::Arc;

use compact_str::CompactString;
use elspeth_contracts::{ErrorReason, FailureKind};
use elspeth_value::{
    CoerceError, Contract, FieldSpec, FieldType, Row, SchemaMode, Shape, Value, Violation, coerce_text,
    coerce_value,
};

/// Checks and coerces the rows of one source.
#[derive(Debug)]
pub(crate) struct Border {
    declared: Contract,
    learnt: Option<Contract>,
}

impl Border {
    /// With what was learnt already, when continuing.
    pub(crate) fn new(declared: Contract, learnt: Option<Contract>) -> Self {
        Self { declared, learnt }
    }

    /// What was learnt from the first valid row.
    pub(crate) fn learnt(&self) -> Option<&Contract> {
        self.learnt.as_ref()
    }

    fn contract(&self) -> &Contract {
        self.learnt.as_ref().unwrap_or(&self.declared)
    }

    /// Learns from the first valid row, when the schema says so.
    pub(crate) fn learn(&mut self, row: &Row) {
        if self.learnt.is_none() && self.declared.mode == SchemaMode::Observed {
            self.learnt = Some(self.declared.learn(row));
        }
    }

    /// Takes a row of parsed values.
    ///
    /// # Errors
    /// The first violation, with the row as it came.
    pub(crate) fn take_values(&mut self, row: Row) -> Result<Row, (Refused, Row)> {
        let wrong = |field: &FieldSpec| {
            row.get(&field.name).is_some_and(|value| *value != Value::Null && !field.ty.admits(value))
        };
        if !self.contract().fields.iter().any(wrong) {
            return self.checked(row);
        }
        match self.coerced(&row) {
            Ok(coerced) => self.checked(coerced).map_err(|(refused, _)| (refused, row)),
            Err(refused) => Err((refused, row)),
        }
    }

    fn coerced(&self, row: &Row) -> Result<Row, Refused> {
        let mut coerced = row.clone();
        for field in &self.contract().fields {
            let Some(slot) = row.shape().slot(&field.name) else { continue };
            let value = &mut coerced.values_mut()[slot];
            *value = coerce_value(field.ty, std::mem::take(value))
                .map_err(|e| Refused::not_coerced(&field.name, field.ty, &e))?;
        }
        Ok(coerced)
    }

    fn checked(&mut self, row: Row) -> Result<Row, (Refused, Row)> {
        match self.contract().check(&row) {
            Err(violation) => Err((Refused::of(&violation), row)),
            Ok(()) => {
                self.learn(&row);
                Ok(row)
            }
        }
    }
}

/// Which field of a record does not meet the schema, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    field: CompactString,
    message: String,
}

/// How the cells of text records become values; made once for a header.
#[derive(Debug)]
pub(crate) struct TextPlan {
    shape: Arc<Shape>,
    columns: Vec<Column>,
    /// A violation that every record has: a required field without a column, or a column that a fixed schema lacks.
    always: Option<Refused>,
}

#[derive(Debug, Clone, Copy)]
struct Column {
    ty: FieldType,
    required: bool,
}

impl TextPlan {
    /// For records with these fields.
    pub(crate) fn new(contract: &Contract, fields: &[CompactString]) -> Self {
        let column = |name: &CompactString| match contract.field(name) {
            Some(field) => Column { ty: field.ty, required: field.required },
            None => Column { ty: FieldType::Str, required: true },
        };
        let lacks = contract.fields.iter().find(|f| f.required && !fields.contains(&f.name));
        let missing = lacks.map(|f| Refused::of(&Violation::Missing { field: f.name.clone() }));
        let extra =
            fields.iter().find(|name| contract.mode == SchemaMode::Fixed && contract.field(name).is_none());
        Self {
            shape: Shape::new(fields.iter().cloned()),
            columns: fields.iter().map(column).collect(),
            always: missing
                .or_else(|| extra.map(|field| Refused::of(&Violation::Extra { field: field.clone() }))),
        }
    }

    /// The shape of all its rows.
    pub(crate) fn shape(&self) -> &Arc<Shape> {
        &self.shape
    }

    /// The values of one record's cells, of which there are as many as fields.
    ///
    /// # Errors
    /// The first violation.
    pub(crate) fn values<'a>(&self, cells: impl Iterator<Item = &'a str>) -> Result<Vec<Value>, Refused> {
        let mut values = Vec::with_capacity(self.columns.len());
        for (cell, column) in cells.zip(&self.columns) {
            let name = || self.shape.names()[values.len()].clone();
            let value = match (cell, column) {
                (cell, Column { ty: FieldType::Str, .. }) => Value::Str(cell.into()),
                (cell, Column { required, .. }) if cell.trim().is_empty() => match required {
                    true => return Err(Refused::of(&Violation::Missing { field: name() })),
                    false => Value::Null,
                },
                (cell, Column { ty, .. }) => {
                    coerce_text(*ty, cell).map_err(|e| Refused::not_coerced(&name(), *ty, &e))?
                }
            };
            values.push(value);
        }
        match &self.always {
            Some(refused) => Err(refused.clone()),
            None => Ok(values),
        }
    }

    /// The same cells as text, for the record of a refused one.
    pub(crate) fn raw_row<'a>(&self, cells: impl Iterator<Item = &'a str>) -> Row {
        Row::new(Arc::clone(&self.shape), cells.map(|cell| Value::Str(cell.into())).collect())
    }
}

impl Refused {
    fn of(violation: &Violation) -> Self {
        let field = match violation {
            Violation::Missing { field } | Violation::Type { field, .. } | Violation::Extra { field } => {
                field
            }
        };
        Self { field: field.clone(), message: violation.to_string() }
    }

    fn not_coerced(field: &CompactString, expected: FieldType, why: &CoerceError) -> Self {
        Self { field: field.clone(), message: format!("field `{field}` must be {expected}: {why}") }
    }

    /// The reason for the record.
    pub(crate) fn reason(self, line: u64) -> ErrorReason {
        ErrorReason::new(FailureKind::SchemaViolation, self.message)
            .on_field(self.field.as_str())
            .at_line(line)
    }
}
