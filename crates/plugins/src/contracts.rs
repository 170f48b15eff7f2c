//! What plugins that keep a row's fields and add some of their own promise of their output.

use elspeth_value::{Contract, FieldSpec, SchemaMode};

/// A field that a plugin adds, and what to do where rows have one of its name.
pub(crate) struct Added {
    pub(crate) field: FieldSpec,
    pub(crate) else_write: &'static str,
}

/// The contract of rows of `input` without the field `removed` and with the fields `added` behind the others.
///
/// # Errors
/// A sentence, when such rows have a field of an added one's name already.
pub(crate) fn with_fields(
    input: &Contract,
    removed: Option<&str>,
    added: Vec<Added>,
) -> Result<Contract, String> {
    let mut output = input.clone();
    output.required_fields.clear();
    if let Some(removed) = removed {
        output.fields.retain(|field| field.name != removed);
        output.guaranteed_fields.retain(|name| name != removed);
        output.audit_fields.retain(|name| name != removed);
    }
    for Added { field, else_write } in &added {
        if output.field(&field.name).is_some() || output.guaranteed_fields.contains(&field.name) {
            return Err(format!("there is a field `{}` already; {else_write}", field.name));
        }
    }
    // Where nothing is promised yet, a promise of these would deny all others.
    let says_something = !input.fields.is_empty() || !input.guaranteed_fields.is_empty();
    if input.mode != SchemaMode::Observed || says_something {
        output.fields.extend(added.into_iter().map(|added| added.field));
    }
    Ok(output)
}
