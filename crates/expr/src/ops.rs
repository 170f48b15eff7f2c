//! Operators on values: arithmetic, joining, order, equality, membership, access by key.
//!
//! Invariant: no operator builds more than its [`Budget`] allows. Knows nothing of places in the text.

use std::borrow::Cow;
use std::cmp::Ordering;

use elspeth_value::Value;

use crate::ast::{BinaryOp, CompareOp, UnaryOp};
use crate::budget::{Budget, ITEM_BYTES};
use crate::ev::{Entries, Ev, Items, SeqKind};
use crate::fault::Fault;
use crate::moment;
use crate::number::{self, Num};
use crate::suggest;
use crate::text::repr_of;

pub(crate) fn unary<'a>(op: UnaryOp, value: &Ev<'a>) -> Result<Ev<'a>, Fault> {
    let number = match op {
        UnaryOp::Not => return Ok(Ev::Bool(!value.truth())),
        UnaryOp::Minus | UnaryOp::Plus => Num::of(value),
    };
    match (number, op) {
        (Some(Num::Int(value)), UnaryOp::Minus) => number::int(value.checked_neg()),
        (Some(Num::Float(value)), UnaryOp::Minus) => Ok(Ev::Float(-value)),
        (Some(Num::Decimal(value)), UnaryOp::Minus) => Ok(Ev::Decimal(-value)),
        (Some(Num::Int(value)), UnaryOp::Plus | UnaryOp::Not) => Ok(Ev::Int(value)),
        (Some(Num::Float(value)), UnaryOp::Plus | UnaryOp::Not) => Ok(Ev::Float(value)),
        (Some(Num::Decimal(value)), UnaryOp::Plus | UnaryOp::Not) => Ok(Ev::Decimal(value)),
        (None, _) => Err(Fault::new(format!("`{}` needs a number, not {}", op.text(), value.type_name()))),
    }
}

pub(crate) fn binary<'a>(
    op: BinaryOp,
    left: Ev<'a>,
    right: Ev<'a>,
    budget: &Budget,
) -> Result<Ev<'a>, Fault> {
    if let (Some(left), Some(right)) = (Num::of(&left), Num::of(&right))
        && let Some(result) = number::arithmetic(op, left, right)
    {
        return result;
    }
    match (op, left, right) {
        (BinaryOp::Add, Ev::Str(left), Ev::Str(right)) => join_text(left, &right, budget),
        (BinaryOp::Add, Ev::Seq(kind, left), Ev::Seq(other, right))
            if kind == other && kind != SeqKind::Set =>
        {
            join_items(kind, left, right, budget)
        }
        (BinaryOp::Sub, Ev::Seq(SeqKind::Set, left), Ev::Seq(SeqKind::Set, right)) => {
            let left = left.into_vec().into_iter();
            let kept = left.filter(|item| !right.hold(item));
            Ok(Ev::Seq(SeqKind::Set, Items::Owned(kept.collect())))
        }
        (BinaryOp::Mul, left, right) => multiply(left, right, budget),
        (op, left, right) => Err(mismatch(op, &left, &right)),
    }
}

fn multiply<'a>(left: Ev<'a>, right: Ev<'a>, budget: &Budget) -> Result<Ev<'a>, Fault> {
    match (left.as_index(), right.as_index()) {
        (None, Some(count)) if is_repeatable(&left) => repeat(left, count, budget),
        (Some(count), None) if is_repeatable(&right) => repeat(right, count, budget),
        (Some(_) | None, Some(_) | None) => Err(mismatch(BinaryOp::Mul, &left, &right)),
    }
}

fn mismatch(op: BinaryOp, left: &Ev<'_>, right: &Ev<'_>) -> Fault {
    let (op, left, right) = (op, left.type_name(), right.type_name());
    let advice = arithmetic_advice(op, left, right);
    Fault::new(format!("`{}` does not work on {left} and {right}{advice}", op.text()))
}

/// What to write instead, where the types tell what was meant.
pub(crate) fn arithmetic_advice(op: BinaryOp, left: &str, right: &str) -> &'static str {
    match (op, left, right) {
        (BinaryOp::Mod, "str", _) => "; formatting of text is not available, join with `+` and str()",
        (BinaryOp::Add, "str", _) | (BinaryOp::Add, _, "str") => "; text joins with text, convert with str()",
        (_, "decimal", "float") | (_, "float", "decimal") => "; convert the decimal with float()",
        _ => "",
    }
}

fn is_repeatable(value: &Ev<'_>) -> bool {
    matches!(value, Ev::Str(_) | Ev::Seq(SeqKind::List | SeqKind::Tuple, _))
}

fn repeat<'a>(value: Ev<'a>, count: i64, budget: &Budget) -> Result<Ev<'a>, Fault> {
    let count = usize::try_from(count).unwrap_or(0);
    if count > 1 {
        let once = value.as_str().map_or_else(|| value.weight(), str::len);
        budget.charge(once.saturating_mul(count))?;
    }
    Ok(match value {
        Ev::Str(text) => Ev::Str(if count == 1 { text } else { Cow::Owned(text.repeat(count)) }),
        Ev::Seq(kind, items) => {
            let once = items.into_vec();
            let length = once.len() * count;
            Ev::Seq(kind, Items::Owned(once.into_iter().cycle().take(length).collect()))
        }
        Ev::None
        | Ev::Bool(_)
        | Ev::Int(_)
        | Ev::Float(_)
        | Ev::Decimal(_)
        | Ev::Date(_)
        | Ev::DateTime(_)
        | Ev::Bytes(_)
        | Ev::Dict(_) => unreachable!("only text and lists are repeated"),
    })
}

fn join_text<'a>(left: Cow<'a, str>, right: &str, budget: &Budget) -> Result<Ev<'a>, Fault> {
    budget.charge(left.len() + right.len())?;
    let mut joined = left.into_owned();
    joined.push_str(right);
    Ok(Ev::Str(Cow::Owned(joined)))
}

fn join_items<'a>(
    kind: SeqKind,
    left: Items<'a>,
    right: Items<'a>,
    budget: &Budget,
) -> Result<Ev<'a>, Fault> {
    budget.charge((left.len() + right.len()).saturating_mul(ITEM_BYTES))?;
    let mut joined = left.into_vec();
    joined.extend(right.into_vec());
    Ok(Ev::Seq(kind, Items::Owned(joined)))
}

/// `left op right`; for `is`, one of the two is `None`, as the parser has seen to.
pub(crate) fn compare(op: CompareOp, left: &Ev<'_>, right: &Ev<'_>) -> Result<bool, Fault> {
    match op {
        CompareOp::Eq => Ok(equal(left, right)),
        CompareOp::Ne => Ok(!equal(left, right)),
        CompareOp::Lt | CompareOp::Le | CompareOp::Gt | CompareOp::Ge => ordered(op, left, right),
        CompareOp::In => contains(right, left),
        CompareOp::NotIn => contains(right, left).map(|found| !found),
        CompareOp::Is => Ok(matches!((left, right), (Ev::None, Ev::None))),
        CompareOp::IsNot => Ok(!matches!((left, right), (Ev::None, Ev::None))),
    }
}

/// `left op right` for the pairs of types that need no thought; for all others `None`, and [`compare`] is to be asked.
#[inline]
pub(crate) fn compare_plain(op: CompareOp, left: &Value, right: &Ev<'_>) -> Option<bool> {
    let by_order = match op {
        CompareOp::Eq | CompareOp::Ne => false,
        CompareOp::Lt | CompareOp::Le | CompareOp::Gt | CompareOp::Ge => true,
        CompareOp::In | CompareOp::NotIn | CompareOp::Is | CompareOp::IsNot => return None,
    };
    match (left, right) {
        (Value::Int(left), Ev::Int(right)) => Some(holds(op, left.cmp(right))),
        (Value::Float(left), Ev::Float(right)) => left.partial_cmp(right).map(|ordering| holds(op, ordering)),
        (Value::Float(left), Ev::Int(right)) => {
            Some(holds(op, number::order(Num::Float(*left), Num::Int(*right))))
        }
        (Value::Str(left), Ev::Str(right)) if by_order => Some(holds(op, left.as_str().cmp(right))),
        (Value::Str(left), Ev::Str(right)) => Some((left.as_str() == right) == (op == CompareOp::Eq)),
        _ => None,
    }
}

/// `==`. Different types are unequal, except numbers with numbers, and dates with text that is written like one.
pub(crate) fn equal(left: &Ev<'_>, right: &Ev<'_>) -> bool {
    match (left, right) {
        (Ev::None, Ev::None) => true,
        (Ev::Str(left), Ev::Str(right)) => left == right,
        (Ev::Bytes(left), Ev::Bytes(right)) => left == right,
        (Ev::Seq(SeqKind::Set, left), Ev::Seq(SeqKind::Set, right)) => {
            left.len() == right.len() && is_subset(left, right)
        }
        (Ev::Seq(kind, left), Ev::Seq(other, right)) => {
            kind == other
                && left.len() == right.len()
                && left.iter().zip(right.iter()).all(|(l, r)| equal(&l, &r))
        }
        (Ev::Dict(left), Ev::Dict(right)) => equal_entries(left, right),
        (left, right) => scalar_order(left, right) == Some(Ordering::Equal),
    }
}

fn equal_entries(left: &Entries<'_>, right: &Entries<'_>) -> bool {
    left.len() == right.len()
        && left.pairs().iter().all(|(key, value)| right.find(key).is_some_and(|other| equal(value, &other)))
}

fn is_subset(left: &Items<'_>, right: &Items<'_>) -> bool {
    left.iter().all(|item| right.hold(&item))
}

/// The order of two values without parts, where there is one.
fn scalar_order(left: &Ev<'_>, right: &Ev<'_>) -> Option<Ordering> {
    match (left, right) {
        (Ev::Str(left), Ev::Str(right)) => Some(left.cmp(right)),
        (Ev::Bytes(left), Ev::Bytes(right)) => Some(left.cmp(right)),
        (Ev::Date(left), Ev::Date(right)) => Some(left.cmp(right)),
        (Ev::Date(date), Ev::Str(text)) => moment::order_date(*date, text),
        (Ev::Str(text), Ev::Date(date)) => moment::order_date(*date, text).map(Ordering::reverse),
        (Ev::DateTime(left), Ev::DateTime(right)) => Some(left.cmp(right)),
        (Ev::DateTime(moment), Ev::Str(text)) => moment::order_moment(*moment, text),
        (Ev::Str(text), Ev::DateTime(moment)) => moment::order_moment(*moment, text).map(Ordering::reverse),
        (left, right) => Some(number::order(Num::of(left)?, Num::of(right)?)),
    }
}

fn ordered(op: CompareOp, left: &Ev<'_>, right: &Ev<'_>) -> Result<bool, Fault> {
    match (left, right) {
        (Ev::Seq(SeqKind::Set, left), Ev::Seq(SeqKind::Set, right)) => Ok(order_sets(op, left, right)),
        (Ev::Seq(kind, left), Ev::Seq(other, right)) if kind == other => {
            let differing = left.iter().zip(right.iter()).find(|(l, r)| !equal(l, r));
            match differing {
                Some((left, right)) => ordered(op, &left, &right),
                None => Ok(holds(op, left.len().cmp(&right.len()))),
            }
        }
        (left, right) => match scalar_order(left, right) {
            Some(ordering) => Ok(holds(op, ordering)),
            None => Err(no_order(op, left, right)),
        },
    }
}

/// Sets are ordered by inclusion.
fn order_sets(op: CompareOp, left: &Items<'_>, right: &Items<'_>) -> bool {
    let (small, large, may_equal) = match op {
        CompareOp::Lt => (left, right, false),
        CompareOp::Gt => (right, left, false),
        CompareOp::Ge => (right, left, true),
        CompareOp::Le
        | CompareOp::Eq
        | CompareOp::Ne
        | CompareOp::In
        | CompareOp::NotIn
        | CompareOp::Is
        | CompareOp::IsNot => (left, right, true),
    };
    is_subset(small, large) && (may_equal || small.len() < large.len())
}

fn holds(op: CompareOp, ordering: Ordering) -> bool {
    match op {
        CompareOp::Lt => ordering.is_lt(),
        CompareOp::Le => ordering.is_le(),
        CompareOp::Gt => ordering.is_gt(),
        CompareOp::Ge => ordering.is_ge(),
        CompareOp::Ne | CompareOp::NotIn | CompareOp::IsNot => ordering.is_ne(),
        CompareOp::Eq | CompareOp::In | CompareOp::Is => ordering.is_eq(),
    }
}

fn no_order(op: CompareOp, left: &Ev<'_>, right: &Ev<'_>) -> Fault {
    let advice = match (left, right) {
        (Ev::Date(_), Ev::Str(_)) | (Ev::Str(_), Ev::Date(_)) => {
            format!("; a date compares with text like {}", moment::DATE_FORM)
        }
        (Ev::DateTime(_), Ev::Str(_)) | (Ev::Str(_), Ev::DateTime(_)) => {
            format!("; a datetime compares with text like {}", moment::MOMENT_FORM)
        }
        (_, _) => String::new(),
    };
    let (left, right) = (left.type_name(), right.type_name());
    Fault::new(format!("`{}` cannot order {left} and {right}{advice}", op.text()))
}

fn contains(container: &Ev<'_>, item: &Ev<'_>) -> Result<bool, Fault> {
    match (container, item) {
        (Ev::Str(text), Ev::Str(part)) => Ok(text.contains(part.as_ref())),
        (Ev::Str(_), item) => {
            Err(Fault::new(format!("`in` looks for text in a str, not for {}", item.type_name())))
        }
        (Ev::Seq(SeqKind::Set, items), Ev::Seq(SeqKind::Set, _)) => Ok(items.hold(item)),
        (Ev::Seq(SeqKind::Set, items), item) => {
            hashable(item, "a set")?;
            Ok(items.hold(item))
        }
        (Ev::Seq(SeqKind::List | SeqKind::Tuple, items), item) => Ok(items.hold(item)),
        (Ev::Dict(entries), key) => {
            hashable(key, "a dict")?;
            Ok(entries.find(key).is_some())
        }
        (other, _) => Err(Fault::new(format!(
            "`in` needs a str, list, tuple, set or dict on its right, not {}",
            other.type_name()
        ))),
    }
}

/// Refuses what Python cannot put into a set or use as a key of a dict.
pub(crate) fn hashable(value: &Ev<'_>, container: &str) -> Result<(), Fault> {
    let refused = match value {
        Ev::Seq(SeqKind::List, _) => "list",
        Ev::Seq(SeqKind::Set, _) => "set",
        Ev::Dict(_) => "dict",
        Ev::Seq(SeqKind::Tuple, items) => {
            return items.iter().try_for_each(|item| hashable(&item, container));
        }
        Ev::None
        | Ev::Bool(_)
        | Ev::Int(_)
        | Ev::Float(_)
        | Ev::Decimal(_)
        | Ev::Date(_)
        | Ev::DateTime(_)
        | Ev::Str(_)
        | Ev::Bytes(_) => return Ok(()),
    };
    Err(Fault::new(format!("a {refused} cannot be in {container} (it is not hashable)")))
}

/// A set of these items, each once.
pub(crate) fn set_of(items: Vec<Ev<'_>>) -> Result<Ev<'_>, Fault> {
    let mut unique: Vec<Ev<'_>> = Vec::with_capacity(items.len());
    for item in items {
        hashable(&item, "a set")?;
        if !unique.iter().any(|other| equal(other, &item)) {
            unique.push(item);
        }
    }
    Ok(Ev::Seq(SeqKind::Set, Items::Owned(unique)))
}

/// A dict of these entries; of equal keys the first stays, with the last value.
pub(crate) fn dict_of<'a>(pairs: Vec<(Ev<'a>, Ev<'a>)>) -> Result<Ev<'a>, Fault> {
    let mut unique: Vec<(Ev<'a>, Ev<'a>)> = Vec::with_capacity(pairs.len());
    for (key, value) in pairs {
        hashable(&key, "the keys of a dict")?;
        match unique.iter_mut().find(|(other, _)| equal(other, &key)) {
            Some((_, slot)) => *slot = value,
            None => unique.push((key, value)),
        }
    }
    Ok(Ev::Dict(Entries::Owned(unique)))
}

/// `of[key]`
pub(crate) fn index<'a>(of: Ev<'a>, key: &Ev<'_>) -> Result<Ev<'a>, Fault> {
    match of {
        Ev::Dict(entries) => {
            hashable(key, "the keys of a dict")?;
            let missing = entries.find(key).is_none().then(|| missing_key(&entries, key));
            match missing {
                Some(fault) => Err(fault),
                None => Ok(entries.take(key).expect("it was just found")),
            }
        }
        Ev::Str(text) => char_at(text, key),
        Ev::Seq(kind @ (SeqKind::List | SeqKind::Tuple), items) => {
            let slot = slot_of(key, items.len(), kind.name())?;
            Ok(items.take(slot))
        }
        Ev::Bytes(bytes) => {
            let slot = slot_of(key, bytes.len(), "bytes")?;
            Ok(Ev::Int(i64::from(bytes[slot])))
        }
        other @ (Ev::None
        | Ev::Bool(_)
        | Ev::Int(_)
        | Ev::Float(_)
        | Ev::Decimal(_)
        | Ev::Date(_)
        | Ev::DateTime(_)
        | Ev::Seq(SeqKind::Set, _)) => {
            Err(Fault::new(format!("{} has no items to take by [..]", other.type_name())))
        }
    }
}

fn char_at<'a>(text: Cow<'a, str>, key: &Ev<'_>) -> Result<Ev<'a>, Fault> {
    let length = text.chars().count();
    let slot = slot_of(key, length, "str")?;
    let start = text.char_indices().nth(slot).map_or(text.len(), |(start, _)| start);
    let end = text[start..].chars().next().map_or(start, |c| start + c.len_utf8());
    Ok(match text {
        Cow::Borrowed(text) => Ev::text(&text[start..end]),
        Cow::Owned(text) => Ev::Str(Cow::Owned(text[start..end].to_owned())),
    })
}

fn slot_of(key: &Ev<'_>, length: usize, kind: &str) -> Result<usize, Fault> {
    let Some(index) = key.as_index() else {
        return Err(Fault::new(format!("a {kind} is indexed by int, not by {}", key.type_name())));
    };
    let from_start = if index < 0 {
        usize::try_from(index.unsigned_abs()).ok().and_then(|back| length.checked_sub(back))
    } else {
        usize::try_from(index).ok()
    };
    from_start
        .filter(|slot| *slot < length)
        .ok_or_else(|| Fault::new(format!("index {index} is out of range, the {kind} has {length} items")))
}

/// `of.get(key, default)`
pub(crate) fn get<'a>(of: Ev<'a>, key: &Ev<'_>, default: Option<Ev<'a>>) -> Result<Ev<'a>, Fault> {
    match of {
        Ev::Dict(entries) => {
            hashable(key, "the keys of a dict")?;
            Ok(entries.take(key).or(default).unwrap_or(Ev::None))
        }
        other => Err(Fault::new(format!("{} has no .get(), only a row or a dict has", other.type_name()))),
    }
}

fn missing_key(entries: &Entries<'_>, key: &Ev<'_>) -> Fault {
    let pairs = entries.pairs();
    let names: Vec<&str> = pairs.iter().filter_map(|(key, _)| key.as_str()).collect();
    let what = match entries {
        Entries::Row(_) => "the row has no field",
        Entries::Map(_) | Entries::Owned(_) | Entries::Lent(_) => "the dict has no key",
    };
    match key {
        Ev::Str(name) => suggest::missing(what, name, &names),
        other => Fault::new(format!("{what} {}", repr_of(other))),
    }
}
