//! The same pipelines with their records on PostgreSQL, beside SQLite; and several processes at once.
//!
//! The server is a throw-away one with its default settings, as durable as in production. Each run has a new database, which
//! is there before the time counts; both kinds of runs take turns.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use elspeth_testkit::{PgCluster, PgDurability};
use serde::Deserialize;

use super::data;
use super::pipelines::Pipeline;
use super::table::median;
use crate::command;
use crate::error::Error;

/// Processes that write at once.
const AT_ONCE: u32 = 4;
/// All tables and indexes of a record, and those of bodies alone.
const SIZES: &str = "SELECT sum(pg_total_relation_size(c.oid)), sum(pg_total_relation_size(c.oid)) FILTER (WHERE relname = 'bodies')
    FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'";

/// What is measured, with which program, and where.
pub(super) struct Servers<'a> {
    pub(super) program: PathBuf,
    pub(super) folder: PathBuf,
    pub(super) runs: u32,
    pub(super) rows: &'a [u64],
    pub(super) pipelines: &'a [Pipeline],
}

/// One way to keep a record.
#[derive(Clone, Copy)]
enum Kept<'a> {
    File,
    Server(&'a PgCluster, &'a str),
}

impl Servers<'_> {
    /// Everything, as Markdown.
    pub(super) fn measure(&self) -> Result<String, Error> {
        let cluster = PgCluster::start(PgDurability::Full);
        let cluster = cluster.ok_or_else(|| Error::format("the machine", "it has no PostgreSQL"))?;
        let mut text = String::from(
            "| pipeline | rows | SQLite s | PostgreSQL s | SQLite rows/s | PostgreSQL rows/s | ratio | record B/row | body B/row |\n\
             |---|--:|--:|--:|--:|--:|--:|--:|--:|\n",
        );
        let mut together = String::new();
        for rows in self.rows {
            data::write(&self.input(*rows), *rows)?;
            self.warm_up(&cluster, *rows)?;
            for pipeline in self.pipelines {
                text.push_str(&self.case(&cluster, *pipeline, *rows)?);
            }
            together.push_str(&self.several(&cluster, *rows)?);
        }
        Ok(text + &together)
    }

    /// A new server makes the files of its write-ahead log while it writes them; one that is in use has them.
    fn warm_up(&self, cluster: &PgCluster, rows: u64) -> Result<(), Error> {
        let database = fresh(cluster);
        self.run((Pipeline::Transform, rows), Kept::Server(cluster, &database))?;
        forget(cluster, &database);
        Ok(())
    }

    fn input(&self, rows: u64) -> PathBuf {
        self.folder.join(format!("input-{rows}.csv"))
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers of rows and bytes are far below 2^53")]
    fn case(&self, cluster: &PgCluster, pipeline: Pipeline, rows: u64) -> Result<String, Error> {
        let (mut files, mut servers, mut sizes) = (Vec::new(), Vec::new(), [0.0, 0.0]);
        for number in 1..=self.runs {
            eprintln!("{} with {rows} rows: run {number} of {}", pipeline.name(), self.runs);
            let database = fresh(cluster);
            files.push(self.run((pipeline, rows), Kept::File)?);
            servers.push(self.run((pipeline, rows), Kept::Server(cluster, &database))?);
            let told = cluster.psql(&database, SIZES);
            let mut told = told.split('|').map(|size| size.parse::<u64>().unwrap_or_default() as f64);
            sizes = [told.next().unwrap_or_default(), told.next().unwrap_or_default()];
            forget(cluster, &database);
        }
        let (file, server, count) = (median(files.into_iter()), median(servers.into_iter()), rows as f64);
        let [all, bodies] = sizes;
        Ok(format!(
            "| {} | {rows} | {file:.3} | {server:.3} | {:.0} | {:.0} | {:.2} | {:.0} | {:.0} |\n",
            pipeline.shape(),
            count / file,
            count / server,
            file / server,
            (all - bodies) / count,
            bodies / count,
        ))
    }

    /// Seconds of one run.
    fn run(&self, (pipeline, rows): (Pipeline, u64), kept: Kept<'_>) -> Result<f64, Error> {
        let folder = self.folder.join(format!("server-{}", pipeline.name()));
        let started = Instant::now();
        let child = self.start((pipeline, rows), kept, &folder)?;
        finish(child, rows, &folder)?;
        let seconds = started.elapsed().as_secs_f64();
        fs::remove_dir_all(&folder).map_err(Error::io(&folder))?;
        Ok(seconds)
    }

    fn start(
        &self,
        (pipeline, rows): (Pipeline, u64),
        kept: Kept<'_>,
        folder: &Path,
    ) -> Result<Child, Error> {
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(Error::io(folder))?;
        }
        fs::create_dir_all(folder).map_err(Error::io(folder))?;
        let settings = folder.join("settings.yaml");
        fs::write(&settings, pipeline.settings(&self.input(rows), folder, true))
            .map_err(Error::io(&settings))?;
        let output = folder.join("stdout");
        let said = fs::File::create(&output).map_err(Error::io(&output))?;
        let mut command = self.elspeth(kept);
        command.arg("run").arg("-s").arg(&settings).args(["-x", "--json"]).stdout(said).stdin(Stdio::null());
        command.spawn().map_err(|source| Error::Start { command: command::shown(&command), source })
    }

    fn elspeth(&self, kept: Kept<'_>) -> Command {
        let mut command = Command::new(&self.program);
        if let Kept::Server(cluster, database) = kept {
            command.env("ELSPETH_LANDSCAPE__URL", url(cluster, database));
        }
        command
    }

    /// Several processes with a run each, into one database; then each is verified.
    #[expect(clippy::cast_precision_loss, reason = "numbers of rows are far below 2^53")]
    fn several(&self, cluster: &PgCluster, rows: u64) -> Result<String, Error> {
        let (mut alone, mut together) = (Vec::new(), Vec::new());
        for number in 1..=self.runs {
            eprintln!("{AT_ONCE} processes with {rows} rows each: {number} of {}", self.runs);
            let database = fresh(cluster);
            alone.push(self.run((Pipeline::Route, rows), Kept::Server(cluster, &database))?);
            forget(cluster, &database);
            let database = fresh(cluster);
            together.push(self.at_once(Kept::Server(cluster, &database), rows)?);
            forget(cluster, &database);
        }
        let count = rows as f64;
        let (one, all) =
            (count / median(alone.into_iter()), count * f64::from(AT_ONCE) / median(together.into_iter()));
        let mut text = String::new();
        write!(
            text,
            "\n{AT_ONCE} processes at once with {rows} rows each ({}): {all:.0} rows/s; one alone: {one:.0} rows/s ({:.2})\n",
            Pipeline::Route.shape(),
            all / one,
        )
        .expect("a String takes all text");
        Ok(text)
    }

    fn at_once(&self, kept: Kept<'_>, rows: u64) -> Result<f64, Error> {
        let folders: Vec<PathBuf> = (0..AT_ONCE).map(|n| self.folder.join(format!("server-{n}"))).collect();
        let started = Instant::now();
        let children = folders.iter().map(|folder| self.start((Pipeline::Route, rows), kept, folder));
        let children: Vec<Child> = children.collect::<Result<_, _>>()?;
        for (child, folder) in children.into_iter().zip(&folders) {
            finish(child, rows, folder)?;
        }
        let seconds = started.elapsed().as_secs_f64();
        // Bodies are beside the outputs, so this comes before they go.
        self.check(kept)?;
        folders.iter().try_for_each(|folder| fs::remove_dir_all(folder).map_err(Error::io(folder)))?;
        Ok(seconds)
    }

    /// Nothing was lost.
    fn check(&self, kept: Kept<'_>) -> Result<(), Error> {
        let Kept::Server(cluster, database) = kept else { return Ok(()) };
        let runs = cluster.psql(database, "SELECT count(*) FROM runs WHERE status = 1");
        if runs != AT_ONCE.to_string() {
            return Err(Error::format("the record", format!("it has {runs} completed runs")));
        }
        command::output(self.elspeth(kept).args(["verify", "--all", "-d", &url(cluster, database)])).map(drop)
    }
}

fn url(cluster: &PgCluster, database: &str) -> String {
    cluster.url_as(elspeth_testkit::PG_SUPERUSER, database)
}

fn fresh(cluster: &PgCluster) -> String {
    cluster.fresh().rsplit('/').next().unwrap_or_default().to_owned()
}

fn forget(cluster: &PgCluster, database: &str) {
    cluster.psql("postgres", &format!("DROP DATABASE {database}"));
}

/// The part of `run_completed` that shows that the run did its work.
#[derive(Deserialize)]
struct Completed {
    status: String,
    rows: Rows,
}

#[derive(Deserialize)]
struct Rows {
    processed: u64,
}

fn finish(mut child: Child, rows: u64, folder: &Path) -> Result<(), Error> {
    child.wait().map_err(Error::io(folder))?;
    let output = folder.join("stdout");
    let events = fs::read_to_string(&output).map_err(Error::io(&output))?;
    let last = events.lines().last().unwrap_or_default();
    let completed: Completed = serde_json::from_str(last)
        .map_err(|error| Error::format("the end of `elspeth run --json`", error))?;
    if completed.status == "completed" && completed.rows.processed == rows {
        return Ok(());
    }
    let detail = format!("status {}, {} of {rows} rows", completed.status, completed.rows.processed);
    Err(Error::format("the run", detail))
}
