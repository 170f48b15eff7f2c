//! Lists of rows that can be longer than the memory takes: all but the last of them are in a file without a name, which is gone
//! with the process.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use elspeth_canonical::ContentHash;
use elspeth_contracts::{Step, TokenKey};
use elspeth_faults::Call;
use elspeth_payload::{Block, BlockBuilder, Body, BodyFragment, BodyKey};
use elspeth_value::Row;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Entries that a list keeps in memory; more are put into a file, so many at a time.
pub const KEPT: usize = 2048;

/// Rows in order, each with something small about it.
///
/// Reading it gives copies, block by block, so that it can be read again.
#[derive(Debug)]
pub struct RowList<H> {
    /// Those of the last rows.
    heads: Vec<H>,
    rows: Vec<Row>,
    spilled: Option<Spilled>,
}

#[derive(Debug)]
struct Spilled {
    file: File,
    end: u64,
    /// Each of [`KEPT`] entries.
    blocks: Vec<Place>,
}

/// Where a block is: what is said of its rows, then these.
#[derive(Debug, Clone, Copy)]
struct Place {
    start: u64,
    heads: usize,
    rows: usize,
}

impl<H> Default for RowList<H> {
    fn default() -> Self {
        Self { heads: Vec::new(), rows: Vec::new(), spilled: None }
    }
}

impl<H: Clone + Serialize + DeserializeOwned> RowList<H> {
    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        let blocks = self.spilled.as_ref().map_or(0, |spilled| spilled.blocks.len());
        (blocks * KEPT + self.rows.len()) as u64
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When the file cannot be made or written. The list is of no use then: each further row is tried no more, and refused.
    pub fn push(&mut self, head: H, row: Row) -> io::Result<()> {
        if self.rows.len() >= KEPT {
            return Err(io::Error::other("an earlier row could not be kept"));
        }
        self.heads.push(head);
        self.rows.push(row);
        if self.rows.len() < KEPT {
            return Ok(());
        }
        let spilled = match &mut self.spilled {
            Some(spilled) => spilled,
            None => self.spilled.insert(Spilled::new()?),
        };
        let heads = postcard::to_stdvec(&self.heads).map_err(io::Error::other)?;
        spilled.write(&heads, &self.rows)?;
        self.heads.clear();
        self.rows.clear();
        Ok(())
    }

    /// What is said of each row, in order.
    pub fn heads(&self) -> impl Iterator<Item = io::Result<H>> {
        let spilled = self.blocks().flat_map(|(spilled, place)| whole(spilled.heads(place)));
        spilled.chain(self.heads.iter().cloned().map(Ok))
    }

    /// The rows, in order.
    pub fn rows(&self) -> impl Iterator<Item = io::Result<Row>> {
        let spilled = self.blocks().flat_map(|(spilled, place)| whole(spilled.rows(place)));
        spilled.chain(self.rows.iter().cloned().map(Ok))
    }

    /// Everything, in order.
    pub fn iter(&self) -> impl Iterator<Item = io::Result<(H, Row)>> {
        let spilled = self.blocks().flat_map(|(spilled, place)| {
            let both = spilled.heads(place).and_then(|heads| Ok((heads, spilled.rows(place)?)));
            whole(both.map(|(heads, rows): (Vec<H>, _)| heads.into_iter().zip(rows).collect()))
        });
        spilled.chain(self.heads.iter().cloned().zip(self.rows.iter().cloned()).map(Ok))
    }

    fn blocks(&self) -> impl Iterator<Item = (&Spilled, Place)> {
        self.spilled.iter().flat_map(|spilled| spilled.blocks.iter().map(move |place| (spilled, *place)))
    }
}

/// What is in a block, or why it cannot be read.
fn whole<T>(block: io::Result<Vec<T>>) -> impl Iterator<Item = io::Result<T>> {
    let (items, error) = match block {
        Ok(items) => (items, None),
        Err(error) => (Vec::new(), Some(Err(error))),
    };
    items.into_iter().map(Ok).chain(error)
}

impl Spilled {
    fn new() -> io::Result<Self> {
        elspeth_faults::io(Call::Create, &folder())?;
        Ok(Self { file: tempfile::tempfile()?, end: 0, blocks: Vec::new() })
    }

    fn write(&mut self, heads: &[u8], rows: &[Row]) -> io::Result<()> {
        let mut fragment = BodyFragment::default();
        for (position, row) in rows.iter().enumerate() {
            fragment.push_row(key(position), row);
        }
        let mut block = BlockBuilder::default();
        block.add(fragment);
        let rows = block.finish();
        elspeth_faults::write_all(&mut self.file, heads, &folder())?;
        elspeth_faults::write_all(&mut self.file, &rows, &folder())?;
        let place = Place { start: self.end, heads: heads.len(), rows: rows.len() };
        self.blocks.push(place);
        self.end += (place.heads + place.rows) as u64;
        Ok(())
    }

    fn read(&self, start: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        elspeth_faults::io(Call::Read, &folder())?;
        self.file.read_exact_at(&mut bytes, start)?;
        Ok(bytes)
    }

    fn heads<H: DeserializeOwned>(&self, place: Place) -> io::Result<Vec<H>> {
        let heads: Vec<H> =
            postcard::from_bytes(&self.read(place.start, place.heads)?).map_err(io::Error::other)?;
        if heads.len() == KEPT { Ok(heads) } else { Err(io::Error::other("a block is not whole")) }
    }

    fn rows(&self, place: Place) -> io::Result<Vec<Row>> {
        let bytes = self.read(place.start + place.heads as u64, place.rows)?;
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
#[must_use]
pub fn folder() -> PathBuf {
    std::env::temp_dir()
}

/// Positions in a block stand where tokens stand in the bodies of an epoch.
fn key(position: usize) -> BodyKey {
    let token = TokenKey::from_u64(position as u64).expect("positions in a block are small");
    BodyKey { token, step: Step::SOURCE }
}

/// A hash as it stands in such a file: its bytes, not its digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawHash(pub ContentHash);

impl Serialize for RawHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_bytes().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RawHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <[u8; 32]>::deserialize(deserializer).map(|bytes| Self(ContentHash::from_bytes(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use elspeth_value::Value;

    use super::*;

    fn list(count: usize, text: impl Fn(usize) -> String) -> RowList<u64> {
        let mut list = RowList::default();
        for number in 0..count {
            let row = Row::from_pairs([("s".into(), Value::Str(text(number).into()))]);
            list.push(number as u64 * 3, row).unwrap();
        }
        list
    }

    #[test]
    fn everything_comes_back_in_order_from_memory_and_file() {
        let count = KEPT * 2 + 7;
        let list = list(count, |number| number.to_string());
        assert_eq!((list.len(), list.rows.len(), list.heads.len()), (count as u64, 7, 7));
        let expected: Vec<_> = (0..count as u64).collect();
        let number = |row: &Row| match row.get("s") {
            Some(Value::Str(text)) => text.parse::<u64>().unwrap(),
            other => panic!("{other:?}"),
        };
        let both: Vec<_> = list.iter().map(Result::unwrap).collect();
        assert!(both.iter().all(|(head, row)| *head == number(row) * 3));
        assert_eq!(both.iter().map(|(_, row)| number(row)).collect::<Vec<_>>(), expected);
        assert_eq!(list.rows().map(|row| number(&row.unwrap())).collect::<Vec<_>>(), expected);
        assert_eq!(list.heads().map(|head| head.unwrap() / 3).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_row_with_a_body_larger_than_the_block_keeps_is_kept_too() {
        let list = list(KEPT, |number| if number == 5 { "x".repeat(200_000) } else { String::new() });
        let row = list.rows().nth(5).unwrap().unwrap();
        assert_eq!(row.get("s"), Some(&Value::Str("x".repeat(200_000).into())));
    }

    #[test]
    fn a_list_that_could_not_be_kept_takes_no_more_rows() {
        let mut full = list(KEPT - 1, |number| number.to_string());
        full.spilled = Some(Spilled { file: File::open("/dev/null").unwrap(), end: 0, blocks: Vec::new() });
        let row = || Row::from_pairs([("s".into(), Value::Null)]);
        assert!(full.push(0, row()).is_err());
        let second = full.push(0, row()).unwrap_err();
        assert_eq!(
            (second.to_string().as_str(), full.rows.len()),
            ("an earlier row could not be kept", KEPT)
        );
    }
}
