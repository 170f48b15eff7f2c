use serde::Serialize;

use crate::store::{block_on, named_by, open_reader};
use crate::{DatabaseChoice, registry};

/// This program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Version {
    /// `elspeth`.
    pub name: &'static str,
    /// `major.minor.patch`.
    pub version: &'static str,
    /// Hash versions that it can write.
    pub hash_versions: [&'static str; 2],
}

/// Whether the program can work here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HealthReport {
    /// No check failed.
    pub healthy: bool,
    /// This program's version.
    pub version: &'static str,
    /// Each check.
    pub checks: Vec<HealthCheck>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HealthCheck {
    /// What was checked.
    pub name: String,
    /// `ok`, `failed` or `absent`.
    pub status: String,
    /// What was found.
    pub detail: String,
}

/// This program's version.
#[must_use]
pub fn version() -> Version {
    use elspeth_canonical::HashVersion;
    Version {
        name: "elspeth",
        version: env!("CARGO_PKG_VERSION"),
        hash_versions: [HashVersion::Blake3V1.name(), HashVersion::Sha256V1.name()],
    }
}

/// Checks plugins and the record. A database that does not exist yet is no failure, unless it was named.
#[must_use]
pub fn health(database: &DatabaseChoice) -> HealthReport {
    let checks = vec![plugins(), record(database)];
    let healthy = checks.iter().all(|c| c.status != "failed");
    HealthReport { healthy, version: version().version, checks }
}

fn plugins() -> HealthCheck {
    let count = registry().infos().count();
    let status = if count > 0 { "ok" } else { "failed" };
    HealthCheck {
        name: "plugins".to_owned(),
        status: status.to_owned(),
        detail: format!("{count} registered"),
    }
}

fn record(database: &DatabaseChoice) -> HealthCheck {
    let found = block_on(async {
        let reader = open_reader(database).await?;
        let runs = reader.store.runs().await?;
        Ok(format!("{}: {} runs", reader.location, runs.len()))
    })
    .and_then(|inner: Result<String, crate::AppError>| inner);
    let (status, detail) = match (found, database) {
        (Ok(detail), _) => ("ok", detail),
        (Err(error), DatabaseChoice::Environment(env)) if matches!(named_by(env), Ok(None)) => {
            ("absent", error.to_string())
        }
        (
            Err(error),
            DatabaseChoice::Location(_) | DatabaseChoice::Settings(_) | DatabaseChoice::Environment(_),
        ) => ("failed", error.to_string()),
    };
    HealthCheck { name: "record".to_owned(), status: status.to_owned(), detail }
}
