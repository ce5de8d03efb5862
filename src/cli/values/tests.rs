use super::*;

#[test]
fn durations_are_read_in_every_unit() {
    for (text, millis) in [
        ("0", 0),
        ("0s", 0),
        ("500ms", 500),
        ("10s", 10_000),
        ("2m", 120_000),
        ("1h", 3_600_000),
        ("1.5s", 1_500),
        ("1000h", 3_600_000_000),
    ] {
        assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
    }
    for text in [
        "",
        "5",
        "s",
        "ms",
        ".",
        "-1s",
        "+1s",
        "1 s",
        "1d",
        "1e3s",
        "infs",
        "NaNs",
        "1.2.3s",
        "1001h",
        "99999999999999999999h",
        "5sec",
        "１s",
    ] {
        assert!(duration(text).is_err(), "{text}");
    }
}

#[test]
fn numbers_of_workers_are_digits_within_bounds() {
    for text in ["auto", "max", "0"] {
        assert_eq!(instances(text), Ok(Instances::Auto), "{text}");
    }
    assert_eq!(instances("1"), Ok(Instances::Count(1)));
    assert_eq!(instances("1024"), Ok(Instances::Count(1024)));
    for text in [
        "", "00", "+2", "-1", "1025", "65537", "2.0", "two", "Auto", "Max",
    ] {
        assert!(instances(text).is_err(), "{text}");
    }
    assert_eq!(count("0"), Ok(0));
    assert_eq!(port("65535"), Some(65535));
    for text in ["", "0", "+80", "65536", "http"] {
        assert_eq!(port(text), None, "{text}");
    }
    for (text, number) in [
        ("1", 1),
        ("1024", 1024),
        ("1%", 1),
        ("25%", 3),
        ("100%", 10),
    ] {
        assert_eq!(surge(text).map(|surge| surge.of(10)), Ok(number), "{text}");
    }
    for text in [
        "", "0", "+2", "-1", "1025", "0%", "101%", "2.5%", "%", "auto",
    ] {
        assert!(surge(text).is_err(), "{text}");
    }
}

#[test]
fn delays_and_rates_have_two_sides() {
    let seconds = Duration::from_secs;
    assert_eq!(backoff("1s..2s"), Ok((seconds(1), seconds(2))));
    assert_eq!(backoff("2s..2s"), Ok((seconds(2), seconds(2))));
    for text in [
        "", "1s", "..", "1s..", "..1s", "2s..1s", "0..1s", "1..2", "1s...2s", "1s-2s",
    ] {
        assert!(backoff(text).is_err(), "{text}");
    }
    assert_eq!(rate("0/1m"), Ok((0, seconds(60))));
    assert_eq!(rate("1000/1h"), Ok((1000, seconds(3600))));
    for text in [
        "", "10", "/", "10/", "/60s", "10/0", "10/60", "+1/60s", "1001/1s", "1/2/3s",
    ] {
        assert!(rate(text).is_err(), "{text}");
    }
}

#[test]
fn the_name_of_a_variable_is_a_word() {
    for text in ["PORT", "_", "http_port2"] {
        assert_eq!(variable_name(text).as_deref(), Ok(text));
    }
    for text in ["", "2PORT", "A=B", "A B", "Ä", "A-B"] {
        assert!(variable_name(text).is_err(), "{text}");
    }
}

#[test]
fn sizes_have_a_unit_and_bounds() {
    let bytes = |text| match memory(text) {
        Ok(MemoryLimit::Bytes(bytes)) => bytes,
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(bytes("1M"), 1 << 20);
    for text in ["300m", "300MB", "300MiB", "300mb"] {
        assert_eq!(bytes(text), 300 << 20, "{text}");
    }
    assert_eq!(bytes("2GiB"), 2 << 30);
    assert_eq!(bytes("1024G"), 1 << 40);
    assert_eq!(memory("1%"), Ok(MemoryLimit::Percent(1)));
    assert_eq!(memory("100%"), Ok(MemoryLimit::Percent(100)));
    for text in [
        "",
        "0",
        "300",
        "M",
        "0M",
        "+1M",
        "-1M",
        "1.5G",
        "1025G",
        "99999999999999999999G",
        "1T",
        "300MBB",
        "300Mi",
        "300 M",
        "%",
        "0%",
        "101%",
        "50.5%",
        "-1%",
        "1024K",
    ] {
        assert!(memory(text).is_err(), "{text}");
    }
    assert_eq!(hang("1s"), Ok(Duration::from_secs(1)));
    for text in ["0", "999ms", "10", "never"] {
        assert!(hang(text).is_err(), "{text}");
    }
}

#[test]
fn the_control_socket_has_a_path_from_the_root() {
    assert_eq!(control("off"), Ok(Control::Off));
    assert_eq!(control("/a/b"), Ok(Control::Path("/a/b".into())));
    let long = format!("/{}", "x".repeat(107));
    for text in [
        "",
        "on",
        "pidone.sock",
        "./a",
        "/",
        "/run/",
        "@a",
        "unix:/a",
        &long,
    ] {
        assert!(control(text).is_err(), "{text}");
    }
    assert!(control(&long[..107]).is_ok());
}

#[test]
fn rewrites_take_names_numbers_and_zero() {
    let term = Signal::parse("TERM").unwrap();
    let quit = Signal::parse("QUIT").unwrap();
    for text in ["TERM:QUIT", "SIGTERM:SIGQUIT", "15:3", "sigterm:quit"] {
        assert_eq!(rewrite(text), Ok((term, Some(quit))), "{text}");
    }
    assert_eq!(rewrite("TERM:0"), Ok((term, None)));
    for text in [
        "",
        "TERM",
        "TERM:",
        ":QUIT",
        "0:TERM",
        "TERM:65",
        "TERM:QUIT:3",
        "KILL:TERM",
        "17:0",
    ] {
        assert!(rewrite(text).is_err(), "{text}");
    }
}

#[test]
fn users_are_split_at_the_colon() {
    assert_eq!(
        user("node").map(|spec| (spec.user, spec.group)),
        Ok(("node".into(), None))
    );
    assert_eq!(
        user("1000:node").map(|spec| (spec.user, spec.group)),
        Ok(("1000".into(), Some("node".into())))
    );
    for text in ["", ":", "node:", ":node", "a:b:c"] {
        assert!(user(text).is_err(), "{text}");
    }
}

#[test]
fn a_log_filter_is_made_of_levels() {
    for text in [
        "info",
        "WARN",
        "off",
        "pidone=trace",
        "warn,pidone::runtime=debug",
    ] {
        assert!(filter(text).is_ok(), "{text}");
    }
    for text in ["loud", "", "pidone=", "info,loud"] {
        assert!(filter(text).is_err(), "{text}");
    }
}

#[test]
fn a_number_without_a_unit_is_asked_for_one() {
    for (wrong, value, question) in [
        (duration("5").unwrap_err(), "5", "5s or 5ms?"),
        (some_time("1600").unwrap_err(), "1600", "1600s or 1600ms?"),
        (hang("10").unwrap_err(), "10", "10s or 10ms?"),
        (memory("300").unwrap_err(), "300", "300M or 300G?"),
    ] {
        let said = wrong.about(value);
        assert!(said.ends_with(question), "{said}");
    }
    // Bytes, as in pm2.
    assert!(matches!(memory("314572800"), Err(InvalidValue::Give(_))));
}
