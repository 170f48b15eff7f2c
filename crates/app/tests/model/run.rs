//! A pipeline run by the program, in a folder of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use elspeth_app::{
    AppError, DatabaseChoice, EnvChoice, Prepared, Progress, ResumeChoice, RowProving, RunId, RunObserver,
    RunReport, RunStatus, SettingsChoice, TrustChoice, VerifyChoice, VerifyStatus,
};
use elspeth_proof::{Receipt, Trust, Vouched};
use elspeth_testkit::Scratch;

use crate::pipeline::{Pipeline, SINKS, SinkNo};
use crate::record::{Record, Records};
use crate::settings;

/// How a run does its work, which must not show.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    pub(crate) workers: u16,
    /// Rows of an epoch; the default measure when absent.
    pub(crate) epoch: Option<u16>,
    /// Stopped after so many epochs, and resumed, and stopped again, until there is nothing left to do.
    pub(crate) stops: Option<u32>,
}

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Observed {
    run_id: RunId,
    pub(crate) status: String,
    pub(crate) error: Option<String>,
    /// The text of each sink's file.
    pub(crate) sinks: BTreeMap<String, String>,
    pub(crate) counters: BTreeMap<&'static str, u64>,
    /// Rows by sink, as the report says.
    pub(crate) destinations: BTreeMap<String, u64>,
    pub(crate) content_root: Option<String>,
    /// How often it was resumed.
    pub(crate) resumed: u32,
}

/// Stops a run after some epochs.
struct Stopper {
    stop: Arc<AtomicBool>,
    after: Option<u32>,
}

impl Stopper {
    fn new(after: Option<u32>) -> Self {
        Self { stop: Arc::new(AtomicBool::new(false)), after }
    }
}

impl RunObserver for Stopper {
    fn started(&mut self, _run_id: RunId) {}
    fn progress(&mut self, _progress: Progress) {
        self.after = self.after.map(|after| after.saturating_sub(1));
        if self.after == Some(0) {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

/// A folder and a database for any number of pipelines, one after the other.
pub(crate) struct Bench {
    scratch: Scratch,
    records: Records,
}

/// A pipeline's files. All its runs are in one folder, because settings with other paths are other settings.
pub(crate) struct Trial<'a> {
    bench: &'a Bench,
    pipeline: &'a Pipeline,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let scratch = Scratch::new();
        let records = Records::in_file(&scratch.join("audit.db"));
        Self { scratch, records }
    }

    pub(crate) fn set_up<'a>(&'a self, pipeline: &'a Pipeline) -> Trial<'a> {
        let lines = pipeline.lines.iter().map(|line| format!("{line}\n"));
        self.scratch.write("in.jsonl", lines.collect::<String>());
        Trial { bench: self, pipeline }
    }
}

impl Trial<'_> {
    /// Compiles it.
    pub(crate) fn prepare(&self, way: Way) -> Result<Prepared, String> {
        elspeth_app::prepare(&self.settings(&operation(way))).map_err(|e| told(&e))
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, prepared: Prepared, way: Way) -> Result<Observed, String> {
        let scratch = &self.bench.scratch;
        let mut stopper = Stopper::new(way.stops);
        let stop = Arc::clone(&stopper.stop);
        let mut report = elspeth_app::run(prepared, stop, &mut stopper).map_err(|e| told(&e))?;
        let mut resumed = 0;
        while report.run.status == RunStatus::Interrupted {
            resumed += 1;
            report = self.resume(&report, way.stops)?;
        }
        self.verify(report.run.run_id)?;
        if way.stops.is_some() && report.run.rows.processed > 0 {
            self.prove(report.run.run_id, report.run.rows.processed / 2)?;
        }
        let written = |sink: &SinkNo| {
            let text = std::fs::read_to_string(scratch.join(&self.pipeline.file(*sink)));
            (SINKS[*sink].to_owned(), text.unwrap_or_else(|e| format!("no file: {e}")))
        };
        Ok(Observed {
            run_id: report.run.run_id,
            status: report.run.status.to_string(),
            error: report.error.clone(),
            sinks: settings::used_sinks(self.pipeline).iter().map(written).collect(),
            counters: counters(&report),
            destinations: report.run.destinations.clone(),
            content_root: report.run.content_root.map(|root| root.to_string()),
            resumed,
        })
    }

    /// Its record is what was written.
    fn verify(&self, run: RunId) -> Result<(), String> {
        let choice = VerifyChoice::One(run.to_string());
        let found =
            elspeth_app::verify(&self.database(), &choice, &TrustChoice::default()).map_err(|e| told(&e))?;
        match found.iter().find(|verification| verification.status != VerifyStatus::Ok) {
            Some(verification) => Err(format!("verified: {:?}", verification.checks)),
            None => Ok(()),
        }
    }

    /// What the record says of a row is proven to somebody without a database.
    fn prove(&self, run: RunId, row: u64) -> Result<(), String> {
        let proving =
            elspeth_app::prove_row(&self.database(), &run.to_string(), row).map_err(|e| told(&e))?;
        let RowProving::Proven(told) = proving else { return Err(format!("row {row} was not proven")) };
        let receipt = Receipt::parse(&told.text).map_err(|refusal| refusal.to_string())?;
        let seen = receipt.head.parse().map_err(|error| format!("the head of row {row}: {error}"))?;
        let story = receipt.verify(&Trust::new(Vec::new(), vec![seen]));
        match story.map_err(|refusal| format!("the receipt of row {row}: {refusal}"))?.vouched {
            Vouched::Remembered => Ok(()),
            Vouched::Signed(_) | Vouched::Nobody => Err(format!("nobody remembers the head of row {row}")),
        }
    }

    fn database(&self) -> DatabaseChoice {
        DatabaseChoice::Location(self.bench.scratch.join("audit.db").display().to_string())
    }

    fn resume(&self, report: &RunReport, stops: Option<u32>) -> Result<RunReport, String> {
        let choice = ResumeChoice {
            run: report.run.run_id.to_string(),
            settings: None,
            database: self.database(),
            env: EnvChoice::NoDotenv,
            accept_changed_source: false,
        };
        let resumable = elspeth_app::resumable(&choice).map_err(|e| told(&e))?;
        let mut stopper = Stopper::new(stops);
        let stop = Arc::clone(&stopper.stop);
        elspeth_app::resume(resumable, stop, &mut stopper).map_err(|e| told(&e))
    }

    /// What was recorded of a run.
    pub(crate) fn record(&self, run: &Observed) -> Record {
        let waiting = (0..self.pipeline.nodes.len()).filter(|node| self.pipeline.waits(*node)).count();
        self.bench.records.of_run(run.run_id, waiting as u64)
    }

    fn settings(&self, operation: &str) -> SettingsChoice {
        let text = settings::text(self.pipeline, operation);
        let text = text.replace("$DIR", &self.bench.scratch.path().display().to_string());
        let path = self.bench.scratch.write("settings.yaml", text);
        SettingsChoice { path, env: EnvChoice::NoDotenv }
    }
}

/// The positions of the nodes in the compiled graph.
pub(crate) fn steps(prepared: &Prepared) -> BTreeMap<String, usize> {
    let nodes = prepared.plan().nodes.into_iter();
    nodes.enumerate().map(|(step, node)| (node.name, step)).collect()
}

fn operation(way: Way) -> String {
    let checkpoint = match way.epoch {
        None => String::new(),
        Some(1) => "checkpoint: {frequency: every_row}\n".to_owned(),
        Some(rows) => format!("checkpoint: {{frequency: every_n, checkpoint_interval: {rows}}}\n"),
    };
    let workers = way.workers;
    format!(
        "landscape: {{url: \"sqlite:///$DIR/audit.db\"}}\nconcurrency: {{max_workers: {workers}}}\n{checkpoint}"
    )
}

fn counters(report: &RunReport) -> BTreeMap<&'static str, u64> {
    let rows = &report.run.rows;
    BTreeMap::from([
        ("processed", rows.processed),
        ("succeeded", rows.succeeded),
        ("failed", rows.failed),
        ("routed", rows.routed),
        ("quarantined", rows.quarantined),
        ("forked", rows.forked),
        ("coalesced", rows.coalesced),
        ("coalesce_failed", rows.coalesce_failed),
        ("expanded", rows.expanded),
        ("buffered", rows.buffered),
        ("diverted", rows.diverted),
    ])
}

fn told(error: &AppError) -> String {
    match error {
        AppError::Settings(refused) => refused.errors.iter().map(|e| format!("{e}\n")).collect(),
        other => other.to_string(),
    }
}
