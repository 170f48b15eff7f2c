//! Links in Markdown files lead to files that exist.

use std::sync::LazyLock;

use regex::Regex;

use crate::error::Error;
use crate::workspace::Workspace;

static LINK: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\]\(<?([^)\s>]+)>?(?:\s[^)]*)?\)").expect("the pattern is fixed and valid")
});

pub(crate) fn check(workspace: &Workspace, files: &[String]) -> Result<Vec<String>, Error> {
    let mut findings = Vec::new();
    for path in files.iter().filter(|path| path.ends_with(".md")) {
        let text = workspace.read(path)?;
        findings.extend(dead_links(path, &text, |target| workspace.path(target).exists()));
    }
    Ok(findings)
}

fn dead_links(path: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut findings = Vec::new();
    let mut fenced = false;
    for (number, line) in text.lines().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        if fenced {
            continue;
        }
        for found in LINK.captures_iter(line) {
            let target = found[1].split('#').next().unwrap_or_default();
            if outside(&found[1]) || exists(&resolve(path, target)) {
                continue;
            }
            findings.push(format!("{path}:{}: the link `{}` leads nowhere", number + 1, &found[1]));
        }
    }
    findings
}

/// Addresses on the net and anchors in the same file.
fn outside(target: &str) -> bool {
    target.starts_with('#') || target.starts_with("mailto:") || target.contains("://")
}

/// The target relative to the workspace.
fn resolve(path: &str, target: &str) -> String {
    let mut parts: Vec<&str> = if target.starts_with('/') { Vec::new() } else { path.split('/').collect() };
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dead(text: &str) -> Vec<String> {
        let files = ["README.md", "docs", "docs/a.md", "docs/b.md", "docs/adr/1.md"];
        dead_links("docs/a.md", text, |target| files.contains(&target))
    }

    #[test]
    fn links_are_resolved_from_their_file() {
        assert_eq!(
            dead("[b](b.md), [r](../README.md), [x](adr/1.md#top), [d](../docs/), [i](./b.md \"t\")"),
            [""; 0]
        );
        assert_eq!(dead("fine\n[c](c.md)"), ["docs/a.md:2: the link `c.md` leads nowhere"]);
        assert_eq!(dead("![picture](../pictures/x.svg)").len(), 1);
        assert_eq!(dead("[up](../../README.md)").len(), 1);
    }

    #[test]
    fn addresses_anchors_and_code_blocks_are_left_alone() {
        let text =
            "[a](https://example.org/x) [b](#here) [c](mailto:a@example.org)\n```\n[d](nowhere.md)\n```\n";
        assert_eq!(dead(text), [""; 0]);
    }
}
