//! `cargo deny`: bans, licences and sources always, advisories where their database can be fetched.

use std::path::PathBuf;
use std::process::Command;

use super::Outcome;
use crate::command;
use crate::error::Error;
use crate::metadata::Metadata;
use crate::workspace::Workspace;

pub(super) fn rules(workspace: &Workspace) -> Outcome {
    let result = cargo_deny(workspace)
        .and_then(|mut deny| command::run(deny.args(["check", "bans", "licenses", "sources"])));
    result.into()
}

pub(super) fn advisories(workspace: &Workspace) -> Outcome {
    let fetched = cargo_deny(workspace).map(|mut deny| without_waiting(deny.args(["fetch", "db"])).output());
    match fetched {
        Err(error) => Outcome::NotChecked(format!("no cargo-deny: {error}")),
        Ok(Err(error)) => Outcome::NotChecked(format!("cargo-deny does not start: {error}")),
        Ok(Ok(output)) if !output.status.success() => {
            Outcome::NotChecked(format!("the database cannot be fetched ({})", last_line(&output.stderr)))
        }
        Ok(Ok(_)) => check_advisories(workspace).into(),
    }
}

/// A network that is filtered rather than absent must not hold up the checks.
fn without_waiting(deny: &mut Command) -> &mut Command {
    deny.env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_HTTP_LOW_SPEED_LIMIT", "1000")
        .env("GIT_HTTP_LOW_SPEED_TIME", "20")
}

fn check_advisories(workspace: &Workspace) -> Result<(), Error> {
    let mut deny = cargo_deny(workspace)?;
    command::run(deny.args(["check", "--disable-fetch", "advisories"]))
}

/// The command `cargo-deny`: the one on the machine, else our own under the target folder, installed when missing.
fn cargo_deny(workspace: &Workspace) -> Result<Command, Error> {
    let own = tools(workspace)?.join("bin/cargo-deny");
    let on_machine =
        Command::new("cargo-deny").arg("--version").output().is_ok_and(|out| out.status.success());
    if !on_machine && !own.is_file() {
        install(workspace)?;
    }
    let mut deny = if on_machine { Command::new("cargo-deny") } else { Command::new(own) };
    deny.current_dir(workspace.root());
    Ok(deny)
}

/// Unoptimised and without debug information: the tool runs once, so what counts is how fast it builds.
fn install(workspace: &Workspace) -> Result<(), Error> {
    let tools = tools(workspace)?;
    let mut cargo = command::cargo(workspace);
    cargo
        .args(["install", "--locked", "--quiet", "--debug", "cargo-deny"])
        .arg("--root")
        .arg(&tools)
        .arg("--target-dir")
        .arg(tools.join("build"))
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "0")
        .env("CARGO_INCREMENTAL", "0");
    command::run(&mut cargo)
}

fn tools(workspace: &Workspace) -> Result<PathBuf, Error> {
    Ok(Metadata::load(workspace)?.target_directory.join("tools"))
}

fn last_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no reason given").to_owned()
}

#[cfg(test)]
mod tests {
    use super::last_line;

    #[test]
    fn the_reason_is_the_last_line_that_says_something() {
        assert_eq!(last_line(b"first\n  no route to host \n\n"), "no route to host");
        assert_eq!(last_line(b""), "no reason given");
    }
}
