//! What may be missing in a declaration, by the settings that could not be read.
//!
//! A setting is as its author wrote it unless it, one that holds it, or one in it could not be read. What no such setting can
//! hold is known, and rules about it apply.

use super::ports::Port;
use crate::spec::{GraphSpec, NodeDecl, NodeKind, SettingPath};

/// The sections that hold nodes besides the source and the sinks.
const SECTIONS: [&str; 4] = ["transforms", "gates", "aggregations", "coalesce"];

impl GraphSpec {
    /// Whether a setting is not as its author wrote it.
    pub(super) fn is_unread(&self, at: &SettingPath) -> bool {
        self.unread
            .iter()
            .any(|unread| holds(unread.as_str(), at.as_str()) || holds(at.as_str(), unread.as_str()))
    }

    /// Whether a setting is missing as a whole; one of which only a part could not be read is not.
    pub(super) fn is_lost(&self, at: &SettingPath) -> bool {
        self.unread.iter().any(|unread| holds(unread.as_str(), at.as_str()))
    }

    /// Whether there may be sinks besides those that are declared. One whose own settings could not be read has its name.
    pub(super) fn may_have_more_sinks(&self) -> bool {
        self.unread.iter().any(|unread| holds(unread.as_str(), "sinks"))
    }

    /// Whether connections may be consumed besides those that are named.
    pub(super) fn may_consume_more(&self) -> bool {
        self.misses_in_nodes(&["input", "branches"])
    }

    /// Whether connections may be produced, or sinks be named by nodes, besides those that are known.
    pub(super) fn may_produce_more(&self) -> bool {
        let source = SettingPath::new("source").child("on_success");
        // Where `on_success` is absent, the name is what is produced.
        self.is_unread(&source) || self.misses_in_nodes(&["name", "on_success", "routes", "fork_to"])
    }

    /// Whether forks may have branches besides those that are named.
    pub(super) fn may_fork_more(&self) -> bool {
        let gates = |unread: &SettingPath| section_of(unread).is_none_or(|section| section == "gates");
        // A gate of which not even the routes are known is not known to have no branches.
        self.unread.iter().any(|unread| gates(unread) && is_missed(unread, &["fork_to", "routes"]))
    }

    /// Whether sinks may be named besides those that are.
    pub(super) fn may_name_more_sinks(&self) -> bool {
        let elsewhere = ["source.options.on_validation_failure", "landscape.export.sink"];
        let failsink = |unread: &SettingPath| {
            section_of(unread) == Some("sinks") && is_key_missed(unread, &["on_write_failure"])
        };
        let is_silent = |node: &NodeDecl| {
            let unrouted = matches!(&node.kind, NodeKind::Gate { routes, .. } if routes.is_empty());
            unrouted || node.kind.ports().iter().any(|port| port.target.name.is_empty())
        };
        self.may_produce_more()
            || self.misses_in_nodes(&["on_error"])
            || self.unread.iter().any(failsink)
            || elsewhere.iter().any(|at| self.is_unread(&SettingPath::new(*at)))
            || self.nodes.iter().any(is_silent)
    }

    /// Whether the target of a port is not what the user wrote; by default it is the node's own name.
    pub(super) fn is_stand_in(&self, node: &NodeDecl, port: &Port<'_>) -> bool {
        let by_default = *port.target == node.name && self.is_unread(&node.at.child("on_success"));
        by_default || self.is_unread(&port.target.at)
    }

    /// Whether one of those settings of a node could not be read, or a node as a whole.
    fn misses_in_nodes(&self, keys: &[&str]) -> bool {
        self.unread.iter().any(|unread| is_missed(unread, keys))
    }
}

/// Whether such a setting of a node was lost with `unread`: it is one, lies in one, or holds them.
fn is_missed(unread: &SettingPath, keys: &[&str]) -> bool {
    let in_nodes = section_of(unread).is_none_or(|section| SECTIONS.contains(&section));
    in_nodes && is_key_missed(unread, keys)
}

/// The same of anything that has a place of its own in a section.
fn is_key_missed(unread: &SettingPath, keys: &[&str]) -> bool {
    unread.as_str().split('.').nth(2).is_none_or(|key| keys.contains(&key))
}

fn section_of(at: &SettingPath) -> Option<&str> {
    at.as_str().split('.').next().filter(|section| !section.is_empty())
}

/// Whether a path is that of a setting or of something in it.
fn holds(outer: &str, inner: &str) -> bool {
    let rest = inner.strip_prefix(outer);
    outer.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
