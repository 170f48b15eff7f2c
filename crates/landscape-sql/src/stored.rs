//! Reading our own record back: fully trusted, so whatever cannot be is corruption.

use elspeth_canonical::ContentHash;
use elspeth_contracts::{EdgeNo, EpochNo, ErrorReason, Micros, RowIndex, Step, TokenKey, UnknownCode};
use elspeth_landscape::{Corruption, LandscapeError};
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row as _, Sqlite, Type};

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
    row: &'r SqliteRow,
    origin: Origin,
}

impl<'r> Stored<'r> {
    pub(crate) fn new(row: &'r SqliteRow, origin: Origin) -> Self {
        Self { row, origin }
    }

    /// The error for a record that contradicts itself.
    pub(crate) fn corrupt(&self, what: impl Into<String>) -> LandscapeError {
        let id: Vec<String> = self
            .origin
            .key
            .iter()
            .map(|column| match self.row.try_get_unchecked::<String, _>(*column) {
                Ok(text) => format!("{column} {text}"),
                Err(_) => format!("{column} ?"),
            })
            .collect();
        Corruption { table: self.origin.table, id: id.join(", "), what: what.into() }.into()
    }

    fn get<T>(&self, column: &str) -> Result<Option<T>, LandscapeError>
    where
        T: Decode<'r, Sqlite> + Type<Sqlite>,
    {
        self.row.try_get::<Option<T>, _>(column).map_err(|error| self.corrupt(format!("`{column}`: {error}")))
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

/// The stored form of an [`ErrorReason`].
pub(crate) fn reason_json(reason: &ErrorReason) -> String {
    serde_json::to_string(reason).expect("texts, numbers and flags always become JSON")
}
