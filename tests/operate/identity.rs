//! How workers are told apart: their number under another name, and for OpenTelemetry.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::harness::packages::node_modules;
use crate::harness::service::App;

/// The real detector, which OpenTelemetry's SDK calls; loaded before the app.
const DETECTOR: &str = "
    const { detectResources, envDetector } = require('@opentelemetry/resources');
    const { attributes } = detectResources({ detectors: [envDetector] });
    console.log('id', attributes['service.instance.id'], attributes.kept);
";

#[test]
fn opentelemetry_tells_the_workers_apart() {
    let host = Command::new("uname").arg("-n").output().unwrap();
    let host = String::from_utf8(host.stdout).unwrap();
    let app = App::script("require('./plain.js');");
    let modules = node_modules("tests/operate/packages");
    symlink(modules, app.directory.path("node_modules")).unwrap();
    let detector = app.directory.file("detector.js", DETECTOR, 0o644);
    let service = app.start_with(2, ["--otel-instance"], |pidone| {
        pidone
            // With this space, as OpenTelemetry's operator for Kubernetes appends it.
            .env("NODE_OPTIONS", format!(" --require {}", detector.display()))
            .env("OTEL_RESOURCE_ATTRIBUTES", "kept=%2C")
    });
    let ids: BTreeSet<_> = (0..2).map(|_| service.after("id ")).collect();
    let wanted = [0, 1].map(|instance| format!("{}-{instance} ,", host.trim()));
    assert_eq!(ids, BTreeSet::from(wanted));
    service.until_ready().stop().code(0);
}

#[test]
fn the_number_has_the_name_that_was_asked_for() {
    const SHOW: &str = "
        console.log('number', process.env.INSTANCE_ID, process.env.NODE_APP_INSTANCE);
        require('./plain.js');
    ";
    let service = App::script(SHOW).workers(2, ["--instance-var", "INSTANCE_ID"]);
    let numbers: BTreeSet<_> = (0..2).map(|_| service.after("number ")).collect();
    assert_eq!(numbers, BTreeSet::from(["0 0".into(), "1 1".into()]));
    service.until_ready().stop().code(0);
}
