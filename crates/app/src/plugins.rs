use elspeth_plugin::{PluginInfo, Registry};
use serde::Serialize;
use serde_json::Value as Json;

use crate::AppError;

/// A plugin, as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PluginView {
    /// `source`, `transform`, `aggregation` or `sink`.
    pub kind: String,
    /// The name that settings use.
    pub name: String,
    /// Its version.
    pub version: String,
    /// One sentence.
    pub summary: String,
    /// What its output depends on.
    pub determinism: String,
    /// Whether it can continue at a recorded position.
    pub resumable: bool,
    /// Whether writing the same rows twice changes nothing.
    pub idempotent: bool,
    /// Its options.
    pub options: Vec<OptionView>,
    /// JSON Schema of its options.
    pub options_schema: Json,
    /// Settings that use it.
    pub example: String,
}

/// An option of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OptionView {
    /// Its name.
    pub name: String,
    /// Its type in JSON Schema's words.
    #[serde(rename = "type")]
    pub ty: String,
    /// Whether it must be given.
    pub required: bool,
    /// What holds when it is not given, as JSON.
    pub default: Option<String>,
    /// What it means.
    pub description: String,
}

/// Every plugin that this program ships.
#[must_use]
pub fn registry() -> Registry {
    elspeth_plugins::builtin()
}

/// All plugins by kind and name.
#[must_use]
pub fn plugins() -> Vec<PluginView> {
    registry().infos().map(view).collect()
}

/// The plugins of one name; several kinds can share one.
///
/// # Errors
/// [`AppError::NotFound`] with the names that exist.
pub fn plugins_named(name: &str) -> Result<Vec<PluginView>, AppError> {
    let found: Vec<_> = plugins().into_iter().filter(|p| p.name == name).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let mut known: Vec<_> = plugins().into_iter().map(|p| p.name).collect();
    known.dedup();
    known.sort();
    known.dedup();
    Err(AppError::NotFound {
        message: format!("there is no plugin `{name}`"),
        help: Some(format!("plugins are {}", known.join(", "))),
    })
}

/// JSON Schema of settings files.
#[must_use]
pub fn schema() -> Json {
    elspeth_config::json_schema(&registry())
}

fn view(info: &PluginInfo) -> PluginView {
    PluginView {
        kind: info.kind.to_string(),
        name: info.name.to_owned(),
        version: info.version.to_owned(),
        summary: info.summary.to_owned(),
        determinism: info.determinism.to_string(),
        resumable: info.resumable,
        idempotent: info.idempotent,
        options: options(&info.options_schema),
        options_schema: Json::clone(&info.options_schema),
        example: info.example.trim().to_owned(),
    }
}

fn options(schema: &Json) -> Vec<OptionView> {
    let required: Vec<_> =
        schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties
        .map(|(name, property)| OptionView {
            name: name.clone(),
            ty: type_of(property),
            required: required.contains(&name.as_str()),
            default: property.get("default").filter(|d| !d.is_null()).map(Json::to_string),
            description: one_line(property["description"].as_str().unwrap_or_default()),
        })
        .collect()
}

fn type_of(property: &Json) -> String {
    if let Some(values) = property["enum"].as_array() {
        return values.iter().filter_map(Json::as_str).collect::<Vec<_>>().join("|");
    }
    match &property["type"] {
        Json::String(ty) => ty.clone(),
        Json::Array(types) => {
            types.iter().filter_map(Json::as_str).filter(|t| *t != "null").collect::<Vec<_>>().join("|")
        }
        _ => "any".to_owned(),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
