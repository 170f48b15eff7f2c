//! The members of an open batch, in memory as long as they are few.

use std::collections::BTreeMap;
use std::io;

use elspeth_canonical::ContentHash;
use elspeth_contracts::{TokenKey, disk_advice};
use elspeth_executors::{RawHash, RowList, spill_folder};
use elspeth_value::Row;
use serde::{Deserialize, Serialize};

use crate::NotKept;
use crate::branch::{Frames, Traveller};

/// Members in the order in which they were accepted.
#[derive(Debug, Default)]
pub(crate) struct Members {
    list: RowList<Head>,
    /// Of those that are on branches, by position.
    frames: BTreeMap<u64, Frames>,
    /// So many were members before this process, and all count as accepted then.
    restored: (u64, u64),
}

/// A member without its row.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) token: TokenKey,
    pub(crate) hash: ContentHash,
    pub(crate) fresh: bool,
    pub(crate) frames: Frames,
    /// When it was accepted, by the monotonic clock.
    pub(crate) since_us: u64,
}

/// What is kept of it with its row.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Head {
    token: u64,
    hash: RawHash,
    fresh: bool,
    since_us: u64,
}

impl Members {
    pub(crate) fn len(&self) -> u64 {
        self.list.len()
    }

    /// Takes one more.
    ///
    /// # Errors
    /// When the file for rows cannot be made or written.
    pub(crate) fn push(&mut self, traveller: Traveller, now_us: u64) -> io::Result<()> {
        let Traveller { token, row, hash, fresh, frames } = traveller;
        if frames.is_some() {
            self.frames.insert(self.len(), frames);
        }
        self.list.push(Head { token: token.get(), hash: RawHash(hash), fresh, since_us: now_us }, row)
    }

    /// Those that are members now were accepted at that time.
    pub(crate) fn accepted_at(&mut self, since_us: u64) {
        self.restored = (self.len(), since_us);
    }

    /// The frames of those that are on branches, by position.
    pub(crate) fn on_branches(&self) -> impl Iterator<Item = (u64, &Frames)> {
        self.frames.iter().map(|(position, frames)| (*position, frames))
    }

    /// Each of them, in order.
    pub(crate) fn each(&self) -> impl Iterator<Item = io::Result<Member>> {
        (0..).zip(self.list.heads()).map(|(position, head)| self.member(position, head?))
    }

    /// Each of them with its row, in order.
    pub(crate) fn with_rows(&self) -> impl Iterator<Item = io::Result<(Member, Row)>> {
        (0..).zip(self.list.iter()).map(|(position, entry)| {
            let (head, row) = entry?;
            Ok((self.member(position, head)?, row))
        })
    }

    /// Their rows, in order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = io::Result<Row>> {
        self.list.rows()
    }

    fn member(&self, position: u64, Head { token, hash, fresh, since_us }: Head) -> io::Result<Member> {
        let token = TokenKey::from_u64(token).ok_or_else(|| io::Error::other("a member has no token"))?;
        let (restored, restored_us) = self.restored;
        Ok(Member {
            token,
            hash: hash.0,
            fresh,
            frames: self.frames.get(&position).cloned().flatten(),
            since_us: if position < restored { restored_us } else { since_us },
        })
    }
}

impl From<io::Error> for NotKept {
    fn from(error: io::Error) -> Self {
        let message = format!("cannot keep rows in a file in `{}`: {error}", spill_folder().display());
        Self { message, help: disk_advice(&error) }
    }
}
