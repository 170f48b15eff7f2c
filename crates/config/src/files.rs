//! Files that two parts of a pipeline would use against each other, and whether all of them can be used at all.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use elspeth_graph::SettingPath;
use elspeth_plugin::{Sink, Source};

use crate::finding::Finding;
use crate::{DatabaseUrl, Diagnostic, Loaded, Settings};

/// Who uses files.
pub(crate) struct Users<'a> {
    /// The settings themselves.
    pub(crate) file: &'a Path,
    pub(crate) source: Option<&'a dyn Source>,
    pub(crate) sinks: Vec<(&'a str, &'a dyn Sink)>,
}

/// What is wrong, and what is odd.
#[derive(Debug, Default)]
pub(crate) struct Clashes {
    pub(crate) errors: Vec<Finding>,
    pub(crate) warnings: Vec<Finding>,
}

/// Finds two sinks on one file, and a sink on the file of the source, of the record or of the settings.
pub(crate) fn clashes(settings: &Settings, users: &Users<'_>, working_directory: &Path) -> Clashes {
    let mut taken: BTreeMap<PathBuf, String> = BTreeMap::new();
    let mut found = Clashes::default();
    taken.insert(identity(users.file, working_directory), "these settings are in".to_owned());
    for path in users.source.map(Source::paths).unwrap_or_default() {
        taken.insert(identity(&path, working_directory), "the source reads".to_owned());
    }
    if let Ok(url) = DatabaseUrl::parse(&settings.landscape.url)
        && let Some(file) = url.file()
    {
        taken.insert(identity(file, working_directory), "the record is kept in".to_owned());
    }
    for (name, sink) in &users.sinks {
        let at = path_option(&SettingPath::new("sinks").child(name));
        for target in sink.targets() {
            let path = identity(&target.path, working_directory);
            let shown = target.path.display();
            if let Some(user) = taken.get(&path) {
                let message = format!("`{shown}` is the very file that {user}");
                let finding = Finding::new("same-file", at.clone(), message);
                found.errors.push(finding.help("give every sink a file of its own"));
            } else if let Some((other, user)) = taken.iter().find(|(other, _)| differ_in_case(other, &path)) {
                let other = other.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let message = format!("`{shown}` differs only in case from `{other}`, which {user}");
                found.warnings.push(Finding::new("similar-file", at.clone(), message));
                taken.insert(path, format!("the sink `{name}` writes"));
            } else {
                taken.insert(path, format!("the sink `{name}` writes"));
            }
        }
    }
    found
}

fn path_option(node: &SettingPath) -> SettingPath {
    node.child("options").child("path")
}

/// One path for all ways to name a file: absolute, without `.` and `..`, links followed as far as they exist.
fn identity(path: &Path, working_directory: &Path) -> PathBuf {
    let mut existing = working_directory.join(path);
    let mut rest: Vec<OsString> = Vec::new();
    loop {
        if let Ok(real) = existing.canonicalize() {
            return plain(rest.iter().rev().fold(real, |path, part| path.join(part)));
        }
        match existing.components().next_back() {
            Some(Component::Normal(name)) => rest.push(name.to_owned()),
            Some(Component::ParentDir) => rest.push(OsString::from("..")),
            Some(Component::CurDir | Component::RootDir | Component::Prefix(_)) | None => {
                return plain(rest.iter().rev().fold(existing, |path, part| path.join(part)));
            }
        }
        existing.pop();
    }
}

/// Resolves `..` in parts that do not exist, and, where file systems commonly ignore it, the case of letters.
fn plain(path: PathBuf) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => out.push(part),
        }
    }
    if cfg!(any(windows, target_os = "macos")) {
        PathBuf::from(out.to_string_lossy().to_lowercase())
    } else {
        out
    }
}

fn differ_in_case(a: &Path, b: &Path) -> bool {
    a != b && a.to_string_lossy().to_lowercase() == b.to_string_lossy().to_lowercase()
}

/// Checks that a run could begin: the source's files can be read, the sinks' can be written. Changes nothing.
#[must_use]
pub fn preflight(loaded: &Loaded) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for path in loaded.plugins.source.paths() {
        let at = path_option(&SettingPath::new("source"));
        if let Err(error) = std::fs::File::open(&path).and_then(|file| file.metadata()).and_then(readable) {
            let message = format!("cannot read `{}`: {error}", path.display());
            findings.push(
                Finding::new("unreadable-input", at, message)
                    .help("relative paths are relative to the working directory"),
            );
        }
    }
    for (step, sink) in &loaded.plugins.sinks {
        if let Err(error) = sink.preflight() {
            let at = path_option(&SettingPath::new("sinks").child(&loaded.graph.node(*step).name));
            let mut finding = Finding::new("unwritable-output", at, error.message);
            finding.help = error.help;
            findings.push(finding);
        }
    }
    findings.into_iter().map(|finding| loaded.locator.diagnose(finding)).collect()
}

fn readable(metadata: std::fs::Metadata) -> std::io::Result<()> {
    if metadata.is_dir() { Err(std::io::Error::other("it is a folder")) } else { Ok(()) }
}
