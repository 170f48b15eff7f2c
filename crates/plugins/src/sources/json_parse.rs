//! One JSON text (RFC 8259) to values, strictly.
//!
//! Stricter than the usual readers where a record could otherwise come out different from what it says: a key that is
//! there twice, an integer that a double cannot hold, a number that becomes infinite and half of a surrogate pair are
//! refused, and nesting is bounded. `2500` and `2500.0` stay different.

use compact_str::CompactString;
use elspeth_canonical::MAX_SAFE_INTEGER;
use elspeth_value::Value;
use memchr::memchr2;

/// Deepest nesting of lists and maps.
pub(crate) const MAX_DEPTH: usize = 64;

/// Most keys that one object may have.
pub(crate) const MAX_KEYS: usize = 10_000;

/// What a text holds.
#[derive(Debug, PartialEq)]
pub(crate) enum Parsed {
    /// An object, with its distinct keys in order.
    Object(Vec<(CompactString, Value)>),
    /// Something else; its type in words.
    Other(&'static str),
}

/// Why a text is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JsonFault {
    /// Byte of the text at which it was found.
    pub at: usize,
    /// What is wrong.
    pub message: String,
}

impl JsonFault {
    /// The sentence, with the character (from 1) of `text` at which it was found.
    pub(crate) fn sentence(&self, text: &str) -> String {
        let character = text.get(..self.at).map_or(self.at, |before| before.chars().count()) + 1;
        format!("{} (at character {character})", self.message)
    }
}

/// Reads the one value that `text` is.
///
/// # Errors
/// The first fault.
pub(crate) fn parse(text: &str) -> Result<Parsed, JsonFault> {
    let mut parser = Parser { text, at: 0 };
    parser.skip_blanks();
    let parsed = if parser.peek() == Some(b'{') {
        Parsed::Object(parser.object(1)?)
    } else {
        Parsed::Other(parser.value(0)?.type_name())
    };
    parser.skip_blanks();
    match parser.peek() {
        None => Ok(parsed),
        Some(_) => Err(parser.fault("there is more text behind the value")),
    }
}

/// The text of the JSON string that `text` is, quotes included.
pub(crate) fn parse_string(text: &str) -> Result<CompactString, JsonFault> {
    let mut parser = Parser { text, at: 0 };
    if parser.peek() != Some(b'"') {
        return Err(parser.expected("a key in quotes"));
    }
    let string = parser.string()?;
    match parser.peek() {
        None => Ok(string),
        Some(_) => Err(parser.expected("`:`")),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    fn peek(&self) -> Option<u8> {
        self.bytes().get(self.at).copied()
    }

    fn fault(&self, message: impl Into<String>) -> JsonFault {
        JsonFault { at: self.at, message: message.into() }
    }

    fn expected(&self, what: &str) -> JsonFault {
        match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            Some(found) => self.fault(format!("expected {what}, found `{found}`")),
            None => self.fault(format!("expected {what}, but the record ends")),
        }
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, JsonFault> {
        match self.peek() {
            Some(b'"') => self.string().map(Value::Str),
            Some(b'{') => Ok(Value::Map(self.object(depth + 1)?.into_iter().collect())),
            Some(b'[') => self.list(depth + 1).map(Value::List),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Result<Value, JsonFault> {
        let words = [("true", Value::Bool(true)), ("false", Value::Bool(false)), ("null", Value::Null)];
        for (word, value) in words {
            if self.text[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        self.refuse_nonfinite()?;
        Err(self.expected("a value"))
    }

    fn refuse_nonfinite(&self) -> Result<(), JsonFault> {
        let rest = &self.text[self.at..];
        match ["NaN", "Infinity", "-Infinity"].iter().find(|word| rest.starts_with(**word)) {
            Some(word) => {
                Err(self.fault(format!("{word} is refused: numbers must be finite; write null, or text")))
            }
            None => Ok(()),
        }
    }

    fn deeper(&self, depth: usize) -> Result<(), JsonFault> {
        if depth > MAX_DEPTH {
            return Err(self.fault(format!("nested more than {MAX_DEPTH} levels deep")));
        }
        Ok(())
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Value>, JsonFault> {
        self.deeper(depth)?;
        let mut items = Vec::new();
        self.members(b']', "`,` or `]`", |parser| {
            items.push(parser.value(depth)?);
            Ok(())
        })?;
        Ok(items)
    }

    fn object(&mut self, depth: usize) -> Result<Vec<(CompactString, Value)>, JsonFault> {
        self.deeper(depth)?;
        let start = self.at;
        let mut entries: Vec<(CompactString, Value)> = Vec::new();
        self.members(b'}', "`,` or `}`", |parser| {
            if parser.peek() != Some(b'"') {
                return Err(parser.expected("a key in quotes"));
            }
            if entries.len() == MAX_KEYS {
                return Err(parser.fault(format!("an object with more than {MAX_KEYS} keys")));
            }
            let key = parser.string()?;
            parser.skip_blanks();
            if parser.peek() != Some(b':') {
                return Err(parser.expected("`:`"));
            }
            parser.at += 1;
            parser.skip_blanks();
            entries.push((key, parser.value(depth)?));
            Ok(())
        })?;
        match duplicate(&entries) {
            Some(key) => Err(JsonFault { at: start, message: format!("the key `{key}` is there twice") }),
            None => Ok(entries),
        }
    }

    /// Steps over an opening bracket, members with commas between, and the closing bracket.
    fn members(
        &mut self,
        close: u8,
        between: &str,
        mut member: impl FnMut(&mut Self) -> Result<(), JsonFault>,
    ) -> Result<(), JsonFault> {
        self.at += 1;
        self.skip_blanks();
        if self.peek() == Some(close) {
            self.at += 1;
            return Ok(());
        }
        loop {
            member(self)?;
            self.skip_blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b) if b == close => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.expected(between)),
            }
            self.skip_blanks();
        }
    }

    fn number(&mut self) -> Result<Value, JsonFault> {
        self.refuse_nonfinite()?;
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        let digits = self.digits()?;
        if digits > 1 && self.bytes()[self.at - digits] == b'0' {
            self.at = start;
            return Err(self.fault("a number that begins with a superfluous 0"));
        }
        let whole = !matches!(self.peek(), Some(b'.' | b'e' | b'E'));
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        let text = &self.text[start..self.at];
        let refused = |message: String| Err(JsonFault { at: start, message });
        if whole {
            return match text.parse::<i64>() {
                Ok(value) if value.abs() <= MAX_SAFE_INTEGER => Ok(Value::Int(value)),
                _ => refused(format!(
                    "the integer {} is beyond +-(2^53-1); write it as text (`str`)",
                    shown(text)
                )),
            };
        }
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Value::Float(value)),
            _ => refused(format!("the number {} is too large", shown(text))),
        }
    }

    fn digits(&mut self) -> Result<usize, JsonFault> {
        let count = self.bytes()[self.at..].iter().take_while(|b| b.is_ascii_digit()).count();
        if count == 0 {
            return Err(self.expected("a digit"));
        }
        self.at += count;
        Ok(count)
    }

    /// A string; `at` is on its opening quote.
    fn string(&mut self) -> Result<CompactString, JsonFault> {
        self.at += 1;
        let mut out = CompactString::default();
        loop {
            let Some(len) = memchr2(b'"', b'\\', &self.bytes()[self.at..]) else {
                self.at = self.text.len();
                return Err(self.fault("a text is not closed with `\"`"));
            };
            let plain = &self.text[self.at..self.at + len];
            if let Some(control) = plain.bytes().position(|b| b < 0x20) {
                self.at += control;
                return Err(self.fault("a control character in a text must be escaped"));
            }
            out.push_str(plain);
            self.at += len + 1;
            if self.bytes()[self.at - 1] == b'"' {
                return Ok(out);
            }
            out.push(self.escape()?);
        }
    }

    /// One escaped character; `at` is behind the backslash.
    fn escape(&mut self) -> Result<char, JsonFault> {
        let escaped = match self.peek() {
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(c),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(),
            _ => return Err(self.expected("one of `\"\\/bfnrtu` after a backslash")),
        };
        self.at += 1;
        Ok(escaped)
    }

    fn unicode_escape(&mut self) -> Result<char, JsonFault> {
        let start = self.at - 1;
        let lone = JsonFault { at: start, message: "half of a surrogate pair is no character".to_owned() };
        let first = self.code_unit()?;
        if !(0xD800..0xE000).contains(&first) {
            return char::from_u32(first).ok_or(lone);
        }
        if first >= 0xDC00 || !self.text[self.at..].starts_with("\\u") {
            return Err(lone);
        }
        self.at += 1;
        let second = self.code_unit()?;
        if !(0xDC00..0xE000).contains(&second) {
            return Err(lone);
        }
        char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00)).ok_or(lone)
    }

    /// The four digits behind a `u`.
    fn code_unit(&mut self) -> Result<u32, JsonFault> {
        self.at += 1;
        let digits = self.text.get(self.at..self.at + 4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(unit) = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) else {
            return Err(self.expected("four hexadecimal digits after `\\u`"));
        };
        self.at += 4;
        Ok(unit)
    }
}

/// A key that is there twice. Few keys are compared with each other, many are sorted.
fn duplicate(entries: &[(CompactString, Value)]) -> Option<&str> {
    if entries.len() <= 16 {
        let mut pairs = entries.iter().enumerate();
        return pairs
            .find(|(n, (key, _))| entries[..*n].iter().any(|(k, _)| k == key))
            .map(|(_, (key, _))| key.as_str());
    }
    let mut keys: Vec<&str> = entries.iter().map(|(key, _)| key.as_str()).collect();
    keys.sort_unstable();
    keys.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}

/// At most 40 characters of a number.
fn shown(number: &str) -> String {
    match number.get(..40) {
        Some(beginning) if number.len() > 40 => format!("{beginning}..."),
        _ => number.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(text: &str) -> Result<Value, String> {
        let mut parser = Parser { text, at: 0 };
        let value = parser.value(0).map_err(|e| e.sentence(text))?;
        if parser.at == text.len() { Ok(value) } else { Err("rest".to_owned()) }
    }

    #[test]
    fn numbers_keep_their_kind() {
        let cases = [
            ("0", Value::Int(0)),
            ("-0", Value::Int(0)),
            ("2500", Value::Int(2500)),
            ("2500.0", Value::Float(2500.0)),
            ("1e3", Value::Float(1000.0)),
            ("-1.5E-3", Value::Float(-0.0015)),
            ("9007199254740991", Value::Int(9_007_199_254_740_991)),
            ("-9007199254740991", Value::Int(-9_007_199_254_740_991)),
        ];
        for (text, expected) in cases {
            assert_eq!(value(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_json_or_not_exact_is_refused_with_its_place() {
        let cases = [
            (
                "9007199254740992",
                "the integer 9007199254740992 is beyond +-(2^53-1); write it as text (`str`) (at character 1)",
            ),
            (
                "[1, 123456789012345678901234567890]",
                "the integer 123456789012345678901234567890 is beyond +-(2^53-1); write it as text (`str`) (at character 5)",
            ),
            ("NaN", "NaN is refused: numbers must be finite; write null, or text (at character 1)"),
            (
                "[-Infinity]",
                "-Infinity is refused: numbers must be finite; write null, or text (at character 2)",
            ),
            ("1e999", "the number 1e999 is too large (at character 1)"),
            ("{\"a\":1,\"b\":2,\"a\":3}", "the key `a` is there twice (at character 1)"),
            ("{\"a\":1,}", "expected a key in quotes, found `}` (at character 8)"),
            ("[1 2]", "expected `,` or `]`, found `2` (at character 4)"),
            ("[1", "expected `,` or `]`, but the record ends (at character 3)"),
            ("\"\u{e9}\\x\"", "expected one of `\"\\/bfnrtu` after a backslash, found `x` (at character 4)"),
            ("\"\\ud800\"", "half of a surrogate pair is no character (at character 2)"),
            ("\"\\ud800\\u0041\"", "half of a surrogate pair is no character (at character 2)"),
            ("\"a\nb\"", "a control character in a text must be escaped (at character 3)"),
            ("01", "a number that begins with a superfluous 0 (at character 1)"),
            ("-", "expected a digit, but the record ends (at character 2)"),
            ("1.", "expected a digit, but the record ends (at character 3)"),
            ("nul", "expected a value, found `n` (at character 1)"),
            ("'a'", "expected a value, found `'` (at character 1)"),
            ("\"abc", "a text is not closed with `\"` (at character 5)"),
        ];
        for (text, expected) in cases {
            assert_eq!(value(text), Err(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn nesting_and_keys_are_bounded() {
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        assert!(value(&nested(MAX_DEPTH)).is_ok());
        assert!(value(&nested(MAX_DEPTH + 1)).unwrap_err().starts_with("nested more than 64 levels deep"));
        assert!(value(&nested(1_000_000)).is_err());
        let keys =
            |n: usize| format!("{{{}}}", (0..n).map(|k| format!("\"k{k}\":0")).collect::<Vec<_>>().join(","));
        assert!(value(&keys(100)).is_ok());
        assert!(value(&keys(MAX_KEYS + 1)).unwrap_err().starts_with("an object with more than 10000 keys"));
        let twice = keys(100).replace("\"k99\"", "\"k3\"");
        assert!(value(&twice).unwrap_err().starts_with("the key `k3` is there twice"));
    }

    fn of_serde(json: &serde_json::Value) -> Value {
        match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(b) => Value::Bool(*b),
            serde_json::Value::Number(n) => {
                n.as_i64().map_or_else(|| Value::Float(n.as_f64().unwrap()), Value::Int)
            }
            serde_json::Value::String(s) => Value::Str(s.as_str().into()),
            serde_json::Value::Array(items) => Value::List(items.iter().map(of_serde).collect()),
            serde_json::Value::Object(map) => {
                Value::Map(map.iter().map(|(k, v)| (k.as_str().into(), of_serde(v))).collect())
            }
        }
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            (-MAX_SAFE_INTEGER..=MAX_SAFE_INTEGER).prop_map(Into::into),
            any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::Array),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_serde_json_writes_is_read_as_it_was(json in any_json(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&json) } else { serde_json::to_string(&json) }.unwrap();
            prop_assert_eq!(value(&text), Ok(of_serde(&json)));
        }

        #[test]
        fn what_serde_json_refuses_is_refused(text in "[\\[\\]{}:,\"0-9a\\\\. eE+-]{0,12}") {
            let ours = value(text.trim());
            let theirs = serde_json::from_str::<serde_json::Value>(text.trim());
            if theirs.is_err() {
                prop_assert!(ours.is_err(), "we read {ours:?}");
            }
        }
    }
}
