//! The binary form of values and rows inside a block. Written out here, not derived, because stored bytes must stay
//! readable when types change: a tag byte, then a fixed-width or length-prefixed body.
//!
//! Reading never trusts a length: nothing is allocated beyond what the bytes at hand can fill, and nesting is bounded,
//! so that damaged bytes give an error and neither a panic nor exhausted memory.

use compact_str::CompactString;
use elspeth_value::{Map, Value};
use rust_decimal::Decimal;
use time::{Date, OffsetDateTime, UtcOffset};

use crate::PayloadError;

/// How deep lists and maps may nest.
pub(crate) const MAX_DEPTH: u32 = 256;

/// No list reserves more than this many slots before it has seen its elements.
const RESERVE: usize = 64;

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const INT: u8 = 3;
const FLOAT: u8 = 4;
const STR: u8 = 5;
const DECIMAL: u8 = 6;
const DATE: u8 = 7;
const DATE_TIME: u8 = 8;
const BYTES: u8 = 9;
const LIST: u8 = 10;
const MAP: u8 = 11;

/// A value that nests deeper than [`MAX_DEPTH`].
#[derive(Debug)]
pub(crate) struct TooDeep;

/// Appends LEB128.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

/// Appends a length and the bytes.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_signed(out: &mut Vec<u8>, number: i64) {
    put_varint(out, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

/// Appends a value.
pub(crate) fn put_value(out: &mut Vec<u8>, value: &Value, depth: u32) -> Result<(), TooDeep> {
    match value {
        Value::Null => out.push(NULL),
        Value::Bool(false) => out.push(FALSE),
        Value::Bool(true) => out.push(TRUE),
        Value::Int(number) => {
            out.push(INT);
            put_signed(out, *number);
        }
        Value::Float(number) => {
            out.push(FLOAT);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Value::Str(text) => {
            out.push(STR);
            put_bytes(out, text.as_bytes());
        }
        Value::Decimal(number) => put_decimal(out, number),
        Value::Date(date) => {
            out.push(DATE);
            put_signed(out, i64::from(date.to_julian_day()));
        }
        Value::DateTime(moment) => put_date_time(out, moment),
        Value::Bytes(bytes) => {
            out.push(BYTES);
            put_bytes(out, bytes);
        }
        Value::List(items) => put_list(out, items, depth)?,
        Value::Map(map) => put_map(out, map, depth)?,
    }
    Ok(())
}

fn put_decimal(out: &mut Vec<u8>, number: &Decimal) {
    let parts = number.unpack();
    out.push(DECIMAL);
    out.push(u8::from(parts.negative));
    put_varint(out, u64::from(parts.scale));
    for part in [parts.lo, parts.mid, parts.hi] {
        out.extend_from_slice(&part.to_le_bytes());
    }
}

fn put_date_time(out: &mut Vec<u8>, moment: &OffsetDateTime) {
    out.push(DATE_TIME);
    put_signed(out, moment.unix_timestamp());
    put_varint(out, u64::from(moment.nanosecond()));
    put_signed(out, i64::from(moment.offset().whole_seconds()));
}

fn put_list(out: &mut Vec<u8>, items: &[Value], depth: u32) -> Result<(), TooDeep> {
    let depth = deeper(depth).ok_or(TooDeep)?;
    out.push(LIST);
    put_varint(out, items.len() as u64);
    items.iter().try_for_each(|item| put_value(out, item, depth))
}

fn put_map(out: &mut Vec<u8>, map: &Map, depth: u32) -> Result<(), TooDeep> {
    let depth = deeper(depth).ok_or(TooDeep)?;
    out.push(MAP);
    put_varint(out, map.len() as u64);
    map.iter().try_for_each(|(key, value)| {
        put_bytes(out, key.as_bytes());
        put_value(out, value, depth)
    })
}

fn deeper(depth: u32) -> Option<u32> {
    (depth < MAX_DEPTH).then_some(depth + 1)
}

/// Reads from the front of some bytes.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Fails unless everything was read.
    pub(crate) fn end(&self, what: &str) -> Result<(), PayloadError> {
        if self.rest.is_empty() { Ok(()) } else { Err(damaged(format!("bytes left over after {what}"))) }
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], PayloadError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(|| damaged("it ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], PayloadError> {
        Ok(self.take(N)?.try_into().expect("take returns as many bytes as asked for"))
    }

    pub(crate) fn byte(&mut self) -> Result<u8, PayloadError> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn varint(&mut self) -> Result<u64, PayloadError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(damaged("a number is too long"))
    }

    /// A count of things, each of which takes at least one of the bytes that follow.
    pub(crate) fn count(&mut self) -> Result<usize, PayloadError> {
        let count = self.varint()?;
        usize::try_from(count)
            .ok()
            .filter(|count| *count <= self.rest.len())
            .ok_or_else(|| damaged("it promises more than it holds"))
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], PayloadError> {
        let length = self.count()?;
        self.take(length)
    }

    pub(crate) fn text(&mut self) -> Result<CompactString, PayloadError> {
        CompactString::from_utf8(self.bytes()?).map_err(|_| damaged("text that is not UTF-8"))
    }

    fn signed(&mut self) -> Result<i64, PayloadError> {
        let number = self.varint()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    pub(crate) fn value(&mut self, depth: u32) -> Result<Value, PayloadError> {
        Ok(match self.byte()? {
            NULL => Value::Null,
            FALSE => Value::Bool(false),
            TRUE => Value::Bool(true),
            INT => Value::Int(self.signed()?),
            FLOAT => self.float()?,
            STR => Value::Str(self.text()?),
            DECIMAL => self.decimal()?,
            DATE => self.date()?,
            DATE_TIME => self.date_time()?,
            BYTES => Value::Bytes(self.bytes()?.into()),
            LIST => self.list(depth)?,
            MAP => self.map(depth)?,
            tag => return Err(damaged(format!("unknown kind of value {tag}"))),
        })
    }

    fn float(&mut self) -> Result<Value, PayloadError> {
        let number = f64::from_le_bytes(self.array()?);
        if number.is_finite() { Ok(Value::Float(number)) } else { Err(damaged("a float that is not finite")) }
    }

    fn decimal(&mut self) -> Result<Value, PayloadError> {
        let negative = self.byte()?;
        let scale = self.varint()?;
        let scale = u32::try_from(scale).ok().filter(|s| *s <= Decimal::MAX_SCALE && negative < 2);
        let Some(scale) = scale else { return Err(damaged("a decimal out of range")) };
        let lo = u32::from_le_bytes(self.array()?);
        let mid = u32::from_le_bytes(self.array()?);
        let hi = u32::from_le_bytes(self.array()?);
        let mut number = Decimal::from_parts(lo, mid, hi, false, scale);
        number.set_sign_negative(negative == 1);
        Ok(Value::Decimal(number))
    }

    fn date(&mut self) -> Result<Value, PayloadError> {
        let day = i32::try_from(self.signed()?).ok().and_then(|day| Date::from_julian_day(day).ok());
        day.map(Value::Date).ok_or_else(|| damaged("a date out of range"))
    }

    fn date_time(&mut self) -> Result<Value, PayloadError> {
        let seconds = self.signed()?;
        let nanos = u32::try_from(self.varint()?).ok();
        let offset = i32::try_from(self.signed()?).ok().and_then(|s| UtcOffset::from_whole_seconds(s).ok());
        let moment = OffsetDateTime::from_unix_timestamp(seconds)
            .ok()
            .zip(nanos)
            .and_then(|(moment, nanos)| moment.replace_nanosecond(nanos).ok())
            .zip(offset)
            .and_then(|(moment, offset)| moment.checked_to_offset(offset));
        moment.map(Value::DateTime).ok_or_else(|| damaged("a moment out of range"))
    }

    fn list(&mut self, depth: u32) -> Result<Value, PayloadError> {
        let depth = deeper(depth).ok_or_else(too_deep)?;
        let count = self.count()?;
        let mut items = Vec::with_capacity(count.min(RESERVE));
        for _ in 0..count {
            items.push(self.value(depth)?);
        }
        Ok(Value::List(items))
    }

    fn map(&mut self, depth: u32) -> Result<Value, PayloadError> {
        let depth = deeper(depth).ok_or_else(too_deep)?;
        let count = self.count()?;
        let mut map = Map::new();
        for _ in 0..count {
            let key = self.text()?;
            let value = self.value(depth)?;
            map.insert(key, value);
        }
        if map.len() == count { Ok(Value::Map(map)) } else { Err(damaged("a key twice in one map")) }
    }
}

fn too_deep() -> PayloadError {
    damaged(format!("values nest deeper than {MAX_DEPTH}"))
}

/// A block (or stored body) whose bytes are not what they must be.
pub(crate) fn damaged(what: impl Into<String>) -> PayloadError {
    PayloadError::Damaged(what.into())
}
