//! The real binary in a scratch folder.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value as Json;

pub(crate) struct Cli {
    dir: tempfile::TempDir,
}

/// What a command printed, and how it ended.
pub(crate) struct Said {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: i32,
}

impl Cli {
    /// A folder with the triage pipeline and its data.
    pub(crate) fn triage() -> Self {
        let cli = Self { dir: tempfile::tempdir().expect("the system has a folder for temporary files") };
        cli.write("triage.yaml", include_str!("data/triage.yaml"));
        cli.write("in.csv", include_str!("data/in.csv"));
        cli
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("the scratch folder can be written");
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_elspeth"));
        command.args(args).current_dir(self.dir.path()).env("NO_COLOR", "1").stdin(Stdio::null());
        command
    }

    pub(crate) fn say(&self, args: &[&str]) -> Said {
        said(self.command(args).output().expect("the binary was built for this test"))
    }

    /// The answer of a command that prints one JSON value and nothing else.
    pub(crate) fn json(&self, args: &[&str]) -> Json {
        let said = self.say(args);
        serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{args:?}: {e}\n{}{}", said.out, said.err))
    }

    /// The triage pipeline, run.
    pub(crate) fn after_run() -> Self {
        let cli = Self::triage();
        let said = cli.say(&["run", "-s", "triage.yaml", "-x"]);
        assert_eq!(said.code, 0, "{}{}", said.out, said.err);
        cli
    }
}

pub(crate) fn said(output: Output) -> Said {
    Said {
        out: String::from_utf8(output.stdout).expect("stdout is text"),
        err: String::from_utf8(output.stderr).expect("stderr is text"),
        code: output.status.code().expect("it ended by itself"),
    }
}

/// Names of an object's keys, sorted.
pub(crate) fn keys(json: &Json) -> Vec<&str> {
    let mut keys: Vec<_> = json.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// Compares with a stored snapshot in which ids, hashes and times are left out.
#[macro_export]
macro_rules! assert_said {
    ($text:expr) => {{
        let mut settings = insta::Settings::clone_current();
        settings.add_filter(r"\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}", "+[key]");
        settings.add_filter(r"\+[0-9a-f]{8}\b", "+[id]");
        settings.add_filter(r"(?m)^[A-Za-z0-9+/]{43}=$", "[root]");
        settings.add_filter(r"(?m)(— \S+) [A-Za-z0-9+/]{91}=$", "$1 [signature]");
        settings.add_filter(r"[0-9A-HJKMNP-TV-Z]{26}", "[id]");
        settings.add_filter(r"\b[0-9a-f]{64}\b", "[hash]");
        settings.add_filter(r"\b[0-9a-f]{12}\b", "[hash]");
        settings.add_filter(r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "[time]");
        settings.add_filter(r" · \d+\.\d+ ms", "");
        settings.add_filter(
            r"it has \d+ bytes, but the manifest says \d+",
            "it has [n] bytes, but the manifest says [n]",
        );
        settings.add_filter(r"in \d+\.\d+ s \(\d+ rows/s\)", "in [seconds]");
        settings.add_filter(r"completed  \[time\]  \d+\.\d+ ", "completed  [time]  [s] ");
        settings.bind(|| insta::assert_snapshot!($text));
    }};
}
