//! JSON: the reader and the writer.

use std::io::Write;

use pidone::json::{Object, Quoted, Value};

pub fn check(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut line = b"{\"text\":".to_vec();
    write!(line, "{}", Quoted(&text)).unwrap();
    line.push(b'}');
    assert!(!line.contains(&b'\n'));
    let read = Object::parse(&line).and_then(|object| object.get("text")?.string());
    assert_eq!(read.as_deref(), Some(&*text));

    // The reader takes objects only, so the input is a member of one. The ordinary limit of the depth rejects more than none.
    let wrapped = [b"{\"value\":", data, b"}"].concat();
    let Some(object) = Object::parse_nested(&wrapped, u8::MAX) else {
        assert!(Object::parse(&wrapped).is_none());
        return;
    };
    if let Some(value) = object.get("value") {
        walk(value);
    }
}

fn walk(value: Value<'_>) {
    let kinds = [
        value.is_null(),
        value.boolean().is_some(),
        value.integer().is_some(),
        value.raw().starts_with('"'),
        value.object().is_some(),
        value.raw().starts_with('['),
    ];
    assert!(
        kinds.iter().filter(|is_so| **is_so).count() <= 1,
        "{value:?}"
    );
    assert!(kinds[3] || value.string().is_none());
    // The raw text is read as the same value again.
    let again = format!("{{\"again\":{}}}", value.raw());
    let again = Object::parse_nested(again.as_bytes(), u8::MAX);
    if let Some(again) = again {
        assert_eq!(again.get("again"), Some(value));
    }
    value.items().for_each(walk);
}
