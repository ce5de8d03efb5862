//! Inherited sockets: one line each for `LISTEN_FDS`, for `LISTEN_FDNAMES`, and for an address that pidone names there.

use std::collections::BTreeSet;

use pidone::address::ListenAddress;
use pidone::sys::activation::{FIRST, announced, name};

pub fn check(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (count, names, address) = (line(), line(), line());
    if let Ok(sockets) = announced(count, names) {
        let sockets: Vec<_> = sockets.collect();
        assert_eq!(count.parse(), Ok(sockets.len()));
        let descriptors: BTreeSet<_> = sockets.iter().map(|(fd, _)| *fd).collect();
        assert_eq!(descriptors.len(), sockets.len());
        assert!(descriptors.first().is_none_or(|first| *first == FIRST));
        assert!(sockets.iter().all(|(_, name)| !name.is_empty()));
    }
    if let Ok(address) = address.parse::<ListenAddress>() {
        let name = name(&address);
        assert!(name.len() <= 255, "{name}");
        assert!(
            name.bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b':')
        );
        // A child that inherits it reads the same name.
        let read: Vec<_> = announced("1", &name).unwrap().collect();
        assert_eq!(read, [(FIRST, name.as_str())]);
    }
}
