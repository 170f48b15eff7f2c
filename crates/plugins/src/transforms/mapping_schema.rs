//! What is known of a field mapper's output before any row comes.

use compact_str::CompactString;
use elspeth_expr::{ExprError, ExprType};
use elspeth_plugin::OptionError;
use elspeth_value::{Contract, FieldSpec, FieldType, SchemaMode};

use super::field_mapper::{Computed, Entry, Mapping};

/// The contract of the output when rows of `input` come in.
///
/// # Errors
/// Every mapped field that such rows cannot have although all must be there, every expression that they cannot be computed
/// by, and every name that two fields would have.
pub(crate) fn output_contract(mapping: &Mapping, input: &Contract) -> Result<Contract, Vec<OptionError>> {
    let mut errors = Vec::new();
    let mapped = mapping.entries.iter().map(|entry| {
        let field = mapped_field(mapping, entry, input);
        field.map_err(|message| errors.push(OptionError::new(format!("mapping.{}", entry.source), message)))
    });
    let mut added: Vec<FieldSpec> = mapped.filter_map(Result::ok).collect();
    for computed in &mapping.computed {
        match computed.expression.check(input) {
            Ok(ty) => {
                added.push(FieldSpec { name: computed.target.clone(), ty: field_type(ty), required: true });
            }
            Err(found) => errors.extend(found.into_iter().map(|error| unfit(computed, error))),
        }
    }
    if !mapping.select_only {
        errors.extend(clashes(mapping, input, &added));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    if mapping.select_only {
        let audit_fields = input.audit_fields.iter().filter_map(|name| selected(mapping, name)).collect();
        return Ok(Contract { mode: SchemaMode::Fixed, fields: added, audit_fields, ..Contract::observed() });
    }
    Ok(kept_and_added(mapping, input, added))
}

/// What is wrong with an expression for these rows.
fn unfit(computed: &Computed, error: ExprError) -> OptionError {
    let message = format!("computing `{}`: {}", computed.target, error.message);
    OptionError { path: format!("computed.{}", computed.target), message, help: error.help }
}

/// The target of one entry, as far as the source is known.
fn mapped_field(mapping: &Mapping, entry: &Entry, input: &Contract) -> Result<FieldSpec, String> {
    let head = entry.head();
    let known = input.field(head);
    if mapping.strict && is_absent(entry, input) {
        return Err(format!("mapping names the field `{head}`, which these rows cannot have"));
    }
    let guaranteed = input.guaranteed_fields.iter().any(|name| name == head);
    let (ty, required) = match (known, &entry.path) {
        (Some(spec), Some(_)) if spec.ty != FieldType::Any => {
            return Err(format!(
                "mapping looks for `{}` inside of the field `{head}`, which is {}",
                entry.source, spec.ty
            ));
        }
        (_, Some(_)) => (FieldType::Any, mapping.strict),
        (Some(spec), None) => (spec.ty, spec.required || guaranteed || mapping.strict),
        (None, None) => (FieldType::Any, guaranteed || mapping.strict),
    };
    Ok(FieldSpec { name: entry.target.clone(), ty, required })
}

/// Whether no row has the source, so that the entry is skipped.
fn is_absent(entry: &Entry, input: &Contract) -> bool {
    input.mode == SchemaMode::Fixed && input.field(entry.head()).is_none()
}

/// New names that fields which are kept have already.
fn clashes(mapping: &Mapping, input: &Contract, added: &[FieldSpec]) -> Vec<OptionError> {
    let moved = |name: &str| mapping.entries.iter().any(|e| e.path.is_none() && e.source == name);
    let known = || input.fields.iter().map(|f| &f.name).chain(&input.guaranteed_fields);
    let taken = |f: &&FieldSpec| known().any(|name| *name == f.name && !moved(name));
    let mut errors = Vec::new();
    for FieldSpec { name, .. } in added.iter().filter(taken) {
        let entry = mapping.entries.iter().find(|e| e.target == *name);
        if entry.is_some_and(|entry| is_absent(entry, input)) {
            continue;
        }
        let path = match entry {
            Some(entry) => format!("mapping.{}", entry.source),
            None => format!("computed.{name}"),
        };
        let message =
            format!("there is a field `{name}` already; rename that one too, or choose another name");
        errors.push(OptionError::new(path, message));
    }
    errors
}

/// For mappings that keep what they do not name.
fn kept_and_added(mapping: &Mapping, input: &Contract, added: Vec<FieldSpec>) -> Contract {
    let mut fields: Vec<FieldSpec> = Vec::new();
    for spec in &input.fields {
        let position = mapping.entries.iter().position(|e| e.path.is_none() && e.source == spec.name);
        fields.push(position.map_or_else(|| spec.clone(), |n| added[n].clone()));
    }
    let new: Vec<FieldSpec> =
        added.into_iter().filter(|f| fields.iter().all(|known| known.name != f.name)).collect();
    let rename =
        |names: &[CompactString]| names.iter().map(|name| renamed(mapping, name)).collect::<Vec<_>>();
    let mut guaranteed_fields = rename(&input.guaranteed_fields);
    let says_something = !input.fields.is_empty() || !input.guaranteed_fields.is_empty();
    match input.mode {
        SchemaMode::Fixed | SchemaMode::Flexible => fields.extend(new),
        // Nothing is known of the fields that are not named, so the new ones are promised and not declared; and where
        // nothing is promised yet, a promise of these would deny all others.
        SchemaMode::Observed if says_something => {
            let promised = new.into_iter().filter(|f| f.required).map(|f| f.name);
            let promised: Vec<_> = promised.filter(|name| !guaranteed_fields.contains(name)).collect();
            guaranteed_fields.extend(promised);
        }
        SchemaMode::Observed => {}
    }
    Contract {
        mode: input.mode,
        fields,
        guaranteed_fields,
        required_fields: Vec::new(),
        audit_fields: rename(&input.audit_fields),
    }
}

fn selected(mapping: &Mapping, name: &str) -> Option<CompactString> {
    mapping.entries.iter().find(|e| e.path.is_none() && e.source == name).map(|e| e.target.clone())
}

fn renamed(mapping: &Mapping, name: &CompactString) -> CompactString {
    selected(mapping, name).unwrap_or_else(|| name.clone())
}

fn field_type(ty: ExprType) -> FieldType {
    match ty {
        ExprType::Bool => FieldType::Bool,
        ExprType::Int => FieldType::Int,
        ExprType::Float => FieldType::Float,
        ExprType::Str => FieldType::Str,
        ExprType::Unknown | ExprType::Null | ExprType::List | ExprType::Map => FieldType::Any,
    }
}
