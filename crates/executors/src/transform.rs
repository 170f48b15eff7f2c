use std::sync::Arc;

use elspeth_contracts::{EdgeNo, ErrorReason, FailureKind};
use elspeth_plugin::{Transform, TransformContext, TransformOutput};
use elspeth_value::{Contract, Row, SchemaMode, Violation};

use crate::{Scratch, StepExecutor, Verdict, Visit, caught};

/// Runs a transform plugin: checks its input, catches its panics, hashes its output.
pub struct TransformExecutor {
    name: String,
    plugin_name: String,
    plugin: Arc<dyn Transform>,
    input: Option<Contract>,
    on_success: EdgeNo,
}

impl TransformExecutor {
    /// An executor for the plugin of the node `name`, whose outputs go along `on_success`.
    #[must_use]
    pub fn new(name: &str, plugin_name: &str, plugin: Arc<dyn Transform>, on_success: EdgeNo) -> Self {
        let contract = plugin.input_contract();
        let says_something = contract.mode != SchemaMode::Observed
            || !contract.fields.is_empty()
            || !contract.required_fields.is_empty();
        let input = says_something.then_some(contract);
        Self { name: name.to_owned(), plugin_name: plugin_name.to_owned(), plugin, input, on_success }
    }

    fn check(&self, row: &Row) -> Result<(), ErrorReason> {
        match &self.input {
            None => Ok(()),
            Some(contract) => contract.check(row).map_err(|violation| violation_reason(&violation)),
        }
    }

    fn call(&self, row: Row, visit: &Visit<'_>) -> Result<TransformOutput, ErrorReason> {
        let context = TransformContext {
            run_id: visit.run_id,
            token: visit.token,
            node: &self.name,
            attempt: visit.attempt,
        };
        caught(&self.plugin_name, || self.plugin.process(row, &context))?
    }
}

impl StepExecutor for TransformExecutor {
    fn execute(&self, row: Row, visit: &Visit<'_>, scratch: &mut Scratch) -> Verdict {
        if let Err(reason) = self.check(&row) {
            return Verdict::Failed { row, reason };
        }
        // The plugin consumes its row, but a failure must still have it to send to `on_error`.
        let kept = row.clone();
        let edge = self.on_success;
        match self.call(row, visit) {
            Ok(TransformOutput::Unchanged(row)) => {
                Verdict::Forward { row, output_hash: None, edge, decided: false }
            }
            Ok(TransformOutput::One(row)) => {
                match row.content_hash(visit.hash_version, &mut scratch.canonical) {
                    Ok(hash) => Verdict::Forward { row, output_hash: Some(hash), edge, decided: false },
                    Err(error) => {
                        failed(kept, FailureKind::Unhashable, format!("output cannot be hashed: {error}"))
                    }
                }
            }
            Ok(TransformOutput::Many(_)) => {
                let message = format!(
                    "plugin `{}` returned several rows without declaring that it may",
                    self.plugin_name
                );
                failed(kept, FailureKind::PluginContract, message)
            }
            Err(reason) => Verdict::Failed { row: kept, reason },
        }
    }
}

fn failed(row: Row, kind: FailureKind, message: String) -> Verdict {
    Verdict::Failed { row, reason: ErrorReason::new(kind, message) }
}

fn violation_reason(violation: &Violation) -> ErrorReason {
    let (kind, field) = match violation {
        Violation::Missing { field } | Violation::Extra { field } => (FailureKind::SchemaViolation, field),
        Violation::Type { field, .. } => (FailureKind::TypeMismatch, field),
    };
    ErrorReason::new(kind, violation.to_string()).on_field(field.as_str())
}
