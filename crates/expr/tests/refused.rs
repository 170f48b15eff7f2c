//! What the language refuses: where, with which words, and with which advice.

use elspeth_expr::{Expr, ExprError, Root};

/// Blocks of four lines: the text, a line that marks the refused place, the message, the advice (`-` for none).
const ROW: &str = include_str!("data/refused.txt");
const TRIGGER: &str = include_str!("data/refused-trigger.txt");
const COMMENCEMENT: &str = include_str!("data/refused-commencement.txt");

/// The text and the error as one block of a table. The end of the text is marked behind it.
fn block(text: &str, error: &ExprError) -> String {
    let before = text[..error.span.start].chars().count();
    let marked = text[error.span.start..error.span.end].chars().count().max(1);
    let help = error.help.as_deref().unwrap_or("-");
    let shown = text.replace('\n', "\u{240a}");
    format!("{shown}\n{}{}\n{}\n{help}", " ".repeat(before), "^".repeat(marked), error.message)
}

fn check_table(table: &str, root: Root) {
    let mut count = 0;
    for expected in table.trim_end().split("\n\n") {
        let shown = expected.lines().next().expect("a block has lines");
        let text = shown.replace('\u{240a}', "\n");
        let error = Expr::parse(&text, root).expect_err(&text);
        assert_eq!(block(&text, &error), expected);
        count += 1;
    }
    assert!(count > 3, "the table was read");
}

#[test]
fn says_what_is_refused_in_gates() {
    check_table(ROW, Root::Row);
}

#[test]
fn says_what_is_refused_in_triggers() {
    check_table(TRIGGER, Root::Trigger);
}

#[test]
fn says_what_is_refused_in_commencement_gates() {
    check_table(COMMENCEMENT, Root::Commencement);
}
