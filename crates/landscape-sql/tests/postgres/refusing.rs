//! What cannot be opened is refused with one clear error.

use std::os::unix::fs::PermissionsExt as _;

use elspeth_landscape::LandscapeError;
use elspeth_landscape_sql::Landscape;
use elspeth_testkit::{PG_GUARDED, PG_SUPERUSER, PgCluster, PgDurability, Scratch};

use crate::{Database, block_on};

async fn refused(url: &str) -> LandscapeError {
    let writing = Landscape::at(url).unwrap().writer().await.err().unwrap();
    let reading = Landscape::at(url).unwrap().reader().await.err().unwrap();
    assert_eq!(writing.to_string(), reading.to_string());
    writing
}

fn name(url: &str) -> &str {
    url.rsplit('/').next().unwrap()
}

#[test]
fn a_wrong_password_is_refused_and_not_shown() {
    let Some(cluster) = PgCluster::own(PgDurability::None) else { return };
    let url = cluster.fresh();
    cluster.psql(
        "postgres",
        &format!("CREATE ROLE {PG_GUARDED}; CREATE ROLE clerk LOGIN PASSWORD 'right' IN ROLE {PG_GUARDED}"),
    );
    let error = block_on(refused(&cluster.url_as("clerk:hunter2", name(&url)))).to_string();
    assert!(error.contains("password authentication failed for user \"clerk\"; check the user"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
    let right = Landscape::at(&cluster.url_as("clerk:right", name(&url))).unwrap();
    assert!(!right.location().contains("right"), "{}", right.location());
    let empty = block_on(right.reader()).err().unwrap().to_string();
    assert!(empty.ends_with("it is empty: no run was recorded in it"), "{empty}");
}

#[test]
fn a_password_file_that_others_may_read_is_refused() {
    let Some(cluster) = PgCluster::own(PgDurability::None) else { return };
    let (url, scratch) = (cluster.fresh(), Scratch::new());
    cluster.psql(
        "postgres",
        &format!("CREATE ROLE {PG_GUARDED}; CREATE ROLE clerk LOGIN PASSWORD 'ri:ght' IN ROLE {PG_GUARDED}"),
    );
    let file = scratch.write("passwords", "elsewhere:*:*:*:other\nlocalhost:*:*:clerk:ri\\:ght\n");
    let url = cluster.url_as("clerk", name(&url));
    let named = format!("{url}?passfile={}", file.display());
    let let_read = |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    let_read(0o640);
    let error = Landscape::at(&named).unwrap_err().to_string();
    assert!(error.contains("others may read or change it; let only its owner: chmod 600"), "{error}");
    let_read(0o600);
    let landscape = Landscape::at(&named).unwrap();
    assert_eq!(landscape.location(), named);
    let empty = block_on(landscape.reader()).err().unwrap().to_string();
    assert!(empty.ends_with("it is empty: no run was recorded in it"), "{empty}");
    scratch.write("passwords", "*:*:*:somebody:else\n");
    let error = block_on(refused(&named)).to_string();
    assert!(error.contains("no password") || error.contains("password authentication failed"), "{error}");
    let missing = Landscape::at(&format!("{url}?passfile=/nowhere/passwords")).unwrap_err().to_string();
    assert!(missing.contains("there is no password file /nowhere/passwords"), "{missing}");
}

#[test]
fn a_database_that_is_not_there_is_refused() {
    let Some(cluster) = PgCluster::shared() else { return };
    let error = block_on(refused(&cluster.url_as(PG_SUPERUSER, "nowhere"))).to_string();
    assert!(error.contains("database \"nowhere\" does not exist; create the database"), "{error}");
}

#[test]
fn a_server_that_is_gone_is_refused() {
    let Some(cluster) = PgCluster::own(PgDurability::None) else { return };
    let url = cluster.fresh();
    cluster.stop();
    let error = block_on(refused(&url)).to_string();
    assert!(error.ends_with("the server cannot be reached, or it went away"), "{error}");
}

#[test]
fn schemas_of_other_versions_are_refused() {
    block_on(async {
        let Some(cluster) = PgCluster::shared() else { return };
        let url = cluster.fresh();
        drop(Landscape::at(&url).unwrap().writer().await.unwrap());
        for version in [0, 99] {
            cluster.psql(name(&url), &format!("UPDATE elspeth_schema SET version = {version}"));
            let error = refused(&url).await;
            let LandscapeError::SchemaVersion { found, known: 1, .. } = &error else { panic!("{error:?}") };
            assert_eq!(*found, version);
        }
    });
}

#[test]
fn another_programs_tables_are_left_alone() {
    block_on(async {
        let Some(cluster) = PgCluster::shared() else { return };
        let url = cluster.fresh();
        cluster.psql(name(&url), "CREATE TABLE runs (miles INT)");
        let error = refused(&url).await.to_string();
        assert!(error.contains("it has a table `runs` of another program"), "{error}");
    });
}

#[test]
fn a_role_without_rights_is_told_what_it_lacks() {
    block_on(async {
        let Some(cluster) = PgCluster::own(PgDurability::None) else { return };
        let url = cluster.fresh();
        cluster.psql("postgres", "CREATE ROLE visitor LOGIN");
        let error =
            Landscape::at(&cluster.url_as("visitor", name(&url))).unwrap().writer().await.err().unwrap();
        let error = error.to_string();
        assert!(
            error.contains("permission denied for schema public; grant that role what it needs"),
            "{error}"
        );
        drop(Landscape::at(&url).unwrap().writer().await.unwrap());
        let error = refused(&cluster.url_as("visitor", name(&url))).await.to_string();
        assert!(error.contains("permission denied for table elspeth_schema"), "{error}");
    });
}

#[test]
fn of_many_who_make_the_tables_one_does() {
    block_on(async {
        let Some(cluster) = PgCluster::shared() else { return };
        let landscape = Landscape::at(&cluster.fresh()).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| block_on(async { drop(landscape.writer().await.unwrap()) }));
            }
        });
        let entries = landscape.scans().unwrap().registry().unwrap().heads().unwrap();
        assert_eq!(entries, 0);
        assert_eq!(cluster.psql(name(&landscape.location()), "SELECT count(*) FROM registry"), "1");
    });
}

#[test]
fn the_views_answer() {
    block_on(async {
        let Some(store) = Database::fresh().await else { return };
        let cluster = PgCluster::shared().unwrap();
        let location = store.0.location();
        let database = name(&location);
        drop(
            crate::conformance::recorded(&store, 'B', vec![crate::conformance::sample::plain_epoch(0, 0..2)])
                .await,
        );
        let id = crate::conformance::sample::run_id('B').to_string();
        assert_eq!(cluster.psql(database, "SELECT DISTINCT run_id FROM v_explain"), id);
        let states = cluster.psql(
            database,
            "SELECT state_id, started_at, output_hash FROM v_node_states ORDER BY state_id LIMIT 1",
        );
        let fields: Vec<&str> = states.split('|').collect();
        assert_eq!((fields[0].len(), &fields[1][..10], fields[2].len()), (26, "1970-01-01", 64), "{states}");
    });
}
