//! Names of things in the record.
//!
//! Inside a run everything is numbered: rows by their position in the source, tokens by row and ordinal, states by
//! token, step and attempt. The public id of such a thing is the run's ULID with its low 80 bits combined by
//! exclusive or with a four-bit kind and the 76-bit number. It is a valid ULID, sorts beside its run, can be computed in SQL,
//! and can be turned back into the number without a lookup.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use thiserror::Error;
use ulid::Ulid;

const ROW_BITS: u32 = 36;
const ORDINAL_BITS: u32 = 20;
const STEP_BITS: u32 = 12;
const ATTEMPT_BITS: u32 = 8;
const NUMBER_BITS: u32 = ROW_BITS + ORDINAL_BITS + STEP_BITS + ATTEMPT_BITS;
const BATCH_ORIGIN: u64 = 1 << (ROW_BITS - 1);

const KIND_ROW: u128 = 1;
const KIND_TOKEN: u128 = 2;
const KIND_STATE: u128 = 3;
const KIND_CALL: u128 = 4;

/// A text that is not a valid id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is not a {what} id")]
pub struct ParseIdError {
    what: &'static str,
    text: String,
}

macro_rules! public_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Ulid);

        impl $name {
            /// Wraps a ULID.
            #[must_use]
            pub const fn from_ulid(ulid: Ulid) -> Self {
                Self(ulid)
            }

            /// The ULID.
            #[must_use]
            pub const fn ulid(self) -> Ulid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                Ulid::from_string(text).map(Self).map_err(|_| ParseIdError { what: $what, text: text.to_owned() })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
    };
}

public_id!(
    /// One execution of one resolved settings file.
    RunId,
    "run"
);
public_id!(
    /// Public id of a source record.
    RowId,
    "row"
);
public_id!(
    /// Public id of one instance of a row travelling one path.
    TokenId,
    "token"
);
public_id!(
    /// Public id of one attempt of one token at one node.
    StateId,
    "node state"
);
public_id!(
    /// Public id of one request to the outside.
    CallId,
    "call"
);

impl RunId {
    /// The public id of a row.
    #[must_use]
    pub fn row_id(self, row: RowIndex) -> RowId {
        RowId(self.combine(KIND_ROW, u128::from(row.0)))
    }

    /// The public id of a token.
    #[must_use]
    pub fn token_id(self, token: TokenKey) -> TokenId {
        TokenId(self.combine(KIND_TOKEN, u128::from(token.get())))
    }

    /// The public id of a node state.
    #[must_use]
    pub fn state_id(self, state: StateKey) -> StateId {
        StateId(self.combine(KIND_STATE, state.number()))
    }

    /// The public id of the run's `number`-th call.
    #[must_use]
    pub fn call_id(self, number: u64) -> CallId {
        CallId(self.combine(KIND_CALL, u128::from(number)))
    }

    /// The token that this run gave `id` to; `None` if the id is not one of this run.
    #[must_use]
    pub fn parse_token_id(self, id: TokenId) -> Option<TokenKey> {
        let number = self.separate(KIND_TOKEN, id.0)?;
        u64::try_from(number).ok().filter(|n| *n < 1 << (ROW_BITS + ORDINAL_BITS)).map(TokenKey::of)
    }

    /// The two 40-bit halves of the random part, which views need to compute public ids in SQL.
    #[must_use]
    pub fn halves(self) -> (u64, u64) {
        let low = self.0.0 & ((1 << 80) - 1);
        let mask = (1u128 << 40) - 1;
        (as_u64(low >> 40), as_u64(low & mask))
    }

    fn combine(self, kind: u128, number: u128) -> Ulid {
        Ulid(self.0.0 ^ ((kind << NUMBER_BITS) | number))
    }

    fn separate(self, kind: u128, id: Ulid) -> Option<u128> {
        let mixed = self.0.0 ^ id.0;
        (mixed >> NUMBER_BITS == kind).then_some(mixed & ((1 << NUMBER_BITS) - 1))
    }
}

fn as_u64(masked: u128) -> u64 {
    u64::try_from(masked).expect("the caller masked it to at most 64 bits")
}

/// Position of a record in its source, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RowIndex(u64);

impl RowIndex {
    /// The most rows that one run can hold (2^35).
    pub const LIMIT: u64 = BATCH_ORIGIN;

    /// `None` at or beyond [`RowIndex::LIMIT`].
    #[must_use]
    pub const fn new(index: u64) -> Option<Self> {
        if index < Self::LIMIT { Some(Self(index)) } else { None }
    }

    /// The position.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// A token's number within its run: the row (or the batch) it came from, and its ordinal there.
///
/// Ordered as tokens are recorded: by row, then by ordinal. An `Option` of it is no larger than itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenKey(OneMore);

/// A number from 0, kept as the one after it. The last of all is no number of anything, and taken for the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct OneMore(NonZeroU64);

impl OneMore {
    const fn new(number: u64) -> Self {
        Self(NonZeroU64::new(number.saturating_add(1)).expect("one more than a number is not 0"))
    }

    const fn get(self) -> u64 {
        self.0.get() - 1
    }
}

/// The number of a release, as an outcome tells it: of the batch that absorbed the token, or of a merge that failed. An
/// `Option` of it is no larger than itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReleaseNo(OneMore);

impl ReleaseNo {
    /// `None` if no release can have that number.
    #[must_use]
    pub const fn new(number: u64) -> Option<Self> {
        if number < BATCH_ORIGIN { Some(Self(OneMore::new(number))) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

/// What a token came from; the walk in which it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenOrigin {
    /// A source row, or a fork or expansion of one.
    Row(RowIndex),
    /// The release with that number: the flush of a batch, or a merge that waited across rows.
    Batch(u64),
}

impl TokenOrigin {
    /// The first and the last number that a token from there can have.
    #[must_use]
    pub const fn tokens(self) -> (TokenKey, TokenKey) {
        let slot = match self {
            Self::Row(row) => row.0,
            Self::Batch(batch) => BATCH_ORIGIN | batch,
        };
        let first = slot << ORDINAL_BITS;
        (TokenKey::of(first), TokenKey::of(first | (TokenKey::ORDINAL_LIMIT as u64 - 1)))
    }
}

impl TokenKey {
    /// The most tokens that one row or one batch can have (2^20).
    pub const ORDINAL_LIMIT: u32 = 1 << ORDINAL_BITS;

    const fn of(number: u64) -> Self {
        Self(OneMore::new(number))
    }

    /// The `ordinal`-th token of a row; 0 is the row itself.
    #[must_use]
    pub const fn of_row(row: RowIndex, ordinal: u32) -> Option<Self> {
        if ordinal < Self::ORDINAL_LIMIT {
            Some(Self::of(row.0 << ORDINAL_BITS | ordinal as u64))
        } else {
            None
        }
    }

    /// The `ordinal`-th token that batch number `batch` produced.
    #[must_use]
    pub const fn of_batch(batch: u64, ordinal: u32) -> Option<Self> {
        if ordinal < Self::ORDINAL_LIMIT && batch < BATCH_ORIGIN {
            Some(Self::of((BATCH_ORIGIN | batch) << ORDINAL_BITS | ordinal as u64))
        } else {
            None
        }
    }

    /// The stored number; `None` if no token can have it.
    #[must_use]
    pub const fn from_u64(number: u64) -> Option<Self> {
        if number < 1 << (ROW_BITS + ORDINAL_BITS) { Some(Self::of(number)) } else { None }
    }

    /// The number as it is stored.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }

    /// Its ordinal within its row or batch.
    #[must_use]
    pub const fn ordinal(self) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "masked to 20 bits")]
        let ordinal = (self.get() & (Self::ORDINAL_LIMIT as u64 - 1)) as u32;
        ordinal
    }

    /// What it came from.
    #[must_use]
    pub const fn origin(self) -> TokenOrigin {
        let slot = self.get() >> ORDINAL_BITS;
        if slot & BATCH_ORIGIN == 0 {
            TokenOrigin::Row(RowIndex(slot))
        } else {
            TokenOrigin::Batch(slot & (BATCH_ORIGIN - 1))
        }
    }
}

/// A node's position in topological order; the source is 0. At most 4,095.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Step(u16);

impl Step {
    /// The most nodes that one graph can have.
    pub const LIMIT: u16 = 1 << STEP_BITS;
    /// The source's step.
    pub const SOURCE: Self = Self(0);

    /// `None` at or beyond [`Step::LIMIT`].
    #[must_use]
    pub const fn new(step: u16) -> Option<Self> {
        if step < Self::LIMIT { Some(Self(step)) } else { None }
    }

    /// The position.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The position as an index into the graph's nodes.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// An edge's position in the graph's edge list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EdgeNo(pub u16);

impl EdgeNo {
    /// The position as an index into the graph's edges.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// One attempt of one token at one node; attempts count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateKey {
    /// Whose state.
    pub token: TokenKey,
    /// At which node.
    pub step: Step,
    /// Which attempt, from 0.
    pub attempt: u8,
}

impl StateKey {
    fn number(self) -> u128 {
        u128::from(self.token.get()) << (STEP_BITS + ATTEMPT_BITS)
            | u128::from(self.step.0) << ATTEMPT_BITS
            | u128::from(self.attempt)
    }
}

/// An epoch's position in its run, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EpochNo(pub u64);

impl EpochNo {
    /// The one before, if there is one.
    #[must_use]
    pub fn before(self) -> Option<Self> {
        self.0.checked_sub(1).map(Self)
    }
}

/// The deterministic id of a node: `<prefix>_<name>_<12 hex of the hash of its canonical config>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub String);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run() -> RunId {
        "01JZ8Q4Z8N5X2V7K3M9T0B6C1D".parse().expect("a ULID")
    }

    proptest! {
        #[test]
        fn a_token_id_turns_back_into_its_token(row in 0..RowIndex::LIMIT, ordinal in 0..TokenKey::ORDINAL_LIMIT) {
            let key = TokenKey::of_row(RowIndex::new(row).unwrap(), ordinal).unwrap();
            prop_assert_eq!(run().parse_token_id(run().token_id(key)), Some(key));
            prop_assert_eq!(key.origin(), TokenOrigin::Row(RowIndex::new(row).unwrap()));
            let (first, last) = key.origin().tokens();
            prop_assert!(first <= key && key <= last && last.get() - first.get() == u64::from(TokenKey::ORDINAL_LIMIT) - 1);
            prop_assert_eq!(key.ordinal(), ordinal);
        }

        #[test]
        fn tokens_of_batches_never_meet_tokens_of_rows(batch in 0..RowIndex::LIMIT, ordinal in 0..TokenKey::ORDINAL_LIMIT) {
            let key = TokenKey::of_batch(batch, ordinal).unwrap();
            prop_assert_eq!(key.origin(), TokenOrigin::Batch(batch));
            let (first, last) = key.origin().tokens();
            prop_assert!(first <= key && key <= last);
            prop_assert_eq!((first.ordinal(), last.ordinal()), (0, TokenKey::ORDINAL_LIMIT - 1));
            prop_assert_eq!((first.origin(), last.origin()), (key.origin(), key.origin()));
            prop_assert_eq!(TokenKey::from_u64(key.get()), Some(key));
            prop_assert_eq!(ReleaseNo::new(batch).map(ReleaseNo::get), Some(batch));
        }
    }

    #[test]
    fn origins_that_a_damaged_record_may_name_have_tokens_too() {
        for batch in [BATCH_ORIGIN, u64::MAX] {
            let (first, last) = TokenOrigin::Batch(batch).tokens();
            assert!(first <= last);
        }
    }

    #[test]
    fn an_id_of_another_run_or_kind_is_not_taken_for_a_token() {
        let other: RunId = "01JZ8Q4Z8N7X2V7K3M9T0B6C1E".parse().unwrap();
        let key = TokenKey::of_row(RowIndex::new(7).unwrap(), 0).unwrap();
        assert_eq!(other.parse_token_id(run().token_id(key)), None);
        let row_id = run().row_id(RowIndex::new(7).unwrap());
        assert_eq!(run().parse_token_id(TokenId::from_ulid(row_id.ulid())), None);
    }
}
