//! Views of batches and of what they release.

use sqlx::sqlite::SqliteConnection;

use crate::conformance::batched::{first_epoch, released, second_epoch};
use crate::conformance::recorded;
use crate::conformance::sample::{hash, run_id, token};
use crate::views::{OF_RUN, line, open, texts};
use crate::{File, block_on};

async fn shown<const N: usize>(
    db: &mut SqliteConnection,
    columns: &str,
    view: &str,
    order: &str,
) -> Vec<[Option<String>; N]> {
    texts(db, &format!("SELECT {columns} FROM {view} WHERE {OF_RUN} ORDER BY {order}")).await
}

#[test]
fn a_batch_that_takes_members_is_a_draft_until_it_is_flushed() {
    block_on(async {
        let file = File::fresh().await;
        let (mut writer, _) = recorded(&file, 'A', vec![first_epoch()]).await;
        let mut db = open(&file).await;
        let columns = "batch_no, attempt, node, status, trigger_type, reason, members, outputs";
        let flushed = [
            line(["0", "0", "totals", "failed", "count", "no answer", "2", "2"]),
            line(["0", "1", "totals", "completed", "count", "", "2", "2"]),
        ];
        let mut expected = flushed.to_vec();
        expected.push(line(["1", "0", "", "draft", "", "", "1", "0"]));
        assert_eq!(shown(&mut db, columns, "v_batches", "batch_no, attempt").await, expected);
        let (decided, _) = second_epoch();
        writer.stage(&decided).await.unwrap();
        writer
            .commit(None, &crate::conformance::sample::hashes(9), elspeth_contracts::Micros(9))
            .await
            .unwrap();
        expected[2] = line(["1", "0", "totals", "completed", "end_of_source", "", "2", "0"]);
        assert_eq!(shown(&mut db, columns, "v_batches", "batch_no, attempt").await, expected);
    });
}

#[test]
fn a_member_is_buffered_until_its_batch_lets_it_go() {
    block_on(async {
        let file = File::fresh().await;
        let (mut writer, _) = recorded(&file, 'A', vec![first_epoch()]).await;
        let mut db = open(&file).await;
        let columns = "batch_no, ordinal, row_index, outcome";
        let consumed =
            [line(["0", "0", "0", "consumed_in_batch"]), line(["0", "1", "1", "consumed_in_batch"])];
        let members = shown(&mut db, columns, "v_batch_members", "batch_no, ordinal").await;
        assert_eq!(members[..2], consumed);
        assert_eq!(members[2..], [line(["1", "0", "2", "buffered"])]);
        let sql = format!(
            "SELECT token_id, outcome, terminal, batch_no FROM v_token_outcomes WHERE {OF_RUN} AND row_index = 2"
        );
        let id = run_id('A').token_id(token(2)).to_string();
        assert_eq!(texts(&mut db, &sql).await, [line([&id, "buffered", "0", "1"])]);
        let (decided, acted) = second_epoch();
        writer.stage(&decided).await.unwrap();
        let hashes = crate::conformance::sample::hashes(9);
        writer.commit(None, &hashes, elspeth_contracts::Micros(9)).await.unwrap();
        let members = shown(&mut db, columns, "v_batch_members", "batch_no, ordinal").await;
        assert_eq!(members[2..], [line(["1", "0", "2", ""]), line(["1", "1", "4", ""])], "they go on");
        assert_eq!(texts::<4>(&mut db, &sql).await.len(), 0);
        writer.commit(Some(&acted), &hashes, elspeth_contracts::Micros(9)).await.unwrap();
        let members = shown(&mut db, columns, "v_batch_members", "batch_no, ordinal").await;
        assert_eq!(members[2..], [line(["1", "0", "2", "completed"]), line(["1", "1", "4", "forked"])]);
    });
}

#[test]
fn outputs_lead_to_their_batch_and_their_sink() {
    block_on(async {
        let file = File::fresh().await;
        drop(recorded(&file, 'A', vec![first_epoch(), second_epoch()]).await);
        let mut db = open(&file).await;
        let id = |number, ordinal| run_id('A').token_id(released(number, ordinal)).to_string();
        let columns = "batch_no, ordinal, token_id, outcome, outcome_sink";
        assert_eq!(
            shown(&mut db, columns, "v_batch_outputs", "ordinal").await,
            [line(["0", "0", &id(0, 0), "completed", "approved"]), line(["0", "1", &id(0, 1), "forked", ""])]
        );
        let made = shown(&mut db, "token_id, made_by_batch", "v_tokens", "token").await;
        let released = [(0, 0, "0"), (0, 1, "0"), (0, 2, ""), (0, 3, ""), (1, 0, ""), (1, 1, "")];
        let expected = released.map(|(number, ordinal, batch)| line([&id(number, ordinal), batch]));
        assert_eq!(made[5..], expected);
        assert!(made[..5].iter().all(|[_, batch]| batch.is_none()), "rows are not made by batches");
        let sql = format!(
            "SELECT m.row_index FROM v_tokens t JOIN v_batch_members m ON m.run_no = t.run_no
             AND m.batch_no = t.made_by_batch WHERE t.{OF_RUN} AND t.token_id = '{}' ORDER BY m.ordinal",
            id(0, 0)
        );
        assert_eq!(texts(&mut db, &sql).await, [line(["0"]), line(["1"])], "back to source rows");
    });
}

#[test]
fn releases_tell_when_and_where() {
    block_on(async {
        let file = File::fresh().await;
        drop(recorded(&file, 'A', vec![first_epoch(), second_epoch()]).await);
        let mut db = open(&file).await;
        let columns = "number, node, node_type, epoch, row_index, after";
        assert_eq!(
            shown(&mut db, columns, "v_releases", "number").await,
            [
                line(["0", "totals", "aggregation", "0", "1", "0"]),
                line(["1", "totals", "aggregation", "1", "4", "1"]),
            ]
        );
    });
}

#[test]
fn what_a_release_made_begins_with_a_row_of_its_own() {
    block_on(async {
        let file = File::fresh().await;
        drop(recorded(&file, 'A', vec![first_epoch()]).await);
        let mut db = open(&file).await;
        let id = run_id('A').token_id(released(0, 0)).to_string();
        let sql = format!("SELECT node, input_hash FROM v_explain WHERE {OF_RUN} AND token_id = '{id}'");
        assert_eq!(texts(&mut db, &sql).await, [line(["approved", &hash(7).to_string()])]);
    });
}
