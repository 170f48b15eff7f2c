use std::collections::HashSet;

use elspeth_contracts::Determinism;
use elspeth_plugin::{PluginInfo, PluginKind, Registry};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::texts;
use crate::Settings;

/// Keyword that says of which kind the plugin is that a value names.
pub(super) const PLUGIN_KIND: &str = "x-elspeth-plugin-kind";

const INVALID: &str = "on_validation_failure";

/// The JSON Schema (2020-12) of settings files, with the options of every plugin that the registry knows.
#[must_use]
pub fn json_schema(registry: &Registry) -> Value {
    let mut schema = with_options(without_options(), registry, |_| true);
    texts::admit(&mut schema);
    schema
}

/// The same without options of plugins.
pub(crate) fn without_options() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut root = generator.into_root_schema_for::<Settings>().to_value();
    if let Some(exporter) = root.pointer_mut("/$defs/ExporterSettings") {
        exporter["allOf"] = exporter_options();
    }
    root
}

/// Adds what the plugins are called, and the options of those that are `wanted`: to check a file that names two of them
/// takes no more.
pub(crate) fn with_options(
    mut root: Value,
    registry: &Registry,
    wanted: impl Fn(&PluginInfo) -> bool,
) -> Value {
    let places = [
        ("SourceSettings", PluginKind::Source),
        ("TransformSettings", PluginKind::Transform),
        ("AggregationSettings", PluginKind::Aggregation),
        ("SinkSettings", PluginKind::Sink),
    ];
    for (definition, kind) in places {
        let infos: Vec<&PluginInfo> = registry.infos().filter(|info| info.kind == kind).collect();
        let mut definitions = Map::new();
        let described = infos.iter().filter(|info| wanted(info));
        let parts: Vec<Value> = described.map(|info| condition(info, &mut definitions)).collect();
        name_plugins(&mut root, definition, kind, &infos);
        if let Some(node) = root.pointer_mut(&format!("/$defs/{definition}"))
            && !parts.is_empty()
        {
            node["allOf"] = Value::Array(parts);
        }
        if let Some(all) = root.pointer_mut("/$defs").and_then(Value::as_object_mut) {
            all.extend(definitions);
        }
    }
    root
}

/// The names that stand anywhere where a plugin is named.
pub(crate) fn named_plugins(settings: &Value) -> HashSet<String> {
    fn collect(value: &Value, names: &mut HashSet<String>) {
        match value {
            Value::Object(map) => {
                names.extend(map.get("plugin").and_then(Value::as_str).map(str::to_owned));
                map.values().for_each(|item| collect(item, names));
            }
            Value::Array(list) => list.iter().for_each(|item| collect(item, names)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut names = HashSet::new();
    collect(settings, &mut names);
    names
}

/// The options of the telemetry exporters that there are.
fn exporter_options() -> Value {
    let otlp = json!({
        "type": "object",
        "properties": {
            "endpoint": {"type": "string", "default": "http://localhost:4318", "description": "The collector; without a path, `/v1/traces` is added."},
            "headers": {"type": "object", "additionalProperties": {"type": "string"}, "description": "Headers that every request bears."},
            "timeout_seconds": {"type": "number", "exclusiveMinimum": 0, "default": 10, "description": "After so long a request counts as failed."},
            "batch_size": {"type": "integer", "minimum": 1, "default": 512, "description": "The most spans in one request."},
        },
        "additionalProperties": false,
    });
    let console = json!({
        "type": "object",
        "properties": {
            "format": {"enum": ["json", "pretty"], "default": "json", "description": "One JSON object a line, or one line for people."},
            "output": {"enum": ["stderr", "stdout"], "default": "stderr", "description": "Under `--json`, which keeps stdout for the answer, stderr in any case."},
        },
        "additionalProperties": false,
    });
    let part = |name: &str, options: Value| {
        json!({
            "if": {"properties": {"name": {"const": name}}, "required": ["name"]},
            "then": {"properties": {"options": options}},
        })
    };
    json!([part("otlp", otlp), part("console", console)])
}

/// Lists the plugins where one is named. Aggregations are left open as long as there are none.
fn name_plugins(root: &mut Value, definition: &str, kind: PluginKind, infos: &[&PluginInfo]) {
    let Some(plugin) = root.pointer_mut(&format!("/$defs/{definition}/properties/plugin")) else { return };
    plugin[PLUGIN_KIND] = json!(kind.to_string());
    if !infos.is_empty() {
        plugin["enum"] = infos.iter().map(|info| info.name).collect();
    }
}

/// `if` the plugin is this one, `then` the options are its own.
fn condition(info: &PluginInfo, definitions: &mut Map<String, Value>) -> Value {
    let mut options = Value::clone(&info.options_schema);
    let prefix = format!("{}_{}_", info.kind, info.name);
    rename_references(&mut options, &prefix);
    if let Some(object) = options.as_object_mut() {
        object.remove("$schema");
        for (name, schema) in
            object.remove("$defs").and_then(|d| d.as_object().cloned()).into_iter().flatten()
        {
            definitions.insert(format!("{prefix}{name}"), schema);
        }
    }
    add_shared_options(info, &mut options);
    let needs_options =
        options.get("required").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    let mut then = json!({"properties": {"options": options}});
    if needs_options {
        then["required"] = json!(["options"]);
    }
    json!({"if": {"properties": {"plugin": {"const": info.name}}, "required": ["plugin"]}, "then": then})
}

/// Options that the engine reads itself, whatever the plugin.
fn add_shared_options(info: &PluginInfo, options: &mut Value) {
    if info.kind != PluginKind::Source {
        return;
    }
    let Some(map) = options.as_object_mut() else { return };
    let properties = map.entry("properties").or_insert_with(|| json!({}));
    let says = "Sink for records that do not meet the schema, or `discard`.";
    properties[INVALID] = json!({"type": "string", "minLength": 1, "description": says});
    // A source of outside data needs the choice in writing; nothing is dropped by default.
    let required = map.entry("required").or_insert_with(|| json!([]));
    if info.determinism != Determinism::Deterministic
        && let Some(list) = required.as_array_mut()
        && !list.contains(&json!(INVALID))
    {
        list.push(json!(INVALID));
    }
}

fn rename_references(schema: &mut Value, prefix: &str) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get_mut("$ref")
                && let Some(name) = reference.strip_prefix("#/$defs/")
            {
                *reference = format!("#/$defs/{prefix}{name}");
            }
            map.values_mut().for_each(|item| rename_references(item, prefix));
        }
        Value::Array(list) => list.iter_mut().for_each(|item| rename_references(item, prefix)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
