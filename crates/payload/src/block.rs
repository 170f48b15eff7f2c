//! One epoch's bodies as one compressed block.
//!
//! ```text
//! block    = version (1) · length of the content (8, little endian) · zstd frame of the content, with checksum
//! content  = number of fragments · fragment* · number of large bodies · large*
//! fragment = number of shapes · (number of names · text*)* · length · entry*
//! entry    = token minus the token before (modulo 2^64) · step · kind (1) · length (4, little endian) · body
//! body     = kind 0: shape number · value per name | kind 1: value | kind 2: hash (32) · length (8, little endian)
//! large    = hash (32) · length · stored body, for large bodies that no store holds
//! ```
//!
//! Numbers without a width are LEB128; texts have their length in front.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::sync::Arc;

use compact_str::CompactString;
use elspeth_canonical::ContentHash;
use elspeth_contracts::{Step, TokenKey};
use elspeth_value::{Row, Shape};
use zstd::bulk::{Compressor, Decompressor};

use crate::codec::{self, Cursor, damaged};
use crate::fragment::{ADDRESS, LARGE, LargeBody, OPAQUE, ROW};
use crate::{Body, BodyFragment, BodyKey, FilesystemStore, LargeBodies, PayloadError};

const FORMAT: u8 = 1;
const HEAD: usize = 9;
const LEVEL: i32 = 1;
/// Content longer than this is compressed as it comes.
const STREAMED: usize = 8 << 20;
/// Content up to this length is decompressed at once.
const AT_ONCE: usize = 4 << 20;
/// Level 1 uses windows of 2^19 bytes; a frame that asks for more than this was not written here.
const WINDOW_LOG: u32 = 20;

/// Joins fragments of one epoch, in order, into one compressed block.
#[derive(Debug, Default)]
pub struct BlockBuilder {
    fragments: Vec<BodyFragment>,
    refused: Option<PayloadError>,
}

/// A block that was read back.
#[derive(Debug, Default)]
pub struct Block {
    /// Sorted by key.
    entries: Vec<(BodyKey, Entry)>,
}

/// Where a large body is: its content's hash and length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyRef {
    /// The hash that it is stored under.
    pub hash: ContentHash,
    /// Bytes.
    pub length: u64,
}

#[derive(Debug)]
enum Entry {
    Here(Body),
    Stored(BodyRef),
}

impl BlockBuilder {
    /// Adds the next fragment.
    pub fn add(&mut self, mut fragment: BodyFragment) {
        if let Some(refusal) = fragment.take_refusal() {
            self.refused.get_or_insert(refusal);
        }
        if !fragment.is_empty() {
            self.fragments.push(fragment);
        }
    }

    /// The compressed block; empty when nothing was added. Large bodies are inside it.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        let (mut content, large) = self.content();
        codec::put_varint(&mut content, large.len() as u64);
        for body in large {
            content.extend_from_slice(body.hash.as_bytes());
            codec::put_bytes(&mut content, &body.bytes);
        }
        compress(&content)
    }

    /// The compressed block, with large bodies in `store`. They are durable there when this returns: the block that
    /// refers to them cannot be committed before them.
    ///
    /// # Errors
    /// [`PayloadError::Io`] when the store cannot keep a body, [`PayloadError::TooDeep`] when one could not be encoded.
    pub fn finish_into(mut self, store: &FilesystemStore) -> Result<Vec<u8>, PayloadError> {
        if let Some(refusal) = self.refused.take() {
            return Err(refusal);
        }
        if self.length() > STREAMED {
            return self.stream_into(store);
        }
        let (mut content, large) = self.content();
        for body in large {
            store.put(body.hash, &body.bytes)?;
        }
        codec::put_varint(&mut content, 0);
        Ok(compress(&content))
    }

    /// The same, without ever having the content as a whole.
    fn stream_into(self, store: &FilesystemStore) -> Result<Vec<u8>, PayloadError> {
        let length = self.length() as u64 + 1;
        let mut block = vec![FORMAT];
        block.extend_from_slice(&length.to_le_bytes());
        let large = |encoder: &mut zstd::stream::write::Encoder<'_, Vec<u8>>| {
            encoder.include_checksum(true)?;
            encoder.set_pledged_src_size(Some(length))?;
            let large = self.write(encoder)?;
            encoder.write_all(&[0])?;
            Ok::<_, io::Error>(large)
        };
        let mut encoder = zstd::stream::write::Encoder::new(block, LEVEL).expect("level 1 exists");
        let written = large(&mut encoder).and_then(|large| Ok((large, encoder.finish()?)));
        let (large, block) = written.expect("memory takes what is written to it");
        for body in large {
            store.put(body.hash, &body.bytes)?;
        }
        Ok(block)
    }

    /// How long the content is, but for large bodies.
    fn length(&self) -> usize {
        let mut count = Vec::new();
        codec::put_varint(&mut count, self.fragments.len() as u64);
        self.fragments.iter().map(|it| it.head().len() + it.length()).sum::<usize>() + count.len()
    }

    fn content(self) -> (Vec<u8>, Vec<LargeBody>) {
        let mut content = Vec::new();
        let large = self.write(&mut content).expect("memory takes what is written to it");
        (content, large)
    }

    fn write(self, out: &mut impl Write) -> io::Result<Vec<LargeBody>> {
        let mut large = Vec::new();
        if !self.fragments.is_empty() {
            let mut count = Vec::new();
            codec::put_varint(&mut count, self.fragments.len() as u64);
            out.write_all(&count)?;
        }
        for fragment in self.fragments {
            out.write_all(&fragment.head())?;
            fragment.write(out, &mut large)?;
        }
        Ok(large)
    }
}

// What they need to work with takes longer to make than a block of an epoch takes to be compressed or decompressed.
thread_local! {
    static COMPRESSOR: RefCell<Compressor<'static>> = {
        let mut compressor = Compressor::new(LEVEL).expect("level 1 exists");
        compressor.include_checksum(true).expect("every zstd frame can have a checksum");
        RefCell::new(compressor)
    };
    static DECOMPRESSOR: RefCell<Decompressor<'static>> =
        RefCell::new(Decompressor::new().expect("there is memory for it"));
}

fn compress(content: &[u8]) -> Vec<u8> {
    if content == [0] {
        return Vec::new();
    }
    let mut block = vec![FORMAT];
    block.extend_from_slice(&(content.len() as u64).to_le_bytes());
    let packed = COMPRESSOR.with_borrow_mut(|compressor| compressor.compress(content));
    block.extend(packed.expect("the output is given all the room it can need"));
    block
}

/// Decompresses at most the declared length, and never reserves more than what really comes out.
fn decompress(block: &[u8]) -> Result<Vec<u8>, PayloadError> {
    let (head, frame) = block.split_at_checked(HEAD).ok_or_else(|| damaged("it is too short"))?;
    if head[0] != FORMAT {
        return Err(damaged(format!("its format is {}, but this program knows {FORMAT}", head[0])));
    }
    let length = u64::from_le_bytes(head[1..].try_into().expect("the head has eight more bytes"));
    if let Some(content) = decompress_at_once(frame, length) {
        return Ok(content);
    }
    let mut decoder =
        zstd::stream::read::Decoder::with_buffer(frame).map_err(|error| damaged(error.to_string()))?;
    decoder.window_log_max(WINDOW_LOG).map_err(|error| damaged(error.to_string()))?;
    let mut content = Vec::new();
    decoder
        .take(length.saturating_add(1))
        .read_to_end(&mut content)
        .map_err(|error| damaged(error.to_string()))?;
    if content.len() as u64 == length {
        Ok(content)
    } else {
        Err(damaged("its length is not the declared one"))
    }
}

/// The content of a sound frame that is declared to be short enough to make room for all of it.
fn decompress_at_once(frame: &[u8], length: u64) -> Option<Vec<u8>> {
    let length = usize::try_from(length).ok().filter(|length| *length <= AT_ONCE)?;
    let content = DECOMPRESSOR.with_borrow_mut(|it| it.decompress(frame, length)).ok()?;
    (content.len() == length).then_some(content)
}

impl Block {
    /// Reads a block.
    ///
    /// # Errors
    /// [`PayloadError::Damaged`] when it is damaged.
    pub fn read(bytes: &[u8]) -> Result<Self, PayloadError> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let content = decompress(bytes)?;
        let mut cursor = Cursor::new(&content);
        let mut entries = Vec::new();
        for _ in 0..cursor.count()? {
            read_fragment(&mut cursor, &mut entries)?;
        }
        let large = read_large(&mut cursor)?;
        cursor.end("the last body")?;
        resolve(&mut entries, &large)?;
        entries.sort_by_key(|(key, _)| *key);
        if entries.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(damaged("two bodies with one key"));
        }
        Ok(Self { entries })
    }

    /// One body; `None` when there is none, or when it is a large one in a store (see [`Block::body`]).
    #[must_use]
    pub fn get(&self, key: BodyKey) -> Option<&Body> {
        match self.entry(key)? {
            Entry::Here(body) => Some(body),
            Entry::Stored(_) => None,
        }
    }

    /// The same for who asks for one after the other in the order of keys: `at` is where to look first, and then where the next one
    /// would be.
    #[must_use]
    pub fn get_next(&self, key: BodyKey, at: &mut usize) -> Option<&Body> {
        match self.entries.get(*at) {
            Some((found, Entry::Here(body))) if *found == key => {
                *at += 1;
                Some(body)
            }
            Some(_) | None => {
                *at = self.entries.partition_point(|(other, _)| *other <= key);
                self.get(key)
            }
        }
    }

    /// Where a large body is that is in a store.
    #[must_use]
    pub fn stored(&self, key: BodyKey) -> Option<BodyRef> {
        match self.entry(key)? {
            Entry::Here(_) => None,
            Entry::Stored(place) => Some(*place),
        }
    }

    /// One body, wherever it is; `None` when there is none, or when it was purged from the store.
    ///
    /// # Errors
    /// [`PayloadError`] when the store cannot be read or what it holds was changed.
    pub fn body(&self, key: BodyKey, store: Option<&dyn LargeBodies>) -> Result<Option<Body>, PayloadError> {
        match (self.entry(key), store) {
            (None, _) | (Some(Entry::Stored(_)), None) => Ok(None),
            (Some(Entry::Here(body)), _) => Ok(Some(body.clone())),
            (Some(Entry::Stored(place)), Some(store)) => match store.large(place.hash)? {
                Some(bytes) if bytes.len() as u64 != place.length => {
                    Err(damaged("a stored body has another length"))
                }
                Some(bytes) => decode_stored(&bytes).map(Some),
                None => Ok(None),
            },
        }
    }

    /// Every large body of the block that is in a store, by key; one that several keys share comes for each of them.
    pub fn in_store(&self) -> impl Iterator<Item = BodyRef> {
        self.entries.iter().filter_map(|(_, entry)| match entry {
            Entry::Here(_) => None,
            Entry::Stored(place) => Some(*place),
        })
    }

    /// Keys of all bodies, in order.
    pub fn keys(&self) -> impl Iterator<Item = BodyKey> {
        self.entries.iter().map(|(key, _)| *key)
    }

    fn entry(&self, key: BodyKey) -> Option<&Entry> {
        let found = self.entries.binary_search_by_key(&key, |(key, _)| *key).ok()?;
        Some(&self.entries[found].1)
    }
}

fn read_fragment(cursor: &mut Cursor<'_>, entries: &mut Vec<(BodyKey, Entry)>) -> Result<(), PayloadError> {
    let mut shapes = Vec::new();
    for _ in 0..cursor.count()? {
        shapes.push(read_shape(cursor)?);
    }
    let mut rest = Cursor::new(cursor.bytes()?);
    let mut token = 0_u64;
    while !rest.is_empty() {
        token = token.wrapping_add(rest.varint()?);
        let key = body_key(token, rest.varint()?)?;
        let kind = rest.byte()?;
        let length = u32::from_le_bytes(rest.array()?) as usize;
        let mut body = Cursor::new(rest.take(length)?);
        entries.push((key, read_entry(kind, &mut body, &shapes)?));
        body.end("a body")?;
    }
    Ok(())
}

fn body_key(token: u64, step: u64) -> Result<BodyKey, PayloadError> {
    let token = TokenKey::from_u64(token);
    let step = u16::try_from(step).ok().and_then(Step::new);
    let (token, step) = token.zip(step).ok_or_else(|| damaged("a key out of range"))?;
    Ok(BodyKey { token, step })
}

fn read_entry(kind: u8, body: &mut Cursor<'_>, shapes: &[Arc<Shape>]) -> Result<Entry, PayloadError> {
    match kind {
        ROW => {
            let number = usize::try_from(body.varint()?).ok();
            let shape = number.and_then(|n| shapes.get(n)).ok_or_else(|| damaged("an unknown shape"))?;
            Ok(Entry::Here(Body::Row(read_row(body, shape)?)))
        }
        OPAQUE => Ok(Entry::Here(Body::Opaque(body.value(0)?))),
        LARGE => {
            let hash = ContentHash::from_bytes(body.array()?);
            Ok(Entry::Stored(BodyRef { hash, length: u64::from_le_bytes(body.array()?) }))
        }
        unknown => Err(damaged(format!("unknown kind of body {unknown}"))),
    }
}

fn read_shape(cursor: &mut Cursor<'_>) -> Result<Arc<Shape>, PayloadError> {
    let mut names = Vec::<CompactString>::new();
    for _ in 0..cursor.count()? {
        names.push(cursor.text()?);
    }
    let mut sorted: Vec<&CompactString> = names.iter().collect();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(damaged("a shape with one name twice"));
    }
    Ok(Shape::new(names))
}

fn read_row(cursor: &mut Cursor<'_>, shape: &Arc<Shape>) -> Result<Row, PayloadError> {
    let mut values = Vec::with_capacity(shape.names().len());
    for _ in shape.names() {
        values.push(cursor.value(0)?);
    }
    Ok(Row::new(Arc::clone(shape), values))
}

fn read_large<'a>(cursor: &mut Cursor<'a>) -> Result<HashMap<ContentHash, &'a [u8]>, PayloadError> {
    let mut large = HashMap::new();
    for _ in 0..cursor.count()? {
        let expected = ContentHash::from_bytes(cursor.array()?);
        let bytes = cursor.bytes()?;
        let found = ADDRESS.hash(bytes);
        if found != expected {
            return Err(PayloadError::Mismatch { expected, found });
        }
        large.insert(expected, bytes);
    }
    Ok(large)
}

/// Puts large bodies that the block itself holds in their places.
fn resolve(
    entries: &mut [(BodyKey, Entry)],
    large: &HashMap<ContentHash, &[u8]>,
) -> Result<(), PayloadError> {
    for (_, entry) in entries {
        if let Entry::Stored(place) = entry
            && let Some(bytes) = large.get(&place.hash)
        {
            *entry = Entry::Here(decode_stored(bytes)?);
        }
    }
    Ok(())
}

/// A large body carries its own names.
fn decode_stored(bytes: &[u8]) -> Result<Body, PayloadError> {
    let mut cursor = Cursor::new(bytes);
    let body = match cursor.byte()? {
        ROW => {
            let shape = read_shape(&mut cursor)?;
            Body::Row(read_row(&mut cursor, &shape)?)
        }
        OPAQUE => Body::Opaque(cursor.value(0)?),
        unknown => return Err(damaged(format!("unknown kind of body {unknown}"))),
    };
    cursor.end("a stored body")?;
    Ok(body)
}
