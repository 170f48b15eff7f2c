//! Objects: entries are written as they come, then put in canonical order if they did not come in it.

use std::cmp::Ordering;
use std::ops::Range;

use serde::Serialize;
use serde::ser::{self, Impossible};

use super::{Writer, value_without_key};
use crate::CanonicalError;
use crate::write::{compare_keys, write_str};

/// An object being written: entries (`"key":value`) stand in `out` in the order they came, with commas between them.
pub(super) struct ObjectWriter<'a> {
    out: &'a mut Vec<u8>,
    end: &'static [u8],
    start: usize,
    entries: Vec<Entry>,
    pending: Option<String>,
}

struct Entry {
    key: String,
    bytes: Range<usize>,
}

impl<'a> ObjectWriter<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>, end: &'static [u8]) -> Self {
        out.push(b'{');
        let start = out.len();
        Self { out, end, start, entries: Vec::new(), pending: None }
    }

    fn entry<T: Serialize + ?Sized>(&mut self, key: String, value: &T) -> Result<(), CanonicalError> {
        if !self.entries.is_empty() {
            self.out.push(b',');
        }
        let from = self.out.len();
        write_str(self.out, &key);
        self.out.push(b':');
        value.serialize(Writer { out: self.out })?;
        self.entries.push(Entry { key, bytes: from..self.out.len() });
        Ok(())
    }

    fn close(mut self) -> Result<(), CanonicalError> {
        let in_order = |pair: &[Entry]| compare_keys(&pair[0].key, &pair[1].key) == Ordering::Less;
        if !self.entries.windows(2).all(in_order) {
            self.reorder()?;
        }
        self.out.extend_from_slice(self.end);
        Ok(())
    }

    fn reorder(&mut self) -> Result<(), CanonicalError> {
        self.entries.sort_by(|a, b| compare_keys(&a.key, &b.key));
        if let Some(pair) = self.entries.windows(2).find(|pair| pair[0].key == pair[1].key) {
            return Err(CanonicalError::DuplicateKey(pair[1].key.clone()));
        }
        let unordered = self.out.split_off(self.start);
        for (at, entry) in self.entries.iter().enumerate() {
            if at > 0 {
                self.out.push(b',');
            }
            let Range { start, end } = entry.bytes;
            self.out.extend_from_slice(&unordered[start - self.start..end - self.start]);
        }
        Ok(())
    }
}

impl ser::SerializeMap for ObjectWriter<'_> {
    type Ok = ();
    type Error = CanonicalError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), CanonicalError> {
        self.pending = Some(key.serialize(KeyText)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CanonicalError> {
        let key = self.pending.take().ok_or_else(value_without_key)?;
        self.entry(key, value)
    }

    fn end(self) -> Result<(), CanonicalError> {
        self.close()
    }
}

impl ser::SerializeStruct for ObjectWriter<'_> {
    type Ok = ();
    type Error = CanonicalError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), CanonicalError> {
        self.entry(key.to_owned(), value)
    }

    fn end(self) -> Result<(), CanonicalError> {
        self.close()
    }
}

impl ser::SerializeStructVariant for ObjectWriter<'_> {
    type Ok = ();
    type Error = CanonicalError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), CanonicalError> {
        self.entry(key.to_owned(), value)
    }

    fn end(self) -> Result<(), CanonicalError> {
        self.close()
    }
}

/// Turns a map key into its text: text and integers have one, nothing else does.
struct KeyText;

type NoKey = Impossible<String, CanonicalError>;

/// Integer keys are written in decimal, as `serde_json` writes them.
macro_rules! integer_key {
    ($($method:ident: $type:ty),*) => {
        $(fn $method(self, v: $type) -> Result<String, CanonicalError> {
            Ok(v.to_string())
        })*
    };
}

impl ser::Serializer for KeyText {
    type Ok = String;
    type Error = CanonicalError;
    type SerializeSeq = NoKey;
    type SerializeTuple = NoKey;
    type SerializeTupleStruct = NoKey;
    type SerializeTupleVariant = NoKey;
    type SerializeMap = NoKey;
    type SerializeStruct = NoKey;
    type SerializeStructVariant = NoKey;

    integer_key!(serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128);
    integer_key!(serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128);

    fn serialize_str(self, v: &str) -> Result<String, CanonicalError> {
        Ok(v.to_owned())
    }

    fn serialize_char(self, v: char) -> Result<String, CanonicalError> {
        Ok(v.to_string())
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<String, CanonicalError> {
        Ok(variant.to_owned())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        v: &T,
    ) -> Result<String, CanonicalError> {
        v.serialize(self)
    }

    fn collect_str<T: std::fmt::Display + ?Sized>(self, value: &T) -> Result<String, CanonicalError> {
        Ok(value.to_string())
    }

    fn serialize_bool(self, _: bool) -> Result<String, CanonicalError> {
        Err(CanonicalError::NonTextKey)
    }

    fn serialize_f32(self, _: f32) -> Result<String, CanonicalError> {
        Err(CanonicalError::NonTextKey)
    }

    fn serialize_f64(self, _: f64) -> Result<String, CanonicalError> {
        Err(CanonicalError::NonTextKey)
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<String, CanonicalError> {
        Err(CanonicalError::NonTextKey)
    }

    fn serialize_none(self) -> Result<String, CanonicalError> {
        Err(CanonicalError::NonTextKey)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<String, CanonicalError> {
        Err(CanonicalError::NonTextKey)
    }

    fn serialize_unit(self) -> Result<String, CanonicalError> {
        Err(CanonicalError::NonTextKey)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<String, CanonicalError> {
        Err(CanonicalError::NonTextKey)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Result<String, CanonicalError> {
        Err(CanonicalError::NonTextKey)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<NoKey, CanonicalError> {
        Err(CanonicalError::NonTextKey)
    }

    fn serialize_tuple(self, _: usize) -> Result<NoKey, CanonicalError> {
        Err(CanonicalError::NonTextKey)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<NoKey, CanonicalError> {
        Err(CanonicalError::NonTextKey)
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<NoKey, CanonicalError> {
        Err(CanonicalError::NonTextKey)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<NoKey, CanonicalError> {
        Err(CanonicalError::NonTextKey)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<NoKey, CanonicalError> {
        Err(CanonicalError::NonTextKey)
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<NoKey, CanonicalError> {
        Err(CanonicalError::NonTextKey)
    }
}
