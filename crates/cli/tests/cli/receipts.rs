//! `prove row`: what it says, and what somebody can make of the file who has nothing else.

use elspeth_proof::{PublicKey, Receipt, Trust, Vouched};
use rusqlite::Connection;

use crate::support::{Cli, keys};

const PROVE: [&str; 8] = ["prove", "row", "latest", "2", "-d", "out/audit.db", "-o", "receipt.json"];

/// The triage pipeline, run with a key; and the public key.
fn signed() -> (Cli, PublicKey) {
    let cli = Cli::triage();
    let made = cli.say(&["keys", "generate", "example.org/audit", "-o", "audit.key"]);
    let key = made.out.trim().parse().unwrap_or_else(|error| panic!("{error}: {}", made.out));
    let run = cli
        .command(&["run", "-s", "triage.yaml", "-x"])
        .env("ELSPETH_SIGNING_KEY_FILE", cli.path("audit.key"))
        .output()
        .expect("the binary was built for this test");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    (cli, key)
}

fn receipt(cli: &Cli) -> Receipt {
    let text = std::fs::read_to_string(cli.path("receipt.json")).expect("it was proven");
    Receipt::parse(&text).expect("it is a receipt")
}

#[test]
fn a_receipt_of_a_signed_run_tells_the_row_s_story_to_whoever_has_the_public_key() {
    let (cli, key) = signed();
    let said = cli.say(&PROVE);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_said!(said.out.replace(&*key.to_string(), "KEY"));
    let receipt = receipt(&cli);
    let story = receipt.verify(&Trust::new(vec![key], Vec::new())).unwrap();
    assert_eq!(story.vouched, Vouched::Signed(vec!["example.org/audit".to_owned()]));
    assert_eq!((story.row, &*story.status), (2, "completed"));
    let shown = cli.json(&["explain", "--row", "2", "-d", "out/audit.db", "--json"]);
    let sink = shown["tokens"][0]["outcome"]["sink"].as_str().unwrap();
    assert!(story.lines.iter().any(|line| line.contains(sink)), "{sink}: {:#?}", story.lines);
    let other = elspeth_proof::SecretKey::from_seed("example.org/audit", &[7; 32]).unwrap();
    let stranger = Trust::new(vec![other.public().clone()], Vec::new());
    assert!(receipt.verify(&stranger).is_err());
}

#[test]
fn a_receipt_without_a_key_leads_to_a_head_that_can_be_remembered() {
    let cli = Cli::after_run();
    assert_eq!(cli.say(&["head", "-d", "out/audit.db", "-o", "seen.head"]).code, 0);
    let said = cli.json(&[&PROVE[..], &["--json"]].concat());
    assert_eq!(keys(&said), ["head_size", "row_index", "run_id", "signed_by", "tokens"]);
    let seen = std::fs::read_to_string(cli.path("seen.head")).unwrap().parse().unwrap();
    let story = receipt(&cli).verify(&Trust::new(Vec::new(), vec![seen])).unwrap();
    assert_eq!(story.vouched, Vouched::Remembered);
}

#[test]
fn nothing_is_proven_by_a_record_that_was_changed_or_about_a_row_that_is_not_there() {
    let (cli, _) = signed();
    let mut absent = PROVE;
    absent[3] = "77";
    let said = cli.say(&absent);
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    assert!(said.err.contains("has no row 77"), "{}", said.err);
    let database = Connection::open(cli.path("out/audit.db")).unwrap();
    database.execute("UPDATE token_outcomes SET sink = sink + 1 WHERE token = 0", ()).unwrap();
    assert_eq!(cli.say(&PROVE).code, 5);
    assert!(!cli.path("receipt.json").exists());
}
