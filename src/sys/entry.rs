//! The program's first instructions, without Rust's runtime.
//!
//! What the runtime does before `main` (std/src/rt.rs) is of no use to pidone, and costs a fifth of
//! its memory and a tenth of its start: it reads /proc/self/maps, sets up a stack for a handler of
//! stack overflows, and ignores SIGPIPE. The one necessary part is done here: opening descriptors 0
//! to 2, so that no descriptor of pidone's can become the app's standard output.

use std::ffi::{CStr, OsStr, OsString, c_char, c_int};
use std::os::unix::ffi::OsStrExt;

use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::sys::stat::Mode;
use std::os::fd::{BorrowedFd, IntoRawFd};

/// Defines the C `main` of a program that has `#![no_main]`: calls a function with the arguments
/// without the program's name, and exits with the status it returns.
#[macro_export]
macro_rules! entry {
    ($function:path) => {
        /// # Safety
        /// Called by the C library only.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn main(
            count: ::std::ffi::c_int,
            arguments: *const *const ::std::ffi::c_char,
        ) -> ::std::ffi::c_int {
            // SAFETY: these are the very arguments that the C library passes to `main`.
            let arguments = unsafe { $crate::sys::entry::begin(count, arguments) };
            ::std::ffi::c_int::from($function(arguments))
        }
    };
}

/// Prepares the process, and returns its arguments.
///
/// # Safety
/// `count` and `arguments` must be what the C library passes to `main`.
#[must_use]
pub unsafe fn begin(count: c_int, arguments: *const *const c_char) -> Vec<OsString> {
    open_standard_streams();
    let count = usize::try_from(count).unwrap_or_default();
    let argument = |index| {
        // SAFETY: the caller guarantees `count` entries.
        let entry = unsafe { arguments.add(index) };
        // SAFETY: the entry is within the list.
        let start = unsafe { *entry };
        // SAFETY: each entry is a null-terminated string that lives as long as the process.
        let text = unsafe { CStr::from_ptr(start) };
        OsStr::from_bytes(text.to_bytes()).to_owned()
    };
    (1..count).map(argument).collect()
}

/// Opens /dev/null at each of 0 to 2 that is closed: open(2) returns the lowest free number.
fn open_standard_streams() {
    for number in 0..=2 {
        // SAFETY: the call only tests whether the descriptor is open.
        let stream = unsafe { BorrowedFd::borrow_raw(number) };
        if fcntl(stream, FcntlArg::F_GETFD).is_err()
            && let Ok(null) = open("/dev/null", OFlag::O_RDWR, Mode::empty())
        {
            // The app uses it from now on; it stays open.
            let _ = null.into_raw_fd();
        }
    }
}
