//! What stays open is taken up again by another process: another engine, another clock.
#![expect(clippy::unwrap_used, reason = "what fails here fails its test, with the place")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use elspeth_canonical::HashVersion;
use elspeth_contracts::{EpochNo, RowIndex, TokenKey, TriggerType};
use elspeth_engine::{EngineError, EpochWork, Start, StillOpen, drive, waits};
use elspeth_graph::OutputMode;
use elspeth_landscape::Carried;
use elspeth_plugin::{ReadProgress, Source, SourceError, SourceIdentity, SourceItem, SourcePosition};
use elspeth_testkit::ManualClock;
use elspeth_value::{Contract, Row, Value};

use crate::support::numbers;
use crate::support::waiting::{Batched, Waiting, batched, forked};
use crate::waiting::{arrived, sum, trigger};

/// Lets time go by, waits until something has come of that, and ends.
struct Silence {
    clock: Arc<ManualClock>,
    passes: Duration,
    gate: Receiver<()>,
}

impl Source for Silence {
    fn contract(&self) -> Contract {
        Contract::observed()
    }

    fn open(&mut self, _version: HashVersion, _position: Option<&SourcePosition>) -> Result<(), SourceError> {
        Ok(())
    }

    fn read(&mut self, _max: usize, _items: &mut Vec<SourceItem>) -> Result<ReadProgress, SourceError> {
        self.clock.advance(u64::try_from(self.passes.as_micros()).expect("tests wait for seconds"));
        // A timer that does not fire must fail the test, not hang it.
        let _ = self.gate.recv_timeout(Duration::from_secs(20));
        Ok(ReadProgress::End)
    }

    fn position(&self) -> SourcePosition {
        SourcePosition(serde_json::Value::Null)
    }

    fn identity(&self) -> SourceIdentity {
        SourceIdentity { location: String::new(), size_bytes: None, read_bytes: 0, content_hash: None }
    }
}

fn carried(n: i64, fresh: bool) -> Carried {
    let row = Row::from_pairs([("n".into(), Value::Int(n))]);
    let hash = row.content_hash(HashVersion::default(), &mut Vec::new()).unwrap();
    Carried { row, hash, fresh }
}

fn token(row: u64, ordinal: u32) -> TokenKey {
    TokenKey::of_row(RowIndex::new(row).unwrap(), ordinal).unwrap()
}

/// Goes on with what was open, while no row comes and so much time goes by.
fn go_on(pipeline: &Waiting, open: StillOpen, passes: Duration) -> Result<Vec<EpochWork>, EngineError> {
    // Later by this clock than anything before.
    pipeline.clock.advance(1_000_000_000);
    let (let_go, gate) = channel();
    let source = Silence { clock: Arc::clone(&pipeline.clock), passes, gate };
    let mut epochs = Vec::new();
    let start = Start { rows: 3, epoch: EpochNo(1), open };
    drive(&pipeline.pipeline, Box::new(source), start, &Arc::default(), |work| {
        let _ = let_go.send(());
        epochs.push(work);
        true
    })?;
    Ok(epochs)
}

/// What an engine had open when it stopped after its first epoch.
fn buffers(pipeline: &Waiting, rows: i64) -> String {
    let (epochs, end) = crate::support::run(&pipeline.pipeline, numbers(rows));
    end.unwrap();
    epochs[0].decided.buffers.clone()
}

fn batch_of_three() -> Waiting {
    batched(Batched { work: sum, trigger: trigger(None, Some(10)), mode: OutputMode::Transform })
}

#[test]
fn a_timer_goes_on_where_it_stood() {
    let pipeline = batch_of_three();
    let kept = buffers(&pipeline, 3).replace(r#""age_us":0"#, r#""age_us":4000000"#);
    let step = pipeline.pipeline.graph.named("batch").unwrap().step;
    let wait = waits(&kept).unwrap()[0];
    assert_eq!((wait.step, wait.tokens, wait.merges), (step, 3, 0));
    let mut open = StillOpen::read(&kept, &[]).unwrap();
    assert_eq!(open.batches().collect::<Vec<_>>(), [(0, 3)]);
    for n in 0..3 {
        open.member(0, token(n, 0), carried(n.cast_signed(), false)).unwrap();
    }
    let epochs = go_on(&pipeline, open, Duration::from_secs(6)).unwrap();
    assert_eq!(epochs[0].decided.epoch, EpochNo(1));
    assert_eq!(epochs[0].decided.batches[0].trigger, Some(TriggerType::Timeout));
    assert_eq!(arrived(&epochs, &pipeline, "out", "sum"), [3]);
    assert!(epochs[0].decided.batch_members.is_empty(), "they were recorded when they were accepted");
    let release = &epochs[0].decided.releases[0];
    assert!(release.after && release.row == RowIndex::new(2).unwrap(), "after the last row of before");
}

/// Is stopped while it waits for input, after some time went by; ends, or waits on until what comes of that is there.
struct Stopped {
    silence: Silence,
    stop: Arc<AtomicBool>,
    ends: bool,
}

impl Source for Stopped {
    fn contract(&self) -> Contract {
        self.silence.contract()
    }

    fn open(&mut self, version: HashVersion, position: Option<&SourcePosition>) -> Result<(), SourceError> {
        self.silence.open(version, position)
    }

    fn read(&mut self, max: usize, items: &mut Vec<SourceItem>) -> Result<ReadProgress, SourceError> {
        self.silence.clock.advance(3_000_000);
        self.stop.store(true, Ordering::Relaxed);
        if self.ends {
            return Ok(ReadProgress::More);
        }
        self.silence.read(max, items).map(|_| ReadProgress::More)
    }

    fn position(&self) -> SourcePosition {
        self.silence.position()
    }

    fn identity(&self) -> SourceIdentity {
        self.silence.identity()
    }
}

#[test]
fn who_stops_remembers_how_old_is_what_waits() {
    for ends in [true, false] {
        let pipeline = batch_of_three();
        let kept = buffers(&pipeline, 3).replace(r#""age_us":0"#, r#""age_us":4000000"#);
        let mut open = StillOpen::read(&kept, &[]).unwrap();
        for n in 0..3 {
            open.member(0, token(n, 0), carried(n.cast_signed(), false)).unwrap();
        }
        pipeline.clock.advance(1_000_000_000);
        let (let_go, gate) = channel();
        // Time has gone by when it is told to stop.
        let silence = Silence { clock: Arc::clone(&pipeline.clock), passes: Duration::ZERO, gate };
        let stop = Arc::new(AtomicBool::new(false));
        let source = Stopped { silence, stop: Arc::clone(&stop), ends };
        let start = Start { rows: 3, epoch: EpochNo(1), open };
        let mut epochs = Vec::new();
        let finished = drive(&pipeline.pipeline, Box::new(source), start, &stop, |work| {
            let _ = let_go.send(());
            epochs.push(work.decided);
            true
        });
        assert!(!finished.unwrap().exhausted);
        let [last] = &epochs[..] else { panic!("one epoch, not {}", epochs.len()) };
        assert!(last.buffers.contains(r#""age_us":7000000"#), "{ends}: {}", last.buffers);
        assert!(last.rows.is_empty() && last.releases.is_empty() && last.operations.is_empty());
    }
}

#[test]
fn merges_and_their_branches_go_on_where_they_stood() {
    let pipeline = forked(Duration::from_secs(2));
    let kept = buffers(&pipeline, 1).replace(r#""age_us":0"#, r#""age_us":1500000"#);
    let mut open = StillOpen::read(&kept, &[]).unwrap();
    let quick = token(0, 1);
    assert_eq!(open.waiting(), [quick]);
    open.arrived(quick, &carried(0, true)).unwrap();
    open.member(0, token(0, 2), carried(0, true)).unwrap();
    let epochs = go_on(&pipeline, open, Duration::from_millis(500)).unwrap();
    let merged = &epochs[0].decided;
    assert_eq!(merged.token_parents.len(), 1, "the timer ran out: {merged:?}");
    assert!(merged.contexts[0].context.contains(r#""arrived":["quick"]"#), "{}", merged.contexts[0].context);
    assert_eq!(arrived(&epochs, &pipeline, "out", "n"), [0]);
    let late = epochs.iter().flat_map(|epoch| &epoch.decided.transform_errors).count();
    assert_eq!(late, 1, "the branch that waited in the batch came too late");
}

#[test]
fn numbers_of_releases_go_on() {
    let pipeline = batch_of_three();
    let kept = buffers(&pipeline, 3).replace(r#""number":0"#, r#""number":7"#);
    let step = pipeline.pipeline.graph.named("batch").unwrap().step;
    let mut open = StillOpen::read(&kept, &[(step, 7)]).unwrap();
    for n in 0..3 {
        open.member(7, token(n, 0), carried(n.cast_signed(), false)).unwrap();
    }
    let epochs = go_on(&pipeline, open, Duration::from_secs(10)).unwrap();
    assert_eq!(epochs[0].decided.releases[0].number, 7);
}

#[test]
fn what_does_not_belong_together_is_corruption() {
    let pipeline = batch_of_three();
    let kept = buffers(&pipeline, 3);
    let missing = StillOpen::read(&kept, &[]).unwrap();
    let elsewhere = kept.replace(r#""step":1"#, r#""step":2"#);
    assert_ne!(elsewhere, kept);
    let mut elsewhere = StillOpen::read(&elsewhere, &[]).unwrap();
    for n in 0..3 {
        elsewhere.member(0, token(n, 0), carried(n.cast_signed(), false)).unwrap();
    }
    for open in [missing, elsewhere] {
        let refused = go_on(&pipeline, open, Duration::ZERO);
        assert!(matches!(refused, Err(EngineError::Corrupt(_))), "{refused:?}");
    }
    assert!(StillOpen::read("{", &[]).is_err());
    for broken in ["{", "{}", r#"{"nodes":[{"step":65535}]}"#] {
        assert_eq!(waits(broken).unwrap_err().table, "checkpoints", "{broken}");
    }
    assert_eq!(waits("").unwrap(), []);
}
