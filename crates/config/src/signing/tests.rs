use std::collections::BTreeMap;

use super::*;
use crate::settings::Settings;

// The example of Go's documentation of `sumdb/note`.
const KEY: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";

fn environment(variables: &[(&str, &str)]) -> Environment {
    let variables: BTreeMap<_, _> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Environment::new(variables, "/somewhere")
}

fn settings(signing: &str) -> Settings {
    let text = format!(
        "{{\"source\": {{\"plugin\": \"null\", \"on_success\": \"out\"}}, \"sinks\": {{}}, \"landscape\": {{\"signing\": {signing}}}}}"
    );
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_settings_go_before_the_environment() {
    let both = environment(&[(SIGNING_KEY_VARIABLE, KEY), (SIGNING_KEY_FILE_VARIABLE, "env.key")]);
    let file = environment(&[(SIGNING_KEY_FILE_VARIABLE, "env.key")]);
    let chosen = |signing: &str, recorded: bool, environment: &Environment| {
        choose(&settings(signing), recorded, environment).unwrap().map(|signing| signing.source)
    };
    let own = r#"{"key_file": "own.key"}"#;
    assert!(
        matches!(chosen(own, false, &both), Some(Source::SettingFile(path)) if path == Path::new("own.key"))
    );
    assert!(matches!(chosen("{}", false, &both), Some(Source::Variable(key)) if key == KEY));
    assert!(
        matches!(chosen("null", false, &file), Some(Source::VariableFile(path)) if path == Path::new("env.key"))
    );
    assert!(chosen("null", false, &environment(&[(SIGNING_KEY_VARIABLE, "")])).is_none());
    let held = format!(r#"{{"key": "{KEY}"}}"#);
    assert!(matches!(chosen(&held, false, &both), Some(Source::Setting(key)) if key == KEY));
}

#[test]
fn a_recorded_key_comes_from_the_environment_or_is_asked_for() {
    let recorded = settings(&format!(r#"{{"key": "{}", "heads_every": 7}}"#, public_name(KEY)));
    let chosen = choose(&recorded, true, &environment(&[(SIGNING_KEY_VARIABLE, KEY)])).unwrap().unwrap();
    assert_eq!((chosen.heads_every().get(), chosen.key().unwrap().public().name()), (7, "PeterNeumann"));
    let missing = choose(&recorded, true, &environment(&[])).unwrap_err();
    assert_eq!(missing.code, "secret-not-recorded");
    assert!(missing.message.contains("PeterNeumann+c74f20a3"), "{}", missing.message);
}

#[test]
fn two_keys_are_one_too_many() {
    let both = settings(&format!(r#"{{"key": "{KEY}", "key_file": "own.key"}}"#));
    assert_eq!(choose(&both, false, &environment(&[])).unwrap_err().code, "two-signing-keys");
}

#[test]
fn what_is_shown_and_recorded_of_a_key_is_not_the_key() {
    let signing = Signing { source: Source::Setting(KEY.to_owned()), heads_every: NonZeroU64::MIN };
    assert_eq!(format!("{signing:?}"), "Signing(settings)");
    assert_eq!(public_name(&format!("{KEY}\n")), "PeterNeumann+c74f20a3");
    assert_eq!(public_name("PRIVATE+KEY+PeterNeumann+c74f20a3+AYEK"), "***");
    let wrong = Signing { source: Source::Variable(KEY.replace('Y', "X")), heads_every: NonZeroU64::MIN };
    let refused = wrong.key().unwrap_err();
    assert!(!format!("{refused:?}").contains("EKFALVFG"), "{refused:?}");
}

#[cfg(unix)]
#[test]
fn a_key_file_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.key");
    std::fs::write(&path, format!("{KEY}\n")).unwrap();
    let set = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    for mode in [0o644, 0o640, 0o601, 0o620] {
        set(mode);
        let refused = read_key_file(&path).unwrap_err();
        assert!(refused.help.contains("chmod 600"), "{mode:o}: {refused}");
    }
    for mode in [0o600, 0o400] {
        set(mode);
        assert_eq!(read_key_file(&path).unwrap().to_text(), KEY);
    }
    assert!(read_key_file(&folder.path().join("none.key")).is_err());
}
