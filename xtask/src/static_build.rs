//! `elspeth-verify` as one file that runs on any Linux of its processor: no interpreter, no libraries.

use std::fs;
use std::path::Path;

use object::elf::{DT_NEEDED, FileHeader64, PT_INTERP};
use object::read::elf::{Dyn as _, FileHeader as _, ProgramHeader as _};

use crate::ci::Outcome;
use crate::command;
use crate::error::Error;
use crate::metadata::Metadata;
use crate::workspace::Workspace;

const PACKAGE: &str = "elspeth-verify";

pub(crate) fn run(workspace: &Workspace) -> Result<(), Error> {
    match host(workspace)? {
        Some(host) => build(workspace, &host).map(|said| println!("{said}")),
        None => {
            println!("not checked: only programs for Linux with glibc are linked so");
            Ok(())
        }
    }
}

pub(crate) fn run_in_ci(workspace: &Workspace) -> Outcome {
    match host(workspace).and_then(|host| host.map(|host| build(workspace, &host)).transpose()) {
        Ok(Some(said)) => Outcome::Passed(said),
        Ok(None) => Outcome::NotChecked("only programs for Linux with glibc are linked so".to_owned()),
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

/// The target of the compiler's own system, if it can be linked statically in this way.
fn host(workspace: &Workspace) -> Result<Option<String>, Error> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut rustc = std::process::Command::new(rustc);
    let version = command::output(rustc.arg("-vV").current_dir(workspace.root()))?;
    let version = String::from_utf8_lossy(&version);
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.filter(|host| host.ends_with("-linux-gnu")).map(str::to_owned))
}

/// Into a folder of its own, since other flags than those of the other builds are in force.
fn build(workspace: &Workspace, host: &str) -> Result<String, Error> {
    let folder = Metadata::load(workspace)?.target_directory.join("static");
    let mut cargo = command::cargo(workspace);
    cargo.args(["build", "--release", "--package", PACKAGE, "--target", host, "--target-dir"]).arg(&folder);
    let settings = [
        ("OPT_LEVEL", "z"),
        ("LTO", "fat"),
        ("CODEGEN_UNITS", "1"),
        ("PANIC", "abort"),
        ("STRIP", "symbols"),
    ];
    for (setting, value) in settings {
        cargo.env(format!("CARGO_PROFILE_RELEASE_{setting}"), value);
    }
    cargo.env("RUSTFLAGS", "-C target-feature=+crt-static");
    command::run(&mut cargo)?;
    let file = folder.join(host).join("release").join(PACKAGE);
    let size = stands_alone(&file)?;
    command::run(std::process::Command::new(&file).arg("--version"))?;
    Ok(format!("{PACKAGE} for {host}: {} kB, no interpreter and no libraries", size.div_ceil(1000)))
}

/// The size of the file, which must not ask for anything when it is started.
fn stands_alone(file: &Path) -> Result<usize, Error> {
    let bytes = fs::read(file).map_err(Error::io(file))?;
    let needs = needs(&bytes).map_err(|error| Error::format(file.display().to_string(), error))?;
    match needs.as_slice() {
        [] => Ok(bytes.len()),
        _ => Err(Error::format(file.display().to_string(), format!("it needs {}", needs.join(" and ")))),
    }
}

fn needs(bytes: &[u8]) -> object::Result<Vec<&'static str>> {
    let header = FileHeader64::<object::Endianness>::parse(bytes)?;
    let endian = header.endian()?;
    let mut needs = Vec::new();
    for segment in header.program_headers(endian, bytes)? {
        if segment.p_type(endian) == PT_INTERP {
            needs.push("an interpreter");
        }
        let entries = segment.dynamic(endian, bytes)?.unwrap_or_default();
        if entries.iter().any(|entry| entry.tag(endian) == DT_NEEDED) {
            needs.push("libraries");
        }
    }
    Ok(needs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]
    fn this_test_is_a_program_that_needs_an_interpreter_and_libraries() {
        let this = std::env::current_exe().unwrap();
        assert_eq!(needs(&fs::read(this).unwrap()).unwrap(), ["an interpreter", "libraries"]);
    }
}
