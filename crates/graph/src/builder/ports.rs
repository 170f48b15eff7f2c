use elspeth_contracts::EdgeMode;

use crate::spec::{BranchDecl, DISCARD, NodeDecl, NodeKind, Ref, RouteDecl};

/// A way out of a node, not yet connected.
pub(super) struct Port<'a> {
    pub(super) target: &'a Ref,
    pub(super) label: PortLabel<'a>,
    pub(super) leads: Leads,
}

/// How the edge will be called.
#[derive(Clone, Copy)]
pub(super) enum PortLabel<'a> {
    /// `on_success` into a sink, `continue` into anything else.
    Plain,
    /// A route of a gate.
    Route(&'a str),
    /// A branch of a fork.
    Branch(&'a str),
    Quarantine,
    Error,
    Failsink,
}

/// What a port may name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Leads {
    ToSinkOrConnection,
    /// Nowhere itself: the branches of the fork are ports of their own.
    IntoBranches,
    ToSinkOrDiscard,
}

impl Port<'_> {
    /// Whether nothing is to be connected: discarded, or left out and reported already.
    pub(super) fn is_closed(&self) -> bool {
        let nowhere = match self.leads {
            Leads::ToSinkOrConnection => false,
            Leads::IntoBranches => true,
            Leads::ToSinkOrDiscard => self.target.name == DISCARD,
        };
        nowhere || self.target.name.is_empty()
    }

    pub(super) fn mode(&self) -> EdgeMode {
        match self.label {
            PortLabel::Plain | PortLabel::Route(_) => EdgeMode::Move,
            PortLabel::Branch(_) => EdgeMode::Copy,
            PortLabel::Quarantine | PortLabel::Error | PortLabel::Failsink => EdgeMode::Divert,
        }
    }

    pub(super) fn edge_label(&self, from: &str, into_sink: bool) -> String {
        match self.label {
            PortLabel::Plain if into_sink => "on_success".to_owned(),
            PortLabel::Plain => "continue".to_owned(),
            PortLabel::Route(label) | PortLabel::Branch(label) => label.to_owned(),
            PortLabel::Quarantine => "__quarantine__".to_owned(),
            PortLabel::Error => format!("__error_{from}__"),
            PortLabel::Failsink => "__failsink__".to_owned(),
        }
    }
}

impl NodeDecl {
    pub(super) const fn is_sink(&self) -> bool {
        matches!(self.kind, NodeKind::Sink { .. })
    }

    /// The branches of a coalesce, by the number of its input; none of anything else.
    pub(super) fn branches(&self) -> &[BranchDecl] {
        match &self.kind {
            NodeKind::Coalesce { branches, .. } => branches,
            NodeKind::Source { .. }
            | NodeKind::Transform { .. }
            | NodeKind::Gate { .. }
            | NodeKind::Aggregation { .. }
            | NodeKind::Sink { .. } => &[],
        }
    }
}

impl NodeKind {
    /// Every way out, in the order in which edges are numbered: routes, then branches, then failures.
    pub(super) fn ports(&self) -> Vec<Port<'_>> {
        let onward = |target, label| Port { target, label, leads: Leads::ToSinkOrConnection };
        let divert = |target, label| Port { target, label, leads: Leads::ToSinkOrDiscard };
        match self {
            Self::Source { on_success, on_invalid, .. } => {
                vec![onward(on_success, PortLabel::Plain), divert(on_invalid, PortLabel::Quarantine)]
            }
            Self::Transform { on_success, on_error, .. } | Self::Aggregation { on_success, on_error, .. } => {
                vec![onward(on_success, PortLabel::Plain), divert(on_error, PortLabel::Error)]
            }
            Self::Gate { routes, fork_to, on_error, .. } => {
                let routes = routes.iter().map(|route| Port {
                    target: &route.target,
                    label: PortLabel::Route(&route.label.name),
                    leads: if route.is_fork() { Leads::IntoBranches } else { Leads::ToSinkOrConnection },
                });
                let branches = fork_to.iter().map(|branch| onward(branch, PortLabel::Branch(&branch.name)));
                routes.chain(branches).chain([divert(on_error, PortLabel::Error)]).collect()
            }
            Self::Coalesce { on_success, .. } => vec![onward(on_success, PortLabel::Plain)],
            Self::Sink { on_write_failure, .. } => vec![divert(on_write_failure, PortLabel::Failsink)],
        }
    }

    /// The connections that it consumes.
    pub(super) fn inputs(&self) -> Vec<&Ref> {
        match self {
            Self::Source { .. } | Self::Sink { .. } => Vec::new(),
            Self::Transform { input, .. } | Self::Gate { input, .. } | Self::Aggregation { input, .. } => {
                vec![input]
            }
            Self::Coalesce { branches, .. } => branches.iter().map(|branch| &branch.input).collect(),
        }
    }

    /// Labels and connection names as they are written: pairs of label and connection, either of which may be absent.
    pub(super) fn names<'a>(&'a self) -> Vec<(Option<&'a Ref>, Option<&'a Ref>)> {
        match self {
            Self::Source { on_success, .. } => vec![(None, Some(on_success))],
            Self::Transform { on_success, input, .. } | Self::Aggregation { on_success, input, .. } => {
                vec![(None, Some(input)), (None, Some(on_success))]
            }
            Self::Gate { input, routes, fork_to, .. } => {
                let target = |route: &'a RouteDecl| (!route.is_fork()).then_some(&route.target);
                let routes = routes.iter().map(|route| (Some(&route.label), target(route)));
                let branches = fork_to.iter().map(|branch| (None, Some(branch)));
                std::iter::once((None, Some(input))).chain(routes).chain(branches).collect()
            }
            Self::Coalesce { branches, on_success, .. } => {
                let names = branches.iter().flat_map(|b| [(None, Some(&b.name)), (None, Some(&b.input))]);
                names.chain([(None, Some(on_success))]).collect()
            }
            Self::Sink { .. } => Vec::new(),
        }
    }
}
