//! `docker run -it`: the client gets a pseudo-terminal here, and the app one in the container.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, ttyname};

use crate::docker::{Container, images, patience};
use crate::harness::processes;

/// A person at a terminal, with `docker start -ai` in it.
struct Session {
    container: Container,
    client: Child,
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    seen: String,
    device: String,
}

impl Session {
    fn start(image: &str, command: &[&str]) -> Self {
        let container = Container::create(&["-it"], image, command);
        let size = Winsize {
            ws_row: 30,
            ws_col: 111,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pty = openpty(&size, None).unwrap();
        let device = ttyname(&pty.slave).unwrap().to_str().unwrap().to_owned();
        let slave = || Stdio::from(pty.slave.try_clone().unwrap());
        let docker = std::env::var_os("PIDONE_DOCKER").unwrap_or_else(|| "docker".into());
        let client = Command::new(docker)
            .args(["start", "-ai", "--detach-keys=ctrl-]", &container.id])
            .stdin(slave())
            .stdout(slave())
            .stderr(slave())
            .spawn()
            .unwrap();
        drop(pty.slave);
        let keyboard = File::from(pty.master);
        let mut output = keyboard.try_clone().unwrap();
        let (sender, screen) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            container,
            client,
            keyboard,
            screen,
            seen: String::new(),
            device,
        }
    }

    fn type_in(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the screen shows `part`, and forgets everything up to there.
    #[track_caller]
    fn expect(&mut self, part: &str) {
        let deadline = Instant::now() + patience();
        loop {
            if let Some(at) = self.seen.find(part) {
                self.seen.drain(..at + part.len());
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(error) => panic!("{error} before {part:?}: {:?}", self.seen),
            }
        }
    }

    fn resize(&self, columns: &str) {
        let resized = Command::new("stty")
            .args(["-F", &self.device, "cols", columns])
            .status();
        assert!(resized.unwrap().success());
        // The terminal is not the client's controlling one, so nobody else tells it.
        let client = Pid::from_raw(self.client.id().cast_signed());
        kill(client, Signal::SIGWINCH).unwrap();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}

#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn the_node_repl_has_its_terminal() {
    let mut session = Session::start(&images().node, &["node"]);
    session.expect("> ");
    session.type_in("6 * 7\r");
    session.expect("\n\u{1b}[33m42");
    // Ctrl-C breaks a loop; the prompt comes back. Node.js must be in the loop: one that comes while console.log() has
    // not returned ends the line without a word, with and without pidone (4 in 100 on a busy machine, no init at all).
    session.type_in("console.log('loop' + 'ing'); for (;;);\r");
    session.expect("looping");
    let node = processes::children(session.container.init())[0];
    let enough = processes::cpu_time(node) + Duration::from_millis(200);
    processes::wait_until("it loops", || processes::cpu_time(node) > enough);
    session.type_in("\u{3}");
    session.expect("Script execution was interrupted");
    session.type_in("process.stdout.on('resize', () => console.log('now ' + process.stdout.columns)); 'width ' + process.stdout.columns\r");
    // The client sets the size when it has attached, which may be after Node.js has looked: "width" or "now".
    session.expect(" 111");
    session.resize("77");
    session.expect("now 77");
    session.type_in(".exit\r");
    assert_eq!(session.container.wait(), 0);
}

#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn ctrl_c_ends_an_app_without_a_handler() {
    let mut session = Session::start(
        &images().node,
        &[
            "node",
            "-e",
            "setInterval(() => {}, 1e6); console.log('re' + 'ady')",
        ],
    );
    session.expect("ready");
    session.type_in("\u{3}");
    assert_eq!(session.container.wait(), 130);
}

#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn a_shell_has_job_control() {
    let mut session = Session::start(&images().debian, &["bash", "--norc", "--noprofile"]);
    session.expect("# ");
    assert!(!session.seen.contains("no job control"), "{}", session.seen);
    session.type_in("node -e \"process.on('SIGCONT', () => console.log('go'+'es on')); setInterval(() => {}, 1e6); console.log('st'+'arted')\"\r");
    session.expect("started");
    session.type_in("\u{1a}");
    session.expect("Stopped");
    session.type_in("fg\r");
    session.expect("goes on");
    session.type_in("\u{3}");
    session.expect("# ");
    session.type_in("echo status=$?\r");
    session.expect("status=130");
    session.type_in("exit 6\r");
    assert_eq!(session.container.wait(), 6);
}
