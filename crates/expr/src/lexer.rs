//! From text to tokens.
//!
//! Key type: [`Token`]. Invariant: the last token is `End` or `Bad`, and tokens do not overlap. What the lexer refuses
//! becomes a `Bad` token, so that the parser still reports what stands before it. Knows nothing of grammar.

use compact_str::CompactString;

use crate::api::{ExprError, Span};
use crate::literal;

/// One word of the language.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) span: Span,
    pub(crate) kind: TokenKind,
}

#[derive(Debug, Clone)]
pub(crate) enum TokenKind {
    Int(i64),
    Float(f64),
    Str(CompactString),
    Name,
    Op(&'static str),
    Bad(Box<ExprError>),
    End,
}

/// Operators and marks that the grammar uses, longest first.
const OPERATORS: [&str; 21] = [
    "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "<", ">", "=", "(", ")", "[", "]", "{", "}", ",",
    ":",
];

/// Operators and marks that are Python's, or another language's, but not this one's; looked for before [`OPERATORS`].
const REFUSED: [(&str, &str, &str); 24] = [
    ("**", "`**` is not available", "for a power multiply, as in x * x"),
    (":=", "`:=` is not available", "an expression cannot assign; repeat the part instead"),
    ("->", "`->` is not part of the language", ""),
    ("<<", "bit operators are not available", ""),
    (">>", "bit operators are not available", ""),
    ("<>", "`<>` is not part of the language", "write `!=`"),
    ("===", "`===` is not part of the language", "write `==`"),
    ("!==", "`!==` is not part of the language", "write `!=`"),
    ("&&", "`&&` is not part of the language", "write `and`"),
    ("||", "`||` is not part of the language", "write `or`"),
    ("...", "`...` is not available", ""),
    ("//=", "an expression cannot assign", ""),
    ("+=", "an expression cannot assign", ""),
    ("-=", "an expression cannot assign", ""),
    ("*=", "an expression cannot assign", ""),
    ("/=", "an expression cannot assign", ""),
    ("%=", "an expression cannot assign", ""),
    ("&", "bit operators are not available", "write `and`"),
    ("|", "bit operators are not available", "write `or`"),
    ("^", "bit operators are not available", ""),
    ("~", "bit operators are not available", ""),
    ("@", "the operator `@` is not available", ""),
    (";", "a condition is one expression", "remove the `;`"),
    ("`", "backquotes are not part of the language", "write text in '...' or \"...\""),
];

/// The tokens of `text`.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer { text, at: 0, brackets: 0, tokens: Vec::new() };
    let end = loop {
        match lexer.next() {
            Ok(token @ Token { kind: TokenKind::End, .. }) => break token,
            Ok(token) => lexer.tokens.push(token),
            Err(error) => break Token { span: error.span, kind: TokenKind::Bad(Box::new(error)) },
        }
    };
    lexer.tokens.push(end);
    lexer.tokens
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    brackets: usize,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    fn next(&mut self) -> Result<Token, ExprError> {
        self.skip_blanks()?;
        let start = self.at;
        let rest = &self.text[start..];
        let Some(first) = rest.chars().next() else {
            return Ok(Token { span: Span { start, end: start }, kind: TokenKind::End });
        };
        let starts_fraction = first == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit());
        let kind = if first.is_ascii_digit() || starts_fraction {
            self.number()?
        } else if first == '\'' || first == '"' {
            let (text, end) = literal::string(self.text, start)?;
            self.at = end;
            TokenKind::Str(text)
        } else if first == '_' || first.is_alphabetic() {
            self.word()?
        } else {
            self.operator()?
        };
        Ok(Token { span: Span { start, end: self.at }, kind })
    }

    fn skip_blanks(&mut self) -> Result<(), ExprError> {
        loop {
            let rest = &self.text[self.at..];
            if rest.starts_with('#') {
                self.at += rest.find('\n').unwrap_or(rest.len());
                continue;
            }
            let blanks = rest.len() - rest.trim_start_matches([' ', '\t', '\x0c']).len();
            if blanks > 0 {
                self.at += blanks;
            } else if let Some(length) = line_break(rest) {
                self.refuse_line_break(length)?;
                self.at += length;
            } else {
                return Ok(());
            }
        }
    }

    /// A line may end within brackets, before the expression and after it.
    fn refuse_line_break(&self, length: usize) -> Result<(), ExprError> {
        let is_last = self.text[self.at..].lines().all(|line| {
            let line = line.trim_start();
            line.is_empty() || line.starts_with('#')
        });
        if self.brackets > 0 || self.tokens.is_empty() || is_last {
            return Ok(());
        }
        let span = Span { start: self.at, end: self.at + length };
        Err(refusal(
            span,
            "the expression goes on after the end of its line",
            "put parentheses around the whole expression",
        ))
    }

    fn number(&mut self) -> Result<TokenKind, ExprError> {
        let (number, end) = literal::number(self.text, self.at)?;
        self.at = end;
        Ok(match number {
            literal::Number::Int(value) => TokenKind::Int(value),
            literal::Number::Float(value) => TokenKind::Float(value),
        })
    }

    fn word(&mut self) -> Result<TokenKind, ExprError> {
        let start = self.at;
        let rest = &self.text[start..];
        let length = rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len());
        self.at += length;
        let prefix = string_prefix(&rest[..length]).filter(|_| rest[length..].starts_with(['\'', '"']));
        if let Some(message) = prefix {
            let span = Span { start, end: self.at };
            return Err(refusal(span, message, "write plain text in '...' or \"...\", and join with `+`"));
        }
        Ok(TokenKind::Name)
    }

    fn operator(&mut self) -> Result<TokenKind, ExprError> {
        let rest = &self.text[self.at..];
        let span = |length: usize| Span { start: self.at, end: self.at + length };
        let refused = REFUSED.iter().filter(|(mark, ..)| rest.starts_with(mark));
        if let Some((mark, message, help)) = refused.max_by_key(|(mark, ..)| mark.len()) {
            return Err(refusal(span(mark.len()), *message, help));
        }
        if rest.starts_with('.') {
            self.at += 1;
            return Ok(TokenKind::Op("."));
        }
        let Some(operator) = OPERATORS.into_iter().find(|operator| rest.starts_with(operator)) else {
            return Err(strange(rest, self.at));
        };
        self.at += operator.len();
        match operator {
            "(" | "[" | "{" => self.brackets += 1,
            ")" | "]" | "}" => self.brackets = self.brackets.saturating_sub(1),
            _ => {}
        }
        Ok(TokenKind::Op(operator))
    }
}

/// What is said about a word that Python takes as the prefix of a text.
fn string_prefix(word: &str) -> Option<&'static str> {
    match word.to_ascii_lowercase().as_str() {
        "f" | "fr" | "rf" => Some("f-strings are not available"),
        "b" | "br" | "rb" => Some("bytes are not available"),
        "r" | "u" => Some("text takes no prefix"),
        _ => None,
    }
}

/// The length of the line break that `rest` starts with.
fn line_break(rest: &str) -> Option<usize> {
    ["\r\n", "\n", "\r"].into_iter().find(|end| rest.starts_with(end)).map(str::len)
}

fn strange(rest: &str, start: usize) -> ExprError {
    let c = rest.chars().next().unwrap_or(' ');
    let (message, help) = match c {
        '!' => ("`!` is not part of the language".to_owned(), "write `not`"),
        '$' => ("`$` is not part of the language".to_owned(), "write row['name'] for a field"),
        '\u{2018}' | '\u{2019}' | '\u{201c}' | '\u{201d}' => {
            (format!("`{c}` is a typographic quote"), "write text in '...' or \"...\"")
        }
        '?' => ("`?` is not part of the language".to_owned(), "write `x if condition else y`"),
        '\\' => {
            ("a backslash may only stand in text".to_owned(), "put parentheses around the whole expression")
        }
        _ => (format!("{c:?} is not part of the language"), ""),
    };
    refusal(Span { start, end: start + c.len_utf8() }, message, help)
}

/// An error, with help unless that is empty.
pub(crate) fn refusal(span: Span, message: impl Into<String>, help: &str) -> ExprError {
    ExprError { span, message: message.into(), help: (!help.is_empty()).then(|| help.to_owned()) }
}
