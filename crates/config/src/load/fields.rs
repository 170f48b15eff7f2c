//! Fields that options of transforms name, and that rows cannot have, or may lack.

use std::collections::BTreeSet;
use std::sync::Arc;

use elspeth_contracts::{NodeType, Step};
use elspeth_graph::{ExecutionGraph, SettingPath, advise};
use elspeth_plugin::{NamedField, Transform};
use elspeth_value::{Contract, SchemaMode, normalise_header};
use serde_json::Value;

use crate::Settings;
use crate::finding::Finding;

/// What is odd about the fields that transforms name.
pub(super) fn doubtful(
    settings: &Settings,
    graph: &ExecutionGraph,
    transforms: &[(String, Arc<dyn Transform>)],
) -> Vec<Finding> {
    let names = Names { settings, graph, transforms };
    let mut found = Vec::new();
    for (index, transform) in settings.transforms.iter().enumerate() {
        let Some((_, plugin)) = transforms.iter().find(|(name, _)| *name == transform.name) else { continue };
        let Some(node) = graph.named(&transform.name) else { continue };
        let at = SettingPath::new("transforms").child(index).child("options");
        let given = names.given_before(node.step);
        for named in plugin.named_fields() {
            let at = at.child(&named.option);
            let needs = plugin.input_contract();
            let sure = || names.are_sure(node.step, &named.field);
            let unsure = || unsure(&named, [&node.input, &needs], &at).filter(|_| !sure());
            let absent = || absent(&named, &node.input, &at);
            found.extend(impossible(&named, &given, &at).or_else(absent).or_else(unsure));
        }
    }
    found
}

/// A name that normalisation changes is the name of a field only where somebody gave it.
fn impossible(named: &NamedField, given: &BTreeSet<String>, at: &SettingPath) -> Option<Finding> {
    let NamedField { field, passes_unseen, .. } = named;
    let normal = normalise_header(field).filter(|normal| normal != field && !given.contains(field))?;
    let so = if *passes_unseen { ", so every row passes without being looked at there" } else { "" };
    let message = format!(
        "no row has a field `{field}`: the source normalises names, and nothing before here gives it{so}"
    );
    Some(Finding::new("impossible-field", at.clone(), message).help(format!("write `{normal}`")))
}

/// A field that the schema of the rows does not have, where the plugin works on rows without it.
fn absent(named: &NamedField, input: &Contract, at: &SettingPath) -> Option<Finding> {
    if input.mode != SchemaMode::Fixed || input.field(&named.field).is_some() {
        return None;
    }
    let message =
        format!("no row that comes here has a field `{}`; without it, this does nothing", named.field);
    let help = advise(&named.field, "fields", input.fields.iter().map(|field| field.name.as_str()));
    Some(Finding::new("absent-field", at.clone(), message).help(help))
}

/// A field that rows may lack unnoticed, as far as schemas tell.
fn unsure(named: &NamedField, contracts: [&Contract; 2], at: &SettingPath) -> Option<Finding> {
    let NamedField { field, passes_unseen, .. } = named;
    if !passes_unseen || contracts.iter().any(|contract| tells_of(contract, field)) {
        return None;
    }
    let message =
        format!("no schema tells whether rows have a field `{field}`; a row without it passes unseen");
    let help = "declare the field in the source's `schema`, or write `strict: true`, which makes such a row an error";
    Some(Finding::new("unseen-field", at.clone(), message).help(help))
}

fn tells_of(contract: &Contract, field: &str) -> bool {
    let mut listed = contract.guaranteed_fields.iter().chain(&contract.required_fields);
    contract.field(field).is_some() || listed.any(|name| name == field)
}

struct Names<'a> {
    settings: &'a Settings,
    graph: &'a ExecutionGraph,
    transforms: &'a [(String, Arc<dyn Transform>)],
}

impl Names<'_> {
    /// Names that the source or a node on some way to that step gives to fields.
    fn given_before(&self, step: Step) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let mut seen = BTreeSet::from([step]);
        let mut open = vec![step];
        while let Some(step) = open.pop() {
            let before = self.graph.edges().iter().filter(|edge| edge.to == step).map(|edge| edge.from);
            for from in before.filter(|from| seen.insert(*from)) {
                names.extend(self.given_by(from));
                open.push(from);
            }
        }
        names
    }

    fn given_by(&self, step: Step) -> Vec<String> {
        let node = self.graph.node(step);
        let contract = &node.output;
        let declared = contract.fields.iter().map(|field| field.name.to_string());
        let listed = contract.guaranteed_fields.iter().map(ToString::to_string);
        let plugin = self.transforms.iter().find(|(name, _)| *name == node.name);
        let own = plugin.map(|(_, plugin)| plugin.given_names()).unwrap_or_default();
        let renamed = if step == Step::SOURCE { self.renamed() } else { Vec::new() };
        declared.chain(listed).chain(own).chain(renamed).collect()
    }

    /// Whether all rows that come to that step have the field, though no schema tells: each producer gives it to every row.
    fn are_sure(&self, step: Step, field: &str) -> bool {
        let mut before = self.graph.edges().iter().filter(|edge| edge.to == step).peekable();
        before.peek().is_some() && before.all(|edge| self.is_sure_of(edge.from, field))
    }

    fn is_sure_of(&self, producer: Step, field: &str) -> bool {
        let node = self.graph.node(producer);
        match node.node_type() {
            NodeType::Gate => self.are_sure(producer, field),
            NodeType::Source => self.columns().iter().any(|column| column == field),
            NodeType::Transform => {
                let plugin = self.transforms.iter().find(|(name, _)| *name == node.name);
                // Of rows of which nothing is known.
                let anything = Contract { mode: SchemaMode::Flexible, ..Contract::observed() };
                let made = plugin.and_then(|(_, plugin)| plugin.output_contract(&anything).ok());
                made.is_some_and(|made| made.field(field).is_some_and(|spec| spec.required))
            }
            NodeType::Aggregation | NodeType::Coalesce | NodeType::Sink => false,
        }
    }

    /// The fields of a file without header, all of which every record has.
    fn columns(&self) -> Vec<String> {
        let options = &self.settings.source.options;
        let names = options.get("columns").and_then(Value::as_array).into_iter().flatten();
        let normal = names.filter_map(|name| normalise_header(name.as_str()?)).map(|name| name.to_string());
        let mapping = options.get("field_mapping").and_then(Value::as_object);
        let renamed = |name: String| match mapping.and_then(|mapping| mapping.get(&name)?.as_str()) {
            Some(other) => other.to_owned(),
            None => name,
        };
        normal.map(renamed).collect()
    }

    /// Names that the source gives after it has normalised those of its data.
    fn renamed(&self) -> Vec<String> {
        let mapping = self.settings.source.options.get("field_mapping").and_then(Value::as_object);
        mapping
            .into_iter()
            .flat_map(|map| map.values().filter_map(Value::as_str))
            .map(str::to_owned)
            .collect()
    }
}
