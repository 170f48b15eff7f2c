//! The whole record of a run, as it was exported.

use std::path::Path;

use elspeth_landscape::export::{Export, ExportError, Loaded, Voucher};
use elspeth_landscape::verify::{CheckResult, Verification, VerifyStatus};
use elspeth_proof::{Json, Trust};

use crate::verdict::{Verdict, object, of_head, of_text, shown_head, shown_vouched};

pub(crate) fn check(path: &Path, trust: &Trust) -> Verdict {
    checked(path, trust).unwrap_or_else(|error| match error {
        ExportError::Io { .. } | ExportError::NoExport { .. } | ExportError::Body { .. } => {
            Verdict::unknown(error)
        }
        ExportError::Record(_)
        | ExportError::Unsound(_)
        | ExportError::Exists(_)
        | ExportError::Sink(_)
        | ExportError::Altered { .. }
        | ExportError::Line { .. } => Verdict::refused(error),
    })
}

fn checked(path: &Path, trust: &Trust) -> Result<Verdict, ExportError> {
    let export = Export::open(path)?;
    let loaded = Loaded::of(&export)?;
    let found = loaded.verify()?;
    if found.status == VerifyStatus::Tampered {
        return Ok(told(Verdict::refused(bad(&found)), &found));
    }
    let verdict = match loaded.vouched(&export, trust) {
        Err(what) => Verdict::refused(what),
        Ok(_) if found.status == VerifyStatus::Incomplete => Verdict::unknown(unknown(&found)),
        Ok(voucher) => vouched(&voucher),
    };
    Ok(told(verdict, &found))
}

fn vouched(voucher: &Voucher) -> Verdict {
    let mut verdict = match voucher.is_somebody() {
        true => Verdict::sound(true),
        false => Verdict::unknown("nobody whom you named stands for it: give --key or --head"),
    };
    if !voucher.signers.is_empty() {
        let names = voucher.signers.join(", ");
        verdict = verdict.line(format!("signed by {names}")).field("signed_by", names_of(&voucher.signers));
    }
    match &voucher.head {
        Some((head, vouched)) => verdict
            .line(format!("entered in {}, {}", shown_head(head), shown_vouched(vouched)))
            .field("head", of_head(head, vouched)),
        None => verdict,
    }
}

fn names_of(names: &[String]) -> Json {
    Json::List(names.iter().map(|name| of_text(&**name)).collect())
}

fn bad(found: &Verification) -> String {
    let of = |bad: &elspeth_landscape::verify::BadRecord| format!("{} {}: {}", bad.table, bad.id, bad.what);
    found.first_bad.as_ref().map_or_else(|| "a record is not what was written".to_owned(), of)
}

fn unknown(found: &Verification) -> String {
    let open = |check: &&CheckResult| check.status == elspeth_landscape::verify::CheckStatus::Incomplete;
    let checks = found.checks.iter().filter(open).map(|check| format!("{}: {}", check.name, check.detail));
    checks.collect::<Vec<_>>().join("; ")
}

fn told(verdict: Verdict, found: &Verification) -> Verdict {
    let run = found.run_id.map(|run| run.to_string()).unwrap_or_default();
    let root = |root: &Option<String>| root.clone().map_or(Json::Null, of_text);
    let records = Json::number(found.records).unwrap_or_else(|| of_text(found.records.to_string()));
    let check = |check: &CheckResult| {
        object(vec![
            ("name", of_text(check.name)),
            ("status", of_text(check.status.as_str())),
            ("detail", of_text(&*check.detail)),
        ])
    };
    let verdict = verdict
        .line(format!("run {run}: {} records", found.records))
        .field("run", of_text(run))
        .field("records", records)
        .field("content_root", root(&found.content_root))
        .field("record_root", root(&found.record_root))
        .field("checks", Json::List(found.checks.iter().map(check).collect()));
    found.checks.iter().fold(verdict, |verdict, check| {
        verdict.line(format!("{:<12}  {}  {}", check.name, check.status.as_str(), check.detail).trim_end())
    })
}
