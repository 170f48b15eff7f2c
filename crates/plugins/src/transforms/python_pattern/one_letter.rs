//! The letter i. Without regard to case, Python takes the I with a dot and the i without one for the same letter; to the
//! `regex` crate, which goes by Unicode's simple case folding, each is one of its own.

use regex_syntax::hir::{Class, HirKind};

/// All of them, as members of a class.
const ALL: &str = r"iI\u0130\u0131";

/// These, where the members of a class hold one of them.
pub(super) fn variants(members: &str) -> Option<&'static str> {
    let parsed = regex_syntax::parse(&format!("[{members}]")).ok()?;
    let holds = |c: char| match parsed.kind() {
        HirKind::Class(Class::Unicode(class)) => {
            class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&c))
        }
        HirKind::Literal(literal) => *literal.0 == *c.encode_utf8(&mut [0; 4]).as_bytes(),
        _ => false,
    };
    ['i', 'I', '\u{130}', '\u{131}'].into_iter().any(holds).then_some(ALL)
}
