//! Whatever is pressed, at whatever size: nothing panics, and what is selected can be seen.

use proptest::prelude::*;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::super::areas::Focus;
use super::super::state::{Effect, Event, Mode};
use super::given::{Ran, User};

#[derive(Debug, Clone)]
enum Act {
    Key(KeyCode),
    Resize(u16, u16),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let letters = "jjjkhl nNtr[]mgG/?aeo漢\u{202e}".chars().map(KeyCode::Char);
    let others = [
        KeyCode::Down,
        KeyCode::Down,
        KeyCode::Up,
        KeyCode::Left,
        KeyCode::Right,
        KeyCode::Right,
        KeyCode::Enter,
        KeyCode::Enter,
        KeyCode::Tab,
        KeyCode::Backspace,
        KeyCode::PageUp,
        KeyCode::PageDown,
        KeyCode::Home,
        KeyCode::End,
        KeyCode::Esc,
    ];
    let key = proptest::sample::select(letters.chain(others).collect::<Vec<_>>()).prop_map(Act::Key);
    let size = prop_oneof![(0_u16..12, 0_u16..6), (0_u16..200, 0_u16..60)];
    let act = prop_oneof![12 => key, 1 => size.prop_map(|(width, height)| Act::Resize(width, height))];
    proptest::collection::vec(act, 1..60)
}

fn act(user: &mut User<'_>, act: &Act) {
    match act {
        Act::Resize(width, height) => user.resize((*width, *height)),
        Act::Key(code) => {
            if let Some(Effect::Ask { number, question }) = user.key(KeyEvent::new(*code, KeyModifiers::NONE))
            {
                let answer = user.ran.explain(&question);
                user.state.update(Event::Answer { number, answer });
            }
        }
    }
}

fn check(user: &User<'_>) -> Result<(), TestCaseError> {
    let state = &user.state;
    let seen = user.sees();
    let obeyed = |c: char| c != '\n' && c.is_control() || c == '\u{202e}';
    prop_assert!(!seen.contains(obeyed), "{seen:?}");
    if matches!(state.mode, Mode::Help(_)) {
        return Ok(());
    }
    if state.focus == Focus::Tree && state.areas.tree.body.height > 0 {
        prop_assert!(state.page.visible().contains(&state.page.selected()));
    }
    let (first, last, count) = state.page.scroll();
    let full = usize::from(state.areas.details.body.height).min(count);
    prop_assert_eq!(if full == 0 { 0 } else { last + 1 - first }, full);
    Ok(())
}

fn runs() -> [(Ran, u64); 3] {
    [
        (Ran::example("19-motor-claims"), 3),
        (Ran::example("22-hearing-notices"), 0),
        (Ran::text("漢字 a\u{301}\u{200b}\u{1f468}\u{200d}\u{1f469} \u{202e}\u{1b}[2J"), 0),
    ]
}

#[test]
fn nothing_that_is_pressed_loses_what_is_selected() {
    let runs = runs();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(48));
    let walk = |(which, acts): (usize, Vec<Act>)| {
        let (ran, row) = &runs[which];
        let mut user = ran.row(*row, (80, 24));
        check(&user)?;
        acts.iter().try_for_each(|chosen| {
            act(&mut user, chosen);
            check(&user)
        })
    };
    runner.run(&(0..runs.len(), acts()), walk).unwrap();
}
