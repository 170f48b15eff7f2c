//! An export in files. Each appears under its name when it is whole and durable; the manifest last.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use elspeth_canonical::{HashVersion, Hasher};
use elspeth_contracts::{RunId, create_durable, sync_folder};
use elspeth_proof::SecretKey;
use tempfile::NamedTempFile;

use super::{
    Counts, ExportError, Kind, Line, LineSink, Manifest, ManifestExport, ManifestFile, ManifestRun, NOTE,
    Target, sign,
};

/// Files that an export is written to.
pub struct ExportFiles {
    target: Target,
    run: RunId,
    open: BTreeMap<Option<Kind>, Output>,
    scratch: Vec<u8>,
}

/// One of them.
struct Output {
    name: String,
    writer: Writer,
}

enum Writer {
    Json(Whole),
    Csv(Box<csv::Writer<Whole>>),
}

/// A file that is not under its name yet, with its hash.
pub(super) type Whole = Hashing<BufWriter<NamedTempFile>>;

/// Hashes what is written.
pub(super) struct Hashing<W> {
    into: W,
    hasher: Hasher,
    bytes: u64,
}

impl ExportFiles {
    /// Begins; creates the folder where it does not exist.
    ///
    /// # Errors
    /// [`ExportError::Exists`] when there is an export already, [`ExportError::Io`].
    pub fn create(target: Target, run: RunId) -> Result<Self, ExportError> {
        let records = target.records.as_ref().map(|name| target.folder.join(name));
        let there = [Some(target.manifest()), records].into_iter().flatten().find(|path| path.exists());
        if let Some(path) = there.filter(|_| !target.replaces) {
            return Err(ExportError::Exists(path));
        }
        let folder = folder(&target.folder);
        create_durable(folder).map_err(ExportError::io("creating", folder))?;
        Ok(Self { target, run, open: BTreeMap::new(), scratch: Vec::new() })
    }

    /// Gives the files their names: those with records first, then the signature, the manifest last.
    ///
    /// # Errors
    /// [`ExportError::Io`].
    pub fn finish(
        mut self,
        run: &ManifestRun,
        export: ManifestExport,
        counts: &Counts,
        key: Option<&SecretKey>,
    ) -> Result<Manifest, ExportError> {
        let Self { target, open, .. } = &mut self;
        target.clear(open.values().map(|output| output.name.as_str()))?;
        let mut files = Vec::new();
        for (_, Output { name, writer }) in std::mem::take(open) {
            let file = writer.into_file(&target.folder.join(&name))?;
            files.push(file.finish(&target.folder, name, target.replaces)?);
        }
        let manifest = Manifest::of(run, export, counts, files);
        target.describe(&manifest, key)?;
        Ok(manifest)
    }
}

/// Describes a file of lines that somebody else wrote, by a manifest beside it, with its signature. One that is there already is
/// replaced.
///
/// # Errors
/// [`ExportError::Io`]; [`ExportError::NoExport`] when the file's name does not end in `.jsonl`.
pub fn describe(
    lines: &Path,
    run: &ManifestRun,
    export: ManifestExport,
    counts: &Counts,
    key: Option<&SecretKey>,
) -> Result<Manifest, ExportError> {
    let target = Target::json(lines).replacing();
    let Some(name) = target.records.clone().filter(|_| target.records() == lines) else {
        let what = "only files of lines, with names that end in `.jsonl`, can be described".to_owned();
        return Err(ExportError::NoExport { path: lines.to_owned(), what });
    };
    let io = || ExportError::io("reading", lines);
    let mut file = File::open(lines).map_err(io())?;
    let mut hashing = Hashing { into: io::sink(), hasher: HashVersion::Sha256V1.hasher(), bytes: 0 };
    io::copy(&mut file, &mut hashing).map_err(io())?;
    let file = ManifestFile { name, bytes: hashing.bytes, sha256: hashing.hasher.finish().to_string() };
    let manifest = Manifest::of(run, export, counts, vec![file]);
    target.clear(std::iter::empty())?;
    target.describe(&manifest, key)?;
    Ok(manifest)
}

impl Target {
    /// Takes away what an export that is replaced has and the new one has not: its manifest first, so that nobody takes the
    /// rest for a whole one.
    fn clear<'n>(&self, written: impl Iterator<Item = &'n str>) -> Result<(), ExportError> {
        if !self.replaces {
            return Ok(());
        }
        remove(&self.manifest())?;
        remove(&self.folder.join(self.note()))?;
        let written: Vec<&str> = written.collect();
        let tables = Kind::ALL.iter().map(|kind| csv_name(*kind)).filter(|_| self.records.is_none());
        for stale in tables.filter(|name| !written.contains(&name.as_str())) {
            remove(&self.folder.join(stale))?;
        }
        Ok(())
    }

    /// All files that an export may write there; of one that it replaces it takes those away that it does not write.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let records = match &self.records {
            Some(name) => vec![name.clone()],
            None => Kind::ALL.iter().map(|kind| csv_name(*kind)).collect(),
        };
        let about = [self.manifest_name().to_owned(), self.note()];
        records.into_iter().chain(about).map(|name| self.folder.join(name)).collect()
    }

    fn describe(&self, manifest: &Manifest, key: Option<&SecretKey>) -> Result<(), ExportError> {
        let text = manifest.text();
        if let Some(key) = key {
            let note = sign(manifest, &text, key);
            write_whole(&self.folder, self.note(), note.as_bytes())?;
        }
        write_whole(&self.folder, self.manifest_name().to_owned(), text.as_bytes())
    }

    fn note(&self) -> String {
        format!("{}{NOTE}", self.manifest_name())
    }
}

fn remove(path: &Path) -> Result<(), ExportError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(ExportError::io("replacing", path)(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn csv_name(kind: Kind) -> String {
    format!("{}.csv", kind.table())
}

impl LineSink for ExportFiles {
    fn line(&mut self, line: &Line) -> Result<(), ExportError> {
        let Self { target, run, open, scratch } = self;
        let key = target.records.is_none().then(|| line.kind());
        let output = match open.entry(key) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(place) => place.insert(Output::create(target, line.kind())?),
        };
        let written = match &mut output.writer {
            Writer::Json(file) => {
                scratch.clear();
                line.write_json(*run, scratch);
                file.write_all(scratch)
            }
            Writer::Csv(writer) => writer.write_record(line.cells(*run)).map_err(Into::into),
        };
        written.map_err(|error| ExportError::io("writing", target.folder.join(&output.name))(error))
    }
}

impl Output {
    fn create(target: &Target, kind: Kind) -> Result<Self, ExportError> {
        let name = target.records.clone().unwrap_or_else(|| csv_name(kind));
        let path = target.folder.join(&name);
        if path.exists() && !target.replaces {
            return Err(ExportError::Exists(path));
        }
        let file = Whole::create(&target.folder)?;
        let writer = match target.records {
            Some(_) => Writer::Json(file),
            None => {
                let mut writer = csv::Writer::from_writer(file);
                let head = writer.write_record(Line::head(kind));
                head.map_err(|error| ExportError::io("writing", path)(error.into()))?;
                Writer::Csv(Box::new(writer))
            }
        };
        Ok(Self { name, writer })
    }
}

impl Writer {
    fn into_file(self, path: &Path) -> Result<Whole, ExportError> {
        match self {
            Self::Json(file) => Ok(file),
            Self::Csv(writer) => {
                writer.into_inner().map_err(|error| ExportError::io("writing", path)(error.into_error()))
            }
        }
    }
}

/// Writes a small file that appears as a whole, and durably.
fn write_whole(folder: &Path, name: String, bytes: &[u8]) -> Result<(), ExportError> {
    let mut file = Whole::create(folder)?;
    file.write_all(bytes).map_err(ExportError::io("writing", folder.join(&name)))?;
    file.finish(folder, name, false).map(|_| ())
}

/// The folder of a path without one is the working directory.
pub(super) fn folder(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

impl Whole {
    pub(super) fn create(into: &Path) -> Result<Self, ExportError> {
        let into = folder(into);
        let mut builder = tempfile::Builder::new();
        builder.prefix(".elspeth-export-");
        // As readable as other files, though it is under way.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(into).map_err(ExportError::io("creating a file in", into))?;
        Ok(Self { into: BufWriter::new(file), hasher: HashVersion::Sha256V1.hasher(), bytes: 0 })
    }

    /// Makes it durable under its name.
    pub(super) fn finish(
        self,
        into: &Path,
        name: String,
        replaces: bool,
    ) -> Result<ManifestFile, ExportError> {
        let path = into.join(&name);
        let io = || ExportError::io("writing", &path);
        let file = self.into.into_inner().map_err(|error| io()(error.into_error()))?;
        file.as_file().sync_all().map_err(io())?;
        let persisted = if replaces { file.persist(&path) } else { file.persist_noclobber(&path) };
        persisted.map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => ExportError::Exists(path.clone()),
            _ => io()(error.error),
        })?;
        sync_folder(into).map_err(ExportError::io("writing", into))?;
        Ok(ManifestFile { name, bytes: self.bytes, sha256: self.hasher.finish().to_string() })
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.into.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.into.flush()
    }
}
