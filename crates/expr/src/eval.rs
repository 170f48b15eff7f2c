//! Evaluation of a tree.
//!
//! Key type: [`Frame`], what one evaluation works with. Invariant: nothing of the row is copied unless the result needs
//! it. Knows nothing of text.

use elspeth_value::Value;

use crate::api::{EvalError, Scope, Span};
use crate::ast::{BinaryOp, Choice, GetCall, Kind, Link, LogicOp, Name, Node, Slot, Step};
use crate::budget::{Budget, EVALUATION_BYTES, FOLD_BYTES};
use crate::call;
use crate::ev::{Entries, Ev, Items, SeqKind};
use crate::fault::Fault;
use crate::ops;
use crate::suggest;

/// The result of one node. The error is boxed, to keep the path without failures narrow.
pub(crate) type Evaluated<'a> = Result<Ev<'a>, Box<EvalError>>;

/// What one evaluation works with.
pub(crate) struct Frame<'a> {
    scope: Scope<'a>,
    budget: Budget,
}

impl<'a> Frame<'a> {
    pub(crate) const fn new(scope: Scope<'a>) -> Self {
        Self { scope, budget: Budget::new(EVALUATION_BYTES) }
    }

    const fn folding() -> Self {
        Self { scope: Scope::Names(&[]), budget: Budget::new(FOLD_BYTES) }
    }

    /// The value of the whole expression.
    pub(crate) fn result(&self, node: &'a Node) -> Result<Value, Box<EvalError>> {
        self.eval(node)?.into_value(&self.budget).map_err(|fault| fault.at(node.span))
    }

    pub(crate) fn eval(&self, node: &'a Node) -> Evaluated<'a> {
        let span = node.span;
        match &node.kind {
            Kind::Const(value) => Ok(value.lend()),
            Kind::Field(slot) => match self.field(slot) {
                Some(value) => Ok(Ev::of(value)),
                None => Err(self.no_field(slot, span)),
            },
            Kind::Compare(first, rest) => self.compare(first, rest),
            Kind::Logic(op, parts) => self.logic(*op, parts),
            Kind::Chain(first, rest) => self.chain(first, rest),
            Kind::Unary(op, of) => placed(ops::unary(*op, &self.eval(of)?), span),
            Kind::Name(name) => self.name(*name, span),
            Kind::FieldGet(slot, default) => {
                let default = default.as_deref().map(|default| self.eval(default)).transpose()?;
                Ok(self.field(slot).map(Ev::of).or(default).unwrap_or(Ev::None))
            }
            Kind::Index(of, key) => {
                let of = self.eval(of)?;
                placed(ops::index(of, &self.eval(key)?), span)
            }
            Kind::Get(get) => self.get(get, span),
            Kind::Choice(choice) => self.choice(choice),
            Kind::Seq(kind, parts) => self.seq(*kind, parts, span),
            Kind::Dict(entries) => self.dict(entries, span),
            Kind::Call(function, argument) => {
                placed(call::call(*function, self.eval(argument)?, &self.budget), span)
            }
        }
    }

    fn compare(&self, first: &'a Node, rest: &'a [Link]) -> Evaluated<'a> {
        if let Some(holds) = self.compare_field(first, rest) {
            return Ok(Ev::Bool(holds));
        }
        let mut left = self.eval(first)?;
        for link in rest {
            let right = self.eval(&link.right)?;
            if !ops::compare(link.op, &left, &right).map_err(|fault| fault.at(link.span))? {
                return Ok(Ev::Bool(false));
            }
            left = right;
        }
        Ok(Ev::Bool(true))
    }

    /// A field beside a constant, which is what gates mostly ask, without making values of the two.
    #[inline]
    fn compare_field(&self, first: &'a Node, rest: &'a [Link]) -> Option<bool> {
        let [link] = rest else {
            return None;
        };
        match (&first.kind, &link.right.kind) {
            (Kind::Field(slot), Kind::Const(constant)) => {
                ops::compare_plain(link.op, self.field(slot)?, constant)
            }
            _ => None,
        }
    }

    fn logic(&self, op: LogicOp, parts: &'a [Node]) -> Evaluated<'a> {
        let (last, before) = parts.split_last().expect("`and` and `or` have two parts at least");
        for part in before {
            let value = self.eval(part)?;
            let decided = match op {
                LogicOp::And => !value.truth(),
                LogicOp::Or => value.truth(),
            };
            if decided {
                return Ok(value);
            }
        }
        self.eval(last)
    }

    fn chain(&self, first: &'a Node, rest: &'a [Step]) -> Evaluated<'a> {
        let mut result = self.eval(first)?;
        for step in rest {
            let right = self.eval(&step.right)?;
            result = placed(ops::binary(step.op, result, right, &self.budget), step.span)?;
        }
        Ok(result)
    }

    fn choice(&self, choice: &'a Choice) -> Evaluated<'a> {
        if self.eval(&choice.condition)?.truth() {
            self.eval(&choice.then)
        } else {
            self.eval(&choice.otherwise)
        }
    }

    fn get(&self, get: &'a GetCall, span: Span) -> Evaluated<'a> {
        let of = self.eval(&get.of)?;
        let key = self.eval(&get.key)?;
        let default = get.default.as_ref().map(|default| self.eval(default)).transpose()?;
        placed(ops::get(of, &key, default), span)
    }

    fn seq(&self, kind: SeqKind, parts: &'a [Node], span: Span) -> Evaluated<'a> {
        let items = parts.iter().map(|part| self.eval(part)).collect::<Result<Vec<_>, _>>()?;
        match kind {
            SeqKind::Set => placed(ops::set_of(items), span),
            SeqKind::List | SeqKind::Tuple => Ok(Ev::Seq(kind, Items::Owned(items))),
        }
    }

    fn dict(&self, entries: &'a [(Node, Node)], span: Span) -> Evaluated<'a> {
        let pairs = entries.iter().map(|(key, value)| Ok((self.eval(key)?, self.eval(value)?)));
        placed(ops::dict_of(pairs.collect::<Result<Vec<_>, Box<EvalError>>>()?), span)
    }

    fn field(&self, slot: &Slot) -> Option<&'a Value> {
        match self.scope {
            Scope::Row(row) => slot.find(row),
            Scope::Names(_) => match self.named(Name::Row)? {
                Value::Map(map) => map.get(&slot.name),
                Value::Null
                | Value::Bool(_)
                | Value::Int(_)
                | Value::Float(_)
                | Value::Str(_)
                | Value::Decimal(_)
                | Value::Date(_)
                | Value::DateTime(_)
                | Value::Bytes(_)
                | Value::List(_) => None,
            },
        }
    }

    fn named(&self, name: Name) -> Option<&'a Value> {
        match self.scope {
            Scope::Row(_) => None,
            Scope::Names(names) => {
                names.iter().find(|(other, _)| *other == name.text()).map(|(_, value)| value)
            }
        }
    }

    fn name(&self, name: Name, span: Span) -> Evaluated<'a> {
        if let (Scope::Row(row), Name::Row) = (self.scope, name) {
            return Ok(Ev::Dict(Entries::Row(row)));
        }
        match self.named(name) {
            Some(value) => Ok(Ev::of(value)),
            None => Err(Fault::new(format!("`{}` has no value here", name.text())).at(span)),
        }
    }

    #[cold]
    fn no_field(&self, slot: &Slot, span: Span) -> Box<EvalError> {
        let names: Vec<&str> = match self.scope {
            Scope::Row(row) => row.shape().names().iter().map(AsRef::as_ref).collect(),
            Scope::Names(_) => match self.named(Name::Row) {
                Some(Value::Map(map)) => map.iter().map(|(name, _)| name).collect(),
                Some(_) | None => Vec::new(),
            },
        };
        suggest::missing("the row has no field", &slot.name, &names).at(span)
    }
}

fn placed<T>(result: Result<T, Fault>, span: Span) -> Result<T, Box<EvalError>> {
    result.map_err(|fault| fault.at(span))
}

/// Computes a node whose parts are all constants. What fails, or would be large, stays as it is: it may never be reached.
pub(crate) fn fold(node: Node) -> Node {
    if !node.has_constant_parts() {
        return node;
    }
    match Frame::folding().eval(&node).ok().and_then(kept) {
        Some(value) => Node { span: node.span, kind: Kind::Const(value) },
        None => node,
    }
}

/// `left op right` where both are constants, under the same conditions as [`fold`].
pub(crate) fn fold_step(op: BinaryOp, left: &Node, right: &Node) -> Option<Ev<'static>> {
    let (left, right) = (left.constant()?, right.constant()?);
    let budget = Budget::new(FOLD_BYTES);
    ops::binary(op, left.lend(), right.lend(), &budget).ok().and_then(kept)
}

fn kept(value: Ev<'_>) -> Option<Ev<'static>> {
    (value.weight() <= FOLD_BYTES).then(|| value.into_owned())
}
