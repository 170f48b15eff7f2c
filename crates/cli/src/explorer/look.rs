//! Styles. What they tell, a sign or a word tells too.

use ratatui::style::{Color, Modifier, Style};

use super::lines::Mark;
use super::nodes::Tone;

/// With colours or without.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub(super) colour: bool,
}

impl Look {
    /// As `NO_COLOR` wants it.
    pub(super) fn of_environment() -> Self {
        Self { colour: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) }
    }

    pub(super) fn tone(self, tone: Tone) -> Style {
        match tone {
            Tone::Plain | Tone::Good => Style::new(),
            Tone::Bad => self.of(Color::Red),
            Tone::Open => self.of(Color::Yellow),
            Tone::Elsewhere => self.of(Color::Cyan),
        }
    }

    pub(super) fn mark(self, mark: Mark) -> Style {
        match mark {
            Mark::Plain => Style::new(),
            Mark::Heading => Style::new().add_modifier(Modifier::BOLD),
            Mark::Bad | Mark::Removed => self.of(Color::Red),
            Mark::Added => self.of(Color::Green),
            Mark::Changed => self.of(Color::Yellow),
        }
    }

    /// What was looked for.
    pub(super) const fn found(self) -> Style {
        if self.colour {
            Style::new().fg(Color::Black).bg(Color::Yellow)
        } else {
            Style::new().add_modifier(Modifier::REVERSED)
        }
    }

    /// What is selected, where the keys go or where they do not.
    pub(super) const fn selected(focused: bool) -> Style {
        Style::new().add_modifier(if focused { Modifier::REVERSED } else { Modifier::UNDERLINED })
    }

    pub(super) const fn title(focused: bool) -> Style {
        Style::new().add_modifier(if focused { Modifier::BOLD } else { Modifier::DIM })
    }

    const fn of(self, colour: Color) -> Style {
        if self.colour { Style::new().fg(colour) } else { Style::new() }
    }
}
