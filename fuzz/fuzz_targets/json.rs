#![no_main]

use pidone::json::{Object, Value};
use serde_json::Value as Other;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    pidone_fuzz::json::check(data);
    agree(data);
});

/// Compares with another reader.
fn agree(data: &[u8]) {
    let wrapped = [b"{\"value\":", data, b"}"].concat();
    let ours = Object::parse_nested(&wrapped, 100);
    let other: Result<Other, _> = serde_json::from_slice(&wrapped);
    let escapes_half_a_pair = || {
        let lower = wrapped.to_ascii_lowercase();
        lower.windows(3).any(|bytes| bytes == b"\\ud")
    };
    // The input may end the member and begin another one: `1,"value":2`.
    let is_one = serde_json::from_slice::<Other>(data).is_ok();
    match (ours, other) {
        (_, Ok(_)) if !is_one => {}
        (Some(ours), Ok(other)) => same(
            ours.get("value").expect("it is there"),
            &other["value"],
            // The last of two members with one name counts; but to pidone `\u0061` is not `a`.
            wrapped.contains(&b'\\'),
        ),
        (None, Err(_)) => {}
        // JSON's grammar allows half a surrogate pair, which is not valid text.
        (Some(_), Err(error)) => assert!(escapes_half_a_pair(), "{error}"),
        (None, Ok(other)) => assert!(depth(&other) > 100, "{other}"),
    }
}

fn same(ours: Value<'_>, other: &Other, has_escapes: bool) {
    match other {
        Other::Null => assert!(ours.is_null()),
        Other::Bool(flag) => assert_eq!(ours.boolean(), Some(*flag)),
        Other::Number(number) => assert_eq!(ours.integer(), number.to_string().parse().ok()),
        Other::String(text) => assert_eq!(ours.string().as_ref(), Some(text)),
        Other::Array(items) => {
            assert_eq!(ours.items().count(), items.len());
            for (ours, other) in ours.items().zip(items) {
                same(ours, other, has_escapes);
            }
        }
        Other::Object(members) => {
            let ours = ours.object().expect("an object");
            for (name, other) in members {
                match ours.get(name) {
                    Some(value) if !has_escapes => same(value, other, false),
                    Some(_) => {}
                    None => assert!(has_escapes, "{name}"),
                }
            }
        }
    }
}

fn depth(value: &Other) -> usize {
    match value {
        Other::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Other::Object(members) => 1 + members.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}
