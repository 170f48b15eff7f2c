//! The forms of entries and heads, fixed; and what a log says of its keys.

use elspeth_canonical::HashVersion;
use elspeth_contracts::{EpochNo, Micros, RunId, RunStatus};
use elspeth_proof::{Digest, Note, PublicKey, SecretKey, merkle};

use super::*;
use crate::{Resumption, ResumptionRecord, TakeUp};

const ORIGIN: &str = "elspeth.registry/01JZ8Q4Z8N5X2V7K3M9T0B6C1A";

fn run() -> RunId {
    "01JZ8Q4Z8N5X2V7K3M9T0B6C1D".parse().unwrap()
}

fn hash(text: &str) -> elspeth_canonical::ContentHash {
    HashVersion::Sha256V1.hash(text.as_bytes())
}

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed("example.org/audit", &[seed; 32]).unwrap()
}

fn opened() -> Entry {
    Entry::Opened(Opened { origin: ORIGIN.to_owned(), opened_at: Micros(1_000) })
}

fn added(key: &SecretKey) -> Entry {
    Entry::KeyAdded(KeyAdded {
        origin: ORIGIN.to_owned(),
        key: key.public().to_string(),
        added_at: Micros(2_000),
        replaces: None,
        signatures: Vec::new(),
    })
}

fn tree(size: u64) -> TreeHead {
    TreeHead { size, root: hash("root") }
}

fn sealed(signed_by: Option<&str>) -> Entry {
    Entry::Sealed(Sealed {
        run: run(),
        hash_version: HashVersion::Blake3V1,
        config_hash: hash("config"),
        topology_hash: hash("topology"),
        status: RunStatus::Interrupted,
        started_at: Micros(3_000),
        completed_at: Micros(4_000),
        rows: 5,
        records: 40,
        content_root: hash("content"),
        record_root: hash("record"),
        signed_by: signed_by.map(str::to_owned),
    })
}

fn taken_up() -> TakeUp {
    TakeUp {
        run_id: run(),
        seen_owner: "there:1:x".to_owned(),
        seen_heartbeat: Micros(1),
        owner: "here:2:y".to_owned(),
        now: Micros(5_000),
        resumption: Resumption {
            epoch: EpochNo(3),
            row: 2_500,
            engine_version: "1.2.3".to_owned(),
            settings: None,
            accepted_source: Some("{\"found\":\"\u{e4}\"}".to_owned()),
        },
    }
}

fn purged() -> [Entry; 2] {
    let requested = PurgeRequested {
        run: run(),
        purge: 7,
        requested_at: Micros(6_000),
        older_than_days: Some(90),
        by_name: false,
        payload_store: "/srv/payloads".to_owned(),
        signed_by: None,
    };
    let purged = Purged {
        run: run(),
        purge: 7,
        finished_at: Micros(7_000),
        blocks: 1,
        block_bytes: 2,
        files: 3,
        file_bytes: 4,
        kept_files: 5,
        signed_by: None,
    };
    [Entry::PurgeRequested(requested), Entry::Purged(purged)]
}

/// One of each kind.
fn every() -> Vec<Entry> {
    let (old, new) = (key(1), key(2));
    let mut keys = Keys::default();
    keys.enter(ORIGIN, &added(&old)).unwrap();
    let rotation = keys.rotation((ORIGIN, Micros(2_500)), &old, &new).unwrap();
    keys.enter(ORIGIN, &rotation).unwrap();
    let id = old.public().short_name();
    let revocation = keys.revocation((ORIGIN, Micros(2_600)), &new, (&id, "it was lost")).unwrap();
    let head = RunHead {
        run: run(),
        epoch: 99,
        chain: hash("chain"),
        acted_chain: hash("acted chain"),
        decisions: tree(100),
        releases: tree(2),
        acts: tree(98),
        signed_by: None,
    };
    let begun = Begun {
        run: run(),
        started_at: Micros(3_000),
        hash_version: HashVersion::Blake3V1,
        chain: hash("chain"),
    };
    let imported = Imported {
        run: run(),
        imported_at: Micros(8_000),
        content_root: None,
        record_root: None,
        manifest: hash("manifest"),
        bodies: true,
        entries: vec![Entry::Begun(begun.clone()).text().unwrap()],
        signed_by: None,
    };
    let mut every = vec![opened(), added(&old), rotation, revocation, Entry::Begun(begun)];
    every.extend([Entry::taken_up(&taken_up()), Entry::Head(head), sealed(None), sealed(Some(&id))]);
    every.extend(purged());
    every.push(Entry::Imported(imported));
    every
}

/// Different bytes mean a new version of the format: these texts are in nobody's database any more then.
#[test]
fn the_texts_of_entries_are_fixed() {
    let texts: Vec<String> = every().iter().map(|entry| entry.text().unwrap()).collect();
    let fixed = include_str!("tests/entries.jsonl");
    let lines: Vec<&str> = fixed.lines().collect();
    assert_eq!(texts, lines);
}

#[test]
fn an_entry_is_read_from_its_own_text_only() {
    for entry in every() {
        let text = entry.text().unwrap();
        assert_eq!(Entry::read(&text).as_ref(), Some(&entry));
        let (first, rest) = text.split_at(1);
        for other in [
            format!("{first} {rest}"),
            format!("{text}\n"),
            format!("{{\"a\":1,{rest}"),
            text.replace("\"run\"", "\"ruN\""),
            text.replace("000,", "000.0,"),
            text.replace(",\"", ", \""),
        ] {
            assert!(other == text || Entry::read(&other).is_none(), "{other}");
        }
    }
    for text in ["", "{}", "null", "{\"entry\":\"unknown\"}"] {
        assert_eq!(Entry::read(text), None);
    }
}

#[test]
fn a_resumption_comes_back_as_it_was_recorded() {
    let up = taken_up();
    let Entry::TakenUp(entry) = Entry::taken_up(&up) else { panic!("it is another entry") };
    let record = ResumptionRecord {
        at: up.now,
        owner: up.owner,
        owner_before: up.seen_owner,
        resumption: up.resumption,
    };
    assert_eq!(ResumptionRecord::from(entry), record);
}

#[test]
fn a_log_that_is_read_back_grows_as_the_tree_of_its_entries_does() {
    let mut log = Log::empty();
    let mut tree = merkle::Tree::new(Digest::Sha256);
    for number in 0..40_u8 {
        let text = format!("entry {number}");
        let mut again = Log::from_stored(log.size(), &log.peaks()).unwrap();
        assert_eq!(again, log);
        log.append(&text);
        again.append(&text);
        tree.push(Digest::Sha256.leaf(text.as_bytes()));
        assert_eq!(again.peaks(), log.peaks());
        let head = log.head(ORIGIN);
        assert_eq!((head.size, head.root), (tree.size(), tree.root()));
    }
}

#[test]
fn a_frontier_that_no_log_has_is_refused() {
    assert!(Log::from_stored(5, &[0; 64]).is_some());
    for (size, bytes) in [(5, 32), (5, 96), (5, 63), (4, 64), (0, 32)] {
        assert_eq!(Log::from_stored(size, &vec![0; bytes]), None, "{size} entries, {bytes} bytes");
    }
}

#[test]
fn what_a_signer_signs_says_so() {
    let key = key(1);
    let signer = || Some(Signer { origin: ORIGIN, key: &key });
    let mut log = Log::empty();
    for (entry, signs) in [
        (opened(), false),
        (added(&key), true),
        (Entry::taken_up(&taken_up()), false),
        (sealed(None), true),
        (purged()[0].clone(), true),
    ] {
        let appended = log.enter(entry, signer()).unwrap();
        let entry = Entry::read(&appended.text).unwrap();
        assert_eq!(entry.signed_by().is_some(), signs);
        assert_eq!(appended.note.is_some(), signs, "{}", appended.text);
        let Some(note) = appended.note else { continue };
        let note: Note = note.parse().unwrap();
        assert_eq!(note.text(), log.head(ORIGIN).to_string());
        assert!(note.verify(&[key.public().clone()]).is_ok());
    }
    let appended = log.enter(sealed(None), None).unwrap();
    assert_eq!((appended.note, appended.text), (None, sealed(None).text().unwrap()));
}

/// Keys after these entries, or what is wrong with the last of them.
fn keys(entries: &[Entry]) -> Result<Keys, String> {
    let mut keys = Keys::default();
    for (at, entry) in entries.iter().enumerate() {
        let entered = keys.enter(ORIGIN, entry);
        if at + 1 < entries.len() { entered.unwrap() } else { entered? }
    }
    Ok(keys)
}

fn edited(entry: &Entry, edit: impl FnOnce(&mut KeyAdded)) -> Entry {
    let Entry::KeyAdded(mut added) = entry.clone() else { panic!("it adds no key") };
    edit(&mut added);
    Entry::KeyAdded(added)
}

#[test]
fn a_key_takes_the_place_of_another_only_with_both_signatures() {
    let [old, new, third] = [1, 2, 3].map(key);
    let before = keys(&[added(&old)]).unwrap();
    let rotation = before.rotation((ORIGIN, Micros(9)), &old, &new).unwrap();
    let after = keys(&[added(&old), rotation.clone()]).unwrap();
    assert_eq!(after.current().unwrap().key, *new.public());
    assert!(after.is_live(old.public()), "it may end what it began");
    let other = before.rotation((ORIGIN, Micros(9)), &old, &third).unwrap();
    let Entry::KeyAdded(other) = other else { panic!("it adds no key") };
    for (what, entry) in [
        ("another key", edited(&rotation, |added| added.key = third.public().to_string())),
        ("another time", edited(&rotation, |added| added.added_at = Micros(10))),
        ("no signature", edited(&rotation, |added| added.signatures.clear())),
        ("one signature", edited(&rotation, |added| drop(added.signatures.pop()))),
        ("one twice", edited(&rotation, |added| added.signatures[1] = added.signatures[0].clone())),
        ("others'", edited(&rotation, |added| added.signatures.clone_from(&other.signatures))),
        ("the wrong order", edited(&rotation, |added| added.signatures.reverse())),
        ("another log", edited(&rotation, |added| added.origin.push('x'))),
        ("by itself", added(&new)),
        ("the old one again", added(&old)),
        ("no key", edited(&rotation, |added| added.key.push('x'))),
    ] {
        assert!(keys(&[added(&old), entry]).is_err(), "{what}");
    }
    assert!(keys(std::slice::from_ref(&rotation)).is_err(), "it takes nobody's place");
    assert!(keys(&[added(&old), rotation.clone(), rotation]).is_err(), "twice");
}

#[test]
fn a_revocation_is_by_the_key_that_signs_then_and_of_another() {
    let [old, new] = [1, 2].map(key);
    let before = keys(&[added(&old)]).unwrap();
    let rotation = before.rotation((ORIGIN, Micros(9)), &old, &new).unwrap();
    let rotated = keys(&[added(&old), rotation.clone()]).unwrap();
    let ids = [&old, &new].map(|key| key.public().short_name());
    let revoke = |by: &SecretKey, id: &str| rotated.revocation((ORIGIN, Micros(10)), by, (id, "lost"));
    let revocation = revoke(&new, &ids[0]).unwrap();
    for (by, id) in [(&old, &ids[0]), (&old, &ids[1]), (&new, &ids[1]), (&new, &"nobody+00000000".to_owned())]
    {
        assert!(matches!(revoke(by, id), Err(crate::LandscapeError::Key(_))), "{id}");
    }
    let begun = [added(&old), rotation];
    let after = keys(&[&begun[..], std::slice::from_ref(&revocation)].concat()).unwrap();
    assert!(!after.is_live(old.public()) && after.is_live(new.public()));
    assert_eq!(after.admit(new.public()), Ok(Admission::Current));
    assert!(matches!(after.admit(old.public()), Err(KeyRefused::Revoked { .. })));
    assert!(matches!(after.admit(key(3).public()), Err(KeyRefused::Other { .. })));
    assert!(after.revocation((ORIGIN, Micros(11)), &new, (&ids[0], "again")).is_err());
    let Entry::KeyRevoked(entry) = revocation else { panic!("it revokes no key") };
    let with = |edit: &dyn Fn(&mut KeyRevoked)| {
        let mut entry = entry.clone();
        edit(&mut entry);
        keys(&[&begun[..], &[Entry::KeyRevoked(entry)]].concat())
    };
    assert!(with(&|_| {}).is_ok());
    assert!(with(&|entry| entry.reason.push('!')).is_err());
    assert!(with(&|entry| entry.signatures.clear()).is_err());
    assert!(with(&|entry| entry.signed_by.clone_from(&ids[0])).is_err());
    assert!(with(&|entry| entry.key.clone_from(&ids[1])).is_err());
    assert!(with(&|entry| entry.origin.clear()).is_err());
}

#[test]
fn the_first_key_comes_by_itself() {
    let none = Keys::default();
    assert_eq!(none.admit(key(1).public()), Ok(Admission::First));
    assert!(none.rotation((ORIGIN, Micros(1)), &key(1), &key(2)).is_err());
    assert!(none.revocation((ORIGIN, Micros(1)), &key(1), ("x+00000000", "lost")).is_err());
    let public: PublicKey = key(1).public().clone();
    assert_eq!(public.short_name(), format!("example.org/audit+{}", public.id()));
}
