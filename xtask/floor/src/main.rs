//! The yardstick of the benchmark: what SQLite itself takes to write the record of a run.
//!
//! `xtask-floor floor DATABASE SCRATCH` reads every record of the one run in DATABASE and writes identical records into
//! identical tables in the new database SCRATCH, with the transactions in which they were written, through the raw C
//! API in one thread. Only the writing is timed. `xtask-floor measure OUTPUT PROGRAM ARGUMENT...` runs a program with
//! its standard output in a file, and tells what it took. Both print one JSON object.
//!
//! Built together with the product, so that both link the very same SQLite. Invariant: the copy holds as many records
//! of every table as the original, and the commits of every epoch as many as the product counted, else there is no
//! result. Its unsafe code is in `sqlite` (the C API) and `process` (`getrusage`).

mod error;
mod pages;
mod place;
mod plan;
mod process;
mod read;
mod sqlite;
mod write;

use std::path::Path;
use std::process::ExitCode;

use error::Error;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["floor", database, scratch] => floor(Path::new(database), Path::new(scratch)),
        ["measure", output, program, arguments @ ..] => measure(Path::new(output), program, arguments),
        _ => Err(Error::Usage),
    };
    match result {
        Ok(json) => {
            println!("{json}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn floor(database: &Path, scratch: &Path) -> Result<serde_json::Value, Error> {
    let source = sqlite::Connection::open_existing(database)?;
    let plan = plan::Plan::of(&source)?;
    let pages = pages::Pages::of(&source)?;
    let written = write::rewrite(&source, &plan, scratch)?;
    Ok(serde_json::json!({ "floor": written, "pages": pages }))
}

fn measure(output: &Path, program: &str, arguments: &[&str]) -> Result<serde_json::Value, Error> {
    let usage = process::run(program, arguments, output)?;
    Ok(serde_json::json!(usage))
}
