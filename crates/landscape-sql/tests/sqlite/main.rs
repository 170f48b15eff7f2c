//! The store on SQLite files: the conformance suite of all audit stores, and what only files and views can do.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

#[path = "../conformance/mod.rs"]
mod conformance;
mod counting;
mod exporting;
mod files;
mod purging;
mod signing;
mod trees;
mod views;

use std::future::Future;

use async_trait::async_trait;
use conformance::Store;
use elspeth_landscape::verify::RegistryScan;
use elspeth_landscape::{LandscapeReader, LandscapeWriter};
use elspeth_landscape_sql::SqliteLandscape;
use elspeth_testkit::Scratch;

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

struct File {
    landscape: SqliteLandscape,
    _scratch: Scratch,
}

impl File {
    async fn fresh() -> Self {
        let scratch = Scratch::new();
        let landscape = SqliteLandscape::at(scratch.join("state/audit.db").to_str().unwrap()).unwrap();
        landscape.writer().await.unwrap().close().await.unwrap();
        Self { landscape, _scratch: scratch }
    }

    async fn ready() -> Option<Self> {
        Some(Self::fresh().await)
    }
}

#[async_trait]
impl Store for File {
    async fn writer(&self) -> Box<dyn LandscapeWriter> {
        Box::new(self.landscape.writer().await.unwrap())
    }

    async fn reader(&self) -> Box<dyn LandscapeReader> {
        Box::new(self.landscape.reader().await.unwrap())
    }

    fn registry(&self) -> Box<dyn RegistryScan> {
        self.landscape.scans().unwrap().registry().unwrap()
    }
}

conformance::every_conformance_test! { File::ready }
