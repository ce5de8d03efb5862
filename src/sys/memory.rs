//! Releases memory that only the start or a large page needed.

use std::ffi::c_void;

// SAFETY: the linker defines both, and only their addresses are used.
unsafe extern "C" {
    /// The end of the program's code, and the start of the program's image with the read-only data
    /// before the code (end(3); the linker defines both).
    static __executable_start: u8;
    static etext: u8;
}

/// Unmaps the pages of pidone's own code and constants that are in memory, most of which only the
/// start needed. They stay in the page cache; the few that the loop needs are mapped again at the
/// first signal. A hint: when the kernel refuses, nothing changes.
pub fn release_code() {
    let begin = &raw const __executable_start;
    let end = &raw const etext;
    // Rounded down to the largest page size (64 KiB, on some arm64 kernels): the page after the
    // last one of code may contain data, which must not be lost.
    let length = (end as usize).saturating_sub(begin as usize) & !0xffff;
    // SAFETY: the range is pidone's own read-only file mapping, which the kernel reads from the
    // file again on access (madvise(2), MADV_DONTNEED).
    unsafe {
        libc::madvise(
            begin.cast_mut().cast::<c_void>(),
            length,
            libc::MADV_DONTNEED,
        )
    };
}

/// Returns freed memory to the system. musl does so by itself; after a large allocation was freed, glibc
/// keeps those that follow (`M_MMAP_THRESHOLD`, mallopt(3)).
pub fn release_freed() {
    // SAFETY: malloc_trim(3) may be called at any time.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}
