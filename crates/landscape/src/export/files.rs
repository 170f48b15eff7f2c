//! An export in files. Each appears under its name when it is whole and durable; the manifest last.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use elspeth_canonical::{HashVersion, Hasher};
use elspeth_contracts::RunId;
use elspeth_proof::SecretKey;
use tempfile::NamedTempFile;

use super::{
    Counts, ExportError, Form, Kind, Line, LineSink, Manifest, ManifestExport, ManifestFile, ManifestRun,
    NOTE, sign,
};

/// Name of the manifest in a folder.
pub(super) const MANIFEST: &str = "manifest.json";
/// Name of the records in a folder.
const RECORDS: &str = "records.jsonl";
/// What a file of records ends in.
pub(super) const LINES: &str = "jsonl";

/// Where an export goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    folder: PathBuf,
    /// The file of records; none for a CSV file of each kind.
    records: Option<String>,
    manifest: String,
}

impl Target {
    /// Of JSON lines: a file whose name ends in `.jsonl`, with its manifest beside it (`x.manifest.json` of `x.jsonl`); else a
    /// folder with `records.jsonl` and `manifest.json`.
    #[must_use]
    pub fn json(path: &Path) -> Self {
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        match (path.file_name().and_then(|name| name.to_str()), beside(path)) {
            (Some(name), Some(manifest)) if !path.is_dir() => {
                Self { folder, records: Some(name.to_owned()), manifest }
            }
            _ => Self {
                folder: path.to_owned(),
                records: Some(RECORDS.to_owned()),
                manifest: MANIFEST.to_owned(),
            },
        }
    }

    /// Of CSV files: a folder with one for each kind and `manifest.json`.
    #[must_use]
    pub fn csv(path: &Path) -> Self {
        Self { folder: path.to_owned(), records: None, manifest: MANIFEST.to_owned() }
    }

    /// How records are written there.
    #[must_use]
    pub fn form(&self) -> Form {
        if self.records.is_some() { Form::Json } else { Form::Csv }
    }

    /// Where the manifest will be.
    #[must_use]
    pub fn manifest(&self) -> PathBuf {
        self.folder.join(&self.manifest)
    }

    /// The file that holds all records, or the folder with those of each kind.
    #[must_use]
    pub fn records(&self) -> PathBuf {
        self.records.as_ref().map_or_else(|| self.folder.clone(), |name| self.folder.join(name))
    }
}

/// The manifest of a file of lines.
pub(super) fn beside(path: &Path) -> Option<String> {
    let stem = path.file_stem()?.to_str()?;
    (path.extension()? == LINES).then(|| format!("{stem}.manifest.json"))
}

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
struct Whole {
    file: BufWriter<NamedTempFile>,
    hasher: Hasher,
    bytes: u64,
}

impl ExportFiles {
    /// Begins; creates the folder where it does not exist.
    ///
    /// # Errors
    /// [`ExportError::Exists`] when there is an export already, [`ExportError::Io`].
    pub fn create(target: Target, run: RunId) -> Result<Self, ExportError> {
        for path in [Some(target.manifest()), target.records.as_ref().map(|name| target.folder.join(name))] {
            if let Some(path) = path.filter(|path| path.exists()) {
                return Err(ExportError::Exists(path));
            }
        }
        let folder = folder(&target.folder);
        fs::create_dir_all(folder).map_err(ExportError::io("creating", folder))?;
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
        let folder = &self.target.folder;
        let mut files = Vec::new();
        for (_, Output { name, writer }) in std::mem::take(&mut self.open) {
            files.push(writer.into_file(&folder.join(&name))?.finish(folder, name)?);
        }
        let manifest = Manifest::of(run, export, counts, files);
        let text = manifest.text();
        if let Some(key) = key {
            let note = sign(&manifest, &text, key);
            write_whole(folder, &format!("{}{NOTE}", self.target.manifest), note.as_bytes())?;
        }
        write_whole(folder, &self.target.manifest, text.as_bytes())?;
        Ok(manifest)
    }
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
        let name = target.records.clone().unwrap_or_else(|| format!("{}.csv", kind.table()));
        let path = target.folder.join(&name);
        if path.exists() {
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
fn write_whole(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), ExportError> {
    let mut file = Whole::create(folder)?;
    file.write_all(bytes).map_err(ExportError::io("writing", folder.join(name)))?;
    file.finish(folder, name.to_owned()).map(|_| ())
}

/// The folder of a path without one is the working directory.
fn folder(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

impl Whole {
    fn create(into: &Path) -> Result<Self, ExportError> {
        let into = folder(into);
        let mut builder = tempfile::Builder::new();
        builder.prefix(".elspeth-export-");
        // As readable as other files, though it is under way.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(into).map_err(ExportError::io("creating a file in", into))?;
        Ok(Self { file: BufWriter::new(file), hasher: HashVersion::Sha256V1.hasher(), bytes: 0 })
    }

    /// Makes it durable under its name.
    fn finish(self, into: &Path, name: String) -> Result<ManifestFile, ExportError> {
        let path = into.join(&name);
        let io = || ExportError::io("writing", &path);
        let file = self.file.into_inner().map_err(|error| io()(error.into_error()))?;
        file.as_file().sync_all().map_err(io())?;
        file.persist_noclobber(&path).map_err(|error| io()(error.error))?;
        sync_folder(into).map_err(ExportError::io("writing", into))?;
        Ok(ManifestFile { name, bytes: self.bytes, sha256: self.hasher.finish().to_string() })
    }
}

impl Write for Whole {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}
