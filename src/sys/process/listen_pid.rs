//! `LISTEN_PID=` and the process id of a child, which only the child knows (sd_listen_fds(3)).

use std::ffi::c_char;
use std::sync::atomic::{AtomicU8, Ordering};

const NAME: &[u8; 11] = b"LISTEN_PID=";

/// A C string; the child writes the number into the memory it shares with pidone.
#[derive(Debug)]
pub(super) struct ListenPid {
    /// The name, and room for the digits of any process id and the final NUL byte.
    bytes: [AtomicU8; NAME.len() + 11],
}

impl Default for ListenPid {
    fn default() -> Self {
        Self {
            bytes: std::array::from_fn(|place| {
                AtomicU8::new(NAME.get(place).copied().unwrap_or_default())
            }),
        }
    }
}

impl ListenPid {
    pub(super) fn as_ptr(&self) -> *const c_char {
        self.bytes.as_ptr().cast()
    }

    /// Async-signal-safe.
    pub(super) fn write_own(&self) {
        self.write(std::process::id());
    }

    fn write(&self, number: u32) {
        let mut scale = 1;
        while number / scale > 9 {
            scale *= 10;
        }
        for byte in self.bytes.iter().skip(NAME.len()) {
            if scale == 0 {
                byte.store(0, Ordering::Relaxed);
                return;
            }
            let digit = u8::try_from(number / scale % 10).unwrap_or_default();
            byte.store(b'0' + digit, Ordering::Relaxed);
            scale /= 10;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits() {
        let entry = ListenPid::default();
        for number in [4_194_304, 1, 10, 99, 100, 0, u32::MAX] {
            entry.write(number);
            let bytes = entry
                .bytes
                .each_ref()
                .map(|byte| byte.load(Ordering::Relaxed));
            let text = std::ffi::CStr::from_bytes_until_nul(&bytes).unwrap();
            assert_eq!(text.to_str().unwrap(), format!("LISTEN_PID={number}"));
        }
    }
}
