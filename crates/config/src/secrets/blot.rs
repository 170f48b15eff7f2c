//! Secrets in the text of a settings file, which errors quote.
//!
//! This goes by the text alone, since a file that cannot be parsed is quoted too: what may be a secret by its key is blotted
//! out wherever it stands, even where [`super::hide`] knows that it is none.

use super::{Inside, is_secret, secrets_of_url};

/// How the text of a secret key begins.
const KEY: &str = "PRIVATE+KEY+";

/// What stands before the password in a connection string.
const ASSIGNED: [&str; 3] = ["password=", "passwd=", "pwd="];

/// The text with every secret blotted out. Lines, columns and bytes stay what they were.
pub(crate) fn blotted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // How far the key of a secret is indented, while lines come that may go on with it.
    let mut block: Option<usize> = None;
    let mut above = Above::default();
    for line in text.split_inclusive('\n') {
        let content = line.trim_end_matches(['\n', '\r']);
        let indent = content.len() - content.trim_start().len();
        let goes_on = |key: usize| indent > key || content.trim().is_empty();
        if block.is_some_and(goes_on) {
            out.push_str(&content[..indent]);
            blot(&content[indent..], &mut out);
        } else {
            above.enter(content);
            block = line_without_secrets(content, &above, &mut out).then_some(indent);
        }
        out.push_str(&line[content.len()..]);
    }
    replaced(&out, blot, keys_in(&out))
}

/// A message without what is a secret in it wherever it stands: passwords and such parameters of URLs, and secret keys.
pub(crate) fn masked(text: &str) -> String {
    let urls = text.match_indices("://").flat_map(|(colon, _)| url_around(text, colon));
    let mut secrets: Vec<(usize, usize)> = urls.chain(keys_in(text)).collect();
    secrets.sort_unstable();
    replaced(text, |_, out| out.push_str("***"), secrets)
}

/// The text with other words for some of its parts, which come from left to right.
fn replaced(
    text: &str,
    put: impl Fn(&str, &mut String),
    parts: impl IntoIterator<Item = (usize, usize)>,
) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (start, end) in parts {
        let start = start.max(done);
        if start < end {
            out.push_str(&text[done..start]);
            put(&text[start..end], &mut out);
            done = end;
        }
    }
    out + &text[done..]
}

/// Where secret keys stand, and passwords as connection strings have them (`host=h password=x`).
fn keys_in(text: &str) -> Vec<(usize, usize)> {
    let ends =
        |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | ';' | '&' | '}' | ']' | ')');
    let end = |at: usize| match text[at..].starts_with("${") {
        true => text[at..].find('}').map_or(text.len(), |length| at + length + 1),
        false => text[at..].find(ends).map_or(text.len(), |length| at + length),
    };
    let keys = text.match_indices(KEY).map(|(at, _)| (at, end(at)));
    let lower = text.to_ascii_lowercase();
    let values = ASSIGNED.iter().flat_map(|word| lower.match_indices(word).map(|(at, _)| at + word.len()));
    let passwords = values.map(|at| (at, end(at))).filter(|(at, end)| !is_variable(&text[*at..*end]));
    let mut found: Vec<_> = keys.chain(passwords).collect();
    found.sort_unstable();
    found
}

/// The keys above a line, with their columns.
#[derive(Default)]
struct Above {
    keys: Vec<(usize, String)>,
    /// Whether the line itself speaks of headers. Without that, looking for them at each of its colons would take long.
    headers: bool,
}

impl Above {
    /// Goes on to the next line.
    fn enter(&mut self, line: &str) {
        self.headers = line.contains("headers");
        let item = line.trim_start_matches([' ', '\t', '-']);
        if item.is_empty() || item.starts_with('#') {
            return;
        }
        let column = line.len() - item.len();
        self.keys.retain(|(other, _)| *other < column);
        if let Some((key, _)) = item.split_once(':') {
            self.keys.push((column, key.trim_end().trim_matches(['"', '\'']).to_owned()));
        }
    }

    /// Whether a key there holds a secret because of those above it; `before` is what stands before it in its line.
    fn makes_secret(&self, key: &str, before: &str) -> bool {
        let open = |word: &str| {
            let tail = before.rfind(word).map_or("", |at| &before[at..]);
            tail.matches('{').count() > tail.matches('}').count()
        };
        let lines = &self.keys[..self.keys.len().saturating_sub(1)];
        let below = |word: &str| lines.last().is_some_and(|(_, key)| key == word);
        let of_exporter = || lines.iter().any(|(_, key)| key == "exporters") || before.contains("exporters");
        key == "key" && (below("signing") || open("signing"))
            || (below("headers") || self.headers && open("headers"))
                && of_exporter()
                && is_secret(key, Inside::Headers)
    }
}

fn blot(secret: &str, out: &mut String) {
    // Each character is replaced by one of as many bytes.
    out.extend(secret.chars().map(|c| ['*', '·', '•', '🞄'][c.len_utf8() - 1]));
}

/// Writes a line to `out`; whether deeper lines behind it may go on with a secret.
fn line_without_secrets(line: &str, above: &Above, out: &mut String) -> bool {
    let mut rest = line;
    while let Some(colon) = rest.find(':') {
        let (head, tail) = rest.split_at(colon + 1);
        let url = tail.strip_prefix("//").map(|_| url_around(line, line.len() - tail.len() - 1));
        let secrets = url.unwrap_or_default();
        if let Some((_, last)) = secrets.last().copied() {
            let from = line.len() - rest.len();
            let within = secrets.into_iter().map(|(start, end)| (start - from, end - from));
            out.push_str(&replaced(&line[from..last], blot, within));
            rest = &line[last..];
            continue;
        }
        out.push_str(head);
        rest = tail;
        let key = head[..head.len() - 1].trim_end_matches(['"', '\'']);
        let key =
            key.rsplit(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).next().unwrap_or_default();
        let before = &line[..line.len() - tail.len() - 1];
        let named = is_secret(key, Inside::Options) || is_secret(key, Inside::Data);
        if !named && !above.makes_secret(key, before) {
            continue;
        }
        let value = tail.trim_start();
        if value.len() == tail.len() && !value.is_empty() {
            // `a:b` is no key with its value.
            continue;
        }
        out.push_str(&tail[..tail.len() - value.len()]);
        if value.is_empty() || value.starts_with(['|', '>', '#']) {
            out.push_str(value);
            return true;
        }
        if value.starts_with('{') {
            rest = value;
            continue;
        }
        let flow = value.starts_with('[') || line[..line.len() - value.len()].contains(['{', '[']);
        let length = value_length(value, flow);
        match is_variable(&value[..length]) {
            true => out.push_str(&value[..length]),
            false => blot(&value[..length], out),
        }
        rest = &value[length..];
        if !flow && (rest.is_empty() || rest.trim_start().starts_with('#')) {
            out.push_str(rest);
            return true;
        }
    }
    out.push_str(rest);
    false
}

/// The bytes that are secrets of a URL whose `://` stands at a place of the line.
fn url_around(line: &str, colon: usize) -> Vec<(usize, usize)> {
    let start = line[..colon].rfind(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)));
    let start = start.map_or(0, |at| at + line[at..].chars().next().map_or(1, char::len_utf8));
    // In quotes it ends with them; a password may hold anything else by mistake.
    let quote = line[..start].chars().next_back().filter(|c| matches!(c, '"' | '\'' | '`'));
    let ends = |c: char| quote.map_or(c.is_whitespace(), |quote| c == quote);
    let end = line[colon..].find(ends).map_or(line.len(), |at| colon + at);
    let secrets = secrets_of_url(&line[start..end]).into_iter();
    let secrets = secrets.map(|secret| (start + secret.start, start + secret.end));
    secrets.filter(|(start, end)| !is_variable(&line[*start..*end])).collect()
}

/// Whether it is no more than `${NAME}`, without a default.
fn is_variable(value: &str) -> bool {
    let name = value.trim_matches(['"', '\'']).strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    name.is_some_and(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}

/// How long a value is that begins here: a text in quotes, or up to what ends a plain one, which only brackets around it make
/// end within the line.
fn value_length(value: &str, flow: bool) -> usize {
    match value.chars().next() {
        Some(quote @ ('"' | '\'')) => quoted_length(value, quote),
        Some('[') => value.find(']').map_or(value.len(), |at| at + 1),
        _ => {
            let ends: &[&str] = if flow { &[", ", "}", "]", " #"] } else { &[" #"] };
            // A variable has a bracket of its own.
            let from = value.strip_prefix("${").and_then(|rest| rest.find('}')).map_or(0, |at| at + 3);
            let end = ends.iter().filter_map(|end| value[from..].find(end)).min();
            end.map_or(value.trim_end().len(), |at| from + at)
        }
    }
}

/// Up to the quote that closes it: not one behind a backslash in double quotes, nor a doubled one in single quotes.
fn quoted_length(value: &str, quote: char) -> usize {
    let mut characters = value.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        let doubled = |next: Option<&(usize, char)>| quote == '\'' && next.is_some_and(|(_, c)| *c == quote);
        if quote == '"' && character == '\\' || character == quote && doubled(characters.peek()) {
            characters.next();
        } else if character == quote {
            return at + 1;
        }
    }
    value.len()
}

#[cfg(test)]
mod tests {
    use super::{blotted, masked};

    #[test]
    fn secrets_are_blotted_out_wherever_they_stand() {
        let cases = [
            ("url: postgresql://u:hunter2@h/d", "url: postgresql://u:*******@h/d"),
            ("url: \"https://u:a@b@h/x?y=z:1\" # c", "url: \"https://u:***@h/x?y=z:1\" # c"),
            ("url: postgresql://u@h:5432/d", "url: postgresql://u@h:5432/d"),
            ("url: postgresql://u:1/2=#3@h/d # c", "url: postgresql://u:******@h/d # c"),
            ("  api_key: k1\n  n: 5\n", "  api_key: **\n  n: 5\n"),
            ("o: {db_password: \"p, q\", n: 1, token: t}", "o: {db_password: ******, n: 1, token: *}"),
            ("Authorization: Bearer k3 # why", "Authorization: ********* # why"),
            ("private_key: |\n  a\n\n  b\nn: c\n", "private_key: |\n  *\n\n  *\nn: c\n"),
            ("password: ${PW}", "password: ${PW}"),
            ("url: postgresql://u:${PW}@h/d", "url: postgresql://u:${PW}@h/d"),
            ("password: ${PW:-hunter2}", "password: **************"),
            ("url: https://u:${PW:-x}@h", "url: https://u:********@h"),
            ("o: {password: ${PW}, n: 1}", "o: {password: ${PW}, n: 1}"),
            ("o: {password: ${PW:-x}, n: 1}", "o: {password: ********, n: 1}"),
            ("password:\n  hunter2\nn: 1\n", "password:\n  *******\nn: 1\n"),
            ("password: # why\n  x\n", "password: # why\n  *\n"),
            ("password: hun\n  ter2\nn: 1\n", "password: ***\n  ****\nn: 1\n"),
            ("password: \"hun\n  ter2\"\nn: 1\n", "password: ****\n  *****\nn: 1\n"),
            ("password: a}b, c\n", "password: ******\n"),
            (r#"password: "a\"b" # c"#, "password: ****** # c"),
            ("password: 'a''b' # c", "password: ****** # c"),
            ("url: 'https://u:a b@h' # c", "url: 'https://u:***@h' # c"),
            ("credentials: {user: me, password: x}", "credentials: {user: me, password: *}"),
            ("password: [a, b] # c", "password: ****** # c"),
            ("o: {password: [a, b], n: 1}", "o: {password: ******, n: 1}"),
            (
                "exporters: [{headers: {x-team: [s, t], accept: a}}]",
                "exporters: [{headers: {x-team: ******, accept: a}}]",
            ),
            ("url: host=h password=p1 dbname=d", "url: host=h password=** dbname=d"),
            ("dsn: 'Server=h;PWD=p1;Encrypt=yes'", "dsn: 'Server=h;PWD=**;Encrypt=yes'"),
            ("url: host=h password=${PW} dbname=d", "url: host=h password=${PW} dbname=d"),
            ("url: password=${PW:-p q} dbname=d", "url: password=********** dbname=d"),
            ("passwort: ü # token: ü", "passwort: ü # token: ·"),
            ("max_tokens: 5\r\n", "max_tokens: 5\r\n"),
            ("url: https://h?a=1&api_key=k1&b=2 # c", "url: https://h?a=1&api_key=**&b=2 # c"),
            ("url: postgresql://u:pw@h/d?password=p", "url: postgresql://u:**@h/d?password=*"),
            ("url: https://h?sig=${SIG}&token=t", "url: https://h?sig=${SIG}&token=*"),
            ("x: PRIVATE+KEY+n+0+AA/=, y # c", "x: ********************, y # c"),
            ("# 'PRIVATE+KEY+n+0+AA'", "# '******************'"),
            ("signing:\n  key: half a key\n  n: 1\n", "signing:\n  key: **********\n  n: 1\n"),
            ("signing: {heads_every: 1, key: k1}", "signing: {heads_every: 1, key: **}"),
            ("key: id\n", "key: id\n"),
            (
                "exporters:\n- name: otlp\n  headers:\n    x-team: s\n    accept: a\n  n: 1\n",
                "exporters:\n- name: otlp\n  headers:\n    x-team: *\n    accept: a\n  n: 1\n",
            ),
            ("exporters: [{headers: {x-team: s}, n: 1}]", "exporters: [{headers: {x-team: *}, n: 1}]"),
            ("sinks:\n  headers:\n    amount: Amount\n", "sinks:\n  headers:\n    amount: Amount\n"),
        ];
        for (text, expected) in cases {
            assert_eq!(blotted(text), expected);
        }
    }

    #[test]
    fn messages_are_without_secrets() {
        let cases = [
            ("`https://u:hunter2@h/x` is none", "`https://u:***@h/x` is none"),
            ("see https://h?a=1&token=t1 and ://", "see https://h?a=1&token=*** and ://"),
            ("the text `PRIVATE+KEY+n+0+AA` is none", "the text `***` is none"),
            ("`host=h Password=p1 user=u` is none", "`host=h Password=*** user=u` is none"),
            ("nothing at all", "nothing at all"),
        ];
        for (text, expected) in cases {
            assert_eq!(masked(text), expected);
        }
    }

    #[test]
    fn places_stay_what_they_were() {
        let text = "a: {password: é, b: [c]} # https://x:yé@z\nsecret: 'q\n: ://:@ \"token\" : ü";
        let blotted = blotted(text);
        let places = |text: &str| text.char_indices().map(|(at, _)| at).collect::<Vec<_>>();
        assert_eq!(places(&blotted), places(text));
        assert_eq!(blotted.find("b: [c]"), text.find("b: [c]"));
    }
}
