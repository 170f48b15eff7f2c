use alloc::string::String;
use core::fmt;

use thiserror::Error;

use crate::merkle::BadProof;
use crate::record::BadRecord;
use crate::shape::BadShape;
use crate::token::Token;
use crate::trust::BadHead;

/// A tree of a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Decisions about rows.
    Decisions,
    /// Releases.
    Releases,
    /// The parts of a release.
    Parts,
    /// What sinks did.
    Acts,
    /// The registry.
    Registry,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Decisions => "decisions",
            Self::Releases => "releases",
            Self::Parts => "the parts of a release",
            Self::Acts => "acts",
            Self::Registry => "the registry",
        })
    }
}

/// Why a receipt proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Not a receipt, or not in its one form.
    #[error("not a receipt: {0}")]
    Shape(#[from] BadShape),
    /// A record that cannot be one.
    #[error("not a record: {0}")]
    Record(#[from] BadRecord),
    /// A record of a kind that is in no leaf.
    #[error("no leaf has records of the kind `{0}`")]
    NotInLeaves(&'static str),
    /// A proof that leads nowhere.
    #[error("the proof in the tree of {place}: {error}")]
    Proof {
        /// In which tree.
        place: Place,
        /// What is wrong.
        error: BadProof,
    },
    /// The records do not lead to the content root.
    #[error("the records do not give the content root of the run: something in them was changed")]
    ContentRoot,
    /// The entry of the registry is not that of the end of this run.
    #[error("the entry of the registry does not fit: its `{0}` is not what it must be")]
    Entry(&'static str),
    /// The first record is not that of the row.
    #[error("the records do not begin with row {0}")]
    Row(u64),
    /// What became of a token is not there, or more than once.
    #[error("token {token} has {found} outcomes")]
    Outcomes {
        /// Whose.
        token: Token,
        /// How many are here.
        found: usize,
    },
    /// An act that is not of one token.
    #[error("leaf {0} of the acts is not that of the outcome of one token")]
    Act(u64),
    /// A token that the row did not bring about.
    #[error("token {0} is there, but nothing says where it comes from")]
    Stranger(Token),
    /// A token that was made, but is not in the receipt.
    #[error("token {0} was made from one of this row, but what became of it is left out")]
    LeftOut(Token),
    /// A token that went into a batch which is not in the receipt.
    #[error("token {0} was consumed in a batch that is left out")]
    NoBatch(Token),
    /// A part of a release that is not of one token, or not in the order of tokens.
    #[error("part {part} of release {release} is not that of the next token")]
    Part {
        /// The leaf of the release.
        release: u64,
        /// Which part of it.
        part: u64,
    },
    /// Of a release something is missing that is of the row for certain.
    #[error("not all parts of release {0} are shown that must be")]
    Parts(u64),
    /// A token came to a node, and no record says what happened there.
    #[error("token {token} came to step {step}, but what became of it there is left out")]
    Gap {
        /// Whose.
        token: Token,
        /// The node.
        step: u64,
    },
    /// An outcome that is not where the records of the token lead.
    #[error("the outcome of token {0} is not that to which its way leads")]
    Outcome(Token),
    /// Something that came out of a batch may not be here.
    #[error("it is not shown that all is here that came out of batch {0}")]
    Outputs(u64),
    /// The topology is not of the form that is known here, or the records do not fit it.
    #[error("the row cannot be followed: the topology is no graph along which the records lead")]
    Graph,
    /// A body that no record names.
    #[error("the body with the hash {0} is named by no record")]
    Body(String),
    /// The registry's tree has another size than its head says.
    #[error("the head is that of {head} entries, the proof that of {proof}")]
    Size {
        /// By the head.
        head: u64,
        /// By the proof.
        proof: u64,
    },
    /// The head is not to be believed.
    #[error("the head of the registry: {0}")]
    Head(#[from] BadHead),
}
