//! One stored record, read by the positions of its columns: a verifier reads millions of them.

use elspeth_canonical::ContentHash;
use elspeth_contracts::{
    EdgeNo, EpochNo, ErrorReason, Micros, ReleaseNo, RowIndex, RunId, Step, TokenKey, TokenOrigin,
    UnknownCode,
};
use elspeth_landscape::{Corruption, LandscapeError};
use rusqlite::types::ValueRef;

use crate::db::{DbError, Row};
use crate::stored::reason_json;

/// A record, and what it is called if it cannot be read.
pub(crate) struct Cells<'a> {
    row: &'a Row<'a>,
    run: RunId,
    table: &'static str,
    /// How many of its first columns tell it from others.
    key: usize,
}

type Read<T> = Result<T, LandscapeError>;

impl<'a> Cells<'a> {
    pub(crate) fn new(row: &'a Row<'a>, run: RunId, (table, key): (&'static str, usize)) -> Self {
        Self { row, run, table, key }
    }

    #[cold]
    pub(crate) fn corrupt(&self, what: impl Into<String>) -> LandscapeError {
        let id: Vec<String> = (0..self.key).map(|at| self.key_part(at)).collect();
        Corruption { table: self.table, id: id.join(", "), what: what.into() }.into()
    }

    /// A part of the key by its public name.
    fn key_part(&self, at: usize) -> String {
        let name = self.name(at);
        let number = match self.row.value(at) {
            Ok(ValueRef::Integer(number)) => number.cast_unsigned(),
            Ok(_) | Err(_) => return format!("{name} ?"),
        };
        match (name, TokenKey::from_u64(number), RowIndex::new(number)) {
            ("token", Some(token), _) => format!("token {}", self.run.token_id(token)),
            ("row_index", _, Some(row)) => format!("row {} ({})", row.get(), self.run.row_id(row)),
            (name, ..) => format!("{name} {number}"),
        }
    }

    fn name(&self, at: usize) -> &str {
        self.row.name(at)
    }

    // An error is longer than most values, so that a function which is not inlined gives its result by way of memory.
    #[inline(always)]
    fn value(&self, at: usize) -> Read<ValueRef<'_>> {
        self.row.value(at).map_err(|error| self.unread(at, &error))
    }

    #[cold]
    fn unread(&self, at: usize, error: &DbError) -> LandscapeError {
        self.corrupt(format!("`{}`: {error}", self.name(at)))
    }

    #[cold]
    fn odd(&self, at: usize, found: ValueRef<'_>) -> LandscapeError {
        let what = match found {
            ValueRef::Null => "has no value".to_owned(),
            other => format!("is of another type ({})", other.data_type()),
        };
        self.corrupt(format!("`{}` {what}", self.name(at)))
    }

    #[cold]
    fn out_of_range(&self, at: usize, number: i64) -> LandscapeError {
        self.corrupt(format!("`{}` is {number}, out of its range", self.name(at)))
    }

    #[inline(always)]
    pub(crate) fn int(&self, at: usize) -> Read<i64> {
        match self.value(at)? {
            ValueRef::Integer(number) => Ok(number),
            other => Err(self.odd(at, other)),
        }
    }

    #[inline(always)]
    pub(crate) fn maybe_int(&self, at: usize) -> Read<Option<i64>> {
        match self.value(at)? {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(number) => Ok(Some(number)),
            other => Err(self.odd(at, other)),
        }
    }

    #[inline(always)]
    pub(crate) fn unsigned(&self, at: usize) -> Read<u64> {
        self.int(at).map(i64::cast_unsigned)
    }

    #[inline(always)]
    pub(crate) fn number<T: TryFrom<i64>>(&self, at: usize) -> Read<T> {
        let number = self.int(at)?;
        T::try_from(number).map_err(|_| self.out_of_range(at, number))
    }

    #[inline]
    pub(crate) fn maybe_number<T: TryFrom<i64>>(&self, at: usize) -> Read<Option<T>> {
        let Some(number) = self.maybe_int(at)? else { return Ok(None) };
        T::try_from(number).map(Some).map_err(|_| self.out_of_range(at, number))
    }

    #[inline(always)]
    pub(crate) fn flag(&self, at: usize) -> Read<bool> {
        match self.int(at)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.out_of_range(at, other)),
        }
    }

    pub(crate) fn maybe_text(&self, at: usize) -> Read<Option<String>> {
        match self.value(at)? {
            ValueRef::Null => Ok(None),
            ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Ok(Some(text.to_owned())),
                Err(_) => Err(self.corrupt(format!("`{}` is no text", self.name(at)))),
            },
            other => Err(self.odd(at, other)),
        }
    }

    pub(crate) fn text(&self, at: usize) -> Read<String> {
        self.maybe_text(at)?.ok_or_else(|| self.odd(at, ValueRef::Null))
    }

    pub(crate) fn run_id(&self, at: usize) -> Read<RunId> {
        self.text(at)?.parse().map_err(|_| self.corrupt("its run has no id"))
    }

    pub(crate) fn bytes(&self, at: usize) -> Read<Vec<u8>> {
        match self.value(at)? {
            ValueRef::Blob(bytes) => Ok(bytes.to_owned()),
            other => Err(self.odd(at, other)),
        }
    }

    #[inline(always)]
    pub(crate) fn maybe_hash(&self, at: usize) -> Read<Option<ContentHash>> {
        match self.value(at)? {
            ValueRef::Null => Ok(None),
            ValueRef::Blob(bytes) => match <[u8; 32]>::try_from(bytes) {
                Ok(digest) => Ok(Some(ContentHash::from_bytes(digest))),
                Err(_) => Err(self.corrupt(format!("`{}` is no hash", self.name(at)))),
            },
            other => Err(self.odd(at, other)),
        }
    }

    #[inline(always)]
    pub(crate) fn hash(&self, at: usize) -> Read<ContentHash> {
        self.maybe_hash(at)?.ok_or_else(|| self.odd(at, ValueRef::Null))
    }

    #[inline(always)]
    pub(crate) fn code<E>(&self, at: usize, from: fn(i64) -> Result<E, UnknownCode>) -> Read<E> {
        from(self.int(at)?).map_err(|unknown| self.unknown(at, &unknown))
    }

    #[cold]
    fn unknown(&self, at: usize, unknown: &UnknownCode) -> LandscapeError {
        self.corrupt(format!("`{}`: {unknown}", self.name(at)))
    }

    pub(crate) fn maybe_code<E>(
        &self,
        at: usize,
        from: fn(i64) -> Result<E, UnknownCode>,
    ) -> Read<Option<E>> {
        match self.maybe_int(at)? {
            None => Ok(None),
            Some(_) => self.code(at, from).map(Some),
        }
    }

    #[inline(always)]
    pub(crate) fn token(&self, at: usize) -> Read<TokenKey> {
        let number = self.int(at)?;
        TokenKey::from_u64(number.cast_unsigned()).ok_or_else(|| self.out_of_range(at, number))
    }

    #[inline(always)]
    pub(crate) fn maybe_token(&self, at: usize) -> Read<Option<TokenKey>> {
        let Some(number) = self.maybe_int(at)? else { return Ok(None) };
        TokenKey::from_u64(number.cast_unsigned()).map(Some).ok_or_else(|| self.out_of_range(at, number))
    }

    pub(crate) fn maybe_release(&self, at: usize) -> Read<Option<ReleaseNo>> {
        let Some(number) = self.maybe_int(at)? else { return Ok(None) };
        ReleaseNo::new(number.cast_unsigned()).map(Some).ok_or_else(|| self.out_of_range(at, number))
    }

    #[inline(always)]
    pub(crate) fn row_index(&self, at: usize) -> Read<RowIndex> {
        let number = self.int(at)?;
        RowIndex::new(number.cast_unsigned()).ok_or_else(|| self.out_of_range(at, number))
    }

    pub(crate) fn maybe_row_index(&self, at: usize) -> Read<Option<RowIndex>> {
        match self.maybe_int(at)? {
            None => Ok(None),
            Some(_) => self.row_index(at).map(Some),
        }
    }

    #[inline(always)]
    pub(crate) fn maybe_step(&self, at: usize) -> Read<Option<Step>> {
        let Some(number) = self.maybe_int(at)? else { return Ok(None) };
        let step = u16::try_from(number).ok().and_then(Step::new);
        step.map(Some).ok_or_else(|| self.out_of_range(at, number))
    }

    #[inline(always)]
    pub(crate) fn step(&self, at: usize) -> Read<Step> {
        self.maybe_step(at)?.ok_or_else(|| self.odd(at, ValueRef::Null))
    }

    #[inline(always)]
    pub(crate) fn edge(&self, at: usize) -> Read<EdgeNo> {
        self.number(at).map(EdgeNo)
    }

    pub(crate) fn epoch(&self, at: usize) -> Read<EpochNo> {
        self.number(at).map(EpochNo)
    }

    pub(crate) fn time(&self, at: usize) -> Read<Micros> {
        self.int(at).map(Micros)
    }

    pub(crate) fn maybe_time(&self, at: usize) -> Read<Option<Micros>> {
        Ok(self.maybe_int(at)?.map(Micros))
    }

    /// A reason, which must be stored in just the form in which it is written.
    pub(crate) fn maybe_reason(&self, at: usize) -> Read<Option<ErrorReason>> {
        let Some(text) = self.maybe_text(at)? else { return Ok(None) };
        let reason: ErrorReason = serde_json::from_str(&text)
            .map_err(|error| self.corrupt(format!("`{}`: {error}", self.name(at))))?;
        if reason_json(&reason) == text {
            Ok(Some(reason))
        } else {
            Err(self.corrupt(format!("`{}` is not in the form in which reasons are written", self.name(at))))
        }
    }

    pub(crate) fn reason(&self, at: usize) -> Read<ErrorReason> {
        self.maybe_reason(at)?.ok_or_else(|| self.odd(at, ValueRef::Null))
    }
}

/// The first number of tokens that releases made.
pub(crate) fn first_released() -> i64 {
    TokenOrigin::Batch(0).tokens().0.get().cast_signed()
}
