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

#[test]
fn nothing_lies_beside_the_database_once_a_command_is_done() {
    let databases = |cli: &Cli| {
        let entries = std::fs::read_dir(cli.path("out")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains("audit.db")).collect::<Vec<_>>()
    };
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
