//! Closed enums of the record. Each is stored as its small number, which a CHECK in SQL bounds, and shown by its name.
//! A stored number that the enum does not know is corruption; it is never given a default.

use thiserror::Error;

/// A stored number or name that its enum does not know: our own record is damaged, or newer than this program.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown {what} `{found}`")]
pub struct UnknownCode {
    /// Which enum.
    pub what: &'static str,
    /// What was found.
    pub found: String,
}

macro_rules! closed_enum {
    ($(#[$doc:meta])* $name:ident ($what:literal) { $($(#[$vdoc:meta])* $variant:ident = $code:literal $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// Every value, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stored number.
            #[must_use]
            pub const fn code(self) -> u8 {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The name that is shown.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The value with that stored number.
            ///
            /// # Errors
            /// [`UnknownCode`] for any other number.
            pub fn from_code(code: i64) -> Result<Self, UnknownCode> {
                match code {
                    $($code => Ok(Self::$variant),)+
                    _ => Err(UnknownCode { what: $what, found: code.to_string() }),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownCode;

            fn from_str(text: &str) -> Result<Self, UnknownCode> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(UnknownCode { what: $what, found: text.to_owned() }),
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(self.as_str())
            }
        }
    };
}

closed_enum!(
    /// What has become of a run.
    RunStatus ("run status") {
        /// A process owns it and works on it (or died doing so, when its lease is old).
        Running = 0 "running",
        /// Every row has its outcome and every sink is published.
        Completed = 1 "completed",
        /// It stopped on an error; resumable once the cause is mended.
        Failed = 2 "failed",
        /// Somebody stopped it; resumable.
        Interrupted = 3 "interrupted",
    }
);

closed_enum!(
    /// What a node is.
    NodeType ("node type") {
        /// Produces rows.
        Source = 0 "source",
        /// One row in; one, several or an error out.
        Transform = 1 "transform",
        /// Chooses where a row goes.
        Gate = 2 "gate",
        /// Collects rows into batches.
        Aggregation = 3 "aggregation",
        /// Joins the branches of a fork.
        Coalesce = 4 "coalesce",
        /// Writes rows.
        Sink = 5 "sink",
    }
);

closed_enum!(
    /// How far one attempt of a token at a node got.
    NodeStateStatus ("node state status") {
        /// Begun.
        Open = 0 "open",
        /// Waits for something outside.
        Pending = 1 "pending",
        /// Done.
        Completed = 2 "completed",
        /// Ended in an error.
        Failed = 3 "failed",
    }
);

closed_enum!(
    /// What became of a token.
    Outcome ("outcome") {
        /// Reached a sink by the default path.
        Completed = 0 "completed",
        /// A gate or an error edge sent it to a sink.
        Routed = 1 "routed",
        /// Parent of fork children.
        Forked = 2 "forked",
        /// Parent of several children of one transform.
        Expanded = 3 "expanded",
        /// Parent of a merged token.
        Coalesced = 4 "coalesced",
        /// Absorbed by an aggregation in transform mode.
        ConsumedInBatch = 5 "consumed_in_batch",
        /// Rejected by source validation, or discarded on error.
        Quarantined = 6 "quarantined",
        /// The sink refused it.
        Diverted = 7 "diverted",
        /// Unrecoverable, and nothing else applies.
        Failed = 8 "failed",
        /// Waits in an open batch; a terminal outcome follows.
        Buffered = 9 "buffered",
    }
);

impl Outcome {
    /// Whether nothing can follow.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Buffered)
    }
}

closed_enum!(
    /// How a token moves along an edge.
    EdgeMode ("edge mode") {
        /// The token itself goes on.
        Move = 0 "move",
        /// A child goes on (fork branches).
        Copy = 1 "copy",
        /// An error, quarantine or failsink path.
        Divert = 2 "divert",
    }
);

closed_enum!(
    /// What a plugin's output depends on.
    Determinism ("determinism") {
        /// Its input and options alone.
        Deterministic = 0 "deterministic",
        /// Input, options and a recorded seed.
        Seeded = 1 "seeded",
        /// Files or tables it reads.
        IoRead = 2 "io_read",
        /// It writes to the outside.
        IoWrite = 3 "io_write",
        /// Answers of a service.
        ExternalCall = 4 "external_call",
        /// Anything.
        NonDeterministic = 5 "non_deterministic",
    }
);

closed_enum!(
    /// Kind of an operation.
    OperationKind ("operation kind") {
        /// Reading the source.
        SourceLoad = 0 "source_load",
        /// Writing one epoch to one sink, or publishing it.
        SinkWrite = 1 "sink_write",
    }
);

closed_enum!(
    /// How an operation ended.
    OperationStatus ("operation status") {
        /// Begun.
        Open = 0 "open",
        /// Done.
        Completed = 1 "completed",
        /// Ended in an error.
        Failed = 2 "failed",
    }
);

closed_enum!(
    /// What a call talked to.
    CallType ("call type") {
        /// HTTP.
        Http = 0 "http",
        /// A language model.
        Llm = 1 "llm",
        /// A database.
        Sql = 2 "sql",
        /// A file system.
        Filesystem = 3 "filesystem",
    }
);

closed_enum!(
    /// How a call ended.
    CallStatus ("call status") {
        /// An answer came.
        Success = 0 "success",
        /// None came, or an error.
        Error = 1 "error",
    }
);

closed_enum!(
    /// How far a batch got.
    BatchStatus ("batch status") {
        /// Takes members.
        Draft = 0 "draft",
        /// Its plugin runs.
        Executing = 1 "executing",
        /// Flushed.
        Completed = 2 "completed",
        /// Its flush failed.
        Failed = 3 "failed",
    }
);

closed_enum!(
    /// What made a batch flush.
    TriggerType ("trigger type") {
        /// The number of members.
        Count = 0 "count",
        /// Time since the first member.
        Timeout = 1 "timeout",
        /// The trigger condition.
        Condition = 2 "condition",
        /// The source ended.
        EndOfSource = 3 "end_of_source",
    }
);

closed_enum!(
    /// How much of a run can be reproduced from its record.
    Grade ("grade") {
        /// Everything ran from deterministic nodes and every body is kept.
        FullReproducible = 0 "full_reproducible",
        /// Some node's answers are recorded and can be replayed.
        ReplayReproducible = 1 "replay_reproducible",
        /// Bodies were purged; hashes and lineage remain.
        AttributableOnly = 2 "attributable_only",
    }
);

closed_enum!(
    /// How far the export of a run got.
    ExportStatus ("export status") {
        /// Not asked for.
        None = 0 "none",
        /// Begun.
        Pending = 1 "pending",
        /// Done.
        Completed = 2 "completed",
        /// Ended in an error.
        Failed = 3 "failed",
    }
);

closed_enum!(
    /// How far a purge of a run's bodies got.
    PurgeStatus ("purge status") {
        /// Begun: what is not gone yet goes with the next purge.
        Open = 0 "open",
        /// Nothing is left of what it was to remove.
        Done = 1 "done",
    }
);
