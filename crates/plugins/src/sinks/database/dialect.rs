//! What the two databases say differently: types, names, limits.

use elspeth_contracts::RunId;
use elspeth_value::{FieldType, Value};

use super::column::{Kind, Typed};

/// A kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

/// The longest name that PostgreSQL keeps, in bytes.
const LONGEST_NAME: usize = 63;

impl Dialect {
    /// The type of a column for a field of that type.
    pub(super) fn declared(self, ty: FieldType) -> (&'static str, Kind) {
        match self {
            Self::Sqlite => match ty {
                FieldType::Int => ("INTEGER", Kind::Integer),
                FieldType::Float => ("REAL", Kind::Real),
                FieldType::Bool => ("BOOLEAN", Kind::Truth),
                FieldType::Str | FieldType::Datetime | FieldType::Date | FieldType::Decimal => {
                    ("TEXT", Kind::Text)
                }
                FieldType::Any => ("", Kind::Any),
            },
            // In the server's own spelling, so that a column is told the same before and after it was looked at.
            Self::Postgres => match ty {
                FieldType::Int => ("bigint", Kind::Integer),
                FieldType::Float => ("double precision", Kind::Real),
                FieldType::Bool => ("boolean", Kind::Typed(Typed::Boolean)),
                FieldType::Str => ("text", Kind::Text),
                FieldType::Datetime => ("timestamp with time zone", Kind::Typed(Typed::Timestamp)),
                FieldType::Date => ("date", Kind::Typed(Typed::Date)),
                FieldType::Decimal => ("numeric", Kind::Typed(Typed::Numeric(None))),
                FieldType::Any => ("jsonb", Kind::Typed(Typed::Json)),
            },
        }
    }

    /// The type of a column for a field of which the first value is known and nothing else.
    pub(super) fn learnt(self, first: &Value) -> (&'static str, Kind) {
        let ty = match (self, first) {
            (Self::Sqlite, Value::Null | Value::Bytes(_)) => FieldType::Any,
            (Self::Sqlite, Value::List(_) | Value::Map(_)) => FieldType::Str,
            (Self::Postgres, Value::Bytes(_)) => return ("bytea", Kind::Typed(Typed::Bytes)),
            (Self::Postgres, Value::List(_) | Value::Map(_)) => FieldType::Any,
            // Text is what any later value can be.
            (Self::Postgres, Value::Null) | (_, Value::Str(_)) => FieldType::Str,
            (_, Value::Bool(_)) => FieldType::Bool,
            (_, Value::Int(_)) => FieldType::Int,
            (_, Value::Float(_)) => FieldType::Float,
            (_, Value::Decimal(_)) => FieldType::Decimal,
            (_, Value::Date(_)) => FieldType::Date,
            (_, Value::DateTime(_)) => FieldType::Datetime,
        };
        self.declared(ty)
    }

    /// The most columns that a table may have.
    pub(super) fn most_columns(self) -> usize {
        match self {
            Self::Sqlite => 2000,
            Self::Postgres => 1600,
        }
    }

    /// Why a name cannot be one in the database, if it cannot.
    pub(super) fn unusable(self, name: &str) -> Option<&'static str> {
        if name.is_empty() {
            Some("is empty")
        } else if name.contains('\0') {
            Some("has a zero byte in it")
        } else if self == Self::Postgres && name.len() > LONGEST_NAME {
            Some("has more than the 63 bytes that PostgreSQL keeps")
        } else {
            None
        }
    }

    /// The table that a run fills in place of another, until it takes its name.
    pub(super) fn beside(self, table: &str, run: RunId) -> String {
        let plain = format!("{table}__elspeth_{run}");
        if self.unusable(&plain).is_none() {
            return plain;
        }
        let end = (0..=LONGEST_NAME - 53).rev().find(|end| table.is_char_boundary(*end)).unwrap_or_default();
        let hash = elspeth_canonical::HashVersion::Blake3V1.hash(table.as_bytes()).to_string();
        format!("{}_{}__elspeth_{run}", &table[..end], &hash[..16])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_do_not_fit_are_cut_and_stay_different() {
        let run: RunId = "01JZ8Q4Z8N5X2V7K3M9T0B6C1D".parse().unwrap();
        let long = |end: &str| format!("{}{end}", "\u{20ac}".repeat(15));
        let names = ["a", &long("x"), &long("y")].map(|table| Dialect::Postgres.beside(table, run));
        assert!(names.iter().all(|name| Dialect::Postgres.unusable(name).is_none()), "{names:?}");
        assert_ne!(names[1], names[2]);
        assert_eq!(names[0], Dialect::Sqlite.beside("a", run));
        assert!(Dialect::Sqlite.beside(&long("x"), run).starts_with(&long("x")));
    }

    #[test]
    fn names_that_cannot_be_are_told() {
        assert_eq!(Dialect::Sqlite.unusable("a\0b"), Some("has a zero byte in it"));
        assert_eq!(Dialect::Sqlite.unusable(&"x".repeat(64)), None);
        assert!(Dialect::Postgres.unusable(&"x".repeat(64)).is_some());
        assert_eq!(Dialect::Postgres.unusable(&"x".repeat(63)), None);
    }
}
