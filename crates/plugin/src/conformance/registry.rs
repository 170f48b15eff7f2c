use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{OptionError, PluginInfo, PluginKind, Registry};

/// Every plugin describes itself and its options, and refuses options that it does not have.
///
/// # Panics
/// When one does not; the message names it.
pub fn check_registry(registry: &Registry) {
    let mut seen = BTreeSet::new();
    for info in registry.infos() {
        let who = format!("{} `{}`", info.kind, info.name);
        assert!(seen.insert((info.kind, info.name)), "{who} is registered twice");
        check_description(info, &who);
        check_unknown_option(registry, info, &who);
    }
}

fn check_description(info: &PluginInfo, who: &str) {
    assert!(info.summary.ends_with('.'), "{who} has no summary sentence");
    assert_eq!(
        info.version.split('.').filter(|part| part.parse::<u32>().is_ok()).count(),
        3,
        "{who} has no version"
    );
    assert!(info.example.contains(info.name), "{who} has no example of itself");
    let Some(Value::Object(options)) = info.options_schema.get("properties") else {
        panic!("{who} does not describe its options")
    };
    for (name, option) in options {
        let described = option.get("description").or_else(|| option.get("$ref")).is_some();
        assert!(described, "{who} does not describe its option `{name}`");
    }
    assert_eq!(
        info.options_schema.get("additionalProperties"),
        Some(&json!(false)),
        "{who} allows any option"
    );
}

fn check_unknown_option(registry: &Registry, info: &PluginInfo, who: &str) {
    const UNKNOWN: &str = "surely_no_option";
    let options = json!({ UNKNOWN: 1 });
    let errors: Vec<OptionError> = match info.kind {
        PluginKind::Source => registry.source(info.name).map(|make| make(&options).err().unwrap_or_default()),
        PluginKind::Transform => {
            registry.transform(info.name).map(|make| make(&options).err().unwrap_or_default())
        }
        PluginKind::Sink => registry.sink(info.name).map(|make| make(&options).err().unwrap_or_default()),
        PluginKind::Aggregation => {
            registry.aggregation(info.name).map(|make| make(&options).err().unwrap_or_default())
        }
    }
    .unwrap_or_else(|e| panic!("{who} is described but cannot be made: {e}"));
    let error = errors.iter().find(|e| e.path == UNKNOWN);
    let help = error
        .unwrap_or_else(|| panic!("{who} takes an option that it does not have: {errors:?}"))
        .help
        .clone();
    let Some(Value::Object(known)) = info.options_schema.get("properties") else { return };
    for name in known.keys() {
        let listed = help.as_ref().is_some_and(|help| help.contains(&format!("`{name}`")));
        assert!(listed, "{who} does not list its option `{name}` when it refuses another");
    }
}
