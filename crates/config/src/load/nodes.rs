use std::sync::Arc;
use std::time::Duration;

use elspeth_canonical::to_canonical_vec;
use elspeth_contracts::Determinism;
use elspeth_expr::{Expr, Root};
use elspeth_graph::SettingPath;
use elspeth_graph::spec::{
    BranchDecl, DISCARD, GraphSpec, MergeDecl, NodeDecl, NodeKind, OutputContract, PluginRef, PolicyDecl,
    Ref, RouteDecl, TriggerDecl,
};
use elspeth_plugin::{
    BatchTransform, OptionError, PluginInfo, PluginKind, Registry, Sink, Source, Transform,
};
use elspeth_value::Contract;
use serde_json::Value;

use super::contract;
use super::misfit::misfits;
use crate::finding::Finding;
use crate::schema::Checked;
use crate::settings::{
    AggregationSettings, Branches, CoalescePolicy, CoalesceSettings, GateSettings, MergeStrategy, Options,
    OutputMode, Settings, SinkSettings, TransformSettings, TriggerSettings,
};

/// Plugin instances by the names of their nodes.
#[derive(Default)]
pub(super) struct Instances {
    pub(super) source: Option<Box<dyn Source>>,
    pub(super) transforms: Vec<(String, Arc<dyn Transform>)>,
    pub(super) aggregations: Vec<(String, Arc<dyn BatchTransform>)>,
    pub(super) sinks: Vec<(String, Box<dyn Sink>)>,
}

/// The declaration of the graph, with what was found on the way.
#[derive(Default)]
pub(super) struct Declared {
    pub(super) spec: GraphSpec,
    pub(super) instances: Instances,
    pub(super) findings: Vec<Finding>,
}

/// What is known before plugins are made.
pub(super) struct Known<'a> {
    pub(super) settings: &'a Settings,
    /// The same as JSON, with fingerprints for secrets: what is recorded.
    pub(super) recorded: &'a Value,
    /// What is known to be wrong.
    pub(super) checked: &'a Checked,
    pub(super) registry: &'a Registry,
}

/// Makes every plugin, parses every condition and declares every node.
pub(super) fn declare(known: &Known<'_>) -> Declared {
    let mut declaring = Declaring { known, done: Declared::default() };
    let settings = known.settings;
    declaring.done.spec.hash = settings.landscape.hash.version();
    declaring.source();
    for (index, transform) in settings.transforms.iter().enumerate() {
        declaring.transform(transform, &SettingPath::new("transforms").child(index));
    }
    for (index, gate) in settings.gates.iter().enumerate() {
        declaring.gate(gate, &SettingPath::new("gates").child(index));
    }
    for (index, aggregation) in settings.aggregations.iter().enumerate() {
        declaring.aggregation(aggregation, &SettingPath::new("aggregations").child(index));
    }
    for (index, coalesce) in settings.coalesce.iter().enumerate() {
        declaring.coalesce(coalesce, &SettingPath::new("coalesce").child(index));
    }
    for (name, sink) in &settings.sinks {
        declaring.sink(name, sink, &SettingPath::new("sinks").child(name));
    }
    if let Some(sink) = &settings.landscape.export.sink {
        declaring.done.spec.reached_otherwise.push(sink.clone());
    }
    declaring.done
}

struct Declaring<'a> {
    known: &'a Known<'a>,
    done: Declared,
}

impl Declaring<'_> {
    fn source(&mut self) {
        let settings = &self.known.settings.source;
        let at = SettingPath::new("source");
        let options = at.child("options");
        let info = self.info(PluginKind::Source, &settings.plugin, &at);
        let made = info.as_ref().and_then(|info| {
            let factory = self.known.registry.source(info.name).ok()?;
            self.make(info, &settings.options, &options, factory)
        });
        let refused =
            settings.options.get("on_validation_failure").and_then(Value::as_str).unwrap_or(DISCARD);
        let kind = NodeKind::Source {
            on_success: Ref::new(&settings.on_success, at.child("on_success")),
            on_invalid: Ref::new(refused, options.child("on_validation_failure")),
            contract: made.as_ref().map_or_else(Contract::observed, |source| source.contract()),
        };
        self.done.instances.source = made;
        self.node(Ref::new("source", at.key()), at, plugin_ref(info.as_ref(), &settings.plugin), kind);
    }

    fn transform(&mut self, settings: &TransformSettings, at: &SettingPath) {
        let info = self.info(PluginKind::Transform, &settings.plugin, at);
        let made = info.as_ref().and_then(|info| {
            let factory = self.known.registry.transform(info.name).ok()?;
            self.make(info, &settings.options, &at.child("options"), factory)
        });
        let options = at.child("options");
        let kind = NodeKind::Transform {
            input: Ref::new(&settings.input, at.child("input")),
            on_success: Ref::new(&settings.on_success, at.child("on_success")),
            on_error: Ref::new(&settings.on_error, at.child("on_error")),
            needs: made.as_ref().map_or_else(Contract::observed, |transform| transform.input_contract()),
            output: output_contract(made.clone(), options),
            expands: made.as_ref().is_some_and(|transform| transform.expands()),
        };
        if let Some(transform) = made {
            self.done.instances.transforms.push((settings.name.clone(), transform));
        }
        let name = Ref::new(&settings.name, at.child("name"));
        let plugin = plugin_ref(info.as_ref(), &settings.plugin);
        self.node(name, at.clone(), plugin, kind).service.clone_from(&settings.service);
    }

    fn gate(&mut self, settings: &GateSettings, at: &SettingPath) {
        let condition_at = at.child("condition");
        let routes_at = at.child("routes");
        let routes = settings.routes.iter().map(|(label, target)| {
            let at = routes_at.child(label);
            RouteDecl { label: Ref::new(label, at.key()), target: Ref::new(target, at) }
        });
        let kind = NodeKind::Gate {
            input: Ref::new(&settings.input, at.child("input")),
            condition: self.condition((&settings.condition, Root::Row), &condition_at),
            condition_at,
            routes: routes.collect(),
            fork_to: texts(&settings.fork_to, &at.child("fork_to")),
            on_error: Ref::new(&settings.on_error, at.child("on_error")),
        };
        self.node(Ref::new(&settings.name, at.child("name")), at.clone(), built_in("gate"), kind);
    }

    fn aggregation(&mut self, settings: &AggregationSettings, at: &SettingPath) {
        let info = self.info(PluginKind::Aggregation, &settings.plugin, at);
        let made = info.as_ref().and_then(|info| {
            let factory = self.known.registry.aggregation(info.name).ok()?;
            self.make(info, &settings.options, &at.child("options"), factory)
        });
        let options = at.child("options");
        let name = Ref::new(&settings.name, at.child("name"));
        let kind = NodeKind::Aggregation {
            input: Ref::new(&settings.input, at.child("input")),
            on_success: onward(settings.on_success.as_deref(), &name, at),
            on_error: Ref::new(&settings.on_error, at.child("on_error")),
            needs: made.as_ref().map_or_else(Contract::observed, |plugin| plugin.input_contract()),
            output: batch_contract(made.clone(), (&settings.plugin, settings.output_mode), options),
            trigger: self.trigger(settings.trigger.as_ref(), &at.child("trigger")),
            output_mode: settings.output_mode.into(),
            expected_output_count: settings.expected_output_count,
        };
        if let Some(plugin) = made {
            self.done.instances.aggregations.push((settings.name.clone(), plugin));
        }
        let plugin = plugin_ref(info.as_ref(), &settings.plugin);
        self.node(name, at.clone(), plugin, kind).service.clone_from(&settings.service);
    }

    fn trigger(&mut self, settings: Option<&TriggerSettings>, at: &SettingPath) -> TriggerDecl {
        let Some(settings) = settings else { return TriggerDecl::default() };
        let text = settings.condition.as_deref();
        TriggerDecl {
            count: settings.count,
            timeout: settings.timeout_seconds.and_then(duration),
            condition: text.and_then(|text| self.condition((text, Root::Trigger), &at.child("condition"))),
        }
    }

    fn coalesce(&mut self, settings: &CoalesceSettings, at: &SettingPath) {
        let name = Ref::new(&settings.name, at.child("name"));
        let selected = || settings.select_branch.as_ref().map(|b| Ref::new(b, at.child("select_branch")));
        let kind = NodeKind::Coalesce {
            branches: branches(&settings.branches, &at.child("branches")),
            on_success: onward(settings.on_success.as_deref(), &name, at),
            policy: match settings.policy {
                CoalescePolicy::RequireAll => PolicyDecl::RequireAll,
                CoalescePolicy::Quorum => PolicyDecl::Quorum(settings.quorum_count),
                CoalescePolicy::BestEffort => PolicyDecl::BestEffort,
                CoalescePolicy::First => PolicyDecl::First,
            },
            merge: match settings.merge {
                MergeStrategy::Union => MergeDecl::Union,
                MergeStrategy::Nested => MergeDecl::Nested,
                MergeStrategy::Select => MergeDecl::Select(selected()),
            },
            timeout: settings.timeout_seconds.and_then(duration),
        };
        self.node(name, at.clone(), built_in("coalesce"), kind);
    }

    fn sink(&mut self, name: &str, settings: &SinkSettings, at: &SettingPath) {
        let info = self.info(PluginKind::Sink, &settings.plugin, at);
        let made = info.as_ref().and_then(|info| {
            let factory = self.known.registry.sink(info.name).ok()?;
            self.make(info, &settings.options, &at.child("options"), factory)
        });
        let kind = NodeKind::Sink {
            on_write_failure: Ref::new(&settings.on_write_failure, at.child("on_write_failure")),
            needs: made.as_ref().map_or_else(Contract::observed, |sink| sink.contract()),
        };
        if let Some(sink) = made {
            self.done.instances.sinks.push((name.to_owned(), sink));
        }
        self.node(Ref::new(name, at.key()), at.clone(), plugin_ref(info.as_ref(), &settings.plugin), kind);
    }

    fn info(&mut self, kind: PluginKind, name: &str, at: &SettingPath) -> Option<PluginInfo> {
        match self.known.registry.info(kind, name) {
            Ok(info) => Some(info.clone()),
            Err(unknown) => {
                // Where there are plugins of that kind, the schema lists them and has found this.
                if unknown.known.is_empty() && !name.is_empty() {
                    self.done.findings.push(Finding::new(
                        "unknown-plugin",
                        at.child("plugin"),
                        unknown.to_string(),
                    ));
                }
                None
            }
        }
    }

    fn make<T>(
        &mut self,
        info: &PluginInfo,
        options: &Options,
        at: &SettingPath,
        factory: fn(&Value) -> Result<T, Vec<OptionError>>,
    ) -> Option<T> {
        if self.known.checked.bad_options.iter().any(|path| path == at.as_str()) {
            self.done.findings.extend(self.schema_errors(options, at));
            return None;
        }
        match factory(&Value::Object(own_options(info, options))) {
            Ok(made) => Some(made),
            Err(errors) => {
                self.done.findings.extend(errors.into_iter().map(|error| Finding {
                    code: "wrong-option",
                    at: if error.path.is_empty() { at.clone() } else { at.child(error.path) },
                    help: error.help.map(|help| contract::with_nearest_type(&error.message, help)),
                    message: error.message,
                    within: None,
                }));
                self.done.findings.extend(self.schema_errors(options, at));
                None
            }
        }
    }

    /// What is wrong with the `schema` in options, of which a plugin says the first thing only.
    fn schema_errors(&self, options: &Options, at: &SettingPath) -> Vec<Finding> {
        let at = at.child("schema");
        let inner = format!("{at}.");
        let is_inside = |path: &SettingPath| *path == at || path.as_str().starts_with(&inner);
        match options.get("schema") {
            Some(schema) if !self.known.checked.repaired.iter().any(is_inside) => {
                contract::errors(schema, &at)
            }
            Some(_) | None => Vec::new(),
        }
    }

    fn condition(&mut self, (text, root): (&str, Root), at: &SettingPath) -> Option<Expr> {
        if text.is_empty() {
            return None;
        }
        Expr::parse(text, root)
            .map_err(|error| {
                self.done.findings.push(Finding {
                    code: "expression",
                    at: at.clone(),
                    message: error.message,
                    help: error.help,
                    within: Some((error.span, text.to_owned())),
                });
            })
            .ok()
    }

    fn node(&mut self, name: Ref, at: SettingPath, plugin: PluginRef, kind: NodeKind) -> &mut NodeDecl {
        let recorded = self.known.recorded.pointer(&pointer(&at)).unwrap_or(&Value::Null);
        let config = to_canonical_vec(recorded).map_err(|error| {
            let message = format!("this cannot be recorded: {error}");
            self.done.findings.push(Finding::new("not-canonical", at.clone(), message));
        });
        let config = config.ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        let nodes = &mut self.done.spec.nodes;
        nodes.push(NodeDecl { name, at, plugin, config, service: None, kind });
        nodes.last_mut().expect("a node was just added")
    }
}

/// A setting path as a JSON pointer. Names of sinks hold no dots, else they have been reported.
fn pointer(at: &SettingPath) -> String {
    format!("/{}", at.as_str().replacen('.', "/", 1))
}

/// Without the options that the engine reads itself, unless the plugin knows them too.
fn own_options(info: &PluginInfo, options: &Options) -> Options {
    let knows = |key: &str| info.options_schema.pointer(&format!("/properties/{key}")).is_some();
    let mut own = options.clone();
    if !knows("on_validation_failure") {
        own.remove("on_validation_failure");
    }
    own
}

fn plugin_ref(info: Option<&PluginInfo>, name: &str) -> PluginRef {
    PluginRef {
        name: name.to_owned(),
        version: info.map_or_else(String::new, |i| i.version.to_owned()),
        determinism: info.map_or(Determinism::NonDeterministic, |i| i.determinism),
    }
}

fn built_in(name: &str) -> PluginRef {
    PluginRef {
        name: name.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        determinism: Determinism::Deterministic,
    }
}

/// Where outputs go; without `on_success` to the connection of the node's own name.
fn onward(on_success: Option<&str>, name: &Ref, at: &SettingPath) -> Ref {
    on_success.map_or_else(|| name.clone(), |target| Ref::new(target, at.child("on_success")))
}

fn texts(names: &[String], at: &SettingPath) -> Vec<Ref> {
    names.iter().enumerate().map(|(index, name)| Ref::new(name, at.child(index))).collect()
}

fn branches(settings: &Branches, at: &SettingPath) -> Vec<BranchDecl> {
    match settings {
        Branches::Direct(names) => {
            texts(names, at).into_iter().map(|name| BranchDecl { input: name.clone(), name }).collect()
        }
        Branches::Through(map) => {
            let branch = |(name, input): (&String, &String)| {
                let at = at.child(name);
                BranchDecl { name: Ref::new(name, at.key()), input: Ref::new(input, at) }
            };
            map.iter().map(branch).collect()
        }
    }
}

/// The schema allows what a duration can hold; the least is what clocks can tell.
fn duration(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok().map(|duration| duration.max(Duration::from_micros(1)))
}

impl From<OutputMode> for elspeth_graph::OutputMode {
    fn from(mode: OutputMode) -> Self {
        match mode {
            OutputMode::Transform => Self::Transform,
            OutputMode::Passthrough => Self::Passthrough,
        }
    }
}

fn batch_contract(
    plugin: Option<Arc<dyn BatchTransform>>,
    (name, mode): (&str, OutputMode),
    options: SettingPath,
) -> OutputContract {
    let keeps =
        mode != OutputMode::Passthrough || plugin.as_ref().is_none_or(|plugin| plugin.passes_members());
    let merges = format!(
        "{name} makes one row of several members, but `output_mode: passthrough` asks for one of each; leave `output_mode` out"
    );
    Box::new(move |input| match &plugin {
        Some(_) if !keeps => Err(vec![merges.clone().into()]),
        Some(plugin) => plugin.output_contract(input).map_err(|errors| misfits(errors, &options, input)),
        None => Ok(Contract::observed()),
    })
}

fn output_contract(transform: Option<Arc<dyn Transform>>, options: SettingPath) -> OutputContract {
    Box::new(move |input| match &transform {
        Some(plugin) => plugin.output_contract(input).map_err(|errors| misfits(errors, &options, input)),
        None => Ok(Contract::observed()),
    })
}
