//! The shell script that becomes pidone: what it chooses, and what it says elsewhere.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Output};

use crate::harness::node::on_every_node;
use crate::harness::npm::arch;
use crate::harness::processes::kill;
use crate::harness::{Pidone, TempDir, root};

/// Runs it with this as the answer of `uname -sm`, and scripts that say their names as the binaries.
fn run_on(machine: &str, through_link: bool) -> Output {
    let directory = TempDir::new();
    let bin = directory.path("a package/bin");
    fs::create_dir_all(&bin).unwrap();
    fs::copy(
        root().join("release/npm/pidone/bin/pidone"),
        bin.join("pidone"),
    )
    .unwrap();
    directory.file("uname", &format!("#!/bin/sh\necho '{machine}'\n"), 0o755);
    for arch in ["x64", "arm64"] {
        let name = format!("a package/bin/pidone-linux-{arch}");
        let script = format!("#!/bin/sh\necho {arch} $$ \"$@\"\n");
        directory.file(&name, &script, 0o755);
    }
    let mut command = if through_link {
        symlink("a package/bin/pidone", directory.path("link")).unwrap();
        symlink("link", directory.path("second link")).unwrap();
        Command::new("./second link")
    } else {
        Command::new("a package/bin/pidone")
    };
    let path = format!("{}:/usr/bin:/bin", directory.path("").display());
    command
        .args(["-i", "two words"])
        .current_dir(directory.path(""))
        .env("PATH", path);
    let child = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let child = child.spawn().unwrap();
    let pid = child.id();
    let mut output = child.wait_with_output().unwrap();
    // The same process all along.
    let said = String::from_utf8(output.stdout).unwrap();
    output.stdout = said.replace(&format!(" {pid} "), " ").into_bytes();
    output
}

#[test]
fn it_becomes_the_binary_of_the_machine() {
    for (machine, arch) in [
        ("Linux x86_64", "x64"),
        ("Linux aarch64", "arm64"),
        ("Linux arm64", "arm64"),
    ] {
        for through_link in [false, true] {
            let output = run_on(machine, through_link);
            let said = String::from_utf8(output.stdout).unwrap();
            assert_eq!(said, format!("{arch} -i two words\n"), "{machine}");
            assert!(output.status.success());
        }
    }
}

#[test]
fn elsewhere_it_says_in_one_sentence_where_it_runs() {
    for machine in ["Darwin arm64", "Linux riscv64", "MINGW64_NT-10.0 x86_64"] {
        let output = run_on(machine, false);
        assert_eq!(output.status.code(), Some(125));
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(
            said.starts_with("pidone: error: ") && said.contains(machine),
            "{said}"
        );
        assert!(output.stdout.is_empty());
    }
}

/// Yarn 4 runs a package's commands with Node.js.
#[test]
fn under_node_js_it_passes_arguments_status_and_signals_on() {
    on_every_node(|node| {
        let directory = TempDir::new();
        let launcher = root().join("release/npm/pidone/bin/pidone");
        fs::copy(launcher, directory.path("pidone")).unwrap();
        let script =
            "#!/bin/sh\ntrap 'exit 7' TERM\necho up \"$@\"\nwhile true; do sleep 0.1; done\n";
        directory.file(&format!("pidone-linux-{}", arch()), script, 0o755);
        let run = Pidone::program([node.path.as_os_str(), directory.path("pidone").as_os_str()])
            .command(["two words"])
            .start();
        run.expect("up -- two words");
        kill(run.outer_pid(), 15);
        run.end().code(7).quiet();
    });
}
