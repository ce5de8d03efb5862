//! The memory that only starting needs.

use std::ffi::c_void;

// SAFETY: the linker defines both, and only their addresses are used.
unsafe extern "C" {
    /// Where the program's code ends and, with all that is read-only before it, begins (end(3);
    /// both are defined by the linker).
    static __executable_start: u8;
    static etext: u8;
}

/// Lets go of the pages of pidone's own code and constants that are mapped by now, most of which
/// were wanted once. They stay in the page cache; the few that the loop needs come back with the
/// first signal. A hint: when the kernel refuses, nothing changes.
pub fn release_code() {
    let begin = &raw const __executable_start;
    let end = &raw const etext;
    // Down to the largest page there is (64 KiB, on some arm64 kernels): the page after the last
    // one of code may hold data, and that must not be lost.
    let length = (end as usize).saturating_sub(begin as usize) & !0xffff;
    // SAFETY: the range is pidone's own read-only file mapping, which the kernel reads from the
    // file again when it is touched (madvise(2), MADV_DONTNEED).
    unsafe {
        libc::madvise(
            begin.cast_mut().cast::<c_void>(),
            length,
            libc::MADV_DONTNEED,
        )
    };
}
