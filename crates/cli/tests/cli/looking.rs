//! `explain --tui` on a terminal of its own.

use rustix::process::{Signal, WaitOptions, waitpid};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::support::Cli;
use crate::terminal::Terminal;

fn look(cli: &Cli, row: &str) -> Terminal {
    let terminal =
        Terminal::of(&cli.command(&["explain", "--row", row, "-d", "out/audit.db", "--tui"]), (24, 80));
    assert!(terminal.screen.screen().contents().is_empty());
    terminal
}

#[test]
fn a_lineage_is_looked_through_and_the_terminal_given_back() {
    let cli = Cli::after_run();
    let mut terminal = look(&cli, "1");
    terminal.until("row 1 · routed · sink rejected").until("\"full_name\": \"Bob\"").until("q quit");
    assert!(terminal.screen.screen().alternate_screen() && !terminal.is_as_before());
    terminal.press("jjj").until("field_mapper").until("+ applicant: \"Bob\"");
    terminal.press("]").until("row 2 · quarantined").until("Source data");
    terminal.press("jj").until("schema_violation");
    terminal.press("]]]]").until("✗ run").until("has no row 6");
    terminal.press("/ada\r").until("it is nowhere in this lineage").press("?").until("search labels");
    terminal.press("xq");
    assert_eq!(terminal.end(), Some(0));
}

#[test]
fn a_signal_gives_the_terminal_back_too() {
    let cli = Cli::after_run();
    for (signal, code) in [(Signal::TERM, 3), (Signal::HUP, 3), (Signal::INT, 3)] {
        let mut terminal = look(&cli, "0");
        terminal.until("q quit");
        terminal.signal(signal);
        assert_eq!(terminal.end(), Some(code));
    }
    let mut terminal = look(&cli, "0");
    terminal.until("q quit").press("\u{3}");
    assert_eq!(terminal.end(), Some(0), "Ctrl-C is a key like `q`");
}

#[test]
fn a_suspended_view_goes_on_where_it_was() {
    let cli = Cli::after_run();
    let mut terminal = look(&cli, "0");
    terminal.until("q quit").press("jjj").until("field_mapper").press("\u{1a}");
    let (_, status) = waitpid(Some(terminal.pid()), WaitOptions::UNTRACED).unwrap().unwrap();
    assert!(status.stopped() && terminal.is_as_before());
    terminal.signal(Signal::CONT);
    terminal.press("j").until("row['score'] >= 50").press("q");
    assert_eq!(terminal.end(), Some(0));
}

#[test]
fn another_size_is_another_drawing() {
    let cli = Cli::after_run();
    let mut terminal = look(&cli, "0");
    terminal.until("Source data").press("\t").until("━▶ row 0 ━");
    let size = Winsize { ws_row: 10, ws_col: 40, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&terminal.line, size).unwrap();
    terminal.screen.screen_mut().set_size(10, 40);
    // What was drawn before is cut off here.
    assert!(!terminal.screen.screen().contents().contains("━▶ row 0 ━"));
    terminal.until("━▶ row 0 ━").signal(Signal::TERM);
    assert_eq!(terminal.end(), Some(3), "a key would be told with the size, and may wait for the next one");
}

#[test]
fn an_error_before_the_view_leaves_the_terminal_alone() {
    let cli = Cli::after_run();
    let mut terminal = look(&cli, "99");
    terminal.until("has no row 99");
    assert!(!terminal.screen.screen().alternate_screen());
    assert_eq!(terminal.end(), Some(1));
}

#[test]
fn without_a_terminal_nothing_is_drawn() {
    let cli = Cli::after_run();
    let said = cli.say(&["explain", "--row", "0", "-d", "out/audit.db", "--tui"]);
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    assert!(
        said.err.contains("--tui needs a terminal") && said.err.contains("with --json as JSON"),
        "{}",
        said.err
    );
    let said = cli.say(&["explain", "--row", "0", "-d", "out/audit.db", "--tui", "--json"]);
    assert_eq!((said.code, said.out.as_str()), (2, ""));
}
