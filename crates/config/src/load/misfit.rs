//! Which option is to blame when a plugin cannot work on the rows that come to it.

use elspeth_graph::spec::Misfit;
use elspeth_graph::{SettingPath, advise};
use elspeth_plugin::NamedField;
use elspeth_value::{Contract, SchemaMode};
use serde_json::Value;

use crate::settings::Options;

/// The options of one node that name fields.
pub(super) struct FieldOptions {
    at: SettingPath,
    named: Vec<NamedField>,
}

impl FieldOptions {
    /// Of a node whose options are at `at`. `named` is what the plugin says; options that are plain text may be names too.
    pub(super) fn new(options: &Options, at: SettingPath, mut named: Vec<NamedField>) -> Self {
        let text = |(option, value): (&String, &Value)| Some(NamedField::new(option, value.as_str()?));
        named.extend(options.iter().filter_map(text));
        Self { at, named }
    }

    /// What a plugin says of rows of `input`, at the option that names the field which it speaks of, with the nearest field
    /// where there is none of that name.
    pub(super) fn blamed(&self, message: String, input: &Contract) -> Misfit {
        let field = field_in(&message).unwrap_or_default();
        let at = self.named.iter().find(|named| named.field == field).map(|named| self.place(named));
        let is_absent = input.mode == SchemaMode::Fixed && input.field(field).is_none() && at.is_some();
        let names = input.fields.iter().map(|field| field.name.as_str());
        let help = is_absent.then(|| advise(field, "fields", names));
        Misfit { message, help, at }
    }

    /// Of a mapping by fields, the key.
    fn place(&self, named: &NamedField) -> SettingPath {
        let at = self.at.child(&named.option);
        let inner = named.option.split_once('.').map(|(_, inner)| inner);
        let rest = inner.and_then(|inner| inner.strip_prefix(named.field.as_str()));
        if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) { at.key() } else { at }
    }
}

/// The name in the words "field `name`".
fn field_in(message: &str) -> Option<&str> {
    let (_, after) = message.split_once("field `")?;
    after.split_once('`').map(|(name, _)| name)
}
