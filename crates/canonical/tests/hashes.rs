//! Hashes and versions as text.

use elspeth_canonical::{ContentHash, HashVersion};

/// FIPS 180-4 gives this digest of `abc`.
const SHA256_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

#[test]
fn a_hash_is_64_hex_digits_everywhere() {
    let hash = HashVersion::Sha256V1.hash(b"abc");
    assert_eq!(hash.to_string(), SHA256_ABC);
    assert_eq!(format!("{hash:?}"), SHA256_ABC);
    assert_eq!(format!("{hash:>66}"), format!("  {SHA256_ABC}"));
    assert_eq!(SHA256_ABC.parse(), Ok(hash));
    assert_eq!(SHA256_ABC.to_uppercase().parse(), Ok(hash));
    assert_eq!(ContentHash::from_bytes(*hash.as_bytes()), hash);
    let json = serde_json::to_string(&hash).unwrap();
    assert_eq!(json, format!("\"{SHA256_ABC}\""));
    assert_eq!(serde_json::from_str::<ContentHash>(&json).unwrap(), hash);
}

#[test]
fn what_is_not_64_hex_digits_is_refused() {
    for text in [
        "",
        "ba",
        &SHA256_ABC[1..],
        &format!("{SHA256_ABC}0"),
        &SHA256_ABC.replace('f', "g"),
        &"\u{e9}".repeat(32),
    ] {
        let error = text.parse::<ContentHash>().unwrap_err();
        assert!(error.to_string().contains("64 hexadecimal digits"), "{error}");
        assert!(serde_json::from_value::<ContentHash>(text.into()).is_err(), "{text}");
    }
}

#[test]
fn versions_go_by_their_stored_names() {
    assert_eq!(HashVersion::default().name(), "blake3-rfc8785-v1");
    assert_eq!(HashVersion::Sha256V1.to_string(), "sha256-rfc8785-v1");
    for version in HashVersion::ALL {
        assert_eq!(HashVersion::from_name(version.name()), Some(version));
        let json = serde_json::to_string(&version).unwrap();
        assert_eq!(json, format!("\"{}\"", version.name()));
        assert_eq!(serde_json::from_str::<HashVersion>(&json).unwrap(), version);
    }
    assert_eq!(HashVersion::from_name("blake3"), None);
    assert!(serde_json::from_str::<HashVersion>("\"sha256-rfc8785-v2\"").is_err());
}
