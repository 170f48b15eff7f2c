//! Rules about Rust code.

use regex::Regex;

use super::source::Source;

const LONGEST: usize = 600;

/// What must not be in a line of code, and why.
struct Ban {
    pattern: Regex,
    place: Place,
    instead: &'static str,
}

enum Place {
    Anywhere,
    Delivered,
    Tests,
}

pub(crate) fn check(sources: &[Source]) -> Vec<String> {
    let bans = bans();
    sources
        .iter()
        .flat_map(|source| length(source).into_iter().chain(header(source)).chain(banned(&bans, source)))
        .collect()
}

fn bans() -> Vec<Ban> {
    let ban = |pattern: &str, place, instead| Ban {
        pattern: Regex::new(pattern).expect("the patterns are fixed and valid"),
        place,
        instead,
    };
    vec![
        ban(
            r"\.unwrap\(\)",
            Place::Delivered,
            "`unwrap()`; return an error, or `expect` and say why it holds",
        ),
        ban(r"\b(todo|unimplemented|dbg)!", Place::Anywhere, "unfinished code is not delivered"),
        ban(r"#!?\[allow\(", Place::Anywhere, "`#[allow]`; use `#[expect(lint, reason = \"...\")]`"),
        ban(
            r"\b(thread|time)::sleep\b",
            Place::Tests,
            "a test that sleeps; use a clock or wait for the event",
        ),
        ban(r"#\[ignore\b", Place::Tests, "an ignored test; a test runs or is not there"),
    ]
}

fn banned(bans: &[Ban], source: &Source) -> Vec<String> {
    let mut found: Vec<(usize, &str)> = bans.iter().flat_map(|ban| breaches(ban, source)).collect();
    found.sort_by_key(|(line, _)| *line);
    found.into_iter().map(|(line, instead)| source.finding(line, instead)).collect()
}

fn breaches<'b>(ban: &'b Ban, source: &Source) -> Vec<(usize, &'b str)> {
    let lines = ban.pattern.find_iter(&source.code).map(|found| source.line_of(found.start()));
    let applies = |line: &usize| match ban.place {
        Place::Anywhere => true,
        Place::Delivered => source.in_src() && !source.is_test(*line),
        Place::Tests => source.is_test(*line),
    };
    lines.filter(applies).map(|line| (line, ban.instead)).collect()
}

fn length(source: &Source) -> Option<String> {
    let lines = source.text.lines().count();
    (source.in_src() && lines > LONGEST)
        .then(|| format!("{}: {lines} lines; split it ({LONGEST} at most)", source.path))
}

/// The root of every crate says first what the crate is for.
fn header(source: &Source) -> Option<String> {
    let root = source.path.ends_with("/src/lib.rs") || source.path.ends_with("/src/main.rs");
    (root && !source.text.starts_with("//!"))
        .then(|| format!("{}: starts without a `//!` header that says what the crate is for", source.path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        check(&[Source::new(path, text.to_owned())])
    }

    #[test]
    fn delivered_code_is_held_to_the_bans() {
        let text =
            "fn a() {\n x.unwrap();\n todo!();\n dbg!(x);\n unimplemented!()\n}\n#[allow(dead_code)]\n";
        let lines: Vec<String> = findings("crates/x/src/a.rs", text)
            .iter()
            .map(|finding| finding.split(':').take(2).collect::<Vec<_>>().join(":"))
            .collect();
        assert_eq!(lines, [2, 3, 4, 5, 7].map(|line| format!("crates/x/src/a.rs:{line}")));
    }

    #[test]
    fn words_in_comments_and_texts_are_no_findings() {
        let text = "/// x.unwrap() #[allow(x)]\nfn a() { say(\"todo!() .unwrap()\"); }\n";
        assert_eq!(findings("crates/x/src/a.rs", text), Vec::<String>::new());
    }

    #[test]
    fn tests_may_unwrap_but_not_sleep_nor_be_ignored() {
        let text = "#[cfg(test)]\nmod tests {\n #[test]\n #[ignore]\n fn a() {\n x.unwrap();\n \
                    thread::sleep(x);\n tokio::time::sleep(x);\n }\n}\n";
        let found = findings("crates/x/src/a.rs", text);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].starts_with("crates/x/src/a.rs:4: an ignored test"));
        assert!(found[1].starts_with("crates/x/src/a.rs:7: a test that sleeps"));
        assert!(found[2].starts_with("crates/x/src/a.rs:8: a test that sleeps"));
        assert_eq!(findings("crates/x/src/a.rs", "fn a() { thread::sleep(x); }"), Vec::<String>::new());
        assert_eq!(findings("crates/x/examples/a.rs", "fn a() { x.unwrap(); }"), Vec::<String>::new());
    }

    #[test]
    fn long_files_are_split() {
        assert_eq!(findings("crates/x/src/a.rs", &"\n".repeat(600)), Vec::<String>::new());
        let found = findings("crates/x/src/a.rs", &"\n".repeat(601));
        assert_eq!(found, ["crates/x/src/a.rs: 601 lines; split it (600 at most)"]);
        assert_eq!(findings("crates/x/tests/a.rs", &"\n".repeat(601)), Vec::<String>::new());
    }

    #[test]
    fn a_crate_starts_with_its_purpose() {
        let found = findings("crates/x/src/lib.rs", "mod a;\n");
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("header"));
        assert_eq!(findings("crates/x/src/lib.rs", "//! For this.\nmod a;\n"), Vec::<String>::new());
        assert_eq!(findings("crates/x/src/inner.rs", "mod a;\n"), Vec::<String>::new());
    }
}
