use std::sync::Arc;

use elspeth_canonical::ContentHash;
use elspeth_contracts::{EpochNo, FailureKind, NodeType, RowIndex, RunId, TokenKey};
use tracing::field::{Empty, display};
use tracing::{Dispatch, Span, dispatcher, info_span};

use crate::Granularity;

/// Makes the spans of one run. Cheap to clone; every thread of the run has one.
///
/// Nothing is formatted and nothing allocated for a span that is not wanted: each method looks at one flag first and
/// gives [`OpenSpan::NONE`], which costs nothing to keep and to drop.
#[derive(Debug, Clone, Default)]
pub struct Spans(Option<Arc<Active>>);

#[derive(Debug)]
struct Active {
    granularity: Granularity,
    dispatch: Dispatch,
    run_id: RunId,
    run: Span,
}

/// A span that ends when it is dropped.
#[derive(Debug, Default)]
pub struct OpenSpan(Option<(Arc<Active>, Span)>);

impl OpenSpan {
    /// A span that is not wanted.
    pub const NONE: Self = Self(None);

    /// Whether it is not wanted.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// Marks it as failed. Only the kind goes out: messages can quote data.
    pub fn failed(&self, kind: FailureKind) {
        if let Some((_, span)) = &self.0 {
            span.record("otel.status_code", "ERROR");
            span.record("otel.status_description", kind.as_str());
        }
    }

    fn parent(&self) -> Option<tracing::Id> {
        self.0.as_ref().and_then(|(_, span)| span.id())
    }
}

impl Drop for OpenSpan {
    /// The registry releases a span's parent through the thread's own subscriber, so that must be the right one.
    fn drop(&mut self) {
        if let Some((active, span)) = self.0.take() {
            dispatcher::with_default(&active.dispatch, || drop(span));
        }
    }
}

/// The node that a span is about.
#[derive(Debug, Clone, Copy)]
pub struct NodeTag<'a> {
    /// Its name in the settings.
    pub name: &'a str,
    /// Its plugin.
    pub plugin: &'a str,
}

/// The token that a span is about.
#[derive(Debug, Clone, Copy)]
pub struct TokenTag<'a> {
    /// The row that it came from.
    pub row: RowIndex,
    /// The token.
    pub token: TokenKey,
    /// Hash of what it carries, where it is known.
    pub input_hash: Option<&'a ContentHash>,
}

/// A span with the attributes that all spans of nodes have.
macro_rules! node_span {
    ($active:expr, $parent:expr, $name:literal, $node_type:expr, $node:expr $(, $field:ident . $sub:ident = $value:expr)* $(,)?) => {
        $active.within(|| info_span!(
            target: "elspeth",
            parent: $parent,
            $name,
            elspeth.node = $node.name,
            elspeth.plugin = $node.plugin,
            elspeth.node_type = $node_type.as_str(),
            $($field . $sub = $value,)*
            otel.status_code = Empty,
            otel.status_description = Empty,
        ))
    };
}

impl Spans {
    /// No spans at all.
    pub const OFF: Self = Self(None);

    pub(crate) fn begin(granularity: Granularity, dispatch: Dispatch, run_id: RunId) -> Self {
        let run = dispatcher::with_default(&dispatch, || {
            info_span!(
                target: "elspeth",
                parent: None,
                "run",
                elspeth.run_id = display(run_id),
                otel.status_code = Empty,
                otel.status_description = Empty,
            )
        });
        Self(Some(Arc::new(Active { granularity, dispatch, run_id, run })))
    }

    /// Whether spans of that granularity are wanted.
    #[must_use]
    pub fn wants(&self, granularity: Granularity) -> bool {
        self.at(granularity).is_some()
    }

    fn at(&self, granularity: Granularity) -> Option<&Arc<Active>> {
        self.0.as_ref().filter(|active| active.granularity >= granularity)
    }

    /// The source reading its rows, from the first to the last.
    #[must_use]
    pub fn source(&self, node: NodeTag<'_>) -> OpenSpan {
        let Some(active) = self.at(Granularity::Lifecycle) else { return OpenSpan::NONE };
        node_span!(active, active.run.id(), "source", NodeType::Source, node)
    }

    /// A sink writing its rows of one epoch.
    #[must_use]
    pub fn sink_write(&self, node: NodeTag<'_>, epoch: EpochNo, rows: usize) -> OpenSpan {
        let Some(active) = self.at(Granularity::Lifecycle) else { return OpenSpan::NONE };
        node_span!(
            active,
            active.run.id(),
            "sink_write",
            NodeType::Sink,
            node,
            elspeth.epoch = epoch.0,
            elspeth.rows = rows as u64,
        )
    }

    /// A row on its way through the graph.
    #[must_use]
    pub fn row(&self, token: TokenTag<'_>) -> OpenSpan {
        let Some(active) = self.at(Granularity::Rows) else { return OpenSpan::NONE };
        let span = active.within(|| {
            info_span!(
                target: "elspeth",
                parent: active.run.id(),
                "row",
                elspeth.row_index = token.row.get(),
                elspeth.row_id = display(active.run_id.row_id(token.row)),
                elspeth.token_id = display(active.run_id.token_id(token.token)),
                elspeth.input_hash = Empty,
                otel.status_code = Empty,
                otel.status_description = Empty,
            )
        });
        with_hash(span, token.input_hash)
    }

    /// A transform working on a token, within the span of its row.
    #[must_use]
    pub fn transform(&self, row: &OpenSpan, node: NodeTag<'_>, token: TokenTag<'_>) -> OpenSpan {
        let Some(active) = self.at(Granularity::Full) else { return OpenSpan::NONE };
        with_hash(
            node_span!(
                active,
                row.parent(),
                "transform",
                NodeType::Transform,
                node,
                elspeth.row_id = display(active.run_id.row_id(token.row)),
                elspeth.token_id = display(active.run_id.token_id(token.token)),
                elspeth.input_hash = Empty,
            ),
            token.input_hash,
        )
    }

    /// A gate deciding on a token, within the span of its row.
    #[must_use]
    pub fn gate(&self, row: &OpenSpan, node: NodeTag<'_>, token: TokenTag<'_>) -> OpenSpan {
        let Some(active) = self.at(Granularity::Full) else { return OpenSpan::NONE };
        with_hash(
            node_span!(
                active,
                row.parent(),
                "gate",
                NodeType::Gate,
                node,
                elspeth.row_id = display(active.run_id.row_id(token.row)),
                elspeth.token_id = display(active.run_id.token_id(token.token)),
                elspeth.input_hash = Empty,
            ),
            token.input_hash,
        )
    }

    /// A sink taking a token, within the span of its write.
    #[must_use]
    pub fn sink(&self, write: &OpenSpan, node: NodeTag<'_>, token: TokenTag<'_>) -> OpenSpan {
        let Some(active) = self.at(Granularity::Full) else { return OpenSpan::NONE };
        with_hash(
            node_span!(
                active,
                write.parent(),
                "sink",
                NodeType::Sink,
                node,
                elspeth.row_id = display(active.run_id.row_id(token.row)),
                elspeth.token_id = display(active.run_id.token_id(token.token)),
                elspeth.input_hash = Empty,
            ),
            token.input_hash,
        )
    }
}

impl Active {
    /// Makes a span for this run's exporters, whatever the thread's own subscriber is.
    fn within(self: &Arc<Self>, make: impl FnOnce() -> Span) -> OpenSpan {
        OpenSpan(Some((Arc::clone(self), dispatcher::with_default(&self.dispatch, make))))
    }
}

fn with_hash(open: OpenSpan, hash: Option<&ContentHash>) -> OpenSpan {
    if let (Some((_, span)), Some(hash)) = (&open.0, hash) {
        span.record("elspeth.input_hash", display(hash));
    }
    open
}
