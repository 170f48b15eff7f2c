use std::sync::LazyLock;

use elspeth_graph::{SettingPath, nearest};
use serde_json::{Map, Value, json};

use super::bounds;
use super::compose::PLUGIN_KIND;
use super::words::{any_of, found, quoted_list, type_name};
use crate::finding::Finding;
use crate::secrets::is_secret_place;

/// What checking a value gives beside the repaired value.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    pub(crate) findings: Vec<Finding>,
    /// Paths of option mappings in which something is wrong; the plugin need not be asked about them.
    pub(crate) bad_options: Vec<String>,
    /// Settings in whose place stands something that the user did not write.
    pub(crate) repaired: Vec<SettingPath>,
}

/// Checks `value` by `schema` and reports everything that does not fit.
///
/// On the way the value is made one that does fit: numbers given as text become numbers, empty settings that may be
/// absent become absent, unknown keys are dropped, and what is missing or of a wrong type is filled with a stand-in, so that
/// whatever else is wrong can be found too.
pub(crate) fn check(schema: &Value, value: &mut Value) -> Checked {
    let mut checker = Checker { root: schema, done: Checked::default(), options: None };
    checker.value(schema, value, &SettingPath::default());
    checker.done
}

struct Checker<'s> {
    root: &'s Value,
    done: Checked,
    /// The path of the plugin's options that are being checked.
    options: Option<String>,
}

static NO_PROPERTIES: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);

/// How findings are called, in settings and in options of plugins.
struct Codes {
    unknown: &'static str,
    missing: &'static str,
    ill_typed: &'static str,
    what: &'static str,
}

const SETTING: Codes =
    Codes { unknown: "unknown-key", missing: "missing-key", ill_typed: "wrong-type", what: "setting" };
const OPTION: Codes =
    Codes { unknown: "unknown-option", missing: "missing-option", ill_typed: "wrong-option", what: "option" };

impl<'s> Checker<'s> {
    fn codes(&self) -> Codes {
        if self.options.is_some() { OPTION } else { SETTING }
    }

    fn report(&mut self, finding: Finding) {
        if let Some(options) = &self.options
            && !self.done.bad_options.contains(options)
        {
            self.done.bad_options.push(options.clone());
        }
        self.done.findings.push(finding);
    }

    fn value(&mut self, schema: &'s Value, value: &mut Value, path: &SettingPath) {
        let schema = resolve(self.root, schema);
        if let Some(alternatives) = alternatives(schema)
            && constants(schema).is_none()
        {
            return self.one_of(alternatives, value, path);
        }
        if !self.fits_type(schema, value, path) || !self.fits_constants(schema, value, path) {
            return;
        }
        self.fits_bounds(schema, value, path);
        match value {
            Value::Object(map) => self.object(schema, map, path),
            Value::Array(list) => {
                if let Some(items) = schema.get("items") {
                    for (index, item) in list.iter_mut().enumerate() {
                        self.value(items, item, &path.child(index));
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        self.conditions(schema, value, path);
    }

    /// `anyOf`: the first alternative that fits; else what is wrong by the one that comes nearest, of those that take values
    /// of that type.
    fn one_of(&mut self, alternatives: &'s [Value], value: &mut Value, path: &SettingPath) {
        let takes = |schema: &&Value| accepts(types(resolve(self.root, schema)), value);
        let (likely, others): (Vec<&Value>, Vec<&Value>) = alternatives.iter().partition(takes);
        let fits_some_type = !likely.is_empty();
        let count = if fits_some_type { likely.len() } else { others.len() };
        let mut best: Option<(Checked, Value)> = None;
        for (index, schema) in likely.into_iter().chain(others).enumerate() {
            let mut attempt = value.clone();
            let mut checker =
                Checker { root: self.root, done: Checked::default(), options: self.options.clone() };
            checker.value(schema, &mut attempt, path);
            if checker.done.findings.is_empty() {
                *value = attempt;
                return;
            }
            let nearer = |(done, _): &(Checked, Value)| checker.done.findings.len() < done.findings.len();
            if index < count && best.as_ref().is_none_or(nearer) {
                best = Some((checker.done, attempt));
            }
        }
        if !fits_some_type {
            let all: Vec<&str> = alternatives.iter().flat_map(|s| types(resolve(self.root, s))).collect();
            self.wrong_type((&Value::Null, &all), value, path);
        }
        if let Some((done, repaired)) = best {
            if fits_some_type {
                done.findings.into_iter().for_each(|f| self.report(f));
            }
            self.done.repaired.extend(done.repaired);
            *value = repaired;
        }
    }

    fn fits_type(&mut self, schema: &Value, value: &mut Value, path: &SettingPath) -> bool {
        let types = types(schema);
        if accepts(types.clone(), value) || coerce(&types, value) {
            return true;
        }
        self.wrong_type((schema, &types), value, path);
        self.done.repaired.push(path.clone());
        *value = stand_in(self.root, schema);
        false
    }

    fn wrong_type(&mut self, (schema, types): (&Value, &[&str]), value: &Value, path: &SettingPath) {
        let mut names: Vec<&str> = types.iter().filter(|t| **t != "null").map(|t| type_name(t)).collect();
        names.dedup();
        let subject = subject(path);
        let mut finding = Finding::new(
            self.codes().ill_typed,
            path.clone(),
            format!("{subject} must be {}, but is {}", any_of(&names), found(value, path)),
        );
        let names_null =
            schema.get("enum").and_then(Value::as_array).is_some_and(|names| names.contains(&json!("null")));
        if value.is_null() && names_null {
            finding = finding.help("an unquoted `null` means nothing; put it in quotes: `\"null\"`");
        } else if types.contains(&"string") && matches!(value, Value::Number(_) | Value::Bool(_)) {
            let shown = match value {
                _ if is_secret_place(path) => "***",
                // The words of the expression language.
                Value::Bool(true) if is_expression(path) => "True",
                Value::Bool(false) if is_expression(path) => "False",
                value => &value.to_string(),
            };
            finding = finding.help(format!("put it in quotes: `\"{shown}\"`"));
        }
        self.report(finding);
    }

    fn fits_constants(&mut self, schema: &Value, value: &mut Value, path: &SettingPath) -> bool {
        let Some(constants) = constants(schema) else { return true };
        if constants.contains(&&*value) {
            return true;
        }
        let names: Vec<&str> = constants.iter().filter_map(|c| c.as_str()).collect();
        let text = value.as_str().unwrap_or_default();
        let plugin = schema.get(PLUGIN_KIND).and_then(Value::as_str);
        let code = if self.options.is_some() { OPTION.ill_typed } else { "wrong-value" };
        let (code, message, what) = match plugin {
            Some(_) if text.is_empty() => {
                ("missing-key", format!("{} must not be empty", subject(path)), "there are")
            }
            Some(kind) => ("unknown-plugin", format!("there is no {kind} plugin `{text}`"), "there are"),
            None => {
                (code, format!("{} is not a value of {}", found(value, path), subject(path)), "write one of")
            }
        };
        let help = match nearest(text, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`? {what} {}", quoted_list(names.iter().copied())),
            None => format!("{what} {}", quoted_list(names.iter().copied())),
        };
        self.report(Finding::new(code, path.clone(), message).help(help));
        if plugin.is_none() {
            *value = constants[0].clone();
        }
        self.done.repaired.push(path.clone());
        false
    }

    fn fits_bounds(&mut self, schema: &Value, value: &mut Value, path: &SettingPath) {
        let Some(broken) = bounds::broken(schema, value, path) else { return };
        let code = if self.options.is_some() { OPTION.ill_typed } else { "out-of-range" };
        self.report(Finding::new(code, path.clone(), format!("{} {broken}", subject(path))));
        // A name that is none tells nothing about what is missing.
        if value.is_string() {
            self.done.repaired.push(path.clone());
        }
        *value = stand_in(self.root, schema);
    }

    fn object(&mut self, schema: &'s Value, map: &mut Map<String, Value>, path: &SettingPath) {
        let properties = schema.get("properties").and_then(Value::as_object);
        let known = properties.unwrap_or(&NO_PROPERTIES);
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        drop_empty(self.root, known, &required, map);
        let meant = self.unknown_keys(schema, known, map, path);
        for (key, item) in map.iter_mut() {
            let schema = properties.and_then(|p| p.get(key)).or_else(|| schema.get("additionalProperties"));
            if let Some(schema) = schema {
                self.value(schema, item, &path.child(key));
            }
        }
        self.missing_keys((known, &required, &meant), map, path);
    }

    /// Reports and drops keys that do not exist; gives the keys that were probably meant.
    fn unknown_keys(
        &mut self,
        schema: &Value,
        known: &Map<String, Value>,
        map: &mut Map<String, Value>,
        path: &SettingPath,
    ) -> Vec<String> {
        let mut meant = Vec::new();
        if schema.get("additionalProperties") != Some(&Value::Bool(false)) {
            return meant;
        }
        let unknown: Vec<String> = map.keys().filter(|key| !known.contains_key(*key)).cloned().collect();
        for key in unknown {
            map.remove(&key);
            let free = known.keys().map(String::as_str).filter(|k| !map.contains_key(*k));
            let near = nearest(&key, free);
            let list = quoted_list(known.keys().map(String::as_str));
            let codes = self.codes();
            let what = codes.what;
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None if known.is_empty() => format!("there are no {what}s here"),
                None => format!("{what}s here: {list}"),
            };
            if let Some(near) = near {
                meant.push(near.to_owned());
                self.done.repaired.push(path.child(near));
            }
            let message = format!("there is no {what} `{key}`");
            self.report(Finding::new(codes.unknown, path.child(&key).key(), message).help(help));
        }
        meant
    }

    fn missing_keys(
        &mut self,
        (known, required, meant): (&'s Map<String, Value>, &[&str], &[String]),
        map: &mut Map<String, Value>,
        path: &SettingPath,
    ) {
        for key in required {
            if map.contains_key(*key) {
                continue;
            }
            let schema = known.get(*key).unwrap_or(&Value::Bool(true));
            if !meant.iter().any(|m| m == key) {
                let codes = self.codes();
                let description =
                    resolve(self.root, schema).get("description").or_else(|| schema.get("description"));
                let says = description.and_then(Value::as_str).unwrap_or_default();
                let first = says.lines().next().and_then(|line| line.split(". ").next());
                let first = first.unwrap_or_default().trim_end_matches('.');
                let help = if first.is_empty() {
                    format!("add `{key}:`")
                } else {
                    format!("add `{key}:` ({first})")
                };
                let message = format!("the {} `{key}` is missing", codes.what);
                self.report(Finding::new(codes.missing, path.clone(), message).help(help));
            }
            self.done.repaired.push(path.child(key));
            map.insert((*key).to_owned(), stand_in(self.root, schema));
        }
    }

    /// `allOf`: parts that always hold, and `if`/`then` parts, which choose the options of a plugin by its name.
    fn conditions(&mut self, schema: &'s Value, value: &mut Value, path: &SettingPath) {
        for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            match (part.get("if"), part.get("then")) {
                (Some(condition), Some(then)) if holds(condition, value) => {
                    self.options_by(then, value, path)
                }
                (Some(_), _) => {}
                (None, _) => self.value(part, value, path),
            }
        }
    }

    fn options_by(&mut self, then: &'s Value, value: &mut Value, path: &SettingPath) {
        let Some(schema) = then.pointer("/properties/options") else { return };
        let Some(map) = value.as_object_mut() else { return };
        let options = map.entry("options").or_insert_with(|| json!({}));
        let path = path.child("options");
        let outer = self.options.replace(path.as_str().to_owned());
        self.value(schema, options, &path);
        self.options = outer;
    }
}

/// How a sentence names a setting.
fn subject(path: &SettingPath) -> String {
    let key = path.as_str().rsplit('.').next().unwrap_or_default();
    match key.parse::<usize>() {
        Ok(index) => format!("item {} of this list", index + 1),
        Err(_) if key.is_empty() => "this file".to_owned(),
        Err(_) => format!("`{key}`"),
    }
}

fn is_expression(path: &SettingPath) -> bool {
    path.as_str().rsplit('.').next() == Some("condition")
}

fn resolve<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    let mut schema = schema;
    // A chain of references is as short as the types that it was made of; a ring of them would be a mistake in a plugin.
    for _ in 0..16 {
        match schema.get("$ref").and_then(Value::as_str).and_then(|r| root.pointer(r.trim_start_matches('#')))
        {
            Some(target) => schema = target,
            None => break,
        }
    }
    schema
}

fn alternatives(schema: &Value) -> Option<&[Value]> {
    schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array).map(Vec::as_slice)
}

/// The values of an `enum`, a `const`, or a choice of constants.
fn constants(schema: &Value) -> Option<Vec<&Value>> {
    if let Some(list) = schema.get("enum").and_then(Value::as_array) {
        return Some(list.iter().collect());
    }
    if let Some(constant) = schema.get("const") {
        return Some(vec![constant]);
    }
    let lists: Option<Vec<Vec<&Value>>> = alternatives(schema)?.iter().map(constants).collect();
    lists.map(|lists| lists.into_iter().flatten().collect())
}

/// The types that a schema allows; none when it allows all.
fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => match alternatives(schema) {
            Some(parts) => parts.iter().flat_map(types).collect(),
            None => Vec::new(),
        },
    }
}

fn accepts(types: Vec<&str>, value: &Value) -> bool {
    let fits = |json_type: &&str| match value {
        Value::Null => *json_type == "null",
        Value::Bool(_) => *json_type == "boolean",
        Value::Number(n) => *json_type == "number" || (*json_type == "integer" && (n.is_i64() || n.is_u64())),
        Value::String(_) => *json_type == "string",
        Value::Array(_) => *json_type == "array",
        Value::Object(_) => *json_type == "object",
    };
    types.is_empty() || types.iter().any(fits)
}

/// Takes text as a number or truth value where one is wanted, as it comes from `${VAR}` and the environment; and a whole
/// float as an integer.
fn coerce(types: &[&str], value: &mut Value) -> bool {
    let coerced = match &*value {
        Value::String(text) => {
            let text = text.trim();
            let integer = || text.parse::<i64>().ok().filter(|_| types.contains(&"integer")).map(Value::from);
            let number = || {
                text.parse::<f64>()
                    .ok()
                    .filter(|n| n.is_finite() && types.contains(&"number"))
                    .map(Value::from)
            };
            let boolean = || truth(text).filter(|_| types.contains(&"boolean")).map(Value::Bool);
            integer().or_else(number).or_else(boolean)
        }
        Value::Number(number) if types.contains(&"integer") => number
            .as_f64()
            .filter(|n| n.fract() == 0.0 && n.abs() <= 9_007_199_254_740_991.0)
            .and_then(|n| format!("{n:.0}").parse::<i64>().ok())
            .map(Value::from),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    };
    coerced.map(|new| *value = new).is_some()
}

/// What says yes, in lower case.
pub(super) const TRUE: [&str; 6] = ["true", "yes", "on", "1", "t", "y"];

/// What says no, in lower case.
pub(super) const FALSE: [&str; 6] = ["false", "no", "off", "0", "f", "n"];

fn truth(text: &str) -> Option<bool> {
    let text = text.to_lowercase();
    let is_true = TRUE.contains(&text.as_str());
    (is_true || FALSE.contains(&text.as_str())).then_some(is_true)
}

/// `key:` with nothing behind it is the same as no such key.
fn drop_empty(root: &Value, known: &Map<String, Value>, required: &[&str], map: &mut Map<String, Value>) {
    map.retain(|key, item| {
        let takes_null = || known.get(key).is_none_or(|s| accepts(types(resolve(root, s)), &Value::Null));
        !item.is_null() || required.contains(&key.as_str()) || takes_null()
    });
}

/// A value of the right type.
fn stand_in(root: &Value, schema: &Value) -> Value {
    let schema = resolve(root, schema);
    if let Some(default) = schema.get("default") {
        return default.clone();
    }
    if schema.get(PLUGIN_KIND).is_some() {
        return json!("");
    }
    if let Some(first) = constants(schema).and_then(|c| c.first().map(|v| (*v).clone())) {
        return first;
    }
    if let Some(first) = alternatives(schema).and_then(<[Value]>::first) {
        return stand_in(root, first);
    }
    match types(schema).first() {
        Some(&"string") => json!(""),
        Some(&"integer") => {
            json!(schema.get("minimum").and_then(Value::as_f64).map_or(1, |low| low.ceil() as i64))
        }
        Some(&"number") => json!(1.0),
        Some(&"boolean") => json!(false),
        Some(&"array") => json!([]),
        Some(&"object") => object_stand_in(root, schema),
        _ => Value::Null,
    }
}

fn object_stand_in(root: &Value, schema: &Value) -> Value {
    let required =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let fill =
        |key: &str| schema.pointer(&format!("/properties/{key}")).map_or(Value::Null, |s| stand_in(root, s));
    Value::Object(required.map(|key| (key.to_owned(), fill(key))).collect())
}

/// Whether an `if` of the form `{properties: {key: {const: value}}}` holds.
fn holds(condition: &Value, value: &Value) -> bool {
    let properties = condition.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten().all(|(key, schema)| value.get(key) == schema.get("const"))
}
