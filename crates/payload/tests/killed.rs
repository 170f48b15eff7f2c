//! A process that ends lets go of the store. By itself, since a child that is just being made holds the locks of its parent.

use std::process::Command;

use elspeth_canonical::HashVersion;
use elspeth_payload::FilesystemStore;

#[test]
fn a_process_that_was_killed_holds_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = b"a body";
    let hash = HashVersion::Blake3V1.hash(bytes);
    FilesystemStore::new(folder.path()).put(hash, bytes).unwrap();
    let lock = folder.path().join("lock");
    let mut holder = Command::new("sh")
        .args(["-c", "exec 9<\"$0\"; flock -s 9; echo held; exec sleep 60"])
        .arg(&lock)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(holder.stdout.as_mut().unwrap()), &mut said)
        .unwrap();
    assert_eq!(said, "held\n");
    let store = FilesystemStore::new(folder.path());
    assert!(store.keeper().unwrap().is_none());
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(store.keeper().unwrap().is_some());
}
