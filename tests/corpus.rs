//! Runs the fuzzer's checks on its corpus, and compares pidone's JSON reader with Node.js. `.ci/fuzz` looks for more inputs.

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

/// The files of a directory with their contents, in order.
fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(directory).unwrap();
    let paths: BTreeSet<_> = entries.map(|entry| entry.unwrap().path()).collect();
    let read = |path: PathBuf| (path.display().to_string(), fs::read(&path).unwrap());
    paths.into_iter().map(read).collect()
}

#[test]
fn every_input_of_the_corpus_passes() {
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

/// A check that asserted nothing would pass, too.
#[test]
fn the_checks_reject_invalid_pages() {
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

/// Reads JSON strings from standard input, one per line, and prints what `JSON.parse` makes of each text: `no`, or its type
/// and value.
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

/// The same from pidone's own reader; `None`: a number that only one of them has, or half a surrogate pair.
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
        // It may have another member of that name, written with escapes.
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
