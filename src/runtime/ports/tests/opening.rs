//! Ports that are named, inherited, in use, closed, or bound again.

use super::*;

#[test]
fn a_named_port_is_handed_out_by_address_and_by_descriptor() {
    let directory = Directory::new();
    let path = directory.path("app.sock");
    let mut ports = ports(Balance::ReusePort, 1);
    let addresses = ["127.0.0.1:0", "udp:127.0.0.1:0", &format!("unix:{path}")];
    open(&mut ports, &addresses).unwrap();
    let numbers: Vec<_> = ports.registry.passed_on().collect();
    let port_of = |place: usize| {
        let sockets = ports.sockets.get(numbers[place]).unwrap();
        sockets.local_address().unwrap().port()
    };
    let number = port_of(0);
    let keys = [at("127.0.0.1", number), udp(port_of(1)), unix(&path)];
    for (place, key) in keys.iter().enumerate() {
        let (number, is_udp) = (i32::try_from(place).unwrap() + 3, place == 1);
        for key in [key, &ListenerKey::Fd { number, is_udp }] {
            assert_eq!(get(&mut ports, 1, 0, key).0, numbers[place], "{key:?}");
        }
    }
    ports.forget(WorkerId(1));
    ports.close_unheld();
    assert!(!is_refused(number));
    assert!(UnixStream::connect(&path).is_ok());
}

#[test]
fn inherited_sockets_have_names_in_order_and_belong_to_the_member() {
    let directory = Directory::new();
    let path = directory.path("app.sock");
    let mut ports = ports(Balance::ReusePort, 1);
    let given = UnixListener::bind(&path).unwrap();
    let address: ListenAddress = format!("unix:{path}").parse().unwrap();
    let inherited = vec![Inherited {
        name: "given".into(),
        address: address.clone(),
        listener: OwnedFd::from(given.try_clone().unwrap()).into(),
    }];
    let number = free_port();
    let tcp = ListenAddress::Tcp(Endpoint {
        host: Host::V4(Ipv4Addr::LOCALHOST),
        port: number,
    });
    ports
        .open(Balance::ReusePort, &[tcp, address], inherited)
        .unwrap();
    let names = |member| -> Vec<String> {
        let passed_on = ports.inherited_by(member).into_iter();
        passed_on.map(|(_, name)| name.to_owned()).collect()
    };
    let expected = ["given".to_owned(), format!("tcp-{number}")];
    for member in [Some(Member(1)), None, Some(Member(99))] {
        assert_eq!(names(member), expected, "{member:?}");
    }
    ports.serve(&members(&[Some(1)]));
    let _client = TcpStream::connect((HOME, number)).unwrap();
    let accepts = |member| {
        let (fd, _) = ports.inherited_by(member)[1];
        let socket = Listener::from(fd.try_clone_to_owned().unwrap());
        socket.accept().unwrap().is_some()
    };
    assert!(!accepts(None) && accepts(Some(Member(1))));

    // Inherited sockets stay open.
    close(&mut ports);
    let _late = UnixStream::connect(&path).unwrap();
    assert!(!ports.waiting(None));
    drop(ports);
    assert!(UnixStream::connect(&path).is_ok());
}

#[test]
fn a_failed_listen_names_the_address_and_the_remedy() {
    let directory = Directory::new();
    let taken = TcpListener::bind((HOME, 0)).unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let file = directory.path("file");
    fs::write(&file, "").unwrap();
    let free = free_port();
    for (addresses, words) in [
        (vec![taken.clone()], ["already", "another port"]),
        (vec![format!("unix:{file}")], ["not a socket", "remove"]),
        (vec!["unix:/no/such/place".into()], ["directory", "create"]),
        (vec!["192.0.2.1:0".into()], ["no such address", "* for all"]),
        (
            vec![format!("{free}"), format!("0.0.0.0:{free}")],
            ["twice", "leave one out"],
        ),
    ] {
        let addresses: Vec<_> = addresses.iter().map(String::as_str).collect();
        let text = open(&mut ports(Balance::ReusePort, 1), &addresses).unwrap_err();
        let start = format!("--listen {}: ", addresses.last().unwrap());
        assert!(text.starts_with(&start), "{text}");
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    }
    assert_eq!(fs::read(&file).unwrap(), b"");
}

#[test]
fn an_invalid_query_is_refused() {
    let mut ports = ports(Balance::ReusePort, 1);
    let mut query = query(tcp(None, 0), "null");
    query.listener = Err(36);
    assert_eq!(refused(ports.query(WorkerId(1), Member(0), &query)), 36);
    assert_eq!(refused(ask(&mut ports, 1, 0, &at("192.0.2.1", 0))), 99);
    assert!(ports.sockets.is_empty());
}

/// New code listens on another form of the address; waiting connections are served.
#[test]
fn a_port_without_a_holder_does_not_block_another() {
    for balance in [Balance::ReusePort, Balance::Shared] {
        for (old, new) in [
            (tcp as fn(_, _) -> _, "0.0.0.0"),
            (|_, port| at("0.0.0.0", port), "127.0.0.1"),
            (|_, port| at("127.0.0.1", port), "::"),
        ] {
            let port = free_port();
            let mut ports = ports(balance, 1);
            let (id, socket) = get(&mut ports, 1, 0, &old(None, port));
            drop(socket);
            // While a worker holds it, it is in use.
            assert_eq!(refused(ask(&mut ports, 2, 1, &at(new, port))), 98);
            ports.forget(WorkerId(1));
            let mut client = TcpStream::connect((HOME, port)).unwrap();
            let (another, socket) = get(&mut ports, 2, 1, &at(new, port));
            assert!(another != id && !ports.contains(id));
            let waiting: Vec<_> = ports.take_displaced().collect();
            assert_eq!(waiting.len(), 1);
            for (port, connection) in waiting {
                assert_eq!(port, another);
                TcpStream::from(connection).write_all(b"x").unwrap();
            }
            assert_eq!(client.read(&mut [0]).unwrap(), 1);
            ports.serve(&members(&[Some(1)]));
            assert_eq!(accepted_connections(&[&socket], 3), [3]);
        }
    }
}

#[test]
fn a_port_the_kernel_chose_can_be_queried_by_number() {
    let mut ports = ports(Balance::ReusePort, 2);
    let (id, socket) = get(&mut ports, 1, 0, &tcp(None, 0));
    let number = number(&socket);
    // Another worker asks for port 0 at the same time, and gets the same port.
    assert_eq!(get(&mut ports, 2, 2, &tcp(None, 0)).0, id);
    ports.closed(id, WorkerId(1));
    assert_eq!(get(&mut ports, 1, 0, &tcp(None, number)).0, id);
    assert_eq!(refused(ask(&mut ports, 1, 0, &at("127.0.0.1", number))), 98);
}

#[test]
fn a_program_that_replaced_a_worker_can_bind_its_port() {
    let mut ports = ports(Balance::ReusePort, 2);
    let (alone, common) = (free_port(), free_port());
    let named = free_port();
    open(&mut ports, &[&named.to_string()]).unwrap();
    for number in [alone, common, named] {
        get(&mut ports, 1, 0, &tcp(None, number));
    }
    get(&mut ports, 2, 2, &tcp(None, common));
    ports.release(WorkerId(1));
    // A process that another test forks in this moment has a copy of the socket until it executes its program.
    let deadline = Instant::now() + WATCHDOG;
    while let Err(error) = TcpListener::bind(("0.0.0.0", alone)) {
        assert!(Instant::now() < deadline, "{alone}: {error}");
    }
    for number in [common, named] {
        assert!(TcpListener::bind(("0.0.0.0", number)).is_err());
    }
}

/// Workers with the previous socket get their connections from pidone.
#[test]
fn a_unix_socket_with_a_removed_file_is_bound_again() {
    let directory = Directory::new();
    let path = directory.path("app.sock");
    for named in [false, true] {
        let mut ports = ports(Balance::ReusePort, 2);
        if named {
            open(&mut ports, &[&format!("unix:{path}")]).unwrap();
        }
        let (id, _first) = get(&mut ports, 1, 0, &unix(&path));
        let mut waiting = UnixStream::connect(&path).unwrap();
        assert!(
            ports
                .orphaned_queues(|_| true, &[1, 2].map(WorkerId))
                .is_empty()
        );
        fs::remove_file(&path).unwrap();
        let (same, second) = get(&mut ports, 2, 2, &unix(&path));
        assert_eq!(same, id);
        for (port, connection) in ports.take_displaced().collect::<Vec<_>>() {
            assert_eq!(port, id);
            UnixStream::from(connection).write_all(b"x").unwrap();
        }
        assert_eq!(waiting.read(&mut [0]).unwrap(), 1);
        let _client = UnixStream::connect(&path).unwrap();
        assert_eq!(
            ports.orphaned_queues(|_| true, &[1, 2].map(WorkerId)).len(),
            1
        );
        assert!(second.accept().unwrap().is_some());

        // A worker removes the file and exits; the others continue.
        fs::remove_file(&path).unwrap();
        ports.forget(WorkerId(2));
        let mut late = UnixStream::connect(&path).unwrap();
        let (queue, member, _) = ports.orphaned_queues(|_| true, &[1, 2].map(WorkerId))[0];
        let connection = ports.accept(queue, member).unwrap().unwrap();
        UnixStream::from(connection).write_all(b"x").unwrap();
        assert_eq!(late.read(&mut [0]).unwrap(), 1);

        // Another process' file is left alone.
        fs::remove_file(&path).unwrap();
        let other = UnixListener::bind(&path).unwrap();
        assert_eq!(refused(ask(&mut ports, 3, 1, &unix(&path))), 98);
        drop(ports);
        assert!(fs::exists(&path).unwrap());
        drop(other);
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn no_socket_file_is_created_for_workers_of_another_user() {
    let directory = Directory::new();
    let path = directory.path("app.sock");
    let mut ports = Ports::new(Balance::ReusePort, BindRights::Less { ports_from: 1024 });
    ports.ensure_members(2).unwrap();
    open(&mut ports, &[&format!("unix:{path}")]).unwrap();
    fs::remove_file(&path).unwrap();
    get(&mut ports, 1, 0, &unix(&path));
    assert!(!fs::exists(&path).unwrap());
}
