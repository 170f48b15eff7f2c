//! A terminal for the binary.
#![expect(clippy::unwrap_used, reason = "what fails here fails its test, with the place")]

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

/// A program on a terminal, and what it drew.
pub(crate) struct Terminal {
    process: Child,
    /// The other end of the line.
    pub(crate) line: File,
    pub(crate) screen: vt100::Parser,
}

impl Terminal {
    /// `setsid` makes the terminal that of the program's own session, so that it is told of another size; it becomes the
    /// program.
    pub(crate) fn of(program: &Command, (rows, columns): (u16, u16)) -> Self {
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
    pub(crate) fn until(&mut self, text: &str) -> &mut Self {
        self.until_it(text, |drawn| drawn.contains(text))
    }

    /// Waits until what it shows is so.
    pub(crate) fn until_it(&mut self, what: &str, is_so: impl Fn(&str) -> bool) -> &mut Self {
        while !is_so(&self.screen.screen().contents()) {
            assert!(self.read(), "`{what}` was never drawn:\n{}", self.screen.screen().contents());
        }
        self
    }

    pub(crate) fn press(&mut self, keys: &str) -> &mut Self {
        self.line.write_all(keys.as_bytes()).unwrap();
        self
    }

    pub(crate) fn pid(&self) -> Pid {
        i32::try_from(self.process.id()).ok().and_then(Pid::from_raw).unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Whether letters are shown as they are typed, and lines go as a whole: as before a program takes the terminal.
    pub(crate) fn is_as_before(&self) -> bool {
        tcgetattr(&self.line).unwrap().local_modes.contains(LocalModes::ECHO | LocalModes::ICANON)
    }

    /// The exit code, after the terminal was given back.
    pub(crate) fn end(mut self) -> Option<i32> {
        while self.read() {}
        let screen = self.screen.screen();
        assert!(!screen.alternate_screen() && !screen.hide_cursor(), "{}", screen.contents());
        assert!(self.is_as_before());
        self.process.wait().unwrap().code()
    }
}
