//! The `headers` option of file sinks: how a field is called in the output.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use compact_str::CompactString;
use elspeth_contracts::RowIndex;
use elspeth_plugin::OptionError;
use elspeth_value::{Contract, FieldResolution};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

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

/// The names of fields in one run's output, both ways. A field keeps the name under which it was written first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Headers {
    by_field: HashMap<String, String>,
    /// Where the source's own headers are wanted.
    original: Option<Original>,
}

/// How far the source's headers are in use.
#[derive(Debug, Clone, Default)]
struct Original {
    resolution: Arc<FieldResolution>,
    at: HeadersPosition,
}

/// Where a sink that goes on has its names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct HeadersPosition {
    /// So many of the source's headers were in use.
    known: usize,
    /// Fields that were written before the source had them, if it ever has: they keep their own names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    own: Vec<CompactString>,
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

    /// The names for one run, as they are before its first row.
    pub(crate) fn resolve(&self, resolution: &Arc<FieldResolution>) -> Headers {
        match self {
            Self::Normalized => Headers::default(),
            Self::Original => {
                let original =
                    Original { resolution: Arc::clone(resolution), at: HeadersPosition::default() };
                let mut headers = Headers { by_field: HashMap::new(), original: Some(original) };
                headers.know(resolution.known_at(0));
                headers
            }
            Self::Custom(map) => Headers { by_field: map.clone().into_iter().collect(), original: None },
        }
    }
}

impl Headers {
    /// The same as they were at that position.
    pub(crate) fn at(mut self, position: Option<HeadersPosition>) -> Self {
        if let Some(HeadersPosition { known, own }) = position {
            // First: what was written keeps its name.
            self.keep(&own);
            self.know(known);
        }
        self
    }

    /// What [`Headers::at`] needs.
    pub(crate) fn position(&self) -> Option<HeadersPosition> {
        self.original.as_ref().map(|original| original.at.clone())
    }

    /// The source has further headers; they are not in use yet.
    pub(crate) fn learn(&mut self, resolution: &Arc<FieldResolution>) {
        if let Some(original) = &mut self.original {
            original.resolution = Arc::clone(resolution);
        }
    }

    /// The next row to be written comes from this one of the source; whether there are further names with it.
    pub(crate) fn advance(&mut self, row: RowIndex) -> bool {
        let Some(Original { resolution, at }) = &self.original else { return false };
        let known = if at.known < resolution.fields.len() { resolution.known_at(row.get()) } else { 0 };
        known > at.known && {
            self.know(known);
            true
        }
    }

    /// These fields were written.
    pub(crate) fn keep<'a>(&mut self, fields: impl IntoIterator<Item = &'a CompactString>) {
        let Some(original) = &mut self.original else { return };
        for field in fields {
            if !self.by_field.contains_key(field.as_str()) {
                self.by_field.insert(field.to_string(), field.to_string());
                original.at.own.push(field.clone());
            }
        }
    }

    /// How many fields have kept names that the source does not know.
    pub(crate) fn own(&self) -> usize {
        self.original.as_ref().map_or(0, |original| original.at.own.len())
    }

    /// From now on, so many of the source's headers are in use.
    fn know(&mut self, known: usize) {
        let Some(Original { resolution, at }) = &mut self.original else { return };
        for (header, field) in resolution.fields.iter().take(known).skip(at.known) {
            self.by_field.entry(field.to_string()).or_insert_with(|| header.clone());
        }
        at.known = at.known.max(known);
    }

    /// How `field` is called in the output.
    pub(crate) fn of<'a>(&'a self, field: &'a str) -> &'a str {
        self.by_field.get(field).map_or(field, String::as_str)
    }

    /// Whether the source may still tell which header a field has.
    pub(crate) fn is_awaited(&self, field: &str) -> bool {
        self.original.is_some() && !self.by_field.contains_key(field)
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
                {"type": "string", "enum": ["normalized", "original"]},
                {"type": "object", "additionalProperties": {"type": "string"}}
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use elspeth_value::FieldsGrown;

    use super::*;

    /// Record 0 has `Full Name`, record 2 brings `Phone No.`, record 4 `Tele-Fax`.
    fn resolution() -> Arc<FieldResolution> {
        let fields = [("Full Name", "full_name"), ("Phone No.", "phone_no"), ("Tele-Fax", "tele_fax")];
        let fields = fields.map(|(header, field)| (header.to_owned(), field.into())).to_vec();
        let grown = vec![FieldsGrown { record: 2, fields: 1 }, FieldsGrown { record: 4, fields: 2 }];
        Arc::new(FieldResolution { fields, grown })
    }

    fn row(index: u64) -> RowIndex {
        RowIndex::new(index).unwrap()
    }

    fn shown(headers: &Headers) -> [&str; 3] {
        ["full_name", "phone_no", "tele_fax"].map(|field| headers.of(field))
    }

    #[test]
    fn a_header_is_in_use_from_the_first_row_that_can_have_it_however_early_it_is_told() {
        let mut headers = HeadersOption::Original.resolve(&resolution());
        assert_eq!(shown(&headers), ["Full Name", "phone_no", "tele_fax"]);
        assert!(!headers.advance(row(1)));
        assert!(headers.advance(row(2)));
        assert_eq!(shown(&headers), ["Full Name", "Phone No.", "tele_fax"]);
        assert!(headers.advance(row(9)));
        assert_eq!(shown(&headers), ["Full Name", "Phone No.", "Tele-Fax"]);
    }

    #[test]
    fn a_field_that_was_written_before_the_source_had_it_keeps_its_name_also_after_a_stop() {
        let mut headers = HeadersOption::Original.resolve(&resolution());
        headers.keep([&"full_name".into(), &"phone_no".into()]);
        headers.advance(row(2));
        let went_on = HeadersOption::Original.resolve(&resolution()).at(headers.position());
        for mut headers in [headers, went_on] {
            assert_eq!(shown(&headers), ["Full Name", "phone_no", "tele_fax"]);
            headers.advance(row(4));
            assert_eq!(shown(&headers), ["Full Name", "phone_no", "Tele-Fax"]);
        }
    }

    #[test]
    fn other_names_need_no_position() {
        let custom = HeadersOption::Custom([("a".to_owned(), "A".to_owned())].into());
        for option in [HeadersOption::Normalized, custom] {
            let mut headers = option.resolve(&resolution());
            assert!(!headers.advance(row(9)));
            assert_eq!((headers.position(), headers.of("phone_no")), (None, "phone_no"));
        }
    }
}
