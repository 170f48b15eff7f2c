//! How file sinks treat the file system: checks, folders, staging, publishing, and files that others change.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use elspeth_plugin::{SinkError, SinkPosition};
use elspeth_testkit::Scratch;
use elspeth_value::Value;
use serde_json::json;

use crate::driving::{context, output, row, sink, write};

fn rows(n: i64) -> Vec<elspeth_value::Row> {
    vec![row(&[("id", Value::Int(n))])]
}

fn preflight(path: &std::path::Path) -> Result<(), SinkError> {
    sink("csv", &json!({"path": path})).preflight()
}

#[test]
fn a_path_that_cannot_be_written_is_found_without_touching_anything() {
    let scratch = Scratch::new();
    scratch.write("file", "x");
    fs::create_dir(scratch.join("folder")).unwrap();
    for (path, expected) in [
        ("folder", "it is a folder"),
        ("file/out.csv", "is a file, not a folder"),
        ("file/deeper/out.csv", "is a file, not a folder"),
    ] {
        let error = preflight(&scratch.join(path)).unwrap_err();
        assert!(error.message.contains(expected) && error.help.is_some(), "{path}: {error}");
    }
    assert!(
        preflight(std::path::Path::new("/dev/null")).unwrap_err().message.contains("it is not a plain file")
    );
    assert!(preflight(&scratch.join("new/folders/out.csv")).is_ok());
    assert!(!scratch.join("new").exists());
}

#[test]
fn a_name_that_no_staged_file_can_have_is_found_without_touching_anything() {
    let scratch = Scratch::new();
    let long = |bytes: usize| "n".repeat(bytes);
    // Until it is complete, `.<run id>.partial` stands behind it.
    let most = 255 - ".01JZ8Q4Z8N5X2V7K3M9T0B6C1D.partial".len();
    let rewritten = most - ".final".len();
    for (plugin, most) in [("csv", rewritten), ("json", most)] {
        let check = |path: &str| sink(plugin, &json!({"path": scratch.join(path)})).preflight();
        for folder in ["", "new/"] {
            check(&format!("{folder}{}", long(most))).unwrap();
            let error = check(&format!("{folder}{}", long(most + 1))).unwrap_err();
            assert!(error.message.contains("until it is complete its name is `nnn"), "{error}");
            assert_eq!(error.help.as_deref(), Some("choose a shorter name"));
        }
        for path in [long(256), format!("{}/out", long(256)), "a\0b".to_owned(), "a\0b/out".to_owned()] {
            let error = check(&path).unwrap_err();
            assert!(error.message.starts_with("cannot write `"), "{error}");
            assert_eq!(error.help.as_deref(), Some("choose another path"), "{error}");
        }
    }
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_process_has_open_is_no_plain_file() {
    let scratch = Scratch::new();
    symlink("/dev/stdout", scratch.join("out.csv")).unwrap();
    for path in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", scratch.join("out.csv").to_str().unwrap()] {
        let error = preflight(std::path::Path::new(path)).unwrap_err();
        assert!(error.message.ends_with("it is not a plain file"), "{path}: {error}");
        assert!(error.help.is_some(), "{path}");
    }
}

#[test]
fn a_link_to_nothing_is_told_with_advice() {
    let scratch = Scratch::new();
    symlink(scratch.join("none.csv"), scratch.join("link.csv")).unwrap();
    let error = preflight(&scratch.join("link.csv")).unwrap_err();
    assert!(error.message.contains("cannot follow the link"), "{error}");
    assert_eq!(
        error.help.as_deref(),
        Some("it leads to nothing; remove it, or make the file that it leads to")
    );
}

#[test]
fn the_check_agrees_with_what_the_system_allows() {
    let scratch = Scratch::new();
    let folder = scratch.join("closed");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    let allowed = fs::write(folder.join("probe"), "").is_ok();
    for path in ["out.csv", "deeper/out.csv"] {
        let checked = preflight(&folder.join(path));
        assert_eq!(checked.is_ok(), allowed, "{checked:?}");
    }
}

#[test]
fn a_link_is_followed_and_permissions_stay() {
    let scratch = Scratch::new();
    let real = scratch.write("real.csv", "old\n");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    symlink(&real, scratch.join("link.csv")).unwrap();
    output("csv", &json!({"path": scratch.join("link.csv")}), &[rows(1)]);
    assert!(fs::symlink_metadata(scratch.join("link.csv")).unwrap().is_symlink());
    assert_eq!(scratch.read("real.csv"), "id\n1\n");
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn an_existing_file_stays_until_the_run_completes() {
    let scratch = Scratch::new();
    let path = scratch.write("out.csv", "old\n");
    let mut sink = sink("csv", &json!({"path": path}));
    sink.open(&context(&[]), None).unwrap();
    write(sink.as_mut(), &rows(1)).unwrap();
    assert_eq!(scratch.read("out.csv"), "old\n");
    sink.publish().unwrap();
    assert_eq!(scratch.read("out.csv"), "id\n1\n");
    let error = write(sink.as_mut(), &rows(2)).unwrap_err();
    assert!(error.message.contains("is published already"), "{error}");
}

/// A run that wrote one epoch and stopped: where it was, and its staged file.
fn stopped(scratch: &Scratch) -> (SinkPosition, std::path::PathBuf) {
    let mut sink = sink("csv", &json!({"path": scratch.join("out.csv")}));
    sink.open(&context(&[]), None).unwrap();
    let position = write(sink.as_mut(), &rows(1)).unwrap().position;
    (position, scratch.join("out.csv.01JZ8Q4Z8N5X2V7K3M9T0B6C1D.partial"))
}

#[test]
fn a_staged_file_that_is_gone_or_changed_is_refused() {
    let scratch = Scratch::new();
    let (position, staged) = stopped(&scratch);
    let reopened =
        || sink("csv", &json!({"path": scratch.join("out.csv")})).open(&context(&[]), Some(&position));
    assert!(reopened().is_ok());
    for (content, expected) in
        [("id\n", "it has 3 bytes, but 5 were written"), ("id\n9\n", "the hash of its first 5 bytes was")]
    {
        fs::write(&staged, content).unwrap();
        let error = reopened().unwrap_err();
        assert!(
            error.message.contains("is not what was written") && error.message.contains(expected),
            "{error}"
        );
    }
    fs::remove_file(&staged).unwrap();
    assert!(reopened().unwrap_err().message.ends_with("is gone"));
    fs::write(scratch.join("out.csv"), "id\n1\nmore\n").unwrap();
    assert!(reopened().unwrap_err().message.ends_with("is gone"), "another file is not what was published");
    fs::write(scratch.join("out.csv"), "id\n1\n").unwrap();
    assert!(reopened().is_ok(), "this one is");
}

fn utf16(mark: &str, text: &str, bytes_of: fn(u16) -> [u8; 2]) -> Vec<u8> {
    format!("{mark}{text}").encode_utf16().flat_map(bytes_of).collect()
}

#[test]
fn a_file_is_appended_to_in_its_own_byte_order_or_refused_before_the_first_row() {
    let scratch = Scratch::new();
    let rows = [vec![row(&[("id", Value::Int(2))])]];
    for (plugin, before, after) in
        [("csv", "id\n1\n", "id\n1\n2\n"), ("json", "{\"id\":1}\n", "{\"id\":1}\n{\"id\":2}\n")]
    {
        let path = scratch.join(&format!("out.{plugin}l"));
        for (own, own_bytes) in
            [("utf-16", u16::to_le_bytes as fn(u16) -> _), ("utf-16-be", u16::to_be_bytes)]
        {
            for asked in ["utf-16", "utf-16-le", "utf-16-be", "utf-8"] {
                fs::write(&path, utf16("\u{feff}", before, own_bytes)).unwrap();
                let options = json!({"path": path, "mode": "append", "encoding": asked});
                if asked == own || (asked, own) == ("utf-16-le", "utf-16") {
                    assert_eq!(output(plugin, &options, &rows).0, utf16("\u{feff}", after, own_bytes));
                    continue;
                }
                let refused = sink(plugin, &options).preflight().unwrap_err();
                assert!(
                    refused.message.ends_with("by its byte order mark it is in another encoding"),
                    "{refused}"
                );
                assert_eq!(
                    refused.help.unwrap(),
                    format!("write `encoding: {own}`, or write to another file")
                );
                assert!(sink(plugin, &options).open(&context(&[]), None).is_err());
            }
        }
    }
}

#[test]
fn utf16_is_not_appended_to_a_file_that_says_it_is_utf8() {
    let scratch = Scratch::new();
    for (plugin, before) in [("csv", "\u{feff}id\n1\n"), ("json", "\u{feff}{\"id\":1}\n")] {
        let path = scratch.write(&format!("out.{plugin}l"), before);
        for encoding in ["utf-16", "utf-16-le", "utf-16-be"] {
            let options = json!({"path": path, "mode": "append", "encoding": encoding});
            let refused = sink(plugin, &options).preflight().unwrap_err();
            assert_eq!(refused.help.unwrap(), "write `encoding: utf-8`, or write to another file");
        }
        let options = json!({"path": path, "mode": "append"});
        let (bytes, refused) = output(plugin, &options, &[vec![row(&[("id", Value::Int(2))])]]);
        assert!(bytes.starts_with(before.as_bytes()) && refused.is_empty(), "{refused:?}");
    }
}

#[test]
fn a_file_that_somebody_else_appends_to_meanwhile_is_not_overwritten() {
    let scratch = Scratch::new();
    let path = scratch.write("out.csv", "id\n1\n");
    let mut sink = sink("csv", &json!({"path": path, "mode": "append"}));
    sink.open(&context(&[]), None).unwrap();
    write(sink.as_mut(), &rows(2)).unwrap();
    scratch.write("out.csv", "id\n1\n7\n");
    let error = sink.publish().unwrap_err();
    assert!(error.message.contains("was changed by somebody else"), "{error}");
    assert_eq!(scratch.read("out.csv"), "id\n1\n7\n");
    scratch.write("out.csv", "id\n1\n");
    sink.publish().unwrap();
    assert_eq!(scratch.read("out.csv"), "id\n1\n2\n");
}

#[test]
fn the_targets_say_what_is_written_and_whether_it_is_kept() {
    let targets = sink("csv", &json!({"path": "a.csv", "mode": "append"})).targets();
    assert!(targets.len() == 1 && targets[0].appends && targets[0].path == std::path::Path::new("a.csv"));
    assert!(!sink("json", &json!({"path": "a.json"})).targets()[0].appends);
}
