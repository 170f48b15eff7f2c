//! A program run to its end, and what it took.
#![expect(unsafe_code, reason = "the standard library does not tell what a process took; `getrusage` does")]

use std::fs::File;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use serde::Serialize;
use wait4::Wait4;

use crate::error::Error;

/// What a finished program took.
#[derive(Debug, Serialize)]
pub(crate) struct Usage {
    /// `None` when a signal ended it.
    exit_code: Option<i32>,
    wall_seconds: f64,
    user_seconds: f64,
    system_seconds: f64,
    /// The most memory it held at any time. This process is small, so what a child inherits for a moment is too.
    peak_rss_bytes: u64,
}

/// Runs `program` with nothing on standard input and its standard output in the file `output`.
pub(crate) fn run(program: &str, arguments: &[&str], output: &Path) -> Result<Usage, Error> {
    let io = |path: &Path| {
        let path: PathBuf = path.to_path_buf();
        move |source| Error::Io { path, source }
    };
    let file = File::create(output).map_err(io(output))?;
    let start = Instant::now();
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(file);
    let ended = command.spawn().and_then(Wait4::wait4).map_err(io(Path::new(program)))?;
    let wall = start.elapsed();
    Ok(Usage {
        exit_code: ended.status.code(),
        wall_seconds: wall.as_secs_f64(),
        user_seconds: ended.rusage.utime.as_secs_f64(),
        system_seconds: ended.rusage.stime.as_secs_f64(),
        peak_rss_bytes: ended.rusage.maxrss,
    })
}

/// CPU time that this process took so far, in seconds.
pub(crate) fn cpu_seconds() -> f64 {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is valid for writing; zeroes are a value already, should the call fail.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

#[expect(clippy::cast_precision_loss, reason = "seconds of a benchmark are far below 2^53")]
fn seconds(time: libc::timeval) -> f64 {
    time.tv_sec as f64 + time.tv_usec as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::run;

    #[test]
    fn output_exit_code_and_memory_of_the_child_are_known() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("out");
        let usage = run("sh", &["-c", "echo hello; exit 3"], &output).unwrap();
        assert_eq!(usage.exit_code, Some(3));
        assert_eq!(std::fs::read_to_string(output).unwrap(), "hello\n");
        assert!(usage.peak_rss_bytes > 100_000, "{usage:?}");
        assert!(usage.wall_seconds > 0.0, "{usage:?}");
    }

    #[test]
    fn a_signal_is_no_exit_code() {
        let folder = tempfile::tempdir().unwrap();
        let usage = run("sh", &["-c", "kill -9 $$"], &folder.path().join("out")).unwrap();
        assert_eq!(usage.exit_code, None);
    }
}
