//! Which key means what.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::lines::Line;
use super::search::Direction;

/// How far to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Motion {
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    Move(Motion),
    Left,
    Right,
    Fold,
    Enter,
    OtherPart,
    Search,
    Next(Direction),
    OpenToken,
    WholeRow,
    NeighbourRow(Direction),
    MoreMembers,
    Back,
    Help,
    Close,
    Suspend,
    Quit,
    /// The same, wherever one is.
    Interrupt,
}

/// A key while a text is being typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Typed {
    Letter(char),
    Erase,
    EraseAll,
    Accept,
    Cancel,
    Quit,
}

/// Keys and what they do, for the help.
const KEYS: [(&str, &str); 17] = [
    ("↑ ↓ k j", "move; in the details, scroll"),
    ("→ l", "unfold, go in, on to the details"),
    ("← h", "fold, go out; from the details back"),
    ("Space", "fold or unfold"),
    ("Enter", "the same; open what stands elsewhere"),
    ("Tab", "to the details and back"),
    ("PgUp PgDn", "a screen on or back"),
    ("Home End g G", "the beginning, the end"),
    ("/", "search labels and details"),
    ("n N", "the next place, the one before"),
    ("t", "open the lineage of the token"),
    ("r", "open the whole row"),
    ("[ ]", "the row before, the next row"),
    ("m", "list more members of the batch"),
    ("Backspace", "back to the lineage before"),
    ("Esc", "close, leave off; else quit"),
    ("q Ctrl-C", "quit (Ctrl-Z: suspend)"),
];

/// The keys that are told at the bottom, the more important ones first.
pub(super) const HINTS: [(&str, &str); 9] = [
    ("q", "quit"),
    ("?", "help"),
    ("↑↓", "move"),
    ("Space", "fold"),
    ("Tab", "details"),
    ("/", "search"),
    ("t", "token"),
    ("[ ]", "row"),
    ("Bksp", "back"),
];

pub(super) fn help() -> Vec<Line> {
    KEYS.iter().map(|(keys, what)| Line::field(keys, what)).collect()
}

/// What a key means; none for keys without a meaning.
pub(super) fn command(key: KeyEvent) -> Option<Command> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => Some(Command::Interrupt),
            KeyCode::Char('z') => Some(Command::Suspend),
            _ => None,
        };
    }
    Some(match key.code {
        KeyCode::Up | KeyCode::Char('k') => Command::Move(Motion::Up),
        KeyCode::Down | KeyCode::Char('j') => Command::Move(Motion::Down),
        KeyCode::PageUp => Command::Move(Motion::PageUp),
        KeyCode::PageDown => Command::Move(Motion::PageDown),
        KeyCode::Home | KeyCode::Char('g') => Command::Move(Motion::First),
        KeyCode::End | KeyCode::Char('G') => Command::Move(Motion::Last),
        KeyCode::Left | KeyCode::Char('h') => Command::Left,
        KeyCode::Right | KeyCode::Char('l') => Command::Right,
        KeyCode::Char(' ') => Command::Fold,
        KeyCode::Enter => Command::Enter,
        KeyCode::Tab | KeyCode::BackTab => Command::OtherPart,
        KeyCode::Char('/') => Command::Search,
        KeyCode::Char('n') => Command::Next(Direction::Forward),
        KeyCode::Char('N') => Command::Next(Direction::Backward),
        KeyCode::Char('t') => Command::OpenToken,
        KeyCode::Char('r') => Command::WholeRow,
        KeyCode::Char(']') => Command::NeighbourRow(Direction::Forward),
        KeyCode::Char('[') => Command::NeighbourRow(Direction::Backward),
        KeyCode::Char('m') => Command::MoreMembers,
        KeyCode::Backspace => Command::Back,
        KeyCode::Char('?') => Command::Help,
        KeyCode::Esc => Command::Close,
        KeyCode::Char('q') => Command::Quit,
        _ => return None,
    })
}

/// What a key means while a text is being typed.
pub(super) fn typed(key: KeyEvent) -> Option<Typed> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('c') if control => Some(Typed::Quit),
        KeyCode::Char('u') if control => Some(Typed::EraseAll),
        KeyCode::Char(c) if !control => Some(Typed::Letter(c)),
        KeyCode::Backspace => Some(Typed::Erase),
        KeyCode::Enter => Some(Typed::Accept),
        KeyCode::Esc => Some(Typed::Cancel),
        _ => None,
    }
}
