//! What only the registry can show: runs and ends that were taken away as a whole, heads and keys that are not what they were.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use elspeth_app::{
    AppError, BadRecord, DatabaseChoice, EnvChoice, Progress, RunId, RunObserver, SettingsChoice,
    TrustChoice, Verification, VerifyChoice, VerifyStatus,
};
use elspeth_landscape::registry::{Appended, Entry, KeyAdded, Log, Signer};
use elspeth_proof::{PublicKey, SecretKey};
use elspeth_testkit::Scratch;
use rusqlite::{Connection, params};

const SETTINGS: &str = r#"
source:
  plugin: csv
  on_success: out
  options:
    path: $DIR/in.csv
    on_validation_failure: discard
    schema: {mode: fixed, fields: ["id: int"]}
sinks:
  out: {plugin: csv, on_write_failure: discard, options: {path: $DIR/out.csv}}
landscape: {url: "sqlite:///$DIR/audit.db"$SIGNING}
checkpoint: {frequency: every_n, checkpoint_interval: 2}
"#;

/// A folder with a database that holds small runs, and keys.
pub(crate) struct Place {
    pub(crate) scratch: Scratch,
}

struct Quiet;

impl RunObserver for Quiet {
    fn started(&mut self, _run_id: RunId) {}
    fn progress(&mut self, _progress: Progress) {}
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::of_rows(5)
    }

    pub(crate) fn of_rows(rows: usize) -> Self {
        let place = Self { scratch: Scratch::new() };
        let rows: String = (1..=rows).map(|row| format!("{row}\n")).collect();
        place.scratch.write("in.csv", "id\n".to_owned() + &rows);
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }

    pub(crate) fn database(&self) -> DatabaseChoice {
        DatabaseChoice::Location(self.path("audit.db").display().to_string())
    }

    pub(crate) fn open(&self) -> Connection {
        let connection = Connection::open(self.path("audit.db")).unwrap();
        connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        connection
    }

    fn key(&self, name: &str) -> String {
        elspeth_app::generate_key(name, &self.path(&format!("{name}.key"))).unwrap().public_key
    }

    fn secret(&self, name: &str) -> SecretKey {
        let text = std::fs::read_to_string(self.path(&format!("{name}.key"))).unwrap();
        text.trim().parse().unwrap()
    }

    /// Runs the pipeline, signed with that key or not at all.
    pub(crate) fn run(&self, key: Option<&str>) -> Result<RunId, AppError> {
        self.run_before(key, &mut Quiet)
    }

    /// The same, before the eyes of somebody.
    pub(crate) fn run_before(
        &self,
        key: Option<&str>,
        observer: &mut dyn RunObserver,
    ) -> Result<RunId, AppError> {
        let signing = key.map_or(String::new(), |key| {
            let file = self.path(&format!("{key}.key")).display().to_string();
            format!(", signing: {{key_file: {file}, heads_every: 1}}")
        });
        let text = SETTINGS.replace("$SIGNING", &signing);
        let text = text.replace("$DIR", &self.scratch.path().display().to_string());
        let choice =
            SettingsChoice { path: self.scratch.write("settings.yaml", text), env: EnvChoice::NoDotenv };
        let prepared = elspeth_app::prepare(&choice)?;
        let report = elspeth_app::run(prepared, Arc::new(AtomicBool::new(false)), observer)?;
        Ok(report.run.run_id)
    }

    /// The newest head, kept in a file.
    fn remember(&self, name: &str) -> PathBuf {
        let head = elspeth_app::head(&self.database()).unwrap();
        self.scratch.write(name, head.head)
    }

    fn verify(&self, trust: &TrustChoice) -> Vec<Verification> {
        elspeth_app::verify(&self.database(), &VerifyChoice::All, trust).unwrap()
    }

    /// How verifying comes out without a word of trust.
    pub(crate) fn status(&self) -> VerifyStatus {
        worst(&self.verify(&TrustChoice::default()))
    }

    fn status_with_key(&self, key: &str) -> VerifyStatus {
        worst(&self.verify(&TrustChoice { keys: vec![key.to_owned()], since: None }))
    }

    fn status_since(&self, head: PathBuf) -> VerifyStatus {
        worst(&self.verify(&TrustChoice { keys: Vec::new(), since: Some(head) }))
    }

    pub(crate) fn first_bad(&self) -> BadRecord {
        let found = self.verify(&TrustChoice::default());
        found.into_iter().find_map(|run| run.first_bad).unwrap()
    }

    /// Deletes everything that is stored of a run, but what the registry says.
    fn delete_run(&self, run: RunId) {
        let connection = self.open();
        let run_no: i64 = connection
            .query_row("SELECT run_no FROM runs WHERE run_id = ?", [run.to_string()], |row| row.get(0))
            .unwrap();
        let sql = "SELECT name FROM sqlite_schema s WHERE type = 'table' AND name <> 'registry'
            AND EXISTS (SELECT 1 FROM pragma_table_info(s.name) WHERE name = 'run_no')";
        let mut tables = connection.prepare(sql).unwrap();
        let tables: Vec<String> =
            tables.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert!(tables.len() > 20);
        for table in tables {
            connection.execute(&format!("DELETE FROM {table} WHERE run_no = ?"), [run_no]).unwrap();
        }
    }

    /// Entries with the number of their run, in their order.
    fn entries(&self) -> Vec<(Option<i64>, String)> {
        let connection = self.open();
        let mut entries = connection.prepare("SELECT run_no, entry FROM registry ORDER BY number").unwrap();
        let entries = entries.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        entries.map(Result::unwrap).collect()
    }

    /// Makes the whole log anew, as somebody would who has a key of their own.
    fn forge(&self, entries: &[(Option<i64>, Entry)], key: Option<&SecretKey>) {
        let connection = self.open();
        connection.execute_batch("DELETE FROM registry; DELETE FROM heads").unwrap();
        let mut log = Log::empty();
        let Some((_, Entry::Opened(opened))) = entries.first() else { panic!("it begins otherwise") };
        for (run_no, entry) in entries {
            let signer = key.map(|key| Signer { origin: &opened.origin, key });
            let Appended { number, text, peaks, note } = log.enter(entry.clone(), signer).unwrap();
            let values = params![number.cast_signed(), run_no, text, peaks];
            connection.execute("INSERT INTO registry VALUES (?, ?, ?, ?)", values).unwrap();
            if let Some(note) = note {
                let size = log.size().cast_signed();
                connection.execute("INSERT INTO heads VALUES (?, ?)", params![size, note]).unwrap();
            }
        }
    }

    /// Without what says that a head was signed.
    fn unsigned(&self) -> Vec<(Option<i64>, Entry)> {
        let entries = self.entries().into_iter();
        let plain = |text: &str| {
            let mut json: serde_json::Value = serde_json::from_str(text).unwrap();
            if json["entry"] != "key_revoked" {
                json.as_object_mut().unwrap().remove("signed_by");
            }
            serde_json::from_value::<Entry>(json).unwrap()
        };
        entries.map(|(run_no, text)| (run_no, plain(&text))).collect()
    }
}

fn worst(found: &[Verification]) -> VerifyStatus {
    let is = |status| found.iter().any(|run| run.status == status);
    match (is(VerifyStatus::Tampered), is(VerifyStatus::Incomplete)) {
        (true, _) => VerifyStatus::Tampered,
        (false, true) => VerifyStatus::Incomplete,
        (false, false) => VerifyStatus::Ok,
    }
}

#[test]
fn a_run_that_was_deleted_with_everything_of_it_is_missed() {
    let place = Place::new();
    let gone = place.run(None).unwrap();
    place.run(None).unwrap();
    assert_eq!(place.status(), VerifyStatus::Ok);
    place.delete_run(gone);
    assert_eq!(place.status(), VerifyStatus::Tampered);
    let bad = place.first_bad();
    assert_eq!((bad.table, bad.id), ("runs".to_owned(), gone.to_string()));
    assert!(bad.what.contains("it was deleted"), "{}", bad.what);
}

#[test]
fn the_last_run_of_a_database_is_missed_too() {
    let place = Place::new();
    let only = place.run(None).unwrap();
    place.delete_run(only);
    let found = place.verify(&TrustChoice::default());
    let [about] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((about.run_id, about.status), (None, VerifyStatus::Tampered));
    assert_eq!(about.first_bad.as_ref().unwrap().id, only.to_string());
}

#[test]
fn entries_cannot_leave_the_middle_of_the_log() {
    let place = Place::new();
    let gone = place.run(None).unwrap();
    place.run(None).unwrap();
    place.delete_run(gone);
    place.open().execute("DELETE FROM registry WHERE run_no = 1", ()).unwrap();
    assert_eq!(place.status(), VerifyStatus::Tampered);
    assert_eq!(place.first_bad().table, "registry");
}

#[test]
fn an_end_that_was_cut_off_is_seen_by_whoever_remembers_a_head() {
    for key in [None, Some("own")] {
        let place = Place::new();
        place.key("own");
        place.run(key).unwrap();
        let (before, entries) = (place.remember("before.head"), place.entries().len());
        let last = place.run(key).unwrap();
        let after = place.remember("after.head");
        assert_eq!(place.status_since(before.clone()), VerifyStatus::Ok);
        assert_eq!(place.status_since(after.clone()), VerifyStatus::Ok);
        place.delete_run(last);
        let cut = format!(
            "DELETE FROM registry WHERE number >= {entries}; DELETE FROM heads WHERE size > {entries}"
        );
        place.open().execute_batch(&cut).unwrap();
        assert_eq!(place.status(), VerifyStatus::Ok, "nothing here shows that there was more");
        assert_eq!(place.status_since(before), VerifyStatus::Ok);
        assert_eq!(place.status_since(after), VerifyStatus::Tampered);
    }
}

#[test]
fn a_log_that_was_made_anew_is_not_the_one_that_was_remembered() {
    let place = Place::new();
    let gone = place.run(None).unwrap();
    place.run(None).unwrap();
    let head = place.remember("head");
    place.delete_run(gone);
    let entries: Vec<_> =
        place.unsigned().into_iter().filter(|(_, entry)| entry.run() != Some(gone)).collect();
    place.forge(&entries, None);
    assert_eq!(place.status(), VerifyStatus::Ok, "it is sound in itself");
    assert_eq!(place.status_since(head.clone()), VerifyStatus::Tampered);
    // As long as the one before, so that its length tells nothing.
    for _ in 0..2 {
        place.run(None).unwrap();
    }
    assert_eq!(place.status_since(head), VerifyStatus::Tampered);
}

#[test]
fn the_head_of_another_database_is_no_head_of_this_one() {
    let (place, other) = (Place::new(), Place::new());
    place.run(None).unwrap();
    other.run(None).unwrap();
    assert_eq!(place.status_since(other.remember("head")), VerifyStatus::Tampered);
}

#[test]
fn somebody_with_another_key_cannot_make_the_log_anew() {
    let place = Place::new();
    let own = place.key("own");
    let gone = place.run(Some("own")).unwrap();
    place.run(Some("own")).unwrap();
    assert_eq!(place.status_with_key(&own), VerifyStatus::Ok);
    place.delete_run(gone);
    // Even with a key of the same name.
    let forger = SecretKey::from_seed("own", &[7; 32]).unwrap();
    let mut entries = place.unsigned();
    entries.retain(|(_, entry)| entry.run() != Some(gone));
    for (_, entry) in &mut entries {
        if let Entry::KeyAdded(KeyAdded { key, .. }) = entry {
            *key = forger.public().to_string();
        }
    }
    place.forge(&entries, Some(&forger));
    assert_eq!(place.status(), VerifyStatus::Ok, "it is sound in itself");
    assert_eq!(place.status_with_key(&own), VerifyStatus::Tampered);
    assert_eq!(place.status_with_key(&forger.public().to_string()), VerifyStatus::Ok);
}

#[test]
fn without_a_signature_by_a_given_key_nothing_can_be_told() {
    let place = Place::new();
    let own = place.key("own");
    place.run(None).unwrap();
    assert_eq!((place.status(), place.status_with_key(&own)), (VerifyStatus::Ok, VerifyStatus::Incomplete));
    place.run(Some("own")).unwrap();
    assert_eq!(
        place.status_with_key(&own),
        VerifyStatus::Ok,
        "the first head is one of all that came before"
    );
    place.run(None).unwrap();
    assert_eq!(place.status(), VerifyStatus::Ok);
    assert_eq!(place.status_with_key(&own), VerifyStatus::Incomplete, "the last run is under no signed head");
}

#[test]
fn trust_goes_on_to_keys_that_took_the_place_of_a_trusted_one() {
    let place = Place::new();
    let [first, second, third] = ["first", "second", "third"].map(|name| place.key(name));
    place.run(Some("first")).unwrap();
    let rotate = |old: &str, new: &str| {
        let file = |name: &str| place.path(&format!("{name}.key"));
        elspeth_app::rotate_keys(&place.database(), &file(old), &file(new))
    };
    rotate("first", "second").unwrap();
    place.run(Some("second")).unwrap();
    for trusted in [&first, &second] {
        assert_eq!(place.status_with_key(trusted), VerifyStatus::Ok, "{trusted}");
    }
    assert_eq!(place.status_with_key(&third), VerifyStatus::Tampered);
    for (old, new) in [("first", "third"), ("third", "first"), ("second", "first"), ("second", "second")] {
        assert!(rotate(old, new).is_err(), "{old} to {new}");
    }
    rotate("second", "third").unwrap();
    assert_eq!(place.status_with_key(&first), VerifyStatus::Ok);
}

#[test]
fn a_run_with_a_key_that_may_not_sign_does_not_begin() {
    let place = Place::new();
    let [first, _] = ["first", "second"].map(|name| place.key(name));
    place.run(Some("first")).unwrap();
    let entries = place.entries().len();
    let refused = place.run(Some("second")).unwrap_err().to_string();
    assert!(refused.contains("elspeth keys rotate"), "{refused}");
    let file = |name: &str| place.path(&format!("{name}.key"));
    elspeth_app::rotate_keys(&place.database(), &file("first"), &file("second")).unwrap();
    let revoke = |by: &str| elspeth_app::revoke_key(&place.database(), &first, &file(by), "it was lost");
    assert!(revoke("first").is_err(), "it does not sign any more");
    revoke("second").unwrap();
    assert!(revoke("second").is_err(), "once is enough");
    let refused = place.run(Some("first")).unwrap_err().to_string();
    assert!(refused.contains("was revoked (it was lost)"), "{refused}");
    assert_eq!(place.entries().len(), entries + 2, "a key was added and one revoked, and no run began");
    assert_eq!(place.verify(&TrustChoice::default()).len(), 1);
    assert_eq!(place.status(), VerifyStatus::Ok);
}

#[test]
fn the_key_that_signs_cannot_be_revoked_by_itself() {
    let place = Place::new();
    let key = place.key("own");
    place.run(Some("own")).unwrap();
    let refused = elspeth_app::revoke_key(&place.database(), &key, &place.path("own.key"), "why not");
    assert!(refused.unwrap_err().to_string().contains("let another take its place first"));
}

#[test]
fn a_head_by_a_key_that_was_revoked_before_is_none() {
    let place = Place::new();
    let [first, _] = ["first", "second"].map(|name| place.key(name));
    place.run(Some("first")).unwrap();
    let file = |name: &str| place.path(&format!("{name}.key"));
    elspeth_app::rotate_keys(&place.database(), &file("first"), &file("second")).unwrap();
    elspeth_app::revoke_key(&place.database(), &first, &file("second"), "it was lost").unwrap();
    place.run(None).unwrap();
    // The last entry, signed by somebody who found the key.
    let sealed = place.unsigned().pop().unwrap();
    let entries = place.entries();
    let mut log = Log::empty();
    entries[..entries.len() - 1].iter().for_each(|(_, text)| log.append(text));
    let Some(Entry::Opened(opened)) = Entry::read(&entries[0].1) else { panic!("{}", entries[0].1) };
    let key = place.secret("first");
    let signer = Signer { origin: &opened.origin, key: &key };
    let Appended { number, text, peaks, note } = log.enter(sealed.1, Some(signer)).unwrap();
    let connection = place.open();
    let values = params![text, peaks, number.cast_signed()];
    connection.execute("UPDATE registry SET entry = ?, peaks = ? WHERE number = ?", values).unwrap();
    let values = params![log.size().cast_signed(), note];
    connection.execute("INSERT INTO heads VALUES (?, ?)", values).unwrap();
    assert_eq!(place.status(), VerifyStatus::Tampered);
    assert!(place.first_bad().what.contains("was revoked before"), "{}", place.first_bad().what);
}

#[test]
fn a_head_in_the_place_of_another_is_seen() {
    let place = Place::new();
    place.key("own");
    for _ in 0..2 {
        place.run(Some("own")).unwrap();
    }
    let connection = place.open();
    let sizes: Vec<i64> = {
        let mut sizes = connection.prepare("SELECT size FROM heads ORDER BY size").unwrap();
        sizes.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    assert!(sizes.len() > 6, "the first key, some on the way, and two ends: {sizes:?}");
    for size in &sizes[1..] {
        let sql = "UPDATE heads SET note = (SELECT note FROM heads WHERE size = ?1) WHERE size = ?2";
        let before: String =
            connection.query_row("SELECT note FROM heads WHERE size = ?", [size], |row| row.get(0)).unwrap();
        connection.execute(sql, [sizes[0], *size]).unwrap();
        assert_eq!(place.status(), VerifyStatus::Tampered, "{size}");
        assert_eq!(place.first_bad().table, "heads");
        connection.execute("UPDATE heads SET note = ?1 WHERE size = ?2", params![before, size]).unwrap();
    }
    assert_eq!(place.status(), VerifyStatus::Ok);
}

#[test]
fn no_secret_key_is_in_the_record_or_in_what_is_shown() {
    let place = Place::new();
    let public: PublicKey = place.key("own").parse().unwrap();
    let secret = place.secret("own").to_text();
    let text = SETTINGS.replace("$SIGNING", &format!(", signing: {{key: \"{secret}\"}}"));
    let text = text.replace("$DIR", &place.scratch.path().display().to_string());
    let choice =
        SettingsChoice { path: place.scratch.write("settings.yaml", text), env: EnvChoice::NoDotenv };
    let prepared = elspeth_app::prepare(&choice).unwrap();
    elspeth_app::run(prepared, Arc::new(AtomicBool::new(false)), &mut Quiet).unwrap();
    let recorded: String = place.open().query_row("SELECT settings FROM runs", (), |row| row.get(0)).unwrap();
    assert!(recorded.contains(&format!("\"key\":\"{}+{}\"", public.name(), public.id())), "{recorded}");
    // `PRIVATE+KEY+name+id+` stands before it, and it may have a `+` of its own.
    let private = secret.splitn(5, '+').last().unwrap();
    assert_eq!(private.len(), 44, "33 bytes in base64");
    for file in ["audit.db", "audit.db-wal"] {
        let bytes = std::fs::read(place.path(file)).unwrap_or_default();
        assert!(!bytes.windows(private.len()).any(|window| window == private.as_bytes()), "{file}");
    }
}
