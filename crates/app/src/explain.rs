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
}

/// The whole lineage of a row or token; only tokens that reached `sink`, when one is given.
///
/// # Errors
/// [`AppError`] when there is no such database, run, row, token or sink, or the record contradicts itself.
pub fn explain(
    database: &DatabaseChoice,
    run: &str,
    question: &Question,
    sink: Option<&str>,
) -> Result<Lineage, AppError> {
    let subject = subject(question)?;
    block_on(async {
        let reader = open_reader(database).await?;
        let run = reader.run(run).await?;
        let bodies = reader.body_store(&run);
        let question = lineage::Question {
            run: RunRef::Prefix(run.run_id.to_string()),
            subject,
            sink: sink.map(str::to_owned),
        };
        Ok(lineage::explain(reader.store.as_ref(), bodies.as_ref(), &question).await?)
    })?
}

fn subject(question: &Question) -> Result<Subject, AppError> {
    match question {
        Question::Row(index) => RowIndex::new(*index).map(Subject::Row).ok_or_else(|| AppError::NotFound {
            message: format!("row {index} is beyond what a run can hold"),
            help: Some("rows count from 0, in the order of the source".to_owned()),
        }),
        Question::Token(id) => id.parse().map(Subject::Token).map_err(|e| AppError::NotFound {
            message: format!("{e}"),
            help: Some("`elspeth explain --row N` shows the token ids of a row".to_owned()),
        }),
    }
}
