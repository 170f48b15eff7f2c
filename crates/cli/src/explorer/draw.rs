//! Draws a state. What it draws was made printable before.

use elspeth_app::{Question, printable};
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use unicode_width::UnicodeWidthStr;

use super::areas::{Focus, Pane};
use super::keys::HINTS;
use super::lines::{Row, cut};
use super::look::Look;
use super::nodes::Node;
use super::page::Window;
use super::search::Needle;
use super::state::{Mode, Note, State};

/// Where something is drawn, in which style, and what is looked for in it.
struct Canvas<'a> {
    buffer: &'a mut Buffer,
    look: Look,
    needle: Option<&'a Needle>,
}

pub(super) fn draw(state: &State, look: Look, frame: &mut Frame<'_>) {
    let mut canvas = Canvas { buffer: frame.buffer_mut(), look, needle: state.needle.as_ref() };
    let areas = &state.areas;
    canvas.header(state, areas.header);
    match &state.mode {
        Mode::Help(window) => canvas.help(state, *window, areas.whole),
        Mode::Browsing | Mode::Typing(_) => {
            canvas.tree(state, areas.tree);
            canvas.details(state, areas.details);
        }
    }
    canvas.footer(state, areas.footer);
}

impl Canvas<'_> {
    fn header(&mut self, state: &State, area: Rect) {
        let back = match state.back.len() {
            0 => String::new(),
            count => format!(" {count} back "),
        };
        let width = usize::from(area.width).saturating_sub(back.width());
        let bold = Style::new().add_modifier(Modifier::BOLD);
        self.text(area, 0, &cut(&printable(&state.page.title), width), bold);
        self.text(area, width, &cut(&back, area.width.into()), Style::new());
    }

    fn tree(&mut self, state: &State, pane: Pane) {
        let focused = state.focus == Focus::Tree;
        self.title(pane.title, "Lineage", "", focused);
        let (page, selected) = (&state.page, state.page.selected());
        for (row, at) in lines_of(pane.body).zip(page.visible()) {
            let node = &page.nodes[*at];
            let style = self.look.tone(node.tone);
            let text = tree_line(node, *at, row.width.into());
            self.searched(row, &text, style);
            if *at == selected {
                self.buffer.set_style(row, Look::selected(focused));
            }
        }
    }

    fn details(&mut self, state: &State, pane: Pane) {
        let (first, last, count) = state.page.scroll();
        let place = if last - first.min(last) + 1 < count {
            format!("{first}-{last} of {count}")
        } else {
            String::new()
        };
        self.title(
            pane.title,
            state.page.node().label.trim_start_matches(['✓', '✗', ' ']),
            &place,
            state.focus == Focus::Details,
        );
        self.rows(pane.body, state.page.details());
        let beside = pane.body.x.checked_sub(2).filter(|_| pane.body.x > pane.title.x);
        for row in beside.iter().flat_map(|_| lines_of(pane.body)) {
            self.text(Rect { x: row.x - 2, width: 1, ..row }, 0, "│", Look::title(false));
        }
    }

    fn help(&mut self, state: &State, window: Window, pane: Pane) {
        let rows = state.help();
        let shown = &rows[window.top.min(rows.len())..];
        let place = if window.height < rows.len() { "↓↑" } else { "" };
        self.title(pane.title, "Keys", place, true);
        self.rows(pane.body, shown);
    }

    fn rows(&mut self, area: Rect, rows: &[Row]) {
        for (place, row) in lines_of(area).zip(rows) {
            self.searched(place, &row.text, self.look.mark(row.mark));
        }
    }

    /// A line with a name in it and something at its end.
    fn title(&mut self, area: Rect, name: &str, end: &str, focused: bool) {
        let width = usize::from(area.width);
        let (line, begin) = if focused { ("━", "━▶ ") } else { ("─", "── ") };
        let style = Look::title(focused);
        self.text(area, 0, &line.repeat(width), style);
        let end = if end.is_empty() { String::new() } else { format!(" {end} ") };
        let room = width.saturating_sub(end.width() + 5);
        self.text(area, 0, &cut(&format!("{begin}{} ", cut(name, room)), width), style);
        if !end.is_empty() && width > end.width() + 1 {
            self.text(area, width - end.width() - 1, &end, style);
        }
    }

    fn footer(&mut self, state: &State, area: Rect) {
        let width = usize::from(area.width);
        match (&state.mode, &state.note, &state.pending) {
            (Mode::Typing(text), _, _) => self.prompt(area, &printable(text)),
            (Mode::Help(_), _, _) => {
                self.text(area, 0, &cut("any other key closes this", width), Style::new())
            }
            (Mode::Browsing, Some(Note::Error(text)), _) => {
                let style = self.look.mark(super::lines::Mark::Bad);
                self.text(area, 0, &cut(&format!("✗ {text}"), width), style);
            }
            (Mode::Browsing, Some(Note::Remark(text)), _) => {
                self.text(area, 0, &cut(text, width), Style::new())
            }
            (Mode::Browsing, None, Some(pending)) => {
                let text = format!("asking for {} … (Esc leaves off)", named(&pending.question));
                self.text(area, 0, &cut(&printable(&text), width), Style::new());
            }
            (Mode::Browsing, None, None) => self.text(area, 0, &hints(width), Style::new()),
        }
    }

    /// The end of what is typed, and where the next letter comes.
    fn prompt(&mut self, area: Rect, text: &str) {
        let room = usize::from(area.width).saturating_sub(2);
        let mut end = text;
        while end.width() > room {
            end = end.char_indices().nth(1).map_or("", |(at, _)| &end[at..]);
        }
        self.text(area, 0, &format!("/{end}█"), Style::new());
    }

    /// A text on one line, what is looked for marked in it.
    fn searched(&mut self, area: Rect, text: &str, style: Style) {
        self.text(area, 0, text, style);
        for found in self.needle.iter().flat_map(|needle| needle.matches(text)).collect::<Vec<_>>() {
            let column = text[..found.start].width();
            self.text(area, column, &text[found], self.look.found());
        }
    }

    fn text(&mut self, area: Rect, column: usize, text: &str, style: Style) {
        let area = area.intersection(self.buffer.area);
        let room = usize::from(area.width).saturating_sub(column);
        let Some(x) = u16::try_from(column).ok().and_then(|column| area.x.checked_add(column)) else {
            return;
        };
        if area.height > 0 && room > 0 {
            self.buffer.set_stringn(x, area.y, text, room, style);
        }
    }
}

fn lines_of(area: Rect) -> impl Iterator<Item = Rect> {
    area.rows()
}

/// A node, as far right as it is deep; not so far that nothing of it could be read.
fn tree_line(node: &Node, at: usize, width: usize) -> String {
    let sign = match (node.end > at + 1, node.folded) {
        (false, _) => "  ",
        (true, true) => "▸ ",
        (true, false) => "▾ ",
    };
    let indent = (node.depth * 2).min(width / 3);
    cut(&format!("{}{sign}{}", " ".repeat(indent), node.label), width)
}

/// As many keys as there is room for.
fn hints(width: usize) -> String {
    let mut line = String::new();
    for (keys, what) in HINTS {
        let hint = format!("{keys} {what}  ");
        if (line.width() + hint.trim_end().width()) <= width {
            line.push_str(&hint);
        }
    }
    line
}

fn named(question: &Question) -> String {
    match question {
        Question::Row(row) => format!("row {row}"),
        Question::Token(token) => format!("token {token}"),
        Question::Members { from, .. } => format!("members from {} on", from + 1),
    }
}
