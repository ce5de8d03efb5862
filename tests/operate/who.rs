//! Who may come in through the control socket.

use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::harness::admin::{AdminEndpoints, Said};
use crate::harness::service::{App, PLAIN};
use crate::harness::{Pidone, is_root, words};

/// Says one line on a socket, from another process.
const CLIENT: &str = "import socket, sys\n\
    s = socket.socket(socket.AF_UNIX)\n\
    try: s.connect(sys.argv[1])\n\
    except PermissionError: sys.exit(7)\n\
    s.sendall(sys.argv[2].encode() + b'\\n')\n\
    while True:\n\
    \x20   data = s.recv(4096)\n\
    \x20   if not data: break\n\
    \x20   sys.stdout.write(data.decode())\n";

/// What this user is told; `None`: the door does not open.
fn ask_as(user: u32, admin: &AdminEndpoints, line: &str) -> Option<Said> {
    let user = user.to_string();
    let end = Command::new("setpriv")
        .args(["--reuid", &user, "--regid", &user, "--clear-groups"])
        .args(["/usr/bin/python3", "-c", CLIENT])
        .arg(&admin.control)
        .arg(line)
        .output()
        .unwrap();
    match end.status.code() {
        Some(0) => Some(Said::parse(&String::from_utf8(end.stdout).unwrap())),
        Some(7) => None,
        _ => panic!("{end:?}"),
    }
}

fn open_to_all(admin: &AdminEndpoints) {
    let all = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(admin.directory.path("."), all).unwrap();
}

#[test]
fn the_apps_user_may_look_and_root_may_act() {
    if !is_root("the_apps_user_may_look_and_root_may_act") {
        return;
    }
    let admin = AdminEndpoints::fresh();
    open_to_all(&admin);
    let app = App::named(PLAIN);
    app.open_to_all();
    let service = admin.workers(app, 1, &["-u", "4242:4242"]).ready();
    let file = std::fs::metadata(&admin.control).unwrap();
    assert_eq!((file.mode() & 0o777, file.uid()), (0o600, 4242));
    for request in ["status", "ready", "live"] {
        ask_as(4242, &admin, request).unwrap().done();
    }
    for request in ["reload", "restart 0", "scale 2", "stop"] {
        ask_as(4242, &admin, request)
            .unwrap()
            .refused("run this as root");
    }
    assert!(ask_as(4343, &admin, "status").is_none());
    assert_eq!(service.run.stderr_count(words::RELOAD_BEGUN), 0);
    ask_as(0, &admin, "reload").unwrap().done();
    ask_as(0, &admin, "stop").unwrap().done();
    service.run.end().code(0);
}

#[test]
fn a_pidone_that_is_not_root_obeys_its_own_user_and_root() {
    if !is_root("a_pidone_that_is_not_root_obeys_its_own_user_and_root") {
        return;
    }
    let admin = AdminEndpoints::fresh();
    open_to_all(&admin);
    let app = App::named(PLAIN);
    app.open_to_all();
    let service = app.start_with(1, admin.options(), |pidone| pidone.with(["uid=4242"]));
    let service = service.ready();
    assert!(ask_as(4343, &admin, "status").is_none());
    ask_as(4242, &admin, "reload").unwrap().done();
    ask_as(0, &admin, "scale 2").unwrap().done();
    ask_as(4242, &admin, "stop").unwrap().done();
    service.run.end().code(0);
}

/// Opens as many idle connections as it can, and keeps them.
const HOLDER: &str = "import socket, sys\n\
    held = []\n\
    for _ in range(200):\n\
    \x20   s = socket.socket(socket.AF_UNIX)\n\
    \x20   s.connect(sys.argv[1])\n\
    \x20   held.append(s)\n\
    print('held', flush=True)\n\
    sys.stdin.read()\n";

#[test]
fn the_workers_user_shuts_out_neither_root_nor_probes() {
    if !is_root("the_workers_user_shuts_out_neither_root_nor_probes") {
        return;
    }
    let admin = AdminEndpoints::fresh();
    open_to_all(&admin);
    let app = App::named(PLAIN);
    app.open_to_all();
    let service = app
        .workers(
            1,
            admin
                .options()
                .iter()
                .map(String::as_str)
                .chain(["-u", "4242:4242"]),
        )
        .ready();
    let control = admin.control.to_str().unwrap();
    let holder = Pidone::program(
        ["setpriv", "--reuid", "4242", "--regid", "4242"]
            .iter()
            .chain(&["--clear-groups", "/usr/bin/python3", "-c", HOLDER, control]),
    )
    .start();
    holder.expect("held");
    for _ in 0..3 {
        assert_eq!(admin.get("/livez").0, 200);
        assert_eq!(admin.get("/readyz").0, 200);
        ask_as(0, &admin, "status").unwrap().done();
        ask_as(4242, &admin, "ready").unwrap().done();
    }
    ask_as(0, &admin, "reload").unwrap().done();
    ask_as(0, &admin, "stop").unwrap().done();
    service.run.end().code(0);
    let mut holder = holder;
    holder.close_stdin();
    holder.end();
}
