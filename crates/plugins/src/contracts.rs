//! What plugins that keep a row's fields and add some of their own promise of their output.

use elspeth_plugin::OptionError;
use elspeth_value::{Contract, FieldSpec, SchemaMode};

/// A field that a plugin adds, the option that says so, and what to do where rows have one of its name.
pub(crate) struct Added {
    pub(crate) field: FieldSpec,
    pub(crate) option: &'static str,
    pub(crate) else_write: &'static str,
}

impl Added {
    fn refused(&self) -> OptionError {
        let message = format!("there is a field `{}` already; {}", self.field.name, self.else_write);
        OptionError::new(self.option, message)
    }
}

/// The contract of rows of `input` without the field `removed` and with the fields `added` behind the others.
///
/// # Errors
/// Every added field of whose name such rows have one already.
pub(crate) fn with_fields(
    input: &Contract,
    removed: Option<&str>,
    added: Vec<Added>,
) -> Result<Contract, Vec<OptionError>> {
    let mut output = input.clone();
    output.required_fields.clear();
    if let Some(removed) = removed {
        output.fields.retain(|field| field.name != removed);
        output.guaranteed_fields.retain(|name| name != removed);
        output.audit_fields.retain(|name| name != removed);
    }
    let is_taken = |field: &FieldSpec| {
        output.field(&field.name).is_some() || output.guaranteed_fields.contains(&field.name)
    };
    let taken = added.iter().filter(|added| is_taken(&added.field));
    let errors: Vec<_> = taken.map(Added::refused).collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    // Where nothing is promised yet, a promise of these would deny all others.
    let says_something = !input.fields.is_empty() || !input.guaranteed_fields.is_empty();
    if input.mode != SchemaMode::Observed || says_something {
        output.fields.extend(added.into_iter().map(|added| added.field));
    }
    Ok(output)
}
