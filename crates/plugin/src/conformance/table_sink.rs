use std::path::Path;

use elspeth_value::Row;

use super::sink::{check_unopened, context, files_in, fresh, stored_and_loaded, write};
use crate::{Produced, Sink, SinkPosition};

/// A sink that writes to a table keeps the same promises as [`super::check_sink`]: what a run leaves behind depends on the
/// rows and their order, not on epochs, nor on where it crashed and was continued.
///
/// `make` makes a sink that writes into the folder it is given, `contents` shows what readers find there, columns and
/// order included. The suite makes folders below `scratch`, which must be empty and exist.
///
/// # Panics
/// When a promise is not kept; the message says which.
pub fn check_table_sink(
    scratch: &Path,
    make: impl Fn(&Path) -> Box<dyn Sink>,
    contents: impl Fn(&Path) -> String,
    epochs: &[Vec<Row>],
) {
    check_unopened(&*make(scratch), &mut *make(scratch));
    let run = |name: &str, epochs: &[Vec<Row>]| check_run(&fresh(scratch, name), &make, &contents, epochs);
    let plain = run("plain", epochs);
    let one = run("one-epoch", &[epochs.concat()]);
    assert_eq!(one, plain, "one epoch leaves something else than many");
    let single: Vec<_> = epochs.concat().into_iter().map(|row| vec![row]).collect();
    assert_eq!(run("single-rows", &single), plain, "epochs of one row leave something else");
    for crash_after in 0..=epochs.len() {
        for unheard in [false, true] {
            let folder = fresh(scratch, &format!("crash-{crash_after}-{unheard}"));
            let heard = write_and_crash(&folder, &make, epochs, (crash_after, unheard));
            let after = resume(&folder, &make, &contents, (epochs, heard));
            assert_eq!(after, plain, "other contents after a crash behind {crash_after} epochs");
        }
    }
    check_published_twice(&fresh(scratch, "published"), &make, &contents, epochs);
}

/// What a run left behind.
#[derive(Debug, PartialEq)]
struct Left {
    contents: String,
    produced: Option<Produced>,
    /// The reasons, by the number of the row in the run.
    refused: Vec<(usize, String)>,
}

/// What somebody heard of a run before it crashed.
struct Heard {
    epochs: usize,
    position: Option<SinkPosition>,
    refused: Vec<(usize, String)>,
}

fn check_run(
    folder: &Path,
    make: &impl Fn(&Path) -> Box<dyn Sink>,
    contents: &impl Fn(&Path) -> String,
    epochs: &[Vec<Row>],
) -> Left {
    let mut sink = make(folder);
    let before = files_in(folder);
    sink.preflight().expect("an empty folder is good to write to");
    assert_eq!(files_in(folder), before, "the preflight check changed something");
    sink.open(&context(), None).expect("the sink opens");
    let heard = Heard { epochs: 0, position: None, refused: Vec::new() };
    let left = finish(folder, sink.as_mut(), contents, (epochs, heard));
    let again = sink.publish().expect("publishing again works");
    assert_eq!(again.map(without_folder(folder)), left.produced, "publishing again says something else");
    drop(sink);
    let before = files_in(folder);
    make(folder).preflight().expect("what a run left behind is good to write to");
    assert_eq!(files_in(folder), before, "the preflight check changed something");
    left
}

/// Writes the epochs that were not heard of, and publishes.
fn finish(
    folder: &Path,
    sink: &mut dyn Sink,
    contents: &impl Fn(&Path) -> String,
    (epochs, heard): (&[Vec<Row>], Heard),
) -> Left {
    let Heard { mut position, mut refused, .. } = heard;
    for (n, rows) in epochs.iter().enumerate().skip(heard.epochs) {
        let written = write(sink, n, rows);
        let took_some = written.refused.len() < rows.len();
        assert!(
            !took_some || position.as_ref() != Some(&written.position),
            "epoch {n} does not move the position"
        );
        position = Some(written.position);
        refused.extend(numbered(epochs, n, written.refused));
    }
    let produced = sink.publish().expect("the sink publishes");
    let contents = contents(folder);
    Left { contents, produced: produced.map(without_folder(folder)), refused }
}

fn numbered(
    epochs: &[Vec<Row>],
    epoch: usize,
    refused: Vec<crate::Refusal>,
) -> impl Iterator<Item = (usize, String)> {
    let before: usize = epochs[..epoch].iter().map(Vec::len).sum();
    refused.into_iter().map(move |refusal| (before + refusal.index, refusal.reason.message))
}

fn without_folder(folder: &Path) -> impl Fn(Produced) -> Produced {
    let folder = folder.display().to_string();
    move |produced| Produced { path: produced.path.replace(&folder, ""), ..produced }
}

/// Writes so many epochs, then perhaps one more of which nobody heard, and leaves without a word.
fn write_and_crash(
    folder: &Path,
    make: &impl Fn(&Path) -> Box<dyn Sink>,
    epochs: &[Vec<Row>],
    (until, unheard): (usize, bool),
) -> Heard {
    let mut sink = make(folder);
    sink.open(&context(), None).expect("the sink opens");
    let mut heard = Heard { epochs: until, position: None, refused: Vec::new() };
    for (n, rows) in epochs[..until].iter().enumerate() {
        let written = write(sink.as_mut(), n, rows);
        heard.position = Some(written.position);
        heard.refused.extend(numbered(epochs, n, written.refused));
    }
    if let Some(rows) = epochs.get(until).filter(|_| unheard) {
        write(sink.as_mut(), until, rows);
    }
    heard
}

fn resume(
    folder: &Path,
    make: &impl Fn(&Path) -> Box<dyn Sink>,
    contents: &impl Fn(&Path) -> String,
    (epochs, heard): (&[Vec<Row>], Heard),
) -> Left {
    let mut sink = make(folder);
    let position = heard.position.as_ref().map(stored_and_loaded);
    sink.open(&context(), position.as_ref())
        .unwrap_or_else(|e| panic!("cannot continue after {} epochs: {e}", heard.epochs));
    finish(folder, sink.as_mut(), contents, (epochs, heard))
}

/// A crash between publishing and its record: the sink is opened again at the last position and publishes again.
fn check_published_twice(
    folder: &Path,
    make: &impl Fn(&Path) -> Box<dyn Sink>,
    contents: &impl Fn(&Path) -> String,
    epochs: &[Vec<Row>],
) {
    let heard = write_and_crash(folder, make, epochs, (epochs.len(), false));
    let Some(last) = heard.position.as_ref().map(stored_and_loaded) else { return };
    let published = resume(folder, make, contents, (epochs, heard));
    let mut again = make(folder);
    again.open(&context(), Some(&last)).expect("a published sink opens at its last position");
    let produced = again.publish().expect("a published sink publishes");
    let after = (contents(folder), produced.map(without_folder(folder)));
    assert_eq!(after, (published.contents, published.produced), "publishing again leaves something else");
}
