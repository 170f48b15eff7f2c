use alloc::string::String;
use alloc::vec::Vec;

use super::{BadJson, Json, MAX_SAFE_INTEGER};

/// How deep lists and objects may nest: what is read here has five levels at most.
const DEEPEST: usize = 32;

pub(super) fn document(text: &str) -> Result<Json, BadJson> {
    let mut reader = Reader { text, at: 0 };
    let json = reader.value(0)?;
    if reader.at == text.len() { Ok(json) } else { reader.wrong("something stands behind the end") }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn wrong<T>(&self, what: &'static str) -> Result<T, BadJson> {
        Err(BadJson { at: self.at, what })
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn takes(&mut self, expected: &str) -> bool {
        let found = self.text.as_bytes()[self.at..].starts_with(expected.as_bytes());
        self.at += if found { expected.len() } else { 0 };
        found
    }

    fn value(&mut self, depth: usize) -> Result<Json, BadJson> {
        if depth > DEEPEST {
            return self.wrong("nested too deep");
        }
        match self.peek() {
            Some(b'"') => self.string().map(Json::Text),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'-' | b'0'..=b'9') => self.integer(),
            _ if self.takes("null") => Ok(Json::Null),
            _ if self.takes("true") => Ok(Json::Flag(true)),
            _ if self.takes("false") => Ok(Json::Flag(false)),
            _ => self.wrong("expected a value"),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Json, BadJson> {
        self.at += 1;
        let mut items = Vec::new();
        if self.takes("]") {
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.takes("]") {
                return Ok(Json::List(items));
            }
            if !self.takes(",") {
                return self.wrong("expected `,` or `]`");
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, BadJson> {
        self.at += 1;
        let mut entries: Vec<(String, Json)> = Vec::new();
        if self.takes("}") {
            return Ok(Json::Object(entries));
        }
        loop {
            if self.peek() != Some(b'"') {
                return self.wrong("expected a key");
            }
            let key = self.string()?;
            if entries.last().is_some_and(|(last, _)| key.encode_utf16().le(last.encode_utf16())) {
                return self.wrong("a key is there twice, or out of order");
            }
            if !self.takes(":") {
                return self.wrong("expected `:`");
            }
            entries.push((key, self.value(depth + 1)?));
            if self.takes("}") {
                return Ok(Json::Object(entries));
            }
            if !self.takes(",") {
                return self.wrong("expected `,` or `}`");
            }
        }
    }

    fn integer(&mut self) -> Result<Json, BadJson> {
        let negative = self.takes("-");
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        let digits = &self.text[start..self.at];
        let sound = match digits.as_bytes() {
            [] => false,
            [b'0'] => !negative,
            [first, ..] => *first != b'0',
        };
        let number = digits.parse::<u64>().ok().filter(|number| sound && *number <= MAX_SAFE_INTEGER);
        match number.and_then(|number| i64::try_from(number).ok()) {
            Some(number) => Ok(Json::Integer(if negative { -number } else { number })),
            None => self.wrong("a number that is not an integer within ±(2^53-1) in its shortest form"),
        }
    }

    fn string(&mut self) -> Result<String, BadJson> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let start = self.at;
            while matches!(self.peek(), Some(byte) if byte >= 0x20 && byte != b'"' && byte != b'\\') {
                self.at += 1;
            }
            // Both ends are at ASCII bytes, so the slice is on character boundaries.
            text.push_str(&self.text[start..self.at]);
            if self.takes("\"") {
                return Ok(text);
            }
            if !self.takes("\\") {
                return self.wrong("a text that does not end, or a control character in it");
            }
            text.push(self.escaped()?);
        }
    }

    /// The escapes that RFC 8785 (3.2.2.2) writes, and no others.
    fn escaped(&mut self) -> Result<char, BadJson> {
        const SHORT: [(&str, char); 7] = [
            ("\"", '"'),
            ("\\", '\\'),
            ("b", '\u{8}'),
            ("t", '\t'),
            ("n", '\n'),
            ("f", '\u{c}'),
            ("r", '\r'),
        ];
        if let Some((_, c)) = SHORT.iter().find(|(letter, _)| self.takes(letter)) {
            return Ok(*c);
        }
        let digits = self.text.as_bytes().get(self.at..self.at + 5).unwrap_or_default();
        let control = match digits {
            [b'u', b'0', b'0', high @ b'0'..=b'1', low @ b'0'..=b'9'] => (high - b'0') << 4 | (low - b'0'),
            [b'u', b'0', b'0', high @ b'0'..=b'1', low @ b'a'..=b'f'] => {
                (high - b'0') << 4 | (low - b'a' + 10)
            }
            _ => return self.wrong("an escape that is not needed, or is none"),
        };
        if matches!(control, 8 | 9 | 10 | 12 | 13) {
            return self.wrong("an escape that has a shorter form");
        }
        self.at += 5;
        Ok(char::from(control))
    }
}
