//! Disks that are full, files that cannot be written, databases that somebody else holds: what a run says then, how it
//! ends, and that it can go on.

mod calls;
mod database;
mod disk;
mod place;
