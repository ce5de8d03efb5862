//! A runtime that is not Node.js, and apps for it.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::harness::service::{App, PLAIN};
use crate::harness::skipped;

/// One of them.
pub struct Runtime {
    pub name: &'static str,
    binary: PathBuf,
    /// What comes before the script.
    arguments: &'static [&'static str],
    /// An HTTP server on descriptor 3.
    http: &'static str,
}

/// Bun's own HTTP servers do not take a descriptor (see bun.rs), but its `node:net` does.
const BUN_HTTP: &str = "
    import http from 'node:http';
    import net from 'node:net';
    const web = http.createServer(answer);
    const server = net.createServer((connection) => web.emit('connection', connection));
    server.listen({ fd: 3 }, up);
";

const DENO_HTTP: &str = "
    import http from 'node:http';
    const server = http.createServer(answer);
    server.listen({ fd: 3 }, up);
";

/// What every app has: the answer that the load client wants, and the line that says that it listens.
const COMMON: &str = "
    import process from 'node:process';
    const answer = (request, response) => {
        const [, ms] = /[?&]ms=(\\d+)/.exec(request.url) ?? [];
        setTimeout(() => response.end(`${process.pid} ${request.url}`), Number(ms ?? 0));
    };
    const up = () => console.log('up', process.pid);
";

impl Runtime {
    /// Bun, if there is one to test; if not, says which test is left out.
    pub fn bun(test: &str) -> Option<Self> {
        Some(Self {
            name: "bun",
            binary: binary("PIDONE_TEST_BUN", test)?,
            arguments: &["run"],
            http: BUN_HTTP,
        })
    }

    /// Deno likewise.
    pub fn deno(test: &str) -> Option<Self> {
        Some(Self {
            name: "deno",
            binary: binary("PIDONE_TEST_DENO", test)?,
            arguments: &["run", "--quiet", "--allow-all", "--unstable-net"],
            http: DENO_HTTP,
        })
    }

    /// Both, as far as they are there.
    pub fn all(test: &str) -> impl Iterator<Item = Self> {
        [Self::bun(test), Self::deno(test)].into_iter().flatten()
    }

    /// An app of the test's own, a module.
    pub fn app(&self, text: &str) -> App {
        let app = App::named(PLAIN);
        app.directory
            .file("app.mjs", &format!("{COMMON}{text}"), 0o644);
        app.command_line(self.command())
    }

    /// An HTTP server on descriptor 3, with something more.
    pub fn http(&self, more: &str) -> App {
        self.app(&format!("{}{more}", self.http))
    }

    /// What starts it.
    pub fn command(&self) -> Vec<OsString> {
        let mut line = vec![self.binary.clone().into_os_string()];
        line.extend(self.arguments.iter().map(OsString::from));
        line.push("app.mjs".into());
        line
    }
}

fn binary(variable: &str, test: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).map(PathBuf::from);
    if path.is_none() {
        skipped(test, &format!("{variable} is not set (see .ci/runtimes)"));
    }
    path
}
