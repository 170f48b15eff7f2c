//! Where tests end the process, and which calls to the file system they let fail.
//!
//! A promise such as "survives any stop" is tested by stopping: at a point that has a name ([`reach`]), and with a call
//! that does not do what it should ([`io`], [`write_all`]). The product is sown with both. What happens there says the
//! environment variable `ELSPETH_FAULT`, of which nothing else in the product knows:
//!
//! | `ELSPETH_FAULT` | does |
//! |---|---|
//! | `kill:<point>:<nth>` | ends the process with SIGKILL when it reaches the point for the nth time, from 1 |
//! | `stop:<point>:<nth>` | stops the process there with SIGSTOP, so that a test can change the world before it goes on |
//! | `io:<nth>:<fault>` | lets the nth call of the process fail, from 1 |
//! | `io:<nth>:<fault>:<call>` | lets the nth call of that kind fail, whatever other threads call meanwhile |
//! | `count:<file>` | appends a line to the file for each point reached (`point <name>`) and each call (`io <call> <path>`), another for the call that failed (`failed <call> <path>`) |
//!
//! Several of them may stand behind each other with a comma between. A fault is `enospc`, `eio`, `erofs`, or `short`: half
//! of what is to be written is written, then comes ENOSPC (a call that writes nothing gives EIO). The call is left out when
//! it is to fail. Something else in the variable ends the process with exit code 2, so that no test passes because of a typing mistake.
//!
//! All this exists in builds with debug assertions only; in a release build every function here is empty, or the plain call.
//! So the program that is tested is the one that development builds anyway, not a build of its own. That is also why no library for
//! fail points is used: `fail` has no action that kills, needs a feature and so another build, knows no list of its points
//! (with which a test could see that one is never reached), and counts no calls across all points.
//!
//! *Invariant*: each [`Act`] has a point before and a point after it; [`Point::all`] is the list of all, and none has a number
//! or a name outside of it. *Not known here*: what the acts do.
//!
//! ```
//! use std::io::Write as _;
//! use elspeth_faults::{Act, Call, around, io};
//!
//! # fn main() -> std::io::Result<()> {
//! # let path = std::env::temp_dir().join(format!("faults-{}", std::process::id()));
//! io(Call::Create, &path)?;
//! let mut file = std::fs::File::create(&path)?;
//! around(Act::WriteStaged, || elspeth_faults::write_all(&mut file, b"rows", &path))?;
//! around(Act::SyncStaged, || io(Call::Sync, &path).and_then(|()| file.sync_all()))?;
//! # std::fs::remove_file(&path)
//! # }
//! ```

mod act;
#[cfg(debug_assertions)]
mod armed;
mod call;
#[cfg(debug_assertions)]
mod order;

pub use act::{Act, Point};
pub use call::{Call, Watched, io, write_all};

/// The environment variable that says what is to happen.
pub const VARIABLE: &str = "ELSPETH_FAULT";

/// Says that the process is at this point. It may be its last.
#[inline]
pub fn reach(point: Point) {
    #[cfg(debug_assertions)]
    armed::reach(point);
    #[cfg(not(debug_assertions))]
    let _ = point;
}

/// Does `work`, with the act's points before it and, when it went well, after it.
///
/// # Errors
/// Those of `work`.
#[inline]
pub fn around<T, E>(act: Act, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    reach(Point::Before(act));
    let done = work()?;
    reach(Point::After(act));
    Ok(done)
}
