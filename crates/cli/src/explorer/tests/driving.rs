//! What keys and answers do.

use elspeth_app::Question;

use super::super::areas::Focus;
use super::super::state::{Effect, Event, Mode, Note};
use super::given::{Ran, User, named};

/// Presses keys and compares what is selected then.
fn check(user: &mut User<'_>, cases: &[(&str, &str)]) {
    for (keys, label) in cases {
        user.press(keys);
        assert!(user.label().starts_with(label), "after {keys}: {} instead of {label}", user.label());
    }
}

fn note(user: &User<'_>) -> String {
    match &user.state.note {
        Some(Note::Remark(text) | Note::Error(text)) => text.clone(),
        None => String::new(),
    }
}

#[test]
fn keys_move_through_the_tree() {
    let ran = Ran::example("16-grant-review");
    check(
        &mut ran.row(3, (80, 24)),
        &[
            ("", "row 3"),
            ("k", "row 3"),
            ("jj", "✓ source source"),
            ("<down>", "✓ gate needs_review"),
            ("<right><right>", "row['requested'] > 5000 → true → branch finance"),
            ("h", "✓ gate needs_review"),
            ("h<down>", "✓ forked"),
            ("G", "✗ routed"),
            ("g", "row 3"),
            ("<pgdn>", "✗ routed"),
            ("<pgup>", "row 3"),
            (" j", "row 3"),
            (" j", "token"),
        ],
    );
}

#[test]
fn the_details_scroll_when_they_have_the_focus() {
    let ran = Ran::example("16-grant-review");
    let mut user = ran.row(3, (80, 14));
    user.press("jjj<tab>");
    assert_eq!((user.state.focus, user.state.page.scroll().0), (Focus::Details, 1));
    for (keys, first) in
        [("jj", 3), ("k", 2), ("G", 31), ("<down>", 31), ("g", 1), ("<up>", 1), ("<pgdn>", 11)]
    {
        user.press(keys);
        let (from, _, all) = user.state.page.scroll();
        assert_eq!(from, if keys == "G" || keys == "<down>" { all - 10 } else { first }, "{keys}");
    }
    user.press("<left>");
    assert_eq!(user.state.focus, Focus::Tree);
    assert!(user.label().starts_with("✓ gate"), "{}", user.label());
}

#[test]
fn enter_opens_what_stands_elsewhere_and_backspace_goes_back() {
    let ran = Ran::example("22-hearing-notices");
    let mut user = ran.row(0, (80, 24));
    check(
        &mut user,
        &[
            ("/→ token<enter>", "→ token"),
            ("<enter>", "output 1 of 6"),
            ("j", "← batch 0"),
            ("jj", "2: row 1"),
            ("r", "row 1"),
            ("<back>", "2: row 1"),
            ("t", "token"),
            ("<back><back>", "→ token"),
        ],
    );
    assert!(user.state.back.is_empty());
    user.press("<back>");
    assert_eq!(note(&user), "this is where you began");
}

#[test]
fn neighbouring_rows_take_the_place_of_each_other() {
    let ran = Ran::example("05-loan-triage");
    let mut user = ran.row(0, (80, 24));
    user.press("jj]");
    assert!(user.state.page.title.starts_with("row 1 · "), "{}", user.state.page.title);
    assert_eq!((user.label(), user.state.back.len()), ("✓ source source", 0));
    user.press("[[");
    assert_eq!(
        (user.state.page.question.clone(), note(&user).as_str()),
        (Question::Row(0), "this is the first row")
    );
}

#[test]
fn what_cannot_be_answered_is_told_and_ends_nothing() {
    let ran = Ran::example("12-no-rows");
    assert!(ran.explain(&Question::Row(0)).is_err());
    let ran = Ran::example("05-loan-triage");
    let mut user = ran.row(0, (80, 24));
    user.press(&"]".repeat(40));
    assert!(note(&user).contains("has no row"), "{}", note(&user));
    assert!(user.sees().contains("✗ run "), "{}", user.sees());
    assert!(!user.quits);
    user.press("j");
    assert_eq!(note(&user), "");
}

#[test]
fn only_the_last_question_is_waited_for() {
    let ran = Ran::example("05-loan-triage");
    let mut user = ran.row(3, (80, 24));
    let ask = |user: &mut User<'_>, key: &str| match user.key(named(key)[0]) {
        Some(Effect::Ask { number, question }) => (number, question),
        other => panic!("{other:?}"),
    };
    let first = ask(&mut user, "]");
    assert!(user.sees().contains("asking for row 4 …"), "{}", user.sees());
    user.press("j");
    let second = ask(&mut user, "t");
    let answer = |(number, question): &(u64, Question)| Event::Answer {
        number: *number,
        answer: ran.explain(question),
    };
    user.state.update(answer(&first));
    assert_eq!(user.state.page.question, Question::Row(3));
    user.state.update(answer(&second));
    assert!(matches!(user.state.page.question, Question::Token(_)));
    let third = ask(&mut user, "[");
    user.press("<esc>");
    user.state.update(answer(&third));
    assert!(matches!(user.state.page.question, Question::Token(_)) && !user.quits);
}

#[test]
fn rows_are_gone_through_as_often_as_the_key_came() {
    let ran = Ran::example("05-loan-triage");
    for (keys, row, says) in
        [("]]]", 4, ""), ("]]]][", 4, ""), ("][[", 0, ""), ("[[[", 0, "this is the first row")]
    {
        let mut user = ran.row(1, (80, 24));
        let mut effects: Vec<_> = named(keys).into_iter().filter_map(|key| user.key(key)).collect();
        assert_eq!(effects.len(), 1, "{keys}: others wait for the first");
        while let Some(Effect::Ask { number, question }) = effects.pop() {
            effects.extend(user.state.update(Event::Answer { number, answer: ran.explain(&question) }));
        }
        assert_eq!((&user.state.page.question, note(&user).as_str()), (&Question::Row(row), says), "{keys}");
    }
}

#[test]
fn more_members_are_added_to_those_that_are_listed() {
    let ran = Ran::batches(2_100, 2_100);
    let mut user = ran.row(7, (80, 24));
    user.press("/→ token<enter><enter>");
    let listed =
        |user: &User<'_>| user.state.page.lineage.tokens[0].made_by.as_ref().map(|m| m.members.tokens.len());
    assert_eq!(listed(&user), Some(1_000));
    user.press("jll");
    assert!(user.label().starts_with("1: row 0"), "{}", user.label());
    user.press("m");
    assert_eq!(listed(&user), Some(2_000));
    check(
        &mut user,
        &[("", "1: row 0"), ("/… 100 more<enter>", "… 100 more (m)"), ("<enter>", "2001: row 2000")],
    );
    assert_eq!(listed(&user), Some(2_100));
    user.press("m");
    assert_eq!(note(&user), "all members are listed");
    let page = &user.state.page;
    assert_eq!(page.lineage.tokens[0].parents.len(), 2_100);
}

#[test]
fn a_search_goes_through_labels_and_details_and_around() {
    let ran = Ran::example("16-grant-review");
    let mut user = ran.row(3, (80, 24));
    check(
        &mut user,
        &[
            ("/PLACEHOLDERS<enter>", "row 3"),
            ("/placeholders<enter>", "✓ gate needs_review"),
            ("n", "✓ gate needs_review"),
            ("<tab>gh", "row 3"),
            ("/film club<enter>", "row 3"),
            ("nn", "✓ source source"),
            ("N", "token"),
            ("/nowhere to be found<enter>", "token"),
        ],
    );
    assert_eq!(note(&user), "it is nowhere in this lineage");
    user.press("<esc>");
    assert!(!user.quits, "it closed the search");
    user.press("n");
    assert_eq!(note(&user), "nothing was searched for yet: /");
}

#[test]
fn a_text_is_typed_and_erased() {
    let ran = Ran::example("05-loan-triage");
    let mut user = ran.row(0, (80, 24));
    let typed = |user: &User<'_>| match &user.state.mode {
        Mode::Typing(text) => Some(text.clone()),
        Mode::Browsing | Mode::Help(_) => None,
    };
    for (keys, text) in [
        ("/qx", Some("qx")),
        ("<back>?", Some("q?")),
        ("<C-u>", Some("")),
        ("<back>", None),
        ("/a<esc>", None),
        ("/n", Some("n")),
    ] {
        user.press(keys);
        assert_eq!(typed(&user).as_deref(), text, "{keys}");
    }
    assert!(!user.quits);
    user.press("<C-c>");
    assert!(user.quits);
}

#[test]
fn quitting_works_from_everywhere() {
    let ran = Ran::example("05-loan-triage");
    for (keys, quits) in [
        ("q", true),
        ("<esc>", true),
        ("<C-c>", true),
        ("?q", false),
        ("?<esc>", false),
        ("?<C-c>", true),
        ("?x", false),
        ("<tab>q", true),
        ("/q", false),
    ] {
        let mut user = ran.row(0, (80, 24));
        user.press(keys);
        assert_eq!(user.quits, quits, "{keys}");
        assert!(quits || !matches!(user.state.mode, Mode::Help(_)), "{keys}");
    }
}
