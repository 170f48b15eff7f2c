//! Receipts of made-up runs: the sound ones are accepted, and nothing else is. Their texts are kept in `tests/receipts` and
//! `tests/refused`, where other verifiers are tried on them too; `UPDATE_RECEIPTS=1` writes them anew.
#![expect(clippy::unwrap_used, reason = "what fails here fails its test, with the place")]

mod broken;
mod omit;
mod stories;
mod world;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use elspeth_proof::{Receipt, Refusal, Story, Trust, Vouched};

use crate::world::{keys, trust};

fn verified(text: &str, trust: &Trust) -> Result<Story, Refusal> {
    Receipt::parse(text)?.verify(trust)
}

#[test]
fn sound_receipts_are_accepted() {
    for (name, receipt) in stories::all() {
        let text = receipt.to_text();
        assert_eq!(Receipt::parse(&text).as_ref(), Ok(&receipt), "{name}");
        let story = verified(&text, &trust()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(matches!(story.vouched, Vouched::Signed(_)), "{name}");
        assert_eq!(verified(&text, &Trust::default()).unwrap().vouched, Vouched::Nobody, "{name}");
    }
}

#[test]
fn broken_receipts_are_refused_for_what_is_wrong() {
    let reasons = broken::all().into_iter().map(|(name, text)| {
        let refusal = verified(&text, &trust()).expect_err(&name);
        format!("{name}: {refusal}\n")
    });
    insta::assert_snapshot!("refusals", reasons.collect::<String>());
}

#[test]
fn no_bit_of_any_receipt_can_be_changed() {
    let receipts = stories::all();
    std::thread::scope(|scope| {
        for half in receipts.chunks(receipts.len().div_ceil(4)) {
            scope.spawn(|| half.iter().for_each(|(name, receipt)| flip(name, &receipt.to_text())));
        }
    });
}

fn flip(name: &str, text: &str) {
    let trust = trust();
    let mut bytes = text.as_bytes().to_vec();
    for at in 0..bytes.len() * 8 {
        bytes[at / 8] ^= 1 << (at % 8);
        if let Ok(changed) = std::str::from_utf8(&bytes) {
            assert!(verified(changed, &trust).is_err(), "{name}, bit {at}: {changed}");
        }
        bytes[at / 8] ^= 1 << (at % 8);
    }
}

/// What may be left out of a receipt of a run that did not complete, as if it had not come about yet. Nothing of one that did.
const MISSED: [&str; 3] = [
    // The sinks did not come to the row.
    "interrupted-behind-a-fork without act-1",
    // The branches still wait.
    "interrupted-behind-a-fork without part-1-0, part-1-1, part-1-2, release-1",
    "interrupted-behind-a-fork without part-1-0, part-1-1, part-1-2, release-1, act-1",
];

#[test]
fn nothing_can_be_left_out_of_a_receipt() {
    let mut missed = std::collections::BTreeSet::new();
    for (name, receipt) in stories::all() {
        for out in omit::omissions(&receipt) {
            let less = omit::without(&receipt, &out);
            let names: Vec<_> = out.iter().map(ToString::to_string).collect();
            match verified(&less.to_text(), &trust()) {
                Ok(_) => {
                    missed.insert(format!("{name} without {}", names.join(", ")));
                }
                // It is found by what is told: the proofs are right.
                Err(refusal) => assert!(
                    !matches!(refusal, Refusal::Proof { .. } | Refusal::ContentRoot | Refusal::Body(_)),
                    "{name} without {names:?}: {refusal}"
                ),
            }
        }
        for less in omit::without_one_record(&receipt) {
            assert!(verified(&less.to_text(), &trust()).is_err(), "{name}: {}", less.to_text());
        }
    }
    assert!(
        missed.iter().eq(std::collections::BTreeSet::from(MISSED.map(str::to_owned)).iter()),
        "{missed:#?}"
    );
}

/// Folder and file name of every text that is kept.
fn kept() -> BTreeMap<String, String> {
    let sound = stories::all()
        .into_iter()
        .map(|(name, receipt)| (format!("receipts/{name}.json"), receipt.to_text()));
    let broken = broken::all().into_iter().map(|(name, text)| (format!("refused/{name}.json"), text));
    let keys: String = keys().iter().map(|key| format!("{key}\n")).collect();
    sound.chain(broken).chain([("keys.txt".to_owned(), keys)]).collect()
}

#[test]
fn the_texts_that_are_kept_are_these() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let kept = kept();
    if std::env::var_os("UPDATE_RECEIPTS").is_some() {
        for (file, text) in &kept {
            fs::create_dir_all(folder.join(file).parent().unwrap()).unwrap();
            fs::write(folder.join(file), text).unwrap();
        }
    }
    for (file, text) in &kept {
        let found = fs::read_to_string(folder.join(file)).unwrap_or_default();
        assert!(found == *text, "{file} is not as it is kept: the format changed");
    }
    for kind in ["receipts", "refused"] {
        let files = fs::read_dir(folder.join(kind)).unwrap().count();
        assert_eq!(files, kept.keys().filter(|file| file.starts_with(kind)).count(), "{kind}");
    }
}

#[test]
fn a_receipt_says_what_happened() {
    let stories = stories::all().into_iter().filter(|(name, _)| !name.ends_with("-blake3"));
    let told = stories.map(|(name, receipt)| {
        let story = verified(&receipt.to_text(), &trust()).unwrap();
        assert!(story.lines.iter().all(|line| !line.contains(char::is_control)), "{name}");
        format!("# {name}\n{}\n", story.lines.join("\n"))
    });
    insta::assert_snapshot!("stories", told.collect::<String>());
}
