//! The view as a machine: an event changes the state, and may ask for something to be done. No terminal, no database.

use elspeth_app::{Lineage, Question, printable};
use ratatui::crossterm::event::KeyEvent;
use ratatui::layout::Size;

use super::areas::{Areas, Focus, areas};
use super::keys::{self, Command, Motion, Typed};
use super::lines::{self, Row};
use super::nodes::Item;
use super::page::{Page, Window};
use super::search::{Direction, Needle};

/// The most lineages that can be gone back to.
const MOST_BACK: usize = 100;

#[derive(Debug)]
pub(super) struct State {
    pub(super) page: Page,
    /// Those that were left to open another.
    pub(super) back: Vec<Page>,
    pub(super) focus: Focus,
    pub(super) mode: Mode,
    pub(super) needle: Option<Needle>,
    /// What is to be told until the next key.
    pub(super) note: Option<Note>,
    pub(super) pending: Option<Pending>,
    pub(super) areas: Areas,
    size: Size,
    /// How many questions were asked.
    asked: u64,
    /// Rows still to go on, or back, when the next one is there: a key that is held repeats quicker than a database answers.
    further: i32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mode {
    Browsing,
    /// A text to be searched for is being typed.
    Typing(String),
    Help(Window),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Note {
    Remark(String),
    Error(String),
}

/// A question that was not answered yet.
#[derive(Debug)]
pub(super) struct Pending {
    number: u64,
    pub(super) question: Question,
    purpose: Purpose,
}

/// What becomes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// It is opened; what is there now can be gone back to.
    Open,
    /// It takes the place of what is there now.
    Replace,
    /// Its members are added to those that are listed.
    Members,
}

#[derive(Debug)]
pub(super) enum Event {
    Key(KeyEvent),
    Resize(Size),
    Answer { number: u64, answer: Result<Lineage, String> },
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    Ask { number: u64, question: Question },
    Suspend,
    Quit,
}

impl State {
    pub(super) fn new(page: Page) -> Self {
        let (focus, size) = (Focus::Tree, Size::ZERO);
        let areas = areas(size, focus);
        Self {
            page,
            back: Vec::new(),
            focus,
            mode: Mode::Browsing,
            needle: None,
            note: None,
            pending: None,
            areas,
            size,
            asked: 0,
            further: 0,
        }
    }

    /// Takes an event in.
    pub(super) fn update(&mut self, event: Event) -> Option<Effect> {
        let effect = match event {
            Event::Key(key) => self.key(key),
            Event::Resize(size) => {
                self.size = size;
                None
            }
            Event::Answer { number, answer } => self.answered(number, answer),
        };
        self.fit();
        effect
    }

    fn fit(&mut self) {
        self.areas = areas(self.size, self.focus);
        self.page.fit(&self.areas);
        let rows = self.help().len();
        if let Mode::Help(window) = &mut self.mode {
            window.height = self.areas.whole.body.height.into();
            window.within(rows);
        }
    }

    /// The rows of the help.
    pub(super) fn help(&self) -> Vec<Row> {
        lines::rows(&keys::help(), self.areas.whole.body.width.into())
    }

    fn key(&mut self, key: KeyEvent) -> Option<Effect> {
        if let Mode::Typing(text) = &self.mode {
            let text = text.clone();
            return keys::typed(key).and_then(|typed| self.type_in(text, typed));
        }
        let command = keys::command(key);
        self.note = None;
        match self.mode {
            Mode::Help(window) => self.in_help(window, command),
            Mode::Browsing | Mode::Typing(_) => self.command(command?),
        }
    }

    fn type_in(&mut self, mut text: String, typed: Typed) -> Option<Effect> {
        self.mode = Mode::Browsing;
        match typed {
            Typed::Quit => return Some(Effect::Quit),
            Typed::Cancel => return None,
            Typed::Erase if text.is_empty() => return None,
            Typed::Accept => {
                // Nothing typed: what was searched for before.
                self.needle = Needle::new(&text).or(self.needle.take());
                self.find(Direction::Forward);
                return None;
            }
            Typed::Letter(letter) => text.push(letter),
            Typed::Erase => drop(text.pop()),
            Typed::EraseAll => text.clear(),
        }
        self.mode = Mode::Typing(text);
        None
    }

    fn in_help(&mut self, mut window: Window, command: Option<Command>) -> Option<Effect> {
        self.mode = Mode::Browsing;
        match command {
            Some(Command::Move(motion)) => {
                let last = self.help().len().saturating_sub(window.height) + 1;
                window.top = window.target(window.top, motion, last);
                self.mode = Mode::Help(window);
                None
            }
            Some(Command::Suspend) => Some(Effect::Suspend),
            Some(Command::Interrupt) => Some(Effect::Quit),
            Some(_) | None => None,
        }
    }

    fn command(&mut self, command: Command) -> Option<Effect> {
        match command {
            Command::Move(motion) => self.go(motion),
            Command::Left => self.left(),
            Command::Right => self.right(),
            Command::Fold => self.fold(),
            Command::Enter => return self.enter(),
            Command::OtherPart => self.focus = other(self.focus),
            Command::Search => self.mode = Mode::Typing(String::new()),
            Command::Next(direction) => self.find(direction),
            Command::OpenToken => return self.open_token(),
            Command::WholeRow => return self.open_row(),
            Command::NeighbourRow(direction) => return self.neighbour(direction),
            Command::MoreMembers => return self.more_members(),
            Command::Back => self.go_back(),
            Command::Help => self.mode = Mode::Help(Window::default()),
            Command::Close => return self.close(),
            Command::Suspend => return Some(Effect::Suspend),
            Command::Quit | Command::Interrupt => return Some(Effect::Quit),
        }
        None
    }

    fn go(&mut self, motion: Motion) {
        match self.focus {
            Focus::Tree => self.page.go(motion),
            Focus::Details => self.page.scroll_to(motion),
        }
    }

    fn left(&mut self) {
        match (self.focus, self.page.node().above) {
            (Focus::Details, _) => self.focus = Focus::Tree,
            (Focus::Tree, _) if self.page.can_fold() && !self.page.node().folded => self.page.fold(true),
            (Focus::Tree, Some(above)) => self.page.select(above),
            (Focus::Tree, None) => {}
        }
    }

    fn right(&mut self) {
        match self.focus {
            Focus::Tree if !self.page.can_fold() => self.focus = Focus::Details,
            Focus::Tree if self.page.node().folded => self.page.fold(false),
            Focus::Tree => self.page.go(Motion::Down),
            Focus::Details => {}
        }
    }

    fn fold(&mut self) {
        if self.page.can_fold() {
            self.page.fold(!self.page.node().folded);
        } else {
            self.remark("there is nothing below it to be folded");
        }
    }

    fn enter(&mut self) -> Option<Effect> {
        let item = self.page.node().item;
        let owner = item.owner().and_then(|owner| self.page.lineage.tokens.get(owner));
        let elsewhere = self.page.node().token.filter(|id| Some(*id) != owner.map(|owner| owner.token_id));
        if elsewhere.is_some() {
            return self.open_token();
        }
        match item {
            Item::MoreMembers(_) => return self.more_members(),
            _ if self.page.can_fold() => self.fold(),
            _ => self.focus = other(self.focus),
        }
        None
    }

    fn find(&mut self, direction: Direction) {
        let Some(needle) = &self.needle else { return self.remark("nothing was searched for yet: /") };
        let all = (&self.page.lineage, self.page.nodes.as_slice());
        match needle.next(all, self.page.place(), direction) {
            None => self.note = Some(Note::Error("it is nowhere in this lineage".to_owned())),
            Some(place) => {
                self.focus = if place.line.is_some() { Focus::Details } else { Focus::Tree };
                self.page.show(place);
            }
        }
    }

    fn open_token(&mut self) -> Option<Effect> {
        let Some(token) = self.page.node().token.map(|token| token.to_string()) else {
            self.remark("this is no token; its members and tokens can be opened");
            return None;
        };
        if self.page.asked_token().is_some_and(|asked| asked.eq_ignore_ascii_case(&token)) {
            self.remark("this is its lineage");
            return None;
        }
        self.ask(Question::Token(token), Purpose::Open)
    }

    fn open_row(&mut self) -> Option<Effect> {
        let Some(row) = self.row() else {
            self.remark("it has no row of its own; its members have");
            return None;
        };
        if self.page.question == Question::Row(row) {
            self.remark("this is the whole row");
            return None;
        }
        self.ask(Question::Row(row), Purpose::Open)
    }

    /// The row of the member that is selected, else that of the lineage.
    fn row(&self) -> Option<u64> {
        let of_member = match self.page.node().item {
            Item::Member { token, index } => {
                let made_by = self.page.lineage.tokens.get(token).and_then(|token| token.made_by.as_ref());
                made_by.and_then(|made_by| made_by.members.tokens.get(index)).and_then(|m| m.row_index)
            }
            _ => None,
        };
        of_member.or(self.page.lineage.row.as_ref().map(|row| row.row_index))
    }

    fn neighbour(&mut self, direction: Direction) -> Option<Effect> {
        if self.pending.as_ref().is_some_and(|pending| pending.purpose == Purpose::Replace) {
            self.further += match direction {
                Direction::Forward => 1,
                Direction::Backward => -1,
            };
            return None;
        }
        let Some(row) = self.page.lineage.row.as_ref().map(|row| row.row_index) else {
            self.remark("it has no row of its own");
            return None;
        };
        let next = match direction {
            Direction::Forward => row.checked_add(1),
            Direction::Backward => row.checked_sub(1),
        };
        let Some(next) = next else {
            self.remark("this is the first row");
            return None;
        };
        let of_row = matches!(self.page.question, Question::Row(_));
        self.ask(Question::Row(next), if of_row { Purpose::Replace } else { Purpose::Open })
    }

    fn more_members(&mut self) -> Option<Effect> {
        let tokens = &self.page.lineage.tokens;
        let owner = self.page.node().item.owner().and_then(|owner| tokens.get(owner));
        let more = owner.into_iter().chain(tokens).find_map(|token| {
            let next = token.made_by.as_ref()?.members.next?;
            Some((token.token_id.to_string(), u32::try_from(next).ok()?))
        });
        let Some((token, from)) = more else {
            self.remark("all members are listed");
            return None;
        };
        self.ask(Question::Members { token, from }, Purpose::Members)
    }

    fn ask(&mut self, question: Question, purpose: Purpose) -> Option<Effect> {
        self.asked += 1;
        self.further = 0;
        let number = self.asked;
        self.pending = Some(Pending { number, question: question.clone(), purpose });
        Some(Effect::Ask { number, question })
    }

    /// An answer to what is not waited for any more changes nothing.
    fn answered(&mut self, number: u64, answer: Result<Lineage, String>) -> Option<Effect> {
        let pending = self.pending.take_if(|pending| pending.number == number)?;
        let further = std::mem::take(&mut self.further);
        let lineage = match answer {
            Ok(lineage) => lineage,
            Err(error) => {
                self.note = Some(Note::Error(printable(&error)));
                return None;
            }
        };
        match (pending.purpose, pending.question) {
            (Purpose::Members, Question::Members { token, .. }) => self.page.add_members(&token, lineage),
            (Purpose::Members | Purpose::Open, question) => self.open(Page::new(question, lineage, None)),
            (Purpose::Replace, question) => {
                let mut page = Page::new(question, lineage, None);
                page.select_as_in(&self.page);
                self.page = page;
                return self.go_further(further);
            }
        }
        None
    }

    fn go_further(&mut self, rows: i32) -> Option<Effect> {
        let direction = match rows.signum() {
            0 => return None,
            1 => Direction::Forward,
            _ => Direction::Backward,
        };
        let effect = self.neighbour(direction);
        self.further = rows - rows.signum();
        effect
    }

    fn open(&mut self, page: Page) {
        self.back.push(std::mem::replace(&mut self.page, page));
        if self.back.len() > MOST_BACK {
            self.back.remove(0);
        }
        self.focus = Focus::Tree;
    }

    fn go_back(&mut self) {
        if self.pending.take().is_some() {
            return self.remark("left off");
        }
        match self.back.pop() {
            Some(page) => self.page = page,
            None => self.remark("this is where you began"),
        }
    }

    /// Leaves off what can be left off; with nothing left, the view.
    fn close(&mut self) -> Option<Effect> {
        if self.pending.take().is_some() {
            self.remark("left off");
        } else if self.needle.take().is_none() {
            return Some(Effect::Quit);
        }
        None
    }

    fn remark(&mut self, text: &str) {
        self.note = Some(Note::Remark(text.to_owned()));
    }
}

const fn other(focus: Focus) -> Focus {
    match focus {
        Focus::Tree => Focus::Details,
        Focus::Details => Focus::Tree,
    }
}
