//! The `elspeth` binary.
fn main() {}
