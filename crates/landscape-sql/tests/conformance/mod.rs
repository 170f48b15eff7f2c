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
                crate::block_on(async { crate::conformance::$module::$name(&$store().await).await });
            }
        )+)+
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
