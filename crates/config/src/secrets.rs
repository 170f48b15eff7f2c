//! Secrets in settings: found by the names of options and the form of URLs, and recorded as keyed fingerprints only.
//!
//! A fingerprint tells whether two runs used the same secret, and nothing else to someone without the key.

mod blot;

use std::ops::Range;

use elspeth_graph::SettingPath;
use serde_json::{Map, Value};

use crate::finding::Finding;

pub(crate) use blot::blotted;

/// The variable that holds the key of fingerprints.
pub const KEY_VARIABLE: &str = "ELSPETH_FINGERPRINT_KEY";

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
        Value::String(text) if text.starts_with("fingerprint:") || text.contains(":fingerprint-") => {
            let message = "this secret is not in the record, which keeps no more than its fingerprint";
            let finding = Finding::new("secret-not-recorded", path.clone(), message.to_owned());
            found.push(finding.help("give the settings file with -s, and the secret in the environment"));
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Where a value stands, which decides whether the names of keys say anything about it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// Our own sections, whose keys hold no secrets (a route may be called `token`).
    Settings,
    /// A plugin's or exporter's options.
    Options,
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
                if let Some(info) = UserInfo::of(text) {
                    let hidden = self.hidden(&text[info.password.clone()], path);
                    text.replace_range(info.password, &hidden.replace(':', "-"));
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
                        Inside::Options | Inside::Data => Inside::Data,
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
        Inside::Options => SECRET_ENDINGS.iter().any(|ending| {
            let snake = key.replace('-', "_");
            snake.strip_suffix(ending).is_some_and(|before| before.is_empty() || before.ends_with('_'))
        }),
        Inside::Data => SECRET_HEADERS.contains(&key.as_str()),
    }
}

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
        // A password may hold `@` by mistake; the last one ends it.
        let (user, _) = authority.rsplit_once('@').filter(|_| named)?;
        let (name, password) = user.split_once(':').filter(|(_, password)| !password.is_empty())?;
        let start = scheme.len() + "://".len() + name.len() + 1;
        Some(Self { password: start..start + password.len() })
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
}
