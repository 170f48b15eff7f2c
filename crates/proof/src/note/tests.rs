use super::*;

// The example of Go's documentation of `sumdb/note`.
const SECRET: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const ENOCH: &str = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
const TEXT: &str =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const BY_PETER: &str = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const BY_ENOCH: &str = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";
// The example of the C2SP document.
const C2SP_KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const C2SP_NOTE: &str = "This is an example message.\n\n— example.com/foo \
     Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

fn keys(texts: &[&str]) -> Vec<PublicKey> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn names<'k>(found: &Result<Vec<&'k PublicKey>, BadNote>) -> Vec<&'k str> {
    found.as_ref().unwrap().iter().map(|key| key.name()).collect()
}

#[test]
fn a_note_signed_with_gos_example_key_is_gos_example_note() {
    let mut note = Note::new(TEXT).unwrap();
    assert_eq!(note.to_string(), TEXT);
    note.sign(&SECRET.parse().unwrap());
    assert_eq!(note.to_string(), format!("{TEXT}\n{BY_PETER}"));
    note.sign(&SECRET.parse().unwrap());
    assert_eq!(note.signatures().len(), 1);
}

#[test]
fn notes_of_others_are_accepted() {
    let note: Note = format!("{TEXT}\n{BY_PETER}{BY_ENOCH}").parse().unwrap();
    assert_eq!(names(&note.verify(&keys(&[ENOCH, PETER]))), ["PeterNeumann", "EnochRoot"]);
    assert_eq!(names(&C2SP_NOTE.parse::<Note>().unwrap().verify(&keys(&[C2SP_KEY]))), ["example.com/foo"]);
}

#[test]
fn every_signature_must_be_by_a_given_key() {
    let note: Note = format!("{TEXT}\n{BY_PETER}{BY_ENOCH}").parse().unwrap();
    let unknown = |name: &str, key: &str| {
        let id = keys(&[key])[0].id();
        Err(BadNote::UnknownKey { name: name.to_owned(), id })
    };
    assert_eq!(note.verify(&keys(&[PETER])), unknown("EnochRoot", ENOCH));
    assert_eq!(note.verify(&[]), unknown("PeterNeumann", PETER));
    assert_eq!(Note::new(TEXT).unwrap().verify(&keys(&[PETER])), Err(BadNote::Unsigned));
}

#[test]
fn no_bit_of_a_signed_note_can_be_changed() {
    let whole = format!("{TEXT}\n{BY_PETER}{BY_ENOCH}");
    let keys = keys(&[PETER, ENOCH]);
    let accepted = |whole: &str| whole.parse::<Note>().is_ok_and(|note| note.verify(&keys).is_ok());
    assert!(accepted(&whole));
    for at in 0..whole.len() * 8 {
        let mut bytes = whole.clone().into_bytes();
        bytes[at / 8] ^= 1 << (at % 8);
        let Ok(changed) = String::from_utf8(bytes) else { continue };
        assert!(!accepted(&changed), "{changed}");
    }
}

#[test]
fn what_is_read_is_printed_byte_for_byte_or_refused() {
    let signed = |lines: &str| format!("{TEXT}\n{lines}");
    let without_newline = BY_PETER.trim_end().to_owned();
    let lenient_base64 = BY_PETER.replace("nAM=", "nAN=");
    let refused = [
        signed(&without_newline),
        signed(&lenient_base64),
        signed(&format!("{BY_PETER}{BY_PETER}")),
        signed(&BY_PETER.replace("Neumann x", "Neumann  x")),
        signed(&BY_PETER.replace("Peter", "Pe+ter")),
        signed(&BY_PETER.replace("x08g", "")),
        signed(&format!("{BY_PETER}more\n")),
        "no newline".to_owned(),
        "a\tb\n".to_owned(),
        String::new(),
    ];
    for text in &refused {
        assert!(text.parse::<Note>().is_err(), "{text}");
    }
    for text in [TEXT.to_owned(), signed(BY_PETER), "a\n\nb\n".to_owned()] {
        assert_eq!(text.parse::<Note>().unwrap().to_string(), text);
    }
}
