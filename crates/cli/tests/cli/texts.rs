//! What people see. Snapshots are in `snapshots/`; ids, hashes and times are left out of them.

use crate::support::{Cli, said};

const DB: [&str; 2] = ["-d", "out/audit.db"];

#[test]
fn a_run_ends_with_a_short_summary() {
    let cli = Cli::triage();
    let said = cli.say(&["run", "-s", "triage.yaml", "-x"]);
    assert_eq!(said.code, 0);
    assert_said!(said.out);
}

#[test]
fn without_execute_a_run_says_what_it_would_do() {
    let cli = Cli::triage();
    let said = cli.say(&["run", "-s", "triage.yaml"]);
    assert_eq!(said.code, 0);
    assert!(!cli.path("out").exists(), "nothing was made");
    assert_said!(said.out);
}

#[test]
fn explain_shows_each_node_and_why() {
    let cli = Cli::after_run();
    let texts: Vec<_> = ["0", "2", "3", "4"]
        .iter()
        .map(|row| cli.say(&["explain", "--row", row, DB[0], DB[1]]).out)
        .collect();
    assert_said!(texts.join("\n"));
}

#[test]
fn errors_are_grouped_and_listed() {
    let cli = Cli::after_run();
    assert_said!(cli.say(&["errors", "latest", DB[0], DB[1]]).out);
}

#[test]
fn json_has_all_errors_and_text_the_first_hundred_unless_told_how_many() {
    let cli = Cli::triage();
    let bad: String = (0..120).map(|n| format!("bad{n},Ann,1\n")).collect();
    cli.write("in.csv", &format!("id,Full Name,score\n{bad}"));
    assert_eq!(cli.say(&["run", "-s", "triage.yaml", "-x"]).code, 0);
    let listed = |more: &[&str]| {
        let report = cli.json(&[&["errors", "latest", DB[0], DB[1], "--json"], more].concat());
        report.as_array().expect("it is a list").len()
    };
    assert_eq!((listed(&[]), listed(&["--limit", "7"])), (120, 7));
    let text = cli.say(&["errors", "latest", DB[0], DB[1]]).out;
    assert!(text.contains("20 more"), "{text}");
}

#[test]
fn status_and_runs_tell_of_the_run() {
    let cli = Cli::after_run();
    let status = cli.say(&["status", "latest", DB[0], DB[1]]).out;
    let runs = cli.say(&["runs", DB[0], DB[1]]).out;
    assert_said!(format!("{status}\n{runs}"));
}

#[test]
fn three_mistakes_give_three_errors_with_their_places() {
    let cli = Cli::triage();
    let broken = include_str!("data/triage.yaml")
        .replace("'score'] >= 50", "'scoer'] >= 50")
        .replace("on_error: failed\n    options", "on_eror: failed\n    options")
        .replace("true: approved", "true: aproved");
    cli.write("triage.yaml", &broken);
    let said = cli.say(&["validate", "-s", "triage.yaml"]);
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    assert_said!(said.err);
}

#[test]
fn an_error_quotes_its_line_without_the_secrets_in_it() {
    let cli = Cli::triage();
    let mut secret =
        include_str!("data/triage.yaml").replace("sqlite:///out/audit.db", "postgresql://me:hunter2@db/x");
    secret.push_str("unknown: {api_key: hunter2} # next to\npassword: hunter2\n");
    cli.write("triage.yaml", &secret);
    let said = cli.say(&["validate", "-s", "triage.yaml"]);
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    assert!(said.err.contains("unknown: {api_key: *******} # next to"), "{}", said.err);
    assert!(!said.err.contains("hunter2"), "{}", said.err);
}

#[test]
fn plugins_are_listed_and_shown() {
    let cli = Cli::triage();
    let list = cli.say(&["plugins"]).out;
    assert_eq!(list, cli.say(&["plugins", "list"]).out);
    let shown = cli.say(&["plugins", "show", "truncate"]).out;
    assert_said!(format!("{list}\n{shown}"));
}

#[test]
fn the_graph_is_drawn_in_mermaid_and_dot() {
    let cli = Cli::triage();
    let mermaid = cli.say(&["graph", "-s", "triage.yaml"]).out;
    let dot = cli.say(&["graph", "-s", "triage.yaml", "--format", "dot"]).out;
    assert_said!(format!("{mermaid}\n{dot}"));
}

#[test]
fn what_does_not_exist_is_said_with_advice() {
    let cli = Cli::after_run();
    let asked: [&[&str]; 6] = [
        &["status", "zzz", "-d", "out/audit.db"],
        &["runs", "-d", "nowhere.db"],
        &["explain", "--row", "99", "-d", "out/audit.db"],
        &["explain", "--token", "no-id", "-d", "out/audit.db"],
        &["plugins", "show", "cvs"],
        &["validate", "-s", "nowhere.yaml"],
    ];
    let texts: Vec<_> = asked
        .iter()
        .map(|args| {
            let said = cli.say(args);
            assert_eq!((said.code, said.out.as_str()), (1, ""), "{args:?}");
            format!("$ elspeth {}\n{}", args.join(" "), said.err)
        })
        .collect();
    assert_said!(texts.join("\n"));
}

#[test]
fn what_a_row_says_cannot_pass_for_what_the_program_says() {
    let cli = Cli::triage();
    let forged = "\"\u{1b}[2J\u{9b}1A\u{202e}\nFORGED ok\rFORGED\"";
    cli.write(
        "in.csv",
        &format!("id,Full Name,score\n{forged},{forged},71.5\n1,{forged},{forged}\n2,{forged},71.5\n"),
    );
    let run = cli.say(&["run", "-s", "triage.yaml", "-x"]);
    let mut texts = vec![run.out, run.err];
    for asked in [
        ["status", "latest"],
        ["errors", "latest"],
        ["explain", "--row=0"],
        ["explain", "--row=1"],
        ["explain", "--row=2"],
    ] {
        texts.push(cli.say(&[asked[0], asked[1], DB[0], DB[1]]).out);
    }
    for text in &texts {
        let obeyed = |c: char| c != '\n' && c.is_control() || c == '\u{202e}';
        assert!(!text.contains(obeyed), "{text:?}");
        assert!(!text.lines().any(|line| line.trim_start().starts_with("FORGED")), "{text}");
    }
    assert!(texts[3].contains(r"\x1b[2J"), "it is shown: {}", texts[3]);
}

/// Source and sinks of a settings file whose `on_validation_failure` is misspelt, with a line end after each part.
fn misspelt(path: &str, line_end: &str) -> String {
    [
        "landscape: {url: 'sqlite:///audit.db'}",
        &format!("source: {{plugin: csv, on_success: rows, options: {{path: \"{path}\", on_validation_failure: discrad, schema: {{mode: observed}}}}}}"),
        "sinks: {rows: {plugin: json, on_write_failure: discard, options: {path: out.json, schema: {mode: observed}}}}",
    ]
    .join(line_end)
}

#[test]
fn text_and_json_name_one_column_whatever_stands_before_it() {
    let cli = Cli::triage();
    cli.write("wide.yaml", &misspelt("日本語.csv", "\n"));
    let found = &cli.json(&["validate", "-s", "wide.yaml", "--json"])["errors"][0];
    let place = (found["line"].as_u64(), found["column"].as_u64());
    assert_eq!(place, (Some(2), Some(91)));
    let said = cli.say(&["validate", "-s", "wide.yaml"]).err;
    assert!(said.contains("[wide.yaml:2:91]"), "{said}");
}

#[test]
fn lines_that_end_in_a_carriage_return_are_lines() {
    let cli = Cli::triage();
    for (name, line_end, end) in [("cr.yaml", "\r", ""), ("crlf.yaml", "\r\n", "\r")] {
        cli.write(name, &format!("# above{line_end}{}{end}", misspelt("in.csv", line_end)));
        let said = cli.say(&["validate", "-s", name]).err;
        assert!(said.contains(&format!("[{name}:3:90]")), "{said}");
        let gutters: Vec<&str> =
            said.lines().filter_map(|line| line.split_once(" │ ")).map(|(n, _)| n.trim()).collect();
        assert_eq!(gutters, ["2", "3", "4"], "{said}");
    }
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_named_where_it_would_count() {
    use std::os::unix::ffi::OsStrExt;
    let cli = Cli::triage();
    let validate = |name: &str| {
        let mut command = cli.command(&["validate", "-s", "triage.yaml"]);
        command.env(name, std::ffi::OsStr::from_bytes(b"caf\xe9"));
        said(command.output().expect("the binary was built for this test"))
    };
    assert_eq!(validate("DIR").code, 0);
    let overrides = validate("ELSPETH_LANDSCAPE__URL");
    assert_eq!(overrides.code, 1);
    assert!(overrides.err.contains("`ELSPETH_LANDSCAPE__URL` is not UTF-8 text"), "{}", overrides.err);
    let text = include_str!("data/triage.yaml").replace("in.csv", "${DIR:-in.csv}");
    assert!(text.contains("${DIR:-in.csv}"));
    cli.write("triage.yaml", &text);
    let used = validate("DIR");
    assert_eq!(used.code, 1);
    assert!(used.err.contains("the environment variable `DIR` is not UTF-8 text"), "{}", used.err);
}

#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_told_on_standard_output_is_said_with_the_run() {
    for more in [&[][..], &["--json"]] {
        let cli = Cli::triage();
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut run = cli.command(&[&["run", "-s", "triage.yaml", "-x"], more].concat());
        let run = run.stdout(full).output().unwrap();
        let err = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(1), "{err}");
        let id =
            cli.json(&["runs", "-d", "out/audit.db", "--json"])[0]["run_id"].as_str().unwrap().to_owned();
        let expected = format!(
            "error: cannot write to standard output: No space left on device (os error 28); run {id} is recorded as \
             completed\nhelp: `elspeth status {id} -d out/audit.db` tells how it went\n"
        );
        assert!(err.ends_with(&expected), "{err}\nis not\n{expected}");
    }
}
