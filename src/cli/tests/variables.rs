//! Variables: pidone's own, and those that workers get.

use super::*;

#[test]
fn variables_are_for_the_inner_pidone() {
    let variables = [
        "PIDONE_INSTANCES=2",
        "PIDONE_LOG_FORMAT=json",
        "PIDONE_NO=1",
    ];
    let (outer, warnings) = read_with("-- /pidone -- node server.js", &variables).unwrap();
    assert_eq!(outer.workers, None);
    assert_eq!(outer.logging.format, LogFormat::Json);
    assert!(warnings.is_empty(), "{warnings:?}");
    assert!(workers("-i 3 -- /pidone -- node", &variables).instances == Instances::Count(3));
    assert!(
        config("--channel off -- ./not-pidone", &variables)
            .workers
            .is_some()
    );
}

#[test]
fn empty_instances_turn_off_the_workers_of_an_image() {
    let image = [
        "PIDONE_INSTANCES=",
        "PIDONE_HTTP_DRAIN=5s",
        "PIDONE_READY=message",
        "PIDONE_GRACE=7s",
    ];
    let one = config("", &image);
    assert_eq!((one.workers.is_none(), one.grace), (true, Some(7 * SECOND)));
    // A nested pidone does not get them either.
    assert!(one.own_variables.contains(&"PIDONE_HTTP_DRAIN".to_owned()));
    assert_eq!(workers("-i 2", &image).http_drain, Some(5 * SECOND));
    // Not empty but absent: more likely forgotten.
    let needs_workers = "PIDONE_HTTP_DRAIN: needs workers: add -i N";
    refused("", &image[1..], &[needs_workers]);
    refused("--http-drain 5s", &image, &["--http-drain: needs workers"]);
}

#[test]
fn auto_uses_web_concurrency() {
    let instances = |variables: &[&str]| workers("-i auto", variables).instances;
    assert_eq!(instances(&[]), Instances::Auto);
    assert_eq!(instances(&["WEB_CONCURRENCY="]), Instances::Auto);
    assert_eq!(instances(&["WEB_CONCURRENCY=3"]), Instances::Count(3));
    for value in ["0", "-1", "two", "1.5", "1025"] {
        let variable = format!("WEB_CONCURRENCY={value}");
        refused(
            "-i auto",
            &[&variable],
            &["WEB_CONCURRENCY: ", value, "a number from 1 to 1024"],
        );
        // Not used without auto.
        assert_eq!(workers("-i 2", &[&variable]).instances, Instances::Count(2));
        assert_eq!(config("", &[&variable]).workers, None);
    }
}

#[test]
fn ports_begin_at_the_variable() {
    let ports = |base| {
        Some(PortEnv {
            name: "P".to_owned(),
            base,
        })
    };
    assert_eq!(
        workers("-i 2 --port-env P", &["P=3000"]).port_env,
        ports(3000)
    );
    assert_eq!(
        workers("-i 2 --port-env P", &["P=65534"]).port_env,
        ports(65534)
    );
    assert_eq!(
        workers("-i auto --port-env P", &["P=65535"]).port_env,
        ports(65535)
    );
    refused(
        "-i 2 --port-env P",
        &["P=65535"],
        &["--port-env: ", "set P to 65534 or less"],
    );
    refused(
        "-i auto --port-env P",
        &["P=65535", "WEB_CONCURRENCY=2"],
        &["65534 or less"],
    );
    for variables in [&[][..], &["P="]] {
        refused(
            "-i 2 --port-env P",
            variables,
            &["--port-env: ", "P is not set", "P=3000"],
        );
    }
    for value in ["0", "65536", "http", "+1"] {
        let variable = format!("P={value}");
        refused(
            "-i 2 --port-env P",
            &[&variable],
            &["--port-env: ", value, "1 to 65535"],
        );
    }
}

#[test]
fn the_instance_variable_must_be_free() {
    let line = "-i 2 --instance-var ID";
    assert!(read_with(line, &["ID="]).is_ok());
    refused(
        line,
        &["ID=7"],
        &["--instance-var: ID", "\"7\"", "unset it"],
    );
    refused(
        "-i 2 --instance-var P --port-env P",
        &["P=3000"],
        &["--instance-var: P", "--port-env"],
    );
    for name in ["NODE_OPTIONS", "LISTEN_FDS", "PIDONE_HTTP", "A-B", "1A", ""] {
        refused(
            &format!("-i 2 --instance-var={name}"),
            &[],
            &["--instance-var: ", "such as INSTANCE_ID"],
        );
    }
    refused("--instance-var ID", &[], &["--instance-var", "-i N"]);
}

#[test]
fn a_service_instance_of_the_user_stays() {
    for (attributes, is_set) in [
        ("service.instance.id=x", true),
        ("a=b, service.instance.id = x", true),
        ("a=service.instance.id,b", false),
        ("", false),
    ] {
        let variable = format!("OTEL_RESOURCE_ATTRIBUTES={attributes}");
        let line = "-i 2 --otel-instance";
        let (config, warnings) = read_with(line, &[&variable]).unwrap();
        assert_eq!(config.otel_instance, !is_set, "{attributes}");
        assert_eq!(warnings.len(), usize::from(is_set), "{warnings:?}");
    }
    assert!(!config("-i 2", &[]).otel_instance);
}
