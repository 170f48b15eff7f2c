//! The levels of the workspace: a crate uses only crates of a strictly lower level, and some libraries have few users.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::{Error, report};
use crate::metadata::{Metadata, Package};
use crate::workspace::Workspace;

/// `layers.toml` as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Layers {
    levels: BTreeMap<String, Vec<String>>,
    /// Library -> the only crates that may name it as a dependency.
    only: BTreeMap<String, Vec<String>>,
}

pub(crate) fn run(workspace: &Workspace) -> Result<(), Error> {
    let text = workspace.read("layers.toml")?;
    let layers: Layers = toml::from_str(&text).map_err(|error| Error::format("layers.toml", error))?;
    let metadata = Metadata::load(workspace)?;
    let findings = check(&layers, &metadata.packages)?;
    println!("{} crates on {} levels", metadata.packages.len(), layers.levels.len());
    report("layers", &findings)
}

fn check(layers: &Layers, packages: &[Package]) -> Result<Vec<String>, Error> {
    let (levels, mut findings) = levels(layers)?;
    findings.extend(membership(&levels, packages));
    for package in packages {
        findings.extend(upward(&levels, package));
        findings.extend(reserved(&layers.only, package));
    }
    Ok(findings)
}

fn levels(layers: &Layers) -> Result<(BTreeMap<&str, u32>, Vec<String>), Error> {
    let mut levels = BTreeMap::new();
    let mut findings = Vec::new();
    for (level, crates) in &layers.levels {
        let number = level
            .parse()
            .map_err(|_| Error::format("layers.toml", format!("level `{level}` is not a number")))?;
        for name in crates {
            if levels.insert(name.as_str(), number).is_some() {
                findings.push(format!("layers.toml: `{name}` is named on two levels"));
            }
        }
    }
    Ok((levels, findings))
}

fn membership(levels: &BTreeMap<&str, u32>, packages: &[Package]) -> Vec<String> {
    let missing = packages
        .iter()
        .filter(|package| !levels.contains_key(package.name.as_str()))
        .map(|package| format!("layers.toml: `{}` has no level; add it", package.name));
    let stale = levels
        .keys()
        .filter(|name| !packages.iter().any(|package| package.name == **name))
        .map(|name| format!("layers.toml: `{name}` is no member of the workspace; remove it"));
    missing.chain(stale).collect()
}

fn upward(levels: &BTreeMap<&str, u32>, package: &Package) -> Vec<String> {
    let Some(&own) = levels.get(package.name.as_str()) else { return Vec::new() };
    let mut findings = Vec::new();
    for dependency in &package.dependencies {
        let Some(&other) = levels.get(dependency.name.as_str()) else { continue };
        if other >= own {
            let kind =
                dependency.kind.as_deref().map_or(String::new(), |kind| format!(" ({kind}-dependency)"));
            findings.push(format!(
                "`{}` (level {own}) uses `{}` (level {other}){kind}; only lower levels may be used",
                package.name, dependency.name
            ));
        }
    }
    findings
}

fn reserved(only: &BTreeMap<String, Vec<String>>, package: &Package) -> Vec<String> {
    let mut findings = Vec::new();
    for dependency in &package.dependencies {
        for (library, users) in only {
            if belongs_to(&dependency.name, library) && !users.contains(&package.name) {
                let users = users.join(" and ");
                findings
                    .push(format!("`{}` uses `{}`, which only {users} may", package.name, dependency.name));
            }
        }
    }
    findings
}

/// `clap_complete` belongs to `clap`, `clapper` does not.
fn belongs_to(name: &str, library: &str) -> bool {
    name.strip_prefix(library).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYERS: &str = r#"
        [levels]
        0 = ["low"]
        1 = ["middle", "beside"]
        2 = ["high"]
        [only]
        sqlx = ["middle"]
    "#;

    /// A crate that the made-up metadata holds, with its dependencies and their kinds.
    type Made<'a> = (&'a str, &'a [(&'a str, Option<&'a str>)]);

    fn findings(layers: &str, packages: &[Made<'_>]) -> Vec<String> {
        let layers: Layers = toml::from_str(layers).unwrap();
        let json: Vec<_> = packages
            .iter()
            .map(|(name, dependencies)| {
                let dependencies: Vec<_> = dependencies
                    .iter()
                    .map(|(name, kind)| serde_json::json!({ "name": name, "kind": kind }))
                    .collect();
                serde_json::json!({ "name": name, "dependencies": dependencies, "targets": [] })
            })
            .collect();
        let json = serde_json::json!({ "packages": json, "target_directory": "target" });
        let metadata: Metadata = serde_json::from_value(json).unwrap();
        check(&layers, &metadata.packages).unwrap()
    }

    #[test]
    fn lower_levels_may_be_used() {
        let packages: &[Made<'_>] = &[
            ("low", &[("serde", None)]),
            ("middle", &[("low", None), ("sqlx", None)]),
            ("beside", &[("low", Some("dev"))]),
            ("high", &[("middle", None), ("low", Some("build"))]),
        ];
        assert_eq!(findings(LAYERS, packages), Vec::<String>::new());
    }

    #[test]
    fn same_and_higher_levels_may_not_be_used_even_in_tests() {
        let packages: &[Made<'_>] = &[
            ("low", &[("high", None)]),
            ("middle", &[("beside", Some("dev"))]),
            ("beside", &[]),
            ("high", &[]),
        ];
        assert_eq!(
            findings(LAYERS, packages),
            [
                "`low` (level 0) uses `high` (level 2); only lower levels may be used",
                "`middle` (level 1) uses `beside` (level 1) (dev-dependency); only lower levels may be used",
            ]
        );
    }

    #[test]
    fn every_member_has_one_level() {
        let packages: &[Made<'_>] = &[("low", &[]), ("middle", &[]), ("high", &[]), ("new", &[])];
        assert_eq!(
            findings(LAYERS, packages),
            [
                "layers.toml: `new` has no level; add it",
                "layers.toml: `beside` is no member of the workspace; remove it",
            ]
        );
        let twice = "[levels]\n0 = [\"low\"]\n1 = [\"low\"]\n[only]";
        assert_eq!(findings(twice, &[("low", &[])]), ["layers.toml: `low` is named on two levels"]);
    }

    #[test]
    fn reserved_libraries_and_their_companions_stay_where_they_belong() {
        let packages: &[Made<'_>] = &[
            ("low", &[("sqlx", Some("dev")), ("sqlx_macros", None), ("sqlxtra", None)]),
            ("middle", &[("sqlx-core", None)]),
            ("beside", &[]),
            ("high", &[]),
        ];
        assert_eq!(
            findings(LAYERS, packages),
            ["`low` uses `sqlx`, which only middle may", "`low` uses `sqlx_macros`, which only middle may"]
        );
    }

    #[test]
    fn a_level_that_is_no_number_is_refused() {
        let layers: Layers = toml::from_str("[levels]\nbase = [\"low\"]\n[only]").unwrap();
        assert!(check(&layers, &[]).unwrap_err().to_string().contains("`base` is not a number"));
    }
}
