use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use elspeth_canonical::HashVersion;
use elspeth_contracts::{EpochNo, RowIndex, TokenKey};
use elspeth_value::Row;

use super::run_id;
use crate::{Produced, Sink, SinkContext, SinkPosition, SinkRow, Written};

/// A file sink shows nothing before it publishes, gives the same bytes after a crash at any commit, and describes
/// exactly what it wrote.
///
/// `make` gives a sink that writes inside of the given folder, which exists; the suite makes folders below `scratch`,
/// which must be empty and exist.
///
/// # Panics
/// When a promise is not kept; the message says which.
pub fn check_sink(scratch: &Path, make: impl Fn(&Path) -> Box<dyn Sink>, epochs: &[Vec<Row>]) {
    check_unopened(&*make(scratch), &mut *make(scratch));
    let plain = check_plain_run(&fresh(scratch, "plain"), &make, epochs);
    for crash_after in 0..=epochs.len() {
        let folder = fresh(scratch, &format!("crash-{crash_after}"));
        let position = write_and_crash(&folder, &make, epochs, crash_after);
        let after = resume(&folder, &make, epochs, crash_after, position.as_ref());
        assert_same(&after, &plain, &format!("a crash after {crash_after} epochs"));
    }
    check_published_twice(&fresh(scratch, "published"), &make, epochs);
    if make(scratch).takes_parts() {
        let parts = in_parts(&fresh(scratch, "parts"), &make, epochs);
        assert_same(&parts, &plain, "epochs in parts, with a failure after the first of each");
    }
}

/// What a run left behind.
#[derive(Debug, PartialEq)]
struct Left {
    files: Vec<(PathBuf, Vec<u8>)>,
    produced: Option<(Vec<u8>, u64, u64)>,
}

pub(super) fn context() -> SinkContext {
    SinkContext {
        run_id: run_id(),
        sink: "conformance".to_owned(),
        hash_version: HashVersion::Blake3V1,
        field_resolution: Default::default(),
    }
}

pub(super) fn fresh(scratch: &Path, name: &str) -> PathBuf {
    let folder = scratch.join(name);
    fs::create_dir(&folder).expect("the scratch folder can be written");
    folder
}

pub(super) fn check_unopened(sink: &dyn Sink, unopened: &mut dyn Sink) {
    sink.preflight().expect("an empty folder is good to write to");
    assert!(unopened.write(EpochNo(0), &[]).is_err(), "an unopened sink takes rows");
    assert!(unopened.publish().is_err(), "an unopened sink publishes");
}

fn check_plain_run(folder: &Path, make: &impl Fn(&Path) -> Box<dyn Sink>, epochs: &[Vec<Row>]) -> Left {
    let mut sink = make(folder);
    let before = files_in(folder);
    sink.preflight().expect("an empty folder is good to write to");
    assert_eq!(files_in(folder), before, "the preflight check changed something");
    sink.open(&context(), None).expect("the sink opens");
    let mut positions = Vec::new();
    for (n, rows) in epochs.iter().enumerate() {
        let written = write(sink.as_mut(), n, rows);
        let took_some = written.refused.len() < rows.len();
        assert!(!took_some || !positions.contains(&written.position), "epoch {n} does not move the position");
        positions.push(written.position);
        for target in sink.targets() {
            let now = fs::read(&target.path).ok();
            let then = before.iter().find(|(path, _)| *path == target.path).map(|(_, bytes)| bytes.clone());
            assert_eq!(now, then, "{} changes before it is published", target.path.display());
        }
    }
    let produced = sink.publish().expect("the sink publishes");
    if let Some(produced) = &produced {
        check_produced(produced);
    }
    assert_eq!(
        sink.publish().expect("publishing again works"),
        produced,
        "publishing again says something else"
    );
    for target in sink.targets() {
        assert!(target.path.is_file(), "{} is not there after publishing", target.path.display());
    }
    left(folder, sink.as_ref(), produced)
}

pub(super) fn write(sink: &mut dyn Sink, epoch: usize, rows: &[Row]) -> Written {
    let number = EpochNo(epoch as u64);
    let sink_rows: Vec<_> = rows.iter().enumerate().map(|(n, row)| sink_row(n, row)).collect();
    let written =
        sink.write(number, &sink_rows).unwrap_or_else(|e| panic!("epoch {epoch} cannot be written: {e}"));
    let refused: Vec<_> = written.refused.iter().map(|refusal| refusal.index).collect();
    assert!(refused.is_sorted_by(|a, b| a < b), "refused rows are not in ascending order: {refused:?}");
    assert!(
        refused.last().is_none_or(|last| *last < rows.len()),
        "a row was refused that was not given: {refused:?}"
    );
    written
}

pub(super) fn sink_row(n: usize, row: &Row) -> SinkRow<'_> {
    let index = RowIndex::new(n as u64).expect("few rows");
    let token = TokenKey::of_row(index, 0).expect("ordinal 0");
    SinkRow { token_id: run_id().token_id(token), source_row: index, row }
}

fn check_produced(produced: &Produced) {
    let bytes = fs::read(&produced.path).expect("what was produced can be read");
    assert_eq!(produced.size_bytes, bytes.len() as u64, "the size of what was produced is wrong");
    assert_eq!(
        produced.content_hash,
        HashVersion::Blake3V1.hash(&bytes),
        "the hash of what was produced is wrong"
    );
}

/// Writes so many epochs, then one more of which nobody heard, and leaves without a word.
fn write_and_crash(
    folder: &Path,
    make: &impl Fn(&Path) -> Box<dyn Sink>,
    epochs: &[Vec<Row>],
    until: usize,
) -> Option<SinkPosition> {
    let mut sink = make(folder);
    sink.open(&context(), None).expect("the sink opens");
    let mut position = None;
    for (n, rows) in epochs[..until].iter().enumerate() {
        position = Some(write(sink.as_mut(), n, rows).position);
    }
    if let Some(unheard) = epochs.get(until) {
        write(sink.as_mut(), until, unheard);
    }
    let targets: Vec<_> = sink.targets().into_iter().map(|target| target.path).collect();
    drop(sink);
    for (path, _) in files_in(folder).into_iter().filter(|(path, _)| !targets.contains(path)) {
        let mut file = OpenOptions::new().append(true).open(&path).expect("an unfinished file can be opened");
        file.write_all(b"half a line that a crash left behind").expect("an unfinished file can be written");
    }
    position
}

fn resume(
    folder: &Path,
    make: &impl Fn(&Path) -> Box<dyn Sink>,
    epochs: &[Vec<Row>],
    from: usize,
    position: Option<&SinkPosition>,
) -> Left {
    let mut sink = make(folder);
    let position = position.map(stored_and_loaded);
    sink.open(&context(), position.as_ref())
        .unwrap_or_else(|e| panic!("cannot continue after {from} epochs: {e}"));
    for (n, rows) in epochs.iter().enumerate().skip(from) {
        write(sink.as_mut(), n, rows);
    }
    let produced = sink.publish().expect("the sink publishes");
    left(folder, sink.as_ref(), produced)
}

/// Every epoch in two parts; between them the sink is opened again where the first left it.
fn in_parts(folder: &Path, make: &impl Fn(&Path) -> Box<dyn Sink>, epochs: &[Vec<Row>]) -> Left {
    let mut sink = make(folder);
    sink.open(&context(), None).expect("the sink opens");
    for (n, rows) in epochs.iter().enumerate() {
        let (first, second) = rows.split_at(rows.len() / 2);
        let written = write(sink.as_mut(), n, first);
        sink.open(&context(), Some(&written.position)).expect("the sink opens where it was left");
        write(sink.as_mut(), n, second);
    }
    let produced = sink.publish().expect("the sink publishes");
    left(folder, sink.as_ref(), produced)
}

/// A crash between publishing and its record: the sink is opened again at the last position and publishes again.
fn check_published_twice(folder: &Path, make: &impl Fn(&Path) -> Box<dyn Sink>, epochs: &[Vec<Row>]) {
    let mut sink = make(folder);
    sink.open(&context(), None).expect("the sink opens");
    let positions: Vec<_> =
        epochs.iter().enumerate().map(|(n, rows)| write(sink.as_mut(), n, rows).position).collect();
    let Some(last) = positions.last() else { return };
    let first = sink.publish().expect("the sink publishes");
    let published = left(folder, sink.as_ref(), first);
    let mut again = make(folder);
    again
        .open(&context(), Some(&stored_and_loaded(last)))
        .expect("a published sink opens at its last position");
    let second = again.publish().expect("a published sink publishes");
    let after = left(folder, again.as_ref(), second);
    assert_same(&after, &published, "publishing again after a crash");
}

/// As the record keeps it.
pub(super) fn stored_and_loaded(position: &SinkPosition) -> SinkPosition {
    let text = serde_json::to_string(position).expect("a position is JSON");
    serde_json::from_str(&text).expect("a position is JSON")
}

fn left(folder: &Path, sink: &dyn Sink, produced: Option<Produced>) -> Left {
    let files = files_in(folder);
    let targets: Vec<_> = sink.targets().into_iter().map(|target| target.path).collect();
    for (path, _) in &files {
        assert!(targets.contains(path), "{} was left behind", path.display());
    }
    let relative = |path: PathBuf| path.strip_prefix(folder).map(Path::to_owned).unwrap_or(path);
    Left {
        files: files.into_iter().map(|(path, bytes)| (relative(path), bytes)).collect(),
        produced: produced.map(|p| (p.content_hash.as_bytes().to_vec(), p.size_bytes, p.rows)),
    }
}

fn assert_same(after: &Left, plain: &Left, when: &str) {
    let shown = |left: &Left| {
        left.files
            .iter()
            .map(|(path, bytes)| format!("{}: {}", path.display(), String::from_utf8_lossy(bytes)))
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_eq!(shown(after), shown(plain), "other output after {when}");
    assert_eq!(after, plain, "another description of the output after {when}");
}

/// All files below a folder, with their bytes, in order of their paths.
pub(super) fn files_in(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the scratch folder can be read") {
        let path = entry.expect("the scratch folder can be read").path();
        if path.is_dir() {
            files.extend(files_in(&path));
        } else {
            let bytes = fs::read(&path).expect("a file in the scratch folder can be read");
            files.push((path, bytes));
        }
    }
    files.sort();
    files
}
