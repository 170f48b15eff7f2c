//! What stays open between epochs, as it is kept with every commit and taken up again after a stop.
//!
//! Members' rows and hashes are not in it: they are in the record. Times are ages, since a monotonic clock means nothing to
//! another process, and the time in between does not count.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use elspeth_contracts::{ErrorReason, Step, TokenKey};
use elspeth_landscape::{Carried, Corruption};
use serde::{Deserialize, Serialize};

use crate::branch::{Frame, Frames, Traveller, each};
use crate::members::Members;

/// The stored form.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Buffers {
    pub(crate) nodes: Vec<NodeBuffer>,
}

/// One node that waits across rows.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct NodeBuffer {
    pub(crate) step: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) batch: Option<BatchBuffer>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) merges: Vec<MergeBuffer>,
}

impl Buffers {
    fn read(buffers: &str) -> Result<Self, Corruption> {
        if buffers.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_str(buffers).map_err(|error| corrupt(&error.to_string()))
    }
}

impl NodeBuffer {
    fn step(&self) -> Result<Step, Corruption> {
        Step::new(self.step).ok_or_else(|| corrupt("a step is too large"))
    }
}

/// A batch that takes members.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct BatchBuffer {
    pub(crate) number: u64,
    pub(crate) members: u64,
    pub(crate) age_us: u64,
    /// Of the members that are on branches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) branches: Vec<MemberBuffer>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct MemberBuffer {
    pub(crate) member: u64,
    pub(crate) frames: Vec<FrameBuffer>,
}

/// The branches of one fork at their coalesce.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct MergeBuffer {
    pub(crate) fork: u64,
    pub(crate) live: Vec<u32>,
    pub(crate) lost: Vec<bool>,
    pub(crate) arrived: Vec<Option<WaitingBuffer>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) age_us: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<EndedBuffer>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WaitingBuffer {
    pub(crate) token: u64,
    pub(crate) age_us: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) frames: Vec<FrameBuffer>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EndedBuffer {
    Merged,
    Failed { reason: ErrorReason, told: bool },
}

/// One branch that a token is on.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FrameBuffer {
    pub(crate) fork: u64,
    pub(crate) coalesce: u16,
    pub(crate) branch: u16,
}

/// The innermost first.
pub(crate) fn frames_buffer(frames: &Frames) -> Vec<FrameBuffer> {
    let frame = |frame: &Arc<Frame>| FrameBuffer {
        fork: frame.fork.get(),
        coalesce: frame.coalesce.get(),
        branch: frame.branch,
    };
    each(frames).map(frame).collect()
}

fn frames_of(stored: &[FrameBuffer]) -> Option<Frames> {
    stored.iter().rev().try_fold(None, |outer, frame| {
        let (fork, coalesce) = (TokenKey::from_u64(frame.fork)?, Step::new(frame.coalesce)?);
        Some(Some(Arc::new(Frame { fork, coalesce, branch: frame.branch, outer })))
    })
}

/// Tokens that wait at a node, for those who ask what is unfinished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// The node.
    pub step: Step,
    /// Tokens in its open batch, or that have come to its merges.
    pub tokens: u64,
    /// Merges that wait; 0 for a batch.
    pub merges: u64,
}

/// What `buffers` of a checkpoint says about each node.
///
/// # Errors
/// [`Corruption`] when no engine writes that.
pub fn waits(buffers: &str) -> Result<Vec<Wait>, Corruption> {
    let wait = |node: &NodeBuffer| {
        let merges: Vec<_> = node.merges.iter().filter(|merge| merge.ended.is_none()).collect();
        let come: usize = merges.iter().map(|merge| merge.arrived.iter().flatten().count()).sum();
        let tokens = node.batch.as_ref().map_or(come as u64, |batch| batch.members);
        Ok(Wait { step: node.step()?, tokens, merges: merges.len() as u64 })
    };
    Buffers::read(buffers)?.nodes.iter().map(wait).collect()
}

/// What a run that stopped had open, to be filled with what its record says of the tokens.
///
/// [`StillOpen::batches`] and [`StillOpen::waiting`] name the tokens; give each to [`StillOpen::member`] or
/// [`StillOpen::arrived`] with what it carries.
#[derive(Debug, Default)]
pub struct StillOpen {
    pub(crate) nodes: BTreeMap<Step, OpenNode>,
    released: BTreeMap<Step, u64>,
}

/// What is open at one node.
#[derive(Debug, Default)]
pub(crate) struct OpenNode {
    pub(crate) batch: Option<BatchOpen>,
    pub(crate) merges: Vec<(MergeBuffer, BTreeMap<TokenKey, Traveller>)>,
}

/// A batch that is being filled again.
#[derive(Debug)]
pub(crate) struct BatchOpen {
    pub(crate) number: u64,
    pub(crate) age_us: u64,
    pub(crate) members: Members,
    /// How many members it must get.
    expected: u64,
    branches: BTreeMap<u64, Frames>,
}

impl StillOpen {
    /// What `buffers` of a checkpoint says; `released` is how many releases each node has had.
    ///
    /// # Errors
    /// [`Corruption`] when no engine writes that.
    pub fn read(buffers: &str, released: &[(Step, u64)]) -> Result<Self, Corruption> {
        let released = released.iter().copied().collect();
        let mut nodes = BTreeMap::new();
        for node in Buffers::read(buffers)?.nodes {
            let step = node.step()?;
            let batch = node.batch.map(BatchOpen::read).transpose()?;
            let merges = node.merges.into_iter().map(|merge| (merge, BTreeMap::new())).collect();
            nodes.insert(step, OpenNode { batch, merges });
        }
        Ok(Self { nodes, released })
    }

    /// Open batches by number, and how many members each has.
    pub fn batches(&self) -> impl Iterator<Item = (u64, u64)> {
        let batches = self.nodes.values().filter_map(|node| node.batch.as_ref());
        batches.map(|batch| (batch.number, batch.expected))
    }

    /// Tokens that wait at merges, in ascending order.
    #[must_use]
    pub fn waiting(&self) -> Vec<TokenKey> {
        let merges = self.nodes.values().flat_map(|node| &node.merges);
        let slots = merges.flat_map(|(merge, _)| merge.arrived.iter().flatten());
        let mut tokens: Vec<_> = slots.filter_map(|slot| TokenKey::from_u64(slot.token)).collect();
        tokens.sort_unstable();
        tokens
    }

    /// The next member of the batch of that number, and what it carries.
    ///
    /// # Errors
    /// When members cannot be kept.
    pub fn member(&mut self, batch_no: u64, token: TokenKey, carried: Carried) -> io::Result<()> {
        let batches = self.nodes.values_mut().filter_map(|node| node.batch.as_mut());
        let Some(batch) = batches.into_iter().find(|batch| batch.number == batch_no) else { return Ok(()) };
        let frames = batch.branches.remove(&batch.members.len()).flatten();
        let Carried { row, hash, fresh } = carried;
        // Told by the batch's age once the clock is known.
        batch.members.push(Traveller { token, row, hash, fresh, frames }, 0)
    }

    /// What a token that waits at a merge carries.
    pub fn arrived(&mut self, token: TokenKey, carried: &Carried) -> Result<(), Corruption> {
        for (merge, travellers) in self.nodes.values_mut().flat_map(|node| &mut node.merges) {
            let mut slots = merge.arrived.iter().flatten();
            if let Some(slot) = slots.find(|slot| slot.token == token.get()) {
                let frames =
                    frames_of(&slot.frames).ok_or_else(|| corrupt("a branch has impossible numbers"))?;
                let Carried { row, hash, fresh } = carried.clone();
                travellers.insert(token, Traveller { token, row, hash, fresh, frames });
            }
        }
        Ok(())
    }

    /// Whether every token that was named has been given.
    ///
    /// # Errors
    /// [`Corruption`] when not.
    pub(crate) fn complete(&self) -> Result<(), Corruption> {
        let mut batches = self.nodes.values().filter_map(|node| node.batch.as_ref());
        if let Some(batch) = batches.find(|batch| batch.members.len() != batch.expected) {
            let what = format!("{} members, but {} are recorded", batch.expected, batch.members.len());
            return Err(corrupt(&format!("batch {} is said to have {what}", batch.number)));
        }
        let merges = self.nodes.values().flat_map(|node| &node.merges);
        for (merge, travellers) in merges {
            if merge.arrived.iter().flatten().count() != travellers.len() {
                return Err(corrupt(&format!("tokens of the fork of token {} are missing", merge.fork)));
            }
        }
        Ok(())
    }

    /// How many numbers for releases a node has taken.
    pub(crate) fn numbered(&self, step: Step) -> u64 {
        let open = self.nodes.get(&step).is_some_and(|node| node.batch.is_some());
        self.released.get(&step).copied().unwrap_or_default() + u64::from(open)
    }
}

impl BatchOpen {
    fn read(stored: BatchBuffer) -> Result<Self, Corruption> {
        let BatchBuffer { number, members: expected, age_us, branches } = stored;
        let frames = |member: &MemberBuffer| {
            let frames = frames_of(&member.frames);
            Ok((member.member, frames.ok_or_else(|| corrupt("a branch has impossible numbers"))?))
        };
        let branches = branches.iter().map(frames).collect::<Result<_, _>>()?;
        Ok(Self { number, age_us, members: Members::default(), expected, branches })
    }
}

fn corrupt(what: &str) -> Corruption {
    Corruption { table: "checkpoints", id: "the last one".to_owned(), what: format!("its buffers: {what}") }
}
