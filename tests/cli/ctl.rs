//! `pidone ctl` from the outside, with a pidone to talk to that says what the test wants.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use pidone::admin::status::Status;

use crate::harness::{Pidone, TempDir, is_root};
use crate::top::on_terminal;

/// A socket where each of these is answered to whoever comes next.
pub struct Stub {
    directory: TempDir,
    thread: JoinHandle<Vec<String>>,
}

impl Stub {
    pub fn new(answers: impl IntoIterator<Item = String> + Send + 'static) -> Self {
        let directory = TempDir::new();
        let listener = UnixListener::bind(directory.path("socket")).unwrap();
        let answers: Vec<String> = answers.into_iter().collect();
        let thread = thread::spawn(move || {
            let serve = |answer: String| {
                let (mut stream, _) = listener.accept().unwrap();
                let mut line = String::new();
                BufReader::new(&stream).read_line(&mut line).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
                line
            };
            answers.into_iter().map(serve).collect()
        });
        Self { directory, thread }
    }

    pub fn one(answer: &str) -> Self {
        Self::new([answer.to_owned()])
    }

    pub fn path(&self) -> PathBuf {
        self.directory.path("socket")
    }

    pub fn ctl(&self, words: &str) -> Pidone {
        ctl_at(&self.path(), words)
    }

    /// What was asked for.
    pub fn heard(self) -> Vec<String> {
        self.thread.join().unwrap()
    }
}

fn ctl_at(path: &Path, words: &str) -> Pidone {
    let words = words.split_whitespace().map(String::from);
    let path = path.to_str().unwrap().to_owned();
    Pidone::new(
        ["ctl".into(), "--control".into(), path]
            .into_iter()
            .chain(words),
    )
}

#[test]
fn the_last_tag_decides() {
    for (words, line, answer, code, out, err) in [
        ("status", "status\n", ". a\n. b\n", 0, "a\nb\n", ""),
        ("status --json", "status --json\n", ". {}\n", 0, "{}\n", ""),
        ("--json status", "status --json\n", ". {}\n", 0, "{}\n", ""),
        (
            "reload",
            "reload\n",
            "> slot 0: done\n> slot 1: done\n. done in 2s\n",
            0,
            "slot 0: done\nslot 1: done\ndone in 2s\n",
            "",
        ),
        (
            "restart 1",
            "restart 1\n",
            "> slot 1: starting\n! it did not get ready\n",
            1,
            "slot 1: starting\n",
            "pidone: error: it did not get ready\n",
        ),
        (
            "scale 3",
            "scale 3\n",
            ". 3 workers serve\n",
            0,
            "3 workers serve\n",
            "",
        ),
        (
            "scale -1",
            "scale -1\n",
            "! at least 1 worker\n",
            1,
            "",
            "pidone: error: at least 1 worker\n",
        ),
        ("scale +12", "scale +12\n", ". done\n", 0, "done\n", ""),
        ("scale auto", "scale auto\n", ". done\n", 0, "done\n", ""),
        ("scale 50%", "scale 50%\n", ". done\n", 0, "done\n", ""),
        (
            "--no-wait reload",
            "reload --no-wait\n",
            ". reload started\n",
            0,
            "reload started\n",
            "",
        ),
        ("stop", "stop\n", ". stopping\n", 0, "stopping\n", ""),
        ("ready", "ready\n", ". ready\n", 0, "ready\n", ""),
        ("ready", "ready\n", "! not ready\n", 1, "not ready\n", ""),
        ("live", "live\n", ". alive\n", 0, "alive\n", ""),
    ] {
        let stub = Stub::one(answer);
        let end = stub.ctl(words).run();
        end.code(code);
        assert_eq!(end.text(), out, "{words}");
        assert_eq!(end.stderr, err, "{words}");
        assert_eq!(stub.heard(), [line], "{words}");
    }
}

/// Where pidone is looked for, anybody may have put a socket.
#[test]
fn what_a_terminal_would_act_on_is_left_out() {
    let stub = Stub::one("> a\u{1b}]0;title\u{7}\n. b\u{1b}[2J\u{9b}\r\n");
    let end = stub.ctl("status").run();
    assert_eq!(end.code(0).text(), "a]0;title\nb[2J\n");
    let status = Status {
        version: "\u{1b}[2J".into(),
        ..Status::default()
    };
    let stub = Stub::one(&format!(". {}\n", status.json()));
    let end = stub.ctl("top --count 1").run();
    let text = end.code(0).text();
    assert!(text.starts_with("pidone [2J, "), "{text:?}");
}

/// A question whose answer is on its way is shown as it comes, not at the end.
#[test]
fn progress_is_printed_as_it_comes() {
    let directory = TempDir::new();
    let listener = UnixListener::bind(directory.path("socket")).unwrap();
    let run = ctl_at(&directory.path("socket"), "reload").start();
    let (mut stream, _) = listener.accept().unwrap();
    for text in ["slot 0", "slot 1"] {
        stream.write_all(format!("> {text}\n").as_bytes()).unwrap();
        assert_eq!(run.line(), text);
    }
    stream.write_all(b". do").unwrap();
    stream.write_all(b"ne\n").unwrap();
    drop(stream);
    let end = run.end();
    end.code(0).quiet();
}

#[test]
fn on_a_terminal_progress_is_a_bar_drawn_in_place() {
    const ANSWER: &str = "> 1 of 4: slot 0: x serves now\n> 4 of 4: slot 3: y serves now\n";
    for (settings, dumb, bars) in [
        (
            "cols 28 rows 9",
            false,
            ["[####--------------] 1 of 4", "[##################] 4 of 4"],
        ),
        ("cols 12 rows 9", false, ["1 of 4", "4 of 4"]),
        ("cols 80 rows 9", true, ["", ""]),
    ] {
        for (end, last, code) in [
            (". done in 2 s\n", "done in 2 s\r\n", 0),
            ("! it failed\n", "pidone: error: it failed\r\n", 1),
            ("", "pidone: error: the connection ended", 1),
        ] {
            let stub = Stub::one(&format!("{ANSWER}{end}"));
            let term = if dumb { "dumb" } else { "xterm" };
            let ctl = on_terminal(&stub, "reload", &format!("stty {settings}"));
            let run = ctl.env("TERM", term).start();
            let shown = run.until(&format!("left {code}"));
            let (_, shown) = shown.split_once("before ").unwrap();
            let (_, shown) = shown.split_once("\r\n").unwrap();
            let [first, second] = bars;
            let expected = match dumb {
                false => format!("\r{first}\x1b[K\r{second}\x1b[K\r\n{last}"),
                true => format!("{}{last}", ANSWER.replace("> ", "").replace('\n', "\r\n")),
            };
            assert!(shown.starts_with(&expected), "{shown:?}");
            run.end().code(0);
        }
    }
}

#[test]
fn a_signal_ends_the_wait_as_it_would_without_a_handler() {
    let directory = TempDir::new();
    let listener = UnixListener::bind(directory.path("socket")).unwrap();
    for number in [1, 2, 3, 15] {
        let run = ctl_at(&directory.path("socket"), "reload").start();
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"> begun\n").unwrap();
        run.expect("begun");
        run.signal(number);
        run.end().code(128 + number).quiet();
    }
}

#[test]
fn an_answer_that_is_none_is_an_error() {
    for (answer, part) in [
        ("", "the connection ended before the answer was complete"),
        ("> slot 0: done\n", "before the answer was complete"),
        (". rea", "before the answer was complete"),
        ("HTTP/1.1 400 Bad Request\r\n", "not from this version"),
        ("\n", "not from this version"),
    ] {
        let stub = Stub::one(answer);
        let end = stub.ctl("reload").run();
        end.code(1).says(&["pidone: error: ", part]);
        assert_eq!(end.stderr.lines().count(), 1, "{}", end.stderr);
        stub.heard();
    }
    // No end of a line, ever.
    let stub = Stub::one(&"x".repeat(2 << 20));
    stub.ctl("status")
        .run()
        .code(1)
        .says(&["not from this version"]);
}

#[test]
fn without_a_pidone_it_says_where_it_looked() {
    let directory = TempDir::new();
    let path = directory.path("none");
    let named = path.to_str().unwrap();
    for verb in ["status", "top", "reload", "ready", "live", "stop"] {
        let end = ctl_at(&path, verb).run();
        end.code(1)
            .says(&["pidone: error: no pidone found", named, "-i or --control"]);
        assert_eq!((end.text(), end.stderr.lines().count()), (String::new(), 1));
    }
    // Somebody was there once.
    let stale = directory.path("stale");
    drop(UnixListener::bind(&stale).unwrap());
    let end = ctl_at(&stale, "ready").run();
    end.code(1)
        .says(&[stale.to_str().unwrap(), "no pidone listens there"]);
    // Never a socket.
    let file = directory.file("file", "", 0o600);
    ctl_at(&file, "ready")
        .run()
        .code(1)
        .says(&["no pidone listens"]);
    let below = file.join("socket");
    ctl_at(&below, "ready")
        .run()
        .code(1)
        .says(&["cannot connect to "]);
}

#[test]
fn who_may_not_is_told_who_may() {
    if !is_root("who_may_not_is_told_who_may") {
        return;
    }
    let directory = TempDir::new();
    let path = directory.path("socket");
    let _listener = UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    chown(&path, Some(4321), Some(4321)).unwrap();
    let somebody = ["setpriv", "--reuid=1234", "--regid=1234", "--clear-groups"];
    let end = ctl_at(&path, "status").under(somebody).run();
    end.code(1)
        .says(&["permission denied", "as user 4321", "as root"]);
    // `docker exec -u 0` into a container that has dropped all capabilities.
    let powerless = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"];
    let end = ctl_at(&path, "status").under(powerless).run();
    end.code(1)
        .says(&["denied even to root", "CAP_DAC_OVERRIDE", "exec -u 4321"]);
    assert!(!end.stderr.contains("as root"), "{}", end.stderr);
    // Not even to be looked at.
    let walled = directory.path("walled");
    std::fs::create_dir(&walled).unwrap();
    std::fs::set_permissions(&walled, PermissionsExt::from_mode(0o700)).unwrap();
    let end = ctl_at(&walled.join("socket"), "status")
        .under(somebody)
        .run();
    end.code(1).says(&[
        "permission denied",
        "as the user that pidone runs as, or as root",
    ]);
}

#[test]
fn the_variable_names_the_socket_and_the_option_wins() {
    let stub = Stub::new([". ready\n".to_owned(), ". ready\n".to_owned()]);
    let path = stub.path();
    let plain = Pidone::new(["ctl", "ready"]);
    plain.env("PIDONE_CONTROL", &path).run().code(0).quiet();
    let wins = stub.ctl("ready").env("PIDONE_CONTROL", "/nowhere");
    wins.run().code(0).quiet();
    assert_eq!(stub.heard().len(), 2);
}

#[test]
fn what_makes_no_sense_is_refused_before_anybody_is_asked() {
    let directory = TempDir::new();
    let listener = UnixListener::bind(directory.path("socket")).unwrap();
    listener.set_nonblocking(true).unwrap();
    for (words, parts) in [
        ("", &["ctl: missing request", "status, top, reload"][..]),
        (
            "statsu",
            &["ctl: unknown request \"statsu\"", "did you mean status?"],
        ),
        ("relaod", &["did you mean reload?"]),
        ("frobnicate", &["\"frobnicate\"", "pidone ctl --help"]),
        ("restart", &["restart needs the number of a slot"]),
        ("restart first", &["\"first\" is not a number", "restart 0"]),
        ("restart 0 1", &["unexpected argument \"1\""]),
        ("scale", &["scale needs a number of workers"]),
        ("scale 1.5", &["\"1.5\" is not a number", ": 4, +1"]),
        ("scale -x", &["-x: no such option of pidone ctl"]),
        ("scale -1x", &["\"-1x\" is not a number", "-1, auto"]),
        ("scale -1 -1", &["-1: no such option of pidone ctl"]),
        ("restart -1", &["-1: no such option of pidone ctl"]),
        ("scale 50%%", &["\"50%%\" is not a number", "50% of auto"]),
        ("scale 2 --no-wait", &["unexpected argument \"--no-wait\""]),
        ("reload --nowait", &["did you mean --no-wait?"]),
        ("ready --json", &["unexpected argument \"--json\""]),
        (
            "status --jsom",
            &["--jsom: no such option", "did you mean --json?"],
        ),
        ("status -x", &["-x: no such option", "pidone ctl --help"]),
        ("status --json=1", &["--json: takes no value"]),
        (
            "top --count 0",
            &["--count: \"0\" is not accepted", "a number of at least 1"],
        ),
        ("top --count", &["--count: needs a value, --count N"]),
        ("status --count 2", &["--count: only top takes it"]),
        (
            "status --control",
            &["--control: needs a value, --control PATH"],
        ),
        ("status --control x", &["--control: \"x\" is not accepted"]),
        (
            "status --control off",
            &["--control: off means no control socket"],
        ),
    ] {
        let end = ctl_at(&directory.path("socket"), words).run();
        end.code(125).says(&["pidone: error: "]).says(parts);
        assert_eq!((end.text(), end.stderr.lines().count()), (String::new(), 1));
    }
    let nobody = listener.accept().unwrap_err();
    assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock);
    for (value, part) in [
        ("off", "off means no control socket"),
        ("x", "not accepted"),
    ] {
        let end = Pidone::new(["ctl", "live"])
            .env("PIDONE_CONTROL", value)
            .run();
        end.code(125).says(&["PIDONE_CONTROL: ", part]);
    }
}

#[test]
fn its_help_is_a_page_and_names_every_request() {
    for words in [
        &["ctl", "--help"][..],
        &["ctl", "-h"],
        &["ctl", "status", "--help"],
    ] {
        let page = Pidone::new(words).run().code(0).quiet().text();
        for verb in pidone::admin::control::ControlRequest::VERBS {
            assert!(page.contains(&format!("\n  {verb} ")), "{verb}: {page}");
        }
        assert!(page.lines().all(|line| line.len() <= 100), "{page}");
    }
}

#[test]
fn a_program_called_ctl_can_be_run() {
    let directory = TempDir::new();
    directory.file("ctl", "#!/bin/sh\nexit 9\n", 0o755);
    let path = format!(
        "{}:{}",
        directory.path("").display(),
        std::env::var("PATH").unwrap()
    );
    Pidone::plain()
        .command(["ctl"])
        .env("PATH", path)
        .run()
        .code(9);
}

#[test]
fn an_answer_that_cannot_be_printed_is_an_error() {
    let stub = Stub::one(". ready\n");
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let end = stub.ctl("ready").stdout(full).run();
    end.code(1).says(&["cannot print the answer"]);
    let stub = Stub::one(". ready\n");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let end = stub.ctl("ready").stdout(writer).run();
    end.code(1).says(&["cannot print the answer"]);
}
