//! The journal beside a record, where the settings ask for one.

use std::path::{Path, PathBuf};

use elspeth_landscape::journal::{Earlier, JournalWriter, Trouble};
use elspeth_landscape::{LandscapeReader, LandscapeWriter, RunRecord};
use elspeth_landscape_sql::Landscape;

use crate::AppError;

/// A journal that is being kept.
pub(crate) struct Kept {
    path: PathBuf,
    trouble: Trouble,
}

/// A writer that keeps a journal too, if there is to be one. `earlier` is the run that is taken up.
pub(crate) fn keeping(
    writer: Box<dyn LandscapeWriter>,
    path: Option<&Path>,
    earlier: Option<Earlier>,
) -> Result<(Box<dyn LandscapeWriter>, Option<Kept>), AppError> {
    let Some(path) = path else { return Ok((writer, None)) };
    let journal = JournalWriter::open(writer, path, earlier)?;
    let kept = Kept { path: path.to_owned(), trouble: journal.trouble() };
    Ok((Box::new(journal), Some(kept)))
}

/// What a journal needs of a run that is taken up.
pub(crate) async fn earlier(
    reader: &dyn LandscapeReader,
    database: &Landscape,
    run: &RunRecord,
) -> Result<Earlier, AppError> {
    Ok(Earlier {
        run: run.clone(),
        nodes: reader.nodes(run.run_no).await?,
        edges: reader.edges(run.run_no).await?,
        source: Box::new(database.scans()?),
    })
}

impl Kept {
    /// What to tell of a journal that is not whole.
    pub(crate) fn warning(&self) -> Option<String> {
        let why = self.trouble.message()?;
        let path = self.path.display();
        Some(format!("{path} is not whole ({why}); the record is, and `elspeth export` writes all of it"))
    }
}
