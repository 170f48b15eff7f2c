//! Epochs are looked at by several threads, each with a scan of its own, and come back in their order.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::Builder;

use super::bodies::Looked;
use super::examine::{Examined, examine};
use super::gather::Known;
use super::places::Epoch;
use super::scan::{RecordScan, RunMark, ScanSource};
use crate::{LandscapeError, RunRecord};

/// More threads than these wait for each other.
const MOST: usize = 8;
/// Epochs for each thread that are examined or wait for their turn.
const AHEAD: usize = 4;

/// What threads open their scans with.
pub(super) struct Opened<'a> {
    pub(super) source: &'a dyn ScanSource,
    pub(super) run: &'a RunRecord,
    /// What every scan must see.
    pub(super) mark: &'a RunMark,
    /// Scans that were opened before, since later ones would see more.
    pub(super) spare: Mutex<Vec<Box<dyn RecordScan>>>,
}

/// How often scans of a run that is changed are brought to one moment. Between two of its commits there is time for a few.
const TRIES: usize = 1_000;

/// Scans of a run, which all see the same: of one that is written or purged, as many as are ever needed. At least one.
pub(super) fn together(
    source: &dyn ScanSource,
    run: &RunRecord,
) -> Result<Vec<Box<dyn RecordScan>>, LandscapeError> {
    let mut scans = vec![source.open(run)?];
    if scans[0].mark()?.is_changing() {
        // One that counts, and those of the threads.
        let others = (0..=cores().min(MOST)).map(|_| source.open(run));
        scans.extend(others.collect::<Result<Vec<_>, _>>()?);
    }
    for _ in 0..TRIES {
        let marks = scans.iter_mut().map(|scan| scan.mark()).collect::<Result<Vec<_>, _>>()?;
        if marks.windows(2).all(|pair| pair[0] == pair[1]) {
            return Ok(scans);
        }
        scans.iter_mut().try_for_each(|scan| scan.renew())?;
    }
    Err(LandscapeError::ChangedMeanwhile)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Fewer epochs are examined sooner than a thread begins.
const FEW: usize = 24;

type Given = (usize, Result<Examined, LandscapeError>);

/// Examines every epoch, and hands each over in order. What is to be done `beside` it has the own scan; its result is
/// given back.
pub(super) fn each<T: Send>(
    opened: &Opened<'_>,
    own: &mut dyn RecordScan,
    (known, epochs): (&Known<'_>, &[Epoch]),
    looked: Looked<'_>,
    beside: impl FnOnce(&mut dyn RecordScan) -> T + Send,
    mut take: impl FnMut(usize, Examined),
) -> Result<T, LandscapeError> {
    let cores = cores();
    if cores == 1 || epochs.len() < FEW {
        for (at, epoch) in epochs.iter().enumerate() {
            take(at, examine(own, known, (at, epoch), looked)?);
        }
        return Ok(beside(own));
    }
    let threads = cores.min(MOST);
    let (orders, inbox) = channel();
    let inbox = Mutex::new(inbox);
    let (sender, results) = channel();
    std::thread::scope(|scope| {
        // Threads end when there can be no more orders, which is when this is left, however that may be.
        let orders = orders;
        for _ in 0..threads {
            let (sender, inbox) = (sender.clone(), &inbox);
            let work = move || {
                let mut scan = match scan(opened) {
                    Ok(scan) => scan,
                    Err(error) => return drop(sender.send((0, Err(error)))),
                };
                while let Some(hand) = Hand::take(inbox, &sender) {
                    let examined = examine(scan.as_mut(), known, (hand.at, &epochs[hand.at]), looked);
                    hand.give(examined);
                }
            };
            Builder::new().spawn_scoped(scope, work).map_err(|error| no_thread(&error))?;
        }
        drop(sender);
        let beside = Builder::new().spawn_scoped(scope, move || beside(own));
        let beside = beside.map_err(|error| no_thread(&error))?;
        let order = |at: usize| orders.send(at).expect("the inbox outlives the orders");
        let ahead = (threads * AHEAD).min(epochs.len());
        (0..ahead).for_each(order);
        let mut waiting = BTreeMap::new();
        for at in 0..epochs.len() {
            let examined = in_turn(at, &results, &mut waiting)?;
            if at + ahead < epochs.len() {
                order(at + ahead);
            }
            take(at, examined);
        }
        drop(orders);
        Ok(beside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

fn no_thread(error: &io::Error) -> LandscapeError {
    LandscapeError::Store {
        context: "verifying".to_owned(),
        message: format!("the system gives no thread: {error}"),
        retryable: false,
    }
}

/// The epoch whose turn it is; others that come wait.
fn in_turn(
    at: usize,
    results: &Receiver<Given>,
    waiting: &mut BTreeMap<usize, Examined>,
) -> Result<Examined, LandscapeError> {
    loop {
        if let Some(examined) = waiting.remove(&at) {
            return Ok(examined);
        }
        let (of, examined) = results.recv().map_err(|_| LandscapeError::ChangedMeanwhile)?;
        waiting.insert(of, examined?);
    }
}

/// An epoch that a thread has in hand. Dropped, it is given back as one that could not be examined, so that nobody waits
/// for it.
struct Hand<'a> {
    at: usize,
    sender: Option<&'a Sender<Given>>,
}

impl<'a> Hand<'a> {
    /// The next epoch of which nobody has taken care; none when there are no more.
    fn take(inbox: &Mutex<Receiver<usize>>, sender: &'a Sender<Given>) -> Option<Self> {
        let at = inbox.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()?;
        Some(Self { at, sender: Some(sender) })
    }

    fn give(mut self, examined: Result<Examined, LandscapeError>) {
        if let Some(sender) = self.sender.take() {
            // Nobody takes any more where another epoch could not be read.
            let _ = sender.send((self.at, examined));
        }
    }
}

impl Drop for Hand<'_> {
    fn drop(&mut self) {
        if let Some(sender) = self.sender.take() {
            let _ = sender.send((self.at, Err(LandscapeError::ChangedMeanwhile)));
        }
    }
}

/// A scan that sees what all others do.
pub(super) fn scan(opened: &Opened<'_>) -> Result<Box<dyn RecordScan>, LandscapeError> {
    if let Some(scan) = opened.spare.lock().unwrap_or_else(PoisonError::into_inner).pop() {
        return Ok(scan);
    }
    let mut scan = opened.source.open(opened.run)?;
    if scan.mark()? == *opened.mark { Ok(scan) } else { Err(LandscapeError::ChangedMeanwhile) }
}
