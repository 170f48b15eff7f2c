//! Columns: which type each has, which values it takes, and how values are stored.
//!
//! A value is stored only where it stays what it is: a text never becomes a number, nor the reverse in a way that would lose
//! digits. What a column does not take is the row's refusal. SQLite converts some values by the *affinity* of the column's
//! declared type (<https://www.sqlite.org/datatype3.html>): one with numeric affinity (`DECIMAL`, `NUMERIC`, `DATE`, `JSON`, ...)
//! makes a number of each text that looks like one. PostgreSQL gets every value as text, with the type that it is cast to.

use elspeth_value::{FieldType, Value, write_python_float};
use rust_decimal::Decimal;
use sqlx::Arguments as _;
use sqlx::sqlite::SqliteArguments;

use super::super::json_text::{Layout, plain_text, write_value};
use super::dialect::Dialect;
use crate::sql_name::quoted;

/// Digits that a decimal keeps in the eight bytes of a float, whatever they are.
const DIGITS_OF_FLOATS: u32 = 15;

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    /// As it is declared; empty when it is not.
    pub(super) declared: String,
    /// The type to which PostgreSQL casts texts for it, without limits such as a length: those are the column's to check.
    pub(super) cast: String,
    pub(super) kind: Kind,
    pub(super) not_null: bool,
    pub(super) origin: Origin,
}

/// How a column gets its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// From rows alone.
    Row,
    /// From rows, or else from the database (a default, the row's own number).
    RowOrDatabase,
    /// From the database alone.
    Generated,
}

/// Columns by what values they take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Whole numbers and truth values.
    Integer,
    /// Truth values, as 0 and 1: SQLite alone.
    Truth,
    Real,
    /// A real of four bytes: PostgreSQL alone. Fractions are as near as they can be, whole numbers are themselves.
    Single,
    /// Everything, as text.
    Text,
    /// Everything as it is: SQLite alone.
    Any,
    /// Everything but texts that look like numbers, and decimals as far as floats hold them: SQLite alone.
    Numeric,
    /// One of those that only PostgreSQL has.
    Typed(Typed),
}

/// A type of PostgreSQL that is no number and no text of any length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Typed {
    Boolean,
    /// With so many digits behind the point, if they are limited.
    Numeric(Option<u32>),
    Date,
    Timestamp,
    /// Everything, as JSON.
    Json,
    Bytes,
    /// Everything, as text of at most so many characters.
    Limited(usize),
    /// What is written as text of a certain form: the server knows which.
    Spelled,
}

impl Column {
    /// A column for a field of that type in a table that is made.
    pub(super) fn declare(dialect: Dialect, name: &str, ty: FieldType, required: bool) -> Self {
        let (declared, kind) = dialect.declared(ty);
        let (name, declared) = (name.to_owned(), declared.to_owned());
        Self { name, cast: declared.clone(), declared, kind, not_null: required, origin: Origin::Row }
    }

    /// A column for a field of which the first value is known and nothing else.
    pub(super) fn learn(dialect: Dialect, name: &str, first: &Value) -> Self {
        let (declared, kind) = dialect.learnt(first);
        let (name, declared) = (name.to_owned(), declared.to_owned());
        Self { name, cast: declared.clone(), declared, kind, not_null: false, origin: Origin::Row }
    }

    /// Its part of `CREATE TABLE`.
    pub(super) fn definition(&self) -> String {
        let mut text = quoted(&self.name);
        if !self.declared.is_empty() {
            text.push(' ');
            text.push_str(&self.declared);
        }
        if self.not_null {
            text.push_str(" NOT NULL");
        }
        text
    }

    /// Whether values of that type fit. Of `any` nothing is known before they come.
    pub(super) fn takes(&self, ty: FieldType) -> bool {
        if ty == FieldType::Any {
            return true;
        }
        match &self.kind {
            Kind::Text | Kind::Any | Kind::Numeric | Kind::Typed(Typed::Json | Typed::Limited(_)) => true,
            Kind::Integer | Kind::Truth => matches!(ty, FieldType::Int | FieldType::Bool),
            Kind::Real | Kind::Single => matches!(ty, FieldType::Int | FieldType::Float),
            Kind::Typed(Typed::Boolean) => ty == FieldType::Bool,
            Kind::Typed(Typed::Numeric(_)) => {
                matches!(ty, FieldType::Int | FieldType::Float | FieldType::Decimal)
            }
            Kind::Typed(Typed::Date) => ty == FieldType::Date,
            Kind::Typed(Typed::Timestamp) => ty == FieldType::Datetime,
            Kind::Typed(Typed::Bytes) => false,
            Kind::Typed(Typed::Spelled) => ty == FieldType::Str,
        }
    }

    /// Why a value does not fit, if it does not.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn check(&self, value: &Value) -> Result<(), String> {
        if self.origin == Origin::Generated {
            return Err(format!("the column `{}` is generated by the database", self.name));
        }
        let (name, declared) = (&self.name, &self.declared);
        let but = |what: &str| Err(format!("the column `{name}` is {declared}, but the value {what}"));
        match (&self.kind, value) {
            (_, Value::Null) | (Kind::Text | Kind::Any | Kind::Typed(Typed::Json), _) => Ok(()),
            (Kind::Integer | Kind::Real, Value::Int(_))
            | (Kind::Integer | Kind::Truth, Value::Bool(_))
            | (Kind::Truth, Value::Int(0 | 1))
            | (Kind::Real, Value::Float(_)) => Ok(()),
            (Kind::Truth, Value::Int(_)) => but("is neither 0 nor 1"),
            (Kind::Single, Value::Int(number)) if is_single(*number as f64) => Ok(()),
            (Kind::Single, Value::Float(number)) if number.fract() != 0.0 || is_single(*number) => Ok(()),
            (Kind::Single, Value::Int(_) | Value::Float(_)) => but("has more digits than it keeps"),
            (Kind::Integer, Value::Float(number)) if number.fract() == 0.0 => Ok(()),
            (Kind::Integer, Value::Float(_)) => but("has a fraction"),
            (Kind::Numeric, Value::Str(text)) if looks_like_a_number(text) => {
                but("is a text that SQLite would make a number of (give the column the type TEXT)")
            }
            (Kind::Numeric, Value::Decimal(number)) if as_number(*number).is_none() => {
                but("has more digits than SQLite would keep (give the column the type TEXT)")
            }
            (Kind::Numeric, _) => Ok(()),
            (Kind::Typed(typed), value) => match typed.loses(value) {
                None => Ok(()),
                Some(Loss::Type) => but(&format!("is {}", value.type_name())),
                Some(Loss::Digits) => but("has more digits behind the point"),
                Some(Loss::Blanks) => but("has blanks at its end that would be cut"),
            },
            (Kind::Integer | Kind::Truth | Kind::Real | Kind::Single, other) => {
                but(&format!("is {}", other.type_name()))
            }
        }
    }

    /// Binds a value that fits, for SQLite.
    pub(super) fn bind(&self, value: &Value, arguments: &mut SqliteArguments) {
        let as_text = self.kind == Kind::Text;
        let bound = match value {
            Value::Null => arguments.add(None::<i64>),
            Value::Bool(b) if as_text => arguments.add(truth_text(*b)),
            Value::Bool(b) => arguments.add(i64::from(*b)),
            Value::Int(n) if as_text => arguments.add(n.to_string()),
            Value::Int(n) => arguments.add(*n),
            Value::Float(n) if as_text => arguments.add(float_text(*n)),
            Value::Float(n) => arguments.add(*n),
            Value::Str(text) => arguments.add(text.as_str()),
            Value::Decimal(number) if self.kind == Kind::Numeric => {
                match as_number(*number).expect("decimals that do not fit were refused") {
                    Number::Whole(whole) => arguments.add(whole),
                    Number::Fractional(number) => arguments.add(number),
                }
            }
            Value::Decimal(_) | Value::Date(_) | Value::DateTime(_) => arguments.add(plain_text(value)),
            Value::Bytes(bytes) => arguments.add(&bytes[..]),
            Value::List(_) | Value::Map(_) => arguments.add(json_text(value)),
        };
        bound.expect("numbers, texts and bytes always encode");
    }

    /// A value that fits, as PostgreSQL reads it. Of a `NULL` there is no text.
    pub(super) fn text(&self, value: &Value) -> Option<String> {
        let as_json = self.kind == Kind::Typed(Typed::Json);
        let as_text = matches!(self.kind, Kind::Text | Kind::Typed(Typed::Limited(_)));
        Some(match value {
            Value::Null => return None,
            value if as_json => json_text(value),
            Value::Bool(b) if self.kind == Kind::Integer => i64::from(*b).to_string(),
            Value::Bool(b) if as_text => truth_text(*b).to_owned(),
            Value::Bool(b) => b.to_string(),
            Value::Int(n) => n.to_string(),
            Value::Float(n) if self.kind == Kind::Integer => format!("{n:.0}"),
            Value::Float(n) => float_text(*n),
            Value::Str(text) => text.to_string(),
            Value::Decimal(_) | Value::Date(_) | Value::DateTime(_) => plain_text(value),
            Value::Bytes(bytes) => hexadecimal(bytes),
            Value::List(_) | Value::Map(_) => json_text(value),
        })
    }
}

/// Why a value would not stay what it is.
enum Loss {
    Type,
    Digits,
    Blanks,
}

impl Typed {
    fn loses(&self, value: &Value) -> Option<Loss> {
        let exact = |fits: bool| if fits { None } else { Some(Loss::Digits) };
        match (self, value) {
            (Self::Json, _)
            | (Self::Boolean, Value::Bool(_))
            | (Self::Numeric(_), Value::Int(_))
            | (Self::Date, Value::Date(_))
            | (Self::Bytes, Value::Bytes(_))
            | (Self::Spelled, Value::Str(_)) => None,
            // The server refuses a text that is too long, but cuts it where it has only blanks too many.
            (Self::Limited(most), Value::Str(text)) => {
                let end = text.char_indices().nth(*most).map(|(end, _)| &text[end..]);
                end.filter(|end| end.bytes().all(|byte| byte == b' ')).map(|_| Loss::Blanks)
            }
            // No other value has a text with blanks at its end.
            (Self::Limited(_), _) => None,
            // The server keeps microseconds.
            (Self::Timestamp, Value::DateTime(at)) => exact(at.nanosecond().is_multiple_of(1000)),
            (Self::Numeric(scale), Value::Decimal(number)) => exact(keeps(*scale, *number)),
            (Self::Numeric(None), Value::Float(_)) => None,
            (Self::Numeric(scale), Value::Float(number)) => {
                let text = float_text(*number);
                let number = text.parse().or_else(|_| Decimal::from_scientific(&text));
                exact(number.is_ok_and(|number| keeps(*scale, number)))
            }
            (
                Self::Boolean | Self::Numeric(_) | Self::Date | Self::Timestamp | Self::Bytes | Self::Spelled,
                _,
            ) => Some(Loss::Type),
        }
    }
}

fn keeps(scale: Option<u32>, number: Decimal) -> bool {
    scale.is_none_or(|scale| number.normalize().scale() <= scale)
}

/// By SQLite's rules for declared types. Truth values are ours: by those rules `BOOLEAN` would be numeric.
pub(super) fn affinity(declared: &str) -> Kind {
    let declared = declared.to_ascii_uppercase();
    let has = |parts: &[&str]| parts.iter().any(|part| declared.contains(part));
    if has(&["INT"]) {
        Kind::Integer
    } else if has(&["BOOL"]) {
        Kind::Truth
    } else if has(&["CHAR", "CLOB", "TEXT"]) {
        Kind::Text
    } else if declared.trim().is_empty() || has(&["BLOB"]) {
        Kind::Any
    } else if has(&["REAL", "FLOA", "DOUB"]) {
        Kind::Real
    } else {
        Kind::Numeric
    }
}

/// Whether SQLite makes a number of a text in a column of numeric affinity: blanks, a sign, digits with or without a point, an
/// exponent, blanks.
fn looks_like_a_number(text: &str) -> bool {
    let blank = |c: char| matches!(c, ' ' | '\t'..='\r');
    let text = text.trim_matches(blank);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = unsigned(mantissa).split_once('.').unwrap_or((unsigned(mantissa), ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    digits(whole)
        && digits(fraction)
        && whole.len() + fraction.len() > 0
        && exponent.is_none_or(|exponent| !unsigned(exponent).is_empty() && digits(unsigned(exponent)))
}

fn unsigned(number: &str) -> &str {
    number.strip_prefix(['+', '-']).unwrap_or(number)
}

/// A decimal as SQLite stores numbers.
enum Number {
    Whole(i64),
    Fractional(f64),
}

/// The number of a decimal, if it reads back as the same one.
fn as_number(decimal: Decimal) -> Option<Number> {
    let decimal = decimal.normalize();
    if decimal.scale() == 0 {
        return i64::try_from(decimal.mantissa()).ok().map(Number::Whole);
    }
    let fits = decimal.mantissa().unsigned_abs() < 10_u128.pow(DIGITS_OF_FLOATS);
    let number = decimal.to_string().parse().expect("digits with a point are a number");
    fits.then_some(Number::Fractional(number))
}

/// Whether four bytes hold a whole number. Beyond what eight hold of them all, it is as near as any number gets.
fn is_single(number: f64) -> bool {
    const ALL: f64 = 9_007_199_254_740_992.0;
    number.abs() > ALL || f64::from(number as f32) == number
}

/// As in csv files.
fn truth_text(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(2 + bytes.len() * 2);
    text.push_str("\\x");
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a String takes all text");
    }
    text
}

fn float_text(number: f64) -> String {
    let mut text = Vec::new();
    write_python_float(&mut text, number);
    String::from_utf8(text).expect("numbers are written in ASCII")
}

fn json_text(value: &Value) -> String {
    let mut text = Vec::new();
    write_value(&mut text, value, Layout::Compact);
    String::from_utf8(text).expect("JSON is text")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(declared: &str) -> Column {
        let any = Column::declare(Dialect::Sqlite, "c", FieldType::Any, false);
        Column { declared: declared.to_owned(), kind: affinity(declared), ..any }
    }

    #[test]
    fn columns_take_what_stays_what_it_is() {
        let (int, half, word) = (Value::Int(1), Value::Float(0.5), Value::Str("007".into()));
        let cases = [
            ("INTEGER", [true, false, false]),
            ("bigint", [true, false, false]),
            ("BOOLEAN", [true, false, false]),
            ("REAL", [true, true, false]),
            ("double precision", [true, true, false]),
            ("VARCHAR(20)", [true, true, true]),
            ("DECIMAL(10, 2)", [true, true, false]),
            ("timestamp", [true, true, false]),
            ("BLOB", [true, true, true]),
            ("", [true, true, true]),
        ];
        for (declared, expected) in cases {
            let takes = [&int, &half, &word].map(|value| column(declared).check(value).is_ok());
            assert_eq!(takes, expected, "{declared}");
            assert_eq!(column(declared).check(&Value::Null), Ok(()), "{declared}");
        }
        assert_eq!(column("INT").check(&Value::Float(2.0)), Ok(()));
    }

    #[test]
    fn a_truth_value_is_no_other_number() {
        let column = column("BOOLEAN");
        for value in [Value::Bool(true), Value::Bool(false), Value::Int(0), Value::Int(1)] {
            assert_eq!(column.check(&value), Ok(()), "{value:?}");
        }
        for (value, why) in [
            (Value::Int(2), "is neither 0 nor 1"),
            (Value::Int(-1), "is neither 0 nor 1"),
            (Value::Float(1.0), "is float"),
        ] {
            let expected = format!("the column `c` is BOOLEAN, but the value {why}");
            assert_eq!(column.check(&value), Err(expected));
        }
    }

    #[test]
    fn what_a_server_would_round_is_refused() {
        let column = |typed| Column { kind: Kind::Typed(typed), ..column("t") };
        let decimal = |text: &str| Value::Decimal(text.parse().unwrap());
        let text = |text: &str| Value::Str(text.into());
        let cents = column(Typed::Numeric(Some(2)));
        for value in
            [decimal("1.20"), decimal("1.200"), Value::Int(7), Value::Float(0.25), Value::Float(1e16)]
        {
            assert_eq!(cents.check(&value), Ok(()), "{value:?}");
        }
        for value in [decimal("1.234"), Value::Float(0.125), Value::Float(1e-9)] {
            assert!(cents.check(&value).unwrap_err().contains("more digits"), "{value:?}");
            assert_eq!(column(Typed::Numeric(None)).check(&value), Ok(()));
        }
        assert!(cents.check(&Value::Str("1.20".into())).unwrap_err().ends_with("but the value is str"));
        let single = Column { kind: Kind::Single, ..column(Typed::Bytes) };
        for value in [
            Value::Int(16_777_216),
            Value::Int(-5),
            Value::Float(0.1),
            Value::Float(1.5e9),
            Value::Float(6.02e23),
        ] {
            assert_eq!(single.check(&value), Ok(()), "{value:?}");
        }
        for value in [Value::Int(16_777_217), Value::Int(-123_456_789), Value::Float(16_777_217.0)] {
            assert!(
                single.check(&value).unwrap_err().ends_with("has more digits than it keeps"),
                "{value:?}"
            );
        }
        let limited = column(Typed::Limited(3));
        for value in [text("ab "), text("abcd"), text("\u{e9}\u{e9} "), Value::Bool(true)] {
            assert_eq!(limited.check(&value), Ok(()), "{value:?}");
        }
        for value in [text("abc "), text("ab  "), text("    ")] {
            assert!(limited.check(&value).unwrap_err().ends_with("has blanks at its end that would be cut"));
        }
        assert_eq!(limited.text(&Value::Bool(true)).unwrap(), "True");
        assert_eq!(column(Typed::Bytes).text(&Value::Bytes(Box::from([0, 255]))).unwrap(), "\\x00ff");
        assert_eq!(column(Typed::Json).text(&Value::Str("x".into())).unwrap(), "\"x\"");
    }
}
