//! `$` before something that takes the last line's end.
//!
//! For Python it stands before that newline without taking it, so that `a$\n` finds something; the translation takes the
//! newline, and then nothing of it is left. What follows `$` may be empty, or may be what no newline is and what is therefore
//! never found by Python either; what may be just the newline cannot be said, nor what looks at the place, as `\b` does.

use regex_syntax::hir::{Class, Hir, HirKind, Look};

use super::{Refused, refused};

/// What a part of a pattern can take.
#[derive(Debug, Clone, Copy)]
struct Takes {
    nothing: bool,
    newline: bool,
    /// Whether it looks at the place where it stands before it takes anything.
    looks: bool,
}

const NOTHING: Takes = Takes { nothing: true, newline: false, looks: false };
const HELP: &str = "end the pattern with `$`, or write the newline before it";

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
        HirKind::Look(Look::End) if behind.newline && !behind.nothing => {
            refused("what follows `$` could take the newline before it", HELP)
        }
        HirKind::Look(Look::End) if behind.looks && behind.nothing => {
            refused("what follows `$` looks at the place before the newline", HELP)
        }
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => Ok(()),
        // What is repeated stands behind itself, as often as it must.
        HirKind::Repetition(repetition) => {
            let again = if repetition.min > 1 { takes(&repetition.sub) } else { NOTHING };
            walk(&repetition.sub, again.then(behind))
        }
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
        HirKind::Empty | HirKind::Look(Look::End) => NOTHING,
        HirKind::Look(_) => Takes { looks: true, ..NOTHING },
        HirKind::Literal(literal) => Takes::something(&*literal.0 == b"\n"),
        HirKind::Class(class) => Takes::something(has_newline(class)),
        HirKind::Capture(capture) => takes(&capture.sub),
        HirKind::Repetition(repetition) => {
            let once = takes(&repetition.sub);
            let newline = once.newline && repetition.max != Some(0) && (repetition.min <= 1 || once.nothing);
            Takes { nothing: repetition.min == 0 || once.nothing, newline, ..once }
        }
        HirKind::Concat(parts) => parts.iter().fold(NOTHING, |all, part| all.then(takes(part))),
        HirKind::Alternation(parts) => parts.iter().map(takes).fold(Takes::something(false), Takes::or),
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
    fn something(newline: bool) -> Self {
        Self { nothing: false, newline, looks: false }
    }

    fn then(self, next: Self) -> Self {
        let newline = self.newline && next.nothing || self.nothing && next.newline;
        let looks = self.looks || self.nothing && next.looks;
        Self { nothing: self.nothing && next.nothing, newline, looks }
    }

    fn or(self, other: Self) -> Self {
        Self {
            nothing: self.nothing || other.nothing,
            newline: self.newline || other.newline,
            looks: self.looks || other.looks,
        }
    }
}
