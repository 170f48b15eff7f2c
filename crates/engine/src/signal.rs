use std::sync::Arc;

use elspeth_contracts::{Step, TokenKey};
use elspeth_executors::Cause;

use crate::branch::{Frame, Traveller};

/// What a walk tells a node that waits across rows.
#[derive(Debug)]
pub(crate) struct Signal {
    /// The node.
    pub(crate) step: Step,
    /// The row whose processing made it happen.
    pub(crate) cause: Cause,
    pub(crate) message: Message,
}

#[derive(Debug)]
pub(crate) enum Message {
    /// A token has come to an aggregation.
    Member(Traveller),
    /// One more token is on the branch.
    Entered { frame: Arc<Frame> },
    /// A token is on the branch no more.
    Left { token: TokenKey, frame: Arc<Frame> },
    /// Its place on the branch was taken by another token.
    Replaced { frame: Arc<Frame> },
    /// The branch has come to its coalesce.
    Arrived { traveller: Traveller, frame: Arc<Frame> },
}
