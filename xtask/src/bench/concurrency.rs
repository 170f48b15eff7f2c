//! How well a run uses two cores and many waits, with transforms that a user would write
//! (`crates/app/examples/own_transforms.rs`), and with the whole record on.

use std::path::Path;
use std::process::Command;

use super::table::median;
use crate::command;
use crate::error::Error;
use crate::metadata::Metadata;
use crate::workspace::Workspace;

const BUSY_ROWS: u32 = 50_000;
const WAITING_ROWS: u32 = 12_800;
const IN_FLIGHT: u32 = 64;
/// How long the waiting transform waits.
const WAIT_SECONDS: f64 = 0.020;

pub(super) fn run(workspace: &Workspace, runs: u32) -> Result<(), Error> {
    let mut cargo = command::cargo(workspace);
    cargo.args(["build", "--quiet", "--release", "-p", "elspeth-app", "--example", "own_transforms"]);
    command::run(&mut cargo)?;
    let program = Metadata::load(workspace)?.target_directory.join("release/examples/own_transforms");
    let (mut one, mut two, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
    for number in 1..=runs {
        eprintln!("run {number} of {runs}");
        one.push(seconds(&program, "0", &["busy", "2", &BUSY_ROWS.to_string()])?);
        two.push(seconds(&program, "0,1", &["busy", "2", &BUSY_ROWS.to_string()])?);
        let arguments = ["waiting", &IN_FLIGHT.to_string(), &WAITING_ROWS.to_string()];
        waiting.push(seconds(&program, "0,1", &arguments)?);
    }
    let [one, two, waiting] = [one, two, waiting].map(|list| median(list.into_iter()));
    println!("{}", told(one, two, waiting));
    Ok(())
}

/// Of one run on these cores.
fn seconds(program: &Path, cores: &str, arguments: &[&str]) -> Result<f64, Error> {
    let mut taskset = Command::new("taskset");
    let output = command::output(taskset.args(["-c", cores]).arg(program).args(arguments))?;
    let text = String::from_utf8_lossy(&output);
    let last = text.split_whitespace().last().and_then(|number| number.parse().ok());
    last.ok_or_else(|| Error::format("what own_transforms told", text))
}

fn told(one: f64, two: f64, waiting: f64) -> String {
    let (busy_rows, waiting_rows) = (f64::from(BUSY_ROWS), f64::from(WAITING_ROWS));
    let ideal = f64::from(IN_FLIGHT) / WAIT_SECONDS;
    let rate = waiting_rows / waiting;
    format!(
        "20 µs of CPU a row: {:.0} rows/s on one core, {:.0} on two: {:.2} times as many\n\
         20 ms of waiting a row, {IN_FLIGHT} at once: {rate:.0} rows/s, {:.0}% of {ideal:.0}",
        busy_rows / one,
        busy_rows / two,
        one / two,
        100.0 * rate / ideal
    )
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn ratios_are_of_the_same_rows_and_of_the_ideal_rate() {
        assert_eq!(
            told(2.0, 1.0, 5.0),
            "20 µs of CPU a row: 25000 rows/s on one core, 50000 on two: 2.00 times as many\n\
             20 ms of waiting a row, 64 at once: 2560 rows/s, 80% of 3200"
        );
    }
}
