//! `--user`: who the child becomes.

use crate::harness::{End, Pidone, TempDir, is_root};

fn ids(end: &End) -> [String; 4] {
    let text = end.code(0).quiet().text();
    ["Uid", "Gid", "Groups", "NoNewPrivs"].map(|name| {
        let mut lines = text
            .lines()
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let words: Vec<_> = lines.next().unwrap().split_whitespace().collect();
        words.join(" ")
    })
}

fn become_user(spec: &str) -> Pidone {
    Pidone::new(["-u", spec]).command(["cat", "/proc/self/status"])
}

#[test]
fn without_it_the_child_is_who_pidone_is() {
    let end = Pidone::plain().command(["cat", "/proc/self/status"]).run();
    let uid = nix::unistd::getuid();
    assert_eq!(ids(&end)[0], format!("{uid} {uid} {uid} {uid}"));
    assert_eq!(ids(&end)[3], "0");
}

#[test]
fn numbers_need_no_name() {
    if !is_root("numbers_need_no_name") {
        return;
    }
    let end = become_user("4242:4343").run();
    assert_eq!(
        ids(&end),
        ["4242 4242 4242 4242", "4343 4343 4343 4343", "", "1"]
    );
    let end = become_user("4242").run();
    assert_eq!(ids(&end), ["4242 4242 4242 4242", "0 0 0 0", "", "1"]);
}

/// In a mount namespace with an /etc/passwd and an /etc/group of our own.
#[test]
fn names_come_from_the_files_with_all_their_groups() {
    if !is_root("names_come_from_the_files_with_all_their_groups") {
        return;
    }
    let directory = TempDir::new();
    let passwd = "root:x:0:0::/:/bin/sh\nnode:x:1000:1001::/home/node:/bin/sh\n";
    let group =
        "root:x:0:\nnode:x:1001:\nvideo:x:44:node,other\nother:x:45:other\naudio:x:29:other,node\n";
    let files = [
        directory.file("passwd", passwd, 0o644),
        directory.file("group", group, 0o644),
    ];
    let script =
        "mount --bind \"$0\" /etc/passwd && mount --bind \"$1\" /etc/group && shift && exec \"$@\"";
    let mut wrapper = ["unshare", "--mount", "sh", "-c", script]
        .map(String::from)
        .to_vec();
    wrapper.extend(files.map(|file| file.display().to_string()));
    for (spec, wanted) in [
        (
            "node",
            ["1000 1000 1000 1000", "1001 1001 1001 1001", "29 44", "1"],
        ),
        (
            "1000",
            ["1000 1000 1000 1000", "1001 1001 1001 1001", "29 44", "1"],
        ),
        (
            "node:audio",
            ["1000 1000 1000 1000", "29 29 29 29", "", "1"],
        ),
        ("node:77", ["1000 1000 1000 1000", "77 77 77 77", "", "1"]),
        ("root", ["0 0 0 0", "0 0 0 0", "", "1"]),
    ] {
        let end = become_user(spec).under(&wrapper).run();
        assert_eq!(ids(&end), wanted, "{spec}");
    }
}

#[test]
fn home_and_user_stay_as_they_are() {
    if !is_root("home_and_user_stay_as_they_are") {
        return;
    }
    let end = Pidone::new(["--user=nobody"])
        .command(["cat", "/proc/self/environ"])
        .clean_env()
        .env("HOME", "/elsewhere")
        .env("USER", "somebody")
        .run();
    assert_eq!(
        end.code(0).quiet().text(),
        "HOME=/elsewhere\0USER=somebody\0"
    );
}

#[test]
fn who_is_not_there_keeps_everything_from_starting() {
    let directory = TempDir::new();
    let trace = directory.path("started");
    for (spec, name) in [
        ("no-such-user", "\"no-such-user\""),
        ("0:no-such-group", "\"no-such-group\""),
        ("no-such-user:0", "\"no-such-user\""),
        ("-1", "\"-1\""),
        ("4294967295", "\"4294967295\""),
        ("4294967296", "\"4294967296\""),
        ("0:4294967295", "\"4294967295\""),
        ("", "\"\""),
        (":0", "\":0\""),
        ("0:", "\"0:\""),
    ] {
        let option = format!("--user={spec}");
        let end = Pidone::new([&option])
            .command(["touch".as_ref(), trace.as_os_str()])
            .run();
        end.code(125).says(&["error: ", "--user", name]);
        assert!(!trace.exists(), "{spec}");
    }
}

#[test]
fn who_may_not_become_another_is_told_so() {
    let circumstances = if is_root("who_may_not_become_another_is_told_so, as another user") {
        "uid=61234"
    } else {
        "bare"
    };
    let end = Pidone::new(["-u", "4242"])
        .with([circumstances])
        .command(["/bin/true"])
        .run();
    end.code(125)
        .says(&["error: ", "--user", "Operation not permitted"]);
}

/// `docker run --user`, and the same once more for pidone.
#[test]
fn who_is_that_user_already_needs_no_rights() {
    if !is_root("who_is_that_user_already_needs_no_rights") {
        return;
    }
    let end = become_user("61234:61234").with(["uid=61234"]).run();
    assert_eq!(
        ids(&end),
        [
            "61234 61234 61234 61234",
            "61234 61234 61234 61234",
            "",
            "1"
        ]
    );
}

/// pidone itself keeps its rights, or it could not forward a thing.
#[test]
fn the_childs_signals_and_status_are_as_ever() {
    if !is_root("the_childs_signals_and_status_are_as_ever") {
        return;
    }
    let run = Pidone::new(["-u", "nobody"]).command(["cat"]).start();
    run.until_started();
    assert_eq!(
        crate::harness::processes::status(run.pid(), "Uid"),
        "0\t0\t0\t0"
    );
    run.signal(15);
    run.end().code(143);
}
