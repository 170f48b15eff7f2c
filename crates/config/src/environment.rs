//! The environment as settings see it: variables, `.env` files, working directory. Nothing global is changed, and nothing
//! but a `.env` file is read after [`Environment::of_process`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::{Diagnostic, dotenv};

/// Variables and working directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    working_directory: PathBuf,
}

/// Which `.env` file is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dotenv {
    /// The first `.env` from the working directory upward, if there is one.
    Search,
    /// This one.
    File(PathBuf),
    /// None.
    Off,
}

impl Environment {
    /// An environment of these variables only.
    #[must_use]
    pub fn new(variables: BTreeMap<String, String>, working_directory: impl Into<PathBuf>) -> Self {
        Self { variables, working_directory: working_directory.into() }
    }

    /// This process's. Variables that are not Unicode do not exist for settings.
    ///
    /// # Errors
    /// When there is no working directory (it was deleted).
    pub fn of_process() -> std::io::Result<Self> {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Ok(Self { variables, working_directory: std::env::current_dir()? })
    }

    /// The same with what a `.env` file adds; it never overrides what is set.
    ///
    /// # Errors
    /// A [`Diagnostic`] when the file cannot be read or is not written as such a file.
    pub fn with_dotenv(mut self, dotenv: &Dotenv) -> Result<Self, Box<Diagnostic>> {
        let file = match dotenv {
            Dotenv::Off => None,
            Dotenv::File(path) => Some(self.working_directory.join(path)),
            Dotenv::Search => self
                .working_directory
                .ancestors()
                .map(|folder| folder.join(".env"))
                .find(|path| path.is_file()),
        };
        if let Some(path) = file {
            for (name, value) in read_dotenv(&path, &self.variables)? {
                self.variables.entry(name).or_insert(value);
            }
        }
        Ok(self)
    }

    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// All variables, by name.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// What relative paths are relative to.
    #[must_use]
    pub fn working_directory(&self) -> &Path {
        &self.working_directory
    }
}

fn read_dotenv(
    path: &Path,
    outer: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Box<Diagnostic>> {
    let refused = |message: String| {
        let mut diagnostic = Diagnostic::new("bad-env-file", message);
        diagnostic.file = Some(path.display().to_string());
        Box::new(diagnostic)
    };
    let text = std::fs::read_to_string(path).map_err(|e| refused(format!("cannot read it: {e}")))?;
    dotenv::read(&text, outer).map_err(|bad| {
        let mut diagnostic = refused(bad.message);
        diagnostic.help = Some("write one `NAME=value` on each line".to_owned());
        (diagnostic.line, diagnostic.column) = (Some(bad.line), Some(1));
        diagnostic
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_dotenv_upward_is_read_and_never_overrides() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(folder.path().join(".env"), "SET=file\nNEW='two words'\n").unwrap();
        let set = BTreeMap::from([("SET".to_owned(), "process".to_owned())]);
        let environment = Environment::new(set.clone(), &deep).with_dotenv(&Dotenv::Search).unwrap();
        assert_eq!(environment.get("SET"), Some("process"));
        assert_eq!(environment.get("NEW"), Some("two words"));
        assert_eq!(Environment::new(set, &deep).with_dotenv(&Dotenv::Off).unwrap().get("NEW"), None);
    }

    #[test]
    fn a_named_file_must_be_there_and_be_one() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::new(BTreeMap::new(), folder.path());
        let missing = environment.clone().with_dotenv(&Dotenv::File("x.env".into())).unwrap_err();
        assert_eq!(missing.code, "bad-env-file");
        std::fs::write(folder.path().join("x.env"), "A=1\nDB_PASSWORD='hunter2\n").unwrap();
        let broken = environment.with_dotenv(&Dotenv::File("x.env".into())).unwrap_err();
        assert_eq!(broken.file, Some(folder.path().join("x.env").display().to_string()));
        assert_eq!(broken.line, Some(2));
        assert!(
            broken.message.contains("`DB_PASSWORD`") && !broken.to_string().contains("hunter2"),
            "{broken}"
        );
    }
}
