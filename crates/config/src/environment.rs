//! The environment as settings see it: variables, `.env` files, working directory. Nothing global is changed, and nothing
//! but a `.env` file is read after [`Environment::of_process`].

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::{Diagnostic, dotenv, variables};

/// Variables and working directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    /// Names of variables that are set to something that is no text.
    unreadable: BTreeSet<String>,
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
        Self { variables, unreadable: BTreeSet::new(), working_directory: working_directory.into() }
    }

    /// This process's. A variable that is not UTF-8 is an error where settings refer to it.
    ///
    /// # Errors
    /// When there is no working directory (it was deleted).
    pub fn of_process() -> std::io::Result<Self> {
        Ok(Self::new(BTreeMap::new(), std::env::current_dir()?).with(std::env::vars_os()))
    }

    fn with(mut self, variables: impl Iterator<Item = (OsString, OsString)>) -> Self {
        for (name, value) in variables {
            match (name.into_string(), value.into_string()) {
                (Ok(name), Ok(value)) => {
                    self.variables.insert(name, value);
                }
                (Ok(name), Err(_)) => {
                    self.unreadable.insert(name);
                }
                (Err(name), _) => {
                    self.unreadable.insert(name.to_string_lossy().into_owned());
                }
            }
        }
        self
    }

    /// The same with what a `.env` file adds; it never overrides what is set.
    ///
    /// # Errors
    /// A [`Diagnostic`] when the file cannot be read or is not written as such a file, and for a variable of this program
    /// (`ELSPETH_...`) that is not UTF-8.
    pub fn with_dotenv(mut self, dotenv: &Dotenv) -> Result<Self, Box<Diagnostic>> {
        if let Some(name) = self.unreadable.iter().find(|name| name.starts_with(variables::PREFIX)) {
            let message = format!("the environment variable `{name}` is not UTF-8 text");
            return Err(Box::new(Diagnostic {
                file: Some("the environment".to_owned()),
                ..Diagnostic::new("not-utf8", message).with_help("set it to UTF-8 text, or unset it")
            }));
        }
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
                if !self.unreadable.contains(&name) {
                    self.variables.entry(name).or_insert(value);
                }
            }
        }
        Ok(self)
    }

    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// Whether a variable is set to something that is no text.
    pub(crate) fn is_unreadable(&self, name: &str) -> bool {
        self.unreadable.contains(name)
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

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_no_text_is_not_taken_for_one_that_is_not_set() {
        use std::os::unix::ffi::OsStringExt;
        let of = |name: &[u8]| {
            let variable = (OsString::from_vec(name.to_vec()), OsString::from_vec(b"caf\xe9".to_vec()));
            Environment::new(BTreeMap::new(), "/").with(std::iter::once(variable))
        };
        let other = of(b"DIR").with_dotenv(&Dotenv::Off).unwrap();
        assert!(other.is_unreadable("DIR") && other.get("DIR").is_none());
        for (name, shown) in [
            ("ELSPETH_LANDSCAPE__URL".as_bytes(), "ELSPETH_LANDSCAPE__URL"),
            (b"ELSPETH_\xe9", "ELSPETH_\u{fffd}"),
        ] {
            let error = of(name).with_dotenv(&Dotenv::Off).unwrap_err();
            assert_eq!(error.message, format!("the environment variable `{shown}` is not UTF-8 text"));
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_dotenv_file_does_not_stand_in_for_a_variable_that_is_no_text() {
        use std::os::unix::ffi::OsStringExt;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".env"), "DIR=file\n").unwrap();
        let set = std::iter::once(("DIR".into(), OsString::from_vec(vec![0xe9])));
        let environment = Environment::new(BTreeMap::new(), folder.path()).with(set);
        assert_eq!(environment.with_dotenv(&Dotenv::Search).unwrap().get("DIR"), None);
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
