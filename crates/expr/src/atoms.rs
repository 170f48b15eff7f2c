//! The tightest levels of the grammar: literals, names, displays, calls and access by key.
//!
//! Invariant: only the names of the [`Root`] and the functions of the language get into the tree.

use compact_str::CompactString;

use crate::api::{ExprError, Root, Span};
use crate::ast::{Function, GetCall, Kind, Name, Node, Slot};
use crate::ev::{Ev, SeqKind};
use crate::eval::fold;
use crate::lexer::{Token, TokenKind, refusal};
use crate::parser::Parser;
use crate::refuse;

/// What a trigger may ask.
const TRIGGER_FIELDS: [&str; 2] = ["batch_count", "batch_age_seconds"];

impl Parser<'_> {
    /// An atom and the accesses behind it.
    pub(crate) fn access(&mut self) -> Result<Node, ExprError> {
        let before = self.depth;
        let result = self.accesses();
        self.depth = before;
        result
    }

    /// Each access makes the tree deeper, though the parser does not go deeper.
    fn accesses(&mut self) -> Result<Node, ExprError> {
        let mut node = self.atom()?;
        loop {
            if self.is_op("(") {
                return Err(refuse::call_of_value(self.peek().span));
            }
            let is_index = self.is_op("[");
            if !is_index && !self.is_op(".") {
                return self.refuse_bare_trigger_row(node);
            }
            self.deepen()?;
            node = if is_index { self.index(node)? } else { self.get(node)? };
        }
    }

    fn atom(&mut self) -> Result<Node, ExprError> {
        let Token { span, kind } = self.peek().clone();
        let constant = match kind {
            TokenKind::Int(value) => Ev::Int(value),
            TokenKind::Float(value) => Ev::Float(value),
            TokenKind::Str(text) => return Ok(self.strings(span, text)),
            TokenKind::Name => return self.word(span),
            TokenKind::Op("(") => return self.nested(Self::parenthesis),
            TokenKind::Op("[") => return self.nested(Self::list),
            TokenKind::Op("{") => return self.nested(Self::braces),
            TokenKind::Op(_) | TokenKind::Bad(_) | TokenKind::End => return Err(self.unexpected("a value")),
        };
        self.advance();
        Ok(Node { span, kind: Kind::Const(constant) })
    }

    /// Literals side by side are one text.
    fn strings(&mut self, mut span: Span, first: CompactString) -> Node {
        self.advance();
        let mut text = first;
        while let TokenKind::Str(more) = &self.peek().kind {
            text.push_str(more);
            span.end = self.peek().span.end;
            self.advance();
        }
        Node { span, kind: Kind::Const(Ev::Str(String::from(text).into())) }
    }

    fn word(&mut self, span: Span) -> Result<Node, ExprError> {
        let word = self.source(span);
        let kind = match (word, self.root) {
            ("True", _) => Kind::Const(Ev::Bool(true)),
            ("False", _) => Kind::Const(Ev::Bool(false)),
            ("None", _) => Kind::Const(Ev::None),
            ("row", Root::Row | Root::Trigger) => Kind::Name(Name::Row),
            ("dependency_runs", Root::Commencement) => Kind::Name(Name::DependencyRuns),
            ("collections", Root::Commencement) => Kind::Name(Name::Collections),
            ("env", Root::Commencement) => Kind::Name(Name::Env),
            _ => return self.function(word, span),
        };
        self.advance();
        Ok(Node { span, kind })
    }

    fn function(&mut self, word: &str, span: Span) -> Result<Node, ExprError> {
        let is_called = matches!(self.peek_second().map(|next| &next.kind), Some(TokenKind::Op("(")));
        let Some(function) = Function::named(word) else {
            return Err(self.unknown_word(word, span));
        };
        if !is_called {
            let help = format!("call it, as in {word}(row['name'])");
            return Err(refusal(span, format!("`{word}` is a function, not a value"), &help));
        }
        self.advance();
        let (arguments, end) = self.nested(Self::arguments)?;
        let span = Span { start: span.start, end };
        let count = arguments.len();
        let Ok([argument]) = <[Node; 1]>::try_from(arguments) else {
            return Err(refusal(span, format!("{word}() takes one argument, here are {count}"), ""));
        };
        Ok(fold(Node { span, kind: Kind::Call(function, Box::new(argument)) }))
    }

    /// `(a, b)` of a call, and its end.
    fn arguments(&mut self) -> Result<(Vec<Node>, usize), ExprError> {
        self.advance();
        let mut arguments = Vec::new();
        while !self.is_op(")") {
            if self.is_op("*") {
                return Err(refusal(self.peek().span, "arguments cannot be unpacked with `*`", ""));
            }
            let next = self.peek_second().map(|next| &next.kind);
            if matches!((&self.peek().kind, next), (TokenKind::Name, Some(TokenKind::Op("=")))) {
                return Err(refusal(self.peek().span, "arguments cannot be named", "give them by position"));
            }
            arguments.push(self.expression()?);
            if !self.eat(",") {
                break;
            }
        }
        let end = self.close(")")?;
        Ok((arguments, end))
    }

    /// `[key]` behind a value.
    fn index(&mut self, of: Node) -> Result<Node, ExprError> {
        let open = self.advance().span;
        if self.is_op(":") {
            return Err(refuse::slice(self.peek().span));
        }
        let key = self.expression()?;
        if self.is_op(":") {
            return Err(refuse::slice(self.peek().span));
        }
        if self.is_op(",") {
            return Err(refusal(
                Span { start: open.start, end: self.peek().span.end },
                "one key is expected in [..]",
                "write row['a']['b'] for a field within a field",
            ));
        }
        let span = Span { start: of.span.start, end: self.close("]")? };
        self.check_trigger_key(&of, &key)?;
        Ok(match (&of.kind, key.constant_text()) {
            (Kind::Name(Name::Row), Some(name)) => Node { span, kind: Kind::Field(Slot::new(name)) },
            _ => fold(Node { span, kind: Kind::Index(Box::new(of), Box::new(key)) }),
        })
    }

    /// `.get(key)` or `.get(key, default)` behind a value.
    fn get(&mut self, of: Node) -> Result<Node, ExprError> {
        let dot = self.advance().span;
        let name = self.peek().span;
        let is_name = matches!(self.peek().kind, TokenKind::Name);
        if !is_name {
            return Err(self.unexpected("`get`"));
        }
        let is_called = matches!(self.peek_second().map(|next| &next.kind), Some(TokenKind::Op("(")));
        if !self.is_word("get") || !is_called {
            let span = Span { start: dot.start, end: name.end };
            return Err(refuse::attribute(span, self.source(of.span), self.source(name), is_called));
        }
        self.advance();
        let (arguments, end) = self.arguments()?;
        let span = Span { start: of.span.start, end };
        let count = arguments.len();
        let mut arguments = arguments.into_iter();
        let (Some(key), default, None) = (arguments.next(), arguments.next(), arguments.next()) else {
            return Err(refusal(
                span,
                format!(".get() takes a key and perhaps a default, here are {count} arguments"),
                "",
            ));
        };
        self.check_trigger_key(&of, &key)?;
        Ok(match (&of.kind, key.constant_text()) {
            (Kind::Name(Name::Row), Some(name)) => {
                Node { span, kind: Kind::FieldGet(Slot::new(name), default.map(Box::new)) }
            }
            _ => fold(Node { span, kind: Kind::Get(Box::new(GetCall { of, key, default })) }),
        })
    }

    fn check_trigger_key(&self, of: &Node, key: &Node) -> Result<(), ExprError> {
        let is_trigger = self.root == Root::Trigger && matches!(of.kind, Kind::Name(_));
        let allowed = key.constant_text().is_some_and(|name| TRIGGER_FIELDS.contains(&name));
        if !is_trigger || allowed {
            return Ok(());
        }
        Err(refuse::trigger_key(key))
    }

    fn refuse_bare_trigger_row(&self, node: Node) -> Result<Node, ExprError> {
        match (&node.kind, self.root) {
            (Kind::Name(_), Root::Trigger) => Err(refuse::trigger_key(&node)),
            _ => Ok(node),
        }
    }

    /// `(a)`, `()`, `(a,)`, `(a, b)`
    fn parenthesis(&mut self) -> Result<Node, ExprError> {
        let start = self.advance().span.start;
        let (mut items, is_tuple) = self.items(")")?;
        let span = Span { start, end: self.close(")")? };
        if !is_tuple && let Some(node) = items.pop() {
            return Ok(node);
        }
        Ok(fold(Node { span, kind: Kind::Seq(SeqKind::Tuple, items.into()) }))
    }

    /// `[a, b]`
    fn list(&mut self) -> Result<Node, ExprError> {
        let start = self.advance().span.start;
        let (items, _) = self.items("]")?;
        let span = Span { start, end: self.close("]")? };
        Ok(fold(Node { span, kind: Kind::Seq(SeqKind::List, items.into()) }))
    }

    /// Items up to `close`, and whether there was a comma.
    fn items(&mut self, close: &str) -> Result<(Vec<Node>, bool), ExprError> {
        let mut items = Vec::new();
        let mut has_comma = false;
        while !self.is_op(close) {
            self.refuse_star()?;
            items.push(self.expression()?);
            if !self.eat(",") {
                break;
            }
            has_comma = true;
        }
        Ok((items, has_comma))
    }

    fn refuse_star(&self) -> Result<(), ExprError> {
        if self.is_op("*") {
            return Err(refusal(
                self.peek().span,
                "items cannot be unpacked with `*`",
                "join lists with `+`",
            ));
        }
        Ok(())
    }

    /// `{a, b}` or `{a: b}`
    fn braces(&mut self) -> Result<Node, ExprError> {
        let start = self.advance().span.start;
        if self.is_op("}") {
            let span = Span { start, end: self.close("}")? };
            return Ok(fold(Node { span, kind: Kind::Dict(Box::new([])) }));
        }
        self.refuse_star()?;
        let first = self.expression()?;
        let kind = if self.eat(":") { self.dict(first)? } else { self.set(first)? };
        let span = Span { start, end: self.close("}")? };
        Ok(fold(Node { span, kind }))
    }

    fn set(&mut self, first: Node) -> Result<Kind, ExprError> {
        let mut items = vec![first];
        if self.eat(",") {
            items.extend(self.items("}")?.0);
        }
        Ok(Kind::Seq(SeqKind::Set, items.into()))
    }

    fn dict(&mut self, first: Node) -> Result<Kind, ExprError> {
        let mut entries = vec![(first, self.expression()?)];
        while self.eat(",") && !self.is_op("}") {
            let key = self.expression()?;
            if !self.eat(":") {
                return Err(self.unexpected("`:`"));
            }
            entries.push((key, self.expression()?));
        }
        Ok(Kind::Dict(entries.into()))
    }
}
