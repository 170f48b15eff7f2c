//! What statements are given.

use elspeth_canonical::ContentHash;
use rusqlite::types::{ToSql, ToSqlOutput, Value, ValueRef};

/// A value as a statement takes it.
pub(crate) trait Bind {
    fn bind(&self) -> ValueRef<'_>;
}

/// The values of a statement: `values![run_no, name]`.
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$(&$value as &dyn $crate::db::Bind),*] };
}
pub(crate) use values;

macro_rules! numbers {
    ($($number:ty),+) => {
        $(impl Bind for $number {
            fn bind(&self) -> ValueRef<'_> {
                ValueRef::Integer(i64::from(*self))
            }
        })+
    };
}

numbers!(i64, i32, u32, u16, u8, bool);

impl<T: Bind> Bind for Option<T> {
    fn bind(&self) -> ValueRef<'_> {
        self.as_ref().map_or(ValueRef::Null, Bind::bind)
    }
}

impl<T: Bind + ?Sized> Bind for &T {
    fn bind(&self) -> ValueRef<'_> {
        (**self).bind()
    }
}

impl Bind for str {
    fn bind(&self) -> ValueRef<'_> {
        ValueRef::Text(self.as_bytes())
    }
}

impl Bind for String {
    fn bind(&self) -> ValueRef<'_> {
        self.as_str().bind()
    }
}

impl Bind for [u8] {
    fn bind(&self) -> ValueRef<'_> {
        ValueRef::Blob(self)
    }
}

impl Bind for Vec<u8> {
    fn bind(&self) -> ValueRef<'_> {
        ValueRef::Blob(self)
    }
}

impl Bind for ContentHash {
    fn bind(&self) -> ValueRef<'_> {
        ValueRef::Blob(self.as_bytes())
    }
}

impl Bind for Value {
    fn bind(&self) -> ValueRef<'_> {
        self.into()
    }
}

struct Bound<'v>(&'v dyn Bind);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(self.0.bind()))
    }
}

/// As `rusqlite` takes them.
pub(super) fn bound<'v>(values: &'v [&'v dyn Bind]) -> impl rusqlite::Params + 'v {
    rusqlite::params_from_iter(values.iter().map(|value| Bound(*value)))
}
