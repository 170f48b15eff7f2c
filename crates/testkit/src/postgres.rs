//! A PostgreSQL server of its own, from the binaries on the machine.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;

mod disk;

pub use disk::SmallDisk;

/// Why tests do nothing.
const WITHOUT: &str = "this machine has no PostgreSQL";

/// Who owns every database of a [`PgCluster`]. Local connections need no password.
pub const PG_SUPERUSER: &str = "elspeth";
/// A role in this group, or of this name, needs its password.
pub const PG_GUARDED: &str = "guarded";

/// Whether what was committed survives a crash of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PgDurability {
    /// As in production, with the settings that `docs/operations.md` advises.
    Full,
    /// It need not, and tests are quick. A crash of the server alone costs nothing.
    None,
}

/// A throw-away PostgreSQL cluster that listens on a Unix socket alone. It is stopped and removed when it is dropped, or
/// when the process that made it ends, however that ends.
#[derive(Debug)]
pub struct PgCluster {
    folder: PathBuf,
    user: Option<User>,
    durability: PgDurability,
    /// Waits for the end of this process, then stops the server and removes the folder.
    guardian: Mutex<Option<Child>>,
    databases: AtomicUsize,
    _scratch: TempDir,
}

/// Whom servers run as when the tests are root, which they refuse to be.
#[derive(Debug, Clone, Copy)]
struct User {
    uid: u32,
    gid: u32,
}

impl PgCluster {
    /// One that all tests of this process share; `None`, where the machine has no PostgreSQL. Then the test is noted as
    /// skipped, under the name of its thread.
    ///
    /// # Panics
    /// When there are binaries, but no server comes up.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<PgCluster>> = OnceLock::new();
        let cluster = SHARED.get_or_init(|| Self::start(PgDurability::None));
        if cluster.is_none() {
            note_skipped(WITHOUT);
        }
        cluster.as_ref()
    }

    /// One of its own; `None`, where the machine has no PostgreSQL. Then the test is noted as skipped.
    ///
    /// # Panics
    /// As [`PgCluster::shared`].
    #[must_use]
    pub fn own(durability: PgDurability) -> Option<Self> {
        let cluster = Self::start(durability);
        if cluster.is_none() {
            note_skipped(WITHOUT);
        }
        cluster
    }

    /// Whether the machine has PostgreSQL.
    #[must_use]
    pub fn is_possible() -> bool {
        binary("postgres").is_some()
    }

    /// The same for a program that is no test: nothing is noted where there is none.
    ///
    /// # Panics
    /// As [`PgCluster::shared`].
    #[must_use]
    pub fn start(durability: PgDurability) -> Option<Self> {
        binary("postgres")?;
        let scratch = tempfile::Builder::new().prefix("pg-").tempdir().expect("there is a scratch folder");
        let folder = scratch.path().to_owned();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("the folder is ours");
        let uid = fs::metadata(&folder).expect("the folder was just made").uid();
        let user = (uid == 0).then(unprivileged);
        let cluster = Self {
            folder,
            user,
            durability,
            guardian: Mutex::new(None),
            databases: AtomicUsize::new(0),
            _scratch: scratch,
        };
        cluster.initialise();
        cluster.up();
        Some(cluster)
    }

    /// The folder of the server's socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.folder
    }

    /// The URL of a database as that role.
    #[must_use]
    pub fn url_as(&self, role: &str, database: &str) -> String {
        let host = self.folder.display().to_string().replace('/', "%2F");
        format!("postgresql://{role}@{host}/{database}")
    }

    /// The URL of a new and empty database.
    #[must_use]
    pub fn fresh(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("db{number}");
        self.psql("postgres", &format!("CREATE DATABASE {name}"));
        self.url_as(PG_SUPERUSER, &name)
    }

    /// What `psql` answers to SQL, fields apart by `|`.
    ///
    /// # Panics
    /// When the SQL fails.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        let told = self.try_psql((PG_SUPERUSER, database), sql);
        told.unwrap_or_else(|error| panic!("{sql}\n{error}"))
    }

    /// The same as another role; what the server says, if it refuses.
    ///
    /// # Errors
    /// The text of `psql`.
    pub fn try_psql(&self, (role, database): (&str, &str), sql: &str) -> Result<String, String> {
        let mut command = self.command("psql");
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", role, "-d", database]);
        let output = command.arg("-h").arg(&self.folder).args(["-c", sql]).output().expect("psql starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// Lets the server crash.
    pub fn crash(&self) {
        self.pg_ctl(&["-m", "immediate", "stop"]);
    }

    /// Ends the processes that serve a database with SIGKILL. The server throws everybody out, recovers by itself, and takes
    /// connections again when this returns.
    ///
    /// # Panics
    /// When it does not come back.
    pub fn kill_backends(&self, database: &str) {
        let sql = format!(
            "SELECT pid FROM pg_stat_activity WHERE datname = '{database}' AND backend_type = 'client backend'
             AND application_name <> 'psql'"
        );
        let pids = self.psql("postgres", &sql).split_whitespace().collect::<Vec<_>>().join(",");
        if pids.is_empty() {
            return;
        }
        let mut shell = self.as_user(Command::new("sh"));
        // Some may have ended meanwhile.
        let _ =
            shell.args(["-c", &format!("kill -9 {}", pids.replace(',', " "))]).stderr(Stdio::null()).status();
        // Who was killed is in the server's list until it has noticed and begun anew.
        self.wait_for("0", &format!("SELECT count(*) FROM pg_stat_activity WHERE pid IN ({pids})"));
    }

    fn wait_for(&self, expected: &str, sql: &str) {
        const PATIENCE: Duration = Duration::from_secs(60);
        let began = Instant::now();
        loop {
            match self.try_psql((PG_SUPERUSER, "postgres"), sql) {
                Ok(answer) if answer == expected => return,
                other => assert!(began.elapsed() < PATIENCE, "the server does not come back: {other:?}"),
            }
        }
    }

    /// Stops the server in good order.
    pub fn stop(&self) {
        self.pg_ctl(&["-m", "fast", "stop"]);
    }

    /// Lets it work again after [`PgCluster::crash`] or [`PgCluster::stop`].
    pub fn up(&self) {
        let mut options =
            format!("-c listen_addresses= -c unix_socket_directories='{}'", self.folder.display());
        options.push_str(" -c max_connections=60 -c log_min_messages=warning");
        options.push_str(match self.durability {
            PgDurability::Full => " -c shared_buffers=512MB -c wal_buffers=64MB -c max_wal_size=4GB",
            PgDurability::None => {
                " -c shared_buffers=64MB -c fsync=off -c full_page_writes=off -c max_wal_size=2GB"
            }
        });
        self.guard();
        self.pg_ctl(&["-o", &options, "start"]);
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Makes the files of the cluster; those that were made once are kept beside the tests.
    fn initialise(&self) {
        let kept = kept_template();
        if let Some(kept) = kept.as_ref().filter(|kept| kept.is_dir()) {
            run(Command::new("cp").arg("-a").arg(kept).arg(self.data()));
        } else {
            self.initdb();
            // Another process may keep its own at the same time: then one of both is left.
            if let Some(kept) = kept {
                let own = kept.with_extension(std::process::id().to_string());
                run(Command::new("cp").arg("-a").arg(self.data()).arg(&own));
                if fs::rename(&own, &kept).is_err() {
                    fs::remove_dir_all(&own).expect("it was made here");
                }
            }
        }
        if let Some(user) = self.user {
            let owner = format!("{}:{}", user.uid, user.gid);
            run(Command::new("chown").arg("-R").arg(owner).arg(self.data()));
            chown(&self.folder, Some(user.uid), Some(user.gid)).expect("root may give the folder away");
        }
    }

    fn initdb(&self) {
        let data = self.data();
        fs::create_dir(&data).expect("the folder is ours");
        fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).expect("the folder is ours");
        if let Some(user) = self.user {
            chown(&data, Some(user.uid), Some(user.gid)).expect("root may give the folder away");
        }
        let mut command = self.command("initdb");
        command.args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--username"]);
        run(command.arg(PG_SUPERUSER).arg("-D").arg(&data));
        let rules = data.join("pg_hba.conf");
        let before = fs::read_to_string(&rules).expect("initdb writes it");
        let mut file = fs::File::create(&rules).expect("the folder is ours");
        write!(file, "local all +{PG_GUARDED} scram-sha-256\n{before}").expect("it can be written");
    }

    /// Sees to it that nothing is left when this process is gone.
    fn guard(&self) {
        const SCRIPT: &str = "read _; \"$1\" -D \"$2/data\" -m immediate stop; rm -rf \"$2\"";
        let mut guardian = self.guardian.lock().unwrap_or_else(PoisonError::into_inner);
        if guardian.is_some() {
            return;
        }
        let mut command = self.as_user(Command::new("sh"));
        command.args(["-c", SCRIPT, "guardian"]).arg(binary("pg_ctl").expect("it comes with the server"));
        command.arg(&self.folder).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        *guardian = Some(command.process_group(0).spawn().expect("there is a shell"));
    }

    fn pg_ctl(&self, arguments: &[&str]) {
        let mut command = self.command("pg_ctl");
        command
            .args(["-s", "-w", "-t", "60"])
            .arg("-D")
            .arg(self.data())
            .arg("-l")
            .arg(self.folder.join("log"));
        run(command.args(arguments));
    }

    fn command(&self, program: &str) -> Command {
        self.as_user(Command::new(binary(program).expect("it comes with the server")))
    }

    fn as_user(&self, mut command: Command) -> Command {
        if let Some(user) = self.user {
            command.uid(user.uid).gid(user.gid);
        }
        command.current_dir("/").env_remove("PGPASSWORD").stdin(Stdio::null());
        command
    }
}

impl Drop for PgCluster {
    fn drop(&mut self) {
        let guardian = self.guardian.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut guardian) = guardian {
            drop(guardian.stdin.take());
            // It ends when the server has.
            let _ = guardian.wait();
        }
    }
}

/// Runs a command whose failure is a failure of the test.
fn run(command: &mut Command) {
    let Output { status, stderr, .. } =
        command.stdout(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {}", String::from_utf8_lossy(&stderr));
}

/// Where a program of PostgreSQL is.
fn binary(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut packaged: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.flatten().map(|version| version.path().join("bin")).collect())
        .unwrap_or_default();
    packaged.sort();
    folders.extend(packaged.into_iter().rev());
    folders.into_iter().map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// An account that servers can run as.
fn unprivileged() -> User {
    let accounts = fs::read_to_string("/etc/passwd").expect("the machine has accounts");
    let of = |name: &str| {
        let mut fields =
            accounts.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?.split(':');
        let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(User { uid, gid })
    };
    of("postgres").or_else(|| of("nobody")).expect("there is an account without rights")
}

/// Where the files of a new cluster are kept for the next process, if tests have such a place.
fn kept_template() -> Option<PathBuf> {
    Some(built_in()?.join("postgresql-template"))
}

/// The folder above the one that test binaries are in.
fn built_in() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    Some(program.parent()?.parent()?.to_owned())
}

/// Says that this test did nothing, here and in the list that `cargo xtask ci` shows.
fn note_skipped(why: &str) {
    let name = match std::thread::current().name() {
        // A runner that starts a process for each test tells it by the first argument which.
        None | Some("main") => std::env::args().nth(1).unwrap_or_else(|| "a test".to_owned()),
        Some(name) => name.to_owned(),
    };
    eprintln!("skipped: {name}: {why}");
    let Some(folder) = built_in() else { return };
    let list = fs::OpenOptions::new().create(true).append(true).open(folder.join("skipped-postgresql.txt"));
    let noted = list.and_then(|mut list| writeln!(list, "{name} ({why})"));
    noted.expect("the build's folder can be written");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_answers_crashes_comes_back_and_disappears() {
        let Some(cluster) = PgCluster::own(PgDurability::None) else { return };
        let url = cluster.fresh();
        let name = url.rsplit('/').next().unwrap().to_owned();
        cluster.psql(&name, "CREATE TABLE kept AS SELECT 7 AS n");
        cluster.crash();
        assert!(cluster.try_psql((PG_SUPERUSER, &name), "SELECT 1").is_err());
        cluster.up();
        assert_eq!(cluster.psql(&name, "SELECT n FROM kept"), "7");
        cluster.kill_backends(&name);
        assert_eq!(cluster.psql(&name, "SELECT n FROM kept"), "7");
        let folder = cluster.socket().to_owned();
        drop(cluster);
        assert!(!folder.exists());
    }
}
