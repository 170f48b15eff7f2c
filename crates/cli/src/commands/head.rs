use elspeth_app::{AppError, NewFile};

use super::{OK, database_choice};
use crate::args::HeadArgs;
use crate::output;

pub(super) fn head(args: &HeadArgs) -> Result<u8, AppError> {
    let out = args.out.as_deref().map(NewFile::at).transpose()?;
    let head = elspeth_app::head(&database_choice(&args.database))?;
    if let Some(out) = out {
        out.write(&head.head)?;
    }
    match (args.json.json, &args.out) {
        (true, _) => output::json(&head)?,
        (false, Some(path)) => output::text(&format!(
            "head of {} after {} entries, {}, written to {}",
            head.origin,
            head.size,
            match head.signed_by.as_slice() {
                [] => "not signed".to_owned(),
                keys => format!("signed by {}", keys.join(", ")),
            },
            path.display()
        ))?,
        (false, None) => output::text(&head.head)?,
    }
    Ok(OK)
}
