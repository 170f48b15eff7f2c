//! The `elspeth` binary: arguments, printing, exit codes. The only crate that knows a terminal.
//!
//! Each command is a file under `commands`; it calls one use case of [`elspeth_app`] and prints what comes back, for
//! people or as JSON. What goes to stdout is the answer; progress and errors go to stderr.

use std::process::ExitCode;

use clap::Parser;

mod allocator;
mod args;
mod commands;
mod diagnostics;
mod explorer;
mod output;
mod progress;
mod summary;

fn main() -> ExitCode {
    allocator::give_back();
    let args = args::Args::parse();
    elspeth_app::silence_plugin_panics();
    let code = commands::dispatch(args.command).unwrap_or_else(|error| diagnostics::print_error(&error));
    if let Err(error) = elspeth_phases::report() {
        eprintln!("the profile cannot be written: {error}");
    }
    ExitCode::from(code)
}
