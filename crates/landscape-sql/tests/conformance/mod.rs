//! What every audit store must do, whatever its database. `conformance_tests!` makes a test of each, for one [`Store`].

pub(crate) mod asking;
pub(crate) mod batched;
pub(crate) mod batching;
pub(crate) mod carrying;
pub(crate) mod conserving;
pub(crate) mod entering;
pub(crate) mod explaining;
pub(crate) mod resuming;
pub(crate) mod sample;
pub(crate) mod world;
pub(crate) mod writing;

use async_trait::async_trait;
use elspeth_contracts::Micros;
use elspeth_landscape::verify::RegistryScan;
use elspeth_landscape::{ActedEpoch, DecidedEpoch, LandscapeReader, LandscapeWriter, RunRef};

use sample::{hashes, run_id, start};

/// A fresh and empty database.
#[async_trait]
pub(crate) trait Store: Send + Sync {
    async fn writer(&self) -> Box<dyn LandscapeWriter>;
    async fn reader(&self) -> Box<dyn LandscapeReader>;
    fn registry(&self) -> Box<dyn RegistryScan>;
}

/// One `#[test]` for each conformance function named.
macro_rules! conformance_tests {
    ($store:expr; $($module:ident: $($name:ident),+ $(,)?;)+) => {
        $($(
            #[test]
            fn $name() {
                crate::block_on(async {
                    if let Some(store) = $store().await {
                        crate::conformance::$module::$name(&store).await;
                    }
                });
            }
        )+)+
    };
}

/// All of them, of one [`Store`].
macro_rules! every_conformance_test {
    ($store:expr) => {
        crate::conformance::conformance_tests! { $store;
            writing:
                a_run_comes_back_as_it_was_registered,
                every_record_comes_back_as_it_was_written,
                what_is_not_there_is_none,
                tokens_of_a_row_are_all_of_them_and_no_others,
                the_source_state_follows_from_the_row,
                epochs_of_any_size_are_complete,
                nobody_sees_an_epoch_before_its_commit,
                a_rolled_back_epoch_leaves_nothing_and_can_come_again,
                a_reader_sees_each_commit_of_a_writer_beside_it,
                two_runs_in_one_database_do_not_mix,
                a_second_terminal_outcome_is_refused,
                a_terminal_outcome_may_follow_buffered,
                an_epoch_that_cannot_be_committed_leaves_nothing_and_can_come_again,
                an_epoch_that_cannot_be_staged_leaves_nothing,
                calls_out_of_order_are_refused,
                heartbeats_show_unless_an_epoch_is_staged,
                a_sealed_run_tells_how_it_ended,
                artifacts_are_the_newest_of_each_path;
            asking:
                runs_are_listed_newest_first,
                a_run_is_found_by_any_prefix_that_only_it_has,
                counters_follow_from_the_record_before_and_after_the_seal,
                failures_are_those_that_ended_a_path_in_row_order,
                failures_of_a_run_under_way_are_known_before_their_outcomes,
                failures_are_counted_by_node_kind_and_destination,
                tokens_at_a_sink_are_those_it_took_in_row_order;
            batching:
                batches_come_back_as_they_were_written,
                long_lists_are_read_in_pages,
                a_token_knows_its_batches,
                children_are_found_where_they_were_made,
                members_of_open_batches_count_as_buffered,
                counters_of_trees_follow_from_the_record,
                a_failed_merge_counts_once;
            explaining:
                a_row_leads_to_what_its_batch_let_go_on,
                a_consumed_row_names_its_batch_and_its_outputs,
                with_a_sink_a_row_leads_through_its_batch,
                what_a_batch_made_leads_back_to_its_members,
                members_are_listed_from_where_they_are_asked_for,
                what_failed_after_a_batch_shows_what_came_in;
            resuming:
                a_run_goes_on_from_its_last_commit,
                sinks_may_be_three_epochs_behind_and_no_more,
                a_failed_run_keeps_its_pending_epoch,
                an_epoch_without_rows_can_be_pending_too,
                releases_and_publications_are_known_by_node,
                a_run_without_rows_can_be_published,
                a_run_that_is_taken_up_is_running_again,
                a_run_is_taken_up_only_as_it_was_seen,
                of_two_who_take_a_run_up_one_gets_it,
                who_lost_a_run_cannot_write_it,
                a_writer_takes_up_no_run_beside_another;
            carrying:
                a_row_carries_what_was_read_until_a_node_changes_it,
                a_refused_record_is_carried_as_a_row,
                a_large_row_comes_from_the_payload_store,
                a_branch_carries_what_its_parent_did_until_a_node_changes_it,
                what_was_made_carries_its_own_row,
                a_merge_across_rows_has_its_row_in_the_epoch_of_its_release,
                members_carry_what_each_batch_gave_them,
                outputs_of_a_batch_carry_what_it_made,
                tokens_may_be_asked_for_in_any_order,
                tokens_that_came_from_nothing_are_corruption,
                rows_of_purged_epochs_cannot_be_carried,
                rows_with_other_hashes_than_recorded_are_corruption,
                whatever_happened_tokens_carry_what_they_had,
                what_tokens_carry_is_what_their_lineage_shows;
            entering:
                a_run_enters_its_beginning_and_its_end,
                entries_are_numbered_and_their_tree_grows,
                how_far_a_run_is_is_entered_with_the_commit,
                a_commit_that_failed_enters_nothing_and_then_once,
                a_resumption_is_entered_by_the_one_that_gets_the_run,
                who_lost_a_run_enters_nothing,
                a_registry_that_was_only_written_is_sound;
            conserving:
                a_sound_run_breaks_nothing,
                a_run_without_rows_breaks_nothing,
                a_token_without_outcome_is_found,
                a_token_that_is_only_buffered_is_found,
                an_outcome_without_token_is_found,
                a_row_without_token_is_found,
                a_completed_token_without_sink_is_found,
                an_outcome_at_a_sink_without_completed_state_there_is_found,
                a_token_that_completed_twice_stands_in_for_no_other,
                a_completed_state_at_another_sink_than_the_outcome_says_is_found,
                a_completed_state_at_a_sink_without_outcome_there_is_found,
                a_failed_token_that_names_a_sink_it_reached_is_found,
                a_forked_token_without_children_in_its_group_is_found,
                no_more_than_ten_ids_are_named;
        }
    };
}

/// Begins a run and writes epochs: each commit holds an epoch's decisions and what came of the epoch before.
pub(crate) async fn recorded(
    store: &dyn Store,
    id: char,
    epochs: Vec<(DecidedEpoch, ActedEpoch)>,
) -> (Box<dyn LandscapeWriter>, i64) {
    let mut writer = store.writer().await;
    writer.begin_run(&start(run_id(id), 1_000_000)).await.unwrap();
    let mut before = None;
    for (decided, acted) in epochs {
        writer.stage(&decided).await.unwrap();
        writer.commit(before.as_ref(), &hashes(10), Micros(2_000)).await.unwrap();
        before = Some(acted);
    }
    if before.is_some() {
        writer.commit(before.as_ref(), &hashes(30), Micros(3_000)).await.unwrap();
    }
    let run = store.reader().await.run(&RunRef::Prefix(run_id(id).to_string())).await.unwrap();
    (writer, run.run_no)
}

pub(crate) use conformance_tests;
pub(crate) use every_conformance_test;
