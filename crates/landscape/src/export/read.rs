//! Reading an export: its manifest, its files, line by line.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use elspeth_canonical::HashVersion;
use elspeth_contracts::{RunId, open_plain};
use elspeth_proof::PublicKey;

use super::line::Told;
use super::note;
use super::target::{MANIFEST, beside};
use super::{Counts, ExportError, FORMAT, Form, Kind, Line, Manifest, ManifestFile, ReadLines};
use crate::registry::{Entry, Imported};

/// An export in files, whose files are what its manifest says.
#[derive(Debug)]
pub struct Export {
    folder: PathBuf,
    manifest_path: PathBuf,
    /// What it says of itself.
    pub manifest: Manifest,
    /// The text of the manifest, as it is in the file.
    pub text: String,
    /// Its signature, if it was signed.
    pub note: Option<String>,
}

impl Export {
    /// Opens one by its folder, its file of records, or its manifest, and checks that every file has its hash.
    ///
    /// # Errors
    /// [`ExportError::NoExport`] when there is none, or one of a form that this program does not know;
    /// [`ExportError::Altered`] when a file is not what the manifest says.
    pub fn open(path: &Path) -> Result<Self, ExportError> {
        let manifest_path = if path.is_dir() {
            path.join(MANIFEST)
        } else {
            beside(path).map_or_else(|| path.to_owned(), |name| path.with_file_name(name))
        };
        let missing = |what: String| ExportError::NoExport { path: manifest_path.clone(), what };
        let text = match open_plain(&manifest_path).and_then(std::io::read_to_string) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(missing("there is no manifest, so this is no whole export".to_owned()));
            }
            Err(error) => return Err(ExportError::io("reading", &manifest_path)(error)),
        };
        let manifest: Manifest = serde_json::from_str(&text)
            .map_err(|error| missing(format!("is no manifest of an export: {error}")))?;
        if manifest.format != FORMAT {
            return Err(missing(format!(
                "has the format `{}`; this program reads `{FORMAT}`",
                manifest.format
            )));
        }
        let folder = manifest_path.parent().unwrap_or(Path::new("")).to_owned();
        let note = note::read(&signature_of(&manifest_path))?;
        let export = Self { folder, manifest_path, manifest, text, note };
        export.manifest.files.iter().try_for_each(|file| export.check(file))?;
        Ok(export)
    }

    /// Where the manifest is.
    #[must_use]
    pub fn manifest_path(&self) -> &Path {
        &self.manifest_path
    }

    /// The names of those among `keys` that signed it.
    ///
    /// # Errors
    /// What is wrong with the signature, in words.
    pub fn signers(&self, keys: &[PublicKey]) -> Result<Vec<String>, String> {
        match &self.note {
            Some(note) => note::signers((&self.manifest, &self.text), note, keys),
            None => Ok(Vec::new()),
        }
    }

    fn check(&self, file: &ManifestFile) -> Result<(), ExportError> {
        let path = self.path(file)?;
        let altered = |what: String| ExportError::Altered { path: path.clone(), what };
        let mut opened = match open_plain(&path) {
            Ok(opened) => opened,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(altered("it is missing".to_owned()));
            }
            Err(error) => return Err(ExportError::io("reading", &path)(error)),
        };
        let (mut hasher, mut bytes, mut buffer) = (HashVersion::Sha256V1.hasher(), 0_u64, vec![0; 1 << 16]);
        loop {
            let read = opened.read(&mut buffer).map_err(ExportError::io("reading", &path))?;
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
            bytes += read as u64;
        }
        if bytes != file.bytes {
            return Err(altered(format!("it has {bytes} bytes, but the manifest says {}", file.bytes)));
        }
        match hasher.finish().to_string() == file.sha256 {
            true => Ok(()),
            false => Err(altered("it does not have the SHA-256 that the manifest says".to_owned())),
        }
    }

    /// Files lie beside the manifest, and nowhere else.
    fn path(&self, file: &ManifestFile) -> Result<PathBuf, ExportError> {
        match Path::new(&file.name).file_name() {
            Some(name) if name == file.name.as_str() => Ok(self.folder.join(name)),
            Some(_) | None => Err(ExportError::Altered {
                path: self.manifest_path.clone(),
                what: format!("`{}` is no name of a file beside it", file.name),
            }),
        }
    }

    /// Gives every line: in the order of the file, or of the kinds where each has a file. The run comes first. What `take`
    /// says against a line is told with the line's place. At the end the lines must say what the manifest says.
    ///
    /// # Errors
    /// [`ExportError::Line`], or those of `take`.
    pub fn each(
        &self,
        mut take: impl FnMut(Line) -> Result<(), LineError>,
    ) -> Result<(RunId, Counts), ExportError> {
        let (mut run, mut counts) = (None, Counts::new());
        let (mut first, mut came_without_bodies) = (None, false);
        for (file, kind) in self.ordered()? {
            let path = self.path(file)?;
            let mut one = |line: u64, read: Result<Told, String>| -> Result<(), ExportError> {
                let wrong = |what: String| ExportError::Line { path: path.clone(), line, what };
                let record = read.and_then(|told| follows(told, &mut run)).map_err(wrong)?;
                *counts.entry(record.kind()).or_default() += 1;
                if let Line::Run(line) = &record {
                    first = Some(line.clone());
                } else if let Line::Registry(line) = &record {
                    came_without_bodies |= is_without_bodies(&line.entry);
                }
                take(record).map_err(|error| match error {
                    LineError::Wrong(what) => wrong(what),
                    LineError::Other(error) => *error,
                })
            };
            match kind {
                None => self.lines(&path, &mut one)?,
                Some(kind) => self.cells(&path, kind, &mut one)?,
            }
        }
        let altered = |what: String| ExportError::Altered { path: self.manifest_path.clone(), what };
        let run = first.ok_or_else(|| altered("there is no run in its files".to_owned()))?;
        let read = ReadLines { run, counts, came_without_bodies };
        self.manifest.check(&read).map_err(altered)?;
        Ok((read.run.run_id, read.counts))
    }

    /// The files in the order in which they are read, each with the kind that it has alone.
    fn ordered(&self) -> Result<Vec<(&ManifestFile, Option<Kind>)>, ExportError> {
        let files = &self.manifest.files;
        match self.manifest.form {
            Form::Json => Ok(files.iter().map(|file| (file, None)).collect()),
            Form::Csv => {
                let kind = |file: &ManifestFile| {
                    let table = file.name.strip_suffix(".csv")?;
                    Kind::ALL.iter().copied().find(|kind| kind.table() == table)
                };
                let mut found = Vec::new();
                for file in files {
                    let kind = kind(file).ok_or_else(|| ExportError::Altered {
                        path: self.manifest_path.clone(),
                        what: format!("`{}` is not the name of a table", file.name),
                    })?;
                    found.push((file, Some(kind)));
                }
                found.sort_by_key(|(_, kind)| *kind);
                Ok(found)
            }
        }
    }

    fn lines(&self, path: &Path, one: Each<'_>) -> Result<(), ExportError> {
        let mut reader = BufReader::new(open_plain(path).map_err(ExportError::io("reading", path))?);
        let mut bytes = Vec::new();
        for number in 1.. {
            bytes.clear();
            if reader.read_until(b'\n', &mut bytes).map_err(ExportError::io("reading", path))? == 0 {
                break;
            }
            let text = std::str::from_utf8(&bytes).map_err(|_| "it is no UTF-8".to_owned());
            one(number, text.and_then(Line::read_json))?;
        }
        Ok(())
    }

    fn cells(&self, path: &Path, kind: Kind, one: Each<'_>) -> Result<(), ExportError> {
        let file = open_plain(path).map_err(ExportError::io("reading", path))?;
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(file);
        let mut record = csv::StringRecord::new();
        let mut headed = false;
        loop {
            let line = reader.position().line();
            let more = reader.read_record(&mut record);
            if !matches!(more, Ok(true)) {
                if let Err(error) = more {
                    one(line, Err(error.to_string()))?;
                }
                return Ok(());
            }
            if headed {
                one(line, Line::read_cells(kind, &record))?;
            } else if record.iter().ne(Line::head(kind)) {
                let names: Vec<_> = Line::head(kind).collect();
                one(line, Err(format!("its head must be `{}`", names.join(","))))?;
            }
            headed = true;
        }
    }
}

/// The file of the signature of a manifest.
fn signature_of(manifest: &Path) -> PathBuf {
    let mut name = manifest.as_os_str().to_owned();
    name.push(note::NOTE);
    PathBuf::from(name)
}

/// Takes what was read at a line.
type Each<'a> = &'a mut dyn FnMut(u64, Result<Told, String>) -> Result<(), ExportError>;

/// Why a line is not taken.
#[derive(Debug)]
pub enum LineError {
    /// It cannot be what it is.
    Wrong(String),
    /// It could not be taken.
    Other(Box<ExportError>),
}

/// Whether an entry of the registry says that a run was imported without its bodies.
pub(super) fn is_without_bodies(entry: &str) -> bool {
    matches!(Entry::read(entry), Some(Entry::Imported(Imported { bodies: false, .. })))
}

/// The run comes first, and once; what names itself has names of that run.
fn follows(told: Told, run: &mut Option<RunId>) -> Result<Line, String> {
    match (&told.line, *run) {
        (Line::Run(line), None) => *run = Some(line.run_id),
        (Line::Run(_), Some(_)) => return Err("there is a run before it already".to_owned()),
        (_, None) => return Err("the run must come first".to_owned()),
        (_, Some(_)) => {}
    }
    told.of(run.expect("it is known by now"))
}
