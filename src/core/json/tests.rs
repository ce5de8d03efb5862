use super::*;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

fn get<'a>(text: &'a str, name: &str) -> Option<Value<'a>> {
    Object::parse(text.as_bytes())
        .unwrap_or_else(|| panic!("{text}"))
        .get(name)
}

#[test]
fn members_are_found_and_typed() {
    let text =
        r#" {"a":1, "b" : "two","c":[{"a":2}],"d":null,"e":true,"f":{"x":[1,2,{}]},"g":-1.5e+3} "#;
    assert_eq!(get(text, "a").unwrap().integer(), Some(1));
    assert_eq!(get(text, "b").unwrap().string().unwrap(), "two");
    assert!(get(text, "b").unwrap().is_string("two"));
    assert_eq!(get(text, "c").unwrap().raw(), r#"[{"a":2}]"#);
    assert!(get(text, "d").unwrap().is_null());
    assert_eq!(get(text, "e").unwrap().boolean(), Some(true));
    assert_eq!(get(text, "f").unwrap().raw(), r#"{"x":[1,2,{}]}"#);
    assert_eq!(get(text, "g").unwrap().integer(), None);
    assert_eq!(get(text, "x"), None, "nested members are not found");
    assert_eq!(get("{}", "a"), None);
    assert_eq!(get(r#"{"a":1,"a":2}"#, "a").unwrap().integer(), Some(2));
    assert_eq!(get(r#"{"a":"1"}"#, "a").unwrap().integer(), None);
    assert_eq!(get(r#"{"a":1}"#, "a").unwrap().string(), None);
    let inner = get(text, "f").unwrap().object().unwrap();
    let items = |value: Value<'_>| {
        value
            .items()
            .map(|item| item.raw().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(items(inner.get("x").unwrap()), ["1", "2", "{}"]);
    assert_eq!(items(get(r#"{"a":[ ]}"#, "a").unwrap()), [""; 0]);
    assert_eq!(items(get(text, "f").unwrap()), [""; 0]);
    assert!(get(text, "c").unwrap().object().is_none());
    let large = r#"{"a":9223372036854775808}"#;
    assert_eq!(get(large, "a").unwrap().integer(), None);
}

#[test]
fn escapes_are_resolved() {
    let string = |text: &str| get(&format!(r#"{{"a":"{text}"}}"#), "a").unwrap().string();
    assert_eq!(
        string(r#"\"\\\/\b\f\n\r\té\u0041\u0000"#).unwrap(),
        "\"\\/\u{8}\u{c}\n\r\téA\0"
    );
    assert_eq!(string(r"\ud83d\ude00!").unwrap(), "😀!");
    assert_eq!(string(r"\ud83d"), None);
    assert_eq!(string(r"\ud83dx"), None);
    assert_eq!(string(r"\ud83d\u0041"), None);
    assert_eq!(string(r"\ude00"), None);
}

#[test]
fn text_that_json_parse_rejects_is_rejected() {
    let broken = [
        "",
        " ",
        "{",
        "}",
        "[]",
        "1",
        "null",
        "\"a\"",
        "{}x",
        "{}{}",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":[1,]}",
        "{\"a\":[1}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":01}",
        "{\"a\":-}",
        "{\"a\":+1}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":1e}",
        "{\"a\":tru}",
        "{\"a\":nulll}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":\"\\u+123\"}",
        "{\"a\":\"\\u12é\"}",
        "{\"a\":\"\\",
        "{\"a\":\"\t\"}",
        "{\"a\":\"b}",
        "{\"a\":NaN}",
        "{\"a\":undefined}",
        "{\"a\":1}]",
    ];
    for text in broken {
        assert!(Object::parse(text.as_bytes()).is_none(), "{text}");
    }
    assert!(Object::parse(b"{\"a\":\"\xff\"}").is_none());
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(Object::parse(nested(7).as_bytes()).is_some());
    assert!(Object::parse(nested(8).as_bytes()).is_none());
    assert!(Object::parse(nested(30_000).as_bytes()).is_none());
    assert!(Object::parse("{\"a\":[".repeat(10_000).as_bytes()).is_none());
    let deep = nested(254);
    let object = Object::parse_nested(deep.as_bytes(), u8::MAX).unwrap();
    assert_eq!(object.get("a").unwrap().raw().len(), 2 * 254);
    assert!(Object::parse_nested(nested(255).as_bytes(), u8::MAX).is_none());
}

#[test]
fn truncated_or_changed_text_does_not_panic() {
    let text = r#"{"a":[1,-2.5e+3,"\u00e9\ud83d\ude00é",{"b":null}],"c":{"d":[true,false]}}"#;
    for cut in 0..text.len() {
        assert!(Object::parse(&text.as_bytes()[..cut]).is_none());
    }
    for at in 0..text.len() {
        for byte in 0..=255 {
            let mut changed = text.as_bytes().to_vec();
            changed[at] = byte;
            if let Some(object) = Object::parse(&changed) {
                for name in ["a", "b", "c", "d"] {
                    let value = object.get(name);
                    value.and_then(Value::string);
                    value.and_then(Value::integer);
                }
            }
        }
    }
}

#[test]
fn strings_are_quoted_as_json() {
    let out = Quoted("a \"b\" \\ c\nd\u{1}é");
    assert_eq!(out.to_string(), r#""a \"b\" \\ c\nd\u0001é""#);
}
