use super::*;
use alloc::format;

fn query(members: &str) -> Query {
    let text = format!(r#"{{"cmd":"NODE_CLUSTER","act":"queryServer",{members},"seq":7}}"#);
    let message = Object::parse(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
    Query::read(&message).unwrap()
}

fn key(members: &str) -> Result<ListenerKey, i32> {
    query(members).listener
}

fn tcp(address: Option<&str>, port: u16, v6only: bool, index: u32) -> ListenerKey {
    ListenerKey::Tcp {
        address: address.map(|address| address.parse().unwrap()),
        port,
        v6only,
        index,
    }
}

#[test]
fn each_form_of_listen_is_parsed() {
    let any = r#""index":0,"data":null,"address":null,"port":80,"addressType":4"#;
    assert_eq!(key(any), Ok(tcp(None, 80, false, 0)));
    let flags = format!(r#"{any},"flags":0,"backlog":5"#);
    assert_eq!(key(&flags), Ok(tcp(None, 80, false, 0)));
    assert_eq!(query(&flags).backlog, 5);
    assert_eq!(query(any).backlog, 0);
    assert_eq!(
        key(r#""index":0,"address":"127.0.0.1","port":80,"addressType":4"#),
        Ok(tcp(Some("127.0.0.1"), 80, false, 0))
    );
    assert_eq!(
        key(r#""index":0,"address":"::","port":80,"addressType":6,"flags":1"#),
        Ok(tcp(Some("::"), 80, true, 0))
    );
    assert_eq!(
        key(r#""address":"fe80::1%eth0","port":80,"addressType":6"#),
        Ok(tcp(Some("fe80::1%eth0"), 80, false, 0))
    );
    let unix = r#""index":0,"address":"/tmp/a b","port":-1,"addressType":-1"#;
    let path = |readable_all, writable_all| {
        Ok(ListenerKey::Unix {
            path: "/tmp/a b".into(),
            readable_all,
            writable_all,
        })
    };
    assert_eq!(key(unix), path(false, false));
    let all = format!(r#"{unix},"readableAll":true"#);
    assert_eq!(key(&all), path(true, false));
    let all = format!(r#"{unix},"readableAll":false,"writableAll":true"#);
    assert_eq!(key(&all), path(false, true));
    assert_eq!(
        key(r#""address":"/app/\u0000name/x","port":-1,"addressType":-1"#),
        Ok(ListenerKey::Abstract("name/x".into()))
    );
    for (kind, is_udp) in [("null", false), ("\"udp4\"", true), ("\"udp6\"", true)] {
        let form =
            format!(r#""address":null,"port":null,"addressType":{kind},"fd":3,"flags":null"#);
        assert_eq!(key(&form), Ok(ListenerKey::Fd { number: 3, is_udp }));
    }
    let udp = |address: &str, port, v6only, reuse_addr, index| {
        Ok(ListenerKey::Udp {
            address: address.parse().unwrap(),
            port,
            v6only,
            reuse_addr,
            index,
        })
    };
    assert_eq!(
        key(r#""index":1,"address":"0.0.0.0","addressType":"udp4","fd":-1,"flags":0"#),
        udp("0.0.0.0", 0, false, false, 1)
    );
    assert_eq!(
        key(r#""index":1,"address":"::","port":53,"addressType":"udp6","fd":-1,"flags":5"#),
        udp("::", 53, true, true, 0)
    );
}

#[test]
fn the_index_counts_for_port_0_only() {
    for (port, index) in [(0, 3), (80, 0)] {
        let form = format!(r#""index":3,"address":null,"port":{port},"addressType":4"#);
        assert_eq!(key(&form), Ok(tcp(None, port, false, index)));
    }
}

#[test]
fn data_is_returned_unchanged() {
    assert_eq!(query(r#""port":1"#).data.as_json(), "null");
    assert_eq!(query(r#""data":null"#).data.as_json(), "null");
    let keys = r#"{"ticketKeys": "0123 \u00e9"}"#;
    let form = format!(r#""data":{keys},"address":null,"port":1,"addressType":4"#);
    assert_eq!(query(&form).data.as_json(), keys);
    assert!(query(&form).listener.is_ok());
    // A TLS server needs it back with the error, even if it is too long to keep.
    let long = format!(r#"{{"ticketKeys":"{}"}}"#, "x".repeat(DATA_MAX));
    let form = format!(r#""data":{long},"address":null,"port":1,"addressType":4"#);
    assert_eq!(query(&form).data.as_json(), long);
    assert_eq!(query(&form).listener, Err(E2BIG));
}

#[test]
fn invalid_queries_have_an_error_to_answer_with() {
    for form in [
        r#""address":null"#,
        r#""address":null,"port":80"#,
        r#""address":null,"port":80,"addressType":5"#,
        r#""address":null,"port":80,"addressType":"4""#,
        r#""address":null,"port":65536,"addressType":4"#,
        r#""address":null,"port":-1,"addressType":4"#,
        r#""address":null,"port":8.5,"addressType":4"#,
        r#""address":null,"port":"80","addressType":4"#,
        r#""address":null,"port":0,"addressType":4,"index":-1"#,
        r#""address":null,"port":80,"addressType":4,"flags":"x""#,
        r#""address":"localhost","port":80,"addressType":4"#,
        r#""address":"127.1","port":80,"addressType":4"#,
        r#""address":"fe80::1%","port":80,"addressType":6"#,
        r#""address":"fe80::1%lo","port":80,"addressType":4"#,
        r#""address":"fe80::1%a\u0000b","port":80,"addressType":6"#,
        r#""address":"fe80::1%0123456789abcdef","port":80,"addressType":6"#,
        r#""address":"127.0.0.1%lo","port":80,"addressType":4"#,
        r#""address":"::1","port":80,"addressType":4"#,
        r#""address":"127.0.0.1","port":80,"addressType":6"#,
        r#""address":5,"port":80,"addressType":4"#,
        r#""address":null,"port":80,"addressType":"udp4","fd":-1"#,
        r#""address":null,"port":-1,"addressType":-1"#,
        r#""address":"","port":-1,"addressType":-1"#,
        r#""address":"relative","port":-1,"addressType":-1"#,
        r#""address":"/a\u0000b","port":-1,"addressType":-1"#,
        r#""address":"/a/\u0000b\u0000c","port":-1,"addressType":-1"#,
        r#""address":"/a/\u0000","port":-1,"addressType":-1"#,
        r#""address":"/\ud800","port":-1,"addressType":-1"#,
        r#""address":null,"port":null,"addressType":null,"fd":-1"#,
        r#""address":null,"port":null,"addressType":null,"fd":4294967296"#,
        r#""address":null,"port":80,"addressType":4,"fd":3"#,
        r#""address":null,"port":80,"addressType":"udp4","fd":3"#,
        r#""address":"0.0.0.0","port":null,"addressType":"udp4","fd":3"#,
        r#""address":"/a","port":null,"addressType":null,"fd":3"#,
    ] {
        assert_eq!(key(form), Err(EINVAL), "{form}");
    }
    for (length, fits) in [(107, true), (108, false)] {
        let name = "x".repeat(length);
        let path = format!("/{}", &name[1..]);
        let form = format!(r#""address":"{path}","port":-1,"addressType":-1"#);
        assert_eq!(key(&form).is_ok(), fits);
        let form = format!(r#""address":"/some/where/\u0000{name}","addressType":-1"#);
        assert_eq!(key(&form).err(), (!fits).then_some(ENAMETOOLONG));
    }
}

#[test]
fn a_query_without_a_sequence_number_is_ignored() {
    for text in [r#"{"seq":null}"#, r#"{"seq":"1"}"#, r#"{"seq":1.5}"#, "{}"] {
        let message = Object::parse(text.as_bytes()).unwrap();
        assert_eq!(Query::read(&message), None);
    }
}
