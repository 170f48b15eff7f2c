//! From tokens to a tree, by recursive descent; one function per level of precedence.
//!
//! Invariant: recursion is at most [`MAX_DEPTH`] levels of nesting deep. Constant parts are computed as they are built.
//! Knows nothing of rows.

use crate::api::{ExprError, Root, Span};
use crate::ast::{BinaryOp, Choice, CompareOp, Kind, Link, LogicOp, Node, Step, UnaryOp};
use crate::eval::{fold, fold_step};
use crate::lexer::{Token, TokenKind, refusal, tokens};

/// Levels of nesting: brackets, calls, prefix operators, accesses and choices within each other.
pub(crate) const MAX_DEPTH: usize = 64;

/// Bytes of text.
pub(crate) const MAX_TEXT: usize = 4 << 10;

/// Parses `text`.
pub(crate) fn parse(text: &str, root: Root) -> Result<Node, ExprError> {
    if text.len() > MAX_TEXT {
        let start = (0..=MAX_TEXT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let span = Span { start, end: text.len() };
        let message = format!("the expression has {} bytes; at most {MAX_TEXT} are allowed", text.len());
        return Err(refusal(span, message, "split it over several gates"));
    }
    let mut parser = Parser { text, root, tokens: tokens(text), at: 0, depth: 0 };
    let node = parser.expression()?;
    match parser.peek().kind {
        TokenKind::End => Ok(node),
        _ => Err(parser.unexpected("the end or an operator")),
    }
}

pub(crate) struct Parser<'t> {
    pub(crate) text: &'t str,
    pub(crate) root: Root,
    tokens: Vec<Token>,
    at: usize,
    pub(crate) depth: usize,
}

impl<'t> Parser<'t> {
    pub(crate) fn peek(&self) -> &Token {
        // The last token is never passed.
        &self.tokens[self.at]
    }

    pub(crate) fn peek_second(&self) -> Option<&Token> {
        self.tokens.get(self.at + 1)
    }

    pub(crate) fn advance(&mut self) -> Token {
        let token = self.tokens[self.at].clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    pub(crate) fn source(&self, span: Span) -> &'t str {
        &self.text[span.start..span.end]
    }

    pub(crate) fn is_op(&self, op: &str) -> bool {
        matches!(self.peek().kind, TokenKind::Op(other) if other == op)
    }

    pub(crate) fn is_word(&self, word: &str) -> bool {
        matches!(self.peek().kind, TokenKind::Name) && self.source(self.peek().span) == word
    }

    /// Takes the mark if it comes next.
    pub(crate) fn eat(&mut self, op: &str) -> bool {
        let found = self.is_op(op);
        if found {
            self.advance();
        }
        found
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.advance();
        }
        found
    }

    /// The end of the closing mark, which must come next.
    pub(crate) fn close(&mut self, op: &str) -> Result<usize, ExprError> {
        if !self.is_op(op) {
            return Err(self.unexpected(&format!("`{op}`")));
        }
        Ok(self.advance().span.end)
    }

    /// Runs `parse` one level deeper.
    pub(crate) fn nested<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, ExprError>,
    ) -> Result<T, ExprError> {
        self.deepen()?;
        let result = parse(self);
        self.depth -= 1;
        result
    }

    /// Counts one level more.
    pub(crate) fn deepen(&mut self) -> Result<(), ExprError> {
        if self.depth >= MAX_DEPTH {
            let message = format!("the expression is nested more than {MAX_DEPTH} levels deep");
            return Err(refusal(self.peek().span, message, "split it over several gates"));
        }
        self.depth += 1;
        Ok(())
    }

    /// `then if condition else otherwise`, or what binds tighter.
    pub(crate) fn expression(&mut self) -> Result<Node, ExprError> {
        let then = self.or()?;
        if !self.is_word("if") {
            return Ok(then);
        }
        self.nested(|parser| {
            parser.advance();
            let condition = parser.or()?;
            if !parser.eat_word("else") {
                return Err(parser.unexpected("`else`"));
            }
            let otherwise = parser.expression()?;
            let span = Span { start: then.span.start, end: otherwise.span.end };
            let choice = Box::new(Choice { condition, then, otherwise });
            Ok(fold(Node { span, kind: Kind::Choice(choice) }))
        })
    }

    fn or(&mut self) -> Result<Node, ExprError> {
        self.logic("or", LogicOp::Or, Self::and)
    }

    fn and(&mut self) -> Result<Node, ExprError> {
        self.logic("and", LogicOp::And, Self::not)
    }

    fn logic(
        &mut self,
        word: &str,
        op: LogicOp,
        operand: fn(&mut Self) -> Result<Node, ExprError>,
    ) -> Result<Node, ExprError> {
        let first = operand(self)?;
        if !self.is_word(word) {
            return Ok(first);
        }
        let start = first.span.start;
        let mut parts = vec![first];
        while self.eat_word(word) {
            parts.push(operand(self)?);
        }
        let span = Span { start, end: parts.last().map_or(start, |part| part.span.end) };
        Ok(fold(Node { span, kind: Kind::Logic(op, parts.into()) }))
    }

    fn not(&mut self) -> Result<Node, ExprError> {
        if self.is_word("not") { self.prefixed(UnaryOp::Not, Self::not) } else { self.comparison() }
    }

    fn prefixed(
        &mut self,
        op: UnaryOp,
        operand: fn(&mut Self) -> Result<Node, ExprError>,
    ) -> Result<Node, ExprError> {
        self.nested(|parser| {
            let start = parser.advance().span.start;
            let of = operand(parser)?;
            let span = Span { start, end: of.span.end };
            Ok(fold(Node { span, kind: Kind::Unary(op, Box::new(of)) }))
        })
    }

    fn comparison(&mut self) -> Result<Node, ExprError> {
        let first = self.sum()?;
        let mut rest: Vec<Link> = Vec::new();
        while let Some(op) = self.comparator()? {
            let right = self.sum()?;
            let left = rest.last().map_or(&first, |link| &link.right);
            let span = Span { start: left.span.start, end: right.span.end };
            if matches!(op, CompareOp::Is | CompareOp::IsNot) && !left.is_none() && !right.is_none() {
                let other = if op == CompareOp::Is { "==" } else { "!=" };
                let help = format!("write `{other}`");
                return Err(refusal(span, format!("`{}` is for None only", op.text()), &help));
            }
            rest.push(Link { op, right, span });
        }
        let Some(last) = rest.last() else {
            return Ok(first);
        };
        let span = Span { start: first.span.start, end: last.span.end };
        Ok(fold(Node { span, kind: Kind::Compare(Box::new(first), rest.into()) }))
    }

    fn comparator(&mut self) -> Result<Option<CompareOp>, ExprError> {
        let op = match &self.peek().kind {
            TokenKind::Op("==") => CompareOp::Eq,
            TokenKind::Op("!=") => CompareOp::Ne,
            TokenKind::Op("<") => CompareOp::Lt,
            TokenKind::Op("<=") => CompareOp::Le,
            TokenKind::Op(">") => CompareOp::Gt,
            TokenKind::Op(">=") => CompareOp::Ge,
            TokenKind::Name => return self.word_comparator(),
            TokenKind::Op(_)
            | TokenKind::Int(_)
            | TokenKind::Float(_)
            | TokenKind::Str(_)
            | TokenKind::Bad(_)
            | TokenKind::End => return Ok(None),
        };
        self.advance();
        Ok(Some(op))
    }

    fn word_comparator(&mut self) -> Result<Option<CompareOp>, ExprError> {
        if self.eat_word("in") {
            return Ok(Some(CompareOp::In));
        }
        if self.eat_word("is") {
            return Ok(Some(if self.eat_word("not") { CompareOp::IsNot } else { CompareOp::Is }));
        }
        if !self.eat_word("not") {
            return Ok(None);
        }
        if self.eat_word("in") { Ok(Some(CompareOp::NotIn)) } else { Err(self.unexpected("`in`")) }
    }

    fn sum(&mut self) -> Result<Node, ExprError> {
        self.chain(Self::product, |op| match op {
            "+" => Some(BinaryOp::Add),
            "-" => Some(BinaryOp::Sub),
            _ => None,
        })
    }

    fn product(&mut self) -> Result<Node, ExprError> {
        self.chain(Self::signed, |op| match op {
            "*" => Some(BinaryOp::Mul),
            "/" => Some(BinaryOp::Div),
            "//" => Some(BinaryOp::FloorDiv),
            "%" => Some(BinaryOp::Mod),
            _ => None,
        })
    }

    fn chain(
        &mut self,
        operand: fn(&mut Self) -> Result<Node, ExprError>,
        operator: fn(&str) -> Option<BinaryOp>,
    ) -> Result<Node, ExprError> {
        let mut first = operand(self)?;
        let mut rest: Vec<Step> = Vec::new();
        while let TokenKind::Op(mark) = self.peek().kind
            && let Some(op) = operator(mark)
        {
            self.advance();
            let right = operand(self)?;
            let span = Span { start: first.span.start, end: right.span.end };
            let folded = if rest.is_empty() { fold_step(op, &first, &right) } else { None };
            match folded {
                Some(value) => first = Node { span, kind: Kind::Const(value) },
                None => rest.push(Step { op, right, span }),
            }
        }
        let Some(last) = rest.last() else {
            return Ok(first);
        };
        let span = last.span;
        Ok(Node { span, kind: Kind::Chain(Box::new(first), rest.into()) })
    }

    fn signed(&mut self) -> Result<Node, ExprError> {
        if self.is_op("-") {
            self.prefixed(UnaryOp::Minus, Self::signed)
        } else if self.is_op("+") {
            self.prefixed(UnaryOp::Plus, Self::signed)
        } else {
            self.access()
        }
    }
}
