use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::Json;
use crate::hash::to_hex;

pub(super) fn value(json: &Json, out: &mut String) {
    match json {
        Json::Null => out.push_str("null"),
        Json::Flag(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Json::Integer(number) => out.push_str(&number.to_string()),
        Json::Text(text) => string(text, out),
        Json::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                comma(at, out);
                value(item, out);
            }
            out.push(']');
        }
        Json::Object(entries) => object(entries, out),
    }
}

fn object(entries: &[(String, Json)], out: &mut String) {
    let mut ordered: Vec<&(String, Json)> = entries.iter().collect();
    ordered.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    out.push('{');
    for (at, (key, item)) in ordered.into_iter().enumerate() {
        comma(at, out);
        string(key, out);
        out.push(':');
        value(item, out);
    }
    out.push('}');
}

fn comma(at: usize, out: &mut String) {
    if at > 0 {
        out.push(',');
    }
}

fn string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            control @ '\0'..='\u{1f}' => {
                out.push_str("\\u00");
                out.push_str(&to_hex(&[u8::try_from(control).expect("it is below 32")]));
            }
            plain => out.push(plain),
        }
    }
    out.push('"');
}
