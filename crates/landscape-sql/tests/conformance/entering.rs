//! What the registry hears: each thing that is done, in the transaction in which it is done.

use elspeth_contracts::{EpochNo, Micros, RunStatus};
use elspeth_landscape::integrity::EpochHashes;
use elspeth_landscape::registry::{Entry, Log, RunHead, TreeHead};
use elspeth_landscape::verify::{StoredEntry, Trust, verify_registry};
use elspeth_landscape::{LandscapeError, Resumption, TakeUp};

use super::sample::*;
use super::{Store, recorded};

/// All entries as they are stored.
pub(crate) fn stored(store: &dyn Store) -> Vec<StoredEntry> {
    let mut entries = Vec::new();
    store.registry().entries(&mut |entry| entries.push(entry)).unwrap();
    entries
}

fn kinds(store: &dyn Store) -> Vec<&'static str> {
    let kind = |entry: &StoredEntry| Entry::read(&entry.text).unwrap().name();
    stored(store).iter().map(kind).collect()
}

fn head(epoch: u64) -> EpochHashes {
    let tree = TreeHead { size: 1, root: hash(9) };
    let head = RunHead {
        run: run_id('A'),
        epoch,
        chain: hash(8),
        acted_chain: hash(10),
        decisions: tree,
        releases: tree,
        acts: tree,
        signed_by: None,
    };
    EpochHashes { head: Some(head), ..hashes(7) }
}

fn take_up(seen_owner: &str, seen_heartbeat: i64) -> TakeUp {
    TakeUp {
        run_id: run_id('A'),
        seen_owner: seen_owner.to_owned(),
        seen_heartbeat: Micros(seen_heartbeat),
        owner: "host:2:next".to_owned(),
        now: Micros(20_000_000),
        resumption: Resumption { epoch: EpochNo(1), row: 2, ..Resumption::default() },
    }
}

pub(crate) async fn a_run_enters_its_beginning_and_its_end(store: &dyn Store) {
    assert_eq!(kinds(store), ["opened"]);
    let (mut writer, run_no) = recorded(store, 'A', vec![plain_epoch(0, 0..2)]).await;
    writer.seal(&seal(RunStatus::Completed), &sealed()).await.unwrap();
    assert_eq!(kinds(store), ["opened", "begun", "sealed"]);
    let entries = stored(store);
    assert_eq!(Entry::read(&entries[1].text), Some(Entry::begun(&start(run_id('A'), 1_000_000))));
    assert_eq!(Entry::read(&entries[2].text), Some(sealed()));
    for entry in &entries[1..] {
        assert_eq!((entry.run_no, &entry.run_id), (Some(run_no), &Some(run_id('A').to_string())));
    }
    assert_eq!((entries[0].run_no, &entries[0].run_id), (None, &None));
}

pub(crate) async fn entries_are_numbered_and_their_tree_grows(store: &dyn Store) {
    for id in ['A', 'B', 'C'] {
        let (mut writer, _) = recorded(store, id, Vec::new()).await;
        writer.seal(&seal(RunStatus::Interrupted), &sealed()).await.unwrap();
    }
    let mut log = Log::empty();
    for (number, entry) in stored(store).iter().enumerate() {
        assert_eq!(entry.number, i64::try_from(number).unwrap());
        log.append(&entry.text);
        assert_eq!(entry.peaks, log.peaks());
    }
    assert_eq!(log.size(), 7);
}

pub(crate) async fn how_far_a_run_is_is_entered_with_the_commit(store: &dyn Store) {
    let (mut writer, _) = recorded(store, 'A', Vec::new()).await;
    writer.stage(&plain_epoch(0, 0..2).0).await.unwrap();
    assert_eq!(kinds(store), ["opened", "begun"], "nothing is durable yet");
    writer.commit(None, &head(0), Micros(2_000)).await.unwrap();
    assert_eq!(kinds(store), ["opened", "begun", "head"]);
    writer.stage(&plain_epoch(1, 2..4).0).await.unwrap();
    writer.rollback().await.unwrap();
    assert_eq!(kinds(store), ["opened", "begun", "head"]);
}

pub(crate) async fn a_commit_that_failed_enters_nothing_and_then_once(store: &dyn Store) {
    let (mut writer, _) = recorded(store, 'A', vec![plain_epoch(0, 0..2)]).await;
    writer.stage(&plain_epoch(1, 2..4).0).await.unwrap();
    let (_, mut broken) = plain_epoch(0, 0..2);
    broken.outcomes.truncate(1);
    broken.outcomes.push(broken.outcomes[0].clone());
    writer.commit(Some(&broken), &head(1), Micros(3_000)).await.unwrap_err();
    assert_eq!(kinds(store), ["opened", "begun"]);
    writer.rollback().await.unwrap();
    writer.stage(&plain_epoch(1, 2..4).0).await.unwrap();
    writer.commit(None, &head(1), Micros(4_000)).await.unwrap();
    assert_eq!(kinds(store), ["opened", "begun", "head"]);
}

pub(crate) async fn a_resumption_is_entered_by_the_one_that_gets_the_run(store: &dyn Store) {
    let (mut writer, _) = recorded(store, 'A', vec![plain_epoch(0, 0..2)]).await;
    writer.seal(&seal(RunStatus::Interrupted), &sealed()).await.unwrap();
    let up = take_up(&start(run_id('A'), 0).owner, 9_000_000);
    store.writer().await.take_up(&up).await.unwrap();
    let again = store.writer().await.take_up(&up).await;
    assert!(matches!(again, Err(LandscapeError::Owned { .. })), "{again:?}");
    assert_eq!(kinds(store), ["opened", "begun", "sealed", "taken_up"]);
    assert_eq!(Entry::read(&stored(store)[3].text), Some(Entry::taken_up(&up)));
}

pub(crate) async fn who_lost_a_run_enters_nothing(store: &dyn Store) {
    let (mut slept, _) = recorded(store, 'A', vec![plain_epoch(0, 0..2)]).await;
    let up = take_up(&start(run_id('A'), 0).owner, 3_000);
    store.writer().await.take_up(&up).await.unwrap();
    slept.seal(&seal(RunStatus::Failed), &sealed()).await.unwrap_err();
    slept.commit(None, &head(1), Micros(5_000)).await.unwrap_err();
    assert_eq!(kinds(store), ["opened", "begun", "taken_up"]);
}

pub(crate) async fn a_registry_that_was_only_written_is_sound(store: &dyn Store) {
    let (mut writer, _) = recorded(store, 'A', vec![plain_epoch(0, 0..2)]).await;
    writer.seal(&seal(RunStatus::Completed), &sealed()).await.unwrap();
    let found = verify_registry(store.registry().as_mut(), &Trust::default()).unwrap();
    assert!(found.is_sound(), "{found:?}");
}
