//! Reading our own record back: fully trusted, so whatever cannot be is corruption.

use elspeth_canonical::ContentHash;
use elspeth_contracts::{
    EdgeNo, EpochNo, ErrorReason, Micros, ReleaseNo, RowIndex, Step, TokenKey, UnknownCode,
};
use elspeth_landscape::{Corruption, LandscapeError};
use rusqlite::types::ValueRef;
use sqlx::{Decode, Row as _, Sqlite, Type};

use crate::asking::StoredRow;
use crate::db::plain;

/// Where a record is, for the name of one that is damaged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    /// Its table.
    pub(crate) table: &'static str,
    /// The columns that tell it from others.
    pub(crate) key: &'static [&'static str],
}

/// One record as the database returned it.
pub(crate) struct Stored<'r> {
    row: &'r StoredRow,
    origin: Origin,
}

impl<'r> Stored<'r> {
    pub(crate) fn new(row: &'r StoredRow, origin: Origin) -> Self {
        Self { row, origin }
    }

    /// The error for a record that contradicts itself.
    pub(crate) fn corrupt(&self, what: impl Into<String>) -> LandscapeError {
        let id: Vec<String> = self
            .origin
            .key
            .iter()
            .map(|column| match self.shown(column) {
                Some(text) => format!("{column} {text}"),
                None => format!("{column} ?"),
            })
            .collect();
        Corruption { table: self.origin.table, id: id.join(", "), what: what.into() }.into()
    }

    /// A part of the key as text.
    fn shown(&self, column: &str) -> Option<String> {
        match self.row {
            StoredRow::Sqlite(row) => row.try_get_unchecked::<String, _>(column).ok(),
            StoredRow::Postgres(_) => match self.value(column).ok()? {
                ValueRef::Integer(number) => Some(number.to_string()),
                ValueRef::Text(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
                ValueRef::Null | ValueRef::Real(_) | ValueRef::Blob(_) => None,
            },
        }
    }

    /// A value of PostgreSQL.
    fn value(&self, column: &str) -> Result<ValueRef<'r>, LandscapeError> {
        let StoredRow::Postgres(row) = self.row else { unreachable!("only asked of such a row") };
        let value = row.try_get_raw(column).and_then(plain);
        value.map_err(|error| self.corrupt(format!("`{column}`: {error}")))
    }

    fn get<T>(&self, column: &str) -> Result<Option<T>, LandscapeError>
    where
        T: Decode<'r, Sqlite> + Type<Sqlite> + FromSql<'r>,
    {
        match self.row {
            StoredRow::Sqlite(row) => row
                .try_get::<Option<T>, _>(column)
                .map_err(|error| self.corrupt(format!("`{column}`: {error}"))),
            StoredRow::Postgres(_) => match self.value(column)? {
                ValueRef::Null => Ok(None),
                value => match T::of(value) {
                    Some(value) => Ok(Some(value)),
                    None => {
                        let found = value.data_type();
                        Err(self.corrupt(format!("`{column}` is of another type ({found})")))
                    }
                },
            },
        }
    }

    fn required<T>(&self, column: &str, value: Option<T>) -> Result<T, LandscapeError> {
        value.ok_or_else(|| self.corrupt(format!("`{column}` has no value")))
    }

    pub(crate) fn maybe_int(&self, column: &str) -> Result<Option<i64>, LandscapeError> {
        self.get(column)
    }

    pub(crate) fn int(&self, column: &str) -> Result<i64, LandscapeError> {
        let value = self.maybe_int(column)?;
        self.required(column, value)
    }

    /// A number of a narrower type.
    pub(crate) fn number<T: TryFrom<i64>>(&self, column: &str) -> Result<T, LandscapeError> {
        let value = self.int(column)?;
        T::try_from(value).map_err(|_| self.corrupt(format!("`{column}` is {value}, out of its range")))
    }

    /// A number of 64 bits, stored bit by bit.
    pub(crate) fn maybe_unsigned(&self, column: &str) -> Result<Option<u64>, LandscapeError> {
        Ok(self.maybe_int(column)?.map(i64::cast_unsigned))
    }

    pub(crate) fn unsigned(&self, column: &str) -> Result<u64, LandscapeError> {
        Ok(self.int(column)?.cast_unsigned())
    }

    pub(crate) fn flag(&self, column: &str) -> Result<bool, LandscapeError> {
        match self.int(column)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.corrupt(format!("`{column}` is {other}, neither 0 nor 1"))),
        }
    }

    pub(crate) fn maybe_text(&self, column: &str) -> Result<Option<String>, LandscapeError> {
        self.get(column)
    }

    pub(crate) fn text(&self, column: &str) -> Result<String, LandscapeError> {
        let value = self.maybe_text(column)?;
        self.required(column, value)
    }

    pub(crate) fn bytes(&self, column: &str) -> Result<Vec<u8>, LandscapeError> {
        let value = self.get(column)?;
        self.required(column, value)
    }

    pub(crate) fn maybe_hash(&self, column: &str) -> Result<Option<ContentHash>, LandscapeError> {
        let Some(bytes) = self.get::<&[u8]>(column)? else { return Ok(None) };
        let digest: [u8; 32] = bytes.try_into().map_err(|_| {
            self.corrupt(format!("`{column}` has {} bytes instead of a hash's 32", bytes.len()))
        })?;
        Ok(Some(ContentHash::from_bytes(digest)))
    }

    pub(crate) fn hash(&self, column: &str) -> Result<ContentHash, LandscapeError> {
        let value = self.maybe_hash(column)?;
        self.required(column, value)
    }

    /// A value of a closed enum: `stored.code("status", RunStatus::from_code)`.
    pub(crate) fn code<E>(
        &self,
        column: &str,
        from: fn(i64) -> Result<E, UnknownCode>,
    ) -> Result<E, LandscapeError> {
        from(self.int(column)?).map_err(|unknown| self.corrupt(format!("`{column}`: {unknown}")))
    }

    pub(crate) fn maybe_code<E>(
        &self,
        column: &str,
        from: fn(i64) -> Result<E, UnknownCode>,
    ) -> Result<Option<E>, LandscapeError> {
        let Some(code) = self.maybe_int(column)? else { return Ok(None) };
        from(code).map(Some).map_err(|unknown| self.corrupt(format!("`{column}`: {unknown}")))
    }

    pub(crate) fn token(&self, column: &str) -> Result<TokenKey, LandscapeError> {
        let value = self.unsigned(column)?;
        TokenKey::from_u64(value)
            .ok_or_else(|| self.corrupt(format!("`{column}` is {value}, which no token can have")))
    }

    pub(crate) fn maybe_token(&self, column: &str) -> Result<Option<TokenKey>, LandscapeError> {
        self.maybe_int(column)?.map(|_| self.token(column)).transpose()
    }

    pub(crate) fn maybe_release(&self, column: &str) -> Result<Option<ReleaseNo>, LandscapeError> {
        let Some(value) = self.maybe_unsigned(column)? else { return Ok(None) };
        let release = ReleaseNo::new(value);
        release
            .map(Some)
            .ok_or_else(|| self.corrupt(format!("`{column}` is {value}, which no release can have")))
    }

    pub(crate) fn row_index(&self, column: &str) -> Result<RowIndex, LandscapeError> {
        let value = self.unsigned(column)?;
        RowIndex::new(value)
            .ok_or_else(|| self.corrupt(format!("`{column}` is {value}, which no row can have")))
    }

    pub(crate) fn maybe_step(&self, column: &str) -> Result<Option<Step>, LandscapeError> {
        let Some(value) = self.maybe_int(column)? else { return Ok(None) };
        let step = u16::try_from(value).ok().and_then(Step::new);
        step.map(Some).ok_or_else(|| self.corrupt(format!("`{column}` is {value}, which no node can have")))
    }

    pub(crate) fn step(&self, column: &str) -> Result<Step, LandscapeError> {
        let value = self.maybe_step(column)?;
        self.required(column, value)
    }

    pub(crate) fn edge(&self, column: &str) -> Result<EdgeNo, LandscapeError> {
        self.number(column).map(EdgeNo)
    }

    pub(crate) fn epoch(&self, column: &str) -> Result<EpochNo, LandscapeError> {
        self.number(column).map(EpochNo)
    }

    pub(crate) fn time(&self, column: &str) -> Result<Micros, LandscapeError> {
        self.int(column).map(Micros)
    }

    pub(crate) fn maybe_time(&self, column: &str) -> Result<Option<Micros>, LandscapeError> {
        Ok(self.maybe_int(column)?.map(Micros))
    }

    /// An [`ErrorReason`] from its JSON.
    pub(crate) fn maybe_reason(&self, column: &str) -> Result<Option<ErrorReason>, LandscapeError> {
        let Some(text) = self.maybe_text(column)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|error| self.corrupt(format!("`{column}`: {error}")))
    }

    pub(crate) fn reason(&self, column: &str) -> Result<ErrorReason, LandscapeError> {
        let value = self.maybe_reason(column)?;
        self.required(column, value)
    }
}

/// What a value of a row is made to.
trait FromSql<'r>: Sized {
    fn of(value: ValueRef<'r>) -> Option<Self>;
}

impl FromSql<'_> for i64 {
    fn of(value: ValueRef<'_>) -> Option<Self> {
        value.as_i64().ok()
    }
}

impl FromSql<'_> for String {
    fn of(value: ValueRef<'_>) -> Option<Self> {
        value.as_str().ok().map(str::to_owned)
    }
}

impl<'r> FromSql<'r> for &'r [u8] {
    fn of(value: ValueRef<'r>) -> Option<Self> {
        value.as_blob().ok()
    }
}

impl FromSql<'_> for Vec<u8> {
    fn of(value: ValueRef<'_>) -> Option<Self> {
        value.as_blob().ok().map(<[u8]>::to_owned)
    }
}

/// The stored form of an [`ErrorReason`].
pub(crate) fn reason_json(reason: &ErrorReason) -> String {
    serde_json::to_string(reason).expect("texts, numbers and flags always become JSON")
}
