use elspeth_app::{AppError, PluginView};

use super::OK;
use crate::args::{PluginsAction, PluginsArgs};
use crate::output;

pub(super) fn plugins(args: &PluginsArgs) -> Result<u8, AppError> {
    match &args.action {
        None => list(args.json.json),
        Some(PluginsAction::List(json)) => list(json.json),
        Some(PluginsAction::Show { name, json }) => show(name, json.json),
    }
}

fn list(json: bool) -> Result<u8, AppError> {
    let plugins = elspeth_app::plugins();
    if json {
        output::json(&plugins)?;
        return Ok(OK);
    }
    let head = ["KIND", "NAME", "VERSION", "WHAT IT DOES"].map(str::to_owned).to_vec();
    let line = |p: &PluginView| vec![p.kind.clone(), p.name.clone(), p.version.clone(), p.summary.clone()];
    let rows: Vec<_> = std::iter::once(head).chain(plugins.iter().map(line)).collect();
    output::text(&output::table(&rows))?;
    Ok(OK)
}

fn show(name: &str, json: bool) -> Result<u8, AppError> {
    let plugins = elspeth_app::plugins_named(name)?;
    if json {
        output::json(&plugins)?;
    } else {
        let texts: Vec<_> = plugins.iter().map(page).collect();
        output::text(&texts.join("\n"))?;
    }
    Ok(OK)
}

fn page(plugin: &PluginView) -> String {
    let mut out = format!("{} {} {}\n  {}\n", plugin.kind, plugin.name, plugin.version, plugin.summary);
    out.push_str(&format!("  determinism: {}\n", plugin.determinism));
    if plugin.options.is_empty() {
        out.push_str("\n  no options\n");
    } else {
        let head = ["  OPTION", "TYPE", "DEFAULT", "MEANING"].map(str::to_owned).to_vec();
        let line = |o: &elspeth_app::OptionView| {
            let default =
                if o.required { "required".to_owned() } else { o.default.clone().unwrap_or_default() };
            vec![format!("  {}", o.name), o.ty.clone(), default, o.description.clone()]
        };
        let rows: Vec<_> = std::iter::once(head).chain(plugin.options.iter().map(line)).collect();
        out.push('\n');
        out.push_str(&output::table(&rows));
    }
    out.push_str("\n  example\n");
    for line in plugin.example.lines() {
        out.push_str(&format!("    {line}\n"));
    }
    out
}
