//! Sets of types, and what operators make of them.
//!
//! Key type: [`Kinds`], the types that a part may have. An operator is a certain error when no pair of its operands' types
//! works, so an optional field is an error only where both its type and `None` fail. Invariant: the tables here agree with
//! `ops`, `number` and `call`; a test evaluates every pair.

use elspeth_value::FieldType;

use crate::api::ExprType;
use crate::ast::{BinaryOp, Function, UnaryOp};
use crate::ev::{Ev, SeqKind};

/// A set of types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kinds(u16);

/// Names of the single types, in the order of their bits.
const NAMES: [&str; 13] = [
    "None", "bool", "int", "float", "decimal", "date", "datetime", "str", "bytes", "list", "tuple", "set",
    "dict",
];

impl Kinds {
    pub(crate) const EMPTY: Self = Self(0);
    pub(crate) const NONE: Self = Self(1);
    pub(crate) const BOOL: Self = Self(1 << 1);
    pub(crate) const INT: Self = Self(1 << 2);
    pub(crate) const FLOAT: Self = Self(1 << 3);
    pub(crate) const DECIMAL: Self = Self(1 << 4);
    pub(crate) const DATE: Self = Self(1 << 5);
    pub(crate) const DATETIME: Self = Self(1 << 6);
    pub(crate) const STR: Self = Self(1 << 7);
    pub(crate) const BYTES: Self = Self(1 << 8);
    pub(crate) const LIST: Self = Self(1 << 9);
    pub(crate) const TUPLE: Self = Self(1 << 10);
    pub(crate) const SET: Self = Self(1 << 11);
    pub(crate) const DICT: Self = Self(1 << 12);
    pub(crate) const ANY: Self = Self((1 << 13) - 1);

    const INTEGRAL: Self = Self::BOOL.or(Self::INT);
    const NUMBERS: Self = Self::INTEGRAL.or(Self::FLOAT).or(Self::DECIMAL);
    const SIZED: Self = Self::STR.or(Self::BYTES).or(Self::LIST).or(Self::TUPLE).or(Self::SET).or(Self::DICT);
    const REPEATABLE: Self = Self::STR.or(Self::LIST).or(Self::TUPLE);

    pub(crate) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether every type of `self` is one of `other`.
    pub(crate) const fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// The single types.
    pub(crate) fn each(self) -> impl Iterator<Item = Self> {
        (0..NAMES.len()).map(|bit| Self(1 << bit)).filter(move |kind| kind.is_within(self))
    }

    /// In words: `str or None`.
    pub(crate) fn words(self) -> String {
        let names = NAMES.iter().enumerate().rev();
        let present = names.filter(|(bit, _)| self.0 & (1 << bit) != 0).map(|(_, name)| *name);
        present.collect::<Vec<_>>().join(" or ")
    }

    pub(crate) const fn of_value(value: &Ev<'_>) -> Self {
        match value {
            Ev::None => Self::NONE,
            Ev::Bool(_) => Self::BOOL,
            Ev::Int(_) => Self::INT,
            Ev::Float(_) => Self::FLOAT,
            Ev::Decimal(_) => Self::DECIMAL,
            Ev::Date(_) => Self::DATE,
            Ev::DateTime(_) => Self::DATETIME,
            Ev::Str(_) => Self::STR,
            Ev::Bytes(_) => Self::BYTES,
            Ev::Seq(kind, _) => Self::of_seq(*kind),
            Ev::Dict(_) => Self::DICT,
        }
    }

    pub(crate) const fn of_seq(kind: SeqKind) -> Self {
        match kind {
            SeqKind::List => Self::LIST,
            SeqKind::Tuple => Self::TUPLE,
            SeqKind::Set => Self::SET,
        }
    }

    pub(crate) const fn of_field(ty: FieldType) -> Self {
        match ty {
            FieldType::Str => Self::STR,
            FieldType::Int => Self::INT,
            FieldType::Float => Self::FLOAT,
            FieldType::Bool => Self::BOOL,
            FieldType::Any => Self::ANY,
            FieldType::Datetime => Self::DATETIME,
            FieldType::Date => Self::DATE,
            FieldType::Decimal => Self::DECIMAL,
        }
    }

    /// The public name of the set; types that have none there are not known.
    pub(crate) fn exposed(self) -> ExprType {
        let known = [
            (Self::NONE, ExprType::Null),
            (Self::BOOL, ExprType::Bool),
            (Self::INT, ExprType::Int),
            (Self::FLOAT, ExprType::Float),
            (Self::STR, ExprType::Str),
            (Self::LIST.or(Self::TUPLE).or(Self::SET), ExprType::List),
            (Self::DICT, ExprType::Map),
        ];
        let found = known.into_iter().find(|(kinds, _)| self.is_within(*kinds));
        found.map_or(ExprType::Unknown, |(_, exposed)| exposed)
    }

    /// The types that may be false.
    pub(crate) const fn falsy(self) -> Self {
        self.without(Self::DATE.or(Self::DATETIME))
    }

    /// The types that may be true.
    pub(crate) const fn truthy(self) -> Self {
        self.without(Self::NONE)
    }
}

/// What `op` makes of one pair of single types at a time; empty when nothing works.
fn over_pairs(left: Kinds, right: Kinds, op: impl Fn(Kinds, Kinds) -> Kinds) -> Kinds {
    left.each()
        .flat_map(|l| right.each().map(move |r| (l, r)))
        .fold(Kinds::EMPTY, |all, (l, r)| all.or(op(l, r)))
}

pub(crate) fn unary(op: UnaryOp, of: Kinds) -> Kinds {
    match op {
        UnaryOp::Not => Kinds::BOOL,
        UnaryOp::Minus | UnaryOp::Plus => numeric(of),
    }
}

/// Numbers, where a bool becomes an int.
fn numeric(of: Kinds) -> Kinds {
    let numbers = of.and(Kinds::NUMBERS);
    if numbers.and(Kinds::BOOL).is_empty() { numbers } else { numbers.without(Kinds::BOOL).or(Kinds::INT) }
}

pub(crate) fn binary(op: BinaryOp, left: Kinds, right: Kinds) -> Kinds {
    over_pairs(left, right, |left, right| single_binary(op, left, right))
}

fn single_binary(op: BinaryOp, left: Kinds, right: Kinds) -> Kinds {
    let both = left.or(right);
    if both.is_within(Kinds::NUMBERS) {
        return arithmetic(op, both);
    }
    let joins = left == right && left.is_within(Kinds::REPEATABLE);
    match op {
        BinaryOp::Add if joins => left,
        BinaryOp::Sub if both == Kinds::SET => Kinds::SET,
        BinaryOp::Mul if left.is_within(Kinds::REPEATABLE) && right.is_within(Kinds::INTEGRAL) => left,
        BinaryOp::Mul if right.is_within(Kinds::REPEATABLE) && left.is_within(Kinds::INTEGRAL) => right,
        BinaryOp::Add
        | BinaryOp::Sub
        | BinaryOp::Mul
        | BinaryOp::Div
        | BinaryOp::FloorDiv
        | BinaryOp::Mod => Kinds::EMPTY,
    }
}

fn arithmetic(op: BinaryOp, both: Kinds) -> Kinds {
    let has = |kind: Kinds| !both.and(kind).is_empty();
    if has(Kinds::DECIMAL) && has(Kinds::FLOAT) {
        Kinds::EMPTY
    } else if has(Kinds::DECIMAL) {
        Kinds::DECIMAL
    } else if has(Kinds::FLOAT) || op == BinaryOp::Div {
        Kinds::FLOAT
    } else {
        Kinds::INT
    }
}

/// Whether `<` and its like may work.
pub(crate) fn is_ordered(left: Kinds, right: Kinds) -> bool {
    let works = over_pairs(left, right, |left, right| {
        let both = left.or(right);
        let same = left == right && left.without(Kinds::NONE.or(Kinds::DICT)) == left;
        let dated = (left == Kinds::STR) != (right == Kinds::STR)
            && both.without(Kinds::STR).is_within(Kinds::DATE.or(Kinds::DATETIME));
        if same || dated || both.is_within(Kinds::NUMBERS) { Kinds::BOOL } else { Kinds::EMPTY }
    });
    !works.is_empty()
}

/// Whether `item in container` may work.
pub(crate) fn may_contain(container: Kinds, item: Kinds) -> bool {
    let works = over_pairs(container, item, |container, item| {
        let unhashable = Kinds::LIST.or(Kinds::SET).or(Kinds::DICT);
        let found = container.is_within(Kinds::LIST.or(Kinds::TUPLE))
            || (container == Kinds::STR && item == Kinds::STR)
            || (container == Kinds::SET && (item == Kinds::SET || !item.is_within(unhashable)))
            || (container == Kinds::DICT && !item.is_within(unhashable));
        if found { Kinds::BOOL } else { Kinds::EMPTY }
    });
    !works.is_empty()
}

/// What `of[key]` may be.
pub(crate) fn index(of: Kinds, key: Kinds) -> Kinds {
    over_pairs(of, key, |of, key| {
        let unhashable = Kinds::LIST.or(Kinds::SET).or(Kinds::DICT);
        if of == Kinds::DICT && !key.is_within(unhashable) {
            Kinds::ANY
        } else if !key.is_within(Kinds::INTEGRAL) {
            Kinds::EMPTY
        } else if of == Kinds::STR {
            Kinds::STR
        } else if of == Kinds::BYTES {
            Kinds::INT
        } else if of.is_within(Kinds::LIST.or(Kinds::TUPLE)) {
            Kinds::ANY
        } else {
            Kinds::EMPTY
        }
    })
}

pub(crate) fn call(function: Function, of: Kinds) -> Kinds {
    let readable = of.and(Kinds::NUMBERS.or(Kinds::STR));
    let when = |any: bool, kinds: Kinds| if any { kinds } else { Kinds::EMPTY };
    match function {
        Function::Str => Kinds::STR,
        Function::Bool => Kinds::BOOL,
        Function::Int => when(!readable.is_empty(), Kinds::INT),
        Function::Float => when(!readable.is_empty(), Kinds::FLOAT),
        Function::Abs => numeric(of),
        Function::Len => when(!of.and(Kinds::SIZED).is_empty(), Kinds::INT),
    }
}
