//! What commands leave beside the database.

use crate::support::Cli;

/// Each asks for something else of the record.
const ASKING: [&[&str]; 10] = [
    &["runs"],
    &["status", "latest"],
    &["errors", "latest"],
    &["explain", "--row", "1"],
    &["verify", "latest"],
    &["export", "latest", "-o", "record"],
    &["head"],
    &["prove", "row", "latest", "1", "-o", "receipt.json"],
    &["purge", "--older-than", "1", "--dry-run"],
    &["health"],
];

/// The database and what lies beside it.
fn databases(cli: &Cli) -> Vec<String> {
    let entries = std::fs::read_dir(cli.path("out")).expect("the run made the folder");
    let names = entries.map(|entry| entry.expect("the folder can be read").file_name());
    names.filter_map(|name| name.into_string().ok()).filter(|name| name.contains("audit.db")).collect()
}

#[test]
fn nothing_lies_beside_the_database_after_an_export_that_followed_the_run() {
    for (format, file) in [("json", "out/record.jsonl"), ("csv", "out/record.csv")] {
        let cli = Cli::triage();
        let plugin =
            format!("  record: {{plugin: {format}, on_write_failure: discard, options: {{path: {file}}}}}\n");
        let export = format!("  export: {{enabled: true, sink: record, format: {format}}}\n");
        let settings = include_str!("data/triage.yaml")
            .replace("landscape:\n", &format!("{plugin}\nlandscape:\n{export}"));
        cli.write("triage.yaml", &settings);
        let said = cli.say(&["run", "-s", "triage.yaml", "-x"]);
        assert_eq!((said.code, said.err.contains("warning")), (0, false), "{}", said.err);
        assert_eq!(databases(&cli), ["audit.db"], "{format}");
        std::fs::copy(cli.path("out/audit.db"), cli.path("alone.db")).unwrap();
        let alone = rusqlite::Connection::open(cli.path("alone.db")).unwrap();
        let sql = "SELECT export_status FROM v_runs";
        let status: String = alone.query_row(sql, (), |row| row.get(0)).unwrap();
        assert_eq!(status, "completed", "{format}");
    }
}

#[test]
fn nothing_lies_beside_the_database_once_a_command_is_done() {
    let cli = Cli::after_run();
    assert_eq!(databases(&cli), ["audit.db"]);
    let record = std::fs::read(cli.path("out/audit.db")).unwrap();
    for command in ASKING {
        let said = cli.say(&[command, &["-d", "out/audit.db"]].concat());
        assert_eq!(said.code, 0, "{command:?}: {}", said.err);
        assert_eq!(databases(&cli), ["audit.db"], "{command:?}");
    }
    assert!(std::fs::read(cli.path("out/audit.db")).unwrap() == record, "what only asks changed the file");
}
