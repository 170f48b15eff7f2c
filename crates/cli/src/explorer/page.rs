//! One lineage as it is looked at: what is selected, folded, and scrolled to.
//!
//! Invariant: after [`Page::fit`] the selected node is among the rows of the tree that are drawn, and the details have no
//! empty rows below them while there are others above.

use std::collections::{BTreeMap, HashMap};

use elspeth_app::{Lineage, LineageWords, Question, TokenId};

use super::areas::Areas;
use super::details::Details;
use super::keys::Motion;
use super::lines::{self, Line, Row};
use super::nodes::{self, Item, Node, short};
use super::search::Place;

#[derive(Debug)]
pub(super) struct Page {
    /// What it answers.
    pub(super) question: Question,
    pub(super) lineage: Lineage,
    /// What it is about and what became of that, in a line.
    pub(super) title: String,
    pub(super) nodes: Vec<Node>,
    /// Nodes that are not hidden.
    shown: Vec<usize>,
    /// The selected one's position among them.
    cursor: usize,
    /// The first one that is drawn, and how many there is room for.
    window: Window,
    /// What the details are about, and their lines.
    about: usize,
    lines: Vec<Line>,
    rows: Vec<Row>,
    width: usize,
    scrolled: Window,
    /// The line of the details at which a search stopped.
    hit: Option<usize>,
}

/// The part of a list that is drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) top: usize,
    pub(super) height: usize,
}

impl Window {
    /// Moves as little as needed to show what stands at a position.
    fn show(&mut self, at: usize) {
        let lowest = (at + 1).saturating_sub(self.height.max(1));
        self.top = self.top.clamp(lowest, at);
    }

    /// Does not go beyond the end of a list.
    pub(super) fn within(&mut self, count: usize) {
        self.top = self.top.min(count.saturating_sub(self.height));
    }

    /// Where a motion leads to from a position.
    pub(super) fn target(self, from: usize, motion: Motion, count: usize) -> usize {
        let page = self.height.saturating_sub(1).max(1);
        let last = count.saturating_sub(1);
        match motion {
            Motion::Up => from.saturating_sub(1),
            Motion::Down => (from + 1).min(last),
            Motion::PageUp => from.saturating_sub(page),
            Motion::PageDown => (from + page).min(last),
            Motion::First => 0,
            Motion::Last => last,
        }
    }
}

impl Page {
    /// A lineage with the token selected that was asked about, else the row.
    pub(super) fn new(question: Question, lineage: Lineage, sink: Option<&str>) -> Self {
        let nodes = nodes::nodes(&lineage);
        let title = title(&question, &lineage, sink);
        let mut page = Self {
            question,
            lineage,
            title,
            nodes,
            shown: Vec::new(),
            cursor: 0,
            window: Window::default(),
            about: usize::MAX,
            lines: Vec::new(),
            rows: Vec::new(),
            width: 0,
            scrolled: Window::default(),
            hit: None,
        };
        page.refresh();
        let asked = page.asked_token().and_then(|id| page.token_node(&id));
        page.select(asked.unwrap_or(0));
        page
    }

    /// The id of the token that it was asked about.
    pub(super) fn asked_token(&self) -> Option<String> {
        match &self.question {
            Question::Row(_) => None,
            Question::Token(token) | Question::Members { token, .. } => Some(token.clone()),
        }
    }

    fn token_node(&self, id: &str) -> Option<usize> {
        let is_it = |node: &Node| matches!(node.item, Item::Token(_));
        self.nodes.iter().position(|node| {
            is_it(node) && node.token.is_some_and(|token| token.to_string().eq_ignore_ascii_case(id))
        })
    }

    pub(super) fn selected(&self) -> usize {
        self.shown[self.cursor]
    }

    pub(super) fn node(&self) -> &Node {
        &self.nodes[self.selected()]
    }

    /// The nodes that are drawn.
    pub(super) fn visible(&self) -> &[usize] {
        drawn(&self.shown, self.window)
    }

    /// The rows of the details that are drawn.
    pub(super) fn details(&self) -> &[Row] {
        drawn(&self.rows, self.scrolled)
    }

    /// Which rows of the details are drawn, from 1, and how many there are.
    pub(super) fn scroll(&self) -> (usize, usize, usize) {
        let first = (self.scrolled.top + 1).min(self.rows.len());
        (first, self.scrolled.top + self.details().len(), self.rows.len())
    }

    pub(super) fn place(&self) -> Place {
        Place { node: self.selected(), line: self.hit }
    }

    /// Selects a node, which is taken out of folds.
    pub(super) fn select(&mut self, node: usize) {
        let mut above = self.nodes[node].above;
        while let Some(at) = above {
            self.nodes[at].folded = false;
            above = self.nodes[at].above;
        }
        self.refresh();
        self.cursor = self.shown.iter().position(|shown| *shown == node).unwrap_or(0);
        self.look();
    }

    /// Selects what is selected in another lineage: an attempt at the same node, else what stands at the same place.
    pub(super) fn select_as_in(&mut self, other: &Self) {
        let (item, step) = (other.node().item, step_of(&other.lineage, other.node().item));
        let alike = |node: &Node| match step {
            Some(_) => step_of(&self.lineage, node.item) == step,
            None => node.item == item,
        };
        if let Some(node) = self.nodes.iter().position(alike) {
            self.select(node);
        }
    }

    pub(super) fn go(&mut self, motion: Motion) {
        self.cursor = self.window.target(self.cursor, motion, self.shown.len());
        self.look();
    }

    /// Whether something is below what is selected.
    pub(super) fn can_fold(&self) -> bool {
        self.node().end > self.selected() + 1
    }

    pub(super) fn fold(&mut self, folded: bool) {
        let at = self.selected();
        self.nodes[at].folded = folded;
        self.refresh();
    }

    pub(super) fn scroll_to(&mut self, motion: Motion) {
        let last = self.rows.len().saturating_sub(self.scrolled.height) + 1;
        self.scrolled.top = self.scrolled.target(self.scrolled.top, motion, last);
    }

    /// Selects where something was found.
    pub(super) fn show(&mut self, place: Place) {
        self.select(place.node);
        self.hit = place.line;
        if let Some(row) = place.line.and_then(|line| self.rows.iter().position(|row| row.line == line)) {
            self.scrolled.show(row);
        }
    }

    /// Adds members of the batch that made a token, as another answer lists them.
    pub(super) fn add_members(&mut self, id: &str, mut answer: Lineage) {
        let is_it = |token: TokenId| token.to_string() == id;
        let more = answer.tokens.iter_mut().find(|token| is_it(token.token_id));
        let more = more.and_then(|token| token.made_by.as_mut()).map(|made_by| &mut made_by.members);
        let known = self.lineage.tokens.iter_mut().find(|token| is_it(token.token_id));
        let (Some(more), Some(known)) = (more, known) else { return };
        let Some(made_by) = known.made_by.as_mut() else { return };
        known.parents.extend(more.tokens.iter().map(|member| member.token_id));
        made_by.members.next = more.next;
        made_by.members.tokens.append(&mut more.tokens);
        self.replant();
    }

    /// Makes the tree anew, folded as it was.
    fn replant(&mut self) {
        let (place, item, window) = (self.selected(), self.node().item, self.window);
        let folded: HashMap<Item, bool> = self.nodes.iter().map(|node| (node.item, node.folded)).collect();
        self.nodes = nodes::nodes(&self.lineage);
        for node in &mut self.nodes {
            node.folded = folded.get(&node.item).copied().unwrap_or(node.folded);
        }
        self.about = usize::MAX;
        let same = self.nodes.iter().position(|node| node.item == item);
        self.select(same.unwrap_or(place.min(self.nodes.len() - 1)));
        self.window = window;
    }

    /// The nodes that are not below a folded one.
    fn refresh(&mut self) {
        self.shown.clear();
        let mut at = 0;
        while let Some(node) = self.nodes.get(at) {
            self.shown.push(at);
            at = if node.folded { node.end } else { at + 1 };
        }
        self.cursor = self.cursor.min(self.shown.len().saturating_sub(1));
    }

    /// Looks at what is selected.
    fn look(&mut self) {
        let selected = self.selected();
        if self.about != selected {
            self.about = selected;
            self.hit = None;
            self.lines = Details::of(&self.lineage).lines(self.nodes[selected].item);
            self.rows = lines::rows(&self.lines, self.width);
            self.scrolled.top = 0;
        }
    }

    /// Takes the places that it is drawn at.
    pub(super) fn fit(&mut self, areas: &Areas) {
        let (tree, details) = (areas.tree.body, areas.details.body);
        self.window.height = tree.height.into();
        self.window.show(self.cursor);
        self.window.within(self.shown.len());
        self.scrolled.height = details.height.into();
        if self.width != usize::from(details.width) && details.width > 0 {
            let line = self.rows.get(self.scrolled.top).map_or(0, |row| row.line);
            self.width = details.width.into();
            self.rows = lines::rows(&self.lines, self.width);
            self.scrolled.top = self.rows.iter().position(|row| row.line == line).unwrap_or(0);
        }
        self.scrolled.within(self.rows.len());
    }
}

/// The place in the graph that a state is of.
fn step_of(lineage: &Lineage, item: Item) -> Option<u16> {
    match item {
        Item::State { token, state } => Some(lineage.tokens.get(token)?.states.get(state)?.step),
        _ => None,
    }
}

fn drawn<T>(all: &[T], window: Window) -> &[T] {
    let top = window.top.min(all.len());
    &all[top..(top + window.height).min(all.len())]
}

fn title(question: &Question, lineage: &Lineage, sink: Option<&str>) -> String {
    let asked = match question {
        Question::Row(row) => format!("row {row}"),
        Question::Token(token) | Question::Members { token, .. } => {
            let known = lineage.tokens.iter().find(|known| known.token_id.to_string() == *token);
            format!("token {}", known.map_or_else(|| token.clone(), |known| short(known.token_id)))
        }
    };
    let only = sink.map(|sink| format!(" · only what came to sink {sink}")).unwrap_or_default();
    format!("{asked} · {}{only} · run {}", became(lineage), lineage.run_id)
}

/// What became of the only token, or how many came to which end.
fn became(lineage: &Lineage) -> String {
    let words = LineageWords::of(lineage, "");
    if let [token] = lineage.tokens.as_slice() {
        return words.outcome_line(token);
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for token in &lineage.tokens {
        let outcome = token.outcome.as_ref();
        let end = outcome.map_or_else(
            || "under way".to_owned(),
            |outcome| match &outcome.sink {
                Some(sink) => format!("{} to {sink}", outcome.outcome),
                None => outcome.outcome.to_string(),
            },
        );
        *counts.entry(end).or_default() += 1;
    }
    let counts: Vec<String> = counts.iter().map(|(end, count)| format!("{count} {end}")).collect();
    format!("{} tokens: {}", lineage.tokens.len(), counts.join(", "))
}
