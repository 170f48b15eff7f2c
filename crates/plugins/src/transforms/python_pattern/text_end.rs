//! `$` before something that takes the last line's end.
//!
//! For Python it stands before that newline without taking it, so that `a$\n` finds something; the translation takes the
//! newline, and then nothing of it is left. What follows `$` may be empty, or may be what no newline is and what is therefore
//! never found by Python either; what may be just the newline cannot be said.

use regex_syntax::hir::{Class, Hir, HirKind, Look};

use super::{Refused, refused};

/// What a part of a pattern can take.
#[derive(Debug, Clone, Copy)]
struct Takes {
    nothing: bool,
    newline: bool,
}

const NOTHING: Takes = Takes { nothing: true, newline: false };

/// Whether nothing behind `$` could take the newline.
///
/// # Errors
/// Something could.
pub(super) fn check(translated: &str) -> Result<(), Refused> {
    // What cannot be parsed is told by the crate itself.
    match regex_syntax::parse(translated) {
        Ok(hir) => walk(&hir, NOTHING),
        Err(_) => Ok(()),
    }
}

fn walk(hir: &Hir, behind: Takes) -> Result<(), Refused> {
    match hir.kind() {
        HirKind::Look(Look::End) if behind.newline && !behind.nothing => refused(
            "what follows `$` could take the newline before it",
            "end the pattern with `$`, or write the newline before it",
        ),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => Ok(()),
        HirKind::Repetition(repetition) => walk(&repetition.sub, behind),
        HirKind::Capture(capture) => walk(&capture.sub, behind),
        HirKind::Alternation(parts) => parts.iter().try_for_each(|part| walk(part, behind)),
        HirKind::Concat(parts) => {
            let mut behind = behind;
            for part in parts.iter().rev() {
                walk(part, behind)?;
                behind = takes(part).then(behind);
            }
            Ok(())
        }
    }
}

fn takes(hir: &Hir) -> Takes {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => NOTHING,
        HirKind::Literal(literal) => Takes { nothing: false, newline: &*literal.0 == b"\n" },
        HirKind::Class(class) => Takes { nothing: false, newline: has_newline(class) },
        HirKind::Capture(capture) => takes(&capture.sub),
        HirKind::Repetition(repetition) => {
            let once = takes(&repetition.sub);
            let newline = once.newline && repetition.max != Some(0) && (repetition.min <= 1 || once.nothing);
            Takes { nothing: repetition.min == 0 || once.nothing, newline }
        }
        HirKind::Concat(parts) => parts.iter().fold(NOTHING, |all, part| all.then(takes(part))),
        HirKind::Alternation(parts) => {
            parts.iter().map(takes).fold(Takes { nothing: false, newline: false }, Takes::or)
        }
    }
}

fn has_newline(class: &Class) -> bool {
    match class {
        Class::Unicode(class) => {
            class.ranges().iter().any(|range| range.start() <= '\n' && '\n' <= range.end())
        }
        Class::Bytes(class) => {
            class.ranges().iter().any(|range| range.start() <= b'\n' && b'\n' <= range.end())
        }
    }
}

impl Takes {
    fn then(self, next: Self) -> Self {
        let newline = self.newline && next.nothing || self.nothing && next.newline;
        Self { nothing: self.nothing && next.nothing, newline }
    }

    fn or(self, other: Self) -> Self {
        Self { nothing: self.nothing || other.nothing, newline: self.newline || other.newline }
    }
}
