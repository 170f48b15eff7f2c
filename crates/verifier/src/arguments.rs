//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::prelude::{Long, Short, Value};
use thiserror::Error;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Checks receipts, heads and exports of Elspeth's record, without database and network

Usage:
  elspeth-verify receipt FILE... [--key KEY]... [--succession FILE]... [--head FILE]... [--json]
  elspeth-verify consistency FILE... [--key KEY]... [--succession FILE]... [--head FILE]... [--json]
  elspeth-verify export PATH... [--key KEY]... [--succession FILE]... [--head FILE]... [--json]

Commands:
  receipt      Check the story of a row (`elspeth prove row`) and tell it
  consistency  Check that one head of a registry continues another (`elspeth prove consistency`)
  export       Check the whole record of a run (`elspeth export`): its folder, or its .jsonl file

Options:
  -k, --key KEY          A public key whose signatures count: its text, or a file with one key a line
      --succession FILE  Which keys took the place of such a key (`elspeth prove keys`): they count too,
                         where the one before signed that
      --head FILE        A head that you saw before (`elspeth head`), which counts without a signature
      --json             One JSON object for each file
  -h, --help             Print this
  -V, --version          Print the version

Examples:
  elspeth-verify receipt receipt.json --key elspeth.pub
  elspeth-verify receipt *.json --key 'example.org/elspeth+eb1aa4c2+AaXm...' --json
  elspeth-verify receipt receipt.json --key of-2026.pub --succession keys.jsonl
  elspeth-verify consistency consistency.json --head remembered.head --key elspeth.pub
  elspeth-verify export export/ --key elspeth.pub

Exit codes:
  0  everything is proven
  1  something cannot be told: a file cannot be read, or nobody whom you named stands for its head
  2  the command line is wrong, or a key, succession or head that you gave is none
  5  something is wrong: changed, made up, or not signed by the keys that you gave
";

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Version,
    Receipt(Task),
    Consistency(Task),
    Export(Task),
}

/// Files to check, and what to believe.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) files: Vec<PathBuf>,
    /// Texts of keys, or files of them.
    pub(crate) keys: Vec<OsString>,
    /// Files of entries by which keys took the place of others.
    pub(crate) successions: Vec<PathBuf>,
    pub(crate) heads: Vec<PathBuf>,
    pub(crate) json: bool,
}

/// A command line that cannot be followed.
#[derive(Debug, Error)]
pub(crate) enum Wrong {
    #[error("{0}")]
    Argument(#[from] lexopt::Error),
    #[error("no command: expected `receipt`, `consistency` or `export`")]
    NoCommand,
    #[error("unknown command `{0}`: expected `receipt`, `consistency` or `export`")]
    Unknown(String),
    #[error("no file to check")]
    NoFile,
    #[error("--key {key}: {reason}")]
    Key { key: String, reason: String },
    #[error("--succession {}: {reason}", file.display())]
    Succession { file: PathBuf, reason: String },
    #[error("--head {}: {reason}", head.display())]
    Head { head: PathBuf, reason: String },
}

/// Reads the command line; the first item is the program's name.
pub(crate) fn read(line: impl IntoIterator<Item = OsString>) -> Result<Command, Wrong> {
    let mut parser = lexopt::Parser::from_iter(line);
    let mut kind: Option<fn(Task) -> Command> = None;
    let mut task = Task::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Command::Help),
            Short('V') | Long("version") => return Ok(Command::Version),
            Short('k') | Long("key") => task.keys.push(parser.value()?),
            Long("succession") => task.successions.push(parser.value()?.into()),
            Long("head") => task.heads.push(parser.value()?.into()),
            Long("json") => task.json = true,
            Value(word) if kind.is_none() => kind = Some(command(&word)?),
            Value(file) => task.files.push(file.into()),
            Short(_) | Long(_) => return Err(argument.unexpected().into()),
        }
    }
    let kind = kind.ok_or(Wrong::NoCommand)?;
    if task.files.is_empty() { Err(Wrong::NoFile) } else { Ok(kind(task)) }
}

fn command(word: &OsString) -> Result<fn(Task) -> Command, Wrong> {
    match word.to_str() {
        Some("receipt") => Ok(Command::Receipt),
        Some("consistency") => Ok(Command::Consistency),
        Some("export") => Ok(Command::Export),
        Some(_) | None => Err(Wrong::Unknown(word.to_string_lossy().into_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(line: &str) -> Result<Command, Wrong> {
        read(std::iter::once("elspeth-verify").chain(line.split_whitespace()).map(OsString::from))
    }

    #[test]
    fn options_stand_anywhere() {
        let task = Task {
            files: vec!["a.json".into(), "b.json".into()],
            keys: vec!["k+1".into(), "k.pub".into()],
            successions: vec!["s".into()],
            heads: vec!["h".into()],
            json: true,
        };
        let read = line("--json receipt a.json --key k+1 b.json --head h -k k.pub --succession s").unwrap();
        assert_eq!(read, Command::Receipt(task));
        assert_eq!(line("consistency a.json --help").unwrap(), Command::Help);
        assert_eq!(line("-V").unwrap(), Command::Version);
    }

    #[test]
    fn what_cannot_be_followed_is_said() {
        for (words, said) in [
            ("", "no command: expected `receipt`, `consistency` or `export`"),
            ("receipts a.json", "unknown command `receipts`: expected `receipt`, `consistency` or `export`"),
            ("receipt", "no file to check"),
            ("receipt a.json --key", "missing argument for option '--key'"),
            ("receipt a.json --keys k", "invalid option '--keys'"),
            ("receipt a.json -x", "invalid option '-x'"),
        ] {
            assert_eq!(line(words).unwrap_err().to_string(), said);
        }
    }
}
