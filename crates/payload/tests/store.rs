//! The store of large bodies: what is put is durable and whole, whoever else puts or removes bodies.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::path::Path;
use std::sync::Barrier;

use elspeth_canonical::{ContentHash, HashVersion};
use elspeth_payload::{FilesystemStore, PayloadError};

fn body(text: &str) -> (ContentHash, Vec<u8>) {
    let bytes = text.repeat(70_000).into_bytes();
    (HashVersion::Blake3V1.hash(&bytes), bytes)
}

fn unfinished_below(folder: &Path) -> usize {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| match path.is_dir() {
            true => unfinished_below(&path),
            false => usize::from(path.file_name().unwrap().to_str().unwrap().starts_with(".tmp")),
        })
        .sum()
}

#[test]
fn a_body_that_is_no_plain_file_is_an_error_and_never_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let store = FilesystemStore::new(folder.path());
    let (hash, bytes) = body("one");
    store.put(hash, &bytes).unwrap();
    let path = store.path_of(hash);
    std::fs::remove_file(&path).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let error = store.get(hash).unwrap_err();
    assert!(error.to_string().ends_with("it is not a plain file"), "{error}");
}

#[test]
fn many_who_put_one_body_at_once_leave_one_whole_file() {
    let folder = tempfile::tempdir().unwrap();
    let (hash, bytes) = body("one");
    let start = Barrier::new(16);
    std::thread::scope(|threads| {
        for _ in 0..16 {
            threads.spawn(|| {
                // Each as a process of its own would: nothing is shared but the folder.
                let store = FilesystemStore::new(folder.path());
                start.wait();
                store.put(hash, &bytes).unwrap();
                assert_eq!(store.get(hash).unwrap().as_deref(), Some(bytes.as_slice()));
            });
        }
    });
    let path = FilesystemStore::new(folder.path()).path_of(hash);
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    assert_eq!(unfinished_below(folder.path()), 0);
}

#[test]
fn what_a_crash_left_is_in_nobodys_way_and_is_swept() {
    let folder = tempfile::tempdir().unwrap();
    let (hash, bytes) = body("two");
    let store = FilesystemStore::new(folder.path());
    let path = store.path_of(hash);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path.with_file_name(".tmpHalf"), &bytes[..10]).unwrap();
    assert_eq!(store.get(hash).unwrap(), None, "half a body has no name");
    store.put(hash, &bytes).unwrap();
    drop(store);

    let keeper = FilesystemStore::new(folder.path()).keeper().unwrap().unwrap();
    assert_eq!((keeper.sweep().unwrap(), unfinished_below(folder.path())), (1, 0));
    assert_eq!(FilesystemStore::new(folder.path()).get(hash).unwrap(), Some(bytes), "a finished body stays");
}

#[test]
fn bodies_are_removed_only_while_nobody_puts_any() {
    let folder = tempfile::tempdir().unwrap();
    let (hash, bytes) = body("three");
    let writer = FilesystemStore::new(folder.path());
    let other = FilesystemStore::new(folder.path());
    writer.put(hash, &bytes).unwrap();
    let clone = writer.clone();
    drop(writer);
    assert!(other.keeper().unwrap().is_none(), "a clone still holds the store");
    drop(clone);
    let keeper = other.keeper().unwrap().unwrap();
    assert!(other.keeper().unwrap().is_none(), "there is one keeper");
    let removed = keeper.remove(&[hash, hash]).unwrap();
    assert_eq!(removed, [(hash, Some(bytes.len() as u64)), (hash, None)]);
    assert_eq!(other.get(hash).unwrap(), None);

    // Whoever puts one meanwhile waits for the keeper to go.
    let (again, start) = (FilesystemStore::new(folder.path()), Barrier::new(2));
    std::thread::scope(|threads| {
        let putting = threads.spawn(|| {
            start.wait();
            again.put(hash, &bytes)
        });
        start.wait();
        assert_eq!(other.get(hash).unwrap(), None);
        drop(keeper);
        putting.join().unwrap().unwrap();
    });
    assert_eq!(other.get(hash).unwrap(), Some(bytes));
}

#[test]
fn records_whose_bodies_are_here_are_noted_once_each() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("deep/payloads");
    let databases = ["b.db", "a.db"].map(|name| folder.path().join(name));
    for database in &databases {
        std::fs::write(database, "").unwrap();
        for text in ["five", "six"] {
            let (hash, bytes) = body(text);
            FilesystemStore::for_record_in(&base, database).put(hash, &bytes).unwrap();
        }
    }
    let keeper = FilesystemStore::new(&base).keeper().unwrap().unwrap();
    let others = |own: &Path| -> Vec<_> {
        keeper.other_records(own).unwrap().into_iter().map(|noted| noted.database).collect()
    };
    let known = databases.each_ref().map(|path| std::fs::canonicalize(path).unwrap());
    assert_eq!(others(&databases[0]), [known[1].clone()]);
    assert_eq!(others(&folder.path().join("c.db")), [known[1].clone(), known[0].clone()]);
    std::fs::remove_file(&keeper.other_records(&databases[0]).unwrap()[0].note).unwrap();
    assert!(others(&databases[0]).is_empty(), "a record whose note is gone is gone");
}

#[test]
fn a_store_that_is_not_there_has_no_keeper() {
    let folder = tempfile::tempdir().unwrap();
    let error = FilesystemStore::new(folder.path().join("nowhere")).keeper().unwrap_err();
    assert!(matches!(&error, PayloadError::Io { path, .. } if path.ends_with("nowhere/lock")), "{error}");
    assert!(!folder.path().join("nowhere").exists());
}
