//! Secrets in the text of a settings file, which errors quote.
//!
//! This goes by the text alone, since a file that cannot be parsed is quoted too: what may be a secret by its key is blotted
//! out wherever it stands, even where [`super::hide`] knows that it is none.

use super::{Inside, UserInfo, is_secret};

/// The text with every secret blotted out. Lines, columns and bytes stay what they were.
pub(crate) fn blotted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // How far the key of a text over several lines is indented, while its lines come.
    let mut block: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end_matches(['\n', '\r']);
        let indent = content.len() - content.trim_start().len();
        let goes_on = |key: usize| indent > key || content.trim().is_empty();
        if block.is_some_and(goes_on) {
            out.push_str(&content[..indent]);
            blot(&content[indent..], &mut out);
        } else {
            block = line_without_secrets(content, &mut out).then_some(indent);
        }
        out.push_str(&line[content.len()..]);
    }
    out
}

fn blot(secret: &str, out: &mut String) {
    // Each character is replaced by one of as many bytes.
    out.extend(secret.chars().map(|c| ['*', '·', '•', '🞄'][c.len_utf8() - 1]));
}

/// Writes a line to `out`; whether it begins a secret of several lines.
fn line_without_secrets(line: &str, out: &mut String) -> bool {
    let mut rest = line;
    while let Some(colon) = rest.find(':') {
        let (head, tail) = rest.split_at(colon + 1);
        let after_url = tail.strip_prefix("//").and_then(|_| url_around(line, line.len() - tail.len() - 1));
        if let Some((start, end)) = after_url {
            let from = line.len() - rest.len();
            out.push_str(&line[from..start]);
            blot(&line[start..end], out);
            rest = &line[end..];
            continue;
        }
        out.push_str(head);
        rest = tail;
        let key = head[..head.len() - 1].trim_end_matches(['"', '\'']);
        let key =
            key.rsplit(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).next().unwrap_or_default();
        if !(is_secret(key, Inside::Options) || is_secret(key, Inside::Data)) {
            continue;
        }
        let value = tail.trim_start();
        if value.len() == tail.len() && !value.is_empty() {
            // `a:b` is no key with its value.
            continue;
        }
        out.push_str(&tail[..tail.len() - value.len()]);
        if value.starts_with(['|', '>']) {
            out.push_str(value);
            return true;
        }
        let length = value_length(value);
        match value[..length].contains("${") || value.starts_with(['{', '[']) {
            true => out.push_str(&value[..length]),
            false => blot(&value[..length], out),
        }
        rest = &value[length..];
    }
    out.push_str(rest);
    false
}

/// The bytes of the password of a URL whose `://` stands at a place of the line.
fn url_around(line: &str, colon: usize) -> Option<(usize, usize)> {
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'');
    let start = line[..colon].rfind(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)));
    let start = start.map_or(0, |at| at + line[at..].chars().next().map_or(1, char::len_utf8));
    let end = line[colon..].find(ends).map_or(line.len(), |at| colon + at);
    let password = UserInfo::of(&line[start..end])?.password;
    let inside = &line[start + password.start..start + password.end];
    (!inside.contains("${")).then_some((start + password.start, start + password.end))
}

/// How long a value is that begins here: a text in quotes, or up to what ends a plain one.
fn value_length(value: &str) -> usize {
    if let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        return value[1..].find(quote).map_or(value.len(), |at| at + 2);
    }
    let end = [", ", "}", " #"].iter().filter_map(|end| value.find(end)).min();
    end.unwrap_or(value.trim_end().len())
}

#[cfg(test)]
mod tests {
    use super::blotted;

    #[test]
    fn secrets_are_blotted_out_wherever_they_stand() {
        let cases = [
            ("url: postgresql://u:hunter2@h/d", "url: postgresql://u:*******@h/d"),
            ("url: \"https://u:a@b@h/x?y=z:1\" # c", "url: \"https://u:***@h/x?y=z:1\" # c"),
            ("url: postgresql://u@h:5432/d", "url: postgresql://u@h:5432/d"),
            ("  api_key: k1\n  n: 5\n", "  api_key: **\n  n: 5\n"),
            ("o: {db_password: \"p, q\", n: 1, token: t}", "o: {db_password: ******, n: 1, token: *}"),
            ("Authorization: Bearer k3 # why", "Authorization: ********* # why"),
            ("private_key: |\n  a\n\n  b\nn: c\n", "private_key: |\n  *\n\n  *\nn: c\n"),
            ("password: ${PW}", "password: ${PW}"),
            ("url: postgresql://u:${PW}@h/d", "url: postgresql://u:${PW}@h/d"),
            ("password:\n  x: 1\n", "password:\n  x: 1\n"),
            ("passwort: ü # token: ü", "passwort: ü # token: ·"),
            ("max_tokens: 5\r\n", "max_tokens: 5\r\n"),
        ];
        for (text, expected) in cases {
            assert_eq!(blotted(text), expected);
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
