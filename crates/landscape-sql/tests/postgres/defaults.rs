//! What a database sets by default, or was made with.

use elspeth_contracts::Micros;
use elspeth_landscape::{LandscapeReader as _, RunRef};
use elspeth_landscape_sql::Landscape;
use elspeth_testkit::{PG_SUPERUSER, PgCluster};

use crate::block_on;
use crate::conformance::sample::{hashes, plain_epoch, run_id, start};

#[test]
fn writers_at_once_need_no_default_of_the_database() {
    let Some(cluster) = PgCluster::shared() else { return };
    for settings in [
        "default_transaction_isolation = 'serializable'",
        "default_transaction_isolation = 'repeatable read'",
        "default_transaction_read_only = on",
    ] {
        let url = cluster.fresh();
        let name = url.rsplit('/').next().unwrap();
        cluster.psql("postgres", &format!("ALTER DATABASE {name} SET {settings}"));
        let landscape = Landscape::at(&url).unwrap();
        std::thread::scope(|scope| {
            for last in 'A'..='F' {
                let landscape = &landscape;
                scope.spawn(move || block_on(recorded(landscape, last)));
            }
        });
        let reader = block_on(landscape.reader()).unwrap();
        for last in 'A'..='F' {
            let run = block_on(reader.run(&RunRef::Prefix(run_id(last).to_string()))).unwrap();
            assert_eq!(block_on(reader.counters(run.run_no)).unwrap().processed, 20, "{settings}");
        }
    }
}

/// A run with an epoch, and a sign of life.
async fn recorded(landscape: &Landscape, last: char) {
    let mut writer = landscape.writer().await.unwrap();
    writer.begin_run(&start(run_id(last), 1_000_000)).await.unwrap();
    let (decided, acted) = plain_epoch(0, 0..20);
    writer.stage(&decided).await.unwrap();
    writer.commit(None, &hashes(10), Micros(2_000)).await.unwrap();
    writer.commit(Some(&acted), &hashes(20), Micros(3_000)).await.unwrap();
    writer.heartbeat(Micros(4_000)).await.unwrap();
}

#[test]
fn a_database_that_cannot_hold_every_text_is_refused() {
    let Some(cluster) = PgCluster::shared() else { return };
    for encoding in ["LATIN1", "SQL_ASCII"] {
        let name = format!("of_{}", encoding.to_lowercase());
        cluster.psql("postgres", &format!("CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0"));
        let url = cluster.url_as(PG_SUPERUSER, &name);
        let landscape = Landscape::at(&url).unwrap();
        let errors = [block_on(landscape.writer()).err().unwrap(), landscape.importer().err().unwrap()];
        for error in errors {
            let expected = format!(
                "opening audit database {url}: its encoding is {encoding}, and only UTF8 can hold every text of a row; \
                 make one with `CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0`"
            );
            assert_eq!(error.to_string(), expected);
        }
        assert_eq!(cluster.psql(&name, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0");
    }
}

#[test]
fn a_schema_that_is_not_there_is_told() {
    let Some(cluster) = PgCluster::shared() else { return };
    let url = format!("{}?options=-csearch_path%3Dnowhere", cluster.fresh());
    let error = block_on(Landscape::at(&url).unwrap().writer()).err().unwrap().to_string();
    assert!(
        error.ends_with("no schema has been selected to create in; create the schema that search_path names"),
        "{error}"
    );
}
