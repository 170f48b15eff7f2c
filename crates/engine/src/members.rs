//! The members of an open batch, in memory as long as they are few.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use elspeth_canonical::ContentHash;
use elspeth_contracts::{Step, TokenKey, disk_advice};
use elspeth_faults::Call;
use elspeth_payload::{Block, BlockBuilder, Body, BodyFragment, BodyKey};
use elspeth_value::Row;

use crate::NotKept;
use crate::branch::{Frames, Traveller};

/// Rows that one batch keeps in memory; more are put into a file, so many at a time.
const KEPT: usize = 2048;

/// Members in the order in which they were accepted.
#[derive(Debug, Default)]
pub(crate) struct Members {
    pub(crate) all: Vec<Member>,
    /// The last rows.
    rows: Vec<Row>,
    spill: Option<Spill>,
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

/// Rows in a file without a name, which is gone with the process.
#[derive(Debug)]
struct Spill {
    file: File,
    end: u64,
    /// Where each block of [`KEPT`] rows begins, and its length.
    blocks: Vec<(u64, usize)>,
}

impl Members {
    pub(crate) fn len(&self) -> u64 {
        self.all.len() as u64
    }

    /// Takes one more.
    ///
    /// # Errors
    /// When the file for rows cannot be made or written.
    pub(crate) fn push(&mut self, traveller: Traveller, now_us: u64) -> io::Result<()> {
        let Traveller { token, row, hash, fresh, frames } = traveller;
        self.all.push(Member { token, hash, fresh, frames, since_us: now_us });
        self.rows.push(row);
        if self.rows.len() == KEPT {
            let spill = match &mut self.spill {
                Some(spill) => spill,
                None => self.spill.insert(Spill::new()?),
            };
            spill.write(&self.rows)?;
            self.rows.clear();
        }
        Ok(())
    }

    /// Their rows, in order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = io::Result<Row>> {
        let blocks =
            self.spill.iter().flat_map(|spill| spill.blocks.iter().map(move |block| (spill, *block)));
        let spilled = blocks.flat_map(|(spill, block)| {
            let (rows, error) = match spill.read(block) {
                Ok(rows) => (rows, None),
                Err(error) => (Vec::new(), Some(Err(error))),
            };
            rows.into_iter().map(Ok).chain(error)
        });
        spilled.chain(self.rows.iter().cloned().map(Ok))
    }
}

impl Spill {
    fn new() -> io::Result<Self> {
        elspeth_faults::io(Call::Create, &spilled())?;
        Ok(Self { file: tempfile::tempfile()?, end: 0, blocks: Vec::new() })
    }

    fn write(&mut self, rows: &[Row]) -> io::Result<()> {
        let mut fragment = BodyFragment::default();
        for (position, row) in rows.iter().enumerate() {
            fragment.push_row(key(position), row);
        }
        let mut block = BlockBuilder::default();
        block.add(fragment);
        let bytes = block.finish();
        elspeth_faults::write_all(&mut self.file, &bytes, &spilled())?;
        self.blocks.push((self.end, bytes.len()));
        self.end += bytes.len() as u64;
        Ok(())
    }

    fn read(&self, (start, length): (u64, usize)) -> io::Result<Vec<Row>> {
        let mut bytes = vec![0; length];
        elspeth_faults::io(Call::Read, &spilled())?;
        self.file.read_exact_at(&mut bytes, start)?;
        let block = Block::read(&bytes).map_err(io::Error::other)?;
        let row = |position| match block.get(key(position)) {
            Some(Body::Row(row)) => Ok(row.clone()),
            Some(Body::Opaque(_)) | None => {
                Err(io::Error::other(format!("row {position} of a block is missing")))
            }
        };
        (0..KEPT).map(row).collect()
    }
}

/// Where files without a name are, which is what a failed call can say of them.
fn spilled() -> PathBuf {
    std::env::temp_dir()
}

/// Positions in a block stand where tokens stand in the bodies of an epoch.
fn key(position: usize) -> BodyKey {
    let token = TokenKey::from_u64(position as u64).expect("positions in a block are small");
    BodyKey { token, step: Step::SOURCE }
}

impl From<io::Error> for NotKept {
    fn from(error: io::Error) -> Self {
        let message = format!("cannot keep rows in a file in `{}`: {error}", spilled().display());
        Self { message, help: disk_advice(&error) }
    }
}

#[cfg(test)]
mod tests {
    use elspeth_canonical::HashVersion;
    use elspeth_contracts::RowIndex;
    use elspeth_value::Value;

    use super::*;

    #[test]
    fn rows_come_back_in_order_from_memory_and_file() {
        let mut members = Members::default();
        let count = i64::try_from(KEPT * 2 + 7).unwrap();
        for number in 0..count {
            let token = TokenKey::of_row(RowIndex::new(number.cast_unsigned()).unwrap(), 0).unwrap();
            let row =
                Row::from_pairs([("n".into(), Value::Int(number)), ("s".into(), Value::Str("x".into()))]);
            let hash = row.content_hash(HashVersion::default(), &mut Vec::new()).unwrap();
            members.push(Traveller { token, row, hash, fresh: false, frames: None }, 0).unwrap();
        }
        assert_eq!(members.rows.len(), 7);
        let numbers: Vec<_> = members.rows().map(|row| row.unwrap().get("n").cloned()).collect();
        assert_eq!(numbers, (0..count).map(|number| Some(Value::Int(number))).collect::<Vec<_>>());
    }

    #[test]
    fn a_row_with_a_body_larger_than_the_block_keeps_is_kept_too() {
        let mut members = Members::default();
        for number in 0..KEPT {
            let token = TokenKey::of_row(RowIndex::new(number as u64).unwrap(), 0).unwrap();
            let text = if number == 5 { "x".repeat(200_000) } else { String::new() };
            let row = Row::from_pairs([("s".into(), Value::Str(text.into()))]);
            let hash = row.content_hash(HashVersion::default(), &mut Vec::new()).unwrap();
            members.push(Traveller { token, row, hash, fresh: false, frames: None }, 0).unwrap();
        }
        let row = members.rows().nth(5).unwrap().unwrap();
        assert_eq!(row.get("s"), Some(&Value::Str("x".repeat(200_000).into())));
    }
}
