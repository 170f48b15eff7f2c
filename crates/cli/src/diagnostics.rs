//! Errors as people see them: file, line, column, the line with a caret, what is wrong, what to write instead.

use std::fmt;
use std::io::IsTerminal;

use elspeth_app::{AppError, Diagnostic, Diagnostics, printable, printable_lines};
use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, Severity,
    SourceCode, SourceSpan, SpanContents,
};

use crate::output;

/// Prints an error to stderr; the exit code that belongs to it.
pub(crate) fn print_error(error: &AppError) -> u8 {
    match error {
        AppError::Settings(diagnostics) => print_diagnostics(diagnostics),
        other => print_failure(&other.to_string(), other.help()),
    }
    error.exit_code()
}

/// Prints what went wrong to stderr, and what to do about it where that is known.
pub(crate) fn print_failure(message: &str, help: Option<&str>) {
    output::note(&format!("error: {}", printable(message)));
    if let Some(help) = help {
        output::note(&format!("help: {help}"));
    }
}

/// Prints every diagnostic to stderr, and how many there were.
pub(crate) fn print_diagnostics(diagnostics: &Diagnostics) {
    for diagnostic in &diagnostics.errors {
        output::drawn(render(diagnostic, Severity::Error).trim_end_matches('\n'));
    }
    let count = diagnostics.errors.len();
    output::note(&format!("{count} error{} in {}", if count == 1 { "" } else { "s" }, diagnostics.file));
}

/// Prints warnings to stderr.
pub(crate) fn print_warnings(warnings: &[Diagnostic]) {
    for warning in warnings {
        output::drawn(render(warning, Severity::Warning).trim_end_matches('\n'));
    }
}

/// One diagnostic as text, with a caret when it has a place.
pub(crate) fn render(diagnostic: &Diagnostic, severity: Severity) -> String {
    let mut out = String::new();
    let report = Report::new(diagnostic, severity);
    match handler().render_report(&mut out, &report) {
        Ok(()) => out,
        Err(fmt::Error) => format!("{}\n", diagnostic.message),
    }
}

/// A text to be quoted by places in it: what a terminal would obey is replaced by something as long, and every line ends as
/// miette knows it.
fn harmless(text: &str) -> String {
    let mut letters = text.chars().peekable();
    let mut out = String::with_capacity(text.len());
    while let Some(c) = letters.next() {
        out.push(match c {
            '\r' if letters.peek() == Some(&'\n') => '\r',
            '\r' => '\n',
            _ if printable_lines(c.encode_utf8(&mut [0; 4])).chars().eq([c]) => c,
            _ => ['?', '·', '•', '🞄'][c.len_utf8() - 1],
        });
    }
    out
}

fn handler() -> GraphicalReportHandler {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    GraphicalReportHandler::new_themed(theme).with_links(false).with_width(110)
}

/// The lines around a place, which miette would count from their first, and its column in bytes.
#[derive(Debug)]
struct Quoted {
    name: String,
    text: String,
    /// The place, in bytes of `text`.
    span: SourceSpan,
    /// Lines in front of `text`.
    before: usize,
    /// From 1.
    line: usize,
    /// In characters, from 1.
    column: usize,
}

/// Lines before and behind a place that are quoted; the rest of a text is not looked at, however many errors it has.
const AROUND: usize = 3;

impl Quoted {
    fn new(diagnostic: &Diagnostic) -> Option<Self> {
        let (source, span) = (diagnostic.source.as_ref()?, diagnostic.span?);
        let (ahead, rest) = source.text.split_at_checked(span.offset)?;
        let start = ahead.rmatch_indices('\n').nth(AROUND).map_or(0, |(at, _)| at + 1);
        let behind = rest.get(span.len..).unwrap_or_default();
        let end = behind
            .match_indices('\n')
            .nth(AROUND)
            .map_or(source.text.len(), |(at, _)| span.offset + span.len + at + 1);
        let text = harmless(&source.text[start..end]);
        let offset = span.offset - start;
        let line = diagnostic.line.unwrap_or(1);
        let before = (line - 1).saturating_sub(text[..offset].matches('\n').count());
        let column = diagnostic.column.unwrap_or(1);
        let span = (offset, span.len).into();
        Some(Self { name: printable(&source.name), text, span, before, line, column })
    }
}

impl SourceCode for Quoted {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let read = self.text.read_span(span, lines_before, lines_after)?;
        // Without lines around it, the place itself is asked for.
        let (line, column) = match (lines_before, lines_after) {
            (0, 0) => (self.line - 1, self.column - 1),
            _ => (read.line() + self.before, read.column()),
        };
        let name = self.name.clone();
        let (data, span, count) = (read.data(), *read.span(), read.line_count());
        Ok(Box::new(MietteSpanContents::new_named(name, data, span, line, column, count)))
    }
}

#[derive(Debug)]
struct Report<'a> {
    diagnostic: &'a Diagnostic,
    source: Option<Quoted>,
    severity: Severity,
}

impl<'a> Report<'a> {
    fn new(diagnostic: &'a Diagnostic, severity: Severity) -> Self {
        Self { diagnostic, source: Quoted::new(diagnostic), severity }
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.source, &self.diagnostic.file) {
            (None, Some(file)) => {
                let line = self.diagnostic.line.map(|line| format!(":{line}")).unwrap_or_default();
                f.write_str(&printable(&format!("{file}{line}: {}", self.diagnostic.message)))
            }
            _ => f.write_str(&printable(&self.diagnostic.message)),
        }
    }
}

impl std::error::Error for Report<'_> {}

impl miette::Diagnostic for Report<'_> {
    fn code<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        Some(Box::new(&self.diagnostic.code))
    }

    fn severity(&self) -> Option<Severity> {
        Some(self.severity)
    }

    fn help<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        self.diagnostic.help.as_ref().map(|help| Box::new(printable_lines(help)) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.source.as_ref()?.span;
        let label = LabeledSpan::new_primary_with_span(Some("here".to_owned()), span);
        Some(Box::new(std::iter::once(label)))
    }
}
