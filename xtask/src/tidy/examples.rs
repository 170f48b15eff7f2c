//! The header of every library shows how it is used, by an example that the doc tests compile.

use super::source::Source;

/// What may stand behind the fence of an example that is compiled.
const COMPILED: [&str; 4] = ["rust", "no_run", "should_panic", "standalone_crate"];

pub(crate) fn check(sources: &[Source]) -> Vec<String> {
    let libraries = sources.iter().filter(|source| is_library(&source.path));
    let bare = libraries.filter(|source| !has_example(&source.text));
    bare.map(|source| format!("{}: the header has no Rust example that is compiled", source.path)).collect()
}

fn is_library(path: &str) -> bool {
    let inside = path.strip_prefix("crates/").and_then(|path| path.strip_suffix("/src/lib.rs"));
    inside.is_some_and(|name| !name.contains('/'))
}

fn has_example(text: &str) -> bool {
    let header = text.lines().map_while(|line| line.strip_prefix("//!"));
    let fences = header.filter_map(|line| line.trim().strip_prefix("```"));
    // Every other fence closes a block.
    fences.step_by(2).any(is_compiled)
}

fn is_compiled(info: &str) -> bool {
    let mut words = info.split([',', ' ']).filter(|word| !word.is_empty());
    words.all(|word| COMPILED.contains(&word) || word.starts_with("edition"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        check(&[Source::new(path, text.to_owned())])
    }

    #[test]
    fn a_library_shows_an_example_that_is_compiled() {
        let missing = ["crates/x/src/lib.rs: the header has no Rust example that is compiled"];
        let cases = [
            ("//! For this.\n//!\n//! ```\n//! f();\n//! ```\nmod a;\n", true),
            ("//! ```rust,no_run\n//! f();\n//! ```\n", true),
            ("//! ```text\n//! a | b\n//! ```\n//! ```\n//! f();\n//! ```\n", true),
            ("//! For this.\nmod a;\n", false),
            ("//! ```text\n//! a | b\n//! ```\n", false),
            ("//! ```ignore\n//! f();\n//! ```\n", false),
            ("//! ```rust,ignore\n//! f();\n//! ```\n", false),
            ("//! ```compile_fail\n//! f();\n//! ```\n", false),
            ("//! ```sh\n//! ls\n//! ```\n", false),
            ("//! For this.\n\n/// ```\n/// f();\n/// ```\nfn f() {}\n", false),
        ];
        for (text, shown) in cases {
            let expected: &[&str] = if shown { &[] } else { &missing };
            assert_eq!(found("crates/x/src/lib.rs", text), expected, "{text}");
        }
    }

    #[test]
    fn other_files_need_none() {
        for path in ["crates/x/src/main.rs", "crates/x/src/inner/src/lib.rs", "xtask/still/src/lib.rs"] {
            assert_eq!(found(path, "//! For this.\n"), Vec::<String>::new(), "{path}");
        }
    }
}
