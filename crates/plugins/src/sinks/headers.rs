//! The `headers` option of file sinks: how a field is called in the output.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;

use elspeth_plugin::OptionError;
use elspeth_value::{Contract, FieldResolution};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, Visitor};

/// What the settings say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum HeadersOption {
    /// The fields' own names.
    #[default]
    Normalized,
    /// The names that the source's headers had.
    Original,
    /// These; other fields keep their names.
    Custom(BTreeMap<String, String>),
}

/// The names of fields in one run's output, both ways.
#[derive(Debug, Clone, Default)]
pub(crate) struct Headers {
    by_field: HashMap<String, String>,
}

impl HeadersOption {
    /// Whether the custom names are distinct, and those of fields that can come: `only` these, where a schema says so.
    pub(crate) fn check(&self, only: Option<&Contract>) -> Result<(), OptionError> {
        let Self::Custom(map) = self else { return Ok(()) };
        let strange = |(field, _): &(&String, &String)| only.is_some_and(|only| only.field(field).is_none());
        if let (Some((field, _)), Some(only)) = (map.iter().find(strange), only) {
            let message = format!("there is no field `{field}` in the schema, which is fixed");
            let known =
                only.fields.iter().map(|field| format!("`{}`", field.name)).collect::<Vec<_>>().join(", ");
            return Err(OptionError::new(format!("headers.{field}"), message)
                .with_help(format!("the names before the colons are those of fields: {known}")));
        }
        let mut seen = HashMap::new();
        for (field, header) in map {
            if let Some(other) = seen.insert(header, field) {
                let message = format!("`{other}` and `{field}` would both be called `{header}`");
                return Err(OptionError::new(format!("headers.{field}"), message));
            }
        }
        Ok(())
    }

    /// The names for one run.
    pub(crate) fn resolve(&self, resolution: &FieldResolution) -> Headers {
        let mut by_field = HashMap::new();
        match self {
            Self::Normalized => {}
            Self::Original => {
                for (original, field) in &resolution.fields {
                    by_field.entry(field.to_string()).or_insert_with(|| original.clone());
                }
            }
            Self::Custom(map) => {
                by_field.extend(map.iter().map(|(field, header)| (field.clone(), header.clone())))
            }
        }
        Headers { by_field }
    }
}

impl Headers {
    /// How `field` is called in the output.
    pub(crate) fn of<'a>(&'a self, field: &'a str) -> &'a str {
        self.by_field.get(field).map_or(field, String::as_str)
    }

    /// Which field is called `header` in the output.
    pub(crate) fn field_of<'a>(&'a self, header: &'a str) -> &'a str {
        self.by_field.iter().find(|(_, h)| *h == header).map_or(header, |(field, _)| field.as_str())
    }

    /// Two of these fields that would be called the same, with that name.
    pub(crate) fn clash<'a>(
        &'a self,
        fields: impl IntoIterator<Item = &'a str>,
    ) -> Option<(&'a str, &'a str, &'a str)> {
        let mut seen = HashMap::new();
        fields.into_iter().find_map(|field| {
            let header = self.of(field);
            seen.insert(header, field).map(|other| (other, field, header))
        })
    }
}

impl<'de> Deserialize<'de> for HeadersOption {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(HeadersVisitor)
    }
}

struct HeadersVisitor;

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = HeadersOption;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`normalized`, `original` or a mapping of field names to headers")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<HeadersOption, E> {
        match word {
            "normalized" => Ok(HeadersOption::Normalized),
            "original" => Ok(HeadersOption::Original),
            other => Err(E::unknown_variant(other, &["normalized", "original"])),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<HeadersOption, A::Error> {
        let mut headers = BTreeMap::new();
        while let Some(field) = map.next_key::<String>()? {
            let header = map.next_value_seed(HeaderOf(&field))?;
            headers.insert(field, header);
        }
        Ok(HeadersOption::Custom(headers))
    }
}

/// The header of that field.
struct HeaderOf<'f>(&'f str);

impl<'de> DeserializeSeed<'de> for HeaderOf<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for HeaderOf<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "text (the header of `{}`; write it in quotes)", self.0)
    }

    fn visit_str<E: Error>(self, header: &str) -> Result<String, E> {
        Ok(header.to_owned())
    }
}

impl JsonSchema for HeadersOption {
    fn schema_name() -> Cow<'static, str> {
        "Headers".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "normalized: the fields' names; original: the source's headers; or a mapping {field: header}.",
            "default": "normalized",
            "anyOf": [
                {"enum": ["normalized", "original"]},
                {"type": "object", "additionalProperties": {"type": "string"}}
            ]
        })
    }
}
