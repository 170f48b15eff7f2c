//! A server whose disk is full ends a run with one clear error, and the run goes on when there is room.

use std::fmt::Write as _;

use elspeth_testkit::{PgCluster, PgDurability};
use serde_json::Value as Json;

use crate::support::{Cli, said};

const SETTINGS: &str = r#"
source:
  plugin: csv
  on_success: copied
  options:
    path: in.csv
    on_validation_failure: discard
    schema: {mode: fixed, fields: ["id: int", "text: str"]}
sinks:
  copied: {plugin: csv, on_write_failure: discard, options: {path: out/copied.csv, schema: {mode: observed}}}
landscape: {url: "sqlite:///out/audit.db"}
"#;
const RUN: [&str; 4] = ["run", "-s", "copy.yaml", "-x"];
const ROWS: u32 = 20_000;

fn place() -> Cli {
    let cli = Cli::triage();
    let mut rows = "id,text\n".to_owned();
    for id in 0..ROWS {
        writeln!(rows, "{id},{}", id.wrapping_mul(2_654_435_761)).expect("a String takes all text");
    }
    cli.write("in.csv", &rows);
    cli.write("copy.yaml", SETTINGS);
    cli
}

fn root(cli: &Cli, database: &str) -> [Json; 2] {
    let status = cli.json(&["status", "latest", "-d", database, "--json"]);
    ["status", "content_root"].map(|key| status[key].clone())
}

#[test]
fn a_full_disk_of_the_server_ends_a_run_that_goes_on_when_there_is_room() {
    let Some(cluster) = PgCluster::own(PgDurability::None) else { return };
    let Some(disk) = cluster.small_disk(11) else { return };
    let (cli, twin) = (place(), place());
    let perform = |args: &[&str]| {
        let mut command = cli.command(args);
        said(
            command
                .env("ELSPETH_LANDSCAPE__URL", disk.url())
                .output()
                .expect("the binary was built for this test"),
        )
    };
    let stopped = perform(&RUN);
    assert_eq!(stopped.code, 1, "{}{}", stopped.out, stopped.err);
    assert_eq!(stopped.err.matches("No space left on device").count(), 1, "{}", stopped.err);
    assert!(stopped.err.contains("make room on the server's disk"), "{}", stopped.err);
    let decided: u64 =
        cluster.psql(disk.url().rsplit('/').next().unwrap(), "SELECT count(*) FROM rows").parse().unwrap();
    assert!((1..u64::from(ROWS)).contains(&decided), "{decided} rows");
    disk.grow(100);
    let resumed = perform(&["resume", "latest", "-d", disk.url(), "-x"]);
    assert_eq!(resumed.code, 0, "{}{}", resumed.out, resumed.err);
    assert_eq!(twin.say(&RUN).code, 0);
    assert_eq!(root(&cli, disk.url()), root(&twin, "out/audit.db"));
    let written = |cli: &Cli| std::fs::read(cli.path("out/copied.csv")).unwrap();
    assert!(written(&cli) == written(&twin));
    let verified = perform(&["verify", "latest", "-d", disk.url()]);
    assert_eq!(verified.code, 0, "{}{}", verified.out, verified.err);
}
