//! The terminal: taken for the time of the view, and given back as it was, whatever ends it.
//!
//! Keys, answers and signals come from threads of their own, so that a database that is slow to answer does not keep anybody
//! from leaving.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use elspeth_app::{Lineage, Question};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event as Input};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, enable_raw_mode};
use ratatui::layout::{Position, Rect, Size};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::iterator::Signals;

use super::Ask;
use super::draw::draw;
use super::look::Look;
use super::state::{Effect, Event, State};

/// Why the view ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The user has seen enough.
    Seen,
    /// A signal came.
    Signal,
}

/// What the threads say.
enum Message {
    Input(io::Result<Input>),
    Answer(u64, Result<Result<Lineage, String>, Box<dyn Any + Send>>),
    /// The terminal has another size.
    Size,
    /// It is time to end.
    Signal,
}

/// The terminal while it is ours.
struct Screen {
    terminal: DefaultTerminal,
}

/// Shows a state and what becomes of it, until it has an end.
pub(super) fn run(mut state: State, ask: &Ask) -> io::Result<Ended> {
    let (sender, messages) = channel();
    listen(&sender)?;
    let mut screen = Screen::take()?;
    read(&sender)?;
    let look = Look::of_environment();
    loop {
        state.update(Event::Resize(screen.terminal.size()?));
        screen.terminal.draw(|frame| draw(&state, look, frame))?;
        for message in waiting(&messages) {
            let event = match message {
                Message::Signal => return Ok(Ended::Signal),
                // It is asked for before all is drawn.
                Message::Size => None,
                Message::Input(input) => event_of(input?),
                Message::Answer(number, answer) => Some(Event::Answer {
                    number,
                    answer: answer.unwrap_or_else(|panic| resume_unwind(panic)),
                }),
            };
            match event.and_then(|event| state.update(event)) {
                None => {}
                Some(Effect::Quit) => return Ok(Ended::Seen),
                Some(Effect::Suspend) => drop(state.update(Event::Resize(screen.suspend()?))),
                Some(Effect::Ask { number, question }) => answer(&sender, ask, number, question)?,
            }
        }
    }
}

/// The next message, and those behind it that are there already.
fn waiting(messages: &Receiver<Message>) -> impl Iterator<Item = Message> {
    messages.recv().into_iter().chain(messages.try_iter())
}

fn event_of(input: Input) -> Option<Event> {
    match input {
        Input::Key(key) => Some(Event::Key(key)),
        Input::Resize(width, height) => Some(Event::Resize(Size { width, height })),
        Input::FocusGained | Input::FocusLost | Input::Mouse(_) | Input::Paste(_) => None,
    }
}

fn read(sender: &Sender<Message>) -> io::Result<()> {
    let sender = sender.clone();
    spawn("keys", move || {
        loop {
            let input = event::read();
            let last = input.is_err();
            if sender.send(Message::Input(input)).is_err() || last {
                return;
            }
        }
    })
}

/// Before anything is drawn: who reads keys hears of another size only once it is reading.
fn listen(sender: &Sender<Message>) -> io::Result<()> {
    let (sender, mut signals) = (sender.clone(), Signals::new([SIGINT, SIGTERM, SIGHUP, SIGWINCH])?);
    spawn("signals", move || {
        for signal in signals.forever() {
            let message = if signal == SIGWINCH { Message::Size } else { Message::Signal };
            // Who does not listen any more is about to end.
            drop(sender.send(message));
        }
    })
}

fn answer(sender: &Sender<Message>, ask: &Ask, number: u64, question: Question) -> io::Result<()> {
    let (sender, ask) = (sender.clone(), Arc::clone(ask));
    spawn("answer", move || {
        let answer = catch_unwind(AssertUnwindSafe(|| ask(&question).map_err(|error| error.to_string())));
        drop(sender.send(Message::Answer(number, answer)));
    })
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

impl Screen {
    /// From here on a panic gives the terminal back before it tells of itself.
    fn take() -> io::Result<Self> {
        let terminal = ratatui::try_init().inspect_err(|_| ratatui::restore())?;
        Ok(Self { terminal })
    }

    /// Gives the terminal back until the process is told to go on; the size that it has then.
    fn suspend(&mut self) -> io::Result<Size> {
        ratatui::try_restore()?;
        self.terminal.show_cursor()?;
        signal_hook::low_level::emulate_default_handler(SIGTSTP)?;
        enable_raw_mode()?;
        execute!(io::stdout(), EnterAlternateScreen)?;
        let size = self.terminal.size()?;
        // All is drawn anew; `Terminal::clear` would ask where the cursor is, which the thread that reads keys would be told.
        self.terminal.resize(Rect::from((Position::ORIGIN, size)))?;
        Ok(size)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // The terminal may be gone itself.
        drop(ratatui::try_restore());
    }
}
