//! Values while an expression is evaluated: borrowed from the row or the expression wherever that is possible.
//!
//! Key types: [`Ev`] and its containers [`Items`] and [`Entries`]. Invariant: a `Float` is finite. Tuples and sets exist
//! only here; [`Ev::into_value`] turns them into lists. Knows nothing of syntax.

use std::borrow::Cow;

use compact_str::CompactString;
use elspeth_value::{Map, Row, Value};
use rust_decimal::Decimal;
use time::{Date, OffsetDateTime};

use crate::budget::{Budget, ITEM_BYTES};
use crate::fault::Fault;
use crate::ops;

/// A value during evaluation.
#[derive(Debug, Clone)]
pub(crate) enum Ev<'a> {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Decimal(Decimal),
    Date(Date),
    DateTime(OffsetDateTime),
    Str(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    Seq(SeqKind, Items<'a>),
    Dict(Entries<'a>),
}

/// Which of Python's collections a sequence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SeqKind {
    List,
    Tuple,
    Set,
}

/// The items of a sequence.
#[derive(Debug, Clone)]
pub(crate) enum Items<'a> {
    Owned(Vec<Ev<'a>>),
    Lent(&'a [Ev<'a>]),
    Values(&'a [Value]),
}

/// One key and its value.
pub(crate) type Pair<'a> = (Ev<'a>, Ev<'a>);

/// The entries of a dict.
#[derive(Debug, Clone)]
pub(crate) enum Entries<'a> {
    Owned(Vec<Pair<'a>>),
    Lent(&'a [Pair<'a>]),
    Map(&'a Map),
    Row(&'a Row),
}

impl SeqKind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Tuple => "tuple",
            Self::Set => "set",
        }
    }
}

impl<'a> Items<'a> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Owned(items) => items.len(),
            Self::Lent(items) => items.len(),
            Self::Values(values) => values.len(),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Ev<'_>> {
        (0..self.len()).map(|index| match self {
            Self::Owned(items) => items[index].lend(),
            Self::Lent(items) => items[index].lend(),
            Self::Values(values) => Ev::of(&values[index]),
        })
    }

    /// Whether one of the items is equal to `value`.
    pub(crate) fn hold(&self, value: &Ev<'_>) -> bool {
        match self {
            Self::Owned(items) => items.iter().any(|item| ops::equal(item, value)),
            Self::Lent(items) => items.iter().any(|item| ops::equal(item, value)),
            Self::Values(values) => values.iter().any(|item| ops::equal(&Ev::of(item), value)),
        }
    }

    /// The item at `index`, which is within the length.
    pub(crate) fn take(self, index: usize) -> Ev<'a> {
        match self {
            Self::Owned(mut items) => items.swap_remove(index),
            Self::Lent(items) => items[index].lend(),
            Self::Values(values) => Ev::of(&values[index]),
        }
    }

    pub(crate) fn into_vec(self) -> Vec<Ev<'a>> {
        match self {
            Self::Owned(items) => items,
            Self::Lent(items) => items.iter().map(Ev::lend).collect(),
            Self::Values(values) => values.iter().map(Ev::of).collect(),
        }
    }

    fn lend(&self) -> Items<'_> {
        match self {
            Self::Owned(items) => Items::Lent(items),
            Self::Lent(items) => Items::Lent(items),
            Self::Values(values) => Items::Values(values),
        }
    }
}

impl<'a> Entries<'a> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Owned(pairs) => pairs.len(),
            Self::Lent(pairs) => pairs.len(),
            Self::Map(map) => map.len(),
            Self::Row(row) => row.values().len(),
        }
    }

    /// Keys and values in order.
    pub(crate) fn pairs(&self) -> Vec<Pair<'_>> {
        match self {
            Self::Owned(pairs) => pairs.iter().map(lend_pair).collect(),
            Self::Lent(pairs) => pairs.iter().map(lend_pair).collect(),
            Self::Map(map) => map.iter().map(|(key, value)| (Ev::text(key), Ev::of(value))).collect(),
            Self::Row(row) => {
                let names = row.shape().names().iter().map(|name| Ev::text(name));
                names.zip(row.values().iter().map(Ev::of)).collect()
            }
        }
    }

    /// The value of `key`, which is hashable.
    pub(crate) fn find(&self, key: &Ev<'_>) -> Option<Ev<'_>> {
        self.lend().take(key)
    }

    /// The value of `key`, which is hashable.
    pub(crate) fn take(self, key: &Ev<'_>) -> Option<Ev<'a>> {
        match self {
            Self::Owned(pairs) => pairs.into_iter().find(|(k, _)| ops::equal(k, key)).map(|(_, value)| value),
            Self::Lent(pairs) => {
                pairs.iter().find(|(k, _)| ops::equal(k, key)).map(|(_, value)| value.lend())
            }
            Self::Map(map) => key.as_str().and_then(|key| map.get(key)).map(Ev::of),
            Self::Row(row) => key.as_str().and_then(|key| row.get(key)).map(Ev::of),
        }
    }

    fn lend(&self) -> Entries<'_> {
        match self {
            Self::Owned(pairs) => Entries::Lent(pairs),
            Self::Lent(pairs) => Entries::Lent(pairs),
            Self::Map(map) => Entries::Map(map),
            Self::Row(row) => Entries::Row(row),
        }
    }
}

fn lend_pair<'b>((key, value): &'b Pair<'_>) -> Pair<'b> {
    (key.lend(), value.lend())
}

impl<'a> Ev<'a> {
    /// A view of a pipeline value.
    #[inline]
    pub(crate) fn of(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::None,
            Value::Bool(value) => Self::Bool(*value),
            Value::Int(value) => Self::Int(*value),
            Value::Float(value) => Self::Float(*value),
            Value::Str(value) => Self::text(value),
            Value::Decimal(value) => Self::Decimal(*value),
            Value::Date(value) => Self::Date(*value),
            Value::DateTime(value) => Self::DateTime(*value),
            Value::Bytes(value) => Self::Bytes(Cow::Borrowed(value)),
            Value::List(values) => Self::Seq(SeqKind::List, Items::Values(values)),
            Value::Map(map) => Self::Dict(Entries::Map(map)),
        }
    }

    /// Borrowed text.
    pub(crate) const fn text(text: &'a str) -> Self {
        Self::Str(Cow::Borrowed(text))
    }

    /// A view of this value; copies nothing.
    pub(crate) fn lend(&self) -> Ev<'_> {
        match self {
            Self::None => Ev::None,
            Self::Bool(value) => Ev::Bool(*value),
            Self::Int(value) => Ev::Int(*value),
            Self::Float(value) => Ev::Float(*value),
            Self::Decimal(value) => Ev::Decimal(*value),
            Self::Date(value) => Ev::Date(*value),
            Self::DateTime(value) => Ev::DateTime(*value),
            Self::Str(value) => Ev::text(value),
            Self::Bytes(value) => Ev::Bytes(Cow::Borrowed(value)),
            Self::Seq(kind, items) => Ev::Seq(*kind, items.lend()),
            Self::Dict(entries) => Ev::Dict(entries.lend()),
        }
    }

    /// The same value without borrows.
    pub(crate) fn into_owned(self) -> Ev<'static> {
        match self {
            Self::None => Ev::None,
            Self::Bool(value) => Ev::Bool(value),
            Self::Int(value) => Ev::Int(value),
            Self::Float(value) => Ev::Float(value),
            Self::Decimal(value) => Ev::Decimal(value),
            Self::Date(value) => Ev::Date(value),
            Self::DateTime(value) => Ev::DateTime(value),
            Self::Str(value) => Ev::Str(Cow::Owned(value.into_owned())),
            Self::Bytes(value) => Ev::Bytes(Cow::Owned(value.into_owned())),
            Self::Seq(kind, items) => {
                Ev::Seq(kind, Items::Owned(items.into_vec().into_iter().map(Ev::into_owned).collect()))
            }
            Self::Dict(entries) => {
                let pairs =
                    entries.pairs().into_iter().map(|(key, value)| (key.into_owned(), value.into_owned()));
                Ev::Dict(Entries::Owned(pairs.collect()))
            }
        }
    }

    /// The result of an expression. What has to be copied out of the row into a new list or dict is charged.
    pub(crate) fn into_value(self, budget: &Budget) -> Result<Value, Fault> {
        Ok(match self {
            Self::None => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Int(value) => Value::Int(value),
            Self::Float(value) => Value::Float(value),
            Self::Decimal(value) => Value::Decimal(value),
            Self::Date(value) => Value::Date(value),
            Self::DateTime(value) => Value::DateTime(value),
            Self::Str(value) => Value::Str(CompactString::from(value)),
            Self::Bytes(value) => Value::Bytes(value.into()),
            Self::Seq(_, Items::Values(values)) => Value::List(values.to_vec()),
            Self::Seq(_, items) => {
                let items = items.into_vec().into_iter().map(|item| item.into_part(budget));
                Value::List(items.collect::<Result<_, _>>()?)
            }
            Self::Dict(Entries::Map(map)) => Value::Map(map.clone()),
            Self::Dict(entries) => Value::Map(dict_into_map(&entries, budget)?),
        })
    }

    fn into_part(self, budget: &Budget) -> Result<Value, Fault> {
        budget.charge(self.weight())?;
        self.into_value(budget)
    }

    /// About how many bytes a copy of this value takes.
    pub(crate) fn weight(&self) -> usize {
        let inside = match self {
            Self::None | Self::Bool(_) | Self::Int(_) | Self::Float(_) => 0,
            Self::Decimal(_) | Self::Date(_) | Self::DateTime(_) => 0,
            Self::Str(value) => value.len(),
            Self::Bytes(value) => value.len(),
            Self::Seq(_, items) => items.iter().map(|item| item.weight()).sum(),
            Self::Dict(entries) => {
                entries.pairs().iter().map(|(key, value)| key.weight() + value.weight()).sum()
            }
        };
        ITEM_BYTES + inside
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(value) => Some(value),
            Self::None
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Float(_)
            | Self::Decimal(_)
            | Self::Date(_)
            | Self::DateTime(_)
            | Self::Bytes(_)
            | Self::Seq(..)
            | Self::Dict(_) => None,
        }
    }

    /// A whole number that may stand where Python wants an index or a count.
    pub(crate) fn as_index(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            Self::Bool(value) => Some(i64::from(*value)),
            Self::None
            | Self::Float(_)
            | Self::Decimal(_)
            | Self::Date(_)
            | Self::DateTime(_)
            | Self::Str(_)
            | Self::Bytes(_)
            | Self::Seq(..)
            | Self::Dict(_) => None,
        }
    }

    /// Python's truth.
    pub(crate) fn truth(&self) -> bool {
        match self {
            Self::None => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Decimal(value) => !value.is_zero(),
            Self::Date(_) | Self::DateTime(_) => true,
            Self::Str(value) => !value.is_empty(),
            Self::Bytes(value) => !value.is_empty(),
            Self::Seq(_, items) => items.len() != 0,
            Self::Dict(entries) => entries.len() != 0,
        }
    }

    /// The type's name as users know it.
    pub(crate) const fn type_name(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Decimal(_) => "decimal",
            Self::Date(_) => "date",
            Self::DateTime(_) => "datetime",
            Self::Str(_) => "str",
            Self::Bytes(_) => "bytes",
            Self::Seq(kind, _) => kind.name(),
            Self::Dict(_) => "dict",
        }
    }
}

fn dict_into_map(entries: &Entries<'_>, budget: &Budget) -> Result<Map, Fault> {
    let mut map = Vec::with_capacity(entries.len());
    for (key, value) in entries.pairs() {
        let Some(name) = key.as_str() else {
            return Err(Fault::new(format!(
                "a dict that is a result has str keys only, this one has a key of type {}",
                key.type_name()
            )));
        };
        budget.charge(ITEM_BYTES + name.len())?;
        map.push((CompactString::from(name), value.into_part(budget)?));
    }
    Ok(map.into_iter().collect())
}
