//! How soon the C library's allocator gives memory back to the system.

/// Blocks from this size on are the system's own, which takes them back as soon as they are free; less than this stays with
/// the allocator, for each of its arenas. In bytes.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE: libc::c_int = 4 << 20;

/// Has it give back what is free from 4 MiB on. To be called before there are other threads.
///
/// Left alone, glibc takes the largest block that was ever freed (up to 32 MiB) for its bound, and twice that for what it
/// keeps: after a batch of a million members it kept 30 MB that nothing used.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "there is no other way to tell the C library")]
pub(crate) fn give_back() {
    // SAFETY: `mallopt` takes two numbers and reads or writes no memory of ours. It is not safe beside other threads that
    // allocate; there are none yet. Where it does not know a parameter it changes nothing, and says so by what it returns.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
        libc::mallopt(libc::M_TRIM_THRESHOLD, LARGE);
    }
}

/// Other allocators are left as they are.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn give_back() {}
