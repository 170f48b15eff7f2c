//! Random valid pipelines.
//!
//! A pipeline is grown from the source on: a flow is a sink, the end of a fork's branch, or a node with the flows behind
//! it. Between a fork and its coalesce one way leads to the coalesce; gates may send rows aside on other ways, which are
//! then free to do what a branch must not (expand, aggregate into new rows).

use std::collections::BTreeMap;

use crate::choices::Choices;
use crate::data;
use crate::pipeline::{
    Aggregation, Batch, BatchCondition, Branch, Change, Coalesce, Fate, JoinedBranch, Kind, Merge, Node,
    NodeNo, Pipeline, Policy, Route, SINKS, SinkNo, SourceSchema, Target,
};
use crate::scope::{Holds, Scope};

/// How often a node is a transform, a gate, an aggregation, a fork; and how often on a branch that is to be joined.
const GROWTH: [usize; 4] = [4, 3, 6, 5];
const GROWTH_IN_BRANCH: [usize; 4] = [4, 4, 3, 5];

/// How often a transform expands, where it can.
const EXPANSION: usize = 5;

/// Where a flow has to lead.
#[derive(Debug, Clone, Copy)]
enum End {
    /// To sinks.
    Free,
    /// On one way to the end of this branch.
    Join { coalesce: NodeNo, branch: usize },
}

/// Grows a pipeline by those decisions.
pub(crate) fn pipeline(choices: &mut Choices) -> Pipeline {
    let schema = choices.one(&[SourceSchema::Flexible, SourceSchema::Observed, SourceSchema::Fixed]);
    let budget = 1 + choices.below(14);
    let mut growing = Growing { choices, nodes: Vec::new(), budget, fresh: 0, schema };
    let on_invalid = growing.fate();
    let scope = Scope::of_source();
    let start = match growing.choices.chance(97) {
        true => growing.node(scope, End::Free, None).0,
        false => growing.flow(scope, End::Free, None).0,
    };
    let nodes = growing.nodes;
    let picky = picky_sinks(choices);
    let csv = choices.chance(40).then(|| choices.below(SINKS.len()));
    let csv = csv.filter(|csv| !picky.contains_key(csv) && !picky.values().any(|to| *to == Fate::Sink(*csv)));
    let lines = data::lines(choices, schema);
    Pipeline { schema, on_invalid, start, nodes, picky, csv, lines }
}

/// Sinks that refuse rows, and where those go: not to a sink that refuses rows itself.
fn picky_sinks(choices: &mut Choices) -> BTreeMap<SinkNo, Fate> {
    let picky: Vec<SinkNo> = (1..SINKS.len()).filter(|_| choices.chance(12)).collect();
    let others: Vec<SinkNo> = (0..SINKS.len()).filter(|sink| !picky.contains(sink)).collect();
    let mut fate = || if choices.chance(60) { Fate::Sink(choices.one(&others)) } else { Fate::Discard };
    picky.into_iter().map(|sink| (sink, fate())).collect()
}

struct Growing<'a> {
    choices: &'a mut Choices,
    nodes: Vec<Node>,
    /// How many nodes may still be made.
    budget: usize,
    /// Number of the next new field.
    fresh: usize,
    schema: SourceSchema,
}

/// A flow's beginning, and what is known of rows where a branch ends.
type Grown = (Target, Scope);

impl Growing<'_> {
    /// A flow. `input` is the connection that its first node must consume; then there is a first node.
    fn flow(&mut self, scope: Scope, end: End, input: Option<&str>) -> Grown {
        let joins = matches!(end, End::Join { .. });
        let ends = if joins { 3 } else { 2 };
        let end_here = self.budget == 0 || self.choices.weighted(&[ends, 8]) == 0;
        match (end_here, input, end) {
            (true, None, End::Free) => (Target::Sink(self.choices.below(SINKS.len())), scope),
            (true, _, End::Join { coalesce, branch }) => (Target::Branch { coalesce, branch }, scope),
            (true, Some(_), End::Free) => self.transform(scope, end, input),
            (false, ..) => self.node(scope, end, input),
        }
    }

    fn node(&mut self, scope: Scope, end: End, input: Option<&str>) -> Grown {
        let growth = if matches!(end, End::Join { .. }) { GROWTH_IN_BRANCH } else { GROWTH };
        match self.choices.weighted(&growth) {
            0 => self.transform(scope, end, input),
            1 => self.gate(scope, end, input),
            2 => self.aggregation(scope, end, input),
            _ => self.fork(scope, end, input),
        }
    }

    fn reserve(&mut self, prefix: &str, input: Option<&str>) -> NodeNo {
        self.budget = self.budget.saturating_sub(1);
        let name = format!("{prefix}{}", self.nodes.len());
        let input = input.map_or_else(|| format!("to_{name}"), str::to_owned);
        let kind =
            Kind::Transform { change: Change::Passthrough, next: Target::Sink(0), on_error: Fate::Discard };
        self.nodes.push(Node { name, input, kind });
        self.nodes.len() - 1
    }

    fn fate(&mut self) -> Fate {
        if self.choices.chance(60) { Fate::Sink(self.choices.below(SINKS.len())) } else { Fate::Discard }
    }

    fn fresh_field(&mut self, prefix: &str) -> String {
        self.fresh += 1;
        format!("{prefix}{}", self.fresh)
    }

    fn transform(&mut self, scope: Scope, end: End, input: Option<&str>) -> Grown {
        let no = self.reserve("t", input);
        let (change, scope) = self.change(scope, matches!(end, End::Free));
        let on_error = self.fate();
        let (next, scope) = self.flow(scope, end, None);
        self.nodes[no].kind = Kind::Transform { change, next, on_error };
        (Target::Node(no), scope)
    }

    fn change(&mut self, scope: Scope, may_expand: bool) -> (Change, Scope) {
        let texts = scope.names(Holds::Text).len().min(1);
        let lists = usize::from(may_expand) * scope.names(Holds::List).len().min(1);
        match self.choices.weighted(&[1, 4, 2 * texts, 2, EXPANSION * lists]) {
            0 => (Change::Passthrough, scope),
            1 => self.mapping(scope),
            2 => {
                let field = self.choices.one(&scope.names(Holds::Text)).to_owned();
                let suffix = self.choices.one(&["", "…", ".."]);
                let limit = 3 + self.choices.below(4);
                (Change::Truncate { field, limit, suffix, strict: self.choices.chance(30) }, scope)
            }
            3 => {
                let texts: Vec<String> = scope.names(Holds::Text).into_iter().map(str::to_owned).collect();
                let fields = (!texts.is_empty() && self.choices.chance(60)).then_some(texts);
                (Change::Filter { fields, word: self.choices.one(&["bad", "ü", "more"]) }, scope)
            }
            _ => {
                let array = self.choices.one(&scope.names(Holds::List)).to_owned();
                let item = self.fresh_field("item");
                let index = !scope.has("item_index") && self.choices.chance(50);
                let mut scope = scope.without(&array).with(&item, Holds::Anything);
                if index {
                    scope = scope.with("item_index", Holds::Int);
                }
                (Change::Explode { array, item, index }, scope)
            }
        }
    }

    fn mapping(&mut self, scope: Scope) -> (Change, Scope) {
        let strict = self.choices.chance(25);
        let select_only = self.choices.chance(12);
        let mut out = if select_only { Scope { fields: Vec::new() } } else { scope.clone() };
        let mut mapping = Vec::new();
        let renames = usize::from(select_only) + self.choices.below(3);
        for _ in 0..renames.min(scope.fields.len()) {
            let (from, holds) = self.choices.one(&scope.fields);
            if mapping.iter().any(|(other, _)| *other == from) {
                continue;
            }
            // Some rows have a field `extra` that no schema names.
            let clashes = self.schema != SourceSchema::Fixed
                && scope.has("id")
                && !out.has("extra")
                && self.choices.chance(15);
            let to = if clashes { "extra".to_owned() } else { self.fresh_field("r") };
            out = out.without(&from).with(&to, holds);
            mapping.push((from, to));
        }
        let mut computed = Vec::new();
        if (mapping.is_empty() || self.choices.chance(50))
            && let Some(term) = scope.term(self.choices)
        {
            let name = self.fresh_field("k");
            out = out.with(&name, Holds::Int);
            computed.push((name, term));
        }
        if mapping.is_empty() && computed.is_empty() {
            return (Change::Passthrough, scope);
        }
        (Change::Map { mapping, computed, select_only, strict }, out)
    }

    /// A gate without a fork.
    fn gate(&mut self, scope: Scope, end: End, input: Option<&str>) -> Grown {
        let no = self.reserve("g", input);
        let (condition, labels) = self.condition(&scope);
        let on_error = self.fate();
        let main = self.choices.below(labels.len());
        let (way, grown) = self.flow(scope.clone(), end, None);
        let mut routes = Vec::new();
        for (index, label) in labels.into_iter().enumerate() {
            let target = if index == main || self.choices.chance(20) { way } else { self.aside(&scope) };
            routes.push((label, Route::To(target)));
        }
        self.nodes[no].kind = Kind::Gate { condition, routes, fork: Vec::new(), on_error };
        (Target::Node(no), grown)
    }

    /// Where a gate sends rows that leave the main way.
    fn aside(&mut self, scope: &Scope) -> Target {
        if self.choices.chance(40) {
            self.flow(scope.clone(), End::Free, None).0
        } else {
            Target::Sink(self.choices.below(SINKS.len()))
        }
    }

    fn condition(&mut self, scope: &Scope) -> (crate::expression::Condition, Vec<String>) {
        let (condition, mut labels, may_lack) = scope.condition(self.choices);
        if may_lack && self.choices.chance(30) {
            labels.pop();
        }
        (condition, labels)
    }

    /// A gate with a fork, and the coalesces of its branches.
    fn fork(&mut self, scope: Scope, end: End, input: Option<&str>) -> Grown {
        let no = self.reserve("g", input);
        let (condition, labels) = self.condition(&scope);
        let on_error = self.fate();
        let main = self.choices.below(labels.len());
        let (fork, grown) = self.branches(no, &scope, end);
        let mut routes = Vec::new();
        for (index, label) in labels.into_iter().enumerate() {
            let route = if index == main || self.choices.chance(60) {
                Route::Fork
            } else {
                Route::To(self.aside(&scope))
            };
            routes.push((label, route));
        }
        self.nodes[no].kind = Kind::Gate { condition, routes, fork, on_error };
        (Target::Node(no), grown)
    }

    fn branches(&mut self, gate: NodeNo, scope: &Scope, end: End) -> (Vec<Branch>, Scope) {
        let joins = matches!(end, End::Join { .. });
        let count = 2 + self.choices.below(3);
        let joined = if joins || self.choices.chance(75) { 2 + self.choices.below(count - 1) } else { 0 };
        let (mut branches, mut grown) = (Vec::new(), scope.clone());
        if joined == 4 && self.choices.chance(50) {
            grown = self.joined(gate, (0, 2), scope, end, &mut branches);
            self.joined(gate, (2, 4), scope, End::Free, &mut branches);
        } else if joined > 0 {
            grown = self.joined(gate, (0, joined), scope, end, &mut branches);
        }
        let mut free = SINKS.to_vec();
        for index in joined..count {
            if self.budget > 0 && self.choices.chance(40) {
                let name = format!("{}_{index}", self.nodes[gate].name);
                let to = self.flow(scope.clone(), End::Free, Some(&name)).0;
                branches.push(Branch { name, to, feeds: None });
            } else {
                let sink = free.remove(self.choices.below(free.len()));
                let to = Target::Sink(SINKS.iter().position(|name| *name == sink).unwrap());
                branches.push(Branch { name: sink.to_owned(), to, feeds: None });
            }
        }
        (branches, grown)
    }

    /// Branches `from..to` of a fork, and their coalesce with what comes behind it.
    fn joined(
        &mut self,
        gate: NodeNo,
        (from, to): (usize, usize),
        scope: &Scope,
        end: End,
        branches: &mut Vec<Branch>,
    ) -> Scope {
        let coalesce = self.reserve("c", None);
        let reversed = self.choices.chance(25);
        let (mut joined, mut scopes) = (Vec::new(), Vec::new());
        for index in from..to {
            let position = if reversed { to - 1 - index } else { index - from };
            let name = format!("{}_{index}", self.nodes[gate].name);
            let way = End::Join { coalesce, branch: position };
            let (target, at_end) = self.flow(scope.clone(), way, Some(&name));
            let direct = target == Target::Branch { coalesce, branch: position };
            let connection = if direct { name.clone() } else { format!("{name}_end") };
            joined.push((position, JoinedBranch { name: name.clone(), connection }, at_end));
            branches.push(Branch { name, to: target, feeds: Some((coalesce, position)) });
        }
        joined.sort_by_key(|(position, ..)| *position);
        let mut settings_order = Vec::new();
        for (_, branch, at_end) in joined {
            settings_order.push(branch);
            scopes.push(at_end);
        }
        self.coalesce(coalesce, settings_order, &scopes, end)
    }

    fn coalesce(&mut self, no: NodeNo, branches: Vec<JoinedBranch>, scopes: &[Scope], end: End) -> Scope {
        let policy = match self.choices.below(4) {
            0 => Policy::RequireAll,
            1 => Policy::Quorum(1 + self.choices.below(branches.len())),
            2 => Policy::BestEffort,
            _ => Policy::First,
        };
        let (merge, scope) = match self.choices.weighted(&[3, 2, 1]) {
            0 => (Merge::Union, Scope::common(scopes)),
            1 => {
                let fields = branches.iter().map(|branch| (branch.name.clone(), Holds::Anything));
                (Merge::Nested, Scope { fields: fields.collect() })
            }
            _ => {
                let selected = self.choices.below(branches.len());
                (Merge::Select(selected), scopes[selected].clone())
            }
        };
        let own_name = self.choices.chance(30);
        let name = self.nodes[no].name.clone();
        let (next, grown) = self.flow(scope, end, own_name.then_some(name.as_str()));
        let own_name = own_name && matches!(next, Target::Node(_));
        self.nodes[no].kind = Kind::Coalesce(Coalesce { branches, policy, merge, next, own_name });
        grown
    }

    fn aggregation(&mut self, scope: Scope, end: End, input: Option<&str>) -> Grown {
        let joins = matches!(end, End::Join { .. });
        let Some((batch, passthrough, scope)) = self.batch(&scope, joins) else {
            return self.transform(scope, end, input);
        };
        let no = self.reserve("a", input);
        let (count, condition) = self.trigger();
        let expected = self.choices.chance(12).then(|| 1 + self.choices.below(2));
        let (on_error, own_name) = (self.fate(), self.choices.chance(30));
        let name = self.nodes[no].name.clone();
        let (next, scope) = self.flow(scope, end, own_name.then_some(name.as_str()));
        let own_name = own_name && matches!(next, Target::Node(_));
        self.nodes[no].kind = Kind::Aggregation(Aggregation {
            batch,
            count,
            condition,
            passthrough,
            expected,
            next,
            own_name,
            on_error,
        });
        (Target::Node(no), scope)
    }

    fn trigger(&mut self) -> (Option<usize>, Option<BatchCondition>) {
        let some = |choices: &mut Choices| 1 + choices.below(4);
        match self.choices.weighted(&[4, 2, 2, 1, 1]) {
            0 => (Some(some(self.choices)), None),
            1 => (None, None),
            2 => (None, Some(BatchCondition::Holds(some(self.choices)))),
            3 => (None, Some(BatchCondition::AnyAge)),
            _ => (Some(some(self.choices)), Some(BatchCondition::VeryOld)),
        }
    }

    /// What to do with batches of such rows, whether the rows go on, and what comes out.
    fn batch(&mut self, scope: &Scope, must_go_on: bool) -> Option<(Batch, bool, Scope)> {
        let ints = scope.names(Holds::Int);
        let goes_on = must_go_on || self.choices.chance(25);
        let copies = if goes_on { "one" } else { "c" };
        let replicates = usize::from(scope.has(copies) && !scope.has("copy_index"));
        let counts = usize::from(!goes_on && !ints.is_empty());
        if replicates + counts == 0 {
            return None;
        }
        Some(if self.choices.weighted(&[2 * replicates, counts]) == 0 {
            let index = self.choices.chance(50);
            let scope = if index { scope.clone().with("copy_index", Holds::Int) } else { scope.clone() };
            let default = if goes_on { 1 } else { self.choices.within(1, 2) };
            let most = if goes_on { 100 } else { self.choices.within(2, 4) };
            (Batch::Replicate { copies: copies.to_owned(), default, most, index }, goes_on, scope)
        } else {
            let value = self.choices.one(&ints);
            let groups: Vec<&str> = [scope.names(Holds::Text), scope.names(Holds::Int)]
                .concat()
                .into_iter()
                .filter(|field| *field != value && !["count", "sum", "batch_size"].contains(field))
                .collect();
            let alone = groups.is_empty() || self.choices.chance(40);
            let group_by = (!alone).then(|| self.choices.one(&groups));
            let mean = !self.choices.chance(30);
            let mut out = Scope { fields: Vec::new() };
            for name in ["count", "sum", "batch_size"] {
                out = out.with(name, Holds::Int);
            }
            if let Some(group) = group_by {
                out = out.with(group, Holds::Anything);
            }
            let batch = Batch::Stats { value: value.to_owned(), group_by: group_by.map(str::to_owned), mean };
            (batch, goes_on, out)
        })
    }
}
