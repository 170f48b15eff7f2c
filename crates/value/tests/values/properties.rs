//! Random rows: canonical bytes against the serde route, typed JSON against a parser, storage, and coercion that loses
//! nothing.

use compact_str::CompactString;
use elspeth_canonical::{MAX_SAFE_INTEGER, to_canonical_vec};
use elspeth_value::{FieldType, Row, Value, coerce_text, write_python_float};
use proptest::prelude::*;
use rust_decimal::Decimal;
use time::{Date, OffsetDateTime, Time};

fn any_key() -> impl Strategy<Value = CompactString> {
    prop_oneof!["[a-e_]{1,3}", any::<String>()].prop_map(Into::into)
}

fn any_date() -> impl Strategy<Value = Date> {
    (1..=9999_i32, 1..=365_u16)
        .prop_map(|(year, day)| Date::from_ordinal_date(year, day).expect("within the year"))
}

fn any_moment() -> impl Strategy<Value = OffsetDateTime> {
    let nanos =
        prop_oneof![Just(0), (0..1_000_000_u32).prop_map(|micros| micros * 1000), 0..1_000_000_000_u32];
    (any_date(), 0..24_u8, 0..60_u8, 0..60_u8, nanos).prop_map(|(date, hour, minute, second, nanos)| {
        date.with_time(Time::from_hms_nano(hour, minute, second, nanos).expect("a time of day")).assume_utc()
    })
}

fn any_float() -> impl Strategy<Value = f64> {
    let cents = (-1_000_000_i32..1_000_000).prop_map(|n| f64::from(n) / 100.0);
    prop_oneof![any::<f64>(), cents].prop_filter("finite", |float| float.is_finite())
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-MAX_SAFE_INTEGER..=MAX_SAFE_INTEGER).prop_map(Value::Int),
        any_float().prop_map(Value::Float),
        any::<String>().prop_map(|text| Value::Str(text.into())),
        (any::<i64>(), 0..19_u32).prop_map(|(digits, scale)| Value::Decimal(Decimal::new(digits, scale))),
        any_date().prop_map(Value::Date),
        any_moment().prop_map(Value::DateTime),
        prop::collection::vec(any::<u8>(), 0..8).prop_map(|bytes| Value::Bytes(bytes.into())),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::List),
            prop::collection::vec((any_key(), inner), 0..5)
                .prop_map(|entries| Value::Map(entries.into_iter().collect())),
        ]
    })
}

fn any_row() -> impl Strategy<Value = Row> {
    prop::collection::vec((any_key(), any_value()), 0..12).prop_map(Row::from_pairs)
}

fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).expect("JSON is UTF-8")
}

proptest! {
    #[test]
    fn the_bytes_of_a_row_are_those_of_its_json(row in any_row()) {
        let ours = text(|out| row.write_canonical(out).unwrap());
        let serde = String::from_utf8(to_canonical_vec(&row.to_json()).unwrap()).unwrap();
        prop_assert_eq!(ours, serde);
    }

    #[test]
    fn typed_json_reads_back_as_the_same_json(row in any_row()) {
        let typed = text(|out| row.write_json(out));
        let parsed: serde_json::Value = serde_json::from_str(&typed).unwrap();
        prop_assert_eq!(&parsed, &row.to_json());
        let value = Value::from_json(parsed).unwrap();
        prop_assert_eq!(text(|out| value.write_json(out)), typed);
    }

    #[test]
    fn values_survive_a_binary_codec(value in any_value()) {
        let stored = postcard::to_stdvec(&value).unwrap();
        prop_assert_eq!(postcard::from_bytes::<Value>(&stored).unwrap(), value);
    }

    #[test]
    fn setting_and_removing_a_field_gives_the_row_back(row in any_row(), key in any_key(), value in any_value()) {
        let mut changed = row.clone();
        changed.remove(&key);
        let without = changed.clone();
        changed.set(&key, value.clone());
        prop_assert_eq!(changed.get(&key), Some(&value));
        prop_assert_eq!(changed.shape().names().last(), Some(&key));
        prop_assert_eq!(changed.remove(&key), Some(value));
        prop_assert_eq!(changed, without);
    }

    #[test]
    fn what_python_prints_for_a_float_is_the_float(float in any_float()) {
        let printed = text(|out| write_python_float(out, float));
        prop_assert_eq!(printed.parse::<f64>().unwrap().to_bits(), float.to_bits());
        prop_assert!(printed.contains(['.', 'e']), "{}", printed);
    }

    #[test]
    fn typed_values_come_back_from_their_text(int in -MAX_SAFE_INTEGER..=MAX_SAFE_INTEGER, float in any_float(), date in any_date(), moment in any_moment(), digits in any::<i64>(), scale in 0..19_u32) {
        for (ty, value) in [
            (FieldType::Int, Value::Int(int)),
            (FieldType::Float, Value::Float(float)),
            (FieldType::Date, Value::Date(date)),
            (FieldType::Datetime, Value::DateTime(moment)),
            (FieldType::Decimal, Value::Decimal(Decimal::new(digits, scale))),
        ] {
            let written = text(|out| value.write_json(out));
            prop_assert_eq!(coerce_text(ty, written.trim_matches('"')), Ok(value));
        }
    }

    #[test]
    fn no_text_makes_coercion_panic(cell in any::<String>(), near in "[-+0-9.:TtZz eE_]{0,36}") {
        for ty in [FieldType::Str, FieldType::Int, FieldType::Float, FieldType::Bool, FieldType::Any, FieldType::Datetime, FieldType::Date, FieldType::Decimal] {
            for text in [&cell, &near] {
                if let Ok(value) = coerce_text(ty, text) {
                    prop_assert!(ty.admits(&value));
                    let mut out = Vec::new();
                    prop_assert!(value.write_canonical(&mut out).is_ok(), "what is taken can be hashed");
                }
            }
        }
    }
}
