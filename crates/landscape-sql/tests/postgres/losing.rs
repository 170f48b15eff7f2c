//! The server crashes while a run is written.

use std::time::Duration;

use elspeth_contracts::Micros;
use elspeth_landscape::{LandscapeError, LandscapeReader as _, LandscapeWriter, RunRef};
use elspeth_landscape_sql::{Landscape, PostgresLandscape};
use elspeth_testkit::{PgCluster, PgDurability};

use crate::block_on;
use crate::conformance::sample::{hashes, plain_epoch, run_id, start};

/// A cluster that a test may let crash, and a run in it of which one epoch is staged.
async fn staged(patience: Duration) -> Option<(PgCluster, Landscape, Box<dyn LandscapeWriter>)> {
    let cluster = PgCluster::own(PgDurability::Full)?;
    let landscape = PostgresLandscape::at(&cluster.fresh()).unwrap().with_patience(patience);
    let landscape = Landscape::from(landscape);
    let mut writer = landscape.writer().await.unwrap();
    writer.begin_run(&start(run_id('A'), 1_000_000)).await.unwrap();
    let (decided, _) = plain_epoch(0, 0..20);
    writer.stage(&decided).await.unwrap();
    Some((cluster, landscape, writer))
}

async fn rows(landscape: &Landscape) -> u64 {
    let reader = landscape.reader().await.unwrap();
    reader.counters(reader.run(&RunRef::Latest).await.unwrap().run_no).await.unwrap().processed
}

#[test]
fn a_server_that_comes_back_costs_nothing() {
    block_on(async {
        let Some((cluster, landscape, mut writer)) = staged(Duration::from_secs(5)).await else { return };
        let (decided, acted) = plain_epoch(1, 20..30);
        let (_, first) = plain_epoch(0, 0..20);
        cluster.crash();
        cluster.up();
        writer.stage_acted(&first).await.unwrap();
        writer.rollback().await.unwrap();
        let (again, _) = plain_epoch(0, 0..20);
        writer.stage(&again).await.unwrap();
        cluster.crash();
        cluster.up();
        writer.commit(None, &hashes(10), Micros(2_000)).await.unwrap();
        assert_eq!(rows(&landscape).await, 20);
        cluster.crash();
        cluster.up();
        writer.stage(&decided).await.unwrap();
        writer.stage_acted(&first).await.unwrap();
        cluster.crash();
        cluster.up();
        writer.commit(Some(&first), &hashes(20), Micros(3_000)).await.unwrap();
        cluster.crash();
        cluster.up();
        writer.commit(Some(&acted), &hashes(30), Micros(4_000)).await.unwrap();
        assert_eq!(rows(&landscape).await, 30);
        assert_eq!(writer.conservation().await.unwrap(), []);
    });
}

#[test]
fn a_server_that_stays_away_ends_the_run_with_a_clear_error() {
    block_on(async {
        let Some((cluster, landscape, mut writer)) = staged(Duration::from_millis(20)).await else { return };
        cluster.stop();
        let error = writer.commit(None, &hashes(10), Micros(2_000)).await.unwrap_err();
        assert!(matches!(&error, LandscapeError::Store { retryable: true, .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.starts_with("committing an epoch in audit database postgresql://"), "{text}");
        assert!(text.ends_with("the server cannot be reached, or it went away"), "{text}");
        writer.rollback().await.unwrap();
        cluster.up();
        assert_eq!(rows(&landscape).await, 0);
        let (decided, _) = plain_epoch(0, 0..20);
        writer.stage(&decided).await.unwrap();
        writer.commit(None, &hashes(10), Micros(3_000)).await.unwrap();
        assert_eq!(rows(&landscape).await, 20);
    });
}

#[test]
fn a_session_that_the_server_ends_is_made_anew() {
    block_on(async {
        let Some(cluster) = PgCluster::shared() else { return };
        let url = cluster.fresh();
        let landscape = Landscape::at(&url).unwrap();
        let mut writer = landscape.writer().await.unwrap();
        writer.begin_run(&start(run_id('A'), 1_000_000)).await.unwrap();
        let name = url.rsplit('/').next().unwrap();
        for (at, code) in ["25P03", "57P05"].into_iter().enumerate() {
            cluster.psql(
                name,
                &format!(
                    "CREATE SEQUENCE asked_{code};
                     CREATE FUNCTION once_{code}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                       IF nextval('asked_{code}') = 1 THEN RAISE EXCEPTION 'ended' USING ERRCODE = '{code}'; END IF;
                       RETURN NEW; END $$;
                     CREATE TRIGGER once_{code} BEFORE UPDATE ON runs FOR EACH ROW EXECUTE FUNCTION once_{code}()"
                ),
            );
            writer.heartbeat(Micros(2_000 + i64::try_from(at).unwrap())).await.unwrap();
        }
    });
}
