//! What a thread is at, for a program that tells where its time goes.
//!
//! The product says at a few places which [`Phase`] of a row's life begins ([`enter`], [`within`]). With the feature
//! `looking`, which `cargo xtask bench --profile` asks for, a thread of its own looks a thousand times a second
//! at what each thread is at, and books the CPU time that the thread has used since the last look under that phase.
//! [`report`] writes the sums to the file that `ELSPETH_PROFILE` names. In every other build all this is empty.
//!
//! Looking is cheaper than measuring: a phase lasts less than a microsecond, and asking for a thread's CPU time before
//! and after it takes longer than that. What is at work costs a store of one byte when a phase begins and one when it ends.
//!
//! *Invariant*: a thread is at one phase at a time; what lies within another phase is not counted for the outer one.
//! *Not known here*: what the phases do.
//!
//! ```
//! use elspeth_phases::{Phase, within};
//!
//! let sum: u64 = within(Phase::Decide, || (1..=4).sum());
//! assert_eq!(sum, 10);
//! ```

#[cfg(feature = "looking")]
mod looking;

/// A part of what is done for a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Phase {
    /// The source reads, splits and converts.
    Sense,
    /// The row is walked through the graph, and epochs are put together.
    Decide,
    /// Canonical bytes of rows and of their records are made.
    Canonical,
    /// They are hashed, and trees and chains grow.
    Hash,
    /// Records and bodies are written, and conservation is checked.
    Record,
    /// Sinks write.
    Act,
}

impl Phase {
    /// All of them, in the order of a row's life.
    pub const ALL: [Self; 6] =
        [Self::Sense, Self::Decide, Self::Canonical, Self::Hash, Self::Record, Self::Act];

    /// Its name in the report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sense => "sense",
            Self::Decide => "decide",
            Self::Canonical => "canonical",
            Self::Hash => "hash",
            Self::Record => "record",
            Self::Act => "act",
        }
    }
}

/// The environment variable that names the file of the report.
pub const VARIABLE: &str = "ELSPETH_PROFILE";

/// While it lives, this thread is at its phase; then again at the one before.
#[derive(Debug)]
#[must_use = "the phase ends when this is dropped"]
pub struct Entered {
    #[cfg(feature = "looking")]
    before: u8,
}

/// Says that this thread begins with a phase.
#[inline]
pub fn enter(phase: Phase) -> Entered {
    #[cfg(feature = "looking")]
    return Entered { before: looking::begin(phase as u8) };
    #[cfg(not(feature = "looking"))]
    {
        let _ = phase;
        Entered {}
    }
}

#[cfg(feature = "looking")]
impl Drop for Entered {
    #[inline]
    fn drop(&mut self) {
        looking::leave(self.before);
    }
}

/// Does `work`, which is the phase.
#[inline]
pub fn within<T>(phase: Phase, work: impl FnOnce() -> T) -> T {
    let _entered = enter(phase);
    work()
}

/// Writes what was seen, at the end of the program.
///
/// # Errors
/// When the file cannot be written.
#[inline]
pub fn report() -> std::io::Result<()> {
    #[cfg(feature = "looking")]
    looking::report()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_gives_back_what_its_work_gives() {
        let nested = within(Phase::Decide, || within(Phase::Hash, || 7));
        assert_eq!(nested, 7);
    }

    #[test]
    fn phases_are_numbered_in_their_order() {
        for (number, phase) in Phase::ALL.into_iter().enumerate() {
            assert_eq!(phase as usize, number, "{}", phase.name());
        }
    }
}
