//! Ports without a holder, and removed socket files.

use super::*;

fn abandon(ports: &mut Ports, worker: u32, key: &ListenerKey) -> PortId {
    let id = get(ports, worker, 0, key).0;
    ports.forget(WorkerId(worker));
    id
}

/// An app that opens another second port each time, and exits soon.
#[test]
fn ports_without_a_holder_are_closed_for_others() {
    let directory = Directory::new();
    let mut ports = ports(Balance::ReusePort, 1);
    let main = get(&mut ports, 1, 0, &tcp(None, 0)).0;
    for worker in 2..102 {
        let path = directory.path(&format!("{worker}.sock"));
        abandon(&mut ports, worker, &unix(&path));
        assert!(ports.registry.ids().count() <= LIMIT);
    }
    assert!(ports.contains(main));
    ports.close_unheld();
    assert_eq!(ports.registry.ids().count(), 1);
    assert_eq!(fs::read_dir(&directory.0).unwrap().count(), 0);
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
fn a_worker_gets_an_address_once_until_it_closes_it() {
    let directory = Directory::new();
    let path = directory.path("app.sock");
    for balance in [Balance::ReusePort, Balance::RoundRobin] {
        let mut ports = ports(balance, 2);
        let number = free_port();
        for key in [
            tcp(None, number),
            udp(number + 1),
            unix(&path),
            ListenerKey::Abstract(path.clone()),
        ] {
            let id = match ask(&mut ports, 1, 0, &key) {
                Answer::Listener { port, .. } | Answer::RoundRobin { port, .. } => port,
                other => panic!("{other:?}"),
            };
            assert_eq!(refused(ask(&mut ports, 1, 0, &key)), 98, "{key:?}");
            assert!(!matches!(ask(&mut ports, 2, 2, &key), Answer::Failure(_)));
            ports.closed(id, WorkerId(1));
            assert!(!matches!(ask(&mut ports, 1, 0, &key), Answer::Failure(_)));
        }
        // Port 0 gives a new port each time, and datagram sockets may be shared on request.
        get_any(&mut ports, &tcp(None, 0));
        get_any(&mut ports, &tcp(None, 0));
        let shared = ListenerKey::Udp {
            address: HOME.into(),
            port: free_port(),
            v6only: false,
            reuse_addr: true,
            index: 0,
        };
        get_any(&mut ports, &shared);
        get_any(&mut ports, &shared);
    }
}

fn get_any(ports: &mut Ports, key: &ListenerKey) {
    assert!(!matches!(ask(ports, 3, 1, key), Answer::Failure(_)));
}

/// `--listen 8080` serves both listens of an app that names each IP version.
#[test]
fn a_worker_can_listen_on_each_ip_version_separately() {
    let mut ports = ports(Balance::ReusePort, 1);
    let number = free_port();
    open(&mut ports, &[&number.to_string()]).unwrap();
    let v6 = ListenerKey::Tcp {
        address: Some("::".parse().unwrap()),
        port: number,
        v6only: true,
        index: 0,
    };
    get(&mut ports, 1, 0, &at("0.0.0.0", number));
    get(&mut ports, 1, 0, &v6);
    assert_eq!(refused(ask(&mut ports, 1, 0, &at("0.0.0.0", number))), 98);
    assert_eq!(refused(ask(&mut ports, 1, 0, &tcp(None, number))), 98);
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
    assert!(TcpListener::bind(("0.0.0.0", alone)).is_ok());
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
        assert!(ports.orphaned_queues(|_| true).is_empty());
        fs::remove_file(&path).unwrap();
        let (same, second) = get(&mut ports, 2, 2, &unix(&path));
        assert_eq!(same, id);
        for (port, connection) in ports.take_displaced().collect::<Vec<_>>() {
            assert_eq!(port, id);
            UnixStream::from(connection).write_all(b"x").unwrap();
        }
        assert_eq!(waiting.read(&mut [0]).unwrap(), 1);
        let _client = UnixStream::connect(&path).unwrap();
        assert_eq!(ports.orphaned_queues(|_| true).len(), 1);
        assert!(second.accept().unwrap().is_some());

        // A worker removes the file and exits; the others continue.
        fs::remove_file(&path).unwrap();
        ports.forget(WorkerId(2));
        let mut late = UnixStream::connect(&path).unwrap();
        let (queue, member, _) = ports.orphaned_queues(|_| true)[0];
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

/// What a program does that takes another port when its own is in use, here by another worker.
#[test]
fn the_port_of_the_service_is_lost_with_its_last_worker() {
    let look = |ports: &mut Ports, workers: &[u32]| {
        ports.close_unheld();
        let workers = workers.iter().map(|id| (WorkerId(*id), *id as usize));
        ports.compare(&workers.collect::<Vec<_>>());
        ports.lost()
    };
    for of_all in [true, false] {
        let number = free_port();
        let mut ports = ports(Balance::ReusePort, 2);
        get(&mut ports, 1, 0, &tcp(None, number));
        get(
            &mut ports,
            2,
            1,
            &tcp(None, if of_all { number } else { 0 }),
        );
        assert_eq!(look(&mut ports, &[1, 2]), None);
        ports.forget(WorkerId(2));
        get(&mut ports, 3, 1, &tcp(None, 0));
        assert_eq!(look(&mut ports, &[1, 3]), None);
        ports.forget(WorkerId(1));
        get(&mut ports, 4, 0, &tcp(None, 0));
        let lost = Some(format!("[::]:{number}"));
        assert_eq!(look(&mut ports, &[3, 4]), lost);
        assert_eq!(look(&mut ports, &[3, 4]), lost);
        // It is back, and then a new version listens elsewhere.
        get(&mut ports, 4, 0, &tcp(None, number));
        assert_eq!(look(&mut ports, &[3, 4]), None);
        let another = free_port();
        for (old, new) in [(3, 5), (4, 6)] {
            ports.forget(WorkerId(old));
            get(&mut ports, new, new as usize, &tcp(None, another));
        }
        assert_eq!(look(&mut ports, &[5, 6]), None);
    }
}

#[test]
fn ports_of_each_workers_own_are_never_lost() {
    let directory = Directory::new();
    let mut ports = ports(Balance::ReusePort, 2);
    // One worker at first.
    let mut last = None;
    for worker in 1..9 {
        let path = directory.path(&format!("{worker}.sock"));
        get(&mut ports, worker, 0, &unix(&path));
        if worker > 2 {
            ports.forget(WorkerId(worker - 2));
        }
        ports.close_unheld();
        let workers = [Some(worker), last.replace(worker)].into_iter().flatten();
        ports.compare(&workers.map(|id| (WorkerId(id), 0)).collect::<Vec<_>>());
        assert_eq!(ports.lost(), None);
    }
}
