//! Lines of the details, and how they are broken into rows of a certain width.
//!
//! Invariant: a [`Line`] is printable: it holds nothing that a terminal would obey, whatever was recorded.

use elspeth_app::printable;
use ratatui::style::Style;
use ratatui::text::Span;
use unicode_width::UnicodeWidthStr;

/// What a line is. Each has a sign or a place of its own, so that nothing is told by colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// Nothing in particular.
    Plain,
    /// The title of what follows.
    Heading,
    /// Something went wrong.
    Bad,
    /// A field that is only there afterwards.
    Added,
    /// A field with another value afterwards.
    Changed,
    /// A field that is not there any more afterwards.
    Removed,
}

/// One line as it would be on a page without end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) mark: Mark,
    /// The column in which its later rows begin.
    hang: usize,
}

/// A row on the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) text: String,
    pub(super) mark: Mark,
    /// The line that it belongs to.
    pub(super) line: usize,
}

impl Mark {
    const fn sign(self) -> char {
        match self {
            Self::Plain | Self::Heading | Self::Bad => ' ',
            Self::Added => '+',
            Self::Changed => '~',
            Self::Removed => '-',
        }
    }
}

impl Line {
    pub(super) fn plain(text: &str) -> Self {
        Self { text: printable(text), mark: Mark::Plain, hang: 0 }
    }

    pub(super) fn heading(text: &str) -> Self {
        Self { text: printable(text), mark: Mark::Heading, hang: 0 }
    }

    pub(super) fn bad(text: &str) -> Self {
        Self { text: printable(text), mark: Mark::Bad, hang: 0 }
    }

    /// A line with its sign before it.
    pub(super) fn marked(mark: Mark, text: &str) -> Self {
        let inner = text.len() - text.trim_start_matches(' ').len();
        Self { text: printable(&format!("{} {text}", mark.sign())), mark, hang: inner + 4 }
    }

    pub(super) fn field(name: &str, value: &str) -> Self {
        Self { text: printable(&format!("{name:<13}{value}")), mark: Mark::Plain, hang: 13 }
    }
}

/// All lines as rows that are at most `width` columns wide.
pub(super) fn rows(lines: &[Line], width: usize) -> Vec<Row> {
    let of = |(at, line): (usize, &Line)| {
        let mark = line.mark;
        broken(line, width.max(1)).into_iter().map(move |text| Row { text, mark, line: at })
    };
    lines.iter().enumerate().flat_map(of).collect()
}

/// Breaks after a blank in the second half of a row, else where the row is full.
fn broken(line: &Line, width: usize) -> Vec<String> {
    let hang = if line.hang * 3 > width { width / 8 } else { line.hang };
    let (mut rows, mut row, mut used) = (Vec::new(), String::new(), 0);
    for part in Span::raw(line.text.as_str()).styled_graphemes(Style::new()) {
        let wide = part.symbol.width();
        if used + wide > width && used > 0 {
            let rest = split_off(&mut row, width);
            rows.push(std::mem::replace(&mut row, format!("{}{rest}", " ".repeat(hang))));
            used = row.width();
        }
        row.push_str(part.symbol);
        used += wide;
    }
    rows.push(row);
    rows
}

/// Takes the last word away, when that leaves at least half of the row.
fn split_off(row: &mut String, width: usize) -> String {
    match row.rfind(' ').filter(|at| row[..*at].width() * 2 > width) {
        Some(at) => {
            let rest = row.split_off(at + 1);
            row.truncate(row.trim_end().len());
            rest
        }
        None => String::new(),
    }
}

/// The beginning of a text that is at most `width` columns wide, with `…` when something is left out.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let (mut out, mut used) = (String::new(), 1);
    for part in Span::raw(text).styled_graphemes(Style::new()) {
        used += part.symbol.width();
        if used > width {
            break;
        }
        out.push_str(part.symbol);
    }
    if width > 0 {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &Line, width: usize, expected: &[&str]) {
        let rows = rows(std::slice::from_ref(line), width);
        let texts: Vec<_> = rows.iter().map(|row| row.text.as_str()).collect();
        assert_eq!(texts, expected, "{width}: {line:?}");
    }

    #[test]
    fn lines_are_broken_at_blanks_or_where_the_row_is_full() {
        check(&Line::plain(""), 4, &[""]);
        check(&Line::plain("one two three"), 8, &["one two", "three"]);
        check(&Line::plain("abcdefghij"), 4, &["abcd", "efgh", "ij"]);
        check(&Line::plain("漢字漢字"), 5, &["漢字", "漢字"]);
        check(&Line::field("sink", "abcdefgh"), 40, &["sink         abcdefgh"]);
        check(
            &Line::field("s", &"x".repeat(30)),
            40,
            &["s            xxxxxxxxxxxxxxxxxxxxxxxxxxx", "             xxx"],
        );
        check(&Line::marked(Mark::Added, "a: 1"), 40, &["+ a: 1"]);
    }

    #[test]
    fn what_is_cut_off_is_told() {
        for (text, width, expected) in
            [("short", 5, "short"), ("longer", 5, "long…"), ("漢字", 3, "漢…"), ("ab", 1, "…"), ("ab", 0, "")]
        {
            assert_eq!(cut(text, width), expected, "{text} {width}");
        }
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        check(&Line::plain("a\u{1b}[2J\u{202e}"), 40, &["a\\u{1b}[2J\\u{202e}"]);
    }
}
