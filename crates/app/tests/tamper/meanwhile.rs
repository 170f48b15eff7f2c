//! What cannot be read, or is just being written, is not held against a record.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use elspeth_app::{
    EnvChoice, Progress, PurgeChoice, RunId, RunObserver, TrustChoice, VerifyChoice, VerifyStatus,
};
use elspeth_contracts::{ArtifactRecord, EdgeRecord, NodeRecord};
use elspeth_landscape::verify::{RecordScan, ScanSource, Subject, verify};
use elspeth_landscape::{LandscapeError, LandscapeReader as _, RunRecord, RunRef};
use elspeth_landscape_sql::{Landscape, Scans};

use crate::taken_away::Place;

/// So many that several threads look at them.
const EPOCHS: usize = 40;

/// Of which only the first few scans can be opened.
struct Few {
    scans: Scans,
    left: AtomicUsize,
}

impl ScanSource for Few {
    fn open(&self, run: &RunRecord) -> Result<Box<dyn RecordScan>, LandscapeError> {
        let left = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        left.map_err(|_| LandscapeError::Store {
            context: "opening".to_owned(),
            message: "too many open files".to_owned(),
            retryable: false,
        })?;
        self.scans.open(run)
    }
}

/// What a verification is told of a run.
struct Read {
    run: RunRecord,
    nodes: Vec<NodeRecord>,
    edges: Vec<EdgeRecord>,
    artifacts: Vec<ArtifactRecord>,
}

fn read(landscape: &Landscape) -> Read {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let reader = landscape.reader().await.unwrap();
        let run = reader.run(&RunRef::Latest).await.unwrap();
        let (nodes, edges) =
            (reader.nodes(run.run_no).await.unwrap(), reader.edges(run.run_no).await.unwrap());
        let artifacts = reader.artifacts(run.run_no).await.unwrap();
        Read { run, nodes, edges, artifacts }
    })
}

impl Read {
    fn subject(&self) -> Subject<'_> {
        Subject {
            run: &self.run,
            nodes: &self.nodes,
            edges: &self.edges,
            resumptions: &[],
            artifacts: Some(&self.artifacts),
            bodies: None,
            registry: None,
            ran_here: true,
            alone: false,
        }
    }
}

#[test]
fn a_database_that_cannot_be_opened_often_enough_is_an_error_and_no_accusation() {
    let place = Place::of_rows(EPOCHS * 2);
    place.run(None).unwrap();
    let landscape = Landscape::at(&place.path("audit.db").display().to_string()).unwrap();
    let read = read(&landscape);
    for opened in 0.. {
        let few = Few { scans: landscape.scans().unwrap(), left: AtomicUsize::new(opened) };
        match verify(&few, &read.subject()) {
            Ok(found) => {
                assert_eq!(found.status, VerifyStatus::Ok, "{opened}: {:#?}", found.checks);
                assert!(opened > 0);
                break;
            }
            Err(LandscapeError::Store { message, .. }) => assert_eq!(message, "too many open files"),
            Err(other) => panic!("{opened}: {other}"),
        }
    }
}

/// Has its record verified, again and again, while it runs.
struct Watched<'a> {
    began: std::sync::mpsc::Sender<()>,
    seen: &'a AtomicUsize,
}

impl RunObserver for Watched<'_> {
    fn started(&mut self, _run_id: RunId) {
        self.began.send(()).unwrap();
    }

    /// Goes on when another verification is through: those are beside the run, however quick it is.
    fn progress(&mut self, _progress: Progress) {
        let before = self.seen.load(Ordering::Acquire);
        while before < ENOUGH && self.seen.load(Ordering::Acquire) == before {
            std::thread::yield_now();
        }
    }
}

/// Verifications.
const ENOUGH: usize = 20;

#[test]
fn a_run_is_verified_while_it_is_written() {
    let place = Place::of_rows(EPOCHS * 2);
    let (began, beginning) = std::sync::mpsc::channel();
    let (seen, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let (place, seen, over) = (&place, &seen, &over);
        scope.spawn(move || {
            beginning.recv().unwrap();
            while !over.load(Ordering::Relaxed) {
                let found =
                    elspeth_app::verify(&place.database(), &VerifyChoice::All, &TrustChoice::default());
                let is_sound = found
                    .as_ref()
                    .is_ok_and(|runs| runs.iter().all(|run| run.status != VerifyStatus::Tampered));
                // Nobody waits for those that do not come.
                seen.fetch_add(if is_sound { 1 } else { ENOUGH }, Ordering::Release);
                assert!(is_sound, "{found:#?}");
            }
        });
        place.run_before(None, &mut Watched { began, seen }).unwrap();
        over.store(true, Ordering::Relaxed);
    });
    assert!(seen.load(Ordering::Relaxed) >= ENOUGH);
    assert_eq!(place.status(), VerifyStatus::Ok);
}

#[test]
fn a_run_is_verified_while_it_is_purged() {
    let place = Place::of_rows(EPOCHS * 20);
    place.run(None).unwrap();
    let over = AtomicBool::new(false);
    let begun = std::sync::Barrier::new(2);
    std::thread::scope(|scope| {
        let (place, over, begun) = (&place, &over, &begun);
        scope.spawn(move || {
            begun.wait();
            while !over.load(Ordering::Relaxed) {
                let found =
                    elspeth_app::verify(&place.database(), &VerifyChoice::All, &TrustChoice::default());
                assert_eq!(found.unwrap()[0].status, VerifyStatus::Ok);
            }
        });
        let choice =
            PurgeChoice { older_than_days: None, run: Some("latest".to_owned()), env: EnvChoice::NoDotenv };
        let plan = elspeth_app::purge_plan(&place.database(), &choice).unwrap();
        begun.wait();
        let report = elspeth_app::purge(plan).unwrap();
        over.store(true, Ordering::Relaxed);
        assert!(report.finished);
    });
    assert_eq!(place.status(), VerifyStatus::Ok);
}

/// Lets another run of the pipeline come and go, as soon as somebody has begun to look at a record.
struct Overtaken<'a> {
    scans: Scans,
    place: &'a Place,
    opened: AtomicUsize,
}

impl ScanSource for Overtaken<'_> {
    fn open(&self, run: &RunRecord) -> Result<Box<dyn RecordScan>, LandscapeError> {
        let scan = self.scans.open(run)?;
        if self.opened.fetch_add(1, Ordering::Relaxed) == 0 {
            self.place.scratch.write("in.csv", "id\n7\n");
            self.place.run(None).unwrap();
        }
        Ok(scan)
    }
}

#[test]
fn a_file_that_another_run_wrote_meanwhile_is_no_finding() {
    let place = Place::of_rows(3);
    place.run(None).unwrap();
    let landscape = Landscape::at(&place.path("audit.db").display().to_string()).unwrap();
    let read = read(&landscape);
    let source = Overtaken { scans: landscape.scans().unwrap(), place: &place, opened: AtomicUsize::new(0) };
    let found = verify(&source, &read.subject()).unwrap();
    assert_eq!(found.status, VerifyStatus::Ok, "{:#?}", found.checks);
    let files = found.checks.iter().find(|check| check.name == "artifacts").unwrap();
    assert!(files.detail.contains("was written again by run"), "{}", files.detail);
}

/// Nobody ever writes into the pipe, and a device has no end.
#[test]
fn what_is_no_plain_file_is_not_read() {
    let place = Place::of_rows(3);
    place.run(None).unwrap();
    let output = place.path("out.csv");
    std::fs::remove_file(&output).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&output).status().unwrap().success());
    assert_eq!(place.status(), VerifyStatus::Incomplete);
    std::fs::remove_file(&output).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &output).unwrap();
    assert_eq!(place.status(), VerifyStatus::Incomplete);
}
