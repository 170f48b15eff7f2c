//! What `ELSPETH_FAULT` does to a process: each case is a process of its own, which runs `in_a_process` alone.

#![cfg(debug_assertions)]

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use elspeth_faults::{Act, Call, VARIABLE, around, io, write_all};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

const FOLDER: &str = "FAULTS_TEST_FOLDER";

/// A folder of its own, which goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("elspeth-faults-{}-{name}", std::process::id()));
        fs::create_dir(&path).expect("the folder for scratch files can be written");
        Self(path)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap_or_default()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Three lines, each written and synchronised; then the word `done`.
fn write_lines(folder: &Path) -> std::io::Result<()> {
    let path = folder.join("lines");
    io(Call::Create, &path)?;
    let mut file = File::create(&path)?;
    for line in ["first\n", "other\n", "third\n"] {
        around(Act::WriteStaged, || write_all(&mut file, line.as_bytes(), &path))?;
        around(Act::SyncStaged, || io(Call::Sync, &path).and_then(|()| file.sync_all()))?;
    }
    fs::write(folder.join("done"), "done")
}

#[test]
fn in_a_process() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    if let Err(error) = write_lines(&folder) {
        fs::write(folder.join("error"), format!("{:?}", error.raw_os_error())).unwrap();
    }
}

fn process(folder: &Folder, order: &str) -> Output {
    command(folder, order).output().expect("a test can start itself")
}

fn command(folder: &Folder, order: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a test knows where it is"));
    command.args(["--exact", "in_a_process", "--nocapture"]).env(FOLDER, &folder.0).env(VARIABLE, order);
    command
}

#[test]
fn a_process_that_stops_at_a_point_goes_on_when_it_is_told_to() {
    let folder = Folder::new("stopped");
    let mut child = command(&folder, "stop:before-file-write:2").stdout(Stdio::null()).spawn().unwrap();
    let process = Pid::from_child(&child);
    let options = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    let stopped = waitid(WaitId::Pid(process), options).unwrap().unwrap();
    assert!(stopped.stopped(), "{stopped:?}");
    assert_eq!(folder.read("lines"), "first\n");
    kill_process(process, Signal::CONT).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(folder.read("lines") + &folder.read("done"), "first\nother\nthird\ndone");
}

#[test]
fn the_process_is_killed_when_it_reaches_the_point_for_the_nth_time() {
    for (name, order, lines) in [
        ("before", "kill:before-file-write:2", "first\n"),
        ("half", "kill:half-written:2", "first\noth"),
        ("after", "kill:after-file-write:2", "first\nother\n"),
    ] {
        let folder = Folder::new(name);
        let output = process(&folder, order);
        assert_eq!(output.status.signal(), Some(9), "{order}: {output:?}");
        assert_eq!(folder.read("lines"), lines, "{order}");
        assert_eq!(folder.read("done"), "", "{order}");
    }
}

#[test]
fn a_point_that_is_not_reached_so_often_changes_nothing() {
    let folder = Folder::new("rare");
    assert!(process(&folder, "kill:before-file-write:4").status.success());
    assert_eq!(folder.read("lines") + &folder.read("done"), "first\nother\nthird\ndone");
}

#[test]
fn the_nth_call_fails_and_only_that_one() {
    for (name, order, lines, error) in [
        ("create", "io:1:erofs", "", "Some(30)"),
        ("write", "io:4:eio", "first\n", "Some(5)"),
        ("short", "io:2:short:write", "first\noth", "Some(28)"),
        ("sync", "io:3:enospc:sync", "first\nother\nthird\n", "Some(28)"),
        ("no-write", "io:3:short:sync", "first\nother\nthird\n", "Some(5)"),
        ("never", "io:8:eio", "first\nother\nthird\n", ""),
    ] {
        let folder = Folder::new(name);
        assert!(process(&folder, order).status.success(), "{order}");
        assert_eq!(
            (folder.read("lines"), folder.read("error")),
            (lines.to_owned(), error.to_owned()),
            "{order}"
        );
    }
}

#[test]
fn points_and_calls_are_counted_up_to_the_end_of_the_process() {
    let folder = Folder::new("count");
    let log = folder.0.join("log");
    process(&folder, &format!("count:{},kill:after-file-sync:1", log.display()));
    let lines = folder.0.join("lines");
    let lines = lines.display();
    let expected = format!(
        "io create {lines}\npoint before-file-write\nio write {lines}\npoint half-written\npoint after-file-write\n\
         point before-file-sync\nio sync {lines}\npoint after-file-sync\n"
    );
    assert_eq!(folder.read("log"), expected);
}

#[test]
fn an_order_that_is_none_is_refused() {
    let folder = Folder::new("wrong");
    let output = process(&folder, "kill:before-supper:1");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no point `before-supper`"));
    assert_eq!(folder.read("lines"), "");
}
