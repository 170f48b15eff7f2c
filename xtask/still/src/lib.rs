//! Time stands still and random numbers repeat, in a program that is started with this library in `LD_PRELOAD`.
//!
//! `cargo xtask bench --check` counts the instructions of the product as it is released. Where an epoch ends and how
//! many rows a worker takes at once depend on time, which under `valgrind` is fifty times too long and differs from
//! run to run by more than the check tolerates; run ids and the order of hash tables depend on random numbers. Both come
//! from the two functions of the C library that are replaced here: with a clock that stands, waits for rows last until
//! there are rows, and work is shared out by counts alone.
//!
//! *Invariant*: nothing of the product is changed or built differently. *Not known here*: what the program does.
#![expect(unsafe_code, reason = "functions of the C library are replaced, under their own names")]

use std::sync::atomic::{AtomicU64, Ordering};

use libc::{c_int, c_uint, c_void, clockid_t, size_t, ssize_t, timespec};

/// 14 November 2023, 22:13:20 UTC; any moment serves.
const MOMENT: timespec = timespec { tv_sec: 1_700_000_000, tv_nsec: 0 };

/// The same moment by all clocks, always.
///
/// # Safety
/// As in POSIX: `time` can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(_clock: clockid_t, time: *mut timespec) -> c_int {
    // SAFETY: the caller gives room for a time.
    unsafe { time.write(MOMENT) };
    0
}

/// The same numbers in each process, in the order in which they are asked for (SplitMix64).
///
/// # Safety
/// As in `getrandom(2)`: `length` bytes from `bytes` on can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getrandom(bytes: *mut c_void, length: size_t, _flags: c_uint) -> ssize_t {
    static STATE: AtomicU64 = AtomicU64::new(0);
    const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
    if length == 0 {
        // Asked to see whether there is such a function; the pointer need not be one.
        return 0;
    }
    // SAFETY: the caller gives room for as many bytes.
    let bytes = unsafe { std::slice::from_raw_parts_mut(bytes.cast::<u8>(), length) };
    for eight in bytes.chunks_mut(8) {
        let mut mixed = STATE.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        eight.copy_from_slice(&mixed.to_le_bytes()[..eight.len()]);
    }
    // No object is larger than that.
    length.cast_signed()
}
