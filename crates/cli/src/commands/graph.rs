use elspeth_app::AppError;

use super::{OK, settings_choice};
use crate::args::{GraphArgs, GraphFormat};
use crate::output;

pub(super) fn graph(args: &GraphArgs) -> Result<u8, AppError> {
    let graph = elspeth_app::graph(&settings_choice(&args.settings))?;
    let format = if args.json { GraphFormat::Json } else { args.format };
    match format {
        GraphFormat::Mermaid => output::text(&graph.to_mermaid())?,
        GraphFormat::Dot => output::text(&graph.to_dot())?,
        GraphFormat::Svg => output::text(&graph.to_svg())?,
        GraphFormat::Json => output::json(&graph.to_json())?,
    }
    Ok(OK)
}
