//! Keys, heads and proofs.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueHint};

use super::{DatabaseArgs, JsonArgs};

#[derive(Debug, ClapArgs)]
pub(crate) struct HeadArgs {
    /// Write it to this file; one that is there is not replaced
    #[arg(short = 'o', long = "out", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    pub(crate) action: KeysAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysAction {
    /// Make a key: the secret one goes to a new file, the public one is printed
    #[command(after_help = "Example:\n  elspeth keys generate example.org/audit -o audit.key")]
    Generate {
        /// Whose key it is, such as `example.org/audit`; without blanks and `+`
        name: String,
        /// The file of the secret key, which must not be there yet
        #[arg(short = 'o', long = "out", value_name = "FILE", value_hint = ValueHint::FilePath)]
        out: PathBuf,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Print the public key of a key file
    #[command(after_help = "Example:\n  elspeth keys show audit.key > audit.pub")]
    Show {
        /// The file
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// List the keys of a database
    #[command(after_help = "Example:\n  elspeth keys list -d state/audit.db")]
    List {
        #[command(flatten)]
        database: DatabaseArgs,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Let a new key take the place of the one that signs; both sign that
    #[command(after_help = "Example:\n  elspeth keys rotate --from old.key --to new.key -d state/audit.db")]
    Rotate {
        /// The file of the key that signs
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        from: PathBuf,
        /// The file of the key that takes its place
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        to: PathBuf,
        #[command(flatten)]
        database: DatabaseArgs,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Say of a key that it must not be trusted any more
    #[command(
        after_help = "Example:\n  elspeth keys revoke example.org/audit+1a2b3c4d --signed-by new.key --reason \"disk stolen\" -d state/audit.db"
    )]
    Revoke {
        /// The key: `<name>+<8 hex digits>` as `keys list` shows it, or its whole text
        key: String,
        /// The file of the key that signs now
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        signed_by: PathBuf,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        database: DatabaseArgs,
        #[command(flatten)]
        json: JsonArgs,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ProveArgs {
    #[command(subcommand)]
    pub(crate) action: ProveAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProveAction {
    /// What the record says of one row of a run: its whole story in a file that is checked without the database
    #[command(after_help = "Example:\n  elspeth prove row latest 41 -d state/audit.db -o receipt.json")]
    Row(RowArgs),
    /// That one head of the registry continues another: nothing was taken away between them
    #[command(
        after_help = "Example:\n  elspeth prove consistency january.head february.head -d state/audit.db -o proof.json"
    )]
    Consistency(ConsistencyArgs),
    /// Which keys took the place of others: for somebody who has an old public key, and files that a new one signed
    #[command(after_help = "Example:\n  elspeth prove keys -d state/audit.db -o keys.jsonl")]
    Keys(ProofArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RowArgs {
    /// The run: an id, the beginning of one, or `latest`
    pub(crate) run: String,
    /// The row, counted from 0
    #[arg(value_name = "N")]
    pub(crate) row: u64,
    /// Write the receipt to this file; one that is there is not replaced
    #[arg(short = 'o', long = "out", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ProofArgs {
    /// Write the proof to this file; one that is there is not replaced
    #[arg(short = 'o', long = "out", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ConsistencyArgs {
    /// The file of the older head
    #[arg(value_name = "HEAD1", value_hint = ValueHint::FilePath)]
    pub(crate) first: PathBuf,
    /// The file of the newer head
    #[arg(value_name = "HEAD2", value_hint = ValueHint::FilePath)]
    pub(crate) second: PathBuf,
    #[command(flatten)]
    pub(crate) proof: ProofArgs,
}
