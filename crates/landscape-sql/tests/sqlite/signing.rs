//! Heads that are signed in the transaction of what they are about, and keys that change meanwhile.

use elspeth_contracts::{Micros, RunStatus};
use elspeth_landscape::registry::Entry;
use elspeth_landscape::verify::{RegistryFindings, Trust, verify_registry};
use elspeth_landscape::{LandscapeError, LandscapeWriter as _};
use elspeth_proof::{Note, SecretKey};

use crate::conformance::entering::stored;
use crate::conformance::sample::{plain_epoch, run_id, seal, sealed, start};
use crate::{File, block_on};

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&format!("key-{seed}"), &[seed; 32]).unwrap()
}

fn signed_with(file: &File, key: &SecretKey) -> elspeth_landscape_sql::SqliteLandscape {
    file.landscape.clone().with_signer(Some(key.clone()))
}

/// Kinds of entries, each with who signed the head after it.
fn entries(file: &File) -> Vec<(&'static str, Option<String>)> {
    let told = |stored: elspeth_landscape::verify::StoredEntry| {
        let by = stored.head.map(|head| {
            let note: Note = head.parse().unwrap();
            let [signature] = note.signatures() else { panic!("{head}") };
            signature.name().to_owned()
        });
        (Entry::read(&stored.text).unwrap().name(), by)
    };
    stored(file).into_iter().map(told).collect()
}

fn verified(file: &File) -> RegistryFindings {
    verify_registry(file.landscape.scans().unwrap().registry().unwrap().as_mut(), &Trust::default()).unwrap()
}

fn by(name: &str) -> Option<String> {
    Some(name.to_owned())
}

#[test]
fn a_key_that_changes_while_a_run_is_under_way_signs_its_end_unless_it_was_revoked() {
    for revoked in [false, true] {
        block_on(async {
            let (file, [old, new]) = (File::fresh().await, [1, 2].map(key));
            let mut writer = signed_with(&file, &old).writer().await.unwrap();
            writer.begin_run(&start(run_id('A'), 1_000_000)).await.unwrap();
            let registry = file.landscape.registry().unwrap();
            registry.rotate(&old, &new, Micros(2)).unwrap();
            if revoked {
                registry.revoke(&new, (&old.public().short_name(), "it was lost"), Micros(3)).unwrap();
            }
            writer.seal(&seal(RunStatus::Interrupted), &sealed()).await.unwrap();
            let mut expected = vec![
                ("opened", None),
                ("key_added", by("key-1")),
                ("begun", None),
                ("key_added", by("key-2")),
            ];
            match revoked {
                true => expected.extend([("key_revoked", by("key-2")), ("sealed", None)]),
                false => expected.push(("sealed", by("key-1"))),
            }
            assert_eq!(entries(&file), expected);
            assert!(verified(&file).is_sound(), "{:?}", verified(&file));
        });
    }
}

#[test]
fn a_writer_whose_key_may_not_sign_begins_nothing() {
    block_on(async {
        let (file, [own, other]) = (File::fresh().await, [1, 2].map(key));
        let mut writer = signed_with(&file, &own).writer().await.unwrap();
        writer.begin_run(&start(run_id('A'), 1_000_000)).await.unwrap();
        let before = entries(&file);
        let mut second = signed_with(&file, &other).writer().await.unwrap();
        let refused = second.begin_run(&start(run_id('B'), 2_000_000)).await.unwrap_err();
        assert!(matches!(refused, LandscapeError::Key(_)), "{refused}");
        assert_eq!(entries(&file), before);
        let reader = file.landscape.reader().await.unwrap();
        assert_eq!(elspeth_landscape::LandscapeReader::runs(&reader).await.unwrap().len(), 1);
        // Without a key it may begin.
        let mut unsigned = file.landscape.writer().await.unwrap();
        unsigned.begin_run(&start(run_id('B'), 2_000_000)).await.unwrap();
        unsigned.stage(&plain_epoch(0, 0..2).0).await.unwrap();
        unsigned.rollback().await.unwrap();
        unsigned.seal(&seal(RunStatus::Failed), &sealed()).await.unwrap();
        assert_eq!(entries(&file).last(), Some(&("sealed", None)));
    });
}

#[test]
fn a_registry_whose_keys_were_edited_takes_no_more_entries() {
    block_on(async {
        let (file, own) = (File::fresh().await, key(1));
        drop(signed_with(&file, &own).writer().await.unwrap().begin_run(&start(run_id('A'), 1)).await);
        let connection = rusqlite::Connection::open(file.landscape.location().path().unwrap()).unwrap();
        let sql = "UPDATE registry SET entry = replace(entry, 'key-1', 'key-9') WHERE number = 1";
        assert_eq!(connection.execute(sql, ()), Ok(1));
        let mut writer = signed_with(&file, &own).writer().await.unwrap();
        let refused = writer.begin_run(&start(run_id('B'), 2)).await.unwrap_err();
        assert!(matches!(&refused, LandscapeError::Corrupt(bad) if bad.table == "registry"), "{refused}");
        assert!(!verified(&file).is_sound());
    });
}
