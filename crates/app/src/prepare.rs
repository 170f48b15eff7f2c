use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use elspeth_config::{DatabaseUrl, Diagnostic, Dotenv, Environment, Loaded, Settings};
use elspeth_contracts::{Clock, RunId, SystemClock};
use elspeth_executors::{RateLimits, RetryPolicy, StepPlugins, ThreadPause};
use elspeth_graph::ExecutionGraph;
use elspeth_landscape::RunRecord;
use elspeth_landscape_sql::{Landscape, Synchronous};
use elspeth_orchestrator::{FailureBudget, RunObserver, RunPlan};
use elspeth_plugin::{Registry, Sink};
use elspeth_proof::SecretKey;
use elspeth_telemetry::TelemetryGuard;
use serde::Serialize;

use crate::lease::Tenure;
use crate::store::{bodies_of, location};
use crate::{AppError, Diagnostics, EnvChoice, SettingsChoice};

/// What wrote a record. A program without proofs exists to be measured only, and says what it is.
const ENGINE: &str = if cfg!(elspeth_unproven) {
    concat!(env!("CARGO_PKG_VERSION"), "-unproven")
} else {
    env!("CARGO_PKG_VERSION")
};

/// A settings file that was compiled: valid, and ready to run.
pub struct Prepared {
    loaded: Loaded,
    path: String,
}

/// What a run of it would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The settings file.
    pub settings_path: String,
    /// Where the record would be.
    pub database: String,
    /// Nodes in the order in which rows meet them.
    pub nodes: Vec<PlanNode>,
}

/// A node of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanNode {
    /// Its name.
    pub name: String,
    /// `source`, `transform`, `gate` or `sink`.
    pub node_type: String,
    /// Its plugin.
    pub plugin: String,
}

/// Compiles a settings file with the plugins that this program ships. Touches nothing.
///
/// # Errors
/// [`AppError::Settings`] with everything that is wrong.
pub fn prepare(settings: &SettingsChoice) -> Result<Prepared, AppError> {
    prepare_with(settings, crate::registry())
}

/// Compiles a settings file with plugins of the caller's choice.
///
/// # Errors
/// [`AppError::Settings`] with everything that is wrong.
pub fn prepare_with(settings: &SettingsChoice, registry: Registry) -> Result<Prepared, AppError> {
    let path = settings.path.display().to_string();
    let refused = |errors: Vec<Diagnostic>| AppError::Settings(Diagnostics { file: path.clone(), errors });
    let environment = environment(&settings.env)?;
    let loaded = elspeth_config::load(&settings.path, &environment, &registry).map_err(refused)?;
    Ok(Prepared { loaded, path })
}

/// The compiled graph of a settings file.
///
/// # Errors
/// [`AppError::Settings`] with everything that is wrong.
pub fn graph(settings: &SettingsChoice) -> Result<ExecutionGraph, AppError> {
    Ok(prepare(settings)?.loaded.graph)
}

/// Compiles the settings that a run recorded.
///
/// # Errors
/// [`AppError::Settings`] when they hold secrets, or this program understands them no more.
pub(crate) fn prepare_recorded(run: &RunRecord, env: &EnvChoice) -> Result<Prepared, AppError> {
    let path = format!("the settings of run {}", run.run_id);
    let refused = |errors: Vec<Diagnostic>| AppError::Settings(Diagnostics { file: path.clone(), errors });
    let environment = environment(env)?;
    let loaded = elspeth_config::load_recorded(&run.settings, &path, &environment, &crate::registry());
    Ok(Prepared { loaded: loaded.map_err(refused)?, path: run.settings_path.clone() })
}

/// The environment that is meant.
///
/// # Errors
/// [`AppError::Settings`] of the `.env` file that cannot be read.
pub(crate) fn environment(choice: &EnvChoice) -> Result<Environment, AppError> {
    let dotenv = match choice {
        EnvChoice::Search => Dotenv::Search,
        EnvChoice::File(path) => Dotenv::File(path.clone()),
        EnvChoice::NoDotenv => Dotenv::Off,
    };
    let process = Environment::of_process()
        .map_err(|e| AppError::Output(format!("there is no working directory: {e}")))?;
    process.with_dotenv(&dotenv).map_err(|error| {
        let file = error.file.clone().unwrap_or_default();
        AppError::Settings(Diagnostics { file, errors: vec![*error] })
    })
}

impl Prepared {
    /// What is legal, but probably not meant.
    #[must_use]
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.loaded.warnings
    }

    /// Where the record is.
    #[must_use]
    pub fn database(&self) -> &DatabaseUrl {
        &self.loaded.database
    }

    /// The key that signs heads, where the settings or the environment have one. Reads its file.
    pub(crate) fn signing_key(&self) -> Result<Option<SecretKey>, AppError> {
        let key = self.loaded.signing_key();
        key.map_err(|error| AppError::Settings(Diagnostics { file: self.path.clone(), errors: vec![*error] }))
    }

    /// The record, as these settings write and sign it: where the settings say, or at another `url`.
    pub(crate) fn landscape(&self, url: &DatabaseUrl) -> Result<Landscape, AppError> {
        let synchronous = match self.loaded.settings.landscape.synchronous {
            elspeth_config::Synchronous::Full => Synchronous::Full,
            elspeth_config::Synchronous::Off => Synchronous::Off,
        };
        Ok(crate::store::landscape(url)?.with_synchronous(synchronous).with_signer(self.signing_key()?))
    }

    /// The file of the journal of a run whose record is there; nothing, where none is to be kept.
    pub(crate) fn journal(&self, url: &DatabaseUrl) -> Option<PathBuf> {
        self.loaded.settings.landscape.journal(url)
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.loaded.settings
    }

    /// Takes a sink out of the pipeline.
    pub(crate) fn take_sink(&mut self, name: &str) -> Option<Box<dyn Sink>> {
        let step = self.loaded.graph.named(name)?.step;
        let sinks = &mut self.loaded.plugins.sinks;
        let at = sinks.iter().position(|(of, _)| *of == step)?;
        Some(sinks.remove(at).1)
    }

    /// What a run would do.
    #[must_use]
    pub fn plan(&self) -> Plan {
        let node = |n: &elspeth_graph::Node| PlanNode {
            name: n.name.clone(),
            node_type: n.node_type().to_string(),
            plugin: n.plugin.clone(),
        };
        Plan {
            settings_path: self.path.clone(),
            database: location(&self.loaded.database),
            nodes: self.loaded.graph.nodes().iter().map(node).collect(),
        }
    }

    /// Checks that inputs can be read and outputs written.
    pub(crate) fn preflight(&self) -> Result<(), AppError> {
        let errors = elspeth_config::preflight(&self.loaded);
        if errors.is_empty() {
            Ok(())
        } else {
            Err(AppError::Settings(Diagnostics { file: self.path.clone(), errors }))
        }
    }

    /// Everything that the orchestrator needs, for a run of that id that `tenure` writes and `observer` watches.
    pub(crate) fn into_plan(
        self,
        run_id: RunId,
        tenure: &Tenure,
        observer: &dyn RunObserver,
    ) -> Result<(RunPlan, TelemetryGuard), AppError> {
        let Loaded {
            settings, graph, plugins, resolved, config_hash, hash_version, database, signing, ..
        } = self.loaded;
        let epoch_rows = settings.checkpoint.epoch_rows();
        let retry = RetryPolicy {
            max_attempts: settings.retry.max_attempts,
            initial_delay: seconds(settings.retry.initial_delay_seconds)?,
            max_delay: seconds(settings.retry.max_delay_seconds)?,
            #[expect(clippy::cast_possible_truncation, reason = "a factor needs no more digits")]
            exponential_base: settings.retry.exponential_base as f32,
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let per_minute =
            |service: &str| settings.rate_limit.requests_per_minute(service).and_then(NonZeroU32::new);
        let limits = RateLimits::new(&graph, per_minute, Arc::clone(&clock));
        let telemetry = crate::telemetry::init(&settings.telemetry, observer.keeps_stdout())?;
        let budget = settings.failure_budget.as_ref();
        let budget = FailureBudget {
            max_rows: budget.and_then(|budget| budget.max_failed_rows),
            max_ratio: budget.and_then(|budget| budget.max_failed_ratio),
        };
        let plan = RunPlan {
            run_id,
            graph: Arc::new(graph),
            source: plugins.source,
            plugins: StepPlugins {
                transforms: plugins.transforms.into_iter().collect(),
                aggregations: plugins.aggregations.into_iter().collect(),
            },
            sinks: plugins.sinks,
            settings: resolved,
            settings_path: self.path,
            config_hash,
            hash_version,
            max_workers: usize::from(settings.concurrency.max_workers),
            epoch_rows: epoch_rows.map(|rows| usize::try_from(rows).unwrap_or(usize::MAX)),
            budget,
            accept_changed_source: false,
            retry,
            limits,
            clock,
            bodies: bodies_of(&database, &settings.payload_store.base_path),
            spans: telemetry.spans(run_id),
            pause: Arc::new(ThreadPause),
            heads_every: signing.map(|signing| signing.heads_every()),
            engine_version: ENGINE.to_owned(),
            owner: tenure.owner().to_owned(),
        };
        Ok((plan, telemetry))
    }
}

fn seconds(value: f64) -> Result<std::time::Duration, AppError> {
    std::time::Duration::try_from_secs_f64(value)
        .map_err(|e| AppError::Output(format!("retry delay {value}: {e}")))
}
