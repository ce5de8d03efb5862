//! What the fuzzer's corpus holds must go well in the ordinary tests, too; and Node.js itself agrees
//! with how pidone reads JSON. `.ci/fuzz` looks for more.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pidone::json::{Object, Value};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

/// Each file of a directory and what is in it, in order.
fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(directory).unwrap();
    let paths: BTreeSet<_> = entries.map(|entry| entry.unwrap().path()).collect();
    let read = |path: PathBuf| (path.display().to_string(), fs::read(&path).unwrap());
    paths.into_iter().map(read).collect()
}

#[test]
fn every_input_of_the_corpus_goes_well() {
    let names = targets::ALL.map(|(name, _)| name.to_owned());
    let entries = fs::read_dir(corpus()).unwrap();
    let directories: BTreeSet<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(directories, BTreeSet::from(names));
    for (name, check) in targets::ALL {
        for (path, input) in files(&corpus().join(name)) {
            if let Err(panic) = catch_unwind(|| check(&input)) {
                eprintln!("{path}");
                std::panic::resume_unwind(panic);
            }
        }
    }
}

/// What is after a checked input is not looked at; a check that asserts nothing would see nothing.
#[test]
fn the_checks_see_what_is_wrong() {
    for broken in [
        "pidone_x 1\n# EOF\n",
        "# TYPE pidone_x gauge\npidone_x one\n# EOF\n",
        "# TYPE pidone_x counter\npidone_x 1\n# EOF\n",
        "# TYPE pidone_x gauge\npidone_x 1\npidone_x 1\n# EOF\n",
        "# TYPE pidone_x gauge\npidone_x{a=\"b\\\"} 1\n# EOF\n",
        "# TYPE pidone_x gauge\npidone_x 1\n",
    ] {
        let read = catch_unwind(|| targets::openmetrics::samples(broken));
        assert!(read.is_err(), "{broken}");
    }
    let good = "# TYPE pidone_x gauge\npidone_x{a=\"b\"} 1.5\n# EOF\n";
    assert_eq!(targets::openmetrics::samples(good), 1);
}

/// Tells of each text on standard input, which stand there as JSON strings a line each, what
/// `JSON.parse` makes of it: `no`, or the texts of what is in it, one level of an object deep.
const NODE: &str = "
const show = (value) => value === null ? 'null' : typeof value === 'object'
  ? (Array.isArray(value) ? 'array ' + value.length : 'object')
  : typeof value === 'string' ? 'string ' + Buffer.from(value.toWellFormed?.() ?? value).toString('hex')
  : typeof value + ' ' + value;
for (const line of require('fs').readFileSync(0, 'utf8').split('\\n').slice(0, -1)) {
  let said = 'no';
  try { said = show(JSON.parse('{\"value\":' + JSON.parse(line) + '}').value); } catch {}
  console.log(said);
}";

/// The same by pidone's own reader; `None`: it is a number that one of them has not, or half a
/// character.
fn shown(value: Value<'_>) -> Option<String> {
    Some(match value.raw().as_bytes().first()? {
        b'n' => "null".to_owned(),
        b'{' => "object".to_owned(),
        b'[' => format!("array {}", value.items().count()),
        b'"' => {
            let text = value.string()?;
            let digits = text.bytes().map(|byte| format!("{byte:02x}"));
            format!("string {}", digits.collect::<String>())
        }
        b't' | b'f' => format!("boolean {}", value.boolean()?),
        // JavaScript's numbers are whole ones up to 2^53.
        _ => {
            let number = value.integer()?;
            (number.unsigned_abs() <= 1 << 53).then(|| format!("number {number}"))?
        }
    })
}

#[test]
fn node_reads_json_as_pidone_does() {
    let texts: Vec<String> = ["json", "channel"]
        .into_iter()
        .flat_map(|name| files(&corpus().join(name)))
        .filter_map(|(_, input)| String::from_utf8(input).ok())
        .flat_map(|text| {
            let lines: Vec<_> = text.lines().map(str::to_owned).collect();
            lines.into_iter().chain([text])
        })
        .collect();
    assert!(texts.len() > 100);
    let mut node = Command::new("node")
        .args(["-e", NODE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Node.js is installed");
    let mut lines = Vec::new();
    for text in &texts {
        write!(lines, "{}", pidone::json::Quoted(text)).unwrap();
        lines.push(b'\n');
    }
    let mut input = node.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(&lines));
    let done = node.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(done.status.success());
    let said = String::from_utf8(done.stdout).unwrap();
    assert_eq!(said.lines().count(), texts.len());
    for (text, said) in texts.iter().zip(said.lines()) {
        let wrapped = format!("{{\"value\":{text}}}");
        let object = Object::parse_nested(wrapped.as_bytes(), u8::MAX);
        // A member more, and perhaps one of that name with escapes.
        if text.contains("\":") && text.contains(',') && !text.trim().starts_with(['{', '[']) {
            continue;
        }
        let Some(value) = object.and_then(|object| object.get("value")) else {
            assert_eq!(said, "no", "{text}");
            continue;
        };
        if let Some(shown) = shown(value) {
            assert_eq!(said, shown, "{text}");
        } else {
            assert_ne!(said, "no", "{text}");
        }
    }
}
