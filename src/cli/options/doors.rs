//! Where pidone itself can be reached.

#![forbid(unsafe_code)]

use super::{Chapter, OptionSpec, SWITCH};
use crate::address::UnixName;
use crate::cli::values::Wrong;
use crate::config::Control;

pub(super) const DOORS: Chapter = Chapter {
    title: "Control and health",
    options: &[
        OptionSpec {
            long: "control",
            value: Some("PATH|off"),
            help: &[
                "Where `pidone ctl` reaches it (default: /run/pidone.sock, or",
                "/tmp/pidone.sock, with -i; else off).",
            ],
            set: |draft, value| {
                draft.config.control = match value {
                    "off" => Control::Off,
                    _ => match value.parse() {
                        Ok(UnixName::Path(path)) => Control::Path(path),
                        Ok(UnixName::Abstract(_)) => {
                            return Err(Wrong::Give(
                                "off, or the path of a file; an @name is everybody's",
                            ));
                        }
                        Err(error) => return Err(Wrong::Address(error)),
                    },
                };
                Ok(())
            },
            ..SWITCH
        },
        OptionSpec {
            long: "http",
            value: Some("ADDR"),
            help: &[
                "Serve /livez, /readyz and /metrics there. [HOST:]PORT, as in",
                "9100 or 127.0.0.1:9100.",
            ],
            set: |draft, value| {
                draft.config.http = Some(value.parse().map_err(Wrong::Address)?);
                Ok(())
            },
            ..SWITCH
        },
    ],
};
