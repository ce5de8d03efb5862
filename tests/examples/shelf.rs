//! What is said about the examples is so.

use std::fs;
use std::path::Path;

use crate::example::{Line, shelf};

/// The README's table has them all, each has a README, and `npm start` does what that says.
#[test]
fn all_are_in_the_readme_and_start_as_they_say() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let mut packages = 0;
    for entry in fs::read_dir(shelf()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let row = format!("| [`{name}`](examples/{name}) |");
        assert!(readme.contains(&row), "{row}");
        let own = fs::read_to_string(path.join("README.md")).unwrap();
        let Ok(package) = fs::read_to_string(path.join("package.json")) else {
            continue;
        };
        packages += 1;
        let lines: Vec<_> = Line::all(&own).iter().map(Line::text).collect();
        let starts = |line: &String| package.contains(&format!("\"start\": \"{line}\""));
        assert!(lines.iter().any(starts), "{name}: {lines:?}\n{package}");
        // Whoever installs it shall get the packages from the registry of his own choice.
        let lock = fs::read_to_string(path.join("package-lock.json")).unwrap();
        assert!(!lock.contains("\"resolved\""), "{name}");
    }
    assert!(packages >= 7, "{packages}");
}
