//! The command line of `pidone ctl`: the request, and the path of the socket.

#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use lexopt::Arg;

use super::error::{self, CliError};
use super::{Invocation, unexpected, values, written};
use crate::admin::control::{ControlRequest, InvalidRequest, PLACES};
use crate::config::{Control, ControlCommand};

const PAGE: &str = "\
pidone ctl controls a pidone that runs in the same container.

Usage: pidone ctl [--control PATH] REQUEST

  status            Show each worker: state, process, uptime, restarts, CPU time, memory,
                    event-loop delay, waiting connections. --json: for programs.
  top               The same once a second, with CPU usage; q quits.
                    --count N: quit after N updates.
  reload            Replace all workers, --surge at a time; show progress, and wait until
                    it is done. --no-wait: return when it has started.
  restart SLOT      Replace one worker.
  scale N           Run N workers; wait until they serve. +N, -N: N more, N fewer; auto:
                    one for each CPU that the container may use; P%: P percent of auto.
  stop              Stop everything, as SIGTERM does; do not wait.
  ready             Check whether workers serve requests, for a HEALTHCHECK or a probe.
  live              Check whether pidone runs.

  --control PATH    The socket's path (default: PIDONE_CONTROL, or else
                    /run/pidone.sock or /tmp/pidone.sock).

  HEALTHCHECK CMD [\"/pidone\", \"ctl\", \"ready\"]

Exit status: 0: success or true; 1: failure or false; 125: usage error.
";

/// The variable of `--control`.
const VARIABLE: &str = "PIDONE_CONTROL";

/// Reads what follows `ctl`.
pub(super) fn read(
    parser: &mut lexopt::Parser,
    environment: &[(OsString, OsString)],
) -> Result<Invocation, CliError> {
    let (mut words, mut control, mut count) = (Vec::new(), None, None);
    // Options of requests follow them in the request line.
    let mut options = Vec::new();
    loop {
        // -1 is not an option there.
        if words == ["scale"]
            && let Some(mut raw) = parser.try_raw_args()
            && let Some(number) = raw.next_if(is_negative)
        {
            words.push(number.to_string_lossy().into_owned());
        }
        let Some(arg) = parser.next().map_err(unexpected)? else {
            break;
        };
        let written = written(&arg);
        match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(Invocation::Print(PAGE.to_owned())),
            Arg::Long("json" | "no-wait") => options.push(written),
            Arg::Long("control") => {
                let path = value(parser, &written, "PATH")?;
                control = Some(find(&written, &path)?);
            }
            Arg::Long("count") => {
                let text = value(parser, &written, "N")?;
                let number = values::looks(&text.to_string_lossy());
                count = Some(number.map_err(|wrong| CliError::bad(written, text, wrong))?);
            }
            Arg::Long(_) | Arg::Short(_) => {
                let known = ["--control", "--count", "--help", "--json", "--no-wait"];
                let nearest = nearest(&written, &known);
                let option = written;
                return Err(CliError::NoCtlOption { option, nearest });
            }
            Arg::Value(word) => words.push(word.to_string_lossy().into_owned()),
        }
    }
    words.append(&mut options);
    let request = ControlRequest::parse(&words.join(" ")).map_err(|error| no_request(&error))?;
    if count.is_some() && request != ControlRequest::Top {
        return Err(CliError::Unusable {
            name: "--count".to_owned(),
            why: "only top takes it; leave it out".to_owned(),
        });
    }
    let is_meant = |(name, value): &&(OsString, OsString)| name == VARIABLE && !value.is_empty();
    let places = match (control, environment.iter().find(is_meant)) {
        (Some(path), _) => vec![path],
        (None, Some((_, path))) => vec![find(VARIABLE, path)?],
        (None, None) => PLACES.iter().map(PathBuf::from).collect(),
    };
    Ok(Invocation::Control(ControlCommand {
        places,
        request,
        count,
    }))
}

fn is_negative(word: &OsStr) -> bool {
    let mut bytes = word.as_encoded_bytes().iter();
    bytes.next() == Some(&b'-') && bytes.next().is_some_and(u8::is_ascii_digit)
}

fn value(
    parser: &mut lexopt::Parser,
    option: &str,
    value: &'static str,
) -> Result<OsString, CliError> {
    parser.value().map_err(|_| CliError::MissingValue {
        option: option.to_owned(),
        value,
    })
}

/// The socket's path from an option or the variable.
fn find(name: &str, path: &OsStr) -> Result<PathBuf, CliError> {
    match values::control(&path.to_string_lossy()) {
        Ok(Control::Path(path)) => Ok(path),
        Ok(_) => Err(CliError::Unusable {
            name: name.to_owned(),
            why: "off means no control socket; use a path with pidone and pidone ctl".to_owned(),
        }),
        Err(wrong) => Err(CliError::bad(name.to_owned(), path.to_owned(), wrong)),
    }
}

fn no_request(error: &InvalidRequest) -> CliError {
    let nearest = match error {
        InvalidRequest::Verb(word) => nearest(word, &ControlRequest::VERBS),
        _ => None,
    };
    let why = match nearest {
        Some(nearest) => format!("{error}; did you mean {nearest}?"),
        None => format!("{error} (pidone ctl --help explains)"),
    };
    CliError::Unusable {
        name: "ctl".to_owned(),
        why,
    }
}

fn nearest(word: &str, known: &[&str]) -> Option<String> {
    error::nearest(word, &mut known.iter().map(|known| (*known).to_owned()))
}
