//! Runs of the examples, and a user who looks at them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use elspeth_app::{
    DatabaseChoice, EnvChoice, Lineage, Progress, Question, RunId, RunObserver, SettingsChoice,
};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Cell;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Size;
use unicode_width::UnicodeWidthStr;

use super::super::draw::draw;
use super::super::look::Look;
use super::super::page::Page;
use super::super::state::{Effect, Event, State};

/// A finished run.
pub(super) struct Ran {
    dir: tempfile::TempDir,
}

/// Somebody at a screen, whose questions are answered from a run.
pub(super) struct User<'a> {
    pub(super) ran: &'a Ran,
    pub(super) state: State,
    pub(super) size: Size,
    pub(super) quits: bool,
}

struct Quiet;

impl RunObserver for Quiet {
    fn started(&mut self, _run_id: RunId) {}
    fn progress(&mut self, _progress: Progress) {}
}

impl Ran {
    /// One of the examples.
    pub(super) fn example(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
        let dir = tempfile::tempdir().unwrap();
        for file in std::fs::read_dir(&folder).unwrap().map(Result::unwrap).filter(|f| f.path().is_file()) {
            std::fs::copy(file.path(), dir.path().join(file.file_name())).unwrap();
        }
        let text = std::fs::read_to_string(folder.join("settings.yaml")).unwrap();
        Self::of(dir, &text.replace(&format!("examples/{name}"), "$DIR"))
    }

    /// Rows with numbers from 0, of which batches of `size` are summed up.
    pub(super) fn batches(rows: u32, size: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let numbers: String = (0..rows).map(|n| format!("{n}\n")).collect();
        std::fs::write(dir.path().join("in.csv"), format!("n\n{numbers}")).unwrap();
        Self::of(dir, &SUMS.replace("$SIZE", &size.to_string()))
    }

    /// One row of one text.
    pub(super) fn text(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("in.csv"), format!("text\n\"{text}\"\n")).unwrap();
        Self::of(dir, TEXT)
    }

    fn of(dir: tempfile::TempDir, settings: &str) -> Self {
        let path = dir.path().join("settings.yaml");
        std::fs::write(&path, settings.replace("$DIR", &dir.path().display().to_string())).unwrap();
        let choice = SettingsChoice { path, env: EnvChoice::NoDotenv };
        let prepared = elspeth_app::prepare(&choice).unwrap();
        elspeth_app::run(prepared, Arc::new(AtomicBool::new(false)), &mut Quiet).unwrap();
        Self { dir }
    }

    fn database(&self) -> PathBuf {
        let inner = self.dir.path().join("out/audit.db");
        if inner.exists() { inner } else { self.dir.path().join("audit.db") }
    }

    pub(super) fn explain(&self, question: &Question) -> Result<Lineage, String> {
        let database = DatabaseChoice::Location(self.database().display().to_string());
        elspeth_app::explain(&database, "latest", question, None).map_err(|error| error.to_string())
    }

    /// Somebody who asked about a row.
    pub(super) fn row(&self, row: u64, size: (u16, u16)) -> User<'_> {
        self.asked(Question::Row(row), size)
    }

    pub(super) fn asked(&self, question: Question, (width, height): (u16, u16)) -> User<'_> {
        let lineage = self.explain(&question).unwrap();
        let state = State::new(Page::new(question, lineage, None));
        let mut user = User { ran: self, state, size: Size { width, height }, quits: false };
        user.resize((width, height));
        user
    }
}

impl User<'_> {
    pub(super) fn resize(&mut self, (width, height): (u16, u16)) {
        self.size = Size { width, height };
        self.state.update(Event::Resize(self.size));
    }

    /// Presses keys: each letter is one, words in `<>` are keys with names. Questions are answered at once.
    pub(super) fn press(&mut self, keys: &str) -> &mut Self {
        for key in named(keys) {
            if let Some(Effect::Ask { number, question }) = self.key(key) {
                let answer = self.ran.explain(&question);
                self.state.update(Event::Answer { number, answer });
            }
        }
        self
    }

    /// Presses one key.
    pub(super) fn key(&mut self, key: KeyEvent) -> Option<Effect> {
        let effect = self.state.update(Event::Key(key));
        self.quits |= effect == Some(Effect::Quit);
        effect
    }

    /// The screen, without blanks at the ends of its lines.
    pub(super) fn sees(&self) -> String {
        let Size { width, height } = self.size;
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(&self.state, Look { colour: false }, frame)).unwrap();
        let buffer = terminal.backend().buffer();
        let lines = buffer.content.chunks(usize::from(width.max(1))).map(line);
        lines.collect::<Vec<_>>().join("\n")
    }

    pub(super) fn label(&self) -> &str {
        &self.state.page.node().label
    }
}

/// A row of the screen; behind a wide letter there is a place that nothing is drawn at.
fn line(row: &[Cell]) -> String {
    let mut line = String::new();
    for (at, cell) in row.iter().enumerate() {
        if at == 0 || row[at - 1].symbol().width() < 2 {
            line.push_str(cell.symbol());
        }
    }
    line.trim_end().to_owned()
}

/// The keys that a text stands for.
pub(super) fn named(text: &str) -> Vec<KeyEvent> {
    let (mut keys, mut rest) = (Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        let name = rest.strip_prefix('<').and_then(|inner| inner.split_once('>'));
        let (code, modifiers, behind) = match name {
            Some(("C-c", behind)) => (KeyCode::Char('c'), KeyModifiers::CONTROL, behind),
            Some(("C-u", behind)) => (KeyCode::Char('u'), KeyModifiers::CONTROL, behind),
            Some((name, behind)) => (code(name), KeyModifiers::NONE, behind),
            None => (KeyCode::Char(first), KeyModifiers::NONE, &rest[first.len_utf8()..]),
        };
        keys.push(KeyEvent::new(code, modifiers));
        rest = behind;
    }
    keys
}

fn code(name: &str) -> KeyCode {
    match name {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "tab" => KeyCode::Tab,
        "back" => KeyCode::Backspace,
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "left" => KeyCode::Left,
        "right" => KeyCode::Right,
        "pgup" => KeyCode::PageUp,
        "pgdn" => KeyCode::PageDown,
        "home" => KeyCode::Home,
        "end" => KeyCode::End,
        other => panic!("no key is called {other}"),
    }
}

const SUMS: &str = "
source:
  plugin: csv
  on_success: numbers
  options: {path: $DIR/in.csv, on_validation_failure: discard, schema: {mode: fixed, fields: ['n: int']}}
aggregations:
  - name: sums
    plugin: batch_stats
    input: numbers
    on_success: totals
    on_error: discard
    trigger: {count: $SIZE}
    output_mode: transform
    options: {schema: {mode: observed}, value_field: n}
sinks:
  totals: {plugin: json, on_write_failure: discard, options: {path: $DIR/out.jsonl}}
landscape: {url: 'sqlite:///$DIR/audit.db'}
";

const TEXT: &str = "
source:
  plugin: csv
  on_success: texts
  options: {path: $DIR/in.csv, on_validation_failure: discard, schema: {mode: fixed, fields: ['text: str']}}
sinks:
  texts: {plugin: json, on_write_failure: discard, options: {path: $DIR/out.jsonl}}
landscape: {url: 'sqlite:///$DIR/audit.db'}
";
