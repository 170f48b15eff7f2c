//! `explain --tui`: the lineage of a row or token, to be looked through on a terminal.
//!
//! - [`page`] is one lineage with what is selected, folded and scrolled; [`nodes`] makes a tree of it, [`details`] the lines
//!   about one of its items ([`json`] those of bodies), [`lines`] breaks them into rows.
//! - [`state`] is the view: pages, where the keys go, what was asked. It takes an [`Event`](state::Event) and may give an
//!   [`Effect`](state::Effect) to be carried out. [`keys`] says which key means what, and what the help tells of them.
//! - [`draw`] draws a state, [`areas`] says where, [`look`] in which style.
//! - [`screen`] alone knows the terminal: it waits for keys, answers and signals, and gives the terminal back as it was.
//!
//! Invariant: what is selected can be seen, at any size. What was recorded is shown, and never obeyed by the terminal.
//!
//! It does not know where a lineage comes from: it is given the first one, and a function that answers further questions.

mod areas;
mod details;
mod draw;
mod json;
mod keys;
mod lines;
mod look;
mod nodes;
mod page;
mod screen;
mod search;
mod state;
#[cfg(test)]
mod tests;

use std::io::IsTerminal;
use std::sync::Arc;

use elspeth_app::{AppError, Lineage, Question};

use page::Page;
use state::State;

/// Answers a question about the run that is looked at.
pub(crate) type Ask = Arc<dyn Fn(&Question) -> Result<Lineage, AppError> + Send + Sync>;

/// Stopped by a signal.
const INTERRUPTED: u8 = 3;

/// Refuses where there is nobody to look.
pub(crate) fn needs_a_terminal() -> Result<(), AppError> {
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() && !dumb {
        return Ok(());
    }
    Err(AppError::Refused {
        message: "--tui needs a terminal, for its keys and for what it draws".to_owned(),
        help: Some(
            "without --tui `elspeth explain` prints the whole lineage, with --json as JSON".to_owned(),
        ),
    })
}

/// Shows a lineage until the user has seen enough; the exit code. `sink` is the one that the question was limited to.
pub(crate) fn explore(
    (question, first): (Question, Lineage),
    sink: Option<&str>,
    ask: &Ask,
) -> Result<u8, AppError> {
    let state = State::new(Page::new(question, first, sink));
    let ended = screen::run(state, ask).map_err(|e| AppError::Output(format!("the terminal failed: {e}")))?;
    Ok(match ended {
        screen::Ended::Seen => super::commands::OK,
        screen::Ended::Signal => INTERRUPTED,
    })
}
