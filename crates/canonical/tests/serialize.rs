//! What serde types become, and what is refused.

use std::collections::BTreeMap;

use elspeth_canonical::{CanonicalError, MAX_SAFE_INTEGER, to_canonical_vec};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

fn canonical<T: Serialize>(value: &T) -> String {
    String::from_utf8(to_canonical_vec(value).expect("it has a canonical form")).expect("UTF-8")
}

fn refused<T: Serialize>(value: &T) -> CanonicalError {
    to_canonical_vec(value).expect_err("it has no canonical form")
}

#[derive(Serialize)]
struct Unit;

#[derive(Serialize)]
struct Wrapped(u8);

#[derive(Serialize)]
struct Pair(u8, &'static str);

#[derive(Serialize)]
enum Shape {
    Empty,
    Circle(f64),
    Line(i8, i8),
    Box { width: u16, height: u16 },
}

#[derive(Serialize)]
struct Nested {
    z: Option<u8>,
    a: Option<u8>,
    shape: Shape,
    #[serde(flatten)]
    rest: BTreeMap<String, i64>,
}

struct Entries(Vec<(&'static str, u8)>);

impl Serialize for Entries {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

struct Blob(&'static [u8]);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

#[test]
fn types_take_the_shapes_that_serde_json_gives_them() {
    assert_eq!(canonical(&Unit), "null");
    assert_eq!(canonical(&Wrapped(7)), "7");
    assert_eq!(canonical(&Pair(7, "x")), r#"[7,"x"]"#);
    assert_eq!(canonical(&('\u{e9}', true, None::<u8>, Some(0.5_f32))), "[\"\u{e9}\",true,null,0.5]");
    assert_eq!(
        canonical(&[
            Shape::Empty,
            Shape::Circle(1.0),
            Shape::Line(-1, 2),
            Shape::Box { width: 3, height: 4 }
        ]),
        r#"["Empty",{"Circle":1},{"Line":[-1,2]},{"Box":{"height":4,"width":3}}]"#
    );
    let nested = Nested {
        z: None,
        a: Some(1),
        shape: Shape::Box { width: 1, height: 2 },
        rest: BTreeMap::from([("b".to_owned(), -5), ("zz".to_owned(), 6)]),
    };
    assert_eq!(
        canonical(&nested),
        r#"{"a":1,"b":-5,"shape":{"Box":{"height":2,"width":1}},"z":null,"zz":6}"#
    );
    assert_eq!(canonical(&nested), canonical(&serde_json::to_value(&nested).unwrap()));
}

#[test]
fn bytes_are_tagged_base64() {
    for (bytes, base64) in [
        (&b""[..], ""),
        (b"f", "Zg=="),
        (b"fo", "Zm8="),
        (b"foo", "Zm9v"),
        (b"foob", "Zm9vYg=="),
        (b"\xfb\xff", "+/8="),
    ] {
        assert_eq!(canonical(&Blob(bytes)), format!(r#"{{"__bytes__":"{base64}"}}"#));
    }
}

#[test]
fn integers_of_any_width_are_bounded_by_2_to_the_53() {
    let largest = u64::try_from(MAX_SAFE_INTEGER).unwrap();
    assert_eq!(canonical(&MAX_SAFE_INTEGER), "9007199254740991");
    assert_eq!(canonical(&-MAX_SAFE_INTEGER), "-9007199254740991");
    assert_eq!(canonical(&largest), "9007199254740991");
    assert_eq!(canonical(&i128::from(MAX_SAFE_INTEGER)), "9007199254740991");
    let beyond = CanonicalError::UnsafeInteger("9007199254740992".to_owned());
    assert_eq!(refused(&(MAX_SAFE_INTEGER + 1)), beyond);
    assert_eq!(refused(&(largest + 1)), beyond);
    assert_eq!(refused(&(i128::from(MAX_SAFE_INTEGER) + 1)), beyond);
    assert_eq!(refused(&(u128::from(largest) + 1)), beyond);
    assert_eq!(refused(&i64::MIN), CanonicalError::UnsafeInteger(i64::MIN.to_string()));
    assert_eq!(refused(&u128::MAX), CanonicalError::UnsafeInteger(u128::MAX.to_string()));
    assert!(beyond.to_string().contains("`str`"), "{beyond}");
}

#[test]
fn numbers_that_are_not_finite_are_refused_at_any_depth() {
    assert_eq!(refused(&f64::NAN), CanonicalError::NonFinite("NaN".to_owned()));
    assert_eq!(refused(&f64::NEG_INFINITY), CanonicalError::NonFinite("-inf".to_owned()));
    assert_eq!(refused(&f32::INFINITY), CanonicalError::NonFinite("inf".to_owned()));
    assert_eq!(
        refused(&vec![BTreeMap::from([("a", f64::NAN)])]),
        CanonicalError::NonFinite("NaN".to_owned())
    );
}

#[test]
fn a_key_that_is_there_twice_is_refused_wherever_it_stands() {
    for entries in [vec![("a", 1), ("a", 1)], vec![("b", 1), ("a", 2), ("b", 3)]] {
        let key = entries[0].0.to_owned();
        assert_eq!(refused(&Entries(entries)), CanonicalError::DuplicateKey(key));
    }
    assert_eq!(canonical(&Entries(vec![("b", 1), ("a", 2), ("c", 3)])), r#"{"a":2,"b":1,"c":3}"#);
    let text_and_integer = BTreeMap::from([(1, "one")]);
    assert_eq!(canonical(&text_and_integer), r#"{"1":"one"}"#);
}

#[test]
fn keys_are_text_or_integers() {
    assert_eq!(canonical(&BTreeMap::from([(10_u64, 0), (9, 1)])), r#"{"10":0,"9":1}"#);
    assert_eq!(canonical(&BTreeMap::from([(-1_i8, 0)])), r#"{"-1":0}"#);
    assert_eq!(canonical(&BTreeMap::from([('x', 0)])), r#"{"x":0}"#);
    assert_eq!(refused(&BTreeMap::from([(true, 0)])), CanonicalError::NonTextKey);
    assert_eq!(refused(&BTreeMap::from([((1, 2), 0)])), CanonicalError::NonTextKey);
    assert_eq!(refused(&BTreeMap::from([(Some("x"), 0)])), CanonicalError::NonTextKey);
    assert_eq!(refused(&BTreeMap::from([((), 0)])), CanonicalError::NonTextKey);
}

#[test]
fn an_error_of_the_value_itself_is_passed_on() {
    struct Broken;
    impl Serialize for Broken {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("the disk is gone"))
        }
    }
    assert_eq!(refused(&vec![Broken]), CanonicalError::Custom("the disk is gone".to_owned()));
}
