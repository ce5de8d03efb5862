//! A datagram on a worker's `NOTIFY_SOCKET`.

use pidone::channel::notify::is_ready;

pub fn check(data: &[u8]) {
    const READY: &[u8] = b"READY=1";
    let mut places = data.windows(READY.len()).enumerate();
    let is_line = |(at, bytes): (usize, &[u8])| {
        let end = at + READY.len();
        bytes == READY
            && (at == 0 || data[at - 1] == b'\n')
            && (end == data.len() || data[end] == b'\n')
    };
    assert_eq!(is_ready(data), places.any(is_line));
}
