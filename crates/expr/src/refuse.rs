//! What is said about the parts of Python that the language does not have.

use crate::api::{ExprError, Root, Span};
use crate::ast::Node;
use crate::lexer::{TokenKind, refusal};
use crate::parser::Parser;
use crate::suggest;

const FUNCTIONS: &str = "function calls are limited to str, int, float, bool, abs, len";

impl Parser<'_> {
    /// The error for a token that cannot stand where it stands.
    pub(crate) fn unexpected(&self, wanted: &str) -> ExprError {
        let token = self.peek();
        let (span, found) = (token.span, self.source(token.span));
        match &token.kind {
            TokenKind::Bad(error) => error.as_ref().clone(),
            TokenKind::End if self.text.trim().is_empty() => refusal(span, "the expression is empty", ""),
            TokenKind::End => refusal(span, format!("the expression ends where {wanted} is expected"), ""),
            TokenKind::Op("=") => refusal(span, "`=` does not compare", self.meant_by_equals()),
            TokenKind::Op(",") if self.depth == 0 => refusal(
                span,
                "a list of values needs brackets here",
                "write (a, b), as in row['x'] in ('a', 'b')",
            ),
            TokenKind::Op("*") => {
                refusal(span, format!("{wanted} is expected, found `*`"), "nothing can be unpacked")
            }
            TokenKind::Name if self.text[..span.start].ends_with(['\'', '"']) => {
                let help = "write \\' for a quote within '...', or use the other quotes";
                refusal(span, format!("the text ends before `{found}`"), help)
            }
            TokenKind::Name => unexpected_word(span, found, wanted),
            TokenKind::Op(_) | TokenKind::Int(_) | TokenKind::Float(_) | TokenKind::Str(_) => {
                refusal(span, format!("{wanted} is expected, found `{found}`"), "")
            }
        }
    }
}

impl Parser<'_> {
    fn meant_by_equals(&self) -> &'static str {
        match self.peek_second().map(|next| &next.kind) {
            Some(TokenKind::Op(">")) => "write `>=`",
            Some(TokenKind::Op("<")) => "write `<=`",
            Some(_) | None => "write `==`",
        }
    }

    /// The error for a word that is no value, or for what follows it if that shows what was meant.
    pub(crate) fn unknown_word(&self, word: &str, span: Span) -> ExprError {
        match self.peek_second().map(|next| (next.span, &next.kind)) {
            Some((next, TokenKind::Name)) if self.source(next) == "for" => {
                unexpected_word(next, "for", "a value")
            }
            Some((next, TokenKind::Bad(error))) if self.text[next.start..].starts_with(":=") => {
                error.as_ref().clone()
            }
            Some((_, TokenKind::Op(mark))) => self::word(word, span, self.root, mark),
            Some(_) | None => self::word(word, span, self.root, ""),
        }
    }
}

fn unexpected_word(span: Span, found: &str, wanted: &str) -> ExprError {
    let lower = found.to_lowercase();
    match lower.as_str() {
        "for" | "async" => {
            refusal(span, "comprehensions are not available", "test single items, as in 'a' in row['list']")
        }
        "and" | "or" | "not" | "in" | "is" | "if" | "else" if lower != found => {
            refusal(span, format!("`{found}` is not an operator"), &format!("write `{lower}`"))
        }
        "else" => refusal(span, "`else` stands without its `if`", "write `x if condition else y`"),
        "as" | "from" | "import" | "lambda" | "await" | "yield" => not_available(span, found),
        _ => refusal(span, format!("{wanted} is expected, found `{found}`"), ""),
    }
}

fn not_available(span: Span, word: &str) -> ExprError {
    refusal(span, format!("`{word}` is not available"), "")
}

/// A name that is none, with the mark behind it.
fn word(word: &str, span: Span, root: Root, next: &str) -> ExprError {
    let lower = word.to_lowercase();
    match lower.as_str() {
        "true" | "false" | "none" => {
            let right = format!("{}{}", lower[..1].to_uppercase(), &lower[1..]);
            refusal(span, format!("the name `{word}` is not known"), &format!("write `{right}`"))
        }
        "null" | "nil" | "undefined" => {
            refusal(span, format!("the name `{word}` is not known"), "write `None`")
        }
        "not" | "and" | "or" | "in" | "is" | "if" | "else" if word != lower => {
            refusal(span, format!("`{word}` is not an operator"), &format!("write `{lower}`"))
        }
        "not" => refusal(span, "`not` cannot stand here", "put it in parentheses: (not x)"),
        "and" | "or" | "in" | "is" | "if" | "else" => {
            refusal(span, format!("a value is expected, found `{word}`"), "")
        }
        "for" | "async" => refusal(span, "comprehensions are not available", ""),
        "lambda" | "await" | "yield" | "import" | "from" | "as" | "def" | "return" | "while" | "assert"
        | "del" | "try" | "with" | "class" | "global" | "pass" | "raise"
            if word == lower =>
        {
            not_available(span, word)
        }
        _ if next == "(" => refusal(span, format!("`{word}` is not a function of the language"), FUNCTIONS),
        _ => unknown_name(word, span, root, matches!(next, "[" | ".")),
    }
}

const fn names_of(root: Root) -> &'static [&'static str] {
    match root {
        Root::Row | Root::Trigger => &["row"],
        Root::Commencement => &["dependency_runs", "collections", "env"],
    }
}

fn unknown_name(word: &str, span: Span, root: Root, is_accessed: bool) -> ExprError {
    let near = suggest::nearest(word, names_of(root)).filter(|_| is_accessed);
    if let Some(near) = near {
        return refusal(span, format!("the name `{word}` is not known"), &format!("did you mean `{near}`?"));
    }
    let help = match (root, word) {
        (Root::Row, _) => format!("write row['{word}'] for a field"),
        (Root::Trigger, "batch_count" | "batch_age_seconds") => format!("write row['{word}']"),
        (Root::Trigger, _) => "a trigger knows row['batch_count'] and row['batch_age_seconds']".to_owned(),
        (Root::Commencement, _) => "the names are dependency_runs, collections and env".to_owned(),
    };
    refusal(span, format!("the name `{word}` is not known"), &help)
}

pub(crate) fn call_of_value(span: Span) -> ExprError {
    refusal(span, "the result of an expression cannot be called", FUNCTIONS)
}

pub(crate) fn slice(span: Span) -> ExprError {
    refusal(span, "slices are not available", "take single items, as in row['name'][0]")
}

/// `of.name` other than `of.get(...)`.
pub(crate) fn attribute(span: Span, of: &str, name: &str, is_called: bool) -> ExprError {
    if name == "get" {
        return refusal(span, ".get must be called", "write .get('name') or .get('name', default)");
    }
    if is_called {
        return refusal(span, format!("the method .{name}() is not available, only .get() is"), FUNCTIONS);
    }
    refusal(span, "attributes are not available", &format!("write {of}['{name}']"))
}

/// A use of a trigger's row for anything but its two fields.
pub(crate) fn trigger_key(node: &Node) -> ExprError {
    let message = match node.constant_text() {
        Some(name) => format!("a trigger has no field '{name}'"),
        None => "a trigger's row can only be asked for its two fields by name".to_owned(),
    };
    refusal(node.span, message, "write row['batch_count'] or row['batch_age_seconds']")
}
