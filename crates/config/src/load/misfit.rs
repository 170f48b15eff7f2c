//! Which options are to blame when a plugin cannot work on the rows that come to it.

use elspeth_graph::spec::Misfit;
use elspeth_graph::{SettingPath, advise};
use elspeth_plugin::OptionError;
use elspeth_value::{Contract, SchemaMode};

/// What a plugin with options at `at` says of rows of `input`, with the nearest field where there is none of a name.
pub(super) fn misfits(errors: Vec<OptionError>, at: &SettingPath, input: &Contract) -> Vec<Misfit> {
    let of = |OptionError { path, message, help }: OptionError| {
        let field = field_in(&message).unwrap_or_default();
        let is_absent = input.mode == SchemaMode::Fixed && input.field(field).is_none() && !field.is_empty();
        let fields = input.fields.iter().map(|field| field.name.as_str());
        let help = help.or_else(|| is_absent.then(|| advise(field, "fields", fields)));
        let at = (!path.is_empty()).then(|| place(&path, field, at));
        Misfit { message, help, at }
    };
    errors.into_iter().map(of).collect()
}

/// Of a mapping by fields, the key.
fn place(path: &str, field: &str, at: &SettingPath) -> SettingPath {
    let at = at.child(path);
    let rest = path.split_once('.').and_then(|(_, inner)| inner.strip_prefix(field));
    let is_key = !field.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    if is_key { at.key() } else { at }
}

/// The name in the words "field `name`".
fn field_in(message: &str) -> Option<&str> {
    let (_, after) = message.split_once("field `")?;
    after.split_once('`').map(|(name, _)| name)
}
