//! Loggers that write files.

use std::collections::BTreeSet;
use std::fs;

use crate::library::{app, ask};

#[test]
fn no_line_is_lost_in_a_reload_and_a_stop() {
    let service = app("logs.js").workers(2, [""; 0]).ready();
    let mut sent = BTreeSet::new();
    for round in ["before", "after"] {
        for number in 0..100 {
            let path = format!("/log?{round}{number}.");
            assert_eq!(ask(&service, &path).1, "logged");
            sent.insert(path);
        }
        service.reload();
    }
    let last = "/log?last.";
    ask(&service, last);
    sent.insert(last.to_owned());
    let (app, end) = service.stop_and_keep();
    end.code(0);
    for logger in ["winston.", "winston-file", "pino-file"] {
        let mut text = String::new();
        for entry in fs::read_dir(app.directory.path(".")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if name.starts_with(logger) {
                text += &fs::read_to_string(path).unwrap();
            }
        }
        let lost: Vec<_> = sent.iter().filter(|line| !text.contains(*line)).collect();
        assert!(lost.is_empty(), "{logger}: {lost:?}");
    }
}
