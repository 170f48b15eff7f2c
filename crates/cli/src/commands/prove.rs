use elspeth_app::AppError;

use super::{OK, database_choice};
use crate::args::{ConsistencyArgs, ProveAction, ProveArgs};
use crate::output;

pub(super) fn prove(args: &ProveArgs) -> Result<u8, AppError> {
    match &args.action {
        ProveAction::Consistency(args) => consistency(args),
    }
}

fn consistency(args: &ConsistencyArgs) -> Result<u8, AppError> {
    let proof = elspeth_app::prove_consistency(&database_choice(&args.database), &args.first, &args.second)?;
    output::file(&args.out, &proof.text)?;
    if args.json.json {
        output::json(&proof)?;
    } else {
        let (first, second) = (proof.first_size, proof.second_size);
        let out = args.out.display();
        output::text(&format!(
            "{}: the head of {second} entries continues that of {first}; the proof is in {out}\n\
             anybody can check it with: elspeth-verify consistency {out} --key PUBLIC-KEY",
            proof.origin
        ))?;
    }
    Ok(OK)
}
