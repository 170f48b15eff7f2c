use std::collections::BTreeMap;
use std::sync::Arc;

use elspeth_expr::Span;
use elspeth_graph::{GraphError, GraphWarning, SettingPath};

use crate::marks::{Marks, Place};
use crate::secrets::masked;
use crate::{Diagnostic, SourceText, TextSpan};

/// Something found at a setting, before its place in the text is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) code: &'static str,
    pub(crate) at: SettingPath,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    /// The part of an expression that is meant, and the expression.
    pub(crate) within: Option<(Span, String)>,
}

impl Finding {
    pub(crate) fn new(code: &'static str, at: SettingPath, message: impl Into<String>) -> Self {
        Self { code, at, message: message.into(), help: None, within: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn of_graph(error: GraphError, expression: Option<&str>) -> Self {
        let within = error.span.zip(expression.map(str::to_owned));
        Self { code: error.code, at: error.at, message: error.message, help: error.help, within }
    }

    pub(crate) fn of_graph_warning(warning: GraphWarning) -> Self {
        Self {
            code: warning.code,
            at: warning.at,
            message: warning.message,
            help: warning.help,
            within: None,
        }
    }
}

/// Knows where every setting came from.
#[derive(Debug, Default)]
pub(crate) struct Locator {
    pub(crate) source: Option<Arc<SourceText>>,
    pub(crate) marks: Marks,
    /// Settings that a variable of the environment set.
    pub(crate) variables: BTreeMap<String, String>,
}

impl Locator {
    pub(crate) fn diagnose(&self, finding: Finding) -> Diagnostic {
        let mut diagnostic = Diagnostic::new(finding.code, masked(&finding.message));
        diagnostic.help = finding.help.as_deref().map(masked);
        diagnostic.setting = finding.at.as_str().to_owned();
        if let Some(variable) = self.variable_of(finding.at.as_str()) {
            diagnostic.file = Some(format!("environment variable {variable}"));
            return diagnostic;
        }
        let place = self.marks.place(&finding.at).or_else(|| self.beginning());
        let place = place.map(|place| self.narrowed(place, finding.within));
        self.put(&mut diagnostic, place);
        diagnostic
    }

    pub(crate) fn diagnose_at(
        &self,
        code: &'static str,
        message: String,
        place: Option<Place>,
    ) -> Diagnostic {
        let mut diagnostic = Diagnostic::new(code, masked(&message));
        self.put(&mut diagnostic, place);
        diagnostic
    }

    /// A place by line and column, both from 1.
    pub(crate) fn point(&self, line: usize, column: usize) -> Option<Place> {
        let text = &self.source.as_ref()?.text;
        let offset = line_start(text, line) + byte_of_column(line_text(text, line), column);
        let next = text[offset..].chars().next().filter(|c| !c.is_control());
        let len = next.map_or(0, char::len_utf8);
        Some(Place { line, column, span: TextSpan { offset, len } })
    }

    fn beginning(&self) -> Option<Place> {
        self.point(1, 1)
    }

    fn variable_of(&self, path: &str) -> Option<&str> {
        let mut path = path;
        loop {
            if let Some(variable) = self.variables.get(path) {
                return Some(variable);
            }
            path = path.rsplit_once('.')?.0;
        }
    }

    fn put(&self, diagnostic: &mut Diagnostic, place: Option<Place>) {
        diagnostic.file = self.source.as_ref().map(|s| s.name.clone());
        diagnostic.source.clone_from(&self.source);
        if let Some(place) = place {
            diagnostic.line = Some(place.line);
            diagnostic.column = Some(place.column);
            diagnostic.span = Some(place.span);
        }
    }

    /// The part of a value that holds an expression, when the file has that text as it is (no escapes, no variables, one line).
    fn narrowed(&self, place: Place, within: Option<(Span, String)>) -> Place {
        let (Some((span, expression)), Some(source)) = (within, &self.source) else { return place };
        let rest = &source.text[place.span.offset..];
        // Block scalars have their text on the line after their indicator.
        let nearby = rest.match_indices('\n').nth(1).map_or(rest, |(end, _)| &rest[..end]);
        let expression_text = expression.trim_end();
        let Some(found) = nearby.find(expression_text).filter(|_| !expression_text.contains('\n')) else {
            return place;
        };
        let begin = span.start.min(expression_text.len());
        let end = span.end.clamp(begin, expression_text.len());
        let offset = place.span.offset + found + begin;
        let before = &source.text[..offset];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Place { line, column, span: TextSpan { offset, len: end - begin } }
    }
}

fn line_start(text: &str, line: usize) -> usize {
    text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum()
}

fn line_text(text: &str, line: usize) -> &str {
    text.split_inclusive('\n').nth(line.saturating_sub(1)).unwrap_or_default()
}

fn byte_of_column(line: &str, column: usize) -> usize {
    line.char_indices().nth(column.saturating_sub(1)).map_or(line.len(), |(i, _)| i)
}
