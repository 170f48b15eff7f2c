//! Files that two parts of a pipeline would use against each other, and whether all of them can be used at all.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use elspeth_graph::SettingPath;
use elspeth_plugin::{Sink, SinkError, Source, Target};

use crate::export::{ExportPlace, export_place};
use crate::finding::Finding;
use crate::settings::ExportFormat;
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

/// A file, or a table in one, and who uses it.
struct Taken {
    path: PathBuf,
    table: Option<String>,
    /// With the verb: `the sink `a` writes`.
    user: String,
}

impl Taken {
    /// Whether both cannot be used at once: sinks may share a database as long as each has a table of its own.
    fn excludes(&self, other: &Self) -> bool {
        let same_table = match (&self.table, &other.table) {
            (Some(one), Some(two)) => one.eq_ignore_ascii_case(two),
            (None, _) | (_, None) => true,
        };
        self.path == other.path && same_table
    }

    /// Whether one would be in a folder of the other's name, and so be a file and a folder at once; which of both is told.
    fn nests(&self, other: &Self) -> Option<Nested> {
        if self.path == other.path {
            None
        } else if self.path.starts_with(&other.path) {
            Some(Nested::Inside)
        } else {
            other.path.starts_with(&self.path).then_some(Nested::Around)
        }
    }
}

/// Where a file would be that is in a folder of another's name.
enum Nested {
    Inside,
    Around,
}

impl Nested {
    fn told(&self, shown: &str, user: &str) -> String {
        match self {
            Self::Inside => format!("`{shown}` cannot be in a folder that is the very file that {user}"),
            Self::Around => format!("`{shown}` is a folder of the very file that {user}"),
        }
    }
}

/// Finds two sinks on one file or table, and a sink on a file of the source, of the record or of the settings, or among the
/// record's large bodies.
pub(crate) fn clashes(settings: &Settings, users: &Users<'_>, working_directory: &Path) -> Clashes {
    let whole = |path: &Path, user: &str| Taken {
        path: identity(path, working_directory),
        table: None,
        user: user.to_owned(),
    };
    let mut taken = vec![whole(users.file, "these settings are in")];
    let sources = users.source.map(Source::paths).unwrap_or_default();
    taken.extend(sources.iter().map(|path| whole(path, "the source reads")));
    if let Ok(url) = DatabaseUrl::parse(&settings.landscape.url) {
        taken.extend(url.file().map(|file| whole(file, "the record is kept in")));
        let beside = url.file().into_iter().flat_map(beside_database);
        taken.extend(beside.map(|file| whole(&file, "SQLite keeps beside the record")));
        let journal = settings.landscape.journal(&url);
        taken.extend(journal.map(|file| whole(&file, "the journal is kept in")));
    }
    let bodies = identity(Path::new(&settings.payload_store.base_path), working_directory);
    let mut found = Clashes::default();
    for (name, sink) in &users.sinks {
        for target in sink.targets() {
            let path = identity(&target.path, working_directory);
            let new = Taken { path, table: target.table.clone(), user: format!("the sink `{name}` writes") };
            let at = SettingPath::new("sinks").child(name);
            found.add(&at, &target, &new, &taken);
            found.errors.extend(among_bodies(&at, &target, &new, &bodies));
            taken.push(new);
        }
    }
    found.errors.extend(exported(settings, users, (&taken, &bodies), working_directory));
    found
}

/// The first file of the export that somebody else uses, besides the one of its sink.
fn exported(
    settings: &Settings,
    users: &Users<'_>,
    (taken, bodies): (&[Taken], &Path),
    working_directory: &Path,
) -> Option<Finding> {
    let export = &settings.landscape.export;
    let named = export.sink.as_ref().filter(|_| export.enabled)?;
    let (name, sink) = users.sinks.iter().find(|(name, _)| name == named)?;
    let place = export_place(export.format, *sink)?;
    let own = identity(&place.file, working_directory);
    let clash = |file: &PathBuf| {
        let path = identity(file, working_directory);
        let new = Taken { path, table: None, user: String::new() };
        if new.path == own {
            return None;
        }
        let shown = file.display().to_string();
        if new.path.starts_with(bodies) {
            return Some(format!(
                "`{shown}` is in `payload_store.base_path`, where the record keeps large bodies"
            ));
        }
        taken.iter().filter(|other| other.path != own).find_map(|other| match new.nests(other) {
            Some(nested) => Some(nested.told(&shown, &other.user)),
            None => other.excludes(&new).then(|| format!("`{shown}` is the very file that {}", other.user)),
        })
    };
    let message = place.files.files().iter().find_map(clash)?;
    let at = SettingPath::new("sinks").child(name).child("options").child("path");
    let finding =
        Finding::new("same-file", at, format!("the export of the record writes more than this: {message}"));
    Some(finding.help(match export.format {
        ExportFormat::Csv => {
            "its tables go into a folder of this name without the ending; choose another name"
        }
        ExportFormat::Json => "its manifest goes beside this file; choose another name",
    }))
}

/// What SQLite makes beside a database while it is open.
fn beside_database(file: &Path) -> impl Iterator<Item = PathBuf> + '_ {
    ["-wal", "-shm", "-journal"].into_iter().map(|ending| {
        let mut name = file.as_os_str().to_owned();
        name.push(ending);
        name.into()
    })
}

fn among_bodies(sink: &SettingPath, target: &Target, new: &Taken, bodies: &Path) -> Option<Finding> {
    let at = sink.child("options").child(output_option(std::slice::from_ref(target)));
    let shown = target.path.display();
    let message = format!("`{shown}` is in `payload_store.base_path`, where the record keeps large bodies");
    let inside = new.path.starts_with(bodies);
    inside.then(|| Finding::new("same-folder", at, message).help("give the sink a place of its own"))
}

impl Clashes {
    fn add(&mut self, sink: &SettingPath, target: &Target, new: &Taken, taken: &[Taken]) {
        let at = sink.child("options").child(output_option(std::slice::from_ref(target)));
        let shown = target.path.display();
        if let Some(other) = taken.iter().find(|other| other.excludes(new)) {
            let finding = match (&new.table, &other.table) {
                (Some(table), Some(_)) => Finding::new(
                    "same-table",
                    sink.child("options").child("table"),
                    format!("`{table}` in `{shown}` is the very table that {}", other.user),
                )
                .help("give every sink a table of its own"),
                _ => Finding::new("same-file", at, format!("`{shown}` is the very file that {}", other.user))
                    .help("give every sink a file of its own"),
            };
            self.errors.push(finding);
        } else if let Some((nested, other)) = taken.iter().find_map(|other| Some((new.nests(other)?, other)))
        {
            let message = nested.told(&shown.to_string(), &other.user);
            self.errors
                .push(Finding::new("same-file", at, message).help("give every sink a place of its own"));
        } else if let Some(other) = taken.iter().find(|other| differ_in_case(&other.path, &new.path)) {
            let name = other.path.file_name().unwrap_or_default().to_string_lossy();
            let message = format!("`{shown}` differs only in case from `{name}`, which {}", other.user);
            self.warnings.push(Finding::new("similar-file", at, message));
        }
    }
}

/// Where a sink of these targets names its file.
fn output_option(targets: &[Target]) -> &'static str {
    if targets.iter().any(|target| target.table.is_some()) { "url" } else { "path" }
}

/// Where the source names its file: a database has a URL.
fn input_option(settings: &Settings) -> SettingPath {
    let option = if settings.source.options.contains_key("url") { "url" } else { "path" };
    SettingPath::new("source").child("options").child(option)
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
        let at = input_option(&loaded.settings);
        if let Err(error) = readable(&path) {
            let message = format!("cannot read `{}`: {error}", path.display());
            findings.push(
                Finding::new("unreadable-input", at, message)
                    .help("relative paths are relative to the working directory"),
            );
        }
    }
    for (step, sink) in &loaded.plugins.sinks {
        let name = &loaded.graph.node(*step).name;
        let checked = match tables_of(&loaded.settings, name, sink.as_ref()) {
            Some(place) => tables_fit(&place, sink.as_ref()),
            None => sink.preflight(),
        };
        if let Err(error) = checked {
            let node = SettingPath::new("sinks").child(name);
            let at = node.child("options").child(output_option(&sink.targets()));
            let mut finding = Finding::new("unwritable-output", at, error.message);
            finding.help = error.help;
            findings.push(finding);
        }
    }
    findings.into_iter().map(|finding| loaded.locator.diagnose(finding)).collect()
}

/// Where the tables of an export go, if that sink stands for them.
fn tables_of(settings: &Settings, name: &str, sink: &dyn Sink) -> Option<ExportPlace> {
    let export = &settings.landscape.export;
    let takes = export.enabled && export.sink.as_deref() == Some(name) && export.format == ExportFormat::Csv;
    export_place(export.format, sink).filter(|_| takes)
}

/// Whether there could be, or is, a folder of tables. The file of the sink is never written.
fn tables_fit(place: &ExportPlace, sink: &dyn Sink) -> Result<(), SinkError> {
    let folder = place.files.records();
    match std::fs::metadata(&folder) {
        Ok(about) if about.is_dir() => Ok(()),
        Ok(_) => {
            let message =
                format!("cannot write tables of the record into `{}`: it is a file", folder.display());
            Err(SinkError::new(message).with_help("choose another path"))
        }
        Err(_) => sink.preflight(),
    }
}

/// A pipe is not opened: who writes into it would see it closed again, and what was written until then would be lost.
fn readable(path: &Path) -> std::io::Result<()> {
    let metadata = std::fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(std::io::Error::other("it is a folder"));
    }
    if metadata.is_file() {
        std::fs::File::open(path)?;
    }
    Ok(())
}
