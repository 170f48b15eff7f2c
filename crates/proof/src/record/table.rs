/// How a field is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A number of so many bytes.
    Number(usize),
    /// A byte, 0 or 1; `true` or `false`.
    Flag,
    /// A byte, the position in the list of names; the name.
    Code(&'static [&'static str]),
    /// 32 bytes; 64 hex digits.
    Hash,
    /// A length of four bytes, and UTF-8.
    Text,
    /// A number of eight bytes; `<row>.<ordinal>` or `r<release>.<ordinal>`.
    Token,
    /// A reason; an object.
    Reason,
    /// A step of two bytes and an attempt of one; an object.
    At,
}

/// A field of a kind of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// How it is written.
    pub form: Form,
    /// Whether it can be absent: then a byte in front says so, and the JSON leaves it out.
    pub optional: bool,
}

const fn field(name: &'static str, form: Form) -> Field {
    Field { name, form, optional: false }
}

const fn optional(name: &'static str, form: Form) -> Field {
    Field { name, form, optional: true }
}

const ATTEMPT: Form = Form::Number(1);
/// Also the form of a step, an edge.
const U16: Form = Form::Number(2);
const U32: Form = Form::Number(4);
const U64: Form = Form::Number(8);

const STATE_STATUS: Form = Form::Code(&["open", "pending", "completed", "failed"]);
const CALL_TYPE: Form = Form::Code(&["http", "llm", "sql", "filesystem"]);
const CALL_STATUS: Form = Form::Code(&["success", "error"]);
const OPERATION_KIND: Form = Form::Code(&["source_load", "sink_write"]);
const OPERATION_STATUS: Form = Form::Code(&["open", "completed", "failed"]);
const OUTCOME: Form = Form::Code(&[
    "completed",
    "routed",
    "forked",
    "expanded",
    "coalesced",
    "consumed_in_batch",
    "quarantined",
    "diverted",
    "failed",
    "buffered",
]);
const NODE_TYPE: Form = Form::Code(&["source", "transform", "gate", "aggregation", "coalesce", "sink"]);
const DETERMINISM: Form =
    Form::Code(&["deterministic", "seeded", "io_read", "io_write", "external_call", "non_deterministic"]);
const EDGE_MODE: Form = Form::Code(&["move", "copy", "divert"]);
const BATCH_STATUS: Form = Form::Code(&["draft", "executing", "completed", "failed"]);
const TRIGGER: Form = Form::Code(&["count", "timeout", "condition", "end_of_source"]);

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $tag:literal $name:literal [$($field:expr),+ $(,)?],)+) => {
        /// What a record is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($(#[$doc])* $kind,)+ }

        impl Kind {
            /// All, in the order of their tags.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)+];

            /// The first byte of such a record.
            #[must_use]
            pub const fn tag(self) -> u8 {
                match self { $(Self::$kind => $tag,)+ }
            }

            /// The name, in `record` of its JSON.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)+ }
            }

            /// The fields, in the order of their bytes.
            #[must_use]
            pub const fn fields(self) -> &'static [Field] {
                match self { $(Self::$kind => const { &[$($field),+] },)+ }
            }
        }
    };
}

kinds! {
    /// A record that the source produced.
    Row = 1 "row" [field("row_index", U64), field("source_data_hash", Form::Hash), field("valid", Form::Flag)],
    /// An instance of a row travelling one path.
    Token = 2 "token" [field("token", Form::Token), optional("branch", Form::Text), optional("group", Form::Token)],
    /// A parent of a token.
    TokenParent = 3 "token_parent" [field("token", Form::Token), field("parent", Form::Token), field("ordinal", U32)],
    /// An attempt of a token at a node.
    NodeState = 4 "node_state" [
        field("token", Form::Token),
        field("step", U16),
        field("attempt", ATTEMPT),
        field("status", STATE_STATUS),
        optional("input_hash", Form::Hash),
        optional("output_hash", Form::Hash),
    ],
    /// More about a node state.
    StateContext = 5 "state_context" [
        field("token", Form::Token),
        field("step", U16),
        field("attempt", ATTEMPT),
        field("context", Form::Text),
    ],
    /// A decision where a token goes.
    RoutingEvent = 6 "routing_event" [
        field("token", Form::Token),
        field("step", U16),
        field("attempt", ATTEMPT),
        field("ordinal", U16),
        field("edge", U16),
        optional("reason", Form::Text),
    ],
    /// A request to the outside.
    Call = 7 "call" [
        field("call_no", U64),
        field("token", Form::Token),
        field("step", U16),
        field("attempt", ATTEMPT),
        field("call_index", U16),
        field("type", CALL_TYPE),
        field("status", CALL_STATUS),
        field("request", Form::Hash),
        optional("response", Form::Hash),
        optional("error", Form::Reason),
    ],
    /// Why a record of the source did not meet the schema.
    ValidationError = 8 "validation_error" [
        field("row_index", U64),
        field("reason", Form::Reason),
        optional("destination", U16),
    ],
    /// Why a node failed for a token.
    TransformError = 9 "transform_error" [
        field("token", Form::Token),
        field("step", U16),
        field("attempt", ATTEMPT),
        field("reason", Form::Reason),
        optional("destination", U16),
    ],
    /// Reading the source, or writing to a sink.
    Operation = 10 "operation" [
        field("step", U16),
        field("epoch", U64),
        field("kind", OPERATION_KIND),
        field("status", OPERATION_STATUS),
        field("attempts", U32),
        optional("error", Form::Reason),
    ],
    /// What became of a token.
    TokenOutcome = 11 "token_outcome" [
        field("token", Form::Token),
        field("outcome", OUTCOME),
        optional("sink", U16),
        optional("group", Form::Token),
        optional("batch_no", U64),
        optional("error_at", Form::At),
    ],
    /// What a sink produced.
    Artifact = 12 "artifact" [
        field("step", U16),
        field("epoch", U64),
        field("type", Form::Text),
        field("path", Form::Text),
        field("content", Form::Hash),
        field("size_bytes", U64),
        field("rows", U64),
        field("idempotency_key", Form::Text),
    ],
    /// A node of the graph.
    Node = 13 "node" [
        field("step", U16),
        field("node_id", Form::Text),
        field("name", Form::Text),
        field("type", NODE_TYPE),
        field("plugin", Form::Text),
        field("plugin_version", Form::Text),
        field("determinism", DETERMINISM),
        field("config", Form::Text),
        field("config_hash", Form::Hash),
        field("input_schema", Form::Text),
        field("output_schema", Form::Text),
    ],
    /// An edge of the graph.
    Edge = 14 "edge" [
        field("edge", U16),
        field("from", U16),
        field("to", U16),
        field("label", Form::Text),
        field("mode", EDGE_MODE),
    ],
    /// An attempt to flush a batch.
    Batch = 15 "batch" [
        field("batch_no", U64),
        field("attempt", ATTEMPT),
        field("step", U16),
        field("status", BATCH_STATUS),
        optional("trigger", TRIGGER),
        optional("reason", Form::Text),
    ],
    /// A member of a batch.
    BatchMember = 16 "batch_member" [field("batch_no", U64), field("ordinal", U32), field("token", Form::Token)],
    /// An output of a batch.
    BatchOutput = 17 "batch_output" [field("batch_no", U64), field("ordinal", U32), field("token", Form::Token)],
    /// Tokens that had waited across rows going on.
    Release = 18 "release" [
        field("number", U64),
        field("step", U16),
        field("epoch", U64),
        field("row_index", U64),
        field("after", Form::Flag),
    ],
}

impl Kind {
    /// The kind with that tag.
    #[must_use]
    pub fn from_tag(tag: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.tag() == tag)
    }

    /// The kind with that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// Whether content leaves are made of such records. The others are covered by the record root alone.
    #[must_use]
    pub const fn is_in_leaves(self) -> bool {
        match self {
            Self::Operation | Self::Artifact | Self::Node | Self::Edge | Self::Release => false,
            Self::Row
            | Self::Token
            | Self::TokenParent
            | Self::NodeState
            | Self::StateContext
            | Self::RoutingEvent
            | Self::Call
            | Self::ValidationError
            | Self::TransformError
            | Self::TokenOutcome
            | Self::Batch
            | Self::BatchMember
            | Self::BatchOutput => true,
        }
    }
}
