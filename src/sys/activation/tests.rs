use super::*;
use crate::ports::BindOptions;
use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::IntoRawFd;
use std::process::{Command, Stdio};

/// Passes sockets to this program, run again, and returns what it prints about them.
fn hand_over(environment: &str, third: impl Into<Stdio>, fourth: impl Into<Stdio>) -> String {
    let script = format!("exec 3<&0 4<&2; {environment} exec \"$0\" \"$@\"");
    let (mut reader, writer) = io::pipe().unwrap();
    let mut child = Command::new("sh")
        .args(["-c", &script])
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture"])
        .arg("sys::activation::tests::child_process_prints_its_sockets")
        .stdin(third)
        .stderr(fourth)
        .stdout(writer)
        .spawn()
        .unwrap();
    let mut output = String::new();
    reader.read_to_string(&mut output).unwrap();
    assert!(child.wait().unwrap().success(), "{output}");
    let printed = |line: &str| line.strip_prefix("printed: ").map(str::to_owned);
    let lines: Vec<_> = output.lines().filter_map(printed).collect();
    lines.join("\n")
}

#[test]
#[ignore = "the other tests run it, with sockets"]
fn child_process_prints_its_sockets() {
    println!();
    match take() {
        Err(error) => println!("printed: {error}"),
        Ok(sockets) => {
            for socket in &sockets {
                let flags = fcntl(&socket.listener, FcntlArg::F_GETFD).unwrap();
                let file = fcntl(&socket.listener, FcntlArg::F_GETFL).unwrap();
                let file = OFlag::from_bits_retain(file).contains(OFlag::O_NONBLOCK);
                let (name, address) = (&socket.name, &socket.address);
                println!("printed: {name} {address} {flags} {file}");
            }
            println!("printed: {}, then {}", sockets.len(), take().unwrap().len());
        }
    }
}

#[test]
fn sockets_have_names_and_addresses() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("[::1]:0").unwrap();
    let (web, dns) = (tcp.local_addr().unwrap(), udp.local_addr().unwrap());
    let output = hand_over(
        "LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web",
        OwnedFd::from(tcp),
        OwnedFd::from(udp),
    );
    assert_eq!(
        output,
        format!("web {web} 1 true\nunknown udp:{dns} 1 true\n2, then 0")
    );
}

#[test]
fn sockets_for_another_process_are_ignored() {
    for environment in [
        "LISTEN_PID=1 LISTEN_FDS=2",
        "LISTEN_FDS=2",
        "LISTEN_PID=x",
        "",
    ] {
        assert_eq!(
            hand_over(environment, Stdio::null(), Stdio::null()),
            "0, then 0"
        );
    }
}

#[test]
fn invalid_sockets_are_reported() {
    let wrong = |environment: &str, third: Stdio| {
        hand_over(
            &format!("LISTEN_PID=$$ {environment}"),
            third,
            Stdio::null(),
        )
    };
    assert_eq!(
        wrong("LISTEN_FDS=-1", Stdio::null()),
        ActivationError::Count.to_string()
    );
    let output = wrong("LISTEN_FDS=1", Stdio::null());
    assert!(
        output.contains("descriptor 3 is not a socket") && !output.contains("os error"),
        "{output}"
    );
    // A stream that does not listen.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let output = wrong("LISTEN_FDS=1", OwnedFd::from(client).into());
    assert_eq!(output, ActivationError::Kind(3).to_string());
}

#[test]
fn unix_sockets_are_found_by_address() {
    let address: ListenAddress = format!("unix:@pidone-given-{}", std::process::id())
        .parse()
        .unwrap();
    let listener = Listener::bind(&address, BindOptions::default()).unwrap();
    let fd = listener.as_fd().try_clone_to_owned().unwrap().into_raw_fd();
    // SAFETY: the copy has just been made and released.
    let inherited = unsafe { claim(fd, "app".into()) }.unwrap();
    assert_eq!(
        (inherited.address, inherited.name.as_str()),
        (address, "app")
    );

    let datagrams = std::os::unix::net::UnixDatagram::unbound().unwrap();
    // SAFETY: the socket has just been made and released.
    let error = unsafe { claim(datagrams.into_raw_fd(), String::new()) }.unwrap_err();
    assert!(matches!(error, ActivationError::Kind(_)));
    // SAFETY: no descriptor has this number.
    let error = unsafe { claim(1 << 24, String::new()) }.unwrap_err();
    assert!(matches!(error, ActivationError::Descriptor(..)));
}

#[test]
fn children_get_names_of_valid_characters() {
    for (address, expected) in [
        ("*:8080", "tcp-8080"),
        ("udp:[::1]:53", "udp-53"),
        ("unix:/run/my app:1.sock", "unix-my_app_1.sock"),
        ("unix:@app", "unix-app"),
    ] {
        assert_eq!(name(&address.parse().unwrap()), expected);
    }
}
