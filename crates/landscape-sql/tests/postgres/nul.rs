//! Texts of the record with a NUL, which the server's JSON cannot have.

use elspeth_landscape::RunRef;
use elspeth_landscape_sql::Landscape;
use elspeth_testkit::PgCluster;

use crate::conformance::sample::eventful_epoch;
use crate::conformance::{Store as _, recorded};
use crate::{Database, block_on};

/// As the first version had it.
const BEFORE: &str =
    "CREATE OR REPLACE FUNCTION elspeth_field(object TEXT, field TEXT) RETURNS TEXT LANGUAGE sql
    IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT object::json ->> field $$";
const SHOWN: &str = "SELECT message FROM v_transform_errors WHERE message LIKE 'no field%'";

fn name(url: &str) -> &str {
    url.rsplit('/').next().unwrap()
}

#[test]
fn a_reason_with_a_nul_can_be_asked_for_and_seen() {
    block_on(async {
        let Some(store) = Database::fresh().await else { return };
        let (mut decided, mut acted) = eventful_epoch();
        decided.validation_errors[0].reason.message = "no field `a\0b`".to_owned();
        decided.transform_errors[2].reason.message = "no field `\\a\0\0b` in \\u0000".to_owned();
        acted.transform_errors[0].reason.message = "no field `a\0b`".to_owned();
        drop(recorded(&store, 'A', vec![(decided, acted)]).await);
        let (cluster, location) = (PgCluster::shared().unwrap(), store.0.location());
        let seen = cluster.psql(name(&location), SHOWN);
        assert_eq!(
            seen, "no field `\\a\\u0000\\u0000b` in \\u0000\nno field `a\\u0000b`",
            "backslashes are those of the text"
        );
        // With the function of an older program views cannot show it, and everything else is as it was.
        cluster.psql(name(&location), BEFORE);
        let reader = store.reader().await;
        let run = reader.run(&RunRef::Latest).await.unwrap();
        let failures = reader.failures(run.run_no, 10).await.unwrap();
        assert!(failures.iter().any(|failure| failure.reason.message.contains('\0')), "{failures:?}");
        assert!(!reader.failure_counts(run.run_no).await.unwrap().is_empty());
        reader.counters(run.run_no).await.unwrap();
    });
}

#[test]
fn only_what_json_reads_as_a_nul_is_changed() {
    block_on(async {
        let Some(store) = Database::fresh().await else { return };
        let ask = |json: &str| {
            let sql = format!("SELECT elspeth_field('{json}', 'k')");
            PgCluster::shared().unwrap().psql(name(&store.0.location()), &sql)
        };
        for (json, shown) in [
            (r#"{"k":"plain"}"#, "plain"),
            (r#"{"k":"\u0000"}"#, r"\u0000"),
            (r#"{"k":"a\u0000\u0000\u0000b"}"#, r"a\u0000\u0000\u0000b"),
            (r#"{"k":"\\u0000"}"#, r"\u0000"),
            (r#"{"k":"\\\u0000"}"#, r"\\u0000"),
            (r#"{"k":"\\\\u0000 \u0001"}"#, "\\\\u0000 \u{1}"),
            (r#"{"k":"\\\\\u0000"}"#, r"\\\u0000"),
            (r#"{"\u0000":1,"k":2}"#, "2"),
        ] {
            assert_eq!(ask(json), shown, "{json}");
        }
    });
}

#[test]
fn a_database_of_an_older_program_gets_the_functions_of_this_one() {
    block_on(async {
        let Some(store) = Database::fresh().await else { return };
        let (cluster, location) = (PgCluster::shared().unwrap(), store.0.location());
        let ask = || {
            let owner = (elspeth_testkit::PG_SUPERUSER, name(&location));
            cluster.try_psql(owner, r#"SELECT elspeth_field('{"k":"\u0000"}', 'k')"#)
        };
        cluster.psql(name(&location), BEFORE);
        assert!(ask().unwrap_err().contains("unsupported Unicode escape sequence"));
        drop(Landscape::at(&location).unwrap().writer().await.unwrap());
        assert_eq!(ask().unwrap(), r"\u0000");
    });
}

#[test]
fn who_does_not_own_the_functions_writes_with_those_that_are_there() {
    block_on(async {
        let Some(cluster) = PgCluster::own(elspeth_testkit::PgDurability::None) else { return };
        let url = cluster.fresh();
        drop(Landscape::at(&url).unwrap().writer().await.unwrap());
        cluster.psql(name(&url), BEFORE);
        cluster.psql(
            name(&url),
            "CREATE ROLE clerk LOGIN; GRANT USAGE, CREATE ON SCHEMA public TO clerk;
            GRANT SELECT ON ALL TABLES IN SCHEMA public TO clerk",
        );
        let clerk = Landscape::at(&cluster.url_as("clerk", name(&url))).unwrap();
        drop(clerk.writer().await.unwrap());
    });
}
