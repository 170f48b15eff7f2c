//! Random JSON against a second, independent implementation, and the order of keys against UTF-16 itself.

use elspeth_canonical::{HashVersion, MAX_SAFE_INTEGER, Texts, compare_keys, to_canonical_vec};
use proptest::prelude::*;
use serde_json::Value;

/// Characters on both sides of every border that matters: escapes, UTF-8 lengths, surrogates.
fn any_text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        any::<char>(),
        prop::char::range('\u{0}', '\u{7f}'),
        prop::char::range('\u{d7f0}', '\u{d7ff}'),
        prop::char::range('\u{e000}', '\u{e00f}'),
        prop::char::range('\u{fff0}', '\u{1000f}'),
        prop::char::range('\u{10fff0}', '\u{10ffff}'),
    ];
    prop::collection::vec(character, 0..12).prop_map(|chars| chars.into_iter().collect())
}

fn any_float() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        any::<u64>().prop_map(f64::from_bits),
        (-1_000_000_i32..1_000_000).prop_map(|n| f64::from(n) / 100.0),
        (-325_i32..309).prop_map(|power| 10_f64.powi(power)),
    ]
    .prop_filter("finite", |float| float.is_finite())
}

/// Decimals as people write them, some of their neighbours among the doubles, and those with too many digits.
fn any_decimal() -> impl Strategy<Value = f64> {
    let digits = prop_oneof![0_u64..100_000, 0_u64..10_u64.pow(12), 0_u64..10_u64.pow(16)];
    (digits, 0_usize..10, any::<bool>(), -2_i64..=2).prop_map(|(digits, places, minus, aside)| {
        let text = format!("{}{digits}e-{places}", if minus { "-" } else { "" });
        let bits = text.parse::<f64>().expect("it is a number").to_bits();
        f64::from_bits(bits.saturating_add_signed(aside))
    })
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Into::into),
        (-MAX_SAFE_INTEGER..=MAX_SAFE_INTEGER).prop_map(Into::into),
        any_float().prop_map(Into::into),
        any_text().prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 48, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::Array),
            prop::collection::vec((any_text(), inner), 0..8)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn a_decimal_is_printed_as_another_implementation_prints_it(value in any_decimal().prop_filter("finite", |it| it.is_finite())) {
        let ours = to_canonical_vec(&value).unwrap();
        let theirs = serde_json_canonicalizer::to_vec(&value).unwrap();
        prop_assert_eq!(String::from_utf8(ours).unwrap(), String::from_utf8(theirs).unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_bytes_are_those_of_another_implementation(json in any_json()) {
        let ours = to_canonical_vec(&json).unwrap();
        let theirs = serde_json_canonicalizer::to_vec(&json).unwrap();
        prop_assert_eq!(String::from_utf8(ours).unwrap(), String::from_utf8(theirs).unwrap());
    }

    #[test]
    fn canonical_bytes_are_canonical_again(json in any_json()) {
        let once = to_canonical_vec(&json).unwrap();
        let parsed: Value = serde_json::from_slice(&once).unwrap();
        // Floats beyond 2^53 without fraction are printed like integers, which are refused when they come back.
        if let Ok(twice) = to_canonical_vec(&parsed) {
            prop_assert_eq!(once, twice);
        }
    }

    #[test]
    fn keys_are_ordered_by_utf16_code_units(a in any_text(), b in any_text(), common in any_text()) {
        let (a, b) = (format!("{common}{a}"), format!("{common}{b}"));
        prop_assert_eq!(compare_keys(&a, &b), a.encode_utf16().cmp(b.encode_utf16()));
    }

    #[test]
    fn bytes_in_pieces_have_the_hash_of_the_whole(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..8)) {
        for version in HashVersion::ALL {
            let mut hasher = version.hasher();
            pieces.iter().for_each(|piece| hasher.update(piece));
            prop_assert_eq!(hasher.finish(), version.hash(&pieces.concat()));
        }
    }
}

proptest! {
    #[test]
    fn hashes_of_many_are_the_hashes_of_each(lengths in prop::collection::vec(0_usize..1_300, 0..120), seed: u8) {
        let text = |(number, length): (usize, &usize)| -> Vec<u8> {
            (0..*length).map(|at| u8::try_from((at * 3 + number) % 241).unwrap() ^ seed).collect()
        };
        let each: Vec<_> = lengths.iter().enumerate().map(text).collect();
        for version in HashVersion::ALL {
            let mut texts = Texts::default();
            each.iter().for_each(|text| texts.push(text));
            let expected: Vec<_> = each.iter().map(|text| version.hash(text)).collect();
            prop_assert_eq!(version.hash_all(&texts), expected);
        }
    }
}

#[test]
fn a_text_that_could_not_be_written_is_none() {
    let mut texts = Texts::default();
    texts.push(b"first");
    let failed: Result<(), &str> = texts.try_add(|out| {
        out.extend_from_slice(b"half of");
        Err("no more")
    });
    assert_eq!((failed, texts.len()), (Err("no more"), 1));
    let written: Result<_, &str> = texts.try_add(|out| {
        out.extend_from_slice(b"second");
        Ok(out.len())
    });
    assert!(written.is_ok());
    let version = HashVersion::Blake3V1;
    assert_eq!(version.hash_all(&texts), [version.hash(b"first"), version.hash(b"second")]);
    texts.clear();
    assert!(texts.is_empty() && version.hash_all(&texts).is_empty());
}
