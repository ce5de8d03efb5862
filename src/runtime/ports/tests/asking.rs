//! Which worker may have which port, and the errors for the others.

use super::*;

#[test]
fn a_named_port_serves_every_query_for_it() {
    let directory = Directory::new();
    let path = directory.path("app.sock");
    let mut ports = ports(Balance::ReusePort, 1);
    let addresses = [
        "0",
        "127.0.0.1:0",
        "udp:127.0.0.1:0",
        &format!("unix:{path}"),
    ];
    open(&mut ports, &addresses).unwrap();
    let numbers: Vec<_> = ports.registry.passed_on().collect();
    let port_of = |ports: &Ports, place: usize| {
        let port = ports.sockets.get(numbers[place]).unwrap();
        port.local_address().unwrap().port()
    };
    let any = port_of(&ports, 0);
    for (worker, key) in [tcp(None, any), at("0.0.0.0", any), at("::", any)]
        .iter()
        .enumerate()
    {
        let worker = u32::try_from(worker).unwrap() + 1;
        assert_eq!(get(&mut ports, worker, 0, key).0, numbers[0], "{key:?}");
    }
    let one = port_of(&ports, 1);
    assert_eq!(get(&mut ports, 1, 0, &at("127.0.0.1", one)).0, numbers[1]);
    // As in Node.js: one address does not equal all addresses.
    assert_eq!(refused(ask(&mut ports, 1, 0, &tcp(None, one))), 98);
    assert_eq!(refused(ask(&mut ports, 1, 0, &at("127.0.0.1", any))), 98);
    let datagrams = port_of(&ports, 2);
    assert_eq!(get(&mut ports, 1, 0, &udp(datagrams)).0, numbers[2]);
    assert_eq!(get(&mut ports, 1, 0, &unix(&path)).0, numbers[3]);
    let fd = |number, is_udp| ListenerKey::Fd { number, is_udp };
    for (place, number) in numbers.iter().enumerate() {
        let (descriptor, is_udp) = (i32::try_from(place).unwrap() + 3, place == 2);
        assert_eq!(get(&mut ports, 1, 0, &fd(descriptor, is_udp)).0, *number);
        // A server gets no datagram socket, and the reverse.
        assert_eq!(refused(ask(&mut ports, 1, 0, &fd(descriptor, !is_udp))), 22);
    }
    for descriptor in [0, 2, 7, i32::MAX, i32::MIN] {
        assert_eq!(refused(ask(&mut ports, 1, 0, &fd(descriptor, false))), 22);
    }
    // They stay open without holders.
    for number in &numbers {
        for worker in 1..4 {
            ports.forget(WorkerId(worker));
        }
        assert_eq!(ports.registry.holders(*number).count(), 0);
    }
    ports.close_unheld();
    assert!(TcpStream::connect((HOME, any)).is_ok());
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
    ports.close_to_new_connections();
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
fn workers_of_another_user_get_only_what_they_could_bind() {
    let directory = Directory::new();
    let mine = directory.path("mine.sock");
    let named = directory.path("named.sock");
    let mut ports = Ports::new(Balance::ReusePort, BindRights::Less { ports_from: 1024 });
    ports.ensure_members(2).unwrap();
    open(&mut ports, &[&format!("unix:{named}")]).unwrap();
    for key in [
        tcp(None, 80),
        tcp(None, 1023),
        udp(53),
        unix(&mine),
        ListenerKey::Abstract("pidone".into()),
    ] {
        assert_eq!(refused(ask(&mut ports, 1, 0, &key)), 13, "{key:?}");
    }
    assert!(!fs::exists(&mine).unwrap());
    get(&mut ports, 1, 0, &unix(&named));
    get(&mut ports, 1, 0, &tcp(None, 0));
    get(&mut ports, 1, 0, &tcp(None, free_port()));
    get(&mut ports, 1, 0, &udp(0));
}

#[test]
fn all_workers_get_the_first_workers_session_keys() {
    let mut ports = ports(Balance::ReusePort, 1);
    let mut data = |worker, data| {
        let query = query(tcp(None, 0), data);
        match ports.query(WorkerId(worker), Member(0), &query) {
            Answer::Listener { data, .. } => data.as_json().to_owned(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(data(1, "null"), "null");
    assert_eq!(data(1, r#"{"ticketKeys":"a"}"#), r#"{"ticketKeys":"a"}"#);
    assert_eq!(data(2, r#"{"ticketKeys":"b"}"#), r#"{"ticketKeys":"a"}"#);
    assert_eq!(data(2, "null"), "null");
}

#[test]
fn the_number_of_ports_and_listens_is_limited() {
    let mut ports = ports(Balance::Shared, 1);
    let key = |index| {
        let (address, port, v6only) = (None, 0, false);
        ListenerKey::Tcp {
            address,
            port,
            v6only,
            index,
        }
    };
    for index in 0..64 {
        get(&mut ports, 1, 0, &key(index));
    }
    assert_eq!(refused(ask(&mut ports, 1, 0, &key(64))), 24);
    for _ in 1..64 {
        get(&mut ports, 1, 0, &key(0));
    }
    assert_eq!(refused(ask(&mut ports, 1, 0, &key(0))), 24);
    get(&mut ports, 2, 0, &key(0));
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
