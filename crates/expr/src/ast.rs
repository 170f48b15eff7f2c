//! The typed tree of an expression.
//!
//! Key types: [`Node`], [`Kind`]. Invariant: nesting is at most [`crate::parser::MAX_DEPTH`] levels, so walking the tree
//! by recursion is safe; chains of one precedence are flat. Knows nothing of text or evaluation.

use std::sync::atomic::{AtomicU32, Ordering};

use compact_str::CompactString;
use elspeth_value::{Row, Value};

use crate::api::Span;
use crate::ev::{Ev, SeqKind};

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Const(Ev<'static>),
    Name(Name),
    /// `row['name']`
    Field(Slot),
    /// `row.get('name', default)`
    FieldGet(Slot, Option<Box<Node>>),
    /// `of[key]`
    Index(Box<Node>, Box<Node>),
    Get(Box<GetCall>),
    Unary(UnaryOp, Box<Node>),
    /// Operators of one precedence, applied from the left.
    Chain(Box<Node>, Box<[Step]>),
    Compare(Box<Node>, Box<[Link]>),
    Logic(LogicOp, Box<[Node]>),
    Choice(Box<Choice>),
    Seq(SeqKind, Box<[Node]>),
    Dict(Box<[(Node, Node)]>),
    Call(Function, Box<Node>),
}

/// `of.get(key, default)`
#[derive(Debug, Clone)]
pub(crate) struct GetCall {
    pub(crate) of: Node,
    pub(crate) key: Node,
    pub(crate) default: Option<Node>,
}

/// `then if condition else otherwise`
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    pub(crate) condition: Node,
    pub(crate) then: Node,
    pub(crate) otherwise: Node,
}

/// One operator of a chain and its right operand; `span` is from the chain's start to the operand's end.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) op: BinaryOp,
    pub(crate) right: Node,
    pub(crate) span: Span,
}

/// One operator of a comparison and its right operand; `span` is from its left operand to its right one.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) op: CompareOp,
    pub(crate) right: Node,
    pub(crate) span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    Row,
    DependencyRuns,
    Collections,
    Env,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnaryOp {
    Not,
    Minus,
    Plus,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    FloorDiv,
    Mod,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CompareOp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    NotIn,
    Is,
    IsNot,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogicOp {
    And,
    Or,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Str,
    Int,
    Float,
    Bool,
    Abs,
    Len,
}

/// A field of the row by name, with the slot where it was last found.
///
/// Rows of one edge nearly always share their shape, so the remembered slot is right; it is compared before use, so
/// being wrong only costs a scan.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) name: CompactString,
    last: AtomicU32,
}

impl Slot {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.into(), last: AtomicU32::new(0) }
    }

    #[inline]
    pub(crate) fn find<'a>(&self, row: &'a Row) -> Option<&'a Value> {
        let last = self.last.load(Ordering::Relaxed);
        let slot = usize::try_from(last).unwrap_or(usize::MAX);
        match row.shape().names().get(slot) {
            Some(name) if *name == self.name => row.values().get(slot),
            Some(_) | None => self.search(row),
        }
    }

    #[cold]
    fn search<'a>(&self, row: &'a Row) -> Option<&'a Value> {
        let slot = row.shape().slot(&self.name)?;
        if let Ok(last) = u32::try_from(slot) {
            self.last.store(last, Ordering::Relaxed);
        }
        row.values().get(slot)
    }
}

impl Clone for Slot {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), last: AtomicU32::new(self.last.load(Ordering::Relaxed)) }
    }
}

impl Node {
    /// Calls `visit` with each direct part, in the order of the text.
    pub(crate) fn each_part<'n>(&'n self, visit: &mut dyn FnMut(&'n Self)) {
        match &self.kind {
            Kind::Const(_) | Kind::Name(_) | Kind::Field(_) | Kind::FieldGet(_, None) => {}
            Kind::FieldGet(_, Some(part)) | Kind::Unary(_, part) | Kind::Call(_, part) => visit(part),
            Kind::Index(of, key) => [of, key].into_iter().for_each(|part| visit(part)),
            Kind::Get(get) => {
                visit(&get.of);
                visit(&get.key);
                get.default.iter().for_each(visit);
            }
            Kind::Chain(first, rest) => {
                visit(first);
                rest.iter().for_each(|step| visit(&step.right));
            }
            Kind::Compare(first, rest) => {
                visit(first);
                rest.iter().for_each(|link| visit(&link.right));
            }
            Kind::Logic(_, parts) | Kind::Seq(_, parts) => parts.iter().for_each(visit),
            Kind::Choice(choice) => {
                [&choice.then, &choice.condition, &choice.otherwise].into_iter().for_each(visit);
            }
            Kind::Dict(entries) => entries.iter().for_each(|(key, value)| {
                visit(key);
                visit(value);
            }),
        }
    }

    pub(crate) const fn constant(&self) -> Option<&Ev<'static>> {
        match &self.kind {
            Kind::Const(value) => Some(value),
            Kind::Name(_)
            | Kind::Field(_)
            | Kind::FieldGet(..)
            | Kind::Index(..)
            | Kind::Get(_)
            | Kind::Unary(..)
            | Kind::Chain(..)
            | Kind::Compare(..)
            | Kind::Logic(..)
            | Kind::Choice(_)
            | Kind::Seq(..)
            | Kind::Dict(_)
            | Kind::Call(..) => None,
        }
    }

    /// Whether the value depends on nothing outside, though it could not be computed when it was parsed.
    pub(crate) fn has_constant_parts(&self) -> bool {
        let from_outside = matches!(self.kind, Kind::Name(_) | Kind::Field(_) | Kind::FieldGet(..));
        let mut all = !from_outside;
        self.each_part(&mut |part| all &= part.constant().is_some());
        all
    }

    /// The constant text that this is.
    pub(crate) fn constant_text(&self) -> Option<&str> {
        self.constant().and_then(Ev::as_str)
    }

    pub(crate) fn is_none(&self) -> bool {
        matches!(self.kind, Kind::Const(Ev::None))
    }
}

impl Name {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Row => "row",
            Self::DependencyRuns => "dependency_runs",
            Self::Collections => "collections",
            Self::Env => "env",
        }
    }
}

impl UnaryOp {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Not => "not",
            Self::Minus => "-",
            Self::Plus => "+",
        }
    }
}

impl BinaryOp {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::FloorDiv => "//",
            Self::Mod => "%",
        }
    }
}

impl CompareOp {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::In => "in",
            Self::NotIn => "not in",
            Self::Is => "is",
            Self::IsNot => "is not",
        }
    }
}

impl Function {
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "str" => Self::Str,
            "int" => Self::Int,
            "float" => Self::Float,
            "bool" => Self::Bool,
            "abs" => Self::Abs,
            "len" => Self::Len,
            _ => return None,
        })
    }

    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Str => "str",
            Self::Int => "int",
            Self::Float => "float",
            Self::Bool => "bool",
            Self::Abs => "abs",
            Self::Len => "len",
        }
    }
}
