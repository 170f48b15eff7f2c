use elspeth_contracts::RowIndex;
use elspeth_landscape::RunRef;
use elspeth_landscape::lineage::{self, Lineage, Subject};

use crate::store::{block_on, open_reader};
use crate::{AppError, DatabaseChoice};

/// What is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// The row at that position in the source.
    Row(u64),
    /// The token with that id.
    Token(String),
    /// The same; members of the batch that made it are listed from a position on.
    Members {
        /// The token's id.
        token: String,
        /// The first position to list, from 0.
        from: u32,
    },
}

/// The whole lineage of a row or token; only tokens that reached `sink`, when one is given: of a row also those that batches
/// made which took its tokens.
///
/// # Errors
/// [`AppError`] when there is no such database, run, row, token or sink, or the record contradicts itself.
pub fn explain(
    database: &DatabaseChoice,
    run: &str,
    question: &Question,
    sink: Option<&str>,
) -> Result<Lineage, AppError> {
    let subject = question.subject()?;
    block_on(async {
        let reader = open_reader(database).await?;
        let run = reader.run(run).await?;
        let bodies = reader.body_store(&run);
        let asked = lineage::Question {
            run: RunRef::Prefix(run.run_id.to_string()),
            subject,
            sink: sink.map(str::to_owned),
            members_from: question.members_from(),
        };
        Ok(lineage::explain(reader.store.as_ref(), bodies.as_ref(), &asked).await?)
    })?
}

impl Question {
    fn subject(&self) -> Result<Subject, AppError> {
        match self {
            Self::Row(index) => RowIndex::new(*index).map(Subject::Row).ok_or_else(|| AppError::NotFound {
                message: format!("row {index} is beyond what a run can hold"),
                help: Some("rows count from 0, in the order of the source".to_owned()),
            }),
            Self::Token(id) | Self::Members { token: id, .. } => {
                id.parse().map(Subject::Token).map_err(|e| AppError::NotFound {
                    message: format!("{e}"),
                    help: Some("`elspeth explain --row N` shows the token ids of a row".to_owned()),
                })
            }
        }
    }

    const fn members_from(&self) -> u32 {
        match self {
            Self::Row(_) | Self::Token(_) => 0,
            Self::Members { from, .. } => *from,
        }
    }
}
