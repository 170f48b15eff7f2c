//! Screens. Ids and times are replaced by something as wide, so that columns stay where they are.

use super::given::Ran;

macro_rules! assert_seen {
    ($user:expr) => {{
        let mut settings = insta::Settings::clone_current();
        settings.add_filter(r"[0-9A-HJKMNP-TV-Z]{26}", "01ABCDEFGHJKMNPQRSTVWXYZ01");
        settings.add_filter(r"…[0-9A-HJKMNP-TV-Z]{12}", "…ABCDEFGHJKMN");
        settings.add_filter(r"run [0-9A-HJKMNP-TV-Z]{1,25}…", "run [id]…");
        settings.add_filter(r"\d+(\.\d+)? ms", "[n] ms");
        settings.bind(|| insta::assert_snapshot!($user.sees()));
    }};
}

#[test]
fn a_row_and_all_that_came_of_it() {
    let ran = Ran::example("16-grant-review");
    assert_seen!(ran.row(3, (80, 24)));
}

#[test]
fn a_state_with_what_it_changed() {
    let ran = Ran::example("16-grant-review");
    assert_seen!(ran.row(3, (110, 36)).press("/review_finance<enter>n<tab>/share<enter>"));
}

#[test]
fn a_small_screen_shows_one_part() {
    let ran = Ran::example("16-grant-review");
    let mut user = ran.row(3, (40, 10));
    let tree = user.sees();
    let details = user.press("G<up><up><tab>").sees();
    let help = user.press("?").sees();
    let all = [tree, details, help].join("\n\n");
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"…[0-9A-HJKMNP-TV-Z]{12}", "…ABCDEFGHJKMN");
    settings.add_filter(r"\d+(\.\d+)? ms", "[n] ms");
    settings.bind(|| insta::assert_snapshot!(all));
}

#[test]
fn a_high_and_narrow_screen_shows_one_part_above_the_other() {
    let ran = Ran::example("05-loan-triage");
    assert_seen!(ran.row(6, (50, 30)).press("jjj"));
}

#[test]
fn what_a_batch_made_with_its_members() {
    let ran = Ran::example("22-hearing-notices");
    assert_seen!(ran.row(0, (80, 24)).press("/→ token<enter><enter>"));
}

#[test]
fn the_help_tells_the_keys() {
    let ran = Ran::example("05-loan-triage");
    assert_seen!(ran.row(0, (80, 24)).press("?"));
}

#[test]
fn what_a_row_says_is_shown_and_not_obeyed() {
    let ran = Ran::text("\u{1b}[2J\u{9b}1A\u{202e}\nFORGED ok\r漢字");
    let seen = ran.row(0, (140, 24)).sees();
    assert!(seen.contains("\\u001b[2J\\u{9b}1A\\u{202e}\\nFORGED ok\\r漢字"), "{seen}");
    assert!(!seen.chars().any(|c| c != '\n' && c.is_control() || c == '\u{202e}'), "{seen:?}");
}
