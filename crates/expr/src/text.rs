//! Python's text of values: `str()` and `repr()`.
//!
//! Invariant: nothing is appended once the text is longer than its limit, so a caller that checks the length afterwards
//! never sees a cut text as a whole one. Knows nothing of evaluation.

use std::fmt::Write as _;

use elspeth_value::write_python_float;

use crate::ev::{Ev, Items, SeqKind};
use crate::moment::{date_text, moment_text};

/// `str(value)`, given up after `limit` bytes.
pub(crate) fn str_of(value: &Ev<'_>, limit: usize) -> String {
    let mut writer = Writer { out: String::new(), limit };
    match value {
        Ev::Str(text) => writer.out.push_str(text),
        Ev::Decimal(number) => writer.show(number),
        Ev::Date(date) => writer.out.push_str(&date_text(*date)),
        Ev::DateTime(moment) => writer.out.push_str(&moment_text(*moment)),
        Ev::None | Ev::Bool(_) | Ev::Int(_) | Ev::Float(_) | Ev::Bytes(_) | Ev::Seq(..) | Ev::Dict(_) => {
            writer.repr(value);
        }
    }
    writer.out
}

/// `repr(value)`.
pub(crate) fn repr_of(value: &Ev<'_>) -> String {
    let mut writer = Writer { out: String::new(), limit: 4096 };
    writer.repr(value);
    writer.out
}

struct Writer {
    out: String,
    limit: usize,
}

impl Writer {
    fn repr(&mut self, value: &Ev<'_>) {
        if self.out.len() > self.limit {
            return;
        }
        match value {
            Ev::None => self.out.push_str("None"),
            Ev::Bool(true) => self.out.push_str("True"),
            Ev::Bool(false) => self.out.push_str("False"),
            Ev::Int(number) => self.show(number),
            Ev::Float(number) => self.float(*number),
            Ev::Decimal(number) => {
                self.out.push_str("Decimal('");
                self.show(number);
                self.out.push_str("')");
            }
            Ev::Date(date) => self.quoted(&date_text(*date)),
            Ev::DateTime(moment) => self.quoted(&moment_text(*moment)),
            Ev::Str(text) => self.quoted(text),
            Ev::Bytes(bytes) => self.bytes(bytes),
            Ev::Seq(kind, items) => self.items(*kind, items),
            Ev::Dict(entries) => self.entries(&entries.pairs()),
        }
    }

    fn show(&mut self, value: &impl std::fmt::Display) {
        write!(self.out, "{value}").expect("writing to a string never fails");
    }

    fn float(&mut self, value: f64) {
        let mut text = Vec::with_capacity(24);
        write_python_float(&mut text, value);
        self.out.push_str(str::from_utf8(&text).expect("digits and signs are ASCII"));
    }

    fn items(&mut self, kind: SeqKind, items: &Items<'_>) {
        let (open, close) = match kind {
            SeqKind::Set if items.len() == 0 => return self.out.push_str("set()"),
            SeqKind::Set => ('{', "}"),
            SeqKind::List => ('[', "]"),
            SeqKind::Tuple if items.len() == 1 => ('(', ",)"),
            SeqKind::Tuple => ('(', ")"),
        };
        self.out.push(open);
        for (index, item) in items.iter().enumerate() {
            self.separate(index);
            self.repr(&item);
        }
        self.out.push_str(close);
    }

    fn entries(&mut self, pairs: &[(Ev<'_>, Ev<'_>)]) {
        self.out.push('{');
        for (index, (key, value)) in pairs.iter().enumerate() {
            self.separate(index);
            self.repr(key);
            self.out.push_str(": ");
            self.repr(value);
        }
        self.out.push('}');
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.out.push_str(", ");
        }
    }

    fn quoted(&mut self, text: &str) {
        let quote = quote_for(text.contains('\''), text.contains('"'));
        self.out.push(quote);
        for c in text.chars() {
            if self.out.len() > self.limit {
                return;
            }
            self.char(c, quote);
        }
        self.out.push(quote);
    }

    fn char(&mut self, c: char, quote: char) {
        match c {
            '\\' => self.out.push_str("\\\\"),
            '\n' => self.out.push_str("\\n"),
            '\r' => self.out.push_str("\\r"),
            '\t' => self.out.push_str("\\t"),
            c if c == quote => self.out.extend(['\\', c]),
            c if is_printable(c) => self.out.push(c),
            c => {
                let code = u32::from(c);
                let escape = match code {
                    0..=0xff => format!("\\x{code:02x}"),
                    0x100..=0xffff => format!("\\u{code:04x}"),
                    0x1_0000.. => format!("\\U{code:08x}"),
                };
                self.out.push_str(&escape);
            }
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let quote = quote_for(bytes.contains(&b'\''), bytes.contains(&b'"'));
        self.out.extend(['b', quote]);
        for &byte in bytes {
            if self.out.len() > self.limit {
                return;
            }
            match byte {
                b'\\' | b'\n' | b'\r' | b'\t' | b' '..=b'~' => self.char(char::from(byte), quote),
                byte => self.out.push_str(&format!("\\x{byte:02x}")),
            }
        }
        self.out.push(quote);
    }
}

/// Python takes double quotes only for text that has single ones and no double ones.
const fn quote_for(has_single: bool, has_double: bool) -> char {
    if has_single && !has_double { '"' } else { '\'' }
}

/// Whether Python shows the character as itself. `escape_debug` has the same table (every category of "other" and
/// "separator" but the blank), except that it also escapes combining marks when they come first.
fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return (' '..='~').contains(&c);
    }
    let mut buffer = [b'a', 0, 0, 0, 0];
    let length = c.encode_utf8(&mut buffer[1..]).len();
    let pair = str::from_utf8(&buffer[..=length]).expect("it was just encoded");
    !pair.escape_debug().skip(1).any(|shown| shown == '\\')
}
