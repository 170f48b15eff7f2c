use std::io::{self, Write};
use std::sync::Arc;

use elspeth_canonical::{ContentHash, HashVersion};
use elspeth_contracts::{Step, TokenKey};
use elspeth_value::{Row, Shape, Value};

use crate::PayloadError;
use crate::codec::{self, MAX_DEPTH, TooDeep};

/// Bodies whose encoding is longer than this are kept by hash, outside the block.
pub const LARGE_BODY: usize = 64 * 1024;

/// How far back a shape is compared by content when it is no shape that was seen before.
const COMPARED_SHAPES: usize = 16;

pub(crate) const ROW: u8 = 0;
pub(crate) const OPAQUE: u8 = 1;
pub(crate) const LARGE: u8 = 2;

/// The hash that large bodies are stored under, whatever the run's own is: bodies of several runs share one store.
pub(crate) const ADDRESS: HashVersion = HashVersion::Blake3V1;

/// The hash under which a store keeps a body with that content.
#[must_use]
pub fn address(content: &[u8]) -> ContentHash {
    ADDRESS.hash(content)
}

/// Which body: the output of `step` for `token`. The source's is step 0 of the row's first token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BodyKey {
    /// Whose.
    pub token: TokenKey,
    /// After which node.
    pub step: Step,
}

/// A body.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// A row.
    Row(Row),
    /// A refused record that is not a row.
    Opaque(Value),
}

/// Bodies of consecutive rows, encoded but not yet compressed; made by one worker.
#[derive(Debug, Default)]
pub struct BodyFragment {
    shapes: Vec<Arc<Shape>>,
    /// Entries that were too many for the memory as they are, before those in `bytes`.
    packed: Vec<Packed>,
    bytes: Vec<u8>,
    last_token: u64,
    large: Vec<LargeBody>,
    refused: Option<PayloadError>,
}

/// Encoded entries of one fragment that are kept as they are; more are compressed meanwhile, so many at a time.
const PLAIN: usize = 1 << 20;

/// Entries as a frame of zstd, and how long they are without it.
#[derive(Debug)]
struct Packed {
    frame: Vec<u8>,
    length: usize,
}

/// A body that is kept outside the block.
#[derive(Debug)]
pub(crate) struct LargeBody {
    pub(crate) hash: ContentHash,
    pub(crate) bytes: Vec<u8>,
}

impl BodyFragment {
    /// Appends a row.
    ///
    /// A row whose values nest deeper than 256 levels is left out; [`crate::BlockBuilder::finish_into`] then fails.
    pub fn push_row(&mut self, key: BodyKey, row: &Row) {
        let shape = self.shape_number(row.shape());
        let written = self.entry(key, ROW, |out| {
            codec::put_varint(out, shape as u64);
            put_values(out, row.values())
        });
        if let Some(length) = written
            && length > LARGE_BODY
        {
            self.move_out(length, |out| encode_row(out, row));
        }
        self.relieve();
    }

    /// Appends a refused record.
    pub fn push_opaque(&mut self, key: BodyKey, value: &Value) {
        let written = self.entry(key, OPAQUE, |out| codec::put_value(out, value, 0));
        if let Some(length) = written
            && length > LARGE_BODY
        {
            self.move_out(length, |out| {
                out.push(OPAQUE);
                codec::put_value(out, value, 0)
            });
        }
    }

    /// Writes the head of an entry and its body; the body's length, or nothing when it was refused.
    fn entry(
        &mut self,
        key: BodyKey,
        kind: u8,
        body: impl FnOnce(&mut Vec<u8>) -> Result<(), TooDeep>,
    ) -> Option<usize> {
        let start = self.bytes.len();
        codec::put_varint(&mut self.bytes, key.token.get().wrapping_sub(self.last_token));
        codec::put_varint(&mut self.bytes, u64::from(key.step.get()));
        self.bytes.push(kind);
        self.bytes.extend_from_slice(&[0; 4]);
        let body_start = self.bytes.len();
        if body(&mut self.bytes).is_err() {
            self.bytes.truncate(start);
            let (token, step) = (key.token.get(), key.step.get());
            self.refused.get_or_insert(PayloadError::TooDeep { token, step, limit: MAX_DEPTH });
            return None;
        }
        self.last_token = key.token.get();
        let length = self.bytes.len() - body_start;
        self.set_length(body_start, length.min(LARGE_BODY));
        Some(length)
    }

    /// Compresses what has come together, if that is much.
    fn relieve(&mut self) {
        if self.bytes.len() >= PLAIN {
            let mut frame = zstd::bulk::compress(&self.bytes, 1).expect("memory takes what is compressed");
            frame.shrink_to_fit();
            self.packed.push(Packed { frame, length: self.bytes.len() });
            self.bytes.clear();
        }
    }

    fn set_length(&mut self, body_start: usize, length: usize) {
        let length = u32::try_from(length).expect("longer bodies are moved out");
        self.bytes[body_start - 4..body_start].copy_from_slice(&length.to_le_bytes());
    }

    /// Replaces the body just written, which has this length, by a reference to one outside.
    fn move_out(&mut self, length: usize, encode: impl FnOnce(&mut Vec<u8>) -> Result<(), TooDeep>) {
        let body_start = self.bytes.len() - length;
        self.bytes.truncate(body_start);
        let mut bytes = Vec::with_capacity(length + 64);
        encode(&mut bytes).expect("it was just written with the same depth");
        let hash = ADDRESS.hash(&bytes);
        self.bytes[body_start - 5] = LARGE;
        self.bytes.extend_from_slice(hash.as_bytes());
        self.bytes.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.set_length(body_start, self.bytes.len() - body_start);
        self.large.push(LargeBody { hash, bytes });
    }

    /// The number of a shape: consecutive rows mostly share one, so the last is asked first.
    fn shape_number(&mut self, shape: &Arc<Shape>) -> usize {
        if let Some(number) = self.shapes.iter().rposition(|known| Arc::ptr_eq(known, shape)) {
            return number;
        }
        let recent = self.shapes.len().saturating_sub(COMPARED_SHAPES);
        if let Some(number) = self.shapes[recent..].iter().rposition(|known| known.names() == shape.names()) {
            return recent + number;
        }
        self.shapes.push(Arc::clone(shape));
        self.shapes.len() - 1
    }

    /// Its stored form up to the entries.
    pub(crate) fn head(&self) -> Vec<u8> {
        let mut out = Vec::new();
        codec::put_varint(&mut out, self.shapes.len() as u64);
        for shape in &self.shapes {
            put_names(&mut out, shape);
        }
        codec::put_varint(&mut out, self.length() as u64);
        out
    }

    /// How long the entries are.
    pub(crate) fn length(&self) -> usize {
        self.packed.iter().map(|packed| packed.length).sum::<usize>() + self.bytes.len()
    }

    /// Writes the entries to `out` and hands over what must be kept outside.
    pub(crate) fn write(self, out: &mut impl Write, large: &mut Vec<LargeBody>) -> io::Result<()> {
        for Packed { frame, length } in self.packed {
            out.write_all(&zstd::bulk::decompress(&frame, length)?)?;
        }
        large.extend(self.large);
        out.write_all(&self.bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.packed.is_empty()
    }

    pub(crate) fn take_refusal(&mut self) -> Option<PayloadError> {
        self.refused.take()
    }
}

fn encode_row(out: &mut Vec<u8>, row: &Row) -> Result<(), TooDeep> {
    out.push(ROW);
    put_names(out, row.shape());
    put_values(out, row.values())
}

fn put_names(out: &mut Vec<u8>, shape: &Shape) {
    codec::put_varint(out, shape.names().len() as u64);
    for name in shape.names() {
        codec::put_bytes(out, name.as_bytes());
    }
}

fn put_values(out: &mut Vec<u8>, values: &[Value]) -> Result<(), TooDeep> {
    values.iter().try_for_each(|value| codec::put_value(out, value, 0))
}
