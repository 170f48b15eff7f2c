/// How much the threads that decide stand back: of a core for which another thread waits they get a quarter, not half.
#[cfg(target_os = "linux")]
const BACK: i32 = 5;

/// Lets the calling thread, and those that it begins, stand back behind those that record and act, where there are more threads at
/// work than cores: rows that are decided sooner only wait to be recorded.
///
/// Does nothing where priorities are those of processes.
pub(crate) fn stand_back() {
    #[cfg(target_os = "linux")]
    // Without it a run only takes longer.
    let _ = rustix::process::nice(BACK);
}
