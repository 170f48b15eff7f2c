//! The database that a run writes to is held by others, deleted, or cannot grow.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use crate::place::{Place, RECORD, Said, said};

/// The database of the sink `table`.
const TABLE: &str = "out/table.db";
/// Nothing that is waited for here takes longer, unless something is wrong.
const LONG: Duration = Duration::from_secs(60);

/// A run whose sink waits for a lock that the test holds, so that its first epoch is decided and not written.
struct Waiting {
    place: Place,
    table: Connection,
    child: Child,
}

#[test]
fn a_run_whose_record_is_locked_for_long_goes_on_later() {
    let waiting = Waiting::new();
    let record = lock(&waiting.place, RECORD);
    let (place, said) = waiting.let_go();
    assert_eq!(said.code, Some(1), "{said:?}");
    for part in
        [RECORD, "database is locked", "let that one finish", "could not be recorded", "`elspeth resume "]
    {
        assert!(said.err.contains(part), "{part}: {said:?}");
    }
    drop(record);
    assert_eq!(place.status().as_deref(), Some("running"));
    let resumed = place.go_on();
    assert_eq!(resumed.code, Some(0), "{resumed:?}");
    assert_eq!(place.left(), completed().left());
}

#[test]
fn a_run_whose_sink_is_locked_for_long_goes_on_later() {
    let waiting = Waiting::new();
    let (place, table, said) = waiting.keep_waiting();
    assert_eq!(said.code, Some(1), "{said:?}");
    for part in [TABLE, "database is locked", "let it finish", "`elspeth resume "] {
        assert!(said.err.contains(part), "{part}: {said:?}");
    }
    assert_eq!(place.status().as_deref(), Some("failed"));
    drop(table);
    let resumed = place.go_on();
    assert_eq!(resumed.code, Some(0), "{resumed:?}");
    assert_eq!(place.left(), completed().left());
}

#[test]
fn a_run_whose_record_is_locked_when_it_begins_leaves_nothing() {
    let place = Place::of_everything();
    let first = place.say(&place.run_args(), "kill:after-begin-run:1");
    assert_eq!(first.code, None, "{first:?}");
    let record = lock(&place, RECORD);
    for command in [place.run_args().to_vec(), vec!["resume", "latest", "-d", RECORD, "-x"]] {
        let said = place.say(&command, "");
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.err.contains(RECORD) && said.err.contains("let that one finish"), "{said:?}");
        assert!(!said.has_started(), "{said:?}");
    }
    drop(record);
    let resumed = place.go_on();
    assert_eq!(resumed.code, Some(0), "{resumed:?}");
    assert_eq!(place.left(), completed().left());
}

#[test]
fn a_run_whose_record_is_deleted_does_not_complete() {
    let waiting = Waiting::new();
    for file in [RECORD, "state/audit.db-wal", "state/audit.db-shm"] {
        std::fs::remove_file(waiting.place.path(file)).expect("the run has made it");
    }
    let (place, said) = waiting.let_go();
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains(RECORD) && said.err.contains("was deleted"), "{said:?}");
    assert!(!place.path("out/array.json").exists(), "nothing is published of a run without record");
}

#[test]
fn a_run_whose_record_was_moved_goes_on_once_it_is_back() {
    let waiting = Waiting::new();
    let (record, away) = (waiting.place.path("state"), waiting.place.path("away"));
    std::fs::rename(&record, &away).expect("folders can be moved");
    let (place, said) = waiting.let_go();
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains(RECORD) && said.err.contains("moved"), "{said:?}");
    std::fs::rename(&away, &record).expect("and back");
    let resumed = place.go_on();
    assert_eq!(resumed.code, Some(0), "{resumed:?}");
    assert_eq!(place.left(), completed().left());
}

impl Waiting {
    fn new() -> Self {
        let place = Place::of_everything();
        // What the sink makes when it opens is there already: opening is not what is to wait.
        let earlier = completed();
        std::fs::create_dir(place.path("out")).expect("the scratch folder can be written");
        std::fs::copy(earlier.path(TABLE), place.path(TABLE)).expect("files can be copied");
        let table = lock(&place, TABLE);
        let mut command = place.command(&place.run_args());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it was built");
        let waiting = Self { place, table, child };
        waiting.await_the_first_epoch();
        waiting
    }

    fn await_the_first_epoch(&self) {
        let record = self.place.path(RECORD);
        let until = Instant::now() + LONG;
        let decided = || {
            let record = Connection::open_with_flags(&record, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            record.query_row("SELECT count(*) FROM rows", (), |row| row.get::<_, i64>(0))
        };
        while decided().unwrap_or_default() == 0 {
            assert!(Instant::now() < until, "no epoch was decided");
            std::thread::yield_now();
        }
    }

    /// Lets the sink write; what the run says in the end.
    fn let_go(self) -> (Place, Said) {
        drop(self.table);
        (self.place, said(self.child.wait_with_output().expect("it ends")))
    }

    /// What the run says in the end while the sink's lock is held, and the lock.
    fn keep_waiting(self) -> (Place, Connection, Said) {
        (self.place, self.table, said(self.child.wait_with_output().expect("it ends")))
    }
}

/// A folder whose run completed.
fn completed() -> Place {
    let place = Place::of_everything();
    let said = place.say(&place.run_args(), "");
    assert_eq!(said.code, Some(0), "{said:?}");
    place
}

/// Writes to a database without coming to an end, until it is dropped.
fn lock(place: &Place, database: &str) -> Connection {
    let connection = Connection::open(place.path(database)).expect("it is there");
    connection
        .busy_timeout(LONG)
        .and_then(|()| connection.execute_batch("BEGIN IMMEDIATE"))
        .expect("it is free");
    connection
}
