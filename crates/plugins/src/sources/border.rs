//! Where outside data becomes pipeline data: checked and coerced once, against the schema or what was learnt.

use elspeth_contracts::{ErrorReason, FailureKind};
use elspeth_value::{Contract, RefusedRow, Row, SchemaMode, Violation};

/// Checks the rows of one source, and learns from the first valid one when the schema says so.
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

    /// What was learnt.
    pub(crate) fn learnt(&self) -> Option<&Contract> {
        self.learnt.as_ref()
    }

    /// Learns from a valid row.
    pub(crate) fn learn(&mut self, row: &Row) {
        if self.learnt.is_none() && self.declared.mode == SchemaMode::Observed {
            self.learnt = Some(self.declared.learn(row));
        }
    }

    /// Takes a row of parsed values.
    ///
    /// # Errors
    /// The first violation, with the row as it came.
    pub(crate) fn take(&mut self, row: Row) -> Result<Row, RefusedRow> {
        let row = self.learnt.as_ref().unwrap_or(&self.declared).coerce_row(row)?;
        self.learn(&row);
        Ok(row)
    }
}

/// The reason for the record of a row that begins on `line`.
pub(crate) fn violation_reason(violation: &Violation, line: u64) -> ErrorReason {
    let field = match violation {
        Violation::Missing { field } | Violation::Type { field, .. } | Violation::Extra { field } => field,
    };
    ErrorReason::new(FailureKind::SchemaViolation, violation.to_string())
        .on_field(field.as_str())
        .at_line(line)
}
