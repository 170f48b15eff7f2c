//! From text to a pipeline that can run, or to everything that is wrong with it.

mod contract;
mod fields;
mod misfit;
mod nodes;
mod rules;

use std::path::Path;
use std::sync::Arc;

use elspeth_canonical::{ContentHash, HashVersion};
use elspeth_contracts::Step;
use elspeth_graph::{ExecutionGraph, SettingPath};
use elspeth_plugin::{BatchTransform, Registry, Sink, Source, Transform};
use serde::Deserialize;
use serde_json::Value;

use crate::finding::{Finding, Locator};
use crate::marks::Marks;
use crate::schema::{Checked, check, named_plugins, with_options, without_options};
use crate::secrets::{FingerprintKey, KEY_VARIABLE, blotted, hide, only_fingerprints};
use crate::{
    DatabaseUrl, Diagnostic, Environment, Settings, Signing, SourceText, export, files, signing, unavailable,
    variables, yaml,
};
use nodes::{Declared, Instances, Known, declare};

/// The largest settings file, in bytes.
pub const SIZE_LIMIT: u64 = 1 << 20;

const UNEXPLAINED: &str =
    "these settings were refused without a reason, which is a mistake of this program; please report it";

/// A valid settings file with everything that a run needs of it.
pub struct Loaded {
    /// The settings, with secrets in the clear: not for the record.
    pub settings: Settings,
    /// The pipeline.
    pub graph: ExecutionGraph,
    /// The plugins that work at its nodes.
    pub plugins: Plugins,
    /// JSON of the settings, defaults filled in, secrets as fingerprints: what is recorded. Keys are in the order of the file,
    /// which decides about merges and the numbers of nodes, so that a run can be built from it again.
    pub resolved: String,
    /// Hash of `resolved`.
    pub config_hash: ContentHash,
    /// The digest that the settings choose.
    pub hash_version: HashVersion,
    /// Where the record is.
    pub database: DatabaseUrl,
    /// Where the key is that signs heads of the registry.
    pub signing: Option<Signing>,
    /// Legal, but probably not meant.
    pub warnings: Vec<Diagnostic>,
    pub(crate) locator: Locator,
}

/// Plugin instances with the steps at which they work.
pub struct Plugins {
    /// At step 0.
    pub source: Box<dyn Source>,
    /// In step order.
    pub transforms: Vec<(Step, Arc<dyn Transform>)>,
    /// In step order.
    pub aggregations: Vec<(Step, Arc<dyn BatchTransform>)>,
    /// In step order.
    pub sinks: Vec<(Step, Box<dyn Sink>)>,
}

/// Reads and checks a settings file. Touches nothing else, and changes nothing.
///
/// # Errors
/// Everything that is wrong with it, in the order of the file.
pub fn load(path: &Path, environment: &Environment, registry: &Registry) -> Result<Loaded, Vec<Diagnostic>> {
    let text = read_file(path, environment).map_err(|mut diagnostic| {
        diagnostic.file = Some(path.display().to_string());
        vec![*diagnostic]
    })?;
    load_text(&text, &path.display().to_string(), environment, registry)
}

fn read_file(path: &Path, environment: &Environment) -> Result<String, Box<Diagnostic>> {
    let refused =
        |code, message: String, help: String| Box::new(Diagnostic::new(code, message).with_help(help));
    let unreadable = |e: std::io::Error| {
        let help = match e.kind() {
            std::io::ErrorKind::NotFound => "check the path; it is relative to the working directory",
            _ => "check that it is a file that you may read",
        };
        refused("unreadable-file", format!("cannot read the settings file: {e}"), help.to_owned())
    };
    let path = environment.working_directory().join(path);
    let size = std::fs::metadata(&path).map_err(unreadable)?.len();
    if size > SIZE_LIMIT {
        let message = format!("{size} bytes are too many for a settings file");
        let help = format!("at most {SIZE_LIMIT}; is this the data instead of the settings?");
        return Err(refused("file-too-large", message, help));
    }
    String::from_utf8(std::fs::read(&path).map_err(unreadable)?).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        refused(
            "not-utf8",
            format!("the settings file is not UTF-8 text (byte {at})"),
            "save it as UTF-8".to_owned(),
        )
    })
}

/// The same for a text that is in memory already; `name` is shown in diagnostics.
///
/// # Errors
/// Everything that is wrong with it, in the order of the text.
pub fn load_text(
    text: &str,
    name: &str,
    environment: &Environment,
    registry: &Registry,
) -> Result<Loaded, Vec<Diagnostic>> {
    read_text((text, name), Origin::Written, environment, registry)
}

/// The same for settings as they were recorded ([`Loaded::resolved`]): variables and defaults are in them already, and the
/// environment adds nothing.
///
/// # Errors
/// Everything that is wrong with it; and settings with secrets, of which only fingerprints were recorded.
pub fn load_recorded(
    resolved: &str,
    name: &str,
    environment: &Environment,
    registry: &Registry,
) -> Result<Loaded, Vec<Diagnostic>> {
    // On many lines, so that what is wrong with it can be shown.
    let lines =
        serde_json::from_str::<Value>(resolved).and_then(|value| serde_json::to_string_pretty(&value));
    let text = lines.as_deref().unwrap_or(resolved);
    read_text((text, name), Origin::Recorded, environment, registry)
}

/// Where settings are from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// A user wrote them.
    Written,
    /// A run recorded them.
    Recorded,
}

fn read_text(
    (text, name): (&str, &str),
    origin: Origin,
    environment: &Environment,
    registry: &Registry,
) -> Result<Loaded, Vec<Diagnostic>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let source = SourceText { name: name.to_owned(), text: blotted(text) };
    let locator = Locator { source: Some(Arc::new(source)), marks: Marks::read(text), ..Locator::default() };
    let mut loading = Loading { locator, origin, registry, errors: Vec::new(), warnings: Vec::new() };
    let result = loading.run(text, environment);
    let Loading { locator, errors, warnings, .. } = loading;
    match result {
        Some(mut loaded) if errors.is_empty() => {
            loaded.warnings = in_order(warnings);
            loaded.locator = locator;
            Ok(loaded)
        }
        _ if errors.is_empty() => {
            // A rule that stops without saying why is a mistake of ours; it must not look like success.
            Err(vec![locator.diagnose_at("unexplained", UNEXPLAINED.to_owned(), None)])
        }
        _ => Err(in_order(errors)),
    }
}

struct Loading<'a> {
    locator: Locator,
    origin: Origin,
    registry: &'a Registry,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

impl Loading<'_> {
    fn run(&mut self, text: &str, environment: &Environment) -> Option<Loaded> {
        self.report_duplicates();
        let mut value = match yaml::read(text) {
            Ok(Value::Null) => Value::Object(serde_json::Map::new()),
            Ok(value) => value,
            Err(error) => {
                let (line, column) = error.place.unwrap_or((1, 1));
                let place = self.locator.point(line, column);
                let mut diagnostic = self.locator.diagnose_at("yaml", error.message, place);
                diagnostic.help = error.help.map(str::to_owned);
                self.errors.push(diagnostic);
                return None;
            }
        };
        let schema = without_options();
        let mut unknown = Vec::new();
        match self.origin {
            Origin::Written => unknown = self.apply_environment(&mut value, &schema, environment),
            Origin::Recorded => {
                self.report(only_fingerprints(&value));
                branches_as_written(&mut value);
            }
        }
        let named = named_plugins(&value);
        let schema = with_options(schema, self.registry, |info| named.contains(info.name));
        let mut checked = check(&schema, &mut value);
        self.report(std::mem::take(&mut checked.findings));
        checked.repaired.append(&mut unknown);
        let settings = self.typed(value)?;
        self.pipeline(settings, checked, environment)
    }

    fn report_duplicates(&mut self) {
        for duplicate in &self.locator.marks.duplicates {
            let message = format!("the key `{}` is here twice", duplicate.key);
            let mut diagnostic = self.locator.diagnose_at("duplicate-key", message, Some(duplicate.at));
            diagnostic.help =
                Some(format!("the first one is on line {}; remove or rename one", duplicate.first_line));
            self.errors.push(diagnostic);
        }
    }

    /// Gives the settings whose variables are missing.
    fn apply_environment(
        &mut self,
        value: &mut Value,
        schema: &Value,
        environment: &Environment,
    ) -> Vec<SettingPath> {
        let sections = schema.get("properties").and_then(Value::as_object);
        let sections: Vec<String> = sections.into_iter().flat_map(|map| map.keys().cloned()).collect();
        let missing = variables::expand(value, environment);
        let overridden = variables::override_settings(value, environment, &sections);
        self.locator.variables = overridden.variables;
        let replaced = |at: &SettingPath| {
            let under = |path: &String| at.as_str() == path || at.as_str().starts_with(&format!("{path}."));
            self.locator.variables.keys().any(under)
        };
        let missing: Vec<Finding> = missing.into_iter().filter(|f| !replaced(&f.at)).collect();
        let unread = missing.iter().chain(&overridden.errors).filter(|f| f.code == "missing-variable");
        let unknown = unread.map(|finding| finding.at.clone()).collect();
        self.report(missing);
        self.report(overridden.errors);
        self.warn(overridden.warnings);
        unknown
    }

    /// The checked value as types. What the schema let pass must fit them; should it not, that is said too.
    fn typed(&mut self, value: Value) -> Option<Settings> {
        Settings::deserialize(value)
            .map_err(|error| {
                self.report(vec![Finding::new("wrong-type", SettingPath::default(), error.to_string())])
            })
            .ok()
    }

    fn pipeline(
        &mut self,
        settings: Settings,
        checked: Checked,
        environment: &Environment,
    ) -> Option<Loaded> {
        self.report(unavailable::find(&settings));
        let (errors, warnings) = rules::check(&settings, &checked.bad_options);
        self.report(errors);
        self.warn(warnings);
        let mut recorded =
            serde_json::to_value(&settings).expect("settings are text, numbers, lists and mappings");
        if self.origin == Origin::Written {
            let key = environment.get(KEY_VARIABLE).filter(|key| !key.is_empty()).map(FingerprintKey::new);
            self.report(hide(&mut recorded, key.as_ref()));
        }
        let signing = signing::choose(&settings, self.origin == Origin::Recorded, environment);
        let signing = signing.map_err(|finding| self.report(vec![*finding])).ok().flatten();
        let known =
            Known { settings: &settings, recorded: &recorded, checked: &checked, registry: self.registry };
        let Declared { mut spec, instances, findings } = declare(&known);
        self.report(findings);
        // Nothing is wired by the options of a node, which may be many.
        let is_option = |at: &SettingPath| at.as_str().split('.').nth(2) == Some("options");
        spec.unread = checked.repaired.into_iter().filter(|at| !is_option(at)).collect();
        if settings.landscape.export.enabled && settings.landscape.export.sink.is_none() {
            spec.unread.push(SettingPath::new("landscape.export.sink"));
        }
        let file = self.locator.source.as_ref().map_or(Path::new(""), |source| Path::new(&source.name));
        let clashes = files::clashes(&settings, &users(file, &instances), environment.working_directory());
        self.report(clashes.errors);
        self.warn(clashes.warnings);
        let named = settings.landscape.export.sink.as_ref();
        let taker = named.and_then(|named| instances.sinks.iter().find(|(name, _)| name == named));
        let taker = taker.map(|(_, sink)| sink.as_ref());
        self.report(export::check(&settings, taker, signing.is_some()));
        let graph = self.graph(spec, &settings)?;
        self.warn(fields::doubtful(&settings, &graph, &instances.transforms));
        let resolved = serde_json::to_string(&recorded).expect("it is JSON already");
        let hash_version = settings.landscape.hash.version();
        Some(Loaded {
            config_hash: hash_version.hash(resolved.as_bytes()),
            resolved,
            hash_version,
            database: DatabaseUrl::parse(&settings.landscape.url).ok()?,
            plugins: placed(instances, &graph)?,
            graph,
            settings,
            signing,
            warnings: Vec::new(),
            locator: Locator::default(),
        })
    }

    fn graph(&mut self, spec: elspeth_graph::GraphSpec, settings: &Settings) -> Option<ExecutionGraph> {
        match ExecutionGraph::build(spec) {
            Ok((graph, warnings)) => {
                self.warn(warnings.into_iter().map(Finding::of_graph_warning).collect());
                Some(graph)
            }
            Err(errors) => {
                let errors = errors.into_iter().map(|error| {
                    let condition = condition(settings, &error.at);
                    Finding::of_graph(error, condition)
                });
                self.report(errors.collect());
                None
            }
        }
    }

    fn report(&mut self, findings: Vec<Finding>) {
        let diagnostics: Vec<Diagnostic> = findings.into_iter().map(|f| self.locator.diagnose(f)).collect();
        self.errors.extend(diagnostics);
    }

    fn warn(&mut self, findings: Vec<Finding>) {
        let diagnostics: Vec<Diagnostic> = findings.into_iter().map(|f| self.locator.diagnose(f)).collect();
        self.warnings.extend(diagnostics);
    }
}

/// Branches with a connection each are recorded as a list of mappings, whose order even a sorted form keeps.
fn branches_as_written(settings: &mut Value) {
    let coalesces = settings.get_mut("coalesce").and_then(Value::as_array_mut);
    for branches in coalesces.into_iter().flatten().filter_map(|coalesce| coalesce.get_mut("branches")) {
        let pairs = branches
            .as_array()
            .and_then(|list| list.iter().map(Value::as_object).collect::<Option<Vec<_>>>());
        if let Some(pairs) = pairs.filter(|pairs| !pairs.is_empty()) {
            let pairs = pairs.into_iter().flatten().map(|(name, input)| (name.clone(), input.clone()));
            *branches = Value::Object(pairs.collect());
        }
    }
}

/// The expression of the gate or aggregation that a path leads into.
fn condition<'a>(settings: &'a Settings, at: &SettingPath) -> Option<&'a str> {
    let (section, rest) = at.as_str().split_once('.')?;
    let index = rest.split('.').next()?.parse::<usize>().ok()?;
    match section {
        "gates" => settings.gates.get(index).map(|gate| gate.condition.as_str()),
        "aggregations" => settings.aggregations.get(index)?.trigger.as_ref()?.condition.as_deref(),
        _ => None,
    }
}

fn users<'a>(file: &'a Path, instances: &'a Instances) -> files::Users<'a> {
    files::Users {
        file,
        source: instances.source.as_deref(),
        sinks: instances.sinks.iter().map(|(name, sink)| (name.as_str(), sink.as_ref())).collect(),
    }
}

fn placed(instances: Instances, graph: &ExecutionGraph) -> Option<Plugins> {
    let step = |name: &str| graph.named(name).map(|node| node.step);
    let mut transforms: Vec<(Step, Arc<dyn Transform>)> =
        instances.transforms.into_iter().map(|(name, t)| Some((step(&name)?, t))).collect::<Option<_>>()?;
    let mut aggregations: Vec<(Step, Arc<dyn BatchTransform>)> =
        instances.aggregations.into_iter().map(|(name, a)| Some((step(&name)?, a))).collect::<Option<_>>()?;
    let mut sinks: Vec<(Step, Box<dyn Sink>)> =
        instances.sinks.into_iter().map(|(name, s)| Some((step(&name)?, s))).collect::<Option<_>>()?;
    transforms.sort_by_key(|(step, _)| *step);
    aggregations.sort_by_key(|(step, _)| *step);
    sinks.sort_by_key(|(step, _)| *step);
    Some(Plugins { source: instances.source?, transforms, aggregations, sinks })
}

/// In the order of the file; what is said twice of one setting is said once, and a setting whose variable is missing is
/// not blamed for anything else.
fn in_order(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let unknown: Vec<String> =
        diagnostics.iter().filter(|d| d.code == "missing-variable").map(|d| d.setting.clone()).collect();
    diagnostics.retain(|d| d.code == "missing-variable" || !unknown.contains(&d.setting));
    let place = |d: &Diagnostic| (d.line.unwrap_or(usize::MAX), d.column.unwrap_or(usize::MAX));
    diagnostics.sort_by(|a, b| {
        place(a)
            .cmp(&place(b))
            .then_with(|| a.setting.cmp(&b.setting))
            .then_with(|| a.message.cmp(&b.message))
    });
    diagnostics.dedup();
    diagnostics
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded")
            .field("resolved", &self.resolved)
            .field("graph", &self.graph)
            .finish_non_exhaustive()
    }
}
