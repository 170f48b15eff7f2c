use std::sync::Arc;

use elspeth_canonical::{CanonicalError, ContentHash, HashVersion};
use elspeth_contracts::{EdgeNo, ErrorReason, FailureKind, TokenKey};
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
        caught(&self.plugin_name, || {
            self.check(&row)?;
            self.plugin.process(row, &context)
        })?
    }
}

impl TransformExecutor {
    /// The rows of an expansion with their hashes, if the plugin may expand and they can be hashed.
    fn expanded(
        &self,
        rows: Vec<Row>,
        version: HashVersion,
        scratch: &mut Scratch,
    ) -> Result<Vec<(Row, ContentHash)>, ErrorReason> {
        let lied = |what: &str| {
            let message = format!("plugin `{}` {what}", self.plugin_name);
            Err(ErrorReason::new(FailureKind::PluginContract, message))
        };
        if !self.plugin.expands() {
            return lied("returned several rows without declaring that it may");
        }
        if rows.is_empty() {
            return lied("returned no row; a row that should not go on is an error");
        }
        if rows.len() >= TokenKey::ORDINAL_LIMIT as usize {
            let message = format!(
                "{} rows of one are too many; the limit is {}",
                rows.len(),
                TokenKey::ORDINAL_LIMIT - 1
            );
            return Err(ErrorReason::new(FailureKind::LimitExceeded, message));
        }
        let hashed = rows.into_iter().map(|row| {
            let hash =
                row.content_hash(version, &mut scratch.canonical).map_err(|error| unhashable(&error))?;
            Ok((row, hash))
        });
        hashed.collect()
    }
}

fn unhashable(error: &CanonicalError) -> ErrorReason {
    ErrorReason::new(FailureKind::Unhashable, format!("output cannot be hashed: {error}"))
}

impl StepExecutor for TransformExecutor {
    fn execute(&self, row: Row, visit: &Visit<'_>, scratch: &mut Scratch) -> Verdict {
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
                    Err(error) => Verdict::Failed { row: kept, reason: unhashable(&error) },
                }
            }
            Ok(TransformOutput::Many(rows)) => match self.expanded(rows, visit.hash_version, scratch) {
                Ok(rows) => Verdict::Expanded { row: kept, rows, edge },
                Err(reason) => Verdict::Failed { row: kept, reason },
            },
            Err(reason) => Verdict::Failed { row: kept, reason },
        }
    }
}

pub(crate) fn violation_reason(violation: &Violation) -> ErrorReason {
    let (kind, field) = match violation {
        Violation::Missing { field } | Violation::Extra { field } => (FailureKind::SchemaViolation, field),
        Violation::Type { field, .. } => (FailureKind::TypeMismatch, field),
    };
    ErrorReason::new(kind, violation.to_string()).on_field(field.as_str())
}
