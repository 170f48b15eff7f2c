use std::collections::{BTreeMap, BTreeSet};

use elspeth_contracts::EdgeMode;

use super::Findings;
use super::names;
use super::ports::{Leads, Port, PortLabel};
use crate::GraphError;
use crate::spec::{DISCARD, GraphSpec, NodeDecl, NodeKind, Ref, SettingPath};
use crate::suggest::{advise, nearest};

/// An edge between two declared nodes, by their positions in the spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wire {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) label: String,
    pub(super) mode: EdgeMode,
    /// Which of the producer's ports.
    pub(super) port: usize,
    /// Which of the consumer's inputs; 0 for sinks, which have none.
    pub(super) input: usize,
    /// Where the producer names the target.
    pub(super) at: SettingPath,
}

/// What came of connecting.
#[derive(Debug, Default)]
pub(super) struct Wiring {
    pub(super) wires: Vec<Wire>,
    /// Sinks and connections that were probably meant where a name leads nowhere. That nothing leads to them is the same
    /// mistake, and not reported again.
    pub(super) meant: BTreeSet<String>,
}

/// What every name stands for.
struct Names<'a> {
    sinks: BTreeMap<&'a str, usize>,
    consumers: BTreeMap<&'a str, Consumer<'a>>,
    /// First producer of each connection: its position and where it says so.
    producers: BTreeMap<&'a str, (usize, &'a Ref)>,
}

/// Who takes the rows of a connection.
#[derive(Clone, Copy)]
struct Consumer<'a> {
    position: usize,
    input: usize,
    at: &'a Ref,
}

/// Connects every port with its sink or consumer and reports what cannot be connected.
pub(super) fn connect(spec: &GraphSpec, findings: &mut Findings) -> Wiring {
    let mut names = Names { sinks: sinks(spec), consumers: BTreeMap::new(), producers: BTreeMap::new() };
    if names.sinks.is_empty() && !spec.may_have_more_sinks() {
        findings.push(
            GraphError::new("no-sink", &SettingPath::new("sinks"), "the pipeline has no sink")
                .help("declare at least one under `sinks:`, so that rows have somewhere to go"),
        );
    }
    names.find_consumers(spec, findings);
    names.find_producers(spec, findings);
    let mut wiring = Wiring::default();
    for from in 0..spec.nodes.len() {
        names.connect_ports(spec, from, &mut wiring, findings);
    }
    names.report_unproduced(spec, &wiring.meant, findings);
    check_failsinks(spec, &names, findings);
    wiring
}

fn sinks(spec: &GraphSpec) -> BTreeMap<&str, usize> {
    let sinks = spec.nodes.iter().enumerate().filter(|(_, n)| n.is_sink());
    sinks.map(|(i, n)| (n.name.name.as_str(), i)).collect()
}

impl<'a> Names<'a> {
    fn find_consumers(&mut self, spec: &'a GraphSpec, findings: &mut Findings) {
        for (position, node) in spec.nodes.iter().enumerate() {
            let inputs = node.kind.inputs().into_iter().enumerate();
            for (number, input) in inputs.filter(|(_, input)| !input.name.is_empty()) {
                if self.sinks.contains_key(input.name.as_str()) {
                    findings.push(
                        GraphError::new(
                            "name-clash",
                            &input.at,
                            format!("`{}` is a sink, so it cannot be a connection too", input.name),
                        )
                        .help("a sink ends the way of a row; give the connection or the sink another name"),
                    );
                } else if let Some(first) = self.consumers.get(input.name.as_str()) {
                    let first = (&spec.nodes[first.position], first.input);
                    findings.errors.extend(consumed_twice(first, (node, number), input));
                } else {
                    self.consumers.insert(&input.name, Consumer { position, input: number, at: input });
                }
            }
        }
    }

    fn find_producers(&mut self, spec: &'a GraphSpec, findings: &mut Findings) {
        for (position, node) in spec.nodes.iter().enumerate() {
            for port in node.kind.ports() {
                let name = port.target.name.as_str();
                if port.is_closed()
                    || port.leads != Leads::ToSinkOrConnection
                    || self.sinks.contains_key(name)
                {
                    continue;
                }
                let (first, at) = *self.producers.entry(name).or_insert((position, port.target));
                if first != position {
                    let message = format!(
                        "`{name}` is already produced by `{}` ({})",
                        spec.nodes[first].name.name, at.at
                    );
                    findings.push(
                        GraphError::new("duplicate-producer", &port.target.at, message)
                            .help("a connection has one producer; give this one another name, or join the rows at a sink"),
                    );
                }
            }
        }
    }

    fn connect_ports(&self, spec: &GraphSpec, from: usize, wiring: &mut Wiring, findings: &mut Findings) {
        let node = &spec.nodes[from];
        for (number, port) in node.kind.ports().iter().enumerate().filter(|(_, port)| !port.is_closed()) {
            match self.target(port) {
                Some((to, input)) => wiring.wires.push(Wire {
                    from,
                    to,
                    label: port.edge_label(&node.name.name, spec.nodes[to].is_sink()),
                    mode: port.mode(),
                    port: number,
                    input,
                    at: port.target.at.clone(),
                }),
                None if self.may_exist(port, spec) || spec.is_stand_in(node, port) => {}
                // That nothing can have such a name has been reported.
                None if names::is_reserved(&port.target.name) => {}
                None => {
                    let names = self.sinks.keys().chain(self.consumers.keys()).copied();
                    wiring.meant.extend(nearest(&port.target.name, names).map(str::to_owned));
                    findings.push(self.unknown_target(port, &node.name));
                }
            }
        }
    }

    /// The node that a port leads to, and which of its inputs.
    fn target(&self, port: &Port<'_>) -> Option<(usize, usize)> {
        let name = port.target.name.as_str();
        let sink = self.sinks.get(name).map(|to| (*to, 0));
        match port.leads {
            Leads::IntoBranches => None,
            Leads::ToSinkOrDiscard => sink,
            Leads::ToSinkOrConnection => {
                sink.or_else(|| self.consumers.get(name).map(|consumer| (consumer.position, consumer.input)))
            }
        }
    }

    /// Whether what a port names may be in settings that could not be read.
    fn may_exist(&self, port: &Port<'_>, spec: &GraphSpec) -> bool {
        let consumes = port.leads == Leads::ToSinkOrConnection && spec.may_consume_more();
        consumes || spec.may_have_more_sinks()
    }

    fn unknown_target(&self, port: &Port<'_>, node: &Ref) -> GraphError {
        let name = port.target.name.as_str();
        let at = &port.target.at;
        match port.leads {
            Leads::ToSinkOrConnection | Leads::IntoBranches => match port.label {
                PortLabel::Branch(_) => {
                    let message = format!("the branch `{name}` leads nowhere");
                    GraphError::new("branch-without-destination", at, message).help(self.branch_advice(name))
                }
                PortLabel::Plain if port.target == node => {
                    let message =
                        format!("nothing consumes the connection `{name}`, which `{name}` produces");
                    let help =
                        format!("let a node have `input: {name}`, or say by `on_success` where its rows go");
                    GraphError::new("unknown-target", at, message).help(help)
                }
                PortLabel::Plain
                | PortLabel::Route(_)
                | PortLabel::Quarantine
                | PortLabel::Error
                | PortLabel::Failsink => {
                    let message = format!("`{name}` is neither a sink nor the `input` of any node");
                    GraphError::new("unknown-target", at, message).help(self.target_advice(name))
                }
            },
            Leads::ToSinkOrDiscard
                if self.consumers.contains_key(name) || self.producers.contains_key(name) =>
            {
                GraphError::new("unknown-sink", at, format!("`{name}` is a connection, not a sink"))
                    .help("rows that fail can go to a sink or to `discard` only")
            }
            Leads::ToSinkOrDiscard => {
                let sinks = self.sinks.keys().copied().chain([DISCARD]);
                GraphError::new("unknown-sink", at, format!("there is no sink `{name}`"))
                    .help(advise(name, "sinks", sinks))
            }
        }
    }

    fn target_advice(&self, name: &str) -> String {
        if name == DISCARD {
            return "only rows that fail can be discarded; let a sink take these".to_owned();
        }
        let known = self.sinks.keys().chain(self.consumers.keys()).copied();
        match nearest(name, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("declare a sink `{name}`, or let a node have `input: {name}`"),
        }
    }

    fn branch_advice(&self, name: &str) -> String {
        let known = self.sinks.keys().chain(self.consumers.keys()).copied();
        match nearest(name, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "name it in the `branches` of a coalesce, let a node have `input: {name}`, or give it the name of a sink"
            ),
        }
    }

    fn report_unproduced(&self, spec: &GraphSpec, meant: &BTreeSet<String>, findings: &mut Findings) {
        if spec.may_produce_more() {
            return;
        }
        for (name, Consumer { position, input, at }) in &self.consumers {
            let branch = spec.nodes[*position].branches().get(*input);
            // That there is no such branch is said of the coalesce.
            let is_branch = branch.is_some_and(|b| b.name.name == b.input.name);
            if !self.producers.contains_key(name) && !meant.contains(*name) && !is_branch {
                let help = match nearest(name, self.producers.keys().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("let the source or a node lead to `{name}`"),
                };
                let message = format!("nothing produces the connection `{name}`");
                findings.push(GraphError::new("unknown-connection", &at.at, message).help(help));
            }
        }
    }
}

/// What is wrong with a connection that two inputs name: of two coalesces with the same branch, that is said elsewhere.
fn consumed_twice(
    (first, first_input): (&NodeDecl, usize),
    (second, second_input): (&NodeDecl, usize),
    input: &Ref,
) -> Option<GraphError> {
    let branches = (first.branches().get(first_input), second.branches().get(second_input));
    let help = match branches {
        (Some(a), Some(b)) if a.name.name == b.name.name => return None,
        (Some(_), Some(_)) | (None, None) => {
            "a connection has exactly one consumer; only a gate's `fork` copies rows".to_owned()
        }
        (Some(branch), None) | (None, Some(branch)) => format!(
            "to work on the branch before it is merged, write `{}: <connection in which that work ends>` under `branches`",
            branch.name.name
        ),
    };
    let message = format!("`{}` is already consumed by `{}`", input.name, first.name.name);
    Some(GraphError::new("duplicate-consumer", &input.at, message).help(help))
}

fn check_failsinks(spec: &GraphSpec, names: &Names<'_>, findings: &mut Findings) {
    for node in &spec.nodes {
        let NodeKind::Sink { on_write_failure, .. } = &node.kind else { continue };
        let name = on_write_failure.name.as_str();
        if name == node.name.name && name != DISCARD {
            findings.push(
                GraphError::new(
                    "failsink-is-itself",
                    &on_write_failure.at,
                    format!("`{name}` cannot be its own failsink"),
                )
                .help("name another sink, or write `discard`"),
            );
            continue;
        }
        let Some(failsink) = names.sinks.get(name).map(|position| &spec.nodes[*position]) else { continue };
        if let NodeKind::Sink { on_write_failure: next, .. } = &failsink.kind
            && !next.name.is_empty()
            && next.name != name
            && next.name != DISCARD
        {
            let message = format!("the failsink `{name}` has a failsink itself (`{}`)", next.name);
            findings.push(
                GraphError::new("failsink-has-failsink", &on_write_failure.at, message).help(format!(
                    "write `on_write_failure: discard` at `{name}`, or name another sink here"
                )),
            );
        }
    }
}

/// Advice for a name in another place than wiring; the same rule of nearness.
pub(super) fn field_advice<'a>(name: &str, fields: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, fields).map(|near| format!("did you mean `{near}`?"))
}
