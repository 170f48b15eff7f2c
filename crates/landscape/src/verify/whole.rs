//! All checks of one run: what is known of it before its epochs are read, the epochs, and what all of them come to.

use elspeth_contracts::{NodeRecord, NodeType, RowIndex, RunStatus};
use elspeth_payload::LargeBodies;

use super::artifacts::{self, Files};
use super::aside::Aside;
use super::bodies::{BodyCount, Kept, Looked};
use super::conserve::Tally;
use super::entered::{Entered, Told};
use super::examine::Examined;
use super::fold::Fold;
use super::gather::{Known, Numbers};
use super::places::{Epoch, Places};
use super::scan::{Account, Counted, PurgeRecord, RecordScan, RunMark, ScanSource};
use super::story::{self, Story};
use super::witness::Witness;
use super::{Bad, Check, Ledger, Subject, run, threads};
use crate::LandscapeError;
use crate::integrity::Registered;

pub(super) struct Verifier<'a> {
    pub(super) source: &'a dyn ScanSource,
    pub(super) subject: &'a Subject<'a>,
}

/// What is known of a run before its epochs are read.
struct Before<'a> {
    subject: &'a Subject<'a>,
    purges: Vec<PurgeRecord>,
    kept: Kept,
    epochs: Vec<Epoch>,
    /// How many rows there are, where the epochs tell.
    rows: Option<u64>,
    known: Known<'a>,
    registered: Registered<'a>,
    entered: Entered,
    /// Whether batches took tokens for which they made others.
    is_consuming: bool,
}

/// What reading the epochs came to, and what was looked at beside.
struct Seen<'a> {
    fold: Fold<'a>,
    counted: Numbers,
    bodies: BodyCount,
    /// How the run's rows are accounted for; an error where something is no record.
    account: Result<Account, LandscapeError>,
    aside: Result<Aside, LandscapeError>,
}

/// What is added up while epochs are read.
struct Sums<'a> {
    fold: Fold<'a>,
    counted: Numbers,
    bodies: BodyCount,
    tally: Tally,
}

impl Verifier<'_> {
    /// What the record tells of a row.
    pub(super) fn story(
        &self,
        scan: &mut dyn RecordScan,
        row: RowIndex,
        bodies: Option<&dyn LargeBodies>,
    ) -> Result<Option<Story>, LandscapeError> {
        let Subject { run, nodes, edges, .. } = *self.subject;
        let records = scan.epochs()?;
        let mut ledger = Ledger::new(run.run_id);
        let (places, epochs) = Places::read(scan, records, coalesces(nodes), &mut ledger)?;
        let known = Known { run_id: run.run_id, version: run.hash_version, nodes, edges, places };
        story::tell(scan, (&known, &epochs), row, bodies)
    }

    /// Every check; how many records were read.
    pub(super) fn all(
        &self,
        ledger: &mut Ledger,
        mut witness: Option<&mut Witness>,
    ) -> Result<u64, LandscapeError> {
        let run = self.subject.run;
        let mut spare = threads::together(self.source, run)?;
        let mut scan = spare.pop().ok_or(LandscapeError::ChangedMeanwhile)?;
        let scan = scan.as_mut();
        let mark: RunMark = scan.mark()?;
        if !mark.is_of(run) {
            return Err(LandscapeError::ChangedMeanwhile);
        }
        let before = Before::read(self.subject, scan, ledger)?;
        let opened = threads::Opened { source: self.source, run, mark: &mark, spare: spare.into() };
        let Seen { fold, counted, bodies, account, aside } =
            before.epochs(&opened, scan, ledger, witness.as_deref_mut())?;
        let records = fold.records;
        before.compare((fold, &bodies), scan, (ledger, witness))?;
        let mut aside = aside?;
        aside.strays(counted, ledger);
        kept_bodies(aside.blocks, (before.kept, &bodies), ledger);
        let ran_here = self.subject.ran_here;
        let (artifacts, imported) = (self.subject.artifacts, before.entered.is_imported());
        artifacts::check(
            self.source,
            run,
            Files { artifacts, read: aside.files, imported, ran_here },
            ledger,
        )?;
        if let Ok(account) = &account
            && cfg!(debug_assertions)
            && ledger.is_sound()
        {
            before.check_counted(&opened, account)?;
        }
        match account {
            Ok(account) => conservation(self.subject, account, scan.summary()?, ledger),
            // What cannot be read cannot be counted.
            Err(_) if !ledger.is_sound() => {}
            Err(error) => return Err(error),
        }
        Ok(records)
    }
}

impl<'a> Before<'a> {
    fn read(
        subject: &'a Subject<'a>,
        scan: &mut dyn RecordScan,
        ledger: &mut Ledger,
    ) -> Result<Self, LandscapeError> {
        let Subject { run, nodes, edges, resumptions, .. } = *subject;
        run::registered(run, (nodes, edges), resumptions, ledger);
        if run.status == RunStatus::Running {
            ledger.unknown(Check::Run, "it is not sealed: it still runs, or stopped without an end");
        }
        let purges = scan.purges()?;
        let mut kept = run::purges(run, &purges, ledger);
        if scan.came_without_bodies()? {
            kept = Kept::Elsewhere;
        }
        let records = scan.epochs()?;
        let are_sound = run::epochs(&records, ledger);
        let (places, epochs) = Places::read(scan, records, coalesces(nodes), ledger)?;
        Ok(Self {
            subject,
            purges,
            kept,
            rows: are_sound.then(|| epochs.iter().map(|epoch| epoch.record.row_count).sum()),
            epochs,
            known: Known { run_id: run.run_id, version: run.hash_version, nodes, edges, places },
            registered: Registered::of_record(run, (nodes, edges)),
            entered: Entered::read(scan)?,
            is_consuming: !coalesces(nodes) && scan.count(Counted::BatchOutputs)? > 0,
        })
    }

    /// Whether rows are counted while epochs are read. Batches that go on with their members, and merges, are left to SQL; looking at
    /// them here as well would be in vain.
    fn is_counted_here(&self) -> bool {
        let may_be = self.known.places.is_simple() || self.is_consuming;
        self.subject.run.status == RunStatus::Completed && may_be
    }

    /// Reads and hashes every epoch. Counting in SQL takes as long as a good part of the hashing, and needs nothing of it.
    fn epochs(
        &self,
        opened: &threads::Opened<'_>,
        scan: &mut dyn RecordScan,
        ledger: &mut Ledger,
        mut witness: Option<&mut Witness>,
    ) -> Result<Seen<'_>, LandscapeError> {
        let run = self.subject.run;
        let looked = Looked { kept: self.kept, store: self.subject.bodies };
        let beside = |scan: &mut dyn RecordScan| Aside::read(scan, self.subject, self.rows);
        let account = || threads::scan(opened)?.account(run.status);
        let mut sums = Sums::new(self);
        let read = std::thread::scope(|scope| {
            let spawn = || std::thread::Builder::new().spawn_scoped(scope, account);
            let counting = (!self.is_counted_here()).then(spawn).and_then(Result::ok);
            let work = (&self.known, self.epochs.as_slice());
            let aside = threads::each(opened, scan, work, looked, beside, |at, examined| {
                sums.add((at, &self.epochs[at]), examined, ledger, witness.as_deref_mut());
            })?;
            let account = match counting {
                Some(counting) => counting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                // Also where there was no thread to be had.
                None if !self.is_counted_here() || sums.tally.open || !ledger.is_sound() => account(),
                None => {
                    let summary = Some(sums.tally.counters(&self.known).kept());
                    Ok(Account { breaches: Vec::new(), summary })
                }
            };
            Ok((account, aside))
        });
        let (account, aside) = match read {
            Ok(read) => read,
            // That something is no record is an answer; that something could not be read is none.
            Err(error @ LandscapeError::Corrupt(_)) => (Err(error), beside(scan)),
            Err(other) => return Err(other),
        };
        let Sums { fold, counted, bodies, .. } = sums;
        Ok(Seen { fold, counted, bodies, account, aside })
    }

    /// Whether SQL says the same as what was counted here of batches: two ways to one answer, of which tests of debug builds look
    /// at both.
    fn check_counted(&self, opened: &threads::Opened<'_>, account: &Account) -> Result<(), LandscapeError> {
        if self.is_consuming && self.is_counted_here() {
            let asked = threads::scan(opened)?.account(self.subject.run.status)?;
            let (said, seen) = ((asked.breaches, asked.summary), (&account.breaches, &account.summary));
            assert_eq!((&said.0, &said.1), seen, "SQL says otherwise");
        }
        Ok(())
    }

    /// Compares what the epochs came to with everything that is stored beside them.
    fn compare(
        &self,
        (mut fold, bodies): (Fold<'_>, &BodyCount),
        scan: &mut dyn RecordScan,
        (ledger, witness): (&mut Ledger, Option<&mut Witness>),
    ) -> Result<(), LandscapeError> {
        let Subject { run, resumptions, registry, .. } = *self.subject;
        let written = std::mem::take(&mut fold.written);
        let trees = std::mem::take(&mut fold.asked);
        let continuation = scan.continuation()?;
        let records = fold.records;
        let end = fold.end(resumptions.len(), &continuation.checkpoints, ledger);
        if let (Some(witness), Some((state, seal))) = (witness, &end) {
            witness.end(state, seal);
        }
        let purged = !self.purges.is_empty();
        if scan.resumption_numbers()?.into_iter().ne(0..resumptions.len() as u64) {
            let bad = Bad::among("resumptions", "of the run");
            ledger.bad(Check::Continuation, bad.what("one is missing: their numbers have a gap"));
        }
        run::resumptions(run, resumptions, &self.epochs, (purged, ledger));
        run::continuation(&continuation, (&self.known, &self.epochs), (&written, purged), ledger);
        if self.kept != Kept::Elsewhere {
            run::purged_blocks(&self.purges, bodies, ledger);
        }
        let told = Told {
            run,
            registered: &self.registered,
            resumptions,
            purges: &self.purges,
            epochs: &self.epochs,
            trees: &trees,
            records,
        };
        self.entered.check(&told, ledger);
        if let Some(registry) = registry {
            registry.tell(self.entered.last, ledger);
        }
        Ok(())
    }
}

impl<'a> Sums<'a> {
    fn new(before: &'a Before<'_>) -> Self {
        let mut fold = Fold::new(before.subject.run, &before.registered);
        fold.asked = before.entered.epochs().map(|epoch| (epoch, None)).collect();
        Self { fold, counted: Numbers::default(), bodies: BodyCount::default(), tally: Tally::default() }
    }

    /// The next epoch.
    fn add(
        &mut self,
        (at, epoch): (usize, &Epoch),
        mut examined: Examined,
        ledger: &mut Ledger,
        witness: Option<&mut Witness>,
    ) {
        self.counted.add(examined.counted);
        self.bodies.add(examined.bodies.clone());
        self.tally.add(examined.tally.take().unwrap_or_else(Tally::unknown));
        let found = std::mem::take(&mut examined.bad);
        if let Some(witness) = witness {
            witness.epoch(at, &examined);
        }
        let is_sound = self.fold.add(epoch, &mut examined, ledger);
        found.into_iter().for_each(|(check, bad)| ledger.bad(check, bad.judged(!is_sound)));
    }
}

fn conservation(subject: &Subject<'_>, account: Account, kept: Option<String>, ledger: &mut Ledger) {
    let run = subject.run;
    if run.status != RunStatus::Completed {
        ledger.skip(Check::Conservation, "it holds at the end of completed runs");
    }
    for breach in account.breaches {
        let id = breach.ids.first().cloned().unwrap_or_default();
        let what = format!("it breaks a rule of conservation: {}", breach.rule);
        ledger.bad(Check::Conservation, Bad::exact(breach.table, id).what(what));
    }
    let expected = account.summary.filter(|_| run.status != RunStatus::Running);
    if kept != expected {
        let bad = Bad::exact("runs", run.run_id.to_string());
        ledger.bad(Check::Run, bad.what("its `summary` is not what its records come to"));
    }
}

/// Blocks of epochs that do not exist, and what is told of those that were looked at.
fn kept_bodies(blocks: u64, (kept, bodies): (Kept, &BodyCount), ledger: &mut Ledger) {
    if blocks > bodies.blocks - bodies.purged {
        let what = "there are bodies of epochs that do not exist";
        ledger.bad(Check::Bodies, Bad::among("bodies", "of the run").what(what));
    }
    if bodies.out_of_reach > 0 {
        let what = format!("{} large bodies: the payload store is not here", bodies.out_of_reach);
        ledger.unknown(Check::Bodies, what);
    }
    if let Some(why) = &bodies.unreadable {
        ledger.unknown(Check::Bodies, why.as_str());
    }
    match kept {
        Kept::Purged => ledger.note(Check::Bodies, format!("purged; {} are left", bodies.checked)),
        Kept::Elsewhere => ledger.note(Check::Bodies, "the run came here without them"),
        Kept::All => ledger.note(Check::Bodies, format!("{} have their hashes", bodies.checked)),
    }
}

fn coalesces(nodes: &[NodeRecord]) -> bool {
    nodes.iter().any(|node| node.node_type == NodeType::Coalesce)
}
