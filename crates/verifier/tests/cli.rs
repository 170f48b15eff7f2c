//! The program itself, on the receipts that `elspeth-proof` keeps.
#![expect(clippy::unwrap_used, reason = "what fails here fails its test, with the place")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use elspeth_proof::{Checkpoint, Consistency, Digest, Note, Receipt, SecretKey, merkle};

fn kept(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../proof/tests").join(path)
}

fn files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(kept(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn verify(arguments: &[&str], files: &[PathBuf]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_elspeth-verify")).args(arguments).args(files).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn keys() -> String {
    kept("keys.txt").display().to_string()
}

#[test]
fn sound_receipts_give_0_and_broken_ones_5() {
    let keys = keys();
    let sound = files("receipts");
    assert!(sound.len() >= 20);
    assert_eq!(code(&verify(&["receipt", "--key", &keys], &sound)), 0);
    for broken in files("refused") {
        let output = verify(&["receipt", "--key", &keys], std::slice::from_ref(&broken));
        assert_eq!(code(&output), 5, "{}", broken.display());
        assert!(stdout(&output).contains(": refused: "));
        let among_sound = [sound[0].clone(), broken, sound[1].clone()];
        assert_eq!(code(&verify(&["receipt", "--key", &keys], &among_sound)), 5);
    }
}

#[test]
fn a_story_is_told_for_people_and_for_programs() {
    let receipt = [kept("receipts/batch.json")];
    let text = stdout(&verify(&["receipt", "--key", &keys()], &receipt));
    insta::assert_snapshot!("receipt", text.replace(&receipt[0].display().to_string(), "receipt.json"));
    let json = stdout(&verify(&["receipt", "--json", "--key", &keys()], &receipt));
    insta::assert_snapshot!("receipt_json", json.replace(&receipt[0].display().to_string(), "receipt.json"));
    insta::assert_snapshot!("help", stdout(&verify(&["--help"], &[])));
}

#[test]
fn what_nobody_stands_for_gives_1() {
    let receipt = [kept("receipts/linear.json")];
    let output = verify(&["receipt"], &receipt);
    assert_eq!(code(&output), 1);
    assert!(
        stdout(&output).contains(": unknown: it fits its head, but nobody whom you named stands for that")
    );
    assert_eq!(code(&verify(&["receipt", "--key", &keys()], &[kept("receipts/none.json")])), 1);
}

#[test]
fn a_remembered_head_stands_for_itself_and_shows_a_fork() {
    let folder = tempfile::tempdir().unwrap();
    let receipt = [kept("receipts/linear.json")];
    let read = Receipt::parse(&fs::read_to_string(&receipt[0]).unwrap()).unwrap();
    let file = folder.path().join("head");
    fs::write(&file, &read.head).unwrap();
    let with = |head: &Path| verify(&["receipt", "--head", head.to_str().unwrap()], &receipt);
    assert_eq!(code(&with(&file)), 0);
    let head: Checkpoint = read.head.parse::<Note>().unwrap().text().parse().unwrap();
    let later = Checkpoint { size: head.size + 1, ..head.clone() };
    fs::write(&file, later.to_string()).unwrap();
    assert_eq!(code(&with(&file)), 1);
    let forked = Checkpoint { root: Digest::Sha256.empty(), ..head };
    fs::write(&file, forked.to_string()).unwrap();
    assert_eq!(code(&with(&file)), 5);
    fs::write(&file, "no head\n").unwrap();
    assert_eq!(code(&with(&file)), 2);
}

#[test]
fn keys_are_given_as_text_or_file() {
    let receipt = [kept("receipts/linear.json")];
    let text = fs::read_to_string(kept("keys.txt")).unwrap();
    let key = text.lines().next().unwrap();
    assert_eq!(code(&verify(&["receipt", "--key", key], &receipt)), 0);
    let other = text.lines().last().unwrap();
    assert_eq!(code(&verify(&["receipt", "--key", other], &receipt)), 5);
    let slip = key.replacen('d', "e", 1);
    let output = verify(&["receipt", "--key", &slip], &receipt);
    assert_eq!(code(&output), 2);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("the id in the key's text is not that of its name and key"), "{said}");
    assert_eq!(code(&verify(&["receipt", "--key", "keys.pub"], &receipt)), 2);
}

/// The entry of that log by which the second key takes the place of the first.
fn succession(origin: &str, old: &SecretKey, new: &SecretKey) -> String {
    let (replaces, key) = (old.public().short_name(), new.public());
    let text = format!(
        r#"{{"added_at":7,"entry":"key_added","key":"{key}","origin":"{origin}","replaces":"{replaces}""#
    );
    let mut note = Note::new(&format!("{text}}}\n")).unwrap();
    [old, new].iter().for_each(|key| note.sign(key));
    let lines = note.signatures().iter().map(|line| format!(r#""{}""#, line.line()));
    format!("{text},\"signatures\":[{}]}}\n", lines.collect::<Vec<_>>().join(","))
}

#[test]
fn a_key_that_took_the_place_of_a_given_one_counts_in_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let [first, second, third, stranger] =
        [1, 2, 3, 4].map(|seed| SecretKey::from_seed("example.org/audit", &[seed; 32]).unwrap());
    let leaf = Digest::Sha256.leaf(b"entry");
    let head = |origin: &str, by: &SecretKey| {
        let mut tree = merkle::Tree::new(Digest::Sha256);
        tree.push(leaf);
        let head = Checkpoint { origin: origin.to_owned(), size: 1, root: tree.root() };
        let mut note = Note::new(&head.to_string()).unwrap();
        note.sign(by);
        note.to_string()
    };
    let check = |origin: &str, succession: Option<&str>| {
        let same =
            Consistency { first: head(origin, &third), second: head(origin, &third), proof: Vec::new() };
        fs::write(path("proof"), same.to_text()).unwrap();
        fs::write(path("keys"), succession.unwrap_or_default()).unwrap();
        let (key, keys) = (first.public().to_string(), path("keys"));
        let mut arguments = vec!["consistency", "--key", &key];
        arguments.extend(succession.iter().flat_map(|_| ["--succession", &keys]));
        let output = verify(&arguments, &[path("proof").into()]);
        (code(&output), String::from_utf8(output.stderr).unwrap())
    };
    let (one, two) = (succession("log", &first, &second), succession("log", &second, &third));
    assert_eq!(check("log", None).0, 5);
    assert_eq!(check("log", Some(&format!("{one}{two}"))).0, 0);
    let unrelated = succession("log", &stranger, &first);
    assert_eq!(
        check("log", Some(&format!("{unrelated}{one}{two}"))).0,
        0,
        "keys before the given one are passed over"
    );
    assert_eq!(check("log", Some(&one)).0, 5, "the third is not reached");
    assert_eq!(check("another log", Some(&format!("{one}{two}"))).0, 5);
    for nothing in [&*two, &*unrelated, ""] {
        let (code, said) = check("log", Some(nothing));
        assert_eq!(code, 2, "{nothing}");
        assert!(said.contains("no key in it took the place of one that was given"), "{said}");
    }
    let forged = succession("log", &stranger, &third)
        .replace(&stranger.public().short_name(), &first.public().short_name());
    let (code, said) = check("log", Some(&forged));
    assert_eq!(code, 2);
    assert!(said.contains("line 1: it is not signed by example.org/audit+"), "{said}");
}

#[test]
fn consistency_of_two_heads_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let leaves: Vec<_> = (0..9_u8).map(|n| Digest::Sha256.leaf(&[n])).collect();
    let head = |size: usize| {
        let mut tree = merkle::Tree::new(Digest::Sha256);
        leaves[..size].iter().for_each(|leaf| tree.push(*leaf));
        Checkpoint { origin: "elspeth.registry/x".into(), size: tree.size(), root: tree.root() }.to_string()
    };
    let proof = merkle::prove_consistency(Digest::Sha256, &leaves, 4);
    let sound = Consistency { first: head(4), second: head(9), proof };
    let (file, remembered) = (folder.path().join("consistency.json"), folder.path().join("head"));
    fs::write(&remembered, &sound.first).unwrap();
    let arguments = ["consistency", "--head", remembered.to_str().unwrap()];
    let check = |consistency: &Consistency| {
        fs::write(&file, consistency.to_text()).unwrap();
        verify(&arguments, std::slice::from_ref(&file))
    };
    let output = check(&sound);
    assert_eq!(code(&output), 0);
    assert!(stdout(&output).contains("the second continues the first: 5 entries were added"));
    let backwards = Consistency { first: sound.second.clone(), second: sound.first.clone(), ..sound.clone() };
    assert_eq!(code(&check(&backwards)), 5);
    assert_eq!(code(&check(&Consistency { second: head(8), ..sound.clone() })), 5);
    fs::write(&file, sound.to_text()).unwrap();
    assert_eq!(code(&verify(&["consistency"], std::slice::from_ref(&file))), 1);
    assert_eq!(code(&verify(&["receipt", "--key", &keys()], &[file])), 5);
}

/// The same run in both forms, with what stands for it: `elspeth export latest --sign --bodies`, and `elspeth head`.
fn exported(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exports").join(name)
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// A copy that may be changed.
fn copied(form: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in fs::read_dir(exported(form)).unwrap().map(Result::unwrap) {
        fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
    }
    folder
}

#[test]
fn exports_are_verified_without_a_database() {
    let (key, head) = (text(&exported("key.pub")), text(&exported("head")));
    for form in ["records", "tables"] {
        let path = [exported(form)];
        assert_eq!(code(&verify(&["export", "--key", &key], &path)), 0, "{form}");
        assert_eq!(code(&verify(&["export", "--head", &head], &path)), 0, "{form}");
        let output = verify(&["export"], &path);
        assert_eq!(code(&output), 1, "{form}");
        assert!(stdout(&output).contains(": unknown: nobody whom you named stands for it"));
        let stranger = keys();
        let stranger = fs::read_to_string(stranger).unwrap().lines().next().unwrap().to_owned();
        assert_eq!(code(&verify(&["export", "--key", &stranger], &path)), 5, "{form}");
    }
    let output = verify(&["export", "--key", &key], &[exported("records")]);
    insta::assert_snapshot!("export", stdout(&output).replace(&text(&exported("records")), "records"));
    let nowhere = verify(&["export", "--key", &key], &[exported("nowhere")]);
    assert_eq!(code(&nowhere), 1);
    assert!(stdout(&nowhere).contains("there is no manifest"));
}

/// An export may come from anybody.
#[test]
fn an_export_with_something_else_than_files_is_not_read() {
    for name in fs::read_dir(exported("records")).unwrap().map(|file| file.unwrap().file_name()) {
        let folder = copied("records");
        let file = folder.path().join(&name);
        fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &file).unwrap();
        let output = verify(&["export", "--key", &text(&exported("key.pub"))], &[folder.path().to_owned()]);
        assert_eq!(code(&output), 1, "{}", stdout(&output));
        assert!(stdout(&output).contains("it is not a plain file"), "{}", stdout(&output));
    }
}

#[test]
fn an_export_of_which_anything_was_changed_is_refused() {
    let key = text(&exported("key.pub"));
    let check = |folder: &Path, codes: &[i32]| {
        let output = verify(&["export", "--key", &key], &[folder.to_owned()]);
        assert!(codes.contains(&code(&output)), "{}", stdout(&output));
    };
    for form in ["records", "tables"] {
        for name in fs::read_dir(exported(form)).unwrap().map(|file| file.unwrap().file_name()) {
            let folder = copied(form);
            let file = folder.path().join(&name);
            let mut bytes = fs::read(&file).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(&file, &bytes).unwrap();
            // Without a manifest that can be read, there is no export.
            check(folder.path(), if name == "manifest.json" { &[1, 5] } else { &[5] });
            // Without a note, the head that is signed stands for it still.
            if name != "manifest.json" && name != "manifest.json.note" {
                fs::remove_file(&file).unwrap();
                check(folder.path(), &[1, 5]);
            }
        }
    }
}

#[test]
fn an_export_with_the_note_of_another_is_refused() {
    let key = text(&exported("key.pub"));
    let manifest = |from: &str, to: &str| {
        let folder = copied("records");
        let file = folder.path().join("manifest.json");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from));
        fs::write(&file, text.replace(from, to)).unwrap();
        let output = verify(&["export", "--key", &key], &[folder.path().to_owned()]);
        assert_eq!(code(&output), 5, "{from}: {}", stdout(&output));
    };
    manifest("\"bodies\": true", "\"bodies\": false");
    manifest("\"row\": 5", "\"row\": 4");
    manifest("\"index\": 3", "\"index\": 2");
    manifest("\"engine_version\": \"0", "\"engine_version\": \"1");
    let folder = copied("records");
    fs::copy(exported("tables/manifest.json.note"), folder.path().join("manifest.json.note")).unwrap();
    let output = verify(&["export", "--key", &key], &[folder.path().to_owned()]);
    assert_eq!(code(&output), 5, "{}", stdout(&output));
}

#[test]
fn a_wrong_command_line_gives_2() {
    for arguments in [&["receipt"][..], &["export"], &[], &["export-all", "x"], &["receipt", "x", "--no"]] {
        let output = verify(arguments, &[]);
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(String::from_utf8(output.stderr).unwrap().ends_with("Try `elspeth-verify --help`.\n"));
    }
}
