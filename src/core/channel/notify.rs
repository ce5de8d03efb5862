//! Messages of a worker on `NOTIFY_SOCKET` (sd_notify(3)).

/// Whether the message contains `READY=1`; other lines in it are ignored.
#[must_use]
pub fn is_ready(message: &[u8]) -> bool {
    message
        .split(|byte| *byte == b'\n')
        .any(|line| line == b"READY=1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_must_be_a_whole_line() {
        for message in [&b"READY=1"[..], b"READY=1\n", b"STATUS=up\nREADY=1\nX=\xff"] {
            assert!(is_ready(message));
        }
        for message in [
            &b""[..],
            b"READY=0",
            b"READY=10",
            b"STATUS=READY=1",
            b" READY=1",
        ] {
            assert!(!is_ready(message));
        }
    }
}
