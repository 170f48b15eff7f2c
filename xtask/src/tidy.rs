//! House rules that neither the compiler nor clippy knows, each checked by one file below.
//!
//! A rule is a function from the sources to findings, one line each: `path:line: what is wrong`. Rules see Rust code
//! through [`source::Source`], which knows comments, literals and test code, so that a word in a text is no finding.

mod code;
mod examples;
mod files;
mod links;
mod mask;
mod names;
mod promises;
mod source;

use crate::error::{Error, report};
use crate::workspace::Workspace;
use source::Source;

pub(crate) fn run(workspace: &Workspace) -> Result<(), Error> {
    let files = workspace.files()?;
    let sources = Source::load_all(workspace, &files)?;
    let mut findings = files::check(workspace, &files)?;
    findings.extend(code::check(&sources));
    findings.extend(examples::check(&sources));
    findings.extend(links::check(workspace, &files)?);
    findings.extend(promises::check(workspace, &sources));
    findings.extend(names::check(workspace, &sources));
    println!("{} files, {} of them Rust", files.len(), sources.len());
    report("tidy", &findings)
}
