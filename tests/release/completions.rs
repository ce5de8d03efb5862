//! The completions, each in its own shell.

use std::process::Command;

use crate::harness::{Pidone, TempDir, is_installed};
use crate::manual::{manual, output};

/// What is typed, and what the shell must offer for its last word: all of it, or these and more.
struct Case {
    typed: &'static [&'static str],
    offered: &'static [&'static str],
    only: bool,
}

const fn only(typed: &'static [&'static str], offered: &'static [&'static str]) -> Case {
    Case {
        typed,
        offered,
        only: true,
    }
}

const fn some(typed: &'static [&'static str], offered: &'static [&'static str]) -> Case {
    Case {
        typed,
        offered,
        only: false,
    }
}

const CASES: &[Case] = &[
    only(&["--follow"], &["--follow-limits"]),
    only(&["--vers"], &["--version"]),
    only(&["--balance", "r"], &["reuseport", "round-robin"]),
    only(&["-i", ""], &["auto"]),
    only(
        &["--grace", "10s", "--boot", ""],
        &["all", "first", "together"],
    ),
    some(&["--stop-signal", ""], &["TERM", "QUIT"]),
    some(&["-u", "roo"], &["root"]),
    some(&["--control", "/etc/passw"], &["/etc/passwd"]),
    some(&["-i", "2", "--", "env"], &["env"]),
    some(&["ct"], &["ctl"]),
    only(&["ctl", "re"], &["ready", "reload", "restart"]),
    only(&["ctl", "reload", "--no"], &["--no-wait"]),
    only(&["ctl", "scale", ""], &["auto"]),
    only(&["ctl", "status", "--c"], &["--control"]),
];

/// The options of the command stay the command's.
const OF_THE_COMMAND: &[&str] = &["--grace", "10s", "env", "--follow"];

fn check(case: &Case, offered: &str) {
    let mut offered: Vec<_> = offered
        .lines()
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .collect();
    offered.sort_unstable();
    offered.dedup();
    let (typed, all) = (case.typed, case.offered);
    if case.only {
        assert_eq!(offered, all, "{typed:?}");
    } else {
        let is_offered = |word: &&str| offered.contains(word);
        assert!(all.iter().all(is_offered), "{typed:?}: {offered:?}");
    }
}

/// All cases by the shell's own script, which prints what is offered for its arguments.
fn check_all(mut offered: impl FnMut(&[&str]) -> String) {
    for case in CASES {
        check(case, &offered(case.typed));
    }
    let foreign = offered(OF_THE_COMMAND);
    assert!(!foreign.contains("--follow-limits"), "{foreign}");
    // None is missing.
    let help = Pidone::new(["--help"]).run().code(0).text();
    let all = offered(&["--"]);
    let all: Vec<_> = all.lines().map(str::trim).collect();
    let lines = help
        .lines()
        .filter(|line| line.starts_with("  -") || line.starts_with("      --"));
    for line in lines {
        let begin = line.find("--").unwrap();
        let option = line[begin..].split(' ').next().unwrap();
        assert!(all.contains(&option), "{option}: {all:?}");
    }
}

#[test]
fn bash_completes_options_values_and_requests() {
    const SCRIPT: &str = "
        . \"$0\"
        COMP_WORDS=(pidone \"$@\") COMP_CWORD=$#
        _pidone
        printf '%s\\n' \"${COMPREPLY[@]}\"
    ";
    let file = manual().join("pidone.bash");
    check_all(|typed| {
        let mut command = Command::new("bash");
        command
            .args(["--noprofile", "--norc", "-euc", SCRIPT])
            .arg(&file)
            .args(typed);
        String::from_utf8(output(&mut command).stdout).unwrap()
    });
}

#[test]
fn fish_completes_options_values_and_requests() {
    if !is_installed("completions of fish", "fish", "fish") {
        return;
    }
    const SCRIPT: &str = "
        source $argv[1]
        complete -C \"pidone $argv[2..]\" | string replace -r '\\t.*' ''
        true
    ";
    let (file, home) = (manual().join("pidone.fish"), TempDir::new());
    check_all(|typed| {
        let mut command = Command::new("fish");
        command
            .args(["--no-config", "-c", SCRIPT])
            .arg(&file)
            .args(typed);
        String::from_utf8(output(command.env("HOME", home.path(""))).stdout).unwrap()
    });
}

#[test]
fn zsh_completes_options_values_and_requests() {
    if !is_installed("completions of zsh", "zsh", "zsh") {
        return;
    }
    // An interactive zsh in a terminal, as completion needs; what is added to the matches is printed.
    const SCRIPT: &str = r#"
        zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell "PS1= PS2= RPS1="
        zpty -w shell "fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -D; zstyle ':completion:*' list-grouped false"
        zpty -w shell 'zmodload zsh/zutil; stty -echo 2>/dev/null; setopt no_beep'
        zpty -w shell 'compadd() {
          local -a kept options
          zparseopts -E -a options O: A: D:
          if (( $#options )); then builtin compadd "$@"; return; fi
          builtin compadd -A kept "$@"; print -r -l -- "match:"${^kept}; builtin compadd "$@"
        }'
        zpty -w shell 'show() { print be""gin:; zle complete-word; print; print e""nd:; zle kill-buffer; zle send-break }'
        zpty -w shell 'zle -N show; bindkey "^T" show; zle -C complete-word complete-word _main_complete; print re""ady:'
        zpty -r -m shell line '*ready:*' || exit 1
        for typed in "${@:2}"; do
          zpty -n -w shell "pidone $typed"$'\C-T'
          zpty -r -m shell line '*begin:*end:*' || exit 1
          print -r -- "${line##*begin:}" | tr -d '\r' | sed -n 's/^match://p'
          print next:
        done
    "#;
    // One shell for all, as it takes half a second to start.
    let all = CASES.iter().map(|case| case.typed);
    let all: Vec<_> = all.chain([OF_THE_COMMAND, &["--"]]).collect();
    let mut command = Command::new("zsh");
    command.args(["-fc", SCRIPT, "zsh"]).arg(manual());
    command.args(all.iter().map(|typed| typed.join(" ")));
    let text = String::from_utf8(output(&mut command).stdout).unwrap();
    let offered: Vec<_> = text.split("next:\n").collect();
    check_all(|typed| {
        let place = all.iter().position(|one| *one == typed).unwrap();
        let offered = offered[place];
        // It keeps a path's directory to itself.
        match typed.last().and_then(|word| word.rsplit_once('/')) {
            Some((directory, _)) => offered
                .lines()
                .map(|name| format!("{directory}/{name}\n"))
                .collect(),
            None => offered.to_owned(),
        }
    });
}
