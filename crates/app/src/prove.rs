//! Receipts of rows.

mod receipt;

use elspeth_contracts::{RowIndex, RunStatus};
use elspeth_landscape::verify::{Proving, Trust, Verification, VerifyStatus, prove, verify_registry};
use elspeth_proof::Receipt;
use serde::Serialize;

use crate::store::{Reader, block_on, database_url, landscape, location};
use crate::verify::{ran_here, registered};
use crate::{AppError, DatabaseChoice};
use receipt::{Registered, compose};

/// What came of proving a row.
#[derive(Debug)]
pub enum RowProving {
    /// Its receipt.
    Proven(Box<RowReceipt>),
    /// The record is not what was written, so that it proves nothing.
    Refused(Box<Verification>),
}

/// A row's receipt.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RowReceipt {
    /// The run.
    pub run_id: String,
    /// The row.
    pub row_index: u64,
    /// How many tokens it tells of: the row's, and what was made of them.
    pub tokens: u64,
    /// The key that signed the head to which it leads; none where no key ever signed one.
    pub signed_by: Option<String>,
    /// How many entries of the registry that head is over.
    pub head_size: u64,
    /// The receipt as it is to be stored.
    #[serde(skip)]
    pub text: String,
}

/// Makes the receipt of one row of a run that has ended. The whole run is verified on the way.
///
/// # Errors
/// [`AppError`] when there is no such database, run or row, when the run has no end yet or did not run in this database, or when
/// the record cannot be read.
pub fn prove_row(database: &DatabaseChoice, run: &str, row: u64) -> Result<RowProving, AppError> {
    let url = database_url(database)?;
    let landscape = landscape(&url)?;
    block_on(async {
        let store = landscape.reader().await?;
        let reader = Reader { store: Box::new(store), location: location(&url) };
        let record = reader.run(run).await?;
        if record.status == RunStatus::Running {
            return Err(not_ended(&record.run_id.to_string()));
        }
        let scans = landscape.scans()?;
        let findings = verify_registry(scans.registry()?.as_mut(), &Trust::default())?;
        let known = registered(reader.store.as_ref(), &record).await?;
        let bodies = reader.body_store(&record);
        let mut subject = known.subject(&record, bodies.as_ref());
        subject.registry = Some(&findings);
        subject.ran_here = ran_here(&record, &reader.location).await;
        let index = RowIndex::new(row).ok_or_else(|| no_row(row))?;
        let proof = match prove(&scans, &subject, index)? {
            Proving::Proven(proof) => proof,
            Proving::Refused(verification) => return Ok(RowProving::Refused(Box::new(verification))),
            Proving::NoRow => return Err(no_row(row)),
        };
        let entered = Registered::of(scans.registry()?.as_mut(), record.run_id)?;
        let receipt = compose(*proof, (&record, row), entered.ok_or_else(elsewhere)?)?;
        Ok(RowProving::Proven(Box::new(told(&receipt)?)))
    })?
}

fn told(receipt: &Receipt) -> Result<RowReceipt, AppError> {
    let signed = receipt.head.parse::<elspeth_proof::Note>().ok();
    let signature = signed.as_ref().and_then(|note| note.signatures().first());
    Ok(RowReceipt {
        run_id: receipt.run.clone(),
        row_index: receipt.row,
        tokens: receipt.acts.leaves.len() as u64,
        signed_by: signature.map(|signature| signature.name().to_owned()),
        head_size: receipt.registry.size,
        text: receipt.to_text(),
    })
}

impl RowProving {
    /// The exit code: 5 when the record was tampered with, 1 when it cannot be told.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Proven(_) => 0,
            Self::Refused(verification) => match verification.status {
                VerifyStatus::Tampered => 5,
                VerifyStatus::Ok | VerifyStatus::Incomplete => 1,
            },
        }
    }
}

fn no_row(row: u64) -> AppError {
    AppError::NotFound {
        message: format!("the run has no row {row}"),
        help: Some("rows are numbered from 0; `elspeth status RUN` shows how many there are".to_owned()),
    }
}

fn not_ended(run: &str) -> AppError {
    AppError::Refused {
        message: format!("run {run} has not ended, so that nothing is sealed yet"),
        help: Some("wait for its end, or go on with it by `elspeth resume`".to_owned()),
    }
}

fn elsewhere() -> AppError {
    AppError::Refused {
        message: "the registry of this database has no entry about the end of the run: it was imported"
            .to_owned(),
        help: Some("make the receipt from the database in which it ran".to_owned()),
    }
}
