use elspeth_app::{AppError, NewFile, RowProving, RowReceipt, shell_word};

use super::{OK, database_choice, verify};
use crate::args::{ConsistencyArgs, ProofArgs, ProveAction, ProveArgs, RowArgs};
use crate::output;

pub(super) fn prove(args: &ProveArgs) -> Result<u8, AppError> {
    match &args.action {
        ProveAction::Row(args) => row(args),
        ProveAction::Consistency(args) => consistency(args),
        ProveAction::Keys(args) => keys(args),
    }
}

fn row(args: &RowArgs) -> Result<u8, AppError> {
    let out = NewFile::at(&args.out)?;
    match elspeth_app::prove_row(&database_choice(&args.database), &args.run, args.row)? {
        RowProving::Proven(receipt) => {
            out.write(&receipt.text)?;
            match args.json.json {
                true => output::json(&receipt)?,
                false => output::text(&told(&receipt, args))?,
            }
            Ok(OK)
        }
        RowProving::Refused(verification) => verify::show(&[*verification], args.json.json),
    }
}

fn told(receipt: &RowReceipt, args: &RowArgs) -> String {
    let RowReceipt { run_id, row_index, tokens, signed_by, head_size, .. } = receipt;
    let out = args.out.display();
    let word = shell_word(&args.out.to_string_lossy()).into_owned();
    let checked = match signed_by {
        Some(key) => format!(
            "it leads to a head of {head_size} entries that {key} signed\n\
             anybody can check it with: elspeth-verify receipt {word} --key PUBLIC-KEY"
        ),
        None => format!(
            "it leads to a head of {head_size} entries that nobody signed\n\
             who remembers that head (`elspeth head`) can check it with: elspeth-verify receipt {word} --head HEAD"
        ),
    };
    format!("row {row_index} of run {run_id}, {tokens} tokens: the receipt is in {out}\n{checked}")
}

fn consistency(ConsistencyArgs { first, second, proof: args }: &ConsistencyArgs) -> Result<u8, AppError> {
    let out = NewFile::at(&args.out)?;
    let proof = elspeth_app::prove_consistency(&database_choice(&args.database), first, second)?;
    out.write(&proof.text)?;
    if args.json.json {
        output::json(&proof)?;
    } else {
        let (first, second) = (proof.first_size, proof.second_size);
        let out = args.out.display();
        let word = shell_word(&args.out.to_string_lossy()).into_owned();
        output::text(&format!(
            "{}: the head of {second} entries continues that of {first}; the proof is in {out}\n\
             anybody can check it with: elspeth-verify consistency {word} --key PUBLIC-KEY",
            proof.origin
        ))?;
    }
    Ok(OK)
}

fn keys(args: &ProofArgs) -> Result<u8, AppError> {
    let out = NewFile::at(&args.out)?;
    let proof = elspeth_app::prove_keys(&database_choice(&args.database))?;
    out.write(&proof.text)?;
    if args.json.json {
        output::json(&proof)?;
        return Ok(OK);
    }
    let word = shell_word(&args.out.to_string_lossy()).into_owned();
    output::text(&format!(
        "{}: {}; the proof is in {}\n\
         who has an old public key can follow it with: elspeth-verify receipt FILE --key OLD-KEY --succession {word}",
        proof.origin,
        proof.keys.join(", then "),
        args.out.display()
    ))?;
    for key in &proof.revoked {
        output::note(&format!(
            "{key} was revoked, which the proof does not tell: let those who verify trust the new key alone"
        ));
    }
    Ok(OK)
}
