//! Disks that are really full or cannot be written, and files that may not grow.
//!
//! Folders are put on small disks in a mount namespace of the test's own, for which some systems ask for more rights than
//! a test has. It is skipped there and says so; the limit on the size of files does everywhere.

use std::fs;
use std::process::Command;

use crate::place::{Left, Place, RECORD, Said, said};

/// Runs the pipeline (or `$1`, then takes up what stopped) while the folder `$2` is on a small or read-only disk, mends the
/// disk, and goes on. What was said, and how it ended, goes to files in `log`.
const SCRIPT: &str = include_str!("data/disk.sh");

/// How a run ended on a bad disk, and how it went on.
struct Course {
    place: Place,
    first: Said,
    status: Option<String>,
    second: Said,
}

#[test]
fn a_run_goes_on_after_the_disk_of_its_record_was_full() {
    fill("state", RECORD, 32);
}

#[test]
fn a_run_goes_on_after_the_disk_of_its_outputs_was_full() {
    fill("out", "out/", 32);
}

#[test]
fn a_run_goes_on_after_its_record_could_not_be_written() {
    let Some(()) = has_namespaces() else { return };
    for kill in ["kill:after-begin-run:1", "kill:after-act:2", "kill:before-seal:1"] {
        let place = Place::of_everything();
        let killed = place.say(&place.run_args(), kill);
        assert_eq!(killed.code, None, "{killed:?}");
        let course = Course::of(place, ["resume", "state", "ro"]);
        assert_eq!(course.first.code, Some(1), "{kill}: {:?}", course.first);
        assert!(course.first.err.contains(RECORD), "{kill}: {:?}", course.first);
        assert!(course.first.err.contains("let the user that runs elspeth"), "{kill}: {:?}", course.first);
        assert_eq!(course.status.as_deref(), Some("running"), "{kill}");
        course.check_end(&undisturbed(), kill);
    }
}

#[test]
fn a_run_goes_on_wherever_its_files_could_not_grow() {
    let twin = undisturbed();
    let mut seen = Vec::new();
    // In blocks of 512 bytes, as `ulimit` counts.
    for blocks in (1..).map(|step| step * 64) {
        let place = Place::of_everything();
        let binary = place.command(&[]).get_program().to_owned();
        let mut shell = place.shell(&format!("ulimit -f {blocks}; exec \"$0\" \"$@\""));
        let said = said(shell.arg(binary).args(place.run_args()).output().expect("there is a shell"));
        let context = format!("{blocks} blocks: {said:?}");
        if said.code == Some(0) {
            break;
        }
        assert_eq!(said.code, Some(1), "{context}");
        assert!(
            said.err.contains("limit on the size of files") || said.err.contains("`ulimit -f`"),
            "{context}"
        );
        let places = ["state/", "out/", "deep/", "bodies/", "added.csv"];
        assert!(places.iter().any(|path| said.err.contains(path)), "{context}");
        seen.push((said.has_started(), place.status()));
        let resumed = place.go_on();
        assert_eq!(resumed.code, Some(0), "{context}\n{resumed:?}");
        assert!(place.left() == twin, "{context}: {}", place.left().difference(&twin));
    }
    assert!(seen.contains(&(false, None)), "{seen:?}");
    assert!(seen.iter().any(|(started, _)| *started), "{seen:?}");
}

/// The run with disks of all sizes from too small to large enough, in steps of `step` KiB.
fn fill(folder: &str, named: &str, step: usize) {
    let Some(()) = has_namespaces() else { return };
    let twin = undisturbed();
    let mut seen = Vec::new();
    for size in (1..).map(|steps| steps * step) {
        let context = format!("{size} KiB");
        let course = Course::of(Place::of_everything(), ["run", folder, &format!("{size}k")]);
        let first = &course.first;
        if first.code == Some(0) {
            break;
        }
        assert_eq!(first.code, Some(1), "{context}: {first:?}");
        assert!(first.err.contains(named), "{context}: {first:?}");
        let advice = ["make room on that disk", "the disk is full or failing"];
        assert!(advice.iter().any(|part| first.err.contains(part)), "{context}: {first:?}");
        seen.push((first.has_started(), course.status.clone()));
        course.check_end(&twin, &context);
    }
    assert!(seen.iter().any(|(started, _)| *started), "{seen:?}");
}

impl Course {
    fn of(place: Place, args: [&str; 3]) -> Self {
        fs::create_dir(place.path("log")).expect("the scratch folder can be written");
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh", "-c", SCRIPT]).arg(place.command(&[]).get_program()).args(args);
        let script = place.at(&mut command).output().expect("it was there a moment ago");
        let [_, folder, _] = args;
        assert!(script.status.success(), "{script:?}");
        if args[2] != "ro" {
            fs::remove_dir_all(place.path(folder)).expect("what the disk was put over is empty");
            fs::rename(place.path("log/kept"), place.path(folder)).expect("it was copied there");
        }
        let read =
            |name: &str| fs::read_to_string(place.path(&format!("log/{name}"))).expect("the script wrote it");
        let said = |name: &str| Said {
            out: read(&format!("{name}.out")),
            err: read(&format!("{name}.err")),
            code: Some(read(&format!("{name}.code")).trim().parse().expect("a number")),
        };
        let status = Some(read("status").trim().to_owned()).filter(|status| !status.is_empty());
        let (first, second) = (said("first"), said("second"));
        Self { place, first, status, second }
    }

    /// It went on, to the same end as without disturbance.
    fn check_end(&self, twin: &Left, context: &str) {
        let Self { place, first, second, status } = self;
        assert_eq!(second.code, Some(0), "{context}: {status:?} {first:?}, then {second:?}");
        assert!(place.left() == *twin, "{context}: {first:?}: {}", place.left().difference(twin));
    }
}

fn undisturbed() -> Left {
    let place = Place::of_everything();
    let said = place.say(&place.run_args(), "");
    assert_eq!(said.code, Some(0), "{said:?}");
    place.left()
}

/// Whether folders can be put on disks of the test's own.
fn has_namespaces() -> Option<()> {
    let folder = tempfile::tempdir().expect("the system has a folder for temporary files");
    let script = "mount -t tmpfs -o size=64k tmpfs \"$0\" && mount -o remount,size=1m \"$0\"";
    let tried = Command::new("unshare").args(["-rm", "sh", "-c", script]).arg(folder.path()).output();
    let can = tried.is_ok_and(|tried| tried.status.success());
    if !can {
        eprintln!("skipped: this user may not mount a tmpfs in a namespace of its own");
    }
    can.then_some(())
}
