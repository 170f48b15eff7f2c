//! Where everything is: a second parse of the same text that keeps positions instead of values.

use std::collections::{BTreeMap, BTreeSet};

use elspeth_graph::SettingPath;
use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use crate::TextSpan;

/// A place in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// From 1.
    pub(crate) line: usize,
    /// In characters, from 1.
    pub(crate) column: usize,
    pub(crate) span: TextSpan,
}

/// Where one setting is.
#[derive(Debug, Clone, Copy)]
struct Mark {
    /// Its key, unless it is an item of a list.
    key: Option<Place>,
    value: Place,
    is_scalar: bool,
}

/// A key that stands twice in one mapping.
#[derive(Debug, Clone)]
pub(crate) struct DuplicateKey {
    pub(crate) key: String,
    pub(crate) at: Place,
    pub(crate) first_line: usize,
}

/// Positions of all settings of one text, by path.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    marks: BTreeMap<String, Mark>,
    pub(crate) duplicates: Vec<DuplicateKey>,
    /// The first key that is a list or a mapping.
    pub(crate) complex_key: Option<Place>,
}

impl Marks {
    /// Reads as far as the text is YAML; what is wrong with the rest is for [`crate::yaml`] to say.
    pub(crate) fn read(text: &str) -> Self {
        let mut builder = Builder::new(text);
        for event in Parser::new_from_str(text) {
            let Ok((event, span)) = event else { break };
            if builder.take(&event, span).is_none() {
                break;
            }
        }
        builder.marks
    }

    /// The place of a setting; of the nearest one that holds it, when it is not in the text itself.
    pub(crate) fn place(&self, path: &SettingPath) -> Option<Place> {
        if let Some(mark) = self.marks.get(path.as_str()) {
            let wants_key = path.is_key() || !mark.is_scalar;
            return Some(if wants_key { mark.key.unwrap_or(mark.value) } else { mark.value });
        }
        let mut shorter = path.as_str();
        while let Some((parent, _)) = shorter.rsplit_once('.') {
            if let Some(mark) = self.marks.get(parent) {
                return Some(mark.key.unwrap_or(mark.value));
            }
            shorter = parent;
        }
        None
    }
}

struct Frame {
    path: String,
    kind: FrameKind,
}

enum FrameKind {
    List { next: usize },
    Mapping { keys: BTreeSet<String>, pending: Option<(String, Place)> },
}

struct Builder<'t> {
    text: &'t str,
    /// Byte offset of each character, and the end.
    offsets: Vec<usize>,
    stack: Vec<Frame>,
    marks: Marks,
    /// Depth of a key that is no scalar; what is in it is not looked at.
    in_complex_key: usize,
}

impl<'t> Builder<'t> {
    fn new(text: &'t str) -> Self {
        let offsets = text.char_indices().map(|(i, _)| i).chain([text.len()]).collect();
        Self { text, offsets, stack: Vec::new(), marks: Marks::default(), in_complex_key: 0 }
    }

    /// `None` when nothing more is to be read.
    fn take(&mut self, event: &Event<'_>, span: Span) -> Option<()> {
        if self.in_complex_key > 0 {
            self.skip_key_part(event);
            return Some(());
        }
        match event {
            Event::Scalar(text, style, ..) => self.scalar(text, *style, span),
            Event::Alias(_) => {
                self.place_value(span, true);
            }
            Event::SequenceStart(..) => self.open(span, FrameKind::List { next: 0 }),
            Event::MappingStart(..) => {
                self.open(span, FrameKind::Mapping { keys: BTreeSet::new(), pending: None });
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.stack.pop();
            }
            Event::DocumentEnd | Event::StreamEnd => return None,
            Event::Nothing | Event::StreamStart | Event::DocumentStart(_) => {}
        }
        Some(())
    }

    fn skip_key_part(&mut self, event: &Event<'_>) {
        match event {
            Event::SequenceStart(..) | Event::MappingStart(..) => self.in_complex_key += 1,
            Event::SequenceEnd | Event::MappingEnd => self.in_complex_key -= 1,
            Event::Scalar(..)
            | Event::Alias(_)
            | Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
    }

    fn awaits_key(&self) -> bool {
        matches!(self.stack.last(), Some(Frame { kind: FrameKind::Mapping { pending: None, .. }, .. }))
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, span: Span) {
        if !self.awaits_key() {
            self.place_value(span, true);
            return;
        }
        let at = self.place(span);
        let Some(Frame { path, kind: FrameKind::Mapping { keys, pending } }) = self.stack.last_mut() else {
            return;
        };
        let key = if style == ScalarStyle::Plain { plain_key(text) } else { text.to_owned() };
        if !keys.insert(key.clone()) && key != "<<" {
            let first = self.marks.marks.get(&join(path, &key)).and_then(|m| m.key);
            let first_line = first.map_or(at.line, |place| place.line);
            self.marks.duplicates.push(DuplicateKey { key: key.clone(), at, first_line });
        }
        *pending = Some((key, at));
    }

    fn open(&mut self, span: Span, kind: FrameKind) {
        if self.awaits_key() {
            self.in_complex_key = 1;
            let place = self.place(span);
            self.marks.complex_key.get_or_insert(place);
            if let Some(Frame { kind: FrameKind::Mapping { pending, .. }, .. }) = self.stack.last_mut() {
                *pending =
                    Some((String::new(), Place { line: 1, column: 1, span: TextSpan { offset: 0, len: 0 } }));
            }
            return;
        }
        let path = self.place_value(span, false);
        self.stack.push(Frame { path, kind });
    }

    /// Notes a value under the path that is its turn, and gives that path.
    fn place_value(&mut self, span: Span, is_scalar: bool) -> String {
        let value = self.place(span);
        if self.awaits_key() {
            // An alias as a key.
            if let Some(Frame { kind: FrameKind::Mapping { pending, .. }, .. }) = self.stack.last_mut() {
                *pending = Some((String::new(), value));
            }
            return String::new();
        }
        let (path, key) = match self.stack.last_mut() {
            None => (String::new(), None),
            Some(Frame { path, kind: FrameKind::List { next } }) => {
                let index = *next;
                *next += 1;
                (join(path, &index.to_string()), None)
            }
            Some(Frame { path, kind: FrameKind::Mapping { pending, .. } }) => {
                let (key, at) = pending.take().unwrap_or_else(|| (String::new(), value));
                (join(path, &key), Some(at))
            }
        };
        // The first of two equal keys keeps its place.
        self.marks.marks.entry(path.clone()).or_insert(Mark { key, value, is_scalar });
        path
    }

    fn place(&self, span: Span) -> Place {
        let last = self.offsets.len() - 1;
        let start = self.offsets[span.start.index().min(last)];
        let end = self.offsets[span.end.index().min(last)].max(start);
        let inside = self.text.get(start..end).unwrap_or_default();
        let len = inside.split(['\n', '\r']).next().unwrap_or_default().trim_end().len();
        let span_of = TextSpan { offset: start, len };
        Place { line: span.start.line(), column: span.start.col() + 1, span: span_of }
    }
}

/// An unquoted key as [`crate::yaml`] has it, so that `True` and `true` are found to be one.
fn plain_key(text: &str) -> String {
    match text {
        "True" | "TRUE" => "true".to_owned(),
        "False" | "FALSE" => "false".to_owned(),
        "~" | "" | "Null" | "NULL" => "null".to_owned(),
        other => other.to_owned(),
    }
}

fn join(path: &str, step: &str) -> String {
    if path.is_empty() { step.to_owned() } else { format!("{path}.{step}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, path: &SettingPath) -> (usize, usize, String) {
        let place = Marks::read(text).place(path).unwrap();
        let span = place.span;
        (place.line, place.column, text[span.offset..span.offset + span.len].to_owned())
    }

    #[test]
    fn keys_values_and_items_are_found() {
        let text = "gates:\n  - name: größe\n    routes: {\"true\": out, False: 'in'}\n";
        let name = SettingPath::new("gates.0.name");
        assert_eq!(place(text, &name), (2, 11, "größe".to_owned()));
        assert_eq!(place(text, &name.key()), (2, 5, "name".to_owned()));
        assert_eq!(place(text, &SettingPath::new("gates.0.routes.true")), (3, 22, "out".to_owned()));
        assert_eq!(place(text, &SettingPath::new("gates.0.routes.false").key()), (3, 27, "False".to_owned()));
        assert_eq!(place(text, &SettingPath::new("gates.0.routes.false")), (3, 34, "'in'".to_owned()));
        assert_eq!(place(text, &SettingPath::new("gates.0.input")), (2, 5, String::new()));
    }

    #[test]
    fn crlf_and_multibyte_text_keep_offsets_right() {
        let text = "a: ü\r\nb: x\r\n";
        assert_eq!(place(text, &SettingPath::new("b")), (2, 4, "x".to_owned()));
    }

    #[test]
    fn every_duplicate_key_is_found() {
        let marks = Marks::read("a: 1\nb: {c: 1, c: 2}\na: 3\n");
        let found: Vec<_> =
            marks.duplicates.iter().map(|d| (d.key.as_str(), d.at.line, d.first_line)).collect();
        assert_eq!(found, [("c", 2, 2), ("a", 3, 1)]);
    }

    #[test]
    fn an_alias_is_placed_where_it_stands() {
        let text = "x: &x {a: 1}\ny: *x\nz: {<<: *x}\n";
        assert_eq!(place(text, &SettingPath::new("y.a")).0, 2);
        assert_eq!(place(text, &SettingPath::new("z.a")).0, 3);
    }
}
