//! The `--help` page, generated from the table of options.

#![forbid(unsafe_code)]

use super::options::{CHAPTERS, OptionSpec};

const HEAD: &str = "\
pidone, the init for Node.js containers: starts a command, forwards signals to it,
reaps zombies, and exits with its status; with -i N, runs N copies of it on one port.

Usage: pidone [OPTIONS] [--] COMMAND [ARG]...
       pidone -i auto [OPTIONS] [--] COMMAND [ARG]...
       pidone ctl REQUEST

  ENTRYPOINT [\"/pidone\", \"--\"]                  one process
  ENTRYPOINT [\"/pidone\", \"-i\", \"auto\", \"--\"]    a worker for each CPU
  CMD [\"node\", \"server.js\"]
";

const TAIL: &str = "
Information:
  -h, --help                    This page.
  -V, --version                 The version.
  -l, --license                 The license.

Each option with a long name can be given as an environment variable: PIDONE_ and its
name in upper case, as in PIDONE_GRACE=10s or PIDONE_GROUP=1; lists are separated by
commas, as in PIDONE_EXPECT=143,130. The command line wins. PIDONE_LOG sets the log level:
off, error, warn, info (the default), debug, trace.

Times: 500ms, 10s, 2m, 1h. Sizes: 300M, 1G.

pidone ctl controls a running pidone: status, top, reload, restart SLOT, scale N, stop,
ready, live; pidone ctl --help explains.

Signals with -i: TERM, INT and QUIT stop all workers, a second one kills them; HUP replaces
all workers; TTIN adds one, TTOU removes one; all other signals are sent to each worker.

If PWD names pidone's own directory, each start resolves it again: where it is a symbolic
link to a release, a reload runs the release that the link then points to.

Exit status: the command's own, or 128+n when signal n killed it. With -i: 0 after an
orderly stop, 137 if a worker had to be killed, the last worker's own after a crash loop.
125: pidone's own error, such as a wrong option; 126: the command cannot be executed;
127: not found.

The short options of tini (-s -p -v -w -g -e -l) and of dumb-init (-c -r -v) mean the
same here; -V and --version print pidone's own version.
";

/// The column where an option's explanation begins.
const COLUMN: usize = 32;

pub(super) fn page() -> String {
    let mut page = String::from(HEAD);
    for chapter in CHAPTERS {
        page.push('\n');
        page.push_str(chapter.title);
        page.push_str(":\n");
        for option in chapter.options {
            describe(option, &mut page);
        }
    }
    page.push_str(TAIL);
    page
}

fn describe(option: &OptionSpec, page: &mut String) {
    let mut line = match option.short {
        Some(short) => format!("  -{short}, --{}", option.long),
        None => format!("      --{}", option.long),
    };
    if let Some(value) = option.value {
        line.push(' ');
        line.push_str(value);
    }
    // A long one gets its own line.
    if line.len() + 2 > COLUMN {
        page.push_str(&line);
        page.push('\n');
        line.clear();
    }
    for text in option.help {
        let gap = COLUMN.saturating_sub(line.len()).max(1);
        line.extend(std::iter::repeat_n(' ', gap));
        line.push_str(text);
        page.push_str(&line);
        page.push('\n');
        line.clear();
    }
}
