//! The live page and the status, as far as that needs no browser (tests/page has one).

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use crate::harness::admin::AdminEndpoints;
use crate::harness::service::{App, PLAIN};
use crate::harness::{Pidone, processes, root};

/// The head and the body of a response.
fn get(admin: &AdminEndpoints, path: &str) -> (String, Vec<u8>) {
    let mut stream = admin.source();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).unwrap();
    let end = response.windows(4).position(|four| four == b"\r\n\r\n");
    let body = response.split_off(end.unwrap() + 4);
    (String::from_utf8(response).unwrap(), body)
}

fn get_text(admin: &AdminEndpoints, path: &str) -> (String, String) {
    let (head, body) = get(admin, path);
    (head, String::from_utf8(body).unwrap())
}

/// What a function of Node.js makes of these bytes.
fn node(function: &str, input: &[u8]) -> String {
    let script = format!("process.stdout.write(({function})(fs.readFileSync(0)))");
    let mut node = Command::new("node")
        .args(["-e", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    node.stdin.take().unwrap().write_all(input).unwrap();
    String::from_utf8(node.wait_with_output().unwrap().stdout).unwrap()
}

/// As in a Content-Security-Policy.
fn hash(text: &str) -> String {
    let function = "text => crypto.createHash('sha256').update(text).digest('base64')";
    format!("sha256-{}", node(function, text.as_bytes()))
}

#[test]
fn the_page_may_use_only_its_own_style_and_script() {
    let admin = AdminEndpoints::fresh();
    let run = admin.sleepers(1);
    let (head, bytes) = get(&admin, "/");
    assert!(head.contains("\r\nContent-Encoding: gzip\r\n"), "{head}");
    let page = node("zlib.gunzipSync", &bytes);
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(head.contains("\r\nContent-Security-Policy: default-src 'none'; connect-src 'self'; "));
    for (kind, tag) in [("style-src", "style"), ("script-src", "script")] {
        let (_, rest) = page.split_once(&format!("<{tag}>")).unwrap();
        let (text, rest) = rest.split_once(&format!("</{tag}>")).unwrap();
        assert!(!rest.contains(&format!("<{tag}")), "one {tag}");
        let policy = format!("; {kind} '{}'; ", hash(text));
        assert!(
            head.contains(&policy),
            "{policy} (src/core/admin/http.rs) not in {head}"
        );
    }
    // What the policy forbids, and would need another server.
    for word in [" style=", " onclick=", "http://", "https://", "innerHTML"] {
        let others = page.replace("'http://www.w3.org/", "");
        assert!(!others.contains(word), "{word}");
    }
    // Every byte is in the binary.
    assert!(bytes.len() <= 6 * 1024, "{} bytes", bytes.len());
    admin.ask("stop").done();
    run.end();
}

/// The names of all members of a JSON text.
fn keys(json: &str) -> Vec<&str> {
    let parts: Vec<_> = json.split('"').collect();
    let is_key = |pair: &&[&str]| pair[1].starts_with(':');
    parts
        .windows(2)
        .filter(is_key)
        .map(|pair| pair[0])
        .collect()
}

#[test]
fn the_status_is_that_of_ctl_and_names_no_command() {
    let admin = AdminEndpoints::fresh();
    let secret = "c0ffee-secret";
    let service =
        App::named(PLAIN).start_with(2, admin.options(), |pidone| pidone.env("PASSWORD", secret));
    let app = service.app.directory.path("");
    let service = service.ready();
    processes::kill(service.who(), libc::SIGKILL);
    service.up(1);
    let said = admin.ask("status --json").done().text;
    let (head, body) = get_text(&admin, "/status");
    assert!(
        head.contains("\r\nContent-Type: application/json\r\n"),
        "{head}"
    );
    assert!(head.contains("\r\nCache-Control: no-store\r\n"), "{head}");
    assert!(body.starts_with("{\"format\":1,\"version\":\""), "{body}");
    assert_eq!(keys(&body), keys(&said));
    assert!(
        body.contains("\"what\":\"was killed by SIGKILL (not sent by pidone) after "),
        "{body}"
    );
    for word in [secret, "node", ".js", app.to_str().unwrap(), "--http"] {
        assert!(!body.contains(word), "{word} in {body}");
    }
    let docs = std::fs::read_to_string(root().join("docs/status.md")).unwrap();
    for key in keys(&body) {
        assert!(
            docs.contains(&format!("`{key}`")),
            "{key} in docs/status.md"
        );
    }
    service.stop().code(0);
}

#[test]
fn the_status_of_a_single_child_names_no_command() {
    let admin = AdminEndpoints::fresh();
    let mut options = admin.options();
    options.extend(["--restart", "always"].map(String::from));
    let run = Pidone::new(options)
        .command(["sh", "-c", "echo up; exec sleep inf"])
        .start();
    assert_eq!(run.line(), "up");
    processes::kill(run.child_pid(), libc::SIGKILL);
    assert_eq!(run.line(), "up");
    let (_, body) = get_text(&admin, "/status");
    assert!(body.contains("\"what\":\"was killed by SIGKILL"), "{body}");
    for word in ["sh (", "sleep", "echo"] {
        assert!(!body.contains(word), "{word} in {body}");
    }
    admin.ask("stop").done();
    run.end();
}

#[test]
fn without_the_page_there_is_no_status_either() {
    let admin = AdminEndpoints::fresh();
    let run = Pidone::new(
        admin
            .options()
            .into_iter()
            .chain(["--http-page=off".into()]),
    )
    .command(["sleep", "inf"])
    .start();
    run.until_started();
    for (path, status) in [
        ("/", 404),
        ("/status", 404),
        ("/livez", 200),
        ("/metrics", 200),
    ] {
        assert_eq!(admin.get(path).0, status, "{path}");
    }
    admin.ask("stop").done();
    run.end();
}

/// How often pidone has called read(2) and write(2).
fn calls(pid: i32) -> usize {
    let text = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap();
    let fields = text.lines().filter(|line| line.starts_with("sysc"));
    let counts = fields.map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap());
    counts.sum()
}

#[test]
fn a_look_costs_no_more_than_a_scrape() {
    let admin = AdminEndpoints::fresh();
    let service = admin.workers(App::named(PLAIN), 2, &[""; 0]).ready();
    let pid = service.run.pid();
    let cost = |path: &str| {
        let before = calls(pid);
        for _ in 0..10 {
            assert_eq!(admin.get(path).0, 200);
            // Requests between two sleeps share what was read.
            processes::wait_for_sleep(pid);
        }
        calls(pid) - before
    };
    // The first one finds out where to look.
    cost("/status");
    let (scrapes, looks, pages) = (cost("/metrics"), cost("/status"), cost("/"));
    assert!(
        looks <= scrapes + scrapes / 10,
        "{looks}, {scrapes} for scrapes"
    );
    assert!(pages < looks, "{pages}, {looks} for looks");
    service.stop().code(0);
}
