//! Purging real bodies of real files, undisturbed, beside others, and stopped in the middle.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use elspeth_canonical::ContentHash;
use elspeth_contracts::{EpochNo, Grade, Micros, PurgeStatus, RunStatus, Step};
use elspeth_landscape::purge::{
    BlockKey, LandscapePurger, PurgeCandidate, PurgeOutcome, PurgeStart, PurgeView, RecordedPurge,
    StoredBlock, large_bodies, purge,
};
use elspeth_landscape::{DecidedEpoch, LandscapeError, LandscapeWriter, RunRef};
use elspeth_landscape_sql::{DatabasePurger, SqliteLandscape};
use elspeth_payload::{BlockBuilder, BodyFragment, BodyKey, FilesystemStore, LARGE_BODY};
use elspeth_testkit::Scratch;
use elspeth_value::{Row, Shape, Value};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};

use crate::block_on;
use crate::conformance::sample::{hashes, plain_epoch, run_id, seal, sealed, start, step, token};

const NOW: Micros = Micros(900_000_000_000);
const ROWS: u64 = 6;

/// A folder with a payload store and records that use it.
struct Place {
    scratch: Scratch,
}

impl Place {
    fn new() -> Self {
        Self { scratch: Scratch::new() }
    }

    fn store_path(&self) -> PathBuf {
        self.scratch.join("payloads")
    }

    fn path(&self, database: &str) -> PathBuf {
        self.scratch.join(database)
    }

    fn landscape(&self, database: &str) -> SqliteLandscape {
        SqliteLandscape::in_file(self.path(database))
    }

    fn purger(&self, database: &str) -> DatabasePurger {
        self.landscape(database).purger().unwrap()
    }

    /// A run with `epochs` epochs of bodies, among them large ones of these texts.
    async fn recorded(
        &self,
        database: &str,
        id: char,
        epochs: u64,
        large: &[&str],
    ) -> Box<dyn LandscapeWriter> {
        let store = FilesystemStore::for_record_in(self.store_path(), self.path(database));
        let mut writer: Box<dyn LandscapeWriter> = Box::new(self.landscape(database).writer().await.unwrap());
        writer.begin_run(&start(run_id(id), 1_000_000)).await.unwrap();
        let mut before = None;
        for epoch in 0..epochs {
            let (mut decided, acted) = plain_epoch(epoch, epoch * ROWS..(epoch + 1) * ROWS);
            decided.buffers = format!("[\"{id} waits\"]");
            pack(&mut decided, (id, epoch), large, &store);
            writer.stage(&decided).await.unwrap();
            writer.commit(before.as_ref(), &hashes(10), Micros(2_000)).await.unwrap();
            before = Some(acted);
        }
        writer.commit(before.as_ref(), &hashes(30), Micros(3_000)).await.unwrap();
        writer
    }

    /// The same run, completed.
    async fn completed(&self, database: &str, id: char, epochs: u64, large: &[&str]) {
        let mut writer = self.recorded(database, id, epochs, large).await;
        writer.seal(&seal(RunStatus::Completed), &sealed()).await.unwrap();
    }

    async fn candidate(&self, database: &str, id: char) -> PurgeCandidate {
        let found = self.landscape(database).purge_view().unwrap().candidates().await.unwrap();
        found.into_iter().find(|run| run.run_id == run_id(id)).unwrap()
    }

    async fn start(&self, database: &str, id: char) -> PurgeStart {
        PurgeStart {
            run: self.candidate(database, id).await,
            now: NOW,
            older_than_days: Some(9),
            by_name: true,
            payload_store: self.store_path(),
        }
    }

    async fn purge_with(
        &self,
        db: &mut dyn LandscapePurger,
        database: &str,
        starts: &[PurgeStart],
    ) -> Result<PurgeOutcome, LandscapeError> {
        let open = |path: &Path| -> Result<Box<dyn PurgeView>, LandscapeError> {
            Ok(Box::new(SqliteLandscape::in_file(path).purge_view()?))
        };
        purge(db, starts, (&self.path(database), &open), NOW).await
    }

    /// Purges runs by their letters.
    async fn purge(&self, database: &str, ids: &str) -> PurgeOutcome {
        let mut starts = Vec::new();
        for id in ids.chars() {
            starts.push(self.start(database, id).await);
        }
        self.purge_with(&mut self.purger(database), database, &starts).await.unwrap()
    }

    /// Names of the bodies in the payload store.
    fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.store_path()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().map(Result::unwrap) {
                let name = entry.file_name().into_string().unwrap();
                match entry.path().is_dir() {
                    true if name == "databases" => {}
                    true => folders.push(entry.path()),
                    false if name == "lock" => {}
                    false => found.push(name),
                }
            }
        }
        found.sort();
        found
    }

    /// Every table but those that a purge writes, as text.
    async fn record(&self, database: &str) -> BTreeMap<String, Vec<String>> {
        let mut db = connect(&self.path(database)).await;
        let names = sqlx::query("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
        let mut found = BTreeMap::new();
        for name in names.fetch_all(&mut db).await.unwrap().iter().map(|row| row.get::<String, _>(0)) {
            if !["bodies", "purges", "purge_files", "checkpoints", "registry"].contains(&name.as_str()) {
                found.insert(name.clone(), lines(&mut db, &name).await);
            }
        }
        db.close().await.unwrap();
        found
    }

    /// The first column of a query.
    async fn ask(&self, database: &str, sql: &str) -> Vec<String> {
        let mut db = connect(&self.path(database)).await;
        let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(&mut db).await.unwrap();
        let texts =
            rows.iter().map(|row| row.get_unchecked::<Option<String>, _>(0).unwrap_or_default()).collect();
        db.close().await.unwrap();
        texts
    }

    async fn blocks(&self, database: &str) -> Vec<StoredBlock> {
        let mut view = self.landscape(database).purge_view().unwrap();
        view.blocks(None, None, 1_000).await.unwrap()
    }
}

async fn connect(path: &Path) -> sqlx::sqlite::SqliteConnection {
    SqliteConnectOptions::new().filename(path).connect().await.unwrap()
}

/// The records of a table, quoted as SQL would have them; the grade and owner of a run are a purge's to change.
async fn lines(db: &mut sqlx::sqlite::SqliteConnection, table: &str) -> Vec<String> {
    let columns = sqlx::query("SELECT name FROM pragma_table_info(?)").bind(table).fetch_all(&mut *db).await;
    let columns: Vec<String> = columns.unwrap().iter().map(|row| row.get::<String, _>(0)).collect();
    let quoted: Vec<String> = columns
        .iter()
        .filter(|name| !["grade", "owner"].contains(&name.as_str()))
        .map(|name| format!("quote({name})"))
        .collect();
    let sql = format!("SELECT {} FROM {table} ORDER BY 1", quoted.join(" || ' ' || "));
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(db).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// Bodies that compress badly, so that their bytes can be looked for; and large ones.
fn pack(decided: &mut DecidedEpoch, of: (char, u64), large: &[&str], store: &FilesystemStore) {
    let row = |text: String| Row::new(Shape::new(["text".into()]), vec![Value::Str(text.into())]);
    let mut fragment = BodyFragment::default();
    for index in 0..ROWS {
        let noise: String = (0..100)
            .map(|part| {
                ContentHash::to_string(
                    &elspeth_canonical::HashVersion::Blake3V1
                        .hash(format!("{of:?} {index} {part}").as_bytes()),
                )
            })
            .collect();
        let key = BodyKey { token: token(of.1 * ROWS + index), step: Step::SOURCE };
        fragment.push_row(key, &row(noise));
    }
    for (number, text) in (1..).zip(large) {
        let key = BodyKey { token: token(of.1 * ROWS), step: step(number) };
        fragment.push_row(key, &row(text.repeat(LARGE_BODY)));
    }
    let mut block = BlockBuilder::default();
    block.add(fragment);
    decided.bodies = block.finish_into(store).unwrap();
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn only_bodies_and_checkpoints_go_and_the_purge_is_on_the_record() {
    block_on(async {
        let place = Place::new();
        place.completed("audit.db", 'A', 20, &["x", "y"]).await;
        place.completed("audit.db", 'B', 2, &["z"]).await;
        let before = place.record("audit.db").await;
        assert_eq!(place.files().len(), 3);
        let mut view = place.landscape("audit.db").purge_view().unwrap();
        let run_no = place.candidate("audit.db", 'A').await.run_no;
        let large = large_bodies(&mut view, run_no).await.unwrap();
        assert_eq!(large.files, 2, "each counts once");

        let outcome = place.purge("audit.db", "A").await;
        let [done] = outcome.purges.as_slice() else { panic!("{outcome:?}") };
        assert_eq!((done.run_id, done.status, done.blocks), (run_id('A'), PurgeStatus::Done, 20));
        assert_eq!((done.files, done.file_bytes, done.files_left), (2, large.bytes, 0));
        assert!(outcome.wiped && outcome.waiting.is_empty());

        assert_eq!(place.record("audit.db").await, before, "hashes, roots, lineage, outcomes");
        assert_eq!(
            place.ask("audit.db", "SELECT count(*) FROM bodies").await,
            ["2"],
            "those of the other run"
        );
        assert_eq!(place.files().len(), 1);
        let (a, b) = (run_id('A'), run_id('B'));
        for (id, grade, checkpoints) in
            [(a, Grade::AttributableOnly, "0"), (b, Grade::ReplayReproducible, "2")]
        {
            let reader = place.landscape("audit.db").reader().await.unwrap();
            let run = elspeth_landscape::LandscapeReader::run(&reader, &RunRef::Prefix(id.to_string())).await;
            assert_eq!(run.unwrap().grade, grade);
            let count =
                format!("SELECT count(*) FROM checkpoints JOIN runs USING (run_no) WHERE run_id = '{id}'");
            assert_eq!(place.ask("audit.db", &count).await, [checkpoints]);
        }
        let shown =
            "SELECT run_id || ' ' || status || ' ' || finished_at || ' ' || older_than_days || ' ' || by_name
            || ' ' || blocks || ' ' || files || ' ' || files_left FROM v_purges";
        let line = format!("{a} done 1970-01-11T10:00:00.000000Z 9 1 20 2 0");
        assert_eq!(place.ask("audit.db", shown).await, [line]);
        let entered =
            "SELECT kind || ' ' || coalesce(run_id, '') FROM v_registry ORDER BY number DESC LIMIT 2";
        let entries = [format!("purged {a}"), format!("purge_requested {a}")];
        assert_eq!(place.ask("audit.db", entered).await, entries);
    });
}

#[test]
fn purged_bytes_are_in_neither_file_nor_log_and_their_space_is_used_again() {
    block_on(async {
        let place = Place::new();
        place.completed("audit.db", 'A', 12, &[]).await;
        let parts: Vec<Vec<u8>> = place
            .blocks("audit.db")
            .await
            .into_iter()
            .flat_map(|block| {
                let length = block.bytes.len();
                [100, length / 2, length - 100].map(|at| block.bytes[at..at + 40].to_vec())
            })
            .collect();
        let found = |parts: &[Vec<u8>]| {
            let log = std::fs::read(place.path("audit.db-wal")).unwrap_or_default();
            let all = [std::fs::read(place.path("audit.db")).unwrap(), log].concat();
            parts.iter().filter(|part| contains(&all, part)).count()
        };
        // A few are cut by the page in which they lie.
        assert!(found(&parts) > parts.len() * 9 / 10, "{} of {}", found(&parts), parts.len());
        let waiting = [b"A waits".to_vec()];
        assert_eq!(found(&waiting), 1, "a checkpoint has rows that wait");

        let mut purger = place.purger("audit.db");
        let starts = [place.start("audit.db", 'A').await];
        place.purge_with(&mut purger, "audit.db", &starts).await.unwrap();
        assert_eq!((found(&parts), found(&waiting)), (0, 0), "while the database is still open");
        drop(purger);
        assert_eq!(found(&parts), 0);

        let size = std::fs::metadata(place.path("audit.db")).unwrap().len();
        place.completed("audit.db", 'B', 8, &[]).await;
        let after = std::fs::metadata(place.path("audit.db")).unwrap().len();
        assert!(after <= size, "{after} bytes instead of {size}: what was freed is not used");
    });
}

#[test]
fn a_large_body_goes_with_the_last_run_that_refers_to_it() {
    block_on(async {
        let place = Place::new();
        place.completed("audit.db", 'A', 2, &["shared", "own of a"]).await;
        place.completed("audit.db", 'B', 2, &["shared", "shared too"]).await;
        place.completed("audit.db", 'C', 2, &["shared too"]).await;
        let first = place.purge("audit.db", "A").await;
        assert_eq!((first.purges[0].files, first.purges[0].kept_files), (1, 1));
        assert_eq!(place.files().len(), 2);
        let both = place.purge("audit.db", "BC").await;
        assert_eq!(both.purges.iter().map(|p| p.files).sum::<u64>(), 2, "{both:?}");
        assert!(both.purges.iter().all(|p| p.status == PurgeStatus::Done && p.kept_files == 0), "{both:?}");
        assert!(place.files().is_empty());
    });
}

#[test]
fn a_large_body_of_another_record_stays_for_it() {
    block_on(async {
        let place = Place::new();
        place.completed("one.db", 'A', 1, &["shared", "own"]).await;
        place.completed("two.db", 'B', 1, &["shared"]).await;
        let one = place.purge("one.db", "A").await;
        assert_eq!((one.purges[0].files, one.purges[0].kept_files), (1, 1), "{one:?}");
        assert_eq!(place.files().len(), 1);
        let two = place.purge("two.db", "B").await;
        assert_eq!((two.purges[0].files, two.purges[0].kept_files), (1, 0), "{two:?}");
        assert!(place.files().is_empty());
    });
}

#[test]
fn files_wait_while_another_record_cannot_be_asked() {
    block_on(async {
        let place = Place::new();
        place.completed("one.db", 'A', 1, &["shared"]).await;
        place.completed("two.db", 'B', 1, &["shared"]).await;
        std::fs::rename(place.path("two.db"), place.path("moved.db")).unwrap();
        let waits = place.purge("one.db", "A").await;
        assert_eq!((waits.purges[0].status, waits.purges[0].files_left), (PurgeStatus::Open, 1));
        let reason = &waits.waiting[0].reason;
        assert!(reason.contains("two.db") && reason.contains("no such file"), "{reason}");
        assert_eq!(place.files().len(), 1);
        assert_eq!(place.ask("one.db", "SELECT count(*) FROM bodies").await, ["0"], "the rest is gone");

        let note = reason.rsplit("delete ").next().unwrap();
        std::fs::remove_file(note).unwrap();
        let done = place.purge("one.db", "").await;
        assert_eq!((done.purges[0].status, done.purges[0].files), (PurgeStatus::Done, 1));
        assert!(place.files().is_empty());
    });
}

#[test]
fn files_wait_while_a_run_uses_the_store() {
    block_on(async {
        let place = Place::new();
        place.completed("audit.db", 'A', 1, &["shared", "own"]).await;
        let store = FilesystemStore::for_record_in(place.store_path(), place.path("audit.db"));
        let (mut decided, acted) = plain_epoch(0, 0..ROWS);
        pack(&mut decided, ('B', 0), &["shared"], &store);
        let waits = place.purge("audit.db", "A").await;
        assert!(waits.waiting[0].reason.contains("under way"), "{waits:?}");
        assert_eq!((waits.purges[0].status, waits.purges[0].files_left), (PurgeStatus::Open, 2));

        let mut writer = place.landscape("audit.db").writer().await.unwrap();
        writer.begin_run(&start(run_id('B'), 1_000_000)).await.unwrap();
        writer.stage(&decided).await.unwrap();
        writer.commit(None, &hashes(10), Micros(2_000)).await.unwrap();
        writer.commit(Some(&acted), &hashes(10), Micros(2_000)).await.unwrap();
        drop(store);
        let done = place.purge("audit.db", "").await;
        assert_eq!((done.purges[0].files, done.purges[0].kept_files), (1, 1), "{done:?}");
        assert_eq!(done.purges[0].status, PurgeStatus::Done, "{done:?}");
    });
}

#[test]
fn a_purge_is_open_while_a_reader_needs_the_log() {
    block_on(async {
        let place = Place::new();
        place.completed("audit.db", 'A', 3, &[]).await;
        let mut reader = connect(&place.path("audit.db")).await;
        sqlx::raw_sql("BEGIN; SELECT count(*) FROM bodies").execute(&mut reader).await.unwrap();
        let landscape = place.landscape("audit.db").with_patience(std::time::Duration::from_millis(50));
        let starts = [place.start("audit.db", 'A').await];
        let mut purger = landscape.purger().unwrap();
        let open = place.purge_with(&mut purger, "audit.db", &starts).await.unwrap();
        assert_eq!((open.wiped, open.purges[0].status, open.purges[0].blocks), (false, PurgeStatus::Open, 3));
        sqlx::raw_sql("COMMIT").execute(&mut reader).await.unwrap();
        let done = place.purge_with(&mut purger, "audit.db", &[]).await.unwrap();
        assert_eq!((done.wiped, done.purges[0].status), (true, PurgeStatus::Done));
    });
}

#[test]
fn a_run_that_is_not_as_it_was_seen_is_left_alone() {
    block_on(async {
        let place = Place::new();
        let mut writer = place.recorded("audit.db", 'A', 2, &[]).await;
        let seen = place.start("audit.db", 'A').await;
        writer.heartbeat(Micros(5_000_000)).await.unwrap();
        let error = place.purge_with(&mut place.purger("audit.db"), "audit.db", &[seen]).await.unwrap_err();
        assert!(error.to_string().contains("another process works on it"), "{error}");
        assert_eq!(place.ask("audit.db", "SELECT count(*) FROM bodies").await, ["2"]);
        assert_eq!(place.ask("audit.db", "SELECT count(*) FROM purges").await, ["0"]);
    });
}

#[test]
fn the_owner_of_a_run_that_was_purged_can_write_no_more() {
    block_on(async {
        let place = Place::new();
        let mut writer = place.recorded("audit.db", 'A', 2, &[]).await;
        let done = place.purge("audit.db", "A").await;
        assert_eq!(done.purges[0].status, PurgeStatus::Done);
        let (decided, _) = plain_epoch(2, 2 * ROWS..3 * ROWS);
        let written = match writer.stage(&decided).await {
            Ok(()) => writer.commit(None, &hashes(10), Micros(9_000)).await,
            refused => refused,
        };
        assert!(
            matches!(&written, Err(LandscapeError::LeaseLost { owner }) if owner == "elspeth purge"),
            "{written:?}"
        );
    });
}

/// Ends, like a process that is killed, before or after one of the purge's transactions.
struct Crashing {
    inner: DatabasePurger,
    left: u32,
    after: bool,
}

impl Crashing {
    fn step(&mut self) -> Result<(), LandscapeError> {
        let crash = LandscapeError::Store {
            context: "crash".to_owned(),
            message: "on purpose".to_owned(),
            retryable: false,
        };
        self.left.checked_sub(1).map(|left| self.left = left).ok_or(crash)
    }
}

/// One transaction of the real store, or a crash on one of its sides.
macro_rules! crashing {
    ($self:ident, $work:expr) => {{
        if !$self.after {
            $self.step()?;
        }
        let done = $work.await?;
        if $self.after {
            $self.step()?;
        }
        Ok(done)
    }};
}

#[async_trait]
impl PurgeView for Crashing {
    async fn candidates(&mut self) -> Result<Vec<PurgeCandidate>, LandscapeError> {
        self.inner.candidates().await
    }

    async fn open_purges(&mut self) -> Result<Vec<RecordedPurge>, LandscapeError> {
        self.inner.open_purges().await
    }

    async fn blocks(
        &mut self,
        run_no: Option<i64>,
        after: Option<BlockKey>,
        limit: u32,
    ) -> Result<Vec<StoredBlock>, LandscapeError> {
        self.inner.blocks(run_no, after, limit).await
    }

    async fn lease_clock(&mut self, run: &PurgeCandidate) -> Result<Option<Micros>, LandscapeError> {
        self.inner.lease_clock(run).await
    }
}

#[async_trait]
impl LandscapePurger for Crashing {
    async fn begin(&mut self, start: &PurgeStart) -> Result<(), LandscapeError> {
        crashing!(self, self.inner.begin(start))
    }

    async fn remove_blocks(
        &mut self,
        purge: &RecordedPurge,
        epochs: &[EpochNo],
        large: &[ContentHash],
    ) -> Result<(), LandscapeError> {
        crashing!(self, self.inner.remove_blocks(purge, epochs, large))
    }

    async fn files(&mut self, store: &Path, limit: u32) -> Result<Vec<ContentHash>, LandscapeError> {
        self.inner.files(store, limit).await
    }

    async fn keep_files(&mut self, store: &Path, hashes: &[ContentHash]) -> Result<(), LandscapeError> {
        crashing!(self, self.inner.keep_files(store, hashes))
    }

    async fn removed_files(
        &mut self,
        store: &Path,
        removed: &[(ContentHash, Option<u64>)],
    ) -> Result<(), LandscapeError> {
        crashing!(self, self.inner.removed_files(store, removed))
    }

    async fn wipe(&mut self) -> Result<bool, LandscapeError> {
        crashing!(self, self.inner.wipe())
    }

    async fn finish(&mut self, now: Micros) -> Result<(), LandscapeError> {
        crashing!(self, self.inner.finish(now))
    }

    async fn recorded(&mut self, purge_no: i64) -> Result<RecordedPurge, LandscapeError> {
        self.inner.recorded(purge_no).await
    }
}

/// Purges a run, stopped after so many transactions, and then again. Whether it was stopped.
async fn stopped_and_finished(left: u32, after: bool) -> bool {
    let place = Place::new();
    place.completed("audit.db", 'A', 20, &["shared", "own"]).await;
    place.completed("audit.db", 'B', 1, &["shared"]).await;
    let before = place.record("audit.db").await;
    let starts = [place.start("audit.db", 'A').await];
    let mut crashing = Crashing { inner: place.purger("audit.db"), left, after };
    let stopped = place.purge_with(&mut crashing, "audit.db", &starts).await.is_err();
    drop(crashing);
    let begun = place.ask("audit.db", "SELECT count(*) FROM purges").await == ["1"];
    assert_eq!(begun, left > 0 || after, "whatever is deleted was recorded before");
    if begun {
        let grade = "SELECT grade FROM v_runs ORDER BY run_no LIMIT 1";
        assert_eq!(place.ask("audit.db", grade).await, ["attributable_only"]);
    }
    // What was recorded is finished by a purge that nobody asked to purge that run.
    place.purge("audit.db", if begun { "" } else { "A" }).await;
    assert_eq!(place.record("audit.db").await, before);
    assert_eq!(place.ask("audit.db", "SELECT count(*) FROM bodies").await, ["1"]);
    assert_eq!(place.files().len(), 1, "after {left} transactions");
    let entered =
        "SELECT group_concat(kind, ' ') FROM (SELECT * FROM v_registry WHERE number > 4 ORDER BY number)";
    assert_eq!(place.ask("audit.db", entered).await, ["purge_requested purged"], "after {left} transactions");
    let ended = "SELECT status || ' ' || blocks || ' ' || files_left FROM v_purges";
    assert_eq!(place.ask("audit.db", ended).await, ["done 20 0"], "after {left} transactions");
    stopped
}

#[test]
fn a_purge_that_was_stopped_anywhere_is_finished_by_the_next() {
    block_on(async {
        for after in [false, true] {
            let mut left = 0;
            while stopped_and_finished(left, after).await {
                left += 1;
            }
            assert!(left >= 7, "a purge has more than {left} transactions");
        }
    });
}

#[test]
fn a_damaged_block_stays_and_is_named() {
    block_on(async {
        let place = Place::new();
        place.completed("audit.db", 'A', 2, &[]).await;
        let damage = "UPDATE bodies SET block = substr(block, 1, 200) WHERE epoch = 1 RETURNING 1";
        assert_eq!(place.ask("audit.db", damage).await, ["1"]);
        let starts = [place.start("audit.db", 'A').await];
        let error = place.purge_with(&mut place.purger("audit.db"), "audit.db", &starts).await.unwrap_err();
        assert!(matches!(&error, LandscapeError::Corrupt(found) if found.id.contains("epoch 1")), "{error}");
        assert_eq!(place.ask("audit.db", "SELECT count(*) FROM bodies").await, ["2"]);
    });
}

#[test]
fn nothing_is_made_where_nothing_is() {
    block_on(async {
        let place = Place::new();
        for error in [
            place.landscape("nowhere/audit.db").purger().map(|_| ()).unwrap_err(),
            place.landscape("nowhere/audit.db").purge_view().map(|_| ()).unwrap_err(),
        ] {
            assert!(error.to_string().contains("no such file"), "{error}");
        }
        assert!(!place.path("nowhere").exists());
    });
}
