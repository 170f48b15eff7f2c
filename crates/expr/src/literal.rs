//! Literals of text and numbers, as Python writes them.
//!
//! Knows nothing of tokens.

use std::str::FromStr as _;

use compact_str::CompactString;

use crate::api::{ExprError, Span};
use crate::lexer::refusal;
use crate::number::MAX_INT;

/// A number in the text.
pub(crate) enum Number {
    Int(i64),
    Float(f64),
}

/// The number at `start`, and where it ends.
pub(crate) fn number(text: &str, start: usize) -> Result<(Number, usize), ExprError> {
    let rest = &text[start..];
    let length = number_length(rest);
    let word = &rest[..length];
    let span = Span { start, end: start + length };
    let lower = word.to_ascii_lowercase();
    let number = match lower.get(..2) {
        Some("0x") => based(&lower[2..], 16),
        Some("0o") => based(&lower[2..], 8),
        Some("0b") => based(&lower[2..], 2),
        Some(_) | None => decimal(&lower),
    };
    number.map(|number| (number, span.end)).map_err(|(message, help)| refusal(span, message, help))
}

/// As far as something that was meant as one number goes.
fn number_length(rest: &str) -> usize {
    let is_based =
        rest.len() > 1 && rest.starts_with('0') && rest[1..].starts_with(['x', 'X', 'o', 'O', 'b', 'B']);
    let mut previous = ' ';
    for (at, c) in rest.char_indices() {
        let exponent_sign = matches!(c, '+' | '-') && matches!(previous, 'e' | 'E') && !is_based;
        if !(c.is_alphanumeric() || c == '_' || c == '.' || exponent_sign) {
            return at;
        }
        previous = c;
    }
    rest.len()
}

/// What is wrong, and what to write instead.
type Complaint = (&'static str, &'static str);

const NOT_A_NUMBER: Complaint = ("this is not a number", "numbers look like 7, 1_000, 2.5, 1e3 or 0xff");
const TOO_LARGE: Complaint = ("the whole number is beyond +-(2^53-1)", "compare long numbers as text");

fn based(digits: &str, radix: u32) -> Result<Number, Complaint> {
    let digits = digits.strip_prefix('_').unwrap_or(digits);
    if !grouped(digits, |c| c.is_digit(radix)) {
        return Err(NOT_A_NUMBER);
    }
    checked(i64::from_str_radix(&digits.replace('_', ""), radix).ok())
}

fn decimal(word: &str) -> Result<Number, Complaint> {
    if word.ends_with('j') {
        return Err(("complex numbers are not available", ""));
    }
    let (mantissa, exponent) = word.split_once('e').map_or((word, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(w, f)| (w, Some(f)));
    let is_digit = |c: char| c.is_ascii_digit();
    let empty_or_digits = |part: &str| part.is_empty() || grouped(part, is_digit);
    let well_formed = empty_or_digits(whole)
        && fraction.is_none_or(empty_or_digits)
        && exponent.is_none_or(|e| grouped(e.strip_prefix(['+', '-']).unwrap_or(e), is_digit))
        && !(whole.is_empty() && fraction.is_none_or(str::is_empty));
    if !well_formed {
        return Err(NOT_A_NUMBER);
    }
    let plain = word.replace('_', "");
    if fraction.is_none() && exponent.is_none() {
        if plain.len() > 1 && plain.starts_with('0') && plain.bytes().any(|byte| byte != b'0') {
            return Err(("a whole number does not start with 0", "leave the leading zeros out"));
        }
        return checked(plain.parse().ok());
    }
    let value = f64::from_str(&plain).map_err(|_| NOT_A_NUMBER)?;
    if value.is_finite() {
        Ok(Number::Float(value))
    } else {
        Err(("the number is too large for a float", ""))
    }
}

fn checked(value: Option<i64>) -> Result<Number, Complaint> {
    value.filter(|value| *value <= MAX_INT).map(Number::Int).ok_or(TOO_LARGE)
}

/// Digits, with single underscores between them.
fn grouped(text: &str, is_digit: impl Fn(char) -> bool) -> bool {
    text.split('_').all(|group| !group.is_empty() && group.chars().all(&is_digit))
}

/// The text that starts at the quote at `start`, and where its literal ends.
pub(crate) fn string(text: &str, start: usize) -> Result<(CompactString, usize), ExprError> {
    let quote = &text[start..=start];
    if text[start..].starts_with(&quote.repeat(3)) {
        let span = Span { start, end: start + 3 };
        return Err(refusal(
            span,
            "triple quotes are not available",
            "write text in '...' or \"...\", with \\n for a new line",
        ));
    }
    let mut out = CompactString::default();
    let mut at = start + 1;
    loop {
        let rest = &text[at..];
        let open = || {
            let span = Span { start, end: at };
            refusal(span, "the text is not closed", &format!("end it with {quote}"))
        };
        match rest.chars().next() {
            None | Some('\n' | '\r') => return Err(open()),
            Some('\\') => at += escape(rest, at, &mut out)?,
            Some(_) if rest.starts_with(quote) => return Ok((out, at + 1)),
            Some(c) => {
                out.push(c);
                at += c.len_utf8();
            }
        }
    }
}

/// Appends the character of the escape that `rest` starts with; its length.
fn escape(rest: &str, at: usize, out: &mut CompactString) -> Result<usize, ExprError> {
    let Some(kind) = rest[1..].chars().next() else {
        return Err(refusal(
            Span { start: at, end: at + 1 },
            "the text is not closed",
            "end it with its quote",
        ));
    };
    let simple = match kind {
        '\\' | '\'' | '"' => kind,
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'v' => '\x0b',
        'x' => return coded(rest, at, 2, out),
        'u' => return coded(rest, at, 4, out),
        'U' => return coded(rest, at, 8, out),
        '0'..='7' => return Ok(octal(rest, out)),
        _ => {
            let span = Span { start: at, end: at + 1 + kind.len_utf8() };
            return Err(refusal(span, "the escape is not known", "write `\\\\` for a backslash"));
        }
    };
    out.push(simple);
    Ok(2)
}

/// `\xNN`, `\uNNNN`, `\UNNNNNNNN`
fn coded(rest: &str, at: usize, digits: usize, out: &mut CompactString) -> Result<usize, ExprError> {
    let code = rest.get(2..2 + digits).filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let c = code.and_then(|code| u32::from_str_radix(code, 16).ok()).and_then(char::from_u32);
    let Some(c) = c else {
        let span = Span { start: at, end: at + 2 };
        let help = format!("{digits} hexadecimal digits of a character must follow");
        return Err(refusal(span, "the escape does not name a character", &help));
    };
    out.push(c);
    Ok(2 + digits)
}

/// Up to three octal digits.
fn octal(rest: &str, out: &mut CompactString) -> usize {
    let digits = rest[1..].bytes().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
    let code = u32::from_str_radix(&rest[1..=digits], 8).expect("they are octal digits");
    out.push(char::from_u32(code).expect("at most 0o777, which is a character"));
    digits + 1
}
