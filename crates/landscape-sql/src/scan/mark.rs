//! How far a run is, for scans that have to see the same.

use elspeth_contracts::{Grade, RunStatus};
use elspeth_landscape::LandscapeError;
use elspeth_landscape::verify::{Purging, RunMark};

use super::Scan;

const MARK: &str = "SELECT r.run_no, r.status, r.heartbeat_at, r.grade, r.record_root, r.owner,
    (SELECT count(*) FROM purges p WHERE p.run_no = r.run_no),
    (SELECT count(*) FROM purges p WHERE p.run_no = r.run_no AND p.status = 0),
    (SELECT CAST(coalesce(sum(p.blocks), 0) AS BIGINT) FROM purges p WHERE p.run_no = r.run_no),
    (SELECT CAST(coalesce(sum(p.files + p.kept_files), 0) AS BIGINT) FROM purges p WHERE p.run_no = r.run_no)
    FROM runs r WHERE r.run_no = ?";

impl Scan {
    pub(super) fn marked(&self) -> Result<RunMark, LandscapeError> {
        let mut found = self.list((MARK, "runs", 1), |cells| {
            Ok(RunMark {
                status: cells.code(1, RunStatus::from_code)?,
                heartbeat_at: cells.time(2)?,
                grade: cells.code(3, Grade::from_code)?,
                record_root: cells.maybe_hash(4)?,
                owner: cells.text(5)?,
                purging: Purging {
                    all: cells.number(6)?,
                    open: cells.number(7)?,
                    blocks: cells.number(8)?,
                    files: cells.number(9)?,
                },
            })
        })?;
        found.pop().ok_or_else(|| LandscapeError::NoSuchRun(format!("run {} is gone", self.run_id)))
    }
}
