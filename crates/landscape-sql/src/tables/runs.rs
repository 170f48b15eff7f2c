//! `runs`.

use elspeth_canonical::HashVersion;
use elspeth_contracts::{ExportStatus, Grade, Micros, RunId, RunStatus};
use elspeth_landscape::{LandscapeError, RunRecord, RunSeal, RunStart, RunSummary, SourceRecord, TakeUp};

use crate::db::{Db, DbError, Row, values};
use crate::insert::{Statement, Values};
use crate::stored::{Origin, Stored, reason_json};

pub(crate) struct Runs;

/// A run, and as whom it is written.
#[derive(Debug, Clone)]
pub(crate) struct Lease {
    pub(crate) run_no: i64,
    pub(crate) owner: String,
}

impl Runs {
    pub(crate) const ORIGIN: Origin = Origin { table: "runs", key: &["run_id"] };

    const INSERT: &'static str = "INSERT INTO runs(run_id, id_high, id_low, status, started_at, settings,
        settings_path, config_hash, hash_version, topology_hash, grade, engine_version, source_identity,
        field_resolution, schema_contract, owner, heartbeat_at)
        VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?5)";
    const HEARTBEAT: &'static str = "UPDATE runs SET heartbeat_at = ?2 WHERE run_no = ?1 AND owner = ?3";
    const HOLDS: &'static str = "SELECT owner = ?2 FROM runs WHERE run_no = ?1";
    const OWNER: &'static str = "SELECT owner FROM runs WHERE run_no = ?1";
    const TAKE_UP: &'static str =
        "UPDATE runs SET status = ?1, owner = ?2, heartbeat_at = ?3, completed_at = NULL,
        error = NULL, content_root = NULL, record_root = NULL, summary = NULL
        WHERE run_id = ?4 AND owner = ?5 AND heartbeat_at = ?6 AND status <> ?7 RETURNING run_no";
    const STANDING: &'static str = "SELECT owner, status FROM runs WHERE run_id = ?1";
    const SEAL: &'static str = "UPDATE runs SET completed_at = ?2, heartbeat_at = ?2, status = ?3, error = ?4,
        source_identity = ?5, field_resolution = ?6, schema_contract = ?7, content_root = ?8, record_root = ?9,
        summary = ?10 WHERE run_no = ?1 AND owner = ?11";

    /// All runs, newest first. Rows are those of the committed epochs.
    pub(crate) const SELECT_SUMMARIES: &'static str =
        "SELECT run_id, status, started_at, completed_at, settings_path,
        (SELECT coalesce(sum(e.row_count), 0) FROM epochs e WHERE e.run_no = runs.run_no) AS row_count
        FROM runs ORDER BY started_at DESC, run_no DESC";
    /// The run of a number.
    pub(crate) const SELECT: &'static str = "SELECT runs.*,
        (SELECT count(*) FROM epochs e WHERE e.run_no = runs.run_no) AS epoch_count
        FROM runs WHERE run_no = ?";
    pub(crate) const SELECT_LATEST: &'static str =
        "SELECT run_no, run_id FROM runs ORDER BY started_at DESC, run_no DESC LIMIT 1";
    /// Up to six runs whose ids begin so, newest first.
    pub(crate) const SELECT_BY_PREFIX: &'static str = "SELECT run_no, run_id FROM runs
        WHERE substr(run_id, 1, length(?1)) = upper(?1) ORDER BY started_at DESC, run_no DESC LIMIT 6";

    pub(crate) fn insert(start: &RunStart) -> Statement {
        let (high, low) = start.run_id.halves();
        let mut values = Values::default();
        values
            .text(&start.run_id.to_string())
            .unsigned(high)
            .unsigned(low)
            .int(i64::from(RunStatus::Running.code()))
            .int(start.started_at.0)
            .text(&start.settings)
            .text(&start.settings_path)
            .hash(&start.config_hash)
            .text(start.hash_version.name())
            .hash(&start.topology_hash)
            .int(i64::from(start.grade.code()))
            .text(&start.engine_version)
            .text(&start.source.identity)
            .text(&start.source.field_resolution)
            .text(&start.source.contract)
            .text(&start.owner);
        Statement::fixed(Self::INSERT, values)
    }

    /// Shows that the owner lives.
    pub(crate) fn heartbeat(lease: &Lease, now: Micros) -> Statement {
        let mut values = Values::default();
        values.int(lease.run_no).int(now.0).text(&lease.owner);
        Statement::fixed(Self::HEARTBEAT, values)
    }

    /// Whether the run is still the owner's.
    pub(crate) fn holds(db: Db<'_>, lease: &Lease) -> Result<bool, DbError> {
        let holds = db.first(Self::HOLDS, values![lease.run_no, lease.owner], |row| row.get(0));
        Ok(holds?.unwrap_or(false))
    }

    /// Who has the run.
    pub(crate) fn owner(db: Db<'_>, run_no: i64) -> Result<Option<String>, DbError> {
        db.first(Self::OWNER, values![run_no], |row| row.get(0))
    }

    /// The number of the run that now has another owner; `None` when it is not as it was seen, or completed.
    pub(crate) fn take_up(db: Db<'_>, up: &TakeUp) -> Result<Option<i64>, DbError> {
        let values = values![
            RunStatus::Running.code(),
            up.owner,
            up.now.0,
            up.run_id.to_string(),
            up.seen_owner,
            up.seen_heartbeat.0,
            RunStatus::Completed.code(),
        ];
        db.number(Self::TAKE_UP, values)
    }

    /// Why a run cannot be taken up: its owner, and whether it is completed; `None` when there is no such run.
    pub(crate) fn standing(db: Db<'_>, run_id: RunId) -> Result<Option<(String, bool)>, DbError> {
        let read =
            |row: &Row<'_>| Ok((row.get(0)?, row.get::<i64>(1)? == i64::from(RunStatus::Completed.code())));
        db.first(Self::STANDING, values![run_id.to_string()], read)
    }

    pub(crate) fn seal(lease: &Lease, seal: &RunSeal, summary: &str) -> Statement {
        let mut values = Values::default();
        values
            .int(lease.run_no)
            .int(seal.completed_at.0)
            .int(i64::from(seal.status.code()))
            .maybe_text(seal.error.as_ref().map(reason_json).as_deref())
            .text(&seal.source.identity)
            .text(&seal.source.field_resolution)
            .text(&seal.source.contract)
            .maybe_hash(seal.content_root.as_ref())
            .maybe_hash(seal.record_root.as_ref())
            .text(summary)
            .text(&lease.owner);
        Statement::fixed(Self::SEAL, values)
    }

    pub(crate) fn read(stored: &Stored<'_>) -> Result<RunRecord, LandscapeError> {
        let run_id = read_id(stored)?;
        if run_id.halves() != (stored.unsigned("id_high")?, stored.unsigned("id_low")?) {
            return Err(stored.corrupt("`id_high` and `id_low` are not those of the id"));
        }
        Ok(RunRecord {
            run_no: stored.int("run_no")?,
            run_id,
            status: stored.code("status", RunStatus::from_code)?,
            started_at: stored.time("started_at")?,
            completed_at: stored.maybe_time("completed_at")?,
            settings: stored.text("settings")?,
            settings_path: stored.text("settings_path")?,
            config_hash: stored.hash("config_hash")?,
            hash_version: read_hash_version(stored)?,
            topology_hash: stored.hash("topology_hash")?,
            grade: stored.code("grade", Grade::from_code)?,
            engine_version: stored.text("engine_version")?,
            export_status: stored.code("export_status", ExportStatus::from_code)?,
            source: SourceRecord {
                identity: stored.text("source_identity")?,
                field_resolution: stored.text("field_resolution")?,
                contract: stored.text("schema_contract")?,
            },
            owner: stored.text("owner")?,
            heartbeat_at: stored.time("heartbeat_at")?,
            error: stored.maybe_reason("error")?,
            content_root: stored.maybe_hash("content_root")?,
            record_root: stored.maybe_hash("record_root")?,
            epochs: stored.unsigned("epoch_count")?,
        })
    }

    pub(crate) fn read_summary(stored: &Stored<'_>) -> Result<RunSummary, LandscapeError> {
        Ok(RunSummary {
            run_id: read_id(stored)?,
            status: stored.code("status", RunStatus::from_code)?,
            started_at: stored.time("started_at")?,
            completed_at: stored.maybe_time("completed_at")?,
            rows: stored.unsigned("row_count")?,
            settings_path: stored.text("settings_path")?,
        })
    }
}

fn read_id(stored: &Stored<'_>) -> Result<RunId, LandscapeError> {
    let text = stored.text("run_id")?;
    let id: RunId = text.parse().map_err(|error| stored.corrupt(format!("`run_id`: {error}")))?;
    // A name in small letters would be read, but never found.
    if id.to_string() == text { Ok(id) } else { Err(stored.corrupt("`run_id` is not in capital letters")) }
}

fn read_hash_version(stored: &Stored<'_>) -> Result<HashVersion, LandscapeError> {
    let name = stored.text("hash_version")?;
    HashVersion::from_name(&name).ok_or_else(|| stored.corrupt(format!("`hash_version`: unknown `{name}`")))
}
