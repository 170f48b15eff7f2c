use elspeth_contracts::EdgeMode;

use crate::spec::{DISCARD, NodeDecl, NodeKind, Ref};

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
    Quarantine,
    Error,
    Failsink,
}

/// What a port may name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Leads {
    ToSinkOrConnection,
    ToSinkOrDiscard,
}

impl Port<'_> {
    /// Whether nothing is to be connected: discarded, or left out and reported already.
    pub(super) fn is_closed(&self) -> bool {
        self.target.name.is_empty() || (self.leads == Leads::ToSinkOrDiscard && self.target.name == DISCARD)
    }

    pub(super) fn mode(&self) -> EdgeMode {
        match self.leads {
            Leads::ToSinkOrConnection => EdgeMode::Move,
            Leads::ToSinkOrDiscard => EdgeMode::Divert,
        }
    }

    pub(super) fn edge_label(&self, from: &str, into_sink: bool) -> String {
        match self.label {
            PortLabel::Plain if into_sink => "on_success".to_owned(),
            PortLabel::Plain => "continue".to_owned(),
            PortLabel::Route(label) => label.to_owned(),
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
}

impl NodeKind {
    /// Every way out, in the order in which edges are numbered.
    pub(super) fn ports(&self) -> Vec<Port<'_>> {
        let onward = |target, label| Port { target, label, leads: Leads::ToSinkOrConnection };
        let divert = |target, label| Port { target, label, leads: Leads::ToSinkOrDiscard };
        match self {
            Self::Source { on_success, on_invalid, .. } => {
                vec![onward(on_success, PortLabel::Plain), divert(on_invalid, PortLabel::Quarantine)]
            }
            Self::Transform { on_success, on_error, .. } => {
                vec![onward(on_success, PortLabel::Plain), divert(on_error, PortLabel::Error)]
            }
            Self::Gate { routes, on_error, .. } => routes
                .iter()
                .map(|route| onward(&route.target, PortLabel::Route(&route.label.name)))
                .chain([divert(on_error, PortLabel::Error)])
                .collect(),
            Self::Sink { on_write_failure, .. } => vec![divert(on_write_failure, PortLabel::Failsink)],
        }
    }

    /// The connections that it consumes.
    pub(super) fn inputs(&self) -> Vec<&Ref> {
        match self {
            Self::Source { .. } | Self::Sink { .. } => Vec::new(),
            Self::Transform { input, .. } | Self::Gate { input, .. } => vec![input],
        }
    }

    /// Labels and connection names as they are written: pairs of label and connection, either of which may be absent.
    pub(super) fn names(&self) -> Vec<(Option<&Ref>, Option<&Ref>)> {
        match self {
            Self::Source { on_success, .. } => vec![(None, Some(on_success))],
            Self::Transform { on_success, input, .. } => vec![(None, Some(input)), (None, Some(on_success))],
            Self::Gate { input, routes, .. } => {
                let routes = routes.iter().map(|route| (Some(&route.label), Some(&route.target)));
                std::iter::once((None, Some(input))).chain(routes).collect()
            }
            Self::Sink { .. } => Vec::new(),
        }
    }
}
