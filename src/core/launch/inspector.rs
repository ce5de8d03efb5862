//! The ports of the workers' inspectors. Node.js' own primary gives each worker the next port after
//! its own (`createWorkerProcess` in lib/internal/cluster/primary.js); pidone does so by slot.

use super::line::{has, node_options, node_options_at};
use crate::rules::Inspector;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Node.js' own default (`kDefaultInspectorPort` in src/node_options.h).
const DEFAULT_PORT: u16 = 9229;

/// The distance between the first and the second port of a slot: with the default, 9230 and 10230.
const NEXT: usize = 1000;

/// The option that sets the port only, not the host.
#[must_use]
pub fn option(port: u16) -> String {
    format!("--inspect-port={port}")
}

/// The inspector that a command and `NODE_OPTIONS` together request; `None`: none, or one with a
/// free port that the kernel chooses (port 0).
#[must_use]
pub fn asked_for(words: &[String], node_options: &str) -> Option<Inspector> {
    let variable = node_options.split_ascii_whitespace();
    let variable: Vec<_> = variable.map(|word| word.trim_matches('"').into()).collect();
    // Node.js reads the variable first.
    let (mut asked, _) = read(&variable, None);
    if let Some(at) = node_options_at(words) {
        (asked, _) = read(words.get(at..)?, asked);
    }
    asked.filter(|asked| asked.base != 0)
}

/// The index for [`option`] in a command that runs Node.js: after the options that request an inspector, as
/// the last one wins. Not at the end of the options: an unknown option might be followed by its value.
/// `None`: the command is not known to run Node.js.
#[must_use]
pub fn place(words: &[String]) -> Option<usize> {
    let at = node_options_at(words)?;
    Some(at + read(words.get(at..)?, None).1)
}

/// What these options and earlier ones request, and the number of words up to the last of them.
fn read(words: &[String], mut asked: Option<Inspector>) -> (Option<Inspector>, usize) {
    let mut end = 0;
    for option in node_options(words) {
        let waits = has("--inspect-brk --inspect-wait", &option.name);
        if waits || has("--inspect --inspect-port --debug-port", &option.name) {
            let base = DEFAULT_PORT;
            let asked = asked.get_or_insert(Inspector { base, waits });
            asked.waits |= waits;
            asked.base = option.value.and_then(port_of).unwrap_or(asked.base);
            end = option.end;
        }
    }
    (asked, end)
}

/// The port of an instance: the first of its ports that no earlier worker still uses.
#[must_use]
pub fn port(base: u16, instance: usize, is_taken: impl Fn(u16) -> bool) -> u16 {
    let numbered = |number: usize| {
        // As Node.js' own primary wraps around.
        const RANGE: usize = (u16::MAX - 1023) as usize;
        let port = usize::from(base) + 1 + number;
        let port = match port.checked_sub(1 + usize::from(u16::MAX)) {
            Some(above) => 1024 + above % RANGE,
            None => port,
        };
        u16::try_from(port).unwrap_or(base)
    };
    let mut ports = (0..8).map(|turn| numbered(instance + turn * NEXT));
    ports
        .find(|port| !is_taken(*port))
        .unwrap_or_else(|| numbered(instance))
}

/// `PORT`, `HOST` or `HOST:PORT`; a host alone leaves the port as it is.
fn port_of(address: &str) -> Option<u16> {
    let after_host = address.rsplit_once(':').map(|(_, port)| port);
    after_host.unwrap_or(address).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(String::from).collect()
    }

    #[test]
    fn every_option_for_an_inspector_is_recognised() {
        for (line, variable, base, waits) in [
            ("node --inspect x.js", "", 9229, false),
            ("node --inspect=9500 x.js", "", 9500, false),
            ("node --inspect=0.0.0.0:9500 x.js", "", 9500, false),
            ("node --inspect=[::1]:9500 x.js", "", 9500, false),
            ("node --inspect=localhost x.js", "", 9229, false),
            ("node --inspect-brk x.js", "", 9229, true),
            ("node --inspect-wait=127.0.0.1:1 x.js", "", 1, true),
            ("node --inspect-port 9600 x.js", "", 9600, false),
            ("node --debug-port=9600 x.js", "", 9600, false),
            ("env A=1 node -r a --inspect_brk x.js", "", 9229, true),
            ("node x.js", "--inspect", 9229, false),
            ("next start", "-r a --inspect-brk=9300", 9300, true),
            ("node --inspect x.js", "--inspect-port=9700", 9700, false),
            ("node --inspect=1 x.js", "--inspect=2", 1, false),
        ] {
            let asked = asked_for(&words(line), variable);
            assert_eq!(asked, Some(Inspector { base, waits }), "{line} {variable}");
        }
        for (line, variable) in [
            ("node x.js --inspect", ""),
            ("node -- x.js --inspect", ""),
            ("node -r --inspect x.js", ""),
            ("node --inspect=0 x.js", ""),
            ("node --inspect=127.0.0.1:0 x.js", ""),
            ("node --inspect-publish-uid=http x.js", ""),
            ("start.sh --inspect", ""),
            ("node x.js", "--enable-source-maps"),
        ] {
            assert_eq!(asked_for(&words(line), variable), None, "{line}");
        }
    }

    #[test]
    fn the_port_goes_after_the_inspector_options() {
        for (line, at) in [
            ("node x.js", Some(1)),
            ("node --inspect=9229 -r a x.js --b", Some(2)),
            ("node -r a --inspect --new value x.js", Some(4)),
            ("node --inspect --inspect-port 9500 -- x.js", Some(4)),
            ("node --inspect-port", Some(2)),
            ("node --inspect_port 9500 x.js", Some(3)),
            ("env A=1 node --inspect x.js", Some(4)),
            ("node --title x -e 1", Some(1)),
            ("next start", None),
        ] {
            assert_eq!(place(&words(line)), at, "{line}");
        }
    }

    #[test]
    fn a_slot_has_a_port_and_another_for_its_successor() {
        assert_eq!(port(9229, 0, |_| false), 9230);
        assert_eq!(port(9229, 3, |_| false), 9233);
        assert_eq!(port(9229, 0, |port| port == 9230), 10_230);
        assert_eq!(port(9229, 0, |port| port == 10_230), 9230);
        assert_eq!(port(65_534, 0, |_| false), 65_535);
        assert_eq!(port(65_535, 0, |_| false), 1024);
        assert_eq!(port(9229, 0, |_| true), 9230);
    }
}
