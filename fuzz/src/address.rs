//! Addresses and signals, one per line: the printed form of an accepted one has the same meaning.

use pidone::address::{LONGEST_UNIX_NAME, ListenAddress, UnixName};
use pidone::signal::Signal;

pub fn check(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for word in text.split('\n') {
        if let Ok(address) = word.parse::<ListenAddress>() {
            let printed = address.to_string();
            assert_eq!(printed.parse(), Ok(address.clone()), "{word}: {printed}");
            if let ListenAddress::Unix(name) = address {
                let bytes = match name {
                    UnixName::Path(path) => path,
                    UnixName::Abstract(name) => name.into_bytes(),
                };
                assert!((1..=LONGEST_UNIX_NAME).contains(&bytes.len()));
                assert!(!bytes.contains(&0));
            }
        }
        if let Some(signal) = Signal::parse(word) {
            assert!((1..=64).contains(&signal.number()));
            let printed = signal.to_string();
            // Two signals have no name: the C library reserves them (signal(7)).
            if !printed.starts_with("signal ") {
                assert_eq!(Signal::parse(&printed), Some(signal), "{word}: {printed}");
            }
        }
    }
}
