//! What the standard library asks an unwinder for, without one. In a release nothing unwinds and a backtrace finds no frames
//! (`panic = "abort"`, no unwind tables), but the unwinder would be linked in: 45 KB of LLVM's, 15 KB of GCC's.
//!
//! With release/build only, which builds the standard library too: the one that comes with Rust needs more of it.

use std::ffi::{c_int, c_void};

/// `_URC_END_OF_STACK` of the Itanium C++ ABI, level 1.6.
const END_OF_STACK: c_int = 5;

/// There are no frames to call `trace` for.
// SAFETY: The name is the ABI's, this is its signature, and no other definition of it is linked in.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Backtrace(_trace: *const c_void, _argument: *mut c_void) -> c_int {
    END_OF_STACK
}

/// Functions that only a frame of an unwinder can be asked with: the linker wants them, and drops them.
macro_rules! never_called {
    ($($name:ident),*) => {$(
        // SAFETY: No other definition of it is linked in, and nothing has a context to call it with.
        #[unsafe(no_mangle)]
        extern "C" fn $name(_context: *mut c_void) -> usize {
            0
        }
    )*};
}

never_called!(
    _Unwind_GetDataRelBase,
    _Unwind_GetIP,
    _Unwind_GetIPInfo,
    _Unwind_GetLanguageSpecificData,
    _Unwind_GetRegionStart,
    _Unwind_GetTextRelBase,
    _Unwind_SetGR,
    _Unwind_SetIP
);
