//! Keys, heads and proofs: what the commands say, and how they end.

use serde_json::json;

use crate::support::{Cli, Said, keys};

const DATABASE: &str = "out/audit.db";

/// The triage pipeline in a folder with two keys.
fn with_keys() -> Cli {
    let cli = Cli::triage();
    for name in ["old", "new"] {
        let made =
            cli.say(&["keys", "generate", &format!("example.org/{name}"), "-o", &format!("{name}.key")]);
        assert_eq!(made.code, 0, "{}", made.err);
    }
    cli
}

fn run(cli: &Cli, key: &str) -> Said {
    let mut command = cli.command(&["run", "-s", "triage.yaml", "-x"]);
    let output = command.env("ELSPETH_SIGNING_KEY_FILE", key).output();
    crate::support::said(output.expect("the binary was built for this test"))
}

fn id(cli: &Cli, file: &str) -> String {
    cli.json(&["keys", "show", file, "--json"])["id"].as_str().expect("an id is text").to_owned()
}

/// One text of several answers.
fn all(said: &[Said]) -> String {
    let parts = said.iter().map(|said| format!("{}{}-> {}\n", said.out, said.err, said.code));
    parts.collect::<Vec<_>>().join("\n")
}

#[test]
fn keys_are_made_listed_rotated_and_revoked() {
    let cli = with_keys();
    assert_eq!(run(&cli, "old.key").code, 0);
    let list = ["keys", "list", "-d", DATABASE];
    cli.write("new.pub", &cli.say(&["keys", "show", "new.key"]).out);
    let rotate = ["keys", "rotate", "--from", "old.key", "--to", "new.key", "-d", DATABASE];
    let old = id(&cli, "old.key");
    let why = "the disk was sold";
    let revoke = ["keys", "revoke", &old, "--signed-by", "new.key", "--reason", why, "-d", DATABASE];
    assert_said!(all(&[
        cli.say(&["keys", "generate", "example.org/old", "-o", "old.key"]),
        cli.say(&["keys", "show", "old.key"]),
        cli.say(&list),
        run(&cli, "new.key"),
        cli.say(&revoke),
        cli.say(&rotate),
        cli.say(&rotate),
        cli.say(&revoke),
        run(&cli, "old.key"),
        cli.say(&["verify", "latest", "-d", DATABASE, "--key", "new.pub"]),
        cli.say(&["verify", "latest", "-d", DATABASE, "--key", "none.pub"]),
    ]));
}

#[test]
fn who_has_an_old_key_follows_it_to_those_that_took_its_place() {
    let cli = with_keys();
    assert_eq!(run(&cli, "old.key").code, 0);
    let prove = ["prove", "keys", "-d", DATABASE, "-o", "keys.jsonl"];
    let nothing = cli.say(&prove);
    assert!(!cli.path("keys.jsonl").exists());
    let rotate = ["keys", "rotate", "--from", "old.key", "--to", "new.key", "-d", DATABASE];
    assert_eq!(cli.say(&rotate).code, 0);
    assert_eq!(run(&cli, "new.key").code, 0);
    let proven = cli.say(&prove);
    let old = id(&cli, "old.key");
    let revoke = ["keys", "revoke", &old, "--signed-by", "new.key", "--reason", "lost", "-d", DATABASE];
    assert_eq!(cli.say(&revoke).code, 0);
    assert_said!(all(&[nothing, proven, cli.say(&[&prove[..5], &["again.jsonl"]].concat())]));

    let answer = cli.json(&[&prove[..5], &["third.jsonl", "--json"]].concat());
    assert_eq!(keys(&answer), ["keys", "origin", "revoked"]);
    let text = std::fs::read_to_string(cli.path("keys.jsonl")).unwrap();
    assert_eq!(text, std::fs::read_to_string(cli.path("third.jsonl")).unwrap());
    assert_eq!(cli.say(&["prove", "row", "latest", "2", "-d", DATABASE, "-o", "receipt.json"]).code, 0);
    let receipt = std::fs::read_to_string(cli.path("receipt.json")).unwrap();
    let receipt = elspeth_proof::Receipt::parse(&receipt).unwrap();
    let old = cli.say(&["keys", "show", "old.key"]).out.trim().parse().unwrap();
    let mut trust = elspeth_proof::Trust::new(vec![old], Vec::new());
    assert!(receipt.verify(&trust).is_err());
    for line in text.lines() {
        assert!(trust.follow(&elspeth_proof::Succession::parse(line).unwrap()).unwrap(), "{line}");
    }
    let signed = elspeth_proof::Vouched::Signed(vec!["example.org/new".to_owned()]);
    assert_eq!(receipt.verify(&trust).unwrap().vouched, signed);
}

#[test]
fn a_database_without_a_key_says_so() {
    let cli = Cli::after_run();
    assert_said!(all(&[
        cli.say(&["keys", "list", "-d", DATABASE]),
        cli.say(&["head", "-d", DATABASE]),
        cli.say(&["keys", "rotate", "--from", "none.key", "--to", "none.key", "-d", DATABASE]),
    ]));
}

#[test]
fn heads_are_remembered_and_proven_to_continue_each_other() {
    let cli = with_keys();
    let say_head = |out: &str| cli.say(&["head", "-d", DATABASE, "-o", out]);
    assert_eq!(run(&cli, "old.key").code, 0);
    let first = say_head("first.head");
    assert_eq!(run(&cli, "old.key").code, 0);
    let second = say_head("second.head");
    let prove = |one: &str, two: &str| {
        cli.say(&["prove", "consistency", one, two, "-d", DATABASE, "-o", "proof.json"])
    };
    let answers = [
        first,
        second,
        cli.say(&["head", "-d", DATABASE]),
        prove("second.head", "first.head"),
        prove("in.csv", "first.head"),
        prove("first.head", "second.head"),
    ];
    let proof: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(cli.path("proof.json")).unwrap()).unwrap();
    assert_eq!(keys(&proof), ["first", "format", "proof", "second"]);
    let head = std::fs::read_to_string(cli.path("first.head")).unwrap();
    assert_eq!((&proof["format"], &proof["first"]), (&json!("elspeth-consistency-v1"), &json!(head)));
    assert_said!(all(&answers));

    let other = with_keys();
    assert_eq!(run(&other, "new.key").code, 0);
    std::fs::copy(cli.path("first.head"), other.path("foreign.head")).unwrap();
    let foreign = ["prove", "consistency", "foreign.head", "foreign.head", "-d", DATABASE, "-o", "p.json"];
    let refused = other.say(&foreign);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("is a head of another database"), "{}", refused.err);
    let since = other.say(&["verify", "latest", "-d", DATABASE, "--since", "foreign.head"]);
    assert_eq!(since.code, 5, "{}", since.out);
}

#[test]
fn what_is_there_is_never_replaced_by_a_head_a_receipt_or_a_proof() {
    let cli = Cli::after_run();
    assert_eq!(cli.say(&["head", "-d", DATABASE, "-o", "a.head"]).code, 0);
    let bytes = |name: &str| std::fs::read(cli.path(name)).unwrap();
    for taken in [DATABASE, "a.head", "in.csv"] {
        let before = bytes(taken);
        for command in [
            &["head", "-d", DATABASE][..],
            &["prove", "row", "latest", "1", "-d", DATABASE],
            &["prove", "consistency", "a.head", "a.head", "-d", DATABASE],
            &["prove", "keys", "-d", DATABASE],
        ] {
            let said = cli.say(&[command, &["-o", taken]].concat());
            assert_eq!((said.out.as_str(), said.code), ("", 1), "{command:?}");
            let expected = format!(
                "error: {taken} is there already; nothing was written\n\
                 help: name another place with `-o`, or remove it first\n"
            );
            assert_eq!(said.err, expected, "{command:?}");
            assert!(bytes(taken) == before, "{command:?} changed {taken}");
        }
    }
    assert_eq!(cli.say(&["verify", "latest", "-d", DATABASE]).code, 0);
}

#[test]
fn json_of_keys_and_heads_has_the_shape_that_programs_read() {
    let cli = with_keys();
    let made = cli.json(&["keys", "generate", "example.org/third", "-o", "third.key", "--json"]);
    assert_eq!(keys(&made), ["id", "key_file", "public_key"]);
    assert_eq!(run(&cli, "old.key").code, 0);
    let list = cli.json(&["keys", "list", "-d", DATABASE, "--json"]);
    assert_eq!(keys(&list), ["database", "keys", "origin"]);
    let names = ["added_at", "id", "public_key", "reason", "revoked_at", "status"];
    assert_eq!(keys(&list["keys"][0]), names);
    assert_eq!(list["keys"][0]["status"], "current");
    let head = cli.json(&["head", "-d", DATABASE, "-o", "a.head", "--json"]);
    assert_eq!(keys(&head), ["database", "head", "origin", "root", "signed_by", "size"]);
    assert_eq!(head["origin"], list["origin"]);
    let proof =
        cli.json(&["prove", "consistency", "a.head", "a.head", "-d", DATABASE, "-o", "p.json", "--json"]);
    assert_eq!(keys(&proof), ["first_size", "origin", "second_size"]);
}

#[cfg(unix)]
#[test]
fn a_key_that_cannot_be_used_is_an_error_of_the_settings_before_the_first_row() {
    use std::os::unix::fs::PermissionsExt as _;
    let cli = with_keys();
    let settings = include_str!("data/triage.yaml").to_owned();
    let (before, after) = settings.split_once("landscape:\n").unwrap_or((&settings, ""));
    let signing = "landscape:\n  signing: {key_file: old.key}\n";
    cli.write("signed.yaml", &format!("{before}{signing}{after}"));
    let validate = ["validate", "-s", "signed.yaml"];
    assert_eq!(cli.say(&validate).code, 0, "{}", cli.say(&validate).err);
    std::fs::set_permissions(cli.path("old.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let open = [cli.say(&validate), cli.say(&["run", "-s", "signed.yaml", "-x"])];
    std::fs::remove_file(cli.path("old.key")).unwrap();
    let gone = cli.say(&validate);
    assert!(!cli.path(DATABASE).exists(), "nothing was begun");
    assert_eq!(cli.say(&["graph", "-s", "signed.yaml"]).code, 0, "a drawing needs no key");
    let [first, second] = open;
    assert_said!(all(&[first, second, gone]));
}
