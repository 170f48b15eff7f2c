use elspeth_app::{AppError, KeyList, PublicKeyView, printable};

use super::{OK, database_choice};
use crate::args::{KeysAction, KeysArgs};
use crate::output::{self, table};

pub(super) fn keys(args: &KeysArgs) -> Result<u8, AppError> {
    match &args.action {
        KeysAction::Generate { name, out, json } => {
            show(&elspeth_app::generate_key(name, out)?, json.json, "secret key written to")
        }
        KeysAction::Show { file, json } => show(&elspeth_app::show_key(file)?, json.json, "secret key in"),
        KeysAction::List { database, json } => {
            list(&elspeth_app::keys(&database_choice(database))?, json.json)
        }
        KeysAction::Rotate { from, to, database, json } => {
            list(&elspeth_app::rotate_keys(&database_choice(database), from, to)?, json.json)
        }
        KeysAction::Revoke { key, signed_by, reason, database, json } => {
            list(&elspeth_app::revoke_key(&database_choice(database), key, signed_by, reason)?, json.json)
        }
    }
}

/// The public key alone on stdout, so that it can be kept; the rest beside it.
fn show(view: &PublicKeyView, json: bool, what: &str) -> Result<u8, AppError> {
    if json {
        output::json(view)?;
        return Ok(OK);
    }
    if let Some(file) = &view.key_file {
        output::note(&format!("{what} {file}; give others this public key:"));
    }
    output::text(&view.public_key)?;
    Ok(OK)
}

fn list(list: &KeyList, json: bool) -> Result<u8, AppError> {
    if json {
        output::json(list)?;
        return Ok(OK);
    }
    let mut out = format!("registry {} in {}\n", list.origin, list.database);
    if list.keys.is_empty() {
        out.push_str("no key has signed its heads yet\n");
        output::text(&out)?;
        return Ok(OK);
    }
    let head = ["  KEY", "STATUS", "SINCE", "REVOKED", "PUBLIC KEY"].map(str::to_owned).to_vec();
    let line = |key: &elspeth_app::KeyView| {
        vec![
            format!("  {}", key.id),
            key.status.as_str().to_owned(),
            key.added_at.clone(),
            key.revoked_at.clone().unwrap_or_default(),
            key.public_key.clone(),
        ]
    };
    out.push_str(&table(&std::iter::once(head).chain(list.keys.iter().map(line)).collect::<Vec<_>>()));
    for key in &list.keys {
        if let Some(reason) = &key.reason {
            out.push_str(&format!("\n{} was revoked: {}\n", key.id, printable(reason)));
        }
    }
    output::text(&out)?;
    Ok(OK)
}
