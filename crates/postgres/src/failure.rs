use std::io;

/// What an error of the driver means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PgFailure {
    /// What happened.
    pub message: String,
    /// What can be done about it.
    pub advice: Option<&'static str>,
    /// Whether another attempt may help.
    pub retryable: bool,
    /// Whether the server went away, or does not take connections yet.
    pub lost: bool,
    /// The server's code for it, if the server said something.
    pub code: Option<String>,
}

const TLS: &str = "look at sslmode and sslrootcert";
/// Errors of PostgreSQL for which another attempt can help: locks, conflicts, too many connections, a server that goes down or
/// comes up, a session that did nothing for too long, and connections that broke (class 08).
const PASSING: [&str; 9] = ["55P03", "40001", "40P01", "53300", "57P01", "57P02", "57P03", "57P05", "57014"];

/// Those after which the connection is of no use. The last two are of a session, or a transaction, that did nothing for longer
/// than the server wants.
const ENDING: [&str; 5] = ["57P01", "57P02", "57P03", "57P05", "25P03"];

impl PgFailure {
    /// Reads an error.
    #[must_use]
    pub fn of(error: &sqlx::Error) -> Self {
        let told =
            |message: String, advice| Self { message, advice, retryable: false, lost: false, code: None };
        match error {
            sqlx::Error::Database(database) => {
                let code = database.code().unwrap_or_default().into_owned();
                let broken = code.starts_with("08");
                Self {
                    message: database.message().to_owned(),
                    advice: advice(&code),
                    retryable: broken || PASSING.contains(&code.as_str()),
                    lost: broken || ENDING.contains(&code.as_str()),
                    code: Some(code),
                }
            }
            sqlx::Error::Io(error) if is_of_tls(error) => told(error.to_string(), Some(TLS)),
            sqlx::Error::Io(error) => {
                told(error.to_string(), Some("the server cannot be reached, or it went away")).passing()
            }
            sqlx::Error::PoolTimedOut => told("the server does not answer".to_owned(), None).passing(),
            sqlx::Error::WorkerCrashed => {
                told("the connection to the server was lost".to_owned(), None).passing()
            }
            sqlx::Error::Tls(error) => told(error.to_string(), Some(TLS)),
            other => told(other.to_string(), None),
        }
    }

    fn passing(self) -> Self {
        Self { retryable: true, lost: true, ..self }
    }
}

/// Whether a server was reached whose certificate, or whose way to encrypt, is not trusted.
fn is_of_tls(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData
}

/// What can be done, by the code of the error.
fn advice(code: &str) -> Option<&'static str> {
    Some(match code {
        "28P01" | "28000" => {
            "check the user and the password: PGPASSWORD, or the file that PGPASSFILE names, or the URL"
        }
        "3F000" => "create the schema that search_path names",
        "3D000" => "create the database, or name another",
        "42501" => {
            "grant that role what it needs; the chapter on PostgreSQL in docs/operations.md has the grants"
        }
        "55P03" => "another program holds it; let that one finish",
        "53100" => "make room on the server's disk",
        "53300" => "let others disconnect, or raise max_connections",
        "57P01" | "57P02" | "57P03" => "the server goes down or comes up; try again when it works",
        "25006" => "the server, or this role, may only read",
        _ => return None,
    })
}
