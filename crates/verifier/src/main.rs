//! `elspeth-verify` checks what somebody was given about a record: receipts of rows, and that a log was only appended to. It
//! opens the files that it is told and nothing else: no database, no network, no settings.
//!
//! - [`arguments`] reads the command line, [`trust`] the keys and heads that the user believes.
//! - [`receipt`] and [`consistency`] check one file each, by `elspeth-proof`; [`export`] checks all files of one, by
//!   `elspeth-landscape`; each gives a [`verdict::Verdict`].
//!
//! Invariant: the exit code is 0 only if everything in every file is proven, up to a key or head that the user gave. It is 5
//! when anything is wrong, 1 when something cannot be told, 2 for a wrong command line.
//!
//! The program does not know how records are made or stored, and has no driver of a database.
//!
//! ```text
//! elspeth-verify receipt receipt.json --key elspeth.pub
//! elspeth-verify consistency consistency.json --head remembered.head --key elspeth.pub
//! elspeth-verify export export/ --key elspeth.pub
//! ```

mod arguments;
mod consistency;
mod export;
mod receipt;
mod trust;
mod verdict;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use arguments::{Command, Task, Wrong};
use elspeth_proof::Trust;
use verdict::Verdict;

/// For a wrong command line.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    match arguments::read(std::env::args_os()).and_then(run) {
        Ok(code) => ExitCode::from(code),
        Err(wrong) => {
            eprintln!("error: {wrong}\nTry `elspeth-verify --help`.");
            ExitCode::from(USAGE)
        }
    }
}

fn run(command: Command) -> Result<u8, Wrong> {
    let (check, task): (fn(&Path, &Trust) -> Verdict, Task) = match command {
        Command::Help => return Ok(print(arguments::HELP)),
        Command::Version => return Ok(print(concat!("elspeth-verify ", env!("CARGO_PKG_VERSION"), "\n"))),
        Command::Receipt(task) => {
            (|file, trust| verdict::of_file(file, |text| receipt::check(text, trust)), task)
        }
        Command::Consistency(task) => {
            (|file, trust| verdict::of_file(file, |text| consistency::check(text, trust)), task)
        }
        Command::Export(task) => (export::check, task),
    };
    let trust = trust::read(&task)?;
    let mut worst = 0;
    for file in &task.files {
        let verdict = check(file, &trust);
        let code = print(&if task.json { verdict.json(file) } else { verdict.text(file) });
        worst = worst.max(verdict.exit_code()).max(code);
    }
    Ok(worst)
}

/// 0, or 1 when nobody reads the answer to its end: an answer that was not given must not look like a good one.
fn print(text: &str) -> u8 {
    let mut out = std::io::stdout().lock();
    u8::from(out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err())
}
