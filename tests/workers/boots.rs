//! First boots: those that fail, those that race, and commands that are no servers.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};

use crate::harness::net::fresh_ports;
use crate::harness::service::App;
use crate::harness::{Pidone, TempDir, scaled, scaled_ms, words};
use crate::node::on_every_node;

/// Says when it boots, and goes on when the test has made a file by the name of its process.
const GATED: &str = "
    console.log('boots', process.pid);
    const { existsSync } = require('fs');
    const timer = setInterval(() => {
        if (!existsSync(`${__dirname}/${process.pid}`)) return;
        clearInterval(timer);
        require('./plain.js');
    }, 10);
";

#[test]
fn an_image_that_is_broken_ends_soon_and_says_so_once() {
    let directory = TempDir::new();
    let app = directory.file("app.js", "setTimeout(() => process.exit(3), 50);", 0o644);
    for workers in [["-i", "1"], ["-i", "4"], ["--restart", "always"]] {
        let end = Pidone::new(workers)
            .command(["node".as_ref(), app.as_os_str()])
            .start()
            .end();
        end.code(3);
        assert!(end.stderr.contains(words::CRASH_LOOP), "{end:?}");
        let said = end.stderr.matches(words::RESTARTING).count();
        assert!(said <= 5, "{end:?}");
        let put_off = end.stderr.matches(words::WAITS).count();
        assert_eq!(put_off, usize::from(workers[1] == "4"), "{end:?}");
    }
}

#[test]
fn workers_that_serve_and_end_with_zero_for_ever_are_a_failure() {
    const SCRIPT: &str = "
        require('http').createServer().listen(process.env.PORT, () => setTimeout(() => process.exit(0), 50));
    ";
    let options = ["--max-restarts", "1/60s", "--backoff", "10ms..10ms"];
    let end = App::script(SCRIPT).workers(1, options).run.end();
    end.code(1);
    assert!(
        end.stderr.contains("status 1, because its own, 0"),
        "{end:?}"
    );
}

/// A migration that only one may run at a time.
#[test]
fn with_boot_first_one_boots_alone_and_the_others_when_it_is_ready() {
    const SCRIPT: &str = "
        console.log('boot', process.env.NODE_APP_INSTANCE);
        if (process.env.NODE_APP_INSTANCE === '0') require('fs').readFileSync('gate');
        require('http').createServer().listen(process.env.PORT, () => console.log('serves'));
    ";
    let app = App::script(SCRIPT);
    let gate = app.directory.path("gate");
    mkfifo(&gate, Mode::S_IRWXU).unwrap();
    let service = app.workers(3, ["--boot", "first", "--spares", "1"]);
    assert_eq!(service.after("boot "), "0");
    // Whatever is not to be started yet has had the time to.
    service.run.until_started();
    assert_eq!(service.workers().len(), 1);
    std::fs::write(&gate, "open").unwrap();
    service.run.until_stderr(words::ALL_READY);
    let mut others: Vec<_> = (0..3).map(|_| service.after("boot ")).collect();
    others.sort();
    assert_eq!(others, ["1", "2", "3"]);
    service.stop().code(0);
}

/// With one CPU, those that wait are not even started, and the first one serves meanwhile.
#[test]
fn the_first_start_boots_as_many_at_a_time_as_cpus() {
    for (options, at_once) in [(&["--spares", "1"][..], 1), (&["--ready", "none"], 3)] {
        let one_cpu = |pidone: Pidone| pidone.under(["taskset", "1"]);
        let service = App::script(GATED).start_with(3, options, one_cpu);
        let mut booted = 0;
        while booted < 3 {
            let booting: Vec<_> = (0..at_once).map(|_| service.pid_after("boots ")).collect();
            // Whatever is not to be started yet has had the time to.
            service.run.until_started();
            if booted > 0 {
                assert!(!booting.contains(&service.who()));
            }
            assert_eq!(service.workers().len(), booted + at_once);
            for pid in booting {
                service.app.directory.file(&pid.to_string(), "", 0o644);
            }
            booted += service.up(at_once).len();
        }
        service.run.until_stderr(words::ALL_READY);
        if at_once == 1 {
            service.pid_after("boots ");
        }
        service.stop().code(0);
    }
}

/// With Node.js' own end, and where the channel alone keeps it alive.
#[test]
fn a_command_that_is_done_runs_once_and_ends_with_zero() {
    on_every_node(|node| {
        for last in ["process.exit(0)", "process.exitCode = 0"] {
            let script = format!("console.log('ran'); setTimeout(() => {{ {last} }}, 100);");
            let service = App::script(&script)
                .node(&node.path)
                .workers(2, ["--ready-timeout", &scaled_ms(1000)]);
            let end = service.run.end();
            end.code(0);
            assert!(end.stderr.contains(words::COMMAND), "{end:?}");
            assert_eq!(end.stdout, b"ran\nran\n", "{end:?}");
        }
    });
}

#[test]
fn a_command_that_fails_is_no_success() {
    let end = App::script("process.exit(4)").workers(2, [""; 0]).run.end();
    end.code(4);
}

#[test]
fn a_spare_that_gets_booted_does_not_wait_beside_an_empty_slot() {
    const SCRIPT: &str = "
        require('http').createServer().listen(process.env.PORT, () => console.log('up', process.pid));
    ";
    let time = |ms| scaled(Duration::from_millis(ms));
    let backoff = format!("{0}ms..{0}ms", time(3000).as_millis());
    let options = ["--spares", "1", "--backoff", &backoff];
    let service = App::script(SCRIPT).workers(1, options);
    let mut pid = service.pid_after("up ");
    service.run.until_stderr(words::READY);
    for wait in [0, 0, 2000] {
        // Without a spare that is booted, the third worker comes a whole delay after its death, or the fourth.
        std::thread::sleep(time(wait));
        let begin = Instant::now();
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        pid = service.pid_after("up ");
        let took = begin.elapsed();
        assert!(took < time(2900), "{took:?}");
    }
    service.stop().code(0);
}

#[test]
fn a_nested_pidone_does_not_take_the_variables_of_the_outer_one() {
    let pidone = crate::harness::binary();
    let directory = TempDir::new();
    let control = directory.path("control");
    let http = format!("127.0.0.1:{}", fresh_ports(1));
    let script = "env | grep ^PIDONE_ | sort; exec \"$0\" -- true";
    for (instances, seen) in [
        ("", "PIDONE_GRACE=3s\nPIDONE_INSTANCES=\n"),
        ("1", "PIDONE_GRACE=3s\n"),
    ] {
        let end = Pidone::new(["--restart", "never"])
            .env("PIDONE_INSTANCES", instances)
            .env("PIDONE_CONTROL", &control)
            .env("PIDONE_HTTP", &http)
            .env("PIDONE_GRACE", "3s")
            .command([
                "sh".as_ref(),
                "-c".as_ref(),
                script.as_ref(),
                pidone.as_os_str(),
            ])
            .start()
            .end();
        end.code(0);
        assert_eq!(end.stdout, seen.as_bytes(), "{end:?}");
    }
}

#[test]
fn an_app_that_aborts_gets_a_hint() {
    let options = ["--max-restarts", "0/60s"];
    let end = App::script("process.abort()").workers(1, options).run.end();
    end.code(134);
    assert!(end.stderr.contains("heap out of memory"), "{end:?}");
}
