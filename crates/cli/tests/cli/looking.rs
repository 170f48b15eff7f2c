//! `explain --tui` on a terminal of its own.
#![expect(clippy::unwrap_used, reason = "what fails here fails its test, with the place")]

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::support::Cli;

/// A program on a terminal, and what it drew.
struct Terminal {
    process: Child,
    /// The other end of the line.
    line: File,
    screen: vt100::Parser,
}

impl Terminal {
    /// `setsid` makes the terminal that of the program's own session, so that it is told of another size; it becomes the
    /// program.
    fn of(program: &Command, (rows, columns): (u16, u16)) -> Self {
        let line = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&line).unwrap();
        unlockpt(&line).unwrap();
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&line, size).unwrap();
        let name = ptsname(&line, Vec::new()).unwrap().into_string().unwrap();
        let end = File::options().read(true).write(true).open(name).unwrap();
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(program.get_program()).args(program.get_args());
        command.current_dir(program.get_current_dir().unwrap()).env("NO_COLOR", "1");
        command.stdin(Stdio::from(end.try_clone().unwrap())).stdout(Stdio::from(end.try_clone().unwrap()));
        let process = command.stderr(Stdio::from(end)).env("TERM", "xterm-256color").spawn().unwrap();
        drop(command);
        let line = File::from(line);
        Self { process, line, screen: vt100::Parser::new(rows, columns, 0) }
    }

    /// Reads what is drawn; whether there was anything, as long as somebody would wait.
    fn read(&mut self) -> bool {
        let mut line = [PollFd::new(&self.line, PollFlags::IN)];
        if poll(&mut line, Some(&Timespec { tv_sec: 20, tv_nsec: 0 })).unwrap() == 0 {
            return false;
        }
        let mut bytes = [0; 4096];
        // The end of a terminal is an error.
        let count = self.line.read(&mut bytes).unwrap_or(0);
        self.screen.process(&bytes[..count]);
        count > 0
    }

    /// Waits until it shows that.
    fn until(&mut self, text: &str) -> &mut Self {
        while !self.screen.screen().contents().contains(text) {
            assert!(self.read(), "`{text}` was never drawn:\n{}", self.screen.screen().contents());
        }
        self
    }

    fn press(&mut self, keys: &str) -> &mut Self {
        self.line.write_all(keys.as_bytes()).unwrap();
        self
    }

    fn pid(&self) -> Pid {
        i32::try_from(self.process.id()).ok().and_then(Pid::from_raw).unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Whether letters are shown as they are typed, and lines go as a whole: as before a program takes the terminal.
    fn is_as_before(&self) -> bool {
        tcgetattr(&self.line).unwrap().local_modes.contains(LocalModes::ECHO | LocalModes::ICANON)
    }

    /// The exit code, after the terminal was given back.
    fn end(mut self) -> Option<i32> {
        while self.read() {}
        let screen = self.screen.screen();
        assert!(!screen.alternate_screen() && !screen.hide_cursor(), "{}", screen.contents());
        assert!(self.is_as_before());
        self.process.wait().unwrap().code()
    }
}

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
