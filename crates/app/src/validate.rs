use elspeth_config::Diagnostic;
use serde::Serialize;

use crate::{AppError, Diagnostics, Prepared, SettingsChoice};

/// What is wrong with a settings file, if anything.
#[derive(Debug, Serialize)]
pub struct ValidateReport {
    /// Whether it would run.
    pub valid: bool,
    /// Everything that is wrong.
    pub errors: Vec<Diagnostic>,
    /// What is allowed, but odd.
    pub warnings: Vec<Diagnostic>,
    #[serde(skip)]
    file: String,
    #[serde(skip)]
    outline: String,
}

/// Finds every error in a settings file, and whether the key that signs can be read. Touches nothing.
///
/// # Errors
/// [`AppError`] when the machine refuses; wrong settings are a report.
pub fn validate(settings: &SettingsChoice) -> Result<ValidateReport, AppError> {
    let file = settings.path.display().to_string();
    let prepared = crate::prepare(settings).and_then(|prepared| prepared.signing_key().map(|_| prepared));
    match prepared {
        Ok(prepared) => Ok(ValidateReport {
            valid: true,
            errors: Vec::new(),
            warnings: prepared.warnings().to_vec(),
            file,
            outline: outline(&prepared),
        }),
        Err(AppError::Settings(diagnostics)) => Ok(ValidateReport {
            valid: false,
            errors: diagnostics.errors,
            warnings: Vec::new(),
            file: diagnostics.file,
            outline: String::new(),
        }),
        Err(other) => Err(other),
    }
}

impl ValidateReport {
    /// The file.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// How many nodes of each kind, in words.
    #[must_use]
    pub fn outline(&self) -> &str {
        &self.outline
    }

    /// The errors, to be shown.
    #[must_use]
    pub fn diagnostics(&self) -> Diagnostics {
        Diagnostics { file: self.file.clone(), errors: self.errors.clone() }
    }
}

fn outline(prepared: &Prepared) -> String {
    let nodes = prepared.plan().nodes;
    let count = |ty: &str| nodes.iter().filter(|n| n.node_type == ty).count();
    let part = |ty: &str| match count(ty) {
        1 => format!("1 {ty}"),
        n => format!("{n} {ty}s"),
    };
    let kinds = ["source", "transform", "gate", "aggregation", "coalesce", "sink"];
    kinds.iter().filter(|ty| count(ty) > 0).map(|ty| part(ty)).collect::<Vec<_>>().join(", ")
}
