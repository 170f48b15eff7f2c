//! What queries give.

use rusqlite::functions::Context;
use rusqlite::types::{FromSql, FromSqlError, Type, ValueRef};
use sqlx::postgres::{PgRow, PgValueRef};
use sqlx::{Column as _, Row as _, TypeInfo as _, ValueRef as _};

use super::DbError;

/// One record.
pub(crate) enum Row<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Args(Args<'a>),
    Postgres(&'a PgRow),
}

/// A record that SQLite hands to a function.
pub(crate) struct Args<'a> {
    pub(crate) context: &'a Context<'a>,
    pub(crate) columns: &'static [&'static str],
}

impl Row<'_> {
    /// The value of a column. Verifiers ask for tens of them for each row of a run.
    #[inline]
    pub(crate) fn value(&self, at: usize) -> Result<ValueRef<'_>, DbError> {
        match self {
            Self::Args(args) => Ok(args.context.get_raw(at)),
            Self::Sqlite(row) => Ok(row.get_ref(at)?),
            Self::Postgres(row) => Ok(plain(row.try_get_raw(at)?)?),
        }
    }

    /// The name of a column.
    pub(crate) fn name(&self, at: usize) -> &str {
        match self {
            Self::Sqlite(row) => row.as_ref().column_name(at).unwrap_or("?"),
            Self::Args(args) => args.columns[at],
            Self::Postgres(row) => row.try_column(at).map_or("?", |column| column.name()),
        }
    }

    pub(crate) fn get<T: FromSql>(&self, at: usize) -> Result<T, DbError> {
        match self {
            Self::Sqlite(row) => Ok(row.get(at)?),
            Self::Args(_) | Self::Postgres(_) => {
                T::column_result(self.value(at)?).map_err(|error| self.conversion(at, error))
            }
        }
    }

    #[cold]
    fn conversion(&self, at: usize, error: FromSqlError) -> DbError {
        let found = self.value(at).map_or(Type::Null, |value| value.data_type());
        rusqlite::Error::FromSqlConversionFailure(at, found, Box::new(error)).into()
    }
}

/// A value of PostgreSQL as SQLite would give it: numbers of any width and flags are integers.
pub(crate) fn plain(value: PgValueRef<'_>) -> sqlx::Result<ValueRef<'_>> {
    if value.is_null() {
        return Ok(ValueRef::Null);
    }
    let bytes = value.as_bytes().map_err(sqlx::Error::Decode)?;
    let found = match value.type_info().name() {
        "INT8" | "INT4" | "INT2" => Some(ValueRef::Integer(big_endian(bytes))),
        "BOOL" => Some(ValueRef::Integer(i64::from(bytes == [1]))),
        "NUMERIC" => whole(bytes).map(ValueRef::Integer),
        "TEXT" | "VARCHAR" | "NAME" => Some(ValueRef::Text(bytes)),
        "BYTEA" => Some(ValueRef::Blob(bytes)),
        _ => None,
    };
    found.ok_or_else(|| {
        sqlx::Error::Decode(format!("a value of type {} is not expected", value.type_info()).into())
    })
}

/// A signed number of up to eight bytes.
fn big_endian(bytes: &[u8]) -> i64 {
    let sign = if bytes.first().is_some_and(|first| first & 0x80 != 0) { -1 } else { 0 };
    bytes.iter().fold(sign, |number, byte| number << 8 | i64::from(*byte))
}

/// A whole number in PostgreSQL's decimal form: digits of base 10,000, of which the first has a weight.
fn whole(bytes: &[u8]) -> Option<i64> {
    let (fields, _) = bytes.as_chunks::<2>();
    let [_, weight, sign, _, digits @ ..] = fields else { return None };
    let places = usize::try_from(i16::from_be_bytes(*weight) + 1).ok()?;
    let mut number: i64 = 0;
    for at in 0..places {
        let digit = digits.get(at).map_or(0, |digit| i64::from(u16::from_be_bytes(*digit)));
        number = number.checked_mul(10_000)?.checked_add(digit)?;
    }
    match (digits.len() <= places, u16::from_be_bytes(*sign)) {
        (true, 0) => Some(number),
        (true, 0x4000) => Some(-number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_width_are_read() {
        assert_eq!(big_endian(&[0xff, 0xfe]), -2);
        assert_eq!(big_endian(&[0, 0, 1, 0]), 256);
        assert_eq!(big_endian(&i64::MIN.to_be_bytes()), i64::MIN);
        // 12,0000,0345 and -1
        let number = |weight: i16, sign: u16, digits: &[u16]| {
            let mut bytes = Vec::new();
            bytes.extend(u16::try_from(digits.len()).unwrap().to_be_bytes());
            bytes.extend(weight.to_be_bytes());
            bytes.extend(sign.to_be_bytes());
            bytes.extend(0u16.to_be_bytes());
            digits.iter().for_each(|digit| bytes.extend(digit.to_be_bytes()));
            whole(&bytes)
        };
        assert_eq!(number(2, 0, &[12, 0, 345]), Some(1_200_000_345));
        assert_eq!(number(1, 0, &[5]), Some(50_000));
        assert_eq!(number(0, 0x4000, &[1]), Some(-1));
        assert_eq!(number(-1, 0, &[]), Some(0));
        assert_eq!(number(0, 0, &[1, 5000]), None);
    }
}
