//! Child processes: started from the workspace root, judged by their exit status.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::thread;

use crate::error::Error;
use crate::workspace::Workspace;

/// The cargo that runs this task, so that a chosen toolchain stays chosen.
pub(crate) fn cargo(workspace: &Workspace) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.current_dir(workspace.root());
    command
}

/// The command line as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = command.get_program().to_string_lossy().into_owned();
    let name = program.rsplit('/').next().unwrap_or(&program).to_owned();
    let arguments = command.get_args().map(|argument| argument.to_string_lossy().into_owned());
    std::iter::once(name).chain(arguments).collect::<Vec<_>>().join(" ")
}

/// Runs a command whose output goes straight to the terminal.
pub(crate) fn run(command: &mut Command) -> Result<(), Error> {
    println!("$ {}", shown(command));
    let status = command.status().map_err(|source| Error::Start { command: shown(command), source })?;
    if status.success() { Ok(()) } else { Err(failed(command, status.to_string())) }
}

/// Runs a command quietly and returns its standard output; on failure its standard error is printed.
pub(crate) fn output(command: &mut Command) -> Result<Vec<u8>, Error> {
    let output = command.output().map_err(|source| Error::Start { command: shown(command), source })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    Err(failed(command, output.status.to_string()))
}

/// Runs a command with its output shown, and keeps the lines that `keep` chooses.
///
/// # Errors
/// When the command cannot be started or fails; `kept` holds the chosen lines in both cases.
pub(crate) fn run_keeping(
    command: &mut Command,
    keep: fn(&str) -> bool,
    kept: &mut Vec<String>,
) -> Result<(), Error> {
    println!("$ {}", shown(command));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|source| Error::Start { command: shown(command), source })?;
    let out = child.stdout.take().expect("stdout was asked to be piped");
    let err = child.stderr.take().expect("stderr was asked to be piped");
    let reader = thread::spawn(move || show_lines(out, keep));
    kept.extend(show_lines(err, keep));
    kept.extend(reader.join().expect("the reader only prints and collects lines"));
    let status = child.wait().map_err(|source| Error::Start { command: shown(command), source })?;
    if status.success() { Ok(()) } else { Err(failed(command, status.to_string())) }
}

fn show_lines(stream: impl Read, keep: fn(&str) -> bool) -> Vec<String> {
    let mut kept = Vec::new();
    let mut reader = BufReader::new(stream);
    let mut bytes = Vec::new();
    while matches!(reader.read_until(b'\n', &mut bytes), Ok(count) if count > 0) {
        let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
        println!("{line}");
        if keep(&line) {
            kept.push(line.trim().to_owned());
        }
        bytes.clear();
    }
    // A closed terminal is no reason to stop checking.
    let _ = std::io::stdout().flush();
    kept
}

fn failed(command: &Command, status: String) -> Error {
    Error::Status { command: shown(command), status }
}
