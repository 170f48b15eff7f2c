//! What the server itself refuses, whoever asks.

use elspeth_contracts::{Micros, RunStatus};
use elspeth_landscape::RunRef;
use elspeth_landscape_sql::Landscape;
use elspeth_testkit::{PG_SUPERUSER, PgCluster, PgDurability};

use crate::conformance::sample::{eventful_epoch, hashes, plain_epoch, run_id, seal, sealed, start};
use crate::conformance::{Store as _, recorded};
use crate::{Database, block_on};

fn name(url: &str) -> &str {
    url.rsplit('/').next().unwrap()
}

/// A database with one completed run that has a record of every kind.
async fn completed(landscape: Landscape) -> Database {
    let store = Database(landscape);
    let (mut writer, _) = recorded(&store, 'A', vec![eventful_epoch(), plain_epoch(1, 4..6)]).await;
    writer.seal(&seal(RunStatus::Completed), &sealed()).await.unwrap();
    store
}

const TABLES: &str = "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'run_no'
    WHERE c.relkind = 'r' AND c.relname NOT IN ('runs', 'bodies', 'checkpoints', 'sink_intents', 'purges', 'registry')
    ORDER BY 1";

#[test]
fn the_record_of_a_completed_run_changes_no_more() {
    block_on(async {
        let Some(cluster) = PgCluster::shared() else { return };
        let store = completed(Landscape::at(&cluster.fresh()).unwrap()).await;
        let location = store.0.location();
        let owner = (PG_SUPERUSER, name(&location));
        let tables = cluster.psql(owner.1, TABLES);
        assert_eq!(tables.lines().count(), 22, "{tables}");
        for table in tables.lines() {
            let some = cluster.psql(owner.1, &format!("SELECT count(*) FROM {table}"));
            let inserted =
                cluster.try_psql(owner, &format!("INSERT INTO {table} SELECT * FROM {table} LIMIT 1"));
            for change in ["UPDATE {} SET run_no = run_no", "DELETE FROM {}", "TRUNCATE {} CASCADE"] {
                let done = cluster.try_psql(owner, &change.replace("{}", table));
                let may_be_empty = some == "0" && !change.starts_with("TRUNCATE");
                match done {
                    Ok(_) => assert!(may_be_empty, "{change} {table}"),
                    Err(error) => assert!(
                        error.contains("its record changes no more") || error.contains("only grows"),
                        "{table}: {error}"
                    ),
                }
            }
            assert!(some == "0" || inserted.is_err(), "{table}");
        }
        let added = cluster.try_psql(
            owner,
            "INSERT INTO rows(run_no, row_index, source_data_hash, read_us) SELECT run_no, 999, source_data_hash, 0 FROM rows LIMIT 1",
        );
        assert!(added.unwrap_err().contains("is sealed: its record changes no more"));
        for change in [
            "UPDATE runs SET owner = 'me'",
            "UPDATE runs SET status = 2",
            "UPDATE runs SET content_root = NULL",
            "DELETE FROM runs",
            "UPDATE registry SET entry = ''",
            "DELETE FROM heads; DELETE FROM registry",
        ] {
            assert!(cluster.try_psql(owner, change).is_err(), "{change}");
        }
        cluster.psql(owner.1, "UPDATE runs SET export_status = 2, grade = 2");
        assert!(cluster.try_psql(owner, "UPDATE runs SET grade = 0").is_err());
    });
}

#[test]
fn the_guards_look_at_the_tables_of_the_record_and_no_others() {
    block_on(async {
        let Some(cluster) = PgCluster::shared() else { return };
        let store = completed(Landscape::at(&cluster.fresh()).unwrap()).await;
        let location = store.0.location();
        let owner = (PG_SUPERUSER, name(&location));
        for before in [
            "CREATE TEMP TABLE runs (run_no bigint, status int)",
            "CREATE SCHEMA other CREATE TABLE runs (run_no bigint, status int); SET search_path = other, public",
            "CREATE FUNCTION public.not_same(int, int) RETURNS bool LANGUAGE sql RETURN false;
             CREATE OPERATOR public.= (LEFTARG = int, RIGHTARG = int, FUNCTION = public.not_same);
             SET search_path = public, pg_catalog",
        ] {
            for change in [
                "UPDATE public.epochs SET row_count = row_count",
                "DELETE FROM public.rows",
                "INSERT INTO public.rows(run_no, row_index, source_data_hash, read_us)
                 SELECT run_no, 999, source_data_hash, 0 FROM public.rows LIMIT 1",
                "DELETE FROM public.runs",
            ] {
                let error =
                    cluster.try_psql(owner, &format!("BEGIN; {before}; {change}; COMMIT")).unwrap_err();
                assert!(
                    error.contains("is sealed: its record changes no more"),
                    "{before}; {change}: {error}"
                );
            }
        }
    });
}

#[test]
fn a_run_under_way_is_written_with_the_documented_grants_and_audited_by_views() {
    block_on(async {
        let Some(cluster) = PgCluster::own(PgDurability::None) else { return };
        let url = cluster.fresh();
        drop(Landscape::at(&url).unwrap().writer().await.unwrap());
        let chapter = include_str!("../../../../docs/operations.md").split("### Roles").nth(1).unwrap();
        let script = chapter.split("```sql\n").nth(1).unwrap().split("```").next().unwrap();
        cluster.psql(name(&url), script);
        let writer = Landscape::at(&cluster.url_as("elspeth_writer", name(&url))).unwrap();
        let store = completed(writer).await;
        let run = store.reader().await.run(&RunRef::Latest).await.unwrap();
        assert_eq!(run.status, RunStatus::Completed);
        drop(recorded(&store, 'B', vec![plain_epoch(0, 0..2)]).await);
        let refused = |role, sql: &str| cluster.try_psql((role, name(&url)), sql).unwrap_err();
        for sql in [
            "DELETE FROM rows",
            "UPDATE tokens SET token = 0",
            "DROP TABLE rows",
            "CREATE TEMP TABLE runs (run_no bigint)",
            "UPDATE elspeth_schema SET version = 7",
        ] {
            let error = refused("elspeth_writer", sql);
            assert!(error.contains("permission denied") || error.contains("must be owner"), "{sql}: {error}");
        }
        let seen = cluster.try_psql(("elspeth_auditor", name(&url)), "SELECT count(*) FROM v_runs").unwrap();
        assert_eq!(seen, "2");
        let states =
            cluster.try_psql(("elspeth_auditor", name(&url)), "SELECT count(*) > 9 FROM v_explain").unwrap();
        assert_eq!(states, "t");
        for sql in ["SELECT * FROM runs", "DELETE FROM v_runs", "INSERT INTO heads VALUES (1, '')"] {
            assert!(refused("elspeth_auditor", sql).contains("denied"), "{sql}");
        }
    });
}

#[test]
fn signs_of_life_are_judged_by_the_servers_clock() {
    block_on(async {
        let Some(store) = Database::fresh().await else { return };
        let mut writer = store.writer().await;
        // The clock of this writer stands in 1970.
        writer.begin_run(&start(run_id('A'), 1_000_000)).await.unwrap();
        writer.stage(&plain_epoch(0, 0..2).0).await.unwrap();
        writer.commit(None, &hashes(10), Micros(2_000_000)).await.unwrap();
        let reader = store.reader().await;
        let run = reader.run(&RunRef::Latest).await.unwrap();
        let now = reader.lease_clock(&run).await.unwrap().unwrap();
        let silent = now.0 - run.heartbeat_at.0;
        assert!((0..50_000_000).contains(&silent), "{silent}");
        let location = store.0.location();
        PgCluster::shared().unwrap().psql(name(&location), "UPDATE runs SET shown_at = shown_at - 90000000");
        let now = reader.lease_clock(&run).await.unwrap().unwrap();
        assert!(now.0 - run.heartbeat_at.0 > 90_000_000);
    });
}
