//! Canonical bytes of anything that serde can serialise.
//!
//! One pass: values are written as they come, and an object whose entries did not come in canonical order is put in
//! order when it ends. The shapes are `serde_json`'s (enums externally tagged, `None` and `()` as null, integer keys as
//! text). It knows no types of its own; what has a faster way to its bytes uses the writers directly.

mod object;

use serde::Serialize;
use serde::ser::{self, Error as _};

use crate::write::{write_bool, write_bytes, write_f64, write_i64, write_null, write_str};
use crate::{CanonicalError, ContentHash, HashVersion};
use object::ObjectWriter;

/// The canonical bytes of anything that serde can serialise.
///
/// `f32` is widened to `f64` first. Note that serde serialises `Vec<u8>` as a list of numbers; only types that call
/// `serialize_bytes` are written as tagged base64.
///
/// # Errors
/// [`CanonicalError`] when some part has no canonical form.
pub fn to_canonical_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    let mut out = Vec::with_capacity(128);
    value.serialize(Writer { out: &mut out })?;
    Ok(out)
}

/// The hash of a value's canonical bytes.
///
/// # Errors
/// [`CanonicalError`] when some part has no canonical form.
pub fn hash_of<T: Serialize + ?Sized>(
    version: HashVersion,
    value: &T,
) -> Result<ContentHash, CanonicalError> {
    Ok(version.hash(&to_canonical_vec(value)?))
}

impl ser::Error for CanonicalError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::Custom(message.to_string())
    }
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    /// Opens `{"variant":`; the caller closes the brace.
    fn open_variant(self, variant: &str) -> &'a mut Vec<u8> {
        self.out.push(b'{');
        write_str(self.out, variant);
        self.out.push(b':');
        self.out
    }
}

impl<'a> ser::Serializer for Writer<'a> {
    type Ok = ();
    type Error = CanonicalError;
    type SerializeSeq = ListWriter<'a>;
    type SerializeTuple = ListWriter<'a>;
    type SerializeTupleStruct = ListWriter<'a>;
    type SerializeTupleVariant = ListWriter<'a>;
    type SerializeMap = ObjectWriter<'a>;
    type SerializeStruct = ObjectWriter<'a>;
    type SerializeStructVariant = ObjectWriter<'a>;

    fn serialize_bool(self, v: bool) -> Result<(), CanonicalError> {
        write_bool(self.out, v);
        Ok(())
    }

    fn serialize_i8(self, v: i8) -> Result<(), CanonicalError> {
        write_i64(self.out, v.into())
    }

    fn serialize_i16(self, v: i16) -> Result<(), CanonicalError> {
        write_i64(self.out, v.into())
    }

    fn serialize_i32(self, v: i32) -> Result<(), CanonicalError> {
        write_i64(self.out, v.into())
    }

    fn serialize_i64(self, v: i64) -> Result<(), CanonicalError> {
        write_i64(self.out, v)
    }

    fn serialize_i128(self, v: i128) -> Result<(), CanonicalError> {
        let v = i64::try_from(v).map_err(|_| CanonicalError::UnsafeInteger(v.to_string()))?;
        write_i64(self.out, v)
    }

    fn serialize_u8(self, v: u8) -> Result<(), CanonicalError> {
        write_i64(self.out, v.into())
    }

    fn serialize_u16(self, v: u16) -> Result<(), CanonicalError> {
        write_i64(self.out, v.into())
    }

    fn serialize_u32(self, v: u32) -> Result<(), CanonicalError> {
        write_i64(self.out, v.into())
    }

    fn serialize_u64(self, v: u64) -> Result<(), CanonicalError> {
        self.serialize_i128(v.into())
    }

    fn serialize_u128(self, v: u128) -> Result<(), CanonicalError> {
        let v = i64::try_from(v).map_err(|_| CanonicalError::UnsafeInteger(v.to_string()))?;
        write_i64(self.out, v)
    }

    fn serialize_f32(self, v: f32) -> Result<(), CanonicalError> {
        write_f64(self.out, v.into())
    }

    fn serialize_f64(self, v: f64) -> Result<(), CanonicalError> {
        write_f64(self.out, v)
    }

    fn serialize_char(self, v: char) -> Result<(), CanonicalError> {
        write_str(self.out, v.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, v: &str) -> Result<(), CanonicalError> {
        write_str(self.out, v);
        Ok(())
    }

    fn serialize_bytes(self, v: &[u8]) -> Result<(), CanonicalError> {
        write_bytes(self.out, v);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), CanonicalError> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), CanonicalError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), CanonicalError> {
        write_null(self.out);
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), CanonicalError> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), CanonicalError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        v: &T,
    ) -> Result<(), CanonicalError> {
        v.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), CanonicalError> {
        let out = self.open_variant(variant);
        value.serialize(Writer { out })?;
        out.push(b'}');
        Ok(())
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<ListWriter<'a>, CanonicalError> {
        Ok(ListWriter::new(self.out, b"]"))
    }

    fn serialize_tuple(self, _len: usize) -> Result<ListWriter<'a>, CanonicalError> {
        Ok(ListWriter::new(self.out, b"]"))
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _len: usize,
    ) -> Result<ListWriter<'a>, CanonicalError> {
        Ok(ListWriter::new(self.out, b"]"))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<ListWriter<'a>, CanonicalError> {
        Ok(ListWriter::new(self.open_variant(variant), b"]}"))
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<ObjectWriter<'a>, CanonicalError> {
        Ok(ObjectWriter::new(self.out, b"}"))
    }

    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<ObjectWriter<'a>, CanonicalError> {
        Ok(ObjectWriter::new(self.out, b"}"))
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<ObjectWriter<'a>, CanonicalError> {
        Ok(ObjectWriter::new(self.open_variant(variant), b"}}"))
    }
}

/// A list being written; `end` is what closes it.
struct ListWriter<'a> {
    out: &'a mut Vec<u8>,
    end: &'static [u8],
    first: bool,
}

impl<'a> ListWriter<'a> {
    fn new(out: &'a mut Vec<u8>, end: &'static [u8]) -> Self {
        out.push(b'[');
        Self { out, end, first: true }
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CanonicalError> {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        value.serialize(Writer { out: self.out })
    }

    fn close(self) {
        self.out.extend_from_slice(self.end);
    }
}

/// The four list traits differ in their names only.
macro_rules! list_trait {
    ($name:ident, $method:ident) => {
        impl ser::$name for ListWriter<'_> {
            type Ok = ();
            type Error = CanonicalError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CanonicalError> {
                self.item(value)
            }

            fn end(self) -> Result<(), CanonicalError> {
                self.close();
                Ok(())
            }
        }
    };
}

list_trait!(SerializeSeq, serialize_element);
list_trait!(SerializeTuple, serialize_element);
list_trait!(SerializeTupleStruct, serialize_field);
list_trait!(SerializeTupleVariant, serialize_field);

/// A value given before its key, which only a faulty `Serialize` does.
fn value_without_key() -> CanonicalError {
    CanonicalError::custom("a map value came before its key")
}
