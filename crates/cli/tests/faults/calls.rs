//! Every call to the file system fails once.

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::place::{Left, Place, RECORD};

/// Which faults a call can have. A release build knows none of them.
const FAULTS: [(&str, &[&str]); 12] = [
    ("open", &["eio", "erofs"]),
    ("create", &["enospc", "eio", "erofs"]),
    ("create-folder", &["enospc", "erofs", "eio"]),
    ("read", &["eio"]),
    ("write", &["enospc", "short", "eio"]),
    ("sync", &["eio", "enospc"]),
    ("rename", &["enospc", "eio", "erofs"]),
    ("set-len", &["eio", "erofs"]),
    ("metadata", &["eio"]),
    ("set-permissions", &["eio", "erofs"]),
    ("remove", &["eio", "erofs"]),
    ("lock", &["eio"]),
];
/// Runs at once.
const WORKERS: usize = 2;

/// A command whose calls are to fail, one in each copy of a folder.
struct Disturbed {
    place: Place,
    command: Vec<&'static str>,
    /// What the folder holds in the end.
    undisturbed: Left,
}

/// One call that fails.
#[derive(Debug, Clone, Copy)]
struct Failure {
    call: &'static str,
    nth: usize,
    fault: &'static str,
}

/// Asks for more than a quick test can do.
const EVERY_FAULT: &str = "ELSPETH_TEST_EVERY_FAULT";

#[test]
fn a_run_goes_on_after_any_call_that_failed() {
    let place = Place::of_everything();
    let command = place.run_args().to_vec();
    Disturbed::new(place, command).check_each_call_once();
}

#[test]
fn a_resumed_run_goes_on_after_any_call_that_failed() {
    // The second epoch's rows are written and not recorded, so that files are cut back.
    Disturbed::resumed("kill:after-act:2").check_each_call_once();
}

#[test]
fn a_publication_goes_on_after_any_call_that_failed() {
    // All files have their names, and the record does not know it.
    Disturbed::resumed("kill:before-record-publication:1").check_each_call_once();
}

#[test]
fn names_that_files_got_before_a_stop_are_made_durable_after_it() {
    // The last rename is done, and its folder not yet synchronised; nor need those before have been.
    let disturbed = Disturbed::resumed("kill:before-record-publication:1");
    let said = disturbed.place.say(&disturbed.command, "count:log");
    assert_eq!(said.code, Some(0), "{said:?}");
    let log = fs::read_to_string(disturbed.place.path("log")).expect("calls were counted");
    for folder in ["out", "deep/er", "."] {
        assert!(log.lines().any(|line| line == format!("io sync {folder}")), "{folder}: {log}");
    }
}

impl Disturbed {
    fn new(place: Place, command: Vec<&'static str>) -> Self {
        let twin = place.copy();
        let said = twin.say(&command, "");
        assert_eq!(said.code, Some(0), "{said:?}");
        Self { place, command, undisturbed: twin.left() }
    }

    /// The resumption of a run that ended in the midst.
    fn resumed(kill: &str) -> Self {
        let place = Place::of_everything();
        let said = place.say(&place.run_args(), kill);
        assert_eq!(said.code, None, "{kill} was not reached: {said:?}");
        Self::new(place, vec!["resume", "latest", "-d", RECORD, "-x"])
    }

    /// Each call of the command with one fault, and each fault of each kind of call; each call with each fault, which takes
    /// minutes, when [`EVERY_FAULT`] is set.
    fn check_each_call_once(&self) {
        let every = std::env::var_os(EVERY_FAULT).is_some();
        self.check(
            &self.failures(
                |nth, faults| if every { faults.to_vec() } else { vec![faults[nth % faults.len()]] },
            ),
        );
    }

    /// The calls that the command makes, each with the faults that `choose` gives; and whatever was not chosen for any call,
    /// for the first of them.
    fn failures(&self, choose: impl Fn(usize, &'static [&'static str]) -> Vec<&'static str>) -> Vec<Failure> {
        let place = self.place.copy();
        let said = place.say(&self.command, "count:log");
        assert_eq!(said.code, Some(0), "{said:?}");
        let log = fs::read_to_string(place.path("log")).expect("calls were counted");
        let mut failures = Vec::new();
        for (call, faults) in FAULTS {
            let count = log.lines().filter(|line| line.starts_with(&format!("io {call} "))).count();
            let mut missing: BTreeSet<_> = faults.iter().copied().collect();
            for nth in 1..=count {
                for fault in choose(nth, faults) {
                    missing.remove(fault);
                    failures.push(Failure { call, nth, fault });
                }
            }
            if count > 0 {
                failures.extend(missing.into_iter().map(|fault| Failure { call, nth: 1, fault }));
            }
        }
        let calls = log.lines().filter(|line| line.starts_with("io ")).count();
        assert!(failures.len() >= calls, "kinds of calls are missing: {log}");
        failures
    }

    fn check(&self, failures: &[Failure]) {
        let next = AtomicUsize::new(0);
        let work = || {
            let taken = std::iter::from_fn(|| failures.get(next.fetch_add(1, Ordering::SeqCst)));
            taken.filter_map(|failure| self.fail(*failure).err()).collect::<Vec<_>>()
        };
        let wrong: Vec<_> = std::thread::scope(|scope| {
            let workers = [(); WORKERS].map(|()| scope.spawn(work));
            workers.into_iter().flat_map(|worker| worker.join().expect("it does not panic")).collect()
        });
        assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), failures.len(), wrong.join("\n\n"));
    }

    /// The command fails as it should, and the run goes on to the same end; otherwise what is wrong.
    fn fail(&self, failure: Failure) -> Result<(), String> {
        let place = self.place.copy();
        let before = place.status();
        let Failure { call, nth, fault } = failure;
        let said = place.say(&self.command, &format!("io:{nth}:{fault}:{call},count:log"));
        let log = fs::read_to_string(place.path("log")).expect("calls were counted");
        let failed = format!("failed {call} ");
        let path = log.lines().find_map(|line| line.strip_prefix(&failed));
        let expect = |holds: bool, what: &str| {
            if holds { Ok(()) } else { Err(format!("{what}: {failure:?} on `{path:?}`: {said:?}")) }
        };
        let Some(path) = path else {
            // A commit less than before, since sinks were done earlier: there is nothing left to fail.
            let fewer =
                log.lines().filter(|line| line.starts_with(&format!("io {call} "))).count() + 1 == nth;
            expect(call == "sync" && fewer && said.code == Some(0), "such a call")?;
            let left = place.left();
            return expect(left == self.undisturbed, &left.difference(&self.undisturbed));
        };
        expect(said.code == Some(1), "exit code 1")?;
        expect(said.err.contains("error") && said.err.contains(path), "an error that names the path")?;
        expect(said.err.contains(advice(fault)), "advice")?;
        expect(!said.has_started() || said.err.contains("`elspeth resume "), "a command that goes on")?;
        let expected = if said.has_started() { Some("failed".to_owned()) } else { before };
        let status = place.status();
        expect(status == expected, &format!("status {expected:?}, not {status:?}"))?;
        let resumed = place.go_on();
        expect(resumed.code == Some(0), &format!("a run that goes on: {resumed:?}"))?;
        let left = place.left();
        expect(left == self.undisturbed, &left.difference(&self.undisturbed))
    }
}

/// What an error says that comes of a fault.
fn advice(fault: &str) -> &'static str {
    match fault {
        "enospc" | "short" => "make room on that disk",
        "erofs" => "let that disk be written to again",
        _ => "find out what is wrong with that disk",
    }
}
