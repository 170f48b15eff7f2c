//! A service of your own hashes each decision it makes, stores the hash beside it, and later proves that the stored
//! decision is the one that was made. Run with `cargo run -p elspeth-canonical --example hash_decision`.

use elspeth_canonical::{CanonicalError, ContentHash, HashVersion, hash_of};
use serde::Serialize;

#[derive(Serialize)]
struct Decision {
    application: String,
    score: f64,
    approved: bool,
    reasons: Vec<String>,
}

/// What a table of decisions would hold: the hash, and by which version it was taken.
struct Receipt {
    version: &'static str,
    hash: String,
}

fn record(decision: &Decision) -> Result<Receipt, CanonicalError> {
    let version = HashVersion::default();
    Ok(Receipt { version: version.name(), hash: hash_of(version, decision)?.to_string() })
}

fn is_what_was_decided(decision: &Decision, receipt: &Receipt) -> Result<bool, Box<dyn std::error::Error>> {
    let version = HashVersion::from_name(receipt.version).ok_or("a hash version of a newer program")?;
    let recorded: ContentHash = receipt.hash.parse()?;
    Ok(hash_of(version, decision)? == recorded)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut decision = Decision {
        application: "L-2031".to_owned(),
        score: 71.5,
        approved: false,
        reasons: vec!["income not shown".to_owned()],
    };
    let receipt = record(&decision)?;
    println!("{} {}", receipt.version, receipt.hash);
    println!("as recorded: {}", is_what_was_decided(&decision, &receipt)?);

    decision.approved = true;
    println!("after an edit: {}", is_what_was_decided(&decision, &receipt)?);

    decision.score = f64::NAN;
    match record(&decision) {
        Err(refused) => println!("refused: {refused}"),
        Ok(_) => return Err("NaN has no canonical form".into()),
    }
    Ok(())
}
