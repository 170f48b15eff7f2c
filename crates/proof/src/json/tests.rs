use proptest::prelude::*;

use super::*;

fn values() -> impl Strategy<Value = Json> {
    let limit = MAX_SAFE_INTEGER as i64;
    let text = || prop_oneof!["\\PC{0,6}", any::<String>(), "[\\x00-\\x22\\\\]{0,6}"];
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Flag),
        (-limit..=limit).prop_map(Json::Integer),
        text().prop_map(Json::Text),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        let entries = prop::collection::btree_map(text(), inner.clone(), 0..6);
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(Json::List),
            entries.prop_map(|entries| {
                let mut entries: Vec<_> = entries.into_iter().collect();
                entries.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
                Json::Object(entries)
            }),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(json in values()) {
        prop_assert_eq!(Json::parse(&json.to_text()), Ok(json));
    }

    #[test]
    fn what_is_read_is_what_would_be_written(
        json in values(), at in any::<prop::sample::Index>(), byte in any::<u8>(), insert in any::<bool>(),
    ) {
        let mut bytes = json.to_text().into_bytes();
        let at = at.index(bytes.len());
        if insert { bytes.insert(at, byte) } else { bytes[at] = byte }
        if let Ok(text) = String::from_utf8(bytes) && let Ok(read) = Json::parse(&text) {
            prop_assert_eq!(read.to_text(), text);
        }
    }
}

#[test]
fn other_forms_of_the_same_are_refused() {
    for text in [
        "",
        " 1",
        "1 ",
        "[1, 2]",
        "{\"a\": 1}",
        "01",
        "-0",
        "1.0",
        "1e2",
        "+1",
        "9007199254740992",
        "-",
        "[1,]",
        "[",
        "{",
        "{\"b\":1,\"a\":2}",
        "{\"a\":1,\"a\":1}",
        "{a:1}",
        "\"\\/\"",
        "\"\\u0041\"",
        "\"\\u000a\"",
        "\"\\u001F\"",
        "\"\\u00\"",
        "\"\n\"",
        "\"a",
        "tru",
        "nulll",
        "\"\\ud834\\udd1e\"",
        "{\"a\"}",
        "1]",
    ] {
        assert!(Json::parse(text).is_err(), "{text}");
    }
    let deep = |levels| "[".repeat(levels) + &"]".repeat(levels);
    assert!(Json::parse(&deep(33)).is_ok());
    assert_eq!(Json::parse(&deep(100_000)), Err(BadJson { at: 33, what: "nested too deep" }));
}

#[test]
fn keys_are_in_the_order_of_utf_16() {
    // U+1F600 is D83D DE00 there, in front of U+FB33; its UTF-8 is behind.
    let text = "{\"\u{20ac}\":1,\"\u{1f600}\":2,\"\u{fb33}\":3}";
    assert_eq!(Json::parse(text).unwrap().to_text(), text);
    assert!(Json::parse("{\"\u{fb33}\":3,\"\u{1f600}\":2}").is_err());
}
