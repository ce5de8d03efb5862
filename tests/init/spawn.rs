//! What the child is given, and what happens when it cannot be started.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use crate::harness::{Pidone, TempDir, can_be_init, is_root, probe};

#[test]
fn the_child_has_pidones_own_descriptors() {
    let directory = TempDir::new();
    let [input, mut output, errors] = ["in", "out", "err"].map(|name| {
        let mut all = File::options();
        all.read(true).write(true).create_new(true);
        all.open(directory.path(name)).unwrap()
    });
    output.write_all(b"before\n").unwrap();
    let streams = [&input, &output, &errors].map(|file| {
        let about = file.metadata().unwrap();
        format!("{}:{}", about.dev(), about.ino())
    });
    let run = Pidone::plain()
        .with(["bare"])
        .probe(["report"])
        .stdin(input)
        .stdout(output)
        .stderr(errors);
    run.run().code(0);
    let said = fs::read_to_string(directory.path("out")).unwrap();
    // The same open file, not just the same name: its position is shared.
    assert!(said.starts_with("before\n"), "{said}");
    for (number, stream) in streams.iter().enumerate() {
        assert!(
            said.contains(&format!("\nfd {number} {stream}\n")),
            "{said}"
        );
    }
    assert_eq!(said.matches("\nfd ").count(), 3, "{said}");
}

#[test]
fn nothing_is_added_to_the_descriptors_and_none_is_taken() {
    let end = Pidone::plain()
        .with(["bare", "open=7", "open=42"])
        .probe(["report"])
        .run();
    end.code(0);
    let text = end.text();
    let numbers = text
        .lines()
        .filter_map(|line| line.strip_prefix("fd ")?.split(' ').next());
    let mut numbers: Vec<i32> = numbers.map(|number| number.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 2, 7, 42]);
}

#[test]
fn a_closed_stdin_does_not_become_something_of_pidones() {
    let end = Pidone::plain()
        .with(["bare", "close=0"])
        .probe(["report"])
        .run();
    let null = fs::metadata("/dev/null").unwrap();
    assert_eq!(end.report("fd 0"), format!("{}:{}", null.dev(), null.ino()));
    assert_eq!(end.code(0).text().matches("fd ").count(), 3, "{end:#?}");
}

/// HUP as nohup(1) ignores it, PIPE as many languages do, and blocked ones as after a careless fork.
#[test]
fn signals_are_as_a_fresh_program_expects_them() {
    let inherited = [
        "ignore=1",
        "ignore=13",
        "ignore=20",
        "ignore=34",
        "block=10",
        "block=15",
        "block=33",
        "block=64",
    ];
    for circumstances in [&inherited[..], &[]] {
        let end = Pidone::plain().with(circumstances).probe(["report"]).run();
        end.code(0).quiet();
        for what in ["SigBlk", "SigIgn", "SigCgt"] {
            assert_eq!(end.report(what), "0000000000000000", "{what}: {end:#?}");
        }
    }
}

#[test]
fn the_child_leads_a_group_in_pidones_session() {
    let end = Pidone::plain().probe(["report"]).run();
    assert_eq!(end.report("pid"), end.report("pgid"));
    let session = nix::unistd::getsid(None).unwrap();
    assert_eq!(end.report("sid"), session.to_string());
    if can_be_init("the_child_leads_a_group_in_pidones_session") {
        let end = Pidone::plain().init().probe(["report"]).run();
        assert_eq!(end.report("ppid"), "1");
        assert_eq!(end.report("pid"), end.report("pgid"));
    }
}

#[test]
fn the_environment_is_unchanged() {
    let variables = [
        ("PATH", &b"/usr/bin:/bin"[..]),
        ("PIDONE_LOG", b"info"),
        ("EMPTY", b""),
        ("NOT_UTF8", b"\xff\xfe\x80"),
        ("LINES", b"one\ntwo=three"),
    ];
    let variables = variables.map(|(name, value)| (name, OsStr::from_bytes(value)));
    let mut alone = Command::new(probe());
    let alone = alone
        .arg("environ")
        .env_clear()
        .envs(variables)
        .output()
        .unwrap();
    let mut pidone = Pidone::plain().probe(["environ"]).clean_env();
    for (name, value) in variables {
        pidone = pidone.env(name, value);
    }
    let end = pidone.run();
    end.code(0).quiet();
    assert_eq!(end.stdout, alone.stdout);
    assert_eq!(
        end.stdout.iter().filter(|byte| **byte == 0).count(),
        variables.len()
    );
}

#[test]
fn the_arguments_are_unchanged() {
    let arguments: [&[u8]; 9] = [
        b"cmdline",
        b"-1",
        b"--",
        b"-g",
        b"--help",
        b"",
        b"a b\n",
        b"\xff\xfe",
        b"--grace=x",
    ];
    let mut wanted = probe().as_os_str().as_bytes().to_vec();
    for argument in arguments {
        wanted.push(0);
        wanted.extend_from_slice(argument);
    }
    wanted.push(0);
    let end = Pidone::plain()
        .probe(arguments.map(OsStr::from_bytes))
        .run();
    assert_eq!(end.code(0).quiet().stdout, wanted);
    // The same without `--`: the command ends pidone's own options.
    let line = std::iter::once(probe().as_os_str()).chain(arguments.map(OsStr::from_bytes));
    assert_eq!(Pidone::new(line).run().code(0).quiet().stdout, wanted);
}

#[test]
fn path_is_searched_as_a_shell_does() {
    let directory = TempDir::new();
    for place in ["a", "b", "c"] {
        fs::create_dir(directory.path(place)).unwrap();
    }
    directory.file("a/tool", "#!/bin/sh\necho a\n", 0o644);
    directory.file("b/tool", "#!/bin/sh\necho b $0\n", 0o755);
    directory.file("c/tool", "#!/bin/sh\necho c\n", 0o755);
    let place = |name| directory.path(name).display().to_string();
    let path = format!("/nowhere:{}:{}:{}", place("a"), place("b"), place("c"));
    let end = Pidone::plain().command(["tool"]).env("PATH", &path).run();
    assert_eq!(
        end.code(0).quiet().text(),
        format!("b {}/tool\n", place("b"))
    );
    // Only the one that may not be executed is there.
    let end = Pidone::plain()
        .command(["tool"])
        .env("PATH", place("a"))
        .run();
    end.code(126)
        .says(&["error: ", "\"tool\"", "Permission denied"]);
    // No PATH at all: where Docker looks then.
    Pidone::plain()
        .command(["true"])
        .clean_env()
        .run()
        .code(0)
        .quiet();
}

#[test]
fn what_is_not_found_is_127() {
    for command in [
        "no-such-command-here",
        "/no/such/command",
        "/etc/passwd/command",
        "./nothing",
    ] {
        let end = Pidone::plain().command([command]).run();
        end.code(127).says(&["error: ", &format!("\"{command}\"")]);
        assert_eq!(end.text(), "");
    }
}

#[test]
fn what_cannot_be_executed_is_126() {
    let directory = TempDir::new();
    let mut foreign = fs::read(probe()).unwrap();
    let loader = foreign
        .windows(4)
        .position(|part| part == b"/ld-")
        .expect("the probe has a loader");
    foreign[loader + 1..loader + 3].copy_from_slice(b"xx");
    let unloadable = directory.file("unloadable", "", 0o755);
    fs::write(&unloadable, foreign).unwrap();
    for (program, reason) in [
        (directory.path("."), "Permission denied"),
        (
            directory.file("unmarked", "#!/bin/sh\n", 0o644),
            "Permission denied",
        ),
        (
            directory.file("bare", "echo hello\n", 0o755),
            "Exec format error",
        ),
        (directory.file("empty", "", 0o755), "Exec format error"),
        (
            directory.file("orphaned", "#!/no/such/interpreter\n", 0o755),
            "interpreter",
        ),
        (unloadable, "interpreter"),
    ] {
        let end = Pidone::plain().command([&program]).run();
        end.code(126)
            .says(&["error: ", &format!("\"{}\"", program.display()), reason]);
        assert_eq!(end.text(), "");
    }
}

#[test]
fn no_process_to_be_had_is_125() {
    let mut circumstances = vec!["nproc=1"];
    if is_root("no_process_to_be_had_is_125, as another user") {
        circumstances.push("uid=61234");
    }
    let end = Pidone::plain()
        .with(circumstances)
        .command(["/bin/true"])
        .run();
    end.code(125).says(&[
        "error: ",
        "\"/bin/true\"",
        "Resource temporarily unavailable",
    ]);
}

#[test]
fn no_descriptor_to_be_had_is_125_or_does_not_matter() {
    let end = Pidone::plain().with(["nofile=3"]).command(["true"]).run();
    // The C libraries have different words for EMFILE.
    end.code(125).says(&["error: ", "cannot receive signals: "]);
    assert!(!end.stderr.contains("os error"), "{end:?}");
    for limit in 4..=8 {
        let end = Pidone::plain()
            .with([format!("nofile={limit}")])
            .probe(["report"])
            .run();
        end.code(0).quiet();
    }
}

#[test]
fn an_unwritable_log_changes_nothing() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut run = Pidone::new(["-vv"])
        .probe(["signals", "10", "5"])
        .stderr(writer)
        .start();
    run.expect("ready");
    for number in [1, 12, 10] {
        run.signal(number);
        // SIGPIPE is pidone's own trouble, and is not forwarded.
        run.expect(&format!("SIGNAL {number} "));
    }
    run.close_stdin();
    run.end().code(5);
}

#[test]
fn a_name_that_is_not_utf8_is_started_and_reported() {
    let directory = TempDir::new();
    let mut name = directory.path("").into_os_string();
    name.push(OsString::from(OsStr::from_bytes(b"\xff\xfe")));
    fs::copy(probe(), &name).unwrap();
    let end = Pidone::plain()
        .command([name.as_os_str(), OsStr::new("environ")])
        .run();
    end.code(0).quiet();
    fs::remove_file(&name).unwrap();
    Pidone::plain()
        .command([&name])
        .run()
        .code(127)
        .says(&["error: "]);
}

/// Many workers and sockets need more descriptors than the soft limit often allows.
#[test]
fn pidone_raises_its_limit_of_open_files_and_not_the_childs() {
    let run = Pidone::plain()
        .under(["prlimit", "--nofile=100:"])
        .shell("ulimit -S -n; ulimit -H -n; read line")
        .start();
    assert_eq!(run.line(), "100");
    let hard = run.line();
    let limits = fs::read_to_string(format!("/proc/{}/limits", run.pid())).unwrap();
    let own = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let own: Vec<&str> = own.unwrap().split_whitespace().collect();
    assert_eq!(own[3..5], [hard.as_str(); 2]);
}
