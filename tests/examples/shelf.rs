//! What is said about the examples is so.

use std::fs;

use crate::example::{Line, shelf};

/// The table in `examples/README.md` has them all, each has a README, and `npm start` does what that says.
#[test]
fn all_are_in_the_table_and_start_as_they_say() {
    let table = fs::read_to_string(shelf().join("README.md")).unwrap();
    let mut packages = 0;
    for entry in fs::read_dir(shelf()).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_dir() {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap();
        let row = format!("| [`{name}`]({name}) |");
        assert!(table.contains(&row), "{row}");
        let own = fs::read_to_string(path.join("README.md")).unwrap();
        let Ok(package) = fs::read_to_string(path.join("package.json")) else {
            continue;
        };
        packages += 1;
        let lines: Vec<_> = Line::all(&own).iter().map(Line::text).collect();
        let starts = |line: &String| package.contains(&format!("\"start\": \"{line}\""));
        assert!(lines.iter().any(starts), "{name}: {lines:?}\n{package}");
        // Packages come from the registry that the user has chosen.
        let lock = fs::read_to_string(path.join("package-lock.json")).unwrap();
        assert!(!lock.contains("\"resolved\""), "{name}");
    }
    assert!(packages >= 7, "{packages}");
}
