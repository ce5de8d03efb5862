//! Node.js itself: it needs a script, and must run it in its own process.

use super::{Instead, Known, Launch, Obstacle, ReadFile, base_name, packages, tools};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec;

/// Options whose value is the next word when they have no `=` (node(1); the list of Node.js 20 and a
/// few older and newer ones). A missing one does no harm: its value is taken for the script.
pub(super) const WITH_VALUE: &[&str] = &[
    "-C",
    "-r",
    "--allow-fs-read",
    "--allow-fs-write",
    "--conditions",
    "--cpu-prof-dir",
    "--cpu-prof-interval",
    "--cpu-prof-name",
    "--debug-port",
    "--diagnostic-dir",
    "--disable-proto",
    "--disable-warning",
    "--dns-result-order",
    "--env-file",
    "--env-file-if-exists",
    "--es-module-specifier-resolution",
    "--experimental-default-type",
    "--experimental-loader",
    "--heap-prof-dir",
    "--heap-prof-interval",
    "--heap-prof-name",
    "--heapsnapshot-near-heap-limit",
    "--heapsnapshot-signal",
    "--icu-data-dir",
    "--import",
    "--input-type",
    "--inspect-port",
    "--inspect-publish-uid",
    "--loader",
    "--localstorage-file",
    "--max-http-header-size",
    "--network-family-autoselection-attempt-timeout",
    "--openssl-config",
    "--redirect-warnings",
    "--report-dir",
    "--report-directory",
    "--report-filename",
    "--report-signal",
    "--require",
    "--secure-heap",
    "--secure-heap-min",
    "--snapshot-blob",
    "--title",
    "--tls-cipher-list",
    "--tls-keylog",
    "--trace-event-categories",
    "--trace-event-file-pattern",
    "--trace-require-module",
    "--unhandled-rejections",
    "--use-largepages",
    "--v8-pool-size",
];

pub(super) fn look(
    program: &str,
    args: &[String],
    read_file: ReadFile<'_>,
) -> Result<Launch, Obstacle> {
    let mut kept = vec![program.to_owned()];
    let mut watches = false;
    let mut snapshot = None;
    let mut rest = args;
    let script = loop {
        let [arg, following @ ..] = rest else {
            break None;
        };
        if arg == "--" {
            break following.first();
        }
        if !arg.starts_with('-') {
            break Some(arg);
        }
        rest = following;
        let (option, value) = match arg.split_once('=') {
            Some((option, value)) => (option, Some(value)),
            None => (arg.as_str(), None),
        };
        let what = format!("node {option}");
        match option {
            "--watch" | "--watch-preserve-output" => watches = true,
            "--watch-path" | "--watch-kill-signal" => {
                watches = true;
                if value.is_none() {
                    rest = rest.get(1..).unwrap_or_default();
                }
            }
            "--run" => {
                let name = value.or(rest.first().map(String::as_str));
                let args = rest.get(usize::from(value.is_none())..).unwrap_or_default();
                return Err(packages::run(
                    &what,
                    name.unwrap_or_default(),
                    args,
                    read_file,
                ));
            }
            "-e" | "--eval" | "-p" | "--print" | "-pe" => {
                let why = "code on the command line cannot be a worker";
                let advice = "write it to a file and run that, as in: node server.js";
                return Err(Obstacle::new(what, why, Instead::advice(advice)));
            }
            "-" | "-i" | "--interactive" => {
                let why = "an interactive session cannot be a worker";
                return Err(Obstacle::new(what, why, Instead::general()));
            }
            "-c" | "--check" | "-v" | "--version" | "-h" | "--help" | "--v8-options" | "--test"
            | "--prof-process" | "--build-snapshot" => {
                let why = "this command exits immediately and serves nothing";
                return Err(Obstacle::new(what, why, Instead::general()));
            }
            _ => {
                if option == "--snapshot-blob" {
                    let following = rest.first().map(String::as_str);
                    snapshot = value.or(following).map(str::to_owned);
                }
                kept.push(arg.clone());
                if value.is_none() && WITH_VALUE.contains(&option) {
                    kept.extend(rest.first().cloned());
                    rest = rest.get(1..).unwrap_or_default();
                }
            }
        }
    };
    let Some(script) = script else {
        // The app is in the snapshot. Node.js makes a process a cluster worker only if it has a
        // `process.argv[1]` (`initializeClusterIPC` in lib/internal/process/pre_execution.js).
        if let Some(appended) = snapshot {
            return Ok(Launch {
                appended: Some(appended),
                ..Launch::of(Known::NodeJs)
            });
        }
        let why = "there is no script to run";
        return Err(Obstacle::new("node", why, Instead::general()));
    };
    if watches {
        kept.extend_from_slice(rest);
        let why = "it is for development, and the app it restarts has no channel";
        return Err(Obstacle::new("node --watch", why, Instead::Run(kept)));
    }
    // As in `node node_modules/.bin/nodemon server.js`.
    if let Some(begin) = rest.iter().position(|word| word == script)
        && let Some([script, args @ ..]) = rest.get(begin..)
    {
        reject_tools(script, args, read_file)?;
    }
    Ok(Launch::of(Known::NodeJs))
}

/// Rejects a script that is an installed tool. The app's own scripts may have any name: one
/// called node or env is not rejected.
fn reject_tools(script: &str, args: &[String], read_file: ReadFile<'_>) -> Result<(), Obstacle> {
    let name = tools::of_package(script).unwrap_or(base_name(script));
    if packages::MANAGERS.contains(&name) {
        return Err(packages::obstacle(name, args, read_file));
    }
    match tools::obstacle(name, args) {
        Some(obstacle) => Err(obstacle),
        None => Ok(()),
    }
}
