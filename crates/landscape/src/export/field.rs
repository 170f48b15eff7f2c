//! One value of an exported record: as JSON, and as a cell of a CSV file.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use elspeth_canonical::{ContentHash, HashVersion};
use elspeth_contracts::{
    BatchStatus, CallStatus, CallType, Determinism, EdgeMode, EdgeNo, EpochNo, ErrorReason, ExportStatus,
    Grade, Micros, NodeId, NodeStateStatus, NodeType, OperationKind, OperationStatus, Outcome, PurgeStatus,
    RowIndex, RunId, RunStatus, Step, TokenKey, TokenOrigin, TriggerType,
};
use serde_json::Value;

/// A value in the form in which it is written.
#[derive(Debug, Clone, PartialEq)]
pub enum Atom<'a> {
    /// There is none.
    Null,
    /// True or false.
    Flag(bool),
    /// A number.
    Int(i64),
    /// A number of 64 bits.
    Unsigned(u64),
    /// A text.
    Text(Cow<'a, str>),
    /// An object or a list.
    Json(Value),
}

/// A value that can be written and read again without loss.
pub(super) trait Field: Sized {
    fn atom(&self) -> Atom<'_>;

    /// From what JSON has.
    fn of_json(value: Value) -> Result<Self, String>;

    /// From a cell that [`Atom::cell`] wrote.
    fn of_cell(cell: &str) -> Result<Self, String>;

    /// As a cell of a CSV file.
    fn cell(&self) -> String {
        self.atom().cell().into_owned()
    }

    /// From nothing at all; none where there must be something.
    fn absent() -> Option<Self> {
        None
    }
}

impl Atom<'_> {
    /// Adds it to a line of JSON.
    pub(super) fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Flag(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
            Self::Int(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Self::Unsigned(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Self::Text(text) => {
                serde_json::to_writer(out, text).expect("a list of bytes takes everything");
            }
            Self::Json(value) => serde_json::to_writer(out, value).expect("a list of bytes takes everything"),
        }
    }

    /// As a cell. Nothing is an empty one.
    pub(super) fn cell(&self) -> Cow<'_, str> {
        match self {
            Self::Null => Cow::Borrowed(""),
            Self::Flag(flag) => Cow::Borrowed(if *flag { "true" } else { "false" }),
            Self::Int(number) => Cow::Owned(number.to_string()),
            Self::Unsigned(number) => Cow::Owned(number.to_string()),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Json(value) => Cow::Owned(value.to_string()),
        }
    }
}

fn odd(expected: &str, found: &Value) -> String {
    let found = match found {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "another number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    format!("must be {expected}, but is {found}")
}

/// In a cell an optional value that is empty, or begins as a JSON text does, is written as one: an empty cell is no value.
impl<T: Field> Field for Option<T> {
    fn atom(&self) -> Atom<'_> {
        self.as_ref().map_or(Atom::Null, Field::atom)
    }

    fn of_json(value: Value) -> Result<Self, String> {
        T::of_json(value).map(Some)
    }

    fn cell(&self) -> String {
        let cell = self.as_ref().map(Field::cell);
        match cell {
            None => String::new(),
            Some(cell) if cell.is_empty() || cell.starts_with('"') => Value::String(cell).to_string(),
            Some(cell) => cell,
        }
    }

    fn of_cell(cell: &str) -> Result<Self, String> {
        match cell.as_bytes().first() {
            None => Ok(None),
            Some(b'"') => {
                let text: String = serde_json::from_str(cell).map_err(|error| error.to_string())?;
                T::of_cell(&text).map(Some)
            }
            Some(_) => T::of_cell(cell).map(Some),
        }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl Field for bool {
    fn atom(&self) -> Atom<'_> {
        Atom::Flag(*self)
    }

    fn of_json(value: Value) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| odd("true or false", &value))
    }

    fn of_cell(cell: &str) -> Result<Self, String> {
        match cell {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(format!("must be true or false, but is `{other}`")),
        }
    }
}

macro_rules! numbers {
    ($($type:ty)+) => { $(impl Field for $type {
        fn atom(&self) -> Atom<'_> {
            Atom::Unsigned(u64::from(*self))
        }

        fn of_json(value: Value) -> Result<Self, String> {
            let number = value.as_u64().and_then(|number| number.try_into().ok());
            number.ok_or_else(|| odd("a number from 0", &value))
        }

        fn of_cell(cell: &str) -> Result<Self, String> {
            cell.parse().map_err(|_| format!("must be a number from 0, but is `{cell}`"))
        }
    })+ };
}

numbers!(u8 u16 u32 u64);

impl Field for i64 {
    fn atom(&self) -> Atom<'_> {
        Atom::Int(*self)
    }

    fn of_json(value: Value) -> Result<Self, String> {
        value.as_i64().ok_or_else(|| odd("a number", &value))
    }

    fn of_cell(cell: &str) -> Result<Self, String> {
        cell.parse().map_err(|_| format!("must be a number, but is `{cell}`"))
    }
}

/// What is a number inside, within bounds.
macro_rules! wrapped_numbers {
    ($($type:ty: $inner:ty, $get:expr, $new:expr;)+) => { $(impl Field for $type {
        fn atom(&self) -> Atom<'_> {
            let get: fn(&Self) -> $inner = $get;
            Atom::Unsigned(get(self).into())
        }

        fn of_json(value: Value) -> Result<Self, String> {
            let new: fn($inner) -> Option<Self> = $new;
            new(<$inner>::of_json(value)?).ok_or_else(|| "is beyond what there can be".to_owned())
        }

        fn of_cell(cell: &str) -> Result<Self, String> {
            let new: fn($inner) -> Option<Self> = $new;
            new(<$inner>::of_cell(cell)?).ok_or_else(|| "is beyond what there can be".to_owned())
        }
    })+ };
}

wrapped_numbers! {
    RowIndex: u64, |row| row.get(), RowIndex::new;
    Step: u16, |step| step.get(), Step::new;
    EdgeNo: u16, |edge| edge.0, |number| Some(EdgeNo(number));
    EpochNo: u64, |epoch| epoch.0, |number| Some(EpochNo(number));
}

/// What has a text for each value.
macro_rules! texts {
    ($($type:ty: $write:expr, $read:expr;)+) => { $(impl Field for $type {
        fn atom(&self) -> Atom<'_> {
            let write: fn(&Self) -> Cow<'_, str> = $write;
            Atom::Text(write(self))
        }

        fn of_json(value: Value) -> Result<Self, String> {
            match value {
                Value::String(text) => Self::of_cell(&text),
                other => Err(odd("a text", &other)),
            }
        }

        fn of_cell(cell: &str) -> Result<Self, String> {
            let read: fn(&str) -> Result<Self, String> = $read;
            read(cell)
        }
    })+ };
}

macro_rules! enums {
    ($($type:ty)+) => { texts! { $($type: |value| Cow::Borrowed(value.as_str()), parsed;)+ } };
}

fn parsed<T: std::str::FromStr>(text: &str) -> Result<T, String>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| error.to_string())
}

enums! {
    RunStatus NodeType NodeStateStatus EdgeMode Outcome CallType CallStatus OperationKind OperationStatus
    Determinism BatchStatus TriggerType Grade ExportStatus PurgeStatus
}

texts! {
    String: |text| Cow::Borrowed(text), |text| Ok(text.to_owned());
    NodeId: |id| Cow::Borrowed(&id.0), |text| Ok(NodeId(text.to_owned()));
    RunId: |id| Cow::Owned(id.to_string()), capital_id;
    ContentHash: |hash| Cow::Owned(hash.to_string()), parsed;
    HashVersion: |version| Cow::Borrowed(version.name()),
        |text| HashVersion::from_name(text).ok_or_else(|| format!("unknown hash version `{text}`"));
    TokenKey: |token| Cow::Owned(token_text(*token)), token_of;
    Bytes: |bytes| Cow::Owned(BASE64.encode(&bytes.0)),
        |text| BASE64.decode(text).map(Bytes).map_err(|error| format!("is no base64: {error}"));
}

/// A run's id in the only form in which it is found.
fn capital_id(text: &str) -> Result<RunId, String> {
    let id: RunId = parsed(text)?;
    if id.to_string() == text { Ok(id) } else { Err(format!("`{text}` is not in capital letters")) }
}

/// Bytes, written as base64.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bytes(pub Vec<u8>);

/// The name that a token has in exports: `<row>.<ordinal>`, of what a release made `r<number>.<ordinal>`.
#[must_use]
pub fn token_text(token: TokenKey) -> String {
    match token.origin() {
        TokenOrigin::Row(row) => format!("{}.{}", row.get(), token.ordinal()),
        TokenOrigin::Batch(number) => format!("r{number}.{}", token.ordinal()),
    }
}

fn token_of(text: &str) -> Result<TokenKey, String> {
    let token = || {
        let (origin, ordinal) = text.split_once('.')?;
        let ordinal = ordinal.parse().ok()?;
        match origin.strip_prefix('r') {
            Some(number) => TokenKey::of_batch(number.parse().ok()?, ordinal),
            None => TokenKey::of_row(RowIndex::new(origin.parse().ok()?)?, ordinal),
        }
    };
    let token = token().filter(|token| token_text(*token) == text);
    token.ok_or_else(|| format!("`{text}` is no token, such as `3.0` or `r2.1`"))
}

/// RFC 3339 with microseconds; a number of microseconds where no calendar has the moment.
impl Field for Micros {
    fn atom(&self) -> Atom<'_> {
        let text = self.rfc3339();
        match text.parse::<Self>() {
            Ok(same) if same == *self => Atom::Text(Cow::Owned(text)),
            Ok(_) | Err(_) => Atom::Int(self.0),
        }
    }

    fn of_json(value: Value) -> Result<Self, String> {
        match value {
            Value::String(text) => parsed(&text),
            other => i64::of_json(other).map(Self),
        }
    }

    fn of_cell(cell: &str) -> Result<Self, String> {
        match cell.parse() {
            Ok(number) => Ok(Self(number)),
            Err(_) => parsed(cell),
        }
    }
}

impl Field for ErrorReason {
    fn atom(&self) -> Atom<'_> {
        Atom::Json(serde_json::to_value(self).expect("a reason is JSON"))
    }

    fn of_json(value: Value) -> Result<Self, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    fn of_cell(cell: &str) -> Result<Self, String> {
        serde_json::from_str(cell).map_err(|error| error.to_string())
    }
}

impl Field for Vec<TokenKey> {
    fn atom(&self) -> Atom<'_> {
        Atom::Json(self.iter().map(|token| Value::String(token_text(*token))).collect())
    }

    fn of_json(value: Value) -> Result<Self, String> {
        match value {
            Value::Array(tokens) => tokens.into_iter().map(TokenKey::of_json).collect(),
            other => Err(odd("a list", &other)),
        }
    }

    fn of_cell(cell: &str) -> Result<Self, String> {
        Self::of_json(serde_json::from_str(cell).map_err(|error| error.to_string())?)
    }
}
