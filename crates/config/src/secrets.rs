//! Secrets in settings: found by the names of options and the form of URLs, and recorded as keyed fingerprints only.
//!
//! A fingerprint tells whether two runs used the same secret, and nothing else to someone without the key.

mod blot;

use std::ops::Range;

use elspeth_graph::SettingPath;
use elspeth_postgres::bare_password;
use serde_json::{Map, Value};

use crate::finding::Finding;

pub(crate) use blot::{blotted, masked};

/// The variable that holds the key of fingerprints.
pub const KEY_VARIABLE: &str = "ELSPETH_FINGERPRINT_KEY";

const EXPORTERS: &str = "telemetry.exporters.";
const CONTEXT: &str = "elspeth 2025 fingerprints of secrets in settings";
const SECRET_ENDINGS: [&str; 15] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "api_key",
    "apikey",
    "access_key",
    "account_key",
    "signing_key",
    "private_key",
    "credential",
    "credentials",
    "connection_string",
    "sas_token",
];
/// Names of a URL's parameters that are secrets, besides those that end like one.
const SECRET_PARAMETERS: [&str; 9] =
    ["sig", "signature", "key", "auth", "pwd", "pass", "code", "jwt", "authorization"];
/// Headers of exporters that hold no secret; all others may.
const HARMLESS_HEADERS: [&str; 7] = [
    "accept",
    "accept-encoding",
    "content-encoding",
    "content-type",
    "user-agent",
    "x-honeycomb-dataset",
    "x-scope-orgid",
];
const SECRET_HEADERS: [&str; 6] =
    ["authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "ocp-apim-subscription-key"];

/// The key of fingerprints.
#[derive(Clone)]
pub(crate) struct FingerprintKey([u8; 32]);

impl FingerprintKey {
    pub(crate) fn new(secret: &str) -> Self {
        Self(blake3::derive_key(CONTEXT, secret.as_bytes()))
    }

    fn fingerprint(&self, secret: &str) -> String {
        format!("fingerprint:{}", blake3::keyed_hash(&self.0, secret.as_bytes()).to_hex())
    }
}

/// Replaces every secret in resolved settings by its fingerprint. Without a key, secrets are blotted out and reported.
pub(crate) fn hide(settings: &mut Value, key: Option<&FingerprintKey>) -> Vec<Finding> {
    let signing = settings.pointer_mut("/landscape/signing/key");
    if let Some(Value::String(text)) = signing {
        *text = crate::signing::public_name(text);
    }
    let mut hider = Hider { key, findings: Vec::new() };
    hider.walk(settings, &SettingPath::default(), Inside::Settings);
    hider.findings
}

/// Secrets of recorded settings, of which there is no more than a fingerprint.
pub(crate) fn only_fingerprints(recorded: &Value) -> Vec<Finding> {
    let mut found = Vec::new();
    find_fingerprints(recorded, &SettingPath::default(), &mut found);
    found
}

fn find_fingerprints(value: &Value, path: &SettingPath, found: &mut Vec<Finding>) {
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, item)| find_fingerprints(item, &path.child(key), found));
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(i, item)| find_fingerprints(item, &path.child(i), found));
        }
        Value::String(text) if is_fingerprint(text) => {
            let message = "this secret is not in the record, which keeps no more than its fingerprint";
            let finding = Finding::new("secret-not-recorded", path.clone(), message.to_owned());
            found.push(finding.help("give the settings file with -s, and the secret in the environment"));
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn is_fingerprint(text: &str) -> bool {
    text.starts_with("fingerprint:") || text.contains(":fingerprint-") || text.contains("=fingerprint-")
}

/// Whether a value there may be a secret, by the names of the keys above it.
pub(crate) fn is_secret_place(path: &SettingPath) -> bool {
    let path = path.as_str();
    let named = |key: &str| is_secret(key, Inside::Options) || is_secret(key, Inside::Data);
    let key = path.rsplit('.').next().unwrap_or_default();
    let of_exporter = path.starts_with(EXPORTERS) && path.contains(".headers.");
    path == "landscape.signing.key"
        || path.split('.').any(named)
        || of_exporter && is_secret(key, Inside::Headers)
}

/// Where a value stands, which decides whether the names of keys say anything about it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// Our own sections, whose keys hold no secrets (a route may be called `token`).
    Settings,
    /// A plugin's or exporter's options.
    Options,
    /// The headers that an exporter sends.
    Headers,
    /// A mapping within options whose keys are data (field names), unless it is one of HTTP headers.
    Data,
}

struct Hider<'k> {
    key: Option<&'k FingerprintKey>,
    findings: Vec<Finding>,
}

impl Hider<'_> {
    fn walk(&mut self, value: &mut Value, path: &SettingPath, inside: Inside) {
        match value {
            Value::Object(map) => self.walk_map(map, path, inside),
            Value::Array(list) => {
                for (index, item) in list.iter_mut().enumerate() {
                    self.walk(item, &path.child(index), inside);
                }
            }
            Value::String(text) => {
                for secret in secrets_of_url(text).into_iter().rev() {
                    let hidden = self.hidden(&text[secret.clone()], path);
                    text.replace_range(secret, &hidden.replace(':', "-"));
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn walk_map(&mut self, map: &mut Map<String, Value>, path: &SettingPath, inside: Inside) {
        for (key, item) in map {
            let path = path.child(key);
            match item {
                Value::String(text) if is_secret(key, inside) && !text.is_empty() => {
                    *text = self.hidden(text, &path);
                }
                item => {
                    let within = match inside {
                        Inside::Settings if key == "options" => Inside::Options,
                        Inside::Settings => Inside::Settings,
                        Inside::Options if key == "headers" && path.as_str().starts_with(EXPORTERS) => {
                            Inside::Headers
                        }
                        Inside::Options | Inside::Headers | Inside::Data => Inside::Data,
                    };
                    self.walk(item, &path, within);
                }
            }
        }
    }

    fn hidden(&mut self, secret: &str, at: &SettingPath) -> String {
        if let Some(key) = self.key {
            return key.fingerprint(secret);
        }
        let name = at.as_str().rsplit('.').next().unwrap_or_default();
        let message = format!("`{name}` holds a secret, and there is no key to record it as a fingerprint");
        self.findings.push(Finding::new("secret-without-key", at.clone(), message).help(format!(
            "set the environment variable `{KEY_VARIABLE}` to a long random text, and keep it"
        )));
        "***".to_owned()
    }
}

fn is_secret(key: &str, inside: Inside) -> bool {
    let key = key.to_lowercase();
    match inside {
        Inside::Settings => false,
        Inside::Options => ends_like_a_secret(&key.replace('-', "_")),
        Inside::Headers => !HARMLESS_HEADERS.contains(&key.as_str()),
        Inside::Data => SECRET_HEADERS.contains(&key.as_str()),
    }
}

fn ends_like_a_secret(name: &str) -> bool {
    SECRET_ENDINGS.iter().any(|ending| {
        name.strip_suffix(ending).is_some_and(|before| before.is_empty() || before.ends_with('_'))
    })
}

/// The bytes of a URL that are secrets, from left to right: the password before `@`, and values of parameters by their names.
pub(crate) fn secrets_of_url(url: &str) -> Vec<Range<usize>> {
    let password = UserInfo::of(url).map(|info| info.password);
    let after = password.as_ref().map_or(0, |password| password.end);
    let query = if url.contains("://") { url[after..].find('?') } else { None };
    let parameters = query.map(|at| secret_parameters(url, after + at + 1));
    password.into_iter().chain(parameters.into_iter().flatten()).collect()
}

fn secret_parameters(url: &str, query: usize) -> Vec<Range<usize>> {
    let end = url[query..].find('#').map_or(url.len(), |at| query + at);
    let mut secrets = Vec::new();
    let mut start = query;
    for pair in url[query..end].split(['&', ';']) {
        let value =
            pair.split_once('=').filter(|(name, value)| !value.is_empty() && is_secret_parameter(name));
        secrets.extend(value.map(|(name, _)| start + name.len() + 1..start + pair.len()));
        start += pair.len() + 1;
    }
    secrets
}

fn is_secret_parameter(name: &str) -> bool {
    let name = name.to_lowercase().replace(['-', '.'], "_");
    let last = name.rsplit('_').next().unwrap_or_default();
    ends_like_a_secret(&name) || SECRET_PARAMETERS.contains(&last)
}

/// Schemes of URLs in which the first `/` ends the user and the host, whatever comes.
const WEB: [&str; 4] = ["http", "https", "ws", "wss"];

/// The password in a URL's `user:password@`.
pub(crate) struct UserInfo {
    /// Its bytes in the URL.
    pub(crate) password: Range<usize>,
}

impl UserInfo {
    pub(crate) fn of(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let named =
            scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) && !scheme.is_empty();
        let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
        if WEB.contains(&scheme) || authority.contains('@') {
            // A password may hold `@` by mistake; the last one ends it.
            let (user, _) = authority.rsplit_once('@').filter(|_| named)?;
            let (name, password) = user.split_once(':').filter(|(_, password)| !password.is_empty())?;
            let start = scheme.len() + "://".len() + name.len() + 1;
            return Some(Self { password: start..start + password.len() });
        }
        bare_password(url).filter(|_| named).map(|password| Self { password })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_hidden_where_options_hold_them() {
        let mut settings = json!({
            "landscape": {"url": "postgresql://u:pw@h/d"},
            "gates": [{"routes": {"token": "out"}}],
            "source": {"options": {"api_key": "k1", "db_password": "k2", "max_tokens": 5, "tokens": "harmless",
                "mapping": {"token": "id"}, "headers": {"Authorization": "Bearer k3", "token": "Token"}}},
        });
        let key = FingerprintKey::new("key");
        assert_eq!(hide(&mut settings, Some(&key)), []);
        let text = settings.to_string();
        for secret in ["k1", "k2", "k3", ":pw@"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        for kept in [
            r#""token":"out""#,
            r#""token":"id""#,
            "harmless",
            r#""token":"Token""#,
            "postgresql://u:fingerprint-",
        ] {
            assert!(text.contains(kept), "{kept} not in {text}");
        }
    }

    #[test]
    fn the_same_secret_has_the_same_fingerprint_under_one_key_only() {
        let (one, two) = (FingerprintKey::new("one"), FingerprintKey::new("two"));
        assert_eq!(one.fingerprint("s"), one.fingerprint("s"));
        assert_ne!(one.fingerprint("s"), two.fingerprint("s"));
        assert_ne!(one.fingerprint("s"), one.fingerprint("t"));
    }

    #[test]
    fn without_a_key_secrets_are_reported_and_still_hidden() {
        let mut settings = json!({"sinks": {"out": {"options": {"url": "https://u:hunter2@h/x"}}}});
        let found = hide(&mut settings, None);
        assert_eq!(found[0].at.as_str(), "sinks.out.options.url");
        assert!(!settings.to_string().contains("hunter2"));
    }

    #[test]
    fn an_exporter_s_headers_are_secrets_and_so_are_parameters_named_like_one() {
        let mut settings = json!({
            "telemetry": {"exporters": [{"name": "otlp", "options": {
                "endpoint": "http://user:SECRET1@h:9/v1?api_key=SECRET2&team=blue&X-Amz-Signature=SECRET3#x",
                "headers": {"Authorization": "SECRET4", "x-honeycomb-team": "SECRET5", "DD-API-KEY": "SECRET6",
                    "X-Whatever": "SECRET7", "Content-Type": "text/plain"},
            }}]},
            "sinks": {"out": {"options": {"headers": {"amount": "Amount"}, "url": "https://h/x?sig=SECRET8"}}},
        });
        assert_eq!(hide(&mut settings, Some(&FingerprintKey::new("key"))), []);
        let text = settings.to_string();
        assert!(!text.contains("SECRET"), "{text}");
        for kept in [r#""Content-Type":"text/plain""#, r#""amount":"Amount""#, "&team=blue&", "#x"] {
            assert!(text.contains(kept), "{kept} not in {text}");
        }
        assert_eq!(only_fingerprints(&settings).len(), 6);
    }

    #[test]
    fn parameters_of_urls_are_known_by_their_names() {
        let cases = [
            ("https://h/x?a=1", ""),
            ("https://h/x?token=t1&a=1&sig=t2", "t1 t2"),
            ("https://u:pw@h/x?access_token=t1", "pw t1"),
            ("postgresql://u@h/d?password=p&sslmode=require", "p"),
            ("postgresql://u@h/d?sslkey=/etc/key.pem&sslcert=c", ""),
            ("https://h/x?token=", ""),
            ("what?token=1", ""),
            ("postgresql://u:a/b==@h/d", "a/b=="),
            ("mysql+pymysql://u:a?b#c@h/d?password=p", "a?b#c p"),
            ("postgresql://h:5432/d?user=me@cloud", ""),
            ("sqlite:////data/me@home.db", ""),
            ("https://h:80/@me", ""),
        ];
        for (url, expected) in cases {
            let found: Vec<&str> = secrets_of_url(url).into_iter().map(|range| &url[range]).collect();
            assert_eq!(found.join(" "), expected, "{url}");
        }
    }
}
