//! Where the record of a run is: in a file beside it, or in a database of a PostgreSQL server.

use std::path::Path;
use std::process::Command;

use elspeth_faults::{Act, Point};
use elspeth_testkit::{PG_SUPERUSER, PgCluster};
use rusqlite::{Connection, OpenFlags};

use super::journal::JOURNAL;
use super::mirror;
use crate::error::Error;

/// The record's file, in each folder.
const FILE: &str = "audit.db";
/// Says nothing: which database it is comes from the environment, so that settings are the same for all runs.
const SERVER: &str = "postgresql:///";
/// A process that gives a server up says one of these.
const GIVEN_UP: [&str; 3] = [
    "the server cannot be reached, or it went away",
    "the server goes down or comes up",
    "the connection to the server was lost",
];

/// The record of one run.
#[derive(Clone)]
pub(super) enum Kept<'a> {
    InFile,
    InServer(Database<'a>),
}

/// A server, and the schema of the same record in SQLite.
#[derive(Clone, Copy)]
pub(super) struct Server<'a> {
    pub(super) cluster: &'a PgCluster,
    pub(super) pattern: &'a str,
}

/// A database of a server.
#[derive(Clone)]
pub(super) struct Database<'a> {
    pub(super) server: Server<'a>,
    name: String,
}

/// Where records are made: a new one for each run.
#[derive(Clone, Copy)]
pub(super) enum Keeping<'a> {
    InFiles,
    InServer(Server<'a>),
}

impl<'a> Keeping<'a> {
    /// Whether a run comes there at all: a server has files of its own.
    pub(super) fn comes_to(self, point: Point) -> bool {
        let of_file = [Act::MakeDatabase, Act::SyncLog, Act::FoldLog]
            .map(|act| [Point::Before(act), Point::After(act)]);
        match self {
            Self::InFiles => true,
            Self::InServer(_) => !of_file.as_flattened().contains(&point),
        }
    }

    /// Whether there is a server that can go away.
    pub(super) fn has_server(self) -> bool {
        match self {
            Self::InFiles => false,
            Self::InServer(_) => true,
        }
    }

    /// The same on another server, if there is one.
    pub(super) fn on<'b>(self, cluster: Option<&'b PgCluster>) -> Keeping<'b>
    where
        'a: 'b,
    {
        match (self, cluster) {
            (Self::InServer(server), Some(cluster)) => Keeping::InServer(Server { cluster, ..server }),
            (same, _) => same,
        }
    }

    /// The record of a run that is about to begin.
    pub(super) fn one(self) -> Kept<'a> {
        match self {
            Self::InFiles => Kept::InFile,
            Self::InServer(server) => {
                let url = server.cluster.fresh();
                let name = url.rsplit('/').next().unwrap_or_default().to_owned();
                Kept::InServer(Database { server, name })
            }
        }
    }
}

impl Kept<'_> {
    /// What commands call it.
    pub(super) fn argument(&self) -> &'static str {
        match self {
            Self::InFile => FILE,
            Self::InServer(_) => SERVER,
        }
    }

    /// Tells a process where it is.
    pub(super) fn tell(&self, command: &mut Command) {
        if let Self::InServer(Database { server, name }) = self {
            command
                .env("PGHOST", server.cluster.socket())
                .env("PGUSER", PG_SUPERUSER)
                .env("PGDATABASE", name);
            command.env("ELSPETH_LANDSCAPE__URL", SERVER);
            // Beside a file it has its place without being asked.
            command.env("ELSPETH_LANDSCAPE__DUMP_TO_JSONL_PATH", JOURNAL);
        }
    }

    /// Whether a run is registered. Looks without tidying up what the killed process left: that is the product's to do.
    pub(super) fn has_run(&self, folder: &Path) -> bool {
        match self {
            Self::InFile => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
                let found = Connection::open_with_flags(folder.join(FILE), flags).and_then(|connection| {
                    connection.query_row("SELECT count(*) FROM runs", (), |row| row.get::<_, i64>(0))
                });
                found.is_ok_and(|runs| runs > 0)
            }
            Self::InServer(database) => {
                database.ask("SELECT to_regclass('runs') IS NOT NULL") == "t"
                    && database.ask("SELECT count(*) FROM runs") != "0"
            }
        }
    }

    /// The record as something that can be asked here: the file, or a mirror of the server's tables.
    pub(super) fn open(&self, folder: &Path) -> Result<Connection, Error> {
        match self {
            Self::InFile => {
                let path = folder.join(FILE);
                Connection::open(&path).map_err(|error| Error::format(path.display().to_string(), error))
            }
            Self::InServer(database) => mirror::of(database),
        }
    }

    /// When it is not needed any more.
    pub(super) fn forget(self) {
        if let Self::InServer(Database { server, name }) = self {
            server.cluster.psql("postgres", &format!("DROP DATABASE {name} WITH (FORCE)"));
        }
    }

    /// Whether a process said that it gave the server up.
    pub(super) fn was_given_up(&self, said: &str) -> bool {
        match self {
            Self::InFile => false,
            Self::InServer(_) => GIVEN_UP.iter().any(|words| said.contains(words)),
        }
    }
}

impl Database<'_> {
    pub(super) fn ask(&self, sql: &str) -> String {
        self.server.cluster.psql(&self.name, sql)
    }

    /// Ends what serves this database, and with it everybody's connections.
    pub(super) fn kill_backends(&self) {
        self.server.cluster.kill_backends(&self.name);
    }
}
