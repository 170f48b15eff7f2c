//! The store in PostgreSQL: the conformance suite of all audit stores, and what only a server can do.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

#[path = "../conformance/mod.rs"]
mod conformance;
mod defaults;
mod guarding;
mod losing;
mod nul;
mod refusing;

use std::future::Future;

use async_trait::async_trait;
use conformance::Store;
use elspeth_landscape::verify::RegistryScan;
use elspeth_landscape::{LandscapeReader, LandscapeWriter};
use elspeth_landscape_sql::Landscape;
use elspeth_testkit::PgCluster;

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

pub(crate) struct Database(pub(crate) Landscape);

impl Database {
    /// `None`, where the machine has no PostgreSQL.
    pub(crate) async fn fresh() -> Option<Self> {
        let landscape = Landscape::at(&PgCluster::shared()?.fresh()).unwrap();
        drop(landscape.writer().await.unwrap());
        Some(Self(landscape))
    }
}

#[async_trait]
impl Store for Database {
    async fn writer(&self) -> Box<dyn LandscapeWriter> {
        self.0.writer().await.unwrap()
    }

    async fn reader(&self) -> Box<dyn LandscapeReader> {
        Box::new(self.0.reader().await.unwrap())
    }

    fn registry(&self) -> Box<dyn RegistryScan> {
        self.0.scans().unwrap().registry().unwrap()
    }
}

conformance::every_conformance_test! { Database::fresh }
