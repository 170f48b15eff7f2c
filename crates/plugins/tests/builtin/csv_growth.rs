//! Rows that bring new columns while the csv sink writes: the file is that of a sink which knew them all before.

use std::fs;
use std::path::{Path, PathBuf};

use elspeth_canonical::HashVersion;
use elspeth_plugin::{Produced, Sink, SinkPosition};
use elspeth_testkit::Scratch;
use elspeth_value::{Row, Value};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::driving::{context, output, row, run_id, sink, text, write};

fn heterogeneous() -> Vec<Row> {
    vec![
        row(&[("id", Value::Int(1))]),
        row(&[("id", Value::Int(2)), ("note", text("a,\"b\"\nc"))]),
        row(&[("note", text("\n\n"))]),
        row(&[("when", Value::Null), ("id", Value::Int(4)), ("score", Value::Float(4.0))]),
        row(&[("id", Value::Null)]),
        row(&[("Last, not least", text("x")), ("note", text("y"))]),
    ]
}

const PUBLISHED: &str = "The Id,note,when,score,\"Last, not least\"\n1,,,,\n2,\"a,\"\"b\"\"\nc\",,,\n,\"\n\n\",,,\n4,,,4.0,\n,,,,\n,y,,,x\n";

fn cut(rows: &[Row], epoch: usize) -> Vec<Vec<Row>> {
    rows.chunks(epoch).map(<[Row]>::to_vec).collect()
}

#[test]
fn the_file_does_not_depend_on_how_rows_are_cut_into_epochs() {
    let scratch = Scratch::new();
    for mode in ["write", "append"] {
        for epoch in [1, 2, 5, 100] {
            let path = scratch.join(&format!("{mode}-{epoch}.csv"));
            let options = json!({"path": path, "mode": mode, "headers": "original"});
            let (bytes, refused) = output("csv", &options, &cut(&heterogeneous(), epoch));
            assert_eq!(String::from_utf8(bytes).unwrap(), PUBLISHED, "{mode}, epochs of {epoch}");
            assert_eq!(refused, [""; 0]);
        }
    }
}

#[test]
fn refused_rows_leave_no_column_and_no_trace_of_their_epoch() {
    let rows = [
        row(&[("a", text("\u{20ac}")), ("refused", Value::Int(1))]),
        row(&[("a", text("x"))]),
        row(&[("b", text("\u{20ac}"))]),
        row(&[("\u{20ac}", Value::Int(1))]),
        row(&[("c", text("z"))]),
    ];
    let scratch = Scratch::new();
    for epoch in [1, 2, 5] {
        let options = json!({"path": scratch.join("out.csv"), "encoding": "latin-1"});
        let (bytes, refused) = output("csv", &options, &cut(&rows, epoch));
        assert_eq!(String::from_utf8(bytes).unwrap(), "a,c\nx,\n,z\n", "epochs of {epoch}");
        assert_eq!(refused.len(), 3, "{refused:?}");
        assert!(refused[2].contains("cannot write the header of `"), "{refused:?}");
    }
    let (bytes, refused) =
        output("csv", &json!({"path": scratch.join("none.csv"), "encoding": "ascii"}), &[rows[..1].to_vec()]);
    assert_eq!((bytes.len(), refused.len()), (0, 1), "a file of refused rows only has no header");
}

/// A run that wrote all rows and has not published, with what is needed to go on.
struct Stopped {
    scratch: Scratch,
    options: Json,
    position: SinkPosition,
    staged: Vec<u8>,
}

impl Stopped {
    fn before_publishing() -> Self {
        let scratch = Scratch::new();
        let options = json!({"path": scratch.join("out.csv"), "headers": "original"});
        let mut sink = sink("csv", &options);
        sink.open(&context(&[("The Id", "id")]), None).unwrap();
        let position = write(sink.as_mut(), &heterogeneous()).unwrap().position;
        let staged = fs::read(partial(scratch.path(), "")).unwrap();
        Self { scratch, options, position, staged }
    }

    fn reopened(&self) -> Box<dyn Sink> {
        let mut sink = sink("csv", &self.options);
        sink.open(&context(&[("The Id", "id")]), Some(&self.position)).unwrap();
        sink
    }

    fn assert_published(&self, produced: &Produced, when: &str) {
        assert_eq!(self.scratch.read("out.csv"), PUBLISHED, "{when}");
        assert_eq!(produced.content_hash, HashVersion::default().hash(PUBLISHED.as_bytes()), "{when}");
        assert_eq!((produced.size_bytes, produced.rows), (PUBLISHED.len() as u64, 6), "{when}");
        assert_eq!(fs::read_dir(self.scratch.path()).unwrap().count(), 1, "{when}: only the output is left");
    }
}

fn partial(folder: &Path, stage: &str) -> PathBuf {
    folder.join(format!("out.csv.{}{stage}.partial", run_id()))
}

#[test]
fn publishing_goes_on_from_whatever_a_crash_left() {
    let stopped = Stopped::before_publishing();
    let (staged, rewritten) =
        (partial(stopped.scratch.path(), ""), partial(stopped.scratch.path(), ".final"));
    for (when, is_staged, is_rewritten, is_published) in [
        ("before the final form was written", true, None, false),
        ("while it was written", true, Some(&PUBLISHED[..30]), false),
        ("before it got the target's name", true, Some(PUBLISHED), false),
        ("before the staged file was removed", true, None, true),
        ("before publishing was recorded", false, None, true),
    ] {
        if is_staged {
            fs::write(&staged, &stopped.staged).unwrap();
        }
        if let Some(text) = is_rewritten {
            fs::write(&rewritten, text).unwrap();
        }
        if !is_published {
            fs::write(stopped.scratch.join("out.csv"), "of another run\n").unwrap();
        }
        let mut sink = stopped.reopened();
        let produced = sink.publish().unwrap().unwrap();
        stopped.assert_published(&produced, when);
        assert_eq!(sink.publish().unwrap(), Some(produced), "{when}");
    }
}

#[test]
fn another_file_is_not_taken_for_the_published_one() {
    let stopped = Stopped::before_publishing();
    stopped.reopened().publish().unwrap();
    for other in [
        PUBLISHED.replace("4.0", "4.1"),
        PUBLISHED.replace("1,,,,\n", "1,,,\n"),
        PUBLISHED.replace("The Id", "id"),
        PUBLISHED.trim_end().to_owned(),
        format!("{PUBLISHED},,,,\n"),
        String::new(),
    ] {
        fs::write(stopped.scratch.join("out.csv"), &other).unwrap();
        let opened = sink("csv", &stopped.options)
            .open(&context(&[("The Id", "id")]), Some(&stopped.position))
            .unwrap_err();
        assert!(opened.message.ends_with("is gone"), "{other:?}: {opened}");
    }
    fs::remove_file(stopped.scratch.join("out.csv")).unwrap();
    assert!(sink("csv", &stopped.options).open(&context(&[]), Some(&stopped.position)).is_err());
    fs::write(stopped.scratch.join("out.csv"), PUBLISHED).unwrap();
    stopped.reopened();
}

#[test]
fn what_somebody_else_wrote_into_the_staged_file_is_not_published() {
    let stopped = Stopped::before_publishing();
    let mut sink = stopped.reopened();
    let staged = partial(stopped.scratch.path(), "");
    let changed = String::from_utf8(stopped.staged.clone()).unwrap().replace("4.0", "4.1");
    fs::write(&staged, changed).unwrap();
    let error = sink.publish().unwrap_err();
    assert!(error.message.ends_with("is not what was written: somebody else wrote into it"), "{error}");
    assert_eq!(fs::read_dir(stopped.scratch.path()).unwrap().count(), 1, "only the staged file is there");
    fs::write(&staged, &stopped.staged).unwrap();
    stopped.assert_published(&sink.publish().unwrap().unwrap(), "after it was put back");
}

fn any_row() -> impl Strategy<Value = Row> {
    let cell = prop_oneof![
        Just(Value::Null),
        Just(text("")),
        (-9i64..9).prop_map(Value::Int),
        "[a,;\"\r\n\u{a5}\u{feff}\u{65e5}]{0,4}".prop_map(|t| text(&t)),
    ];
    prop::collection::btree_map(prop::sample::select(vec!["e", "d", "c", "b", "a"]), cell, 0..4)
        .prop_map(|cells| row(&cells.into_iter().collect::<Vec<_>>()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Against a sink that is told all columns before, and so never pads.
    #[test]
    fn growing_ends_where_knowing_begins(
        rows in prop::collection::vec(any_row(), 1..9),
        epoch in 1usize..9,
        encoding in prop::sample::select(vec!["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "iso-2022-jp", "gb18030"]),
        delimiter in prop::sample::select(vec![",", "~", "\\"]),
    ) {
        let scratch = Scratch::new();
        let options = json!({"path": scratch.join("grown.csv"), "encoding": encoding, "delimiter": delimiter});
        let (grown, refused) = output("csv", &options, &cut(&rows, epoch));
        let mut kept = rows.clone();
        let mut fields: Vec<String> = Vec::new();
        if encoding == "iso-2022-jp" {
            let marked = |row: &Row| row.values().iter().any(|v| matches!(v, Value::Str(s) if s.contains('\u{feff}')));
            kept.retain(|row| !marked(row));
        }
        prop_assert_eq!(refused.len(), rows.len() - kept.len());
        for name in kept.iter().flat_map(|row| row.shape().names()) {
            if !fields.iter().any(|field| field.starts_with(name.as_str())) {
                fields.push(format!("{name}: any?"));
            }
        }
        let mut options = options;
        options["path"] = json!(scratch.join("known.csv"));
        if !fields.is_empty() {
            options["schema"] = json!({"mode": "fixed", "fields": fields});
        }
        let (known, refused) = output("csv", &options, &[kept]);
        prop_assert_eq!(refused.len(), 0);
        prop_assert_eq!(String::from_utf8_lossy(&grown), String::from_utf8_lossy(&known));
        prop_assert_eq!(grown, known);
    }
}
