//! Static check of a tree against a contract.
//!
//! Key type: [`Checker`]. Invariant: only what fails for every row that meets the contract is an error. Knows nothing of
//! rows.

use elspeth_value::{Contract, FieldSpec, SchemaMode};

use crate::api::{ExprError, ExprType, Root, Scope, Span};
use crate::ast::{
    BinaryOp, Choice, CompareOp, Function, GetCall, Kind, Link, LogicOp, Name, Node, Slot, Step, UnaryOp,
};
use crate::eval::Frame;
use crate::kinds::{self, Kinds};
use crate::lexer::refusal;
use crate::moment;
use crate::ops::arithmetic_advice;
use crate::suggest;

/// The names of the fields that are read, in order of first use.
pub(crate) fn fields(node: &Node) -> Vec<&str> {
    let mut names = Vec::new();
    collect_fields(node, &mut names);
    names
}

fn collect_fields<'n>(node: &'n Node, names: &mut Vec<&'n str>) {
    let mut add = |name: &'n str| {
        if !names.contains(&name) {
            names.push(name);
        }
    };
    match &node.kind {
        Kind::Field(slot) | Kind::FieldGet(slot, _) => add(&slot.name),
        Kind::Compare(first, rest) => {
            let lefts = std::iter::once(first.as_ref()).chain(rest.iter().map(|link| &link.right));
            let in_row = |link: &Link| {
                matches!(link.op, CompareOp::In | CompareOp::NotIn)
                    && matches!(link.right.kind, Kind::Name(Name::Row))
            };
            let asked = lefts.zip(rest).filter(|(_, link)| in_row(link));
            asked.filter_map(|(left, _)| left.constant_text()).for_each(add);
        }
        Kind::Const(_)
        | Kind::Name(_)
        | Kind::Index(..)
        | Kind::Get(_)
        | Kind::Unary(..)
        | Kind::Chain(..)
        | Kind::Logic(..)
        | Kind::Choice(_)
        | Kind::Seq(..)
        | Kind::Dict(_)
        | Kind::Call(..) => {}
    }
    node.each_part(&mut |part| collect_fields(part, names));
}

/// The type of the result, or everything that is wrong, in the order of the text.
pub(crate) fn check(node: &Node, root: Root, contract: &Contract) -> Result<ExprType, Vec<ExprError>> {
    let mut checker = Checker { root, contract, errors: Vec::new() };
    let kinds = checker.kinds(node);
    if checker.errors.is_empty() {
        return Ok(kinds.exposed());
    }
    checker.errors.sort_by_key(|error| (error.span.start, error.span.end));
    Err(checker.errors)
}

struct Checker<'c> {
    root: Root,
    contract: &'c Contract,
    errors: Vec<ExprError>,
}

impl Checker<'_> {
    /// The types that the node may have. After an error it is anything, so that one mistake is one error.
    fn kinds(&mut self, node: &Node) -> Kinds {
        if node.constant().is_none() && node.has_constant_parts() {
            return self.constant(node);
        }
        match &node.kind {
            Kind::Const(value) => Kinds::of_value(value),
            Kind::Name(name) => self.name(*name),
            Kind::Field(slot) => self.field(slot, node.span),
            Kind::FieldGet(slot, default) => self.field_get(slot, default.as_deref()),
            Kind::Index(of, key) => self.index(of, key, node.span),
            Kind::Get(get) => self.get(get, node.span),
            Kind::Unary(op, of) => {
                let of = self.kinds(of);
                self.result(kinds::unary(*op, of), node.span, || {
                    format!("`{}` needs a number, not {}", op.text(), of.words())
                })
            }
            Kind::Chain(first, rest) => self.chain(first, rest),
            Kind::Compare(first, rest) => self.compare(first, rest),
            Kind::Logic(op, parts) => self.logic(*op, parts),
            Kind::Choice(choice) => self.choice(choice),
            Kind::Seq(kind, parts) => {
                parts.iter().for_each(|part| {
                    self.kinds(part);
                });
                Kinds::of_seq(*kind)
            }
            Kind::Dict(entries) => {
                entries.iter().for_each(|(key, value)| {
                    self.kinds(key);
                    self.kinds(value);
                });
                Kinds::DICT
            }
            Kind::Call(function, argument) => self.call(*function, argument, node.span),
        }
    }

    fn error(&mut self, span: Span, message: impl Into<String>, help: &str) -> Kinds {
        self.errors.push(refusal(span, message, help));
        Kinds::ANY
    }

    /// `found`, or an error when it is empty.
    fn result(&mut self, found: Kinds, span: Span, message: impl FnOnce() -> String) -> Kinds {
        if found.is_empty() { self.error(span, message(), "") } else { found }
    }

    /// Constants were not computed when they were parsed because they fail or are large; the evaluation tells which.
    fn constant(&mut self, node: &Node) -> Kinds {
        match Frame::new(Scope::Names(&[])).eval(node) {
            Ok(value) => Kinds::of_value(&value),
            Err(error) => self.error(error.span, error.message, ""),
        }
    }

    fn name(&self, name: Name) -> Kinds {
        match name {
            Name::Row => Kinds::DICT,
            Name::DependencyRuns | Name::Collections | Name::Env => Kinds::ANY,
        }
    }

    fn field(&mut self, slot: &Slot, span: Span) -> Kinds {
        if let Some(kinds) = self.declared(&slot.name) {
            return kinds;
        }
        match self.contract.mode {
            SchemaMode::Fixed => self.no_such_field(&slot.name, span),
            SchemaMode::Flexible | SchemaMode::Observed => Kinds::ANY,
        }
    }

    fn no_such_field(&mut self, name: &str, span: Span) -> Kinds {
        let promised = self.promised().map(AsRef::as_ref);
        let names: Vec<&str> =
            self.contract.fields.iter().map(|field| field.name.as_str()).chain(promised).collect();
        let help = match suggest::nearest(name, &names) {
            Some(near) => format!("did you mean row['{near}']? {}", suggest::listing(&names)),
            None => suggest::listing(&names),
        };
        self.error(span, format!("the rows have no field '{name}'"), &help)
    }

    /// Names that the contract mentions without a type.
    fn promised(&self) -> impl Iterator<Item = &compact_str::CompactString> {
        let contract = self.contract;
        contract.guaranteed_fields.iter().chain(&contract.required_fields).chain(&contract.audit_fields)
    }

    /// What is known of a field, if the contract mentions it.
    fn declared(&self, name: &str) -> Option<Kinds> {
        match (self.root, name) {
            (Root::Trigger, "batch_count") => return Some(Kinds::INT),
            (Root::Trigger, _) => return Some(Kinds::FLOAT),
            (Root::Row | Root::Commencement, _) => {}
        }
        let declared = self.contract.field(name).map(kinds_of_field);
        declared.or_else(|| self.promised().any(|other| other == name).then_some(Kinds::ANY))
    }

    /// A field that is not there gives the default, which is legal.
    fn field_get(&mut self, slot: &Slot, default: Option<&Node>) -> Kinds {
        let default = default.map_or(Kinds::NONE, |default| self.kinds(default));
        self.got(slot, default)
    }

    fn got(&self, slot: &Slot, default: Kinds) -> Kinds {
        match (self.declared(&slot.name), self.contract.mode) {
            (Some(kinds), _) if self.is_certain(&slot.name) => kinds,
            (Some(kinds), _) => kinds.or(default),
            (None, SchemaMode::Fixed) => default,
            (None, SchemaMode::Flexible | SchemaMode::Observed) => Kinds::ANY,
        }
    }

    fn is_certain(&self, name: &str) -> bool {
        self.root == Root::Trigger || self.contract.field(name).is_some_and(|field| field.required)
    }

    fn index(&mut self, of: &Node, key: &Node, span: Span) -> Kinds {
        let (of, key) = (self.kinds(of), self.kinds(key));
        self.result(kinds::index(of, key), span, || {
            format!("{} has no items to take by {}", of.words(), key.words())
        })
    }

    fn get(&mut self, get: &GetCall, span: Span) -> Kinds {
        let of = self.kinds(&get.of);
        self.kinds(&get.key);
        if let Some(default) = &get.default {
            self.kinds(default);
        }
        if of.and(Kinds::DICT).is_empty() {
            return self.error(span, format!("{} has no .get(), only a row or a dict has", of.words()), "");
        }
        Kinds::ANY
    }

    fn chain(&mut self, first: &Node, rest: &[Step]) -> Kinds {
        let mut left = self.kinds(first);
        for step in rest {
            let right = self.kinds(&step.right);
            left = self.step(left, right, step);
        }
        left
    }

    fn step(&mut self, left: Kinds, right: Kinds, step: &Step) -> Kinds {
        let found = kinds::binary(step.op, left, right);
        let op = step.op.text();
        if found.is_empty() {
            let (left, right) = (left.words(), right.words());
            let advice = arithmetic_advice(step.op, &left, &right).trim_start_matches("; ");
            return self.error(step.span, format!("`{op}` does not work on {left} and {right}"), advice);
        }
        let divides = matches!(step.op, BinaryOp::Div | BinaryOp::FloorDiv | BinaryOp::Mod);
        let by_zero = step.right.constant().is_some_and(|right| !right.truth());
        if divides && by_zero {
            return self.error(step.span, format!("`{op}` by zero"), "");
        }
        found
    }

    fn compare(&mut self, first: &Node, rest: &[Link]) -> Kinds {
        let mut left = first;
        let mut left_kinds = self.kinds(first);
        for link in rest {
            let right_kinds = self.kinds(&link.right);
            self.link(link, left_kinds, right_kinds);
            self.date_text(link, left, right_kinds);
            self.date_text(link, &link.right, left_kinds);
            (left, left_kinds) = (&link.right, right_kinds);
        }
        Kinds::BOOL
    }

    fn link(&mut self, link: &Link, left: Kinds, right: Kinds) {
        let works = match link.op {
            CompareOp::Eq | CompareOp::Ne | CompareOp::Is | CompareOp::IsNot => true,
            CompareOp::Lt | CompareOp::Le | CompareOp::Gt | CompareOp::Ge => kinds::is_ordered(left, right),
            CompareOp::In | CompareOp::NotIn => kinds::may_contain(right, left),
        };
        if works {
            return;
        }
        let (op, left_words, right_words) = (link.op.text(), left.words(), right.words());
        if matches!(link.op, CompareOp::In | CompareOp::NotIn) {
            let help = "`in` looks for text in text, or for a value in a list, tuple, set or dict";
            self.error(link.span, format!("`{op}` cannot look for {left_words} in {right_words}"), help);
            return;
        }
        let has_text = !left.or(right).and(Kinds::STR).is_empty();
        let help = if has_text { "compare text with text, or convert with int() or float()" } else { "" };
        self.error(link.span, format!("`{op}` cannot order {left_words} and {right_words}"), help);
    }

    /// Text beside a date must be written like one, or the comparison can never mean anything.
    fn date_text(&mut self, link: &Link, text: &Node, other: Kinds) {
        let Some(written) = text.constant_text() else {
            return;
        };
        let known = other.without(Kinds::NONE);
        let (name, form, fits) = if known == Kinds::DATE {
            ("date", moment::DATE_FORM, moment::parse_date(written).is_some())
        } else if known == Kinds::DATETIME {
            ("datetime", moment::MOMENT_FORM, moment::parse_moment(written).is_some())
        } else {
            return;
        };
        let is_membership = matches!(link.op, CompareOp::In | CompareOp::NotIn);
        if !fits && !is_membership {
            self.error(text.span, format!("this text is not a {name}"), &format!("write it like {form}"));
        }
    }

    /// What stands behind a part that decides alone is never computed.
    fn logic(&mut self, op: LogicOp, parts: &[Node]) -> Kinds {
        let last = parts.len() - 1;
        let mut all = Kinds::EMPTY;
        for (index, part) in parts.iter().enumerate() {
            let kinds = self.kinds(part);
            if index == last || self.truth(part) == Some(op == LogicOp::Or) {
                return all.or(kinds);
            }
            all = all.or(match op {
                LogicOp::And => kinds.falsy(),
                LogicOp::Or => kinds.truthy(),
            });
        }
        all
    }

    fn choice(&mut self, choice: &Choice) -> Kinds {
        self.kinds(&choice.condition);
        match self.truth(&choice.condition) {
            Some(true) => self.kinds(&choice.then),
            Some(false) => self.kinds(&choice.otherwise),
            None => self.kinds(&choice.then).or(self.kinds(&choice.otherwise)),
        }
    }

    /// Whether a node is true or false whatever the row: mostly one that asks for a field that no row has. Only fields are looked
    /// at, each once, so that deep conditions are checked as quickly as flat ones.
    fn truth(&self, node: &Node) -> Option<bool> {
        if let Some(value) = node.constant() {
            return Some(value.truth());
        }
        if let Kind::Unary(UnaryOp::Not, of) = &node.kind {
            return self.truth(of).map(|truth| !truth);
        }
        if let Kind::Compare(left, rest) = &node.kind {
            let [link] = rest.as_ref() else { return None };
            return self.link_truth(left, link);
        }
        (self.asked(node)? == Kinds::NONE).then_some(false)
    }

    fn link_truth(&self, left: &Node, link: &Link) -> Option<bool> {
        let is_row = matches!(link.right.kind, Kind::Name(Name::Row));
        let holds = match link.op {
            CompareOp::Is | CompareOp::IsNot => {
                let kinds = self.asked(left)?;
                match kinds == Kinds::NONE {
                    false if !kinds.and(Kinds::NONE).is_empty() => return None,
                    is_none => is_none,
                }
            }
            CompareOp::In | CompareOp::NotIn if is_row => {
                let name = left.constant_text()?;
                let absent = self.declared(name).is_none() && self.contract.mode == SchemaMode::Fixed;
                if !absent && !self.is_certain(name) {
                    return None;
                }
                !absent
            }
            CompareOp::Eq
            | CompareOp::Ne
            | CompareOp::Lt
            | CompareOp::Le
            | CompareOp::Gt
            | CompareOp::Ge
            | CompareOp::In
            | CompareOp::NotIn => return None,
        };
        Some(holds == matches!(link.op, CompareOp::Is | CompareOp::In))
    }

    /// The types of a field that is asked for without a default.
    fn asked(&self, node: &Node) -> Option<Kinds> {
        if let Kind::Field(slot) = &node.kind {
            return self.declared(&slot.name);
        }
        let Kind::FieldGet(slot, None) = &node.kind else { return None };
        Some(self.got(slot, Kinds::NONE))
    }

    fn call(&mut self, function: Function, argument: &Node, span: Span) -> Kinds {
        let of = self.kinds(argument);
        self.result(kinds::call(function, of), span, || {
            format!("{}() does not take {}", function.text(), of.words())
        })
    }
}

fn kinds_of_field(field: &FieldSpec) -> Kinds {
    let kinds = Kinds::of_field(field.ty);
    if field.required { kinds } else { kinds.or(Kinds::NONE) }
}
