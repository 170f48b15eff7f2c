//! The registry as a whole: numbers, texts, tree, keys, heads, and whether the runs that it tells of are there. What it says
//! of one run is compared with that run by [`super::entered`].

use elspeth_proof::{Checkpoint, Note, PublicKey};

use super::ledger::{Bad, Check, Ledger};
use crate::registry::{Entry, Keys, Log, Opened};
use crate::{Corruption, LandscapeError};

/// What a database does for those who verify its registry. Everything is of one moment.
pub trait RegistryScan {
    /// Every entry, by number, with the head after it. What cannot be read as a record is a [`crate::Corruption`].
    fn entries(&mut self, each: &mut dyn FnMut(StoredEntry)) -> Result<(), LandscapeError>;
    /// How many signed heads there are.
    fn heads(&mut self) -> Result<u64, LandscapeError>;
    /// A run of which no entry tells.
    fn unentered(&mut self) -> Result<Option<String>, LandscapeError>;
    /// Tables, views and triggers that are not what this program makes, and tables that their indexes contradict.
    fn altered(&mut self) -> Result<Vec<Corruption>, LandscapeError>;
}

/// An entry as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    /// Its number.
    pub number: i64,
    /// The number of the run that it is filed under.
    pub run_no: Option<i64>,
    /// The id of the run that has this number now.
    pub run_id: Option<String>,
    /// Its text.
    pub text: String,
    /// The frontier after it.
    pub peaks: Vec<u8>,
    /// The signed head after it.
    pub head: Option<String>,
}

/// Whom somebody trusts who verifies.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Keys: the heads must be signed by one of them, or by one that took its place. None: the registry's own are believed.
    pub keys: Vec<PublicKey>,
    /// A head that was seen before: the log must still contain it.
    pub since: Option<Checkpoint>,
}

/// What the registry of a database shows, whichever run is asked about.
#[derive(Debug, Clone, Default)]
pub struct RegistryFindings {
    bad: Vec<Bad>,
    /// What was done to tables, views and triggers.
    altered: Vec<Bad>,
    unknown: Vec<String>,
    notes: Vec<String>,
    /// How many entries are under a head that is signed by somebody trusted; nothing where nobody has to be.
    covered: Option<u64>,
}

impl RegistryFindings {
    /// Whether anything is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.bad.is_empty() && self.altered.is_empty()
    }

    /// Whether tables, views, indexes or triggers are not what this program makes.
    #[must_use]
    pub fn is_altered(&self) -> bool {
        !self.altered.is_empty()
    }

    /// Tells the ledger of a run; `last` is the number of the last entry about it.
    pub(super) fn tell(&self, last: Option<u64>, ledger: &mut Ledger) {
        self.altered.iter().for_each(|bad| ledger.bad(Check::Database, bad.clone()));
        self.bad.iter().for_each(|bad| ledger.bad(Check::Registry, bad.clone()));
        self.unknown.iter().for_each(|what| ledger.unknown(Check::Registry, what));
        self.notes.iter().for_each(|what| ledger.note(Check::Registry, what));
        if let (Some(covered), Some(last)) = (self.covered, last)
            && covered > 0
            && last >= covered
        {
            ledger.unknown(
                Check::Registry,
                "what was entered last about it is not under a head that a trusted key signed",
            );
        }
    }
}

/// Reads the registry and hashes it again.
///
/// # Errors
/// [`LandscapeError`] of the store; an entry that cannot be what it is, is no error but a finding.
pub fn verify_registry(
    scan: &mut dyn RegistryScan,
    trust: &Trust,
) -> Result<RegistryFindings, LandscapeError> {
    let mut pass = Pass::new(trust);
    pass.found.altered = scan.altered()?.into_iter().map(Bad::from).collect();
    match scan.entries(&mut |entry| pass.take(&entry)) {
        Ok(()) => {}
        Err(LandscapeError::Corrupt(corruption)) => {
            pass.found.bad.push(corruption.into());
            return Ok(pass.found);
        }
        Err(other) => return Err(other),
    }
    let heads = scan.heads()?;
    let unentered = scan.unentered()?;
    Ok(pass.end(heads, unentered))
}

/// The log as far as it was read.
struct Pass<'a> {
    trust: &'a Trust,
    found: RegistryFindings,
    log: Log,
    origin: String,
    keys: Keys,
    /// Given keys, and those that took their place.
    trusted: Vec<PublicKey>,
    heads: u64,
    /// The newest head: its size, and who signed it.
    newest: Option<(u64, String)>,
    /// The first head after the newest trusted one that nobody trusted signed.
    untrusted: Option<(u64, String)>,
}

impl<'a> Pass<'a> {
    fn new(trust: &'a Trust) -> Self {
        let covered = (!trust.keys.is_empty()).then_some(0);
        let mut pass = Self {
            trust,
            found: RegistryFindings { covered, ..RegistryFindings::default() },
            log: Log::empty(),
            origin: String::new(),
            keys: Keys::default(),
            trusted: trust.keys.clone(),
            heads: 0,
            newest: None,
            untrusted: None,
        };
        pass.compare_remembered();
        pass
    }

    fn bad(&mut self, number: i64, what: impl Into<String>) {
        self.found.bad.push(Bad::exact("registry", format!("number {number}")).what(what));
    }

    fn take(&mut self, stored: &StoredEntry) {
        let entry = Entry::read(&stored.text);
        match &entry {
            Some(entry) => self.judge(stored, entry),
            None => self.bad(stored.number, "its text is no entry in the form that entries have"),
        }
        self.append(stored);
        self.head(stored, entry.as_ref().and_then(Entry::signed_by));
        self.compare_remembered();
    }

    /// Takes an entry into the tree. Where that is not as it was stored, the stored one counts from there on, so that later
    /// entries are not blamed for it.
    fn append(&mut self, stored: &StoredEntry) {
        let expected = self.log.size().cast_signed();
        if stored.number == expected {
            self.log.append(&stored.text);
        } else {
            self.bad(stored.number, format!("entry {expected} is missing before it, or its number is wrong"));
        }
        if stored.number == expected && self.log.peaks() != stored.peaks {
            let what = "`peaks` are not those of the entries up to it: it or one before it was changed";
            self.found.bad.push(Bad::among("registry", format!("number {}", stored.number)).what(what));
        }
        let size = stored.number.unsigned_abs().wrapping_add(1);
        if let Some(log) = Log::from_stored(size, &stored.peaks) {
            self.log = log;
        }
    }

    fn judge(&mut self, stored: &StoredEntry, entry: &Entry) {
        let first = stored.number == 0;
        if let Entry::Opened(Opened { origin, .. }) = entry {
            match first {
                true => self.origin.clone_from(origin),
                false => self.bad(stored.number, "the log begins a second time"),
            }
        } else if first {
            self.bad(0, "the log does not begin with `opened`");
        }
        self.filed(stored, entry);
        let before = self.keys.current().map(|known| known.key.clone());
        match self.keys.enter(&self.origin, entry) {
            Err(what) => self.bad(stored.number, what),
            Ok(()) => {
                let now = self.keys.current().map(|known| known.key.clone());
                if let (Some(before), Some(now)) = (before, now)
                    && before != now
                    && self.trusted.contains(&before)
                {
                    self.trusted.push(now);
                }
            }
        }
    }

    /// Whether the entry is filed under the run that it tells of, and that run is there.
    fn filed(&mut self, stored: &StoredEntry, entry: &Entry) {
        match (entry.run(), stored.run_no, &stored.run_id) {
            (None, None, _) => {}
            (None, Some(_), _) => self.bad(stored.number, "it is filed under a run, but tells of none"),
            (Some(_), None, _) => self.bad(stored.number, "it tells of a run, but is not filed under it"),
            (Some(run), Some(_), Some(id)) if run.to_string() == *id => {}
            (Some(run), Some(_), Some(id)) => {
                let what = format!("it tells of run {run}, but is filed under run {id}");
                self.bad(stored.number, what);
            }
            (Some(run), Some(_), None) => {
                if matches!(entry, Entry::Begun(_) | Entry::Imported(_)) {
                    let what = format!(
                        "it was deleted: entry {} of the registry tells of it (`{}`)",
                        stored.number,
                        entry.name()
                    );
                    self.found.bad.push(Bad::exact("runs", run.to_string()).what(what));
                }
            }
        }
    }

    /// The head after an entry, which says whether there is one.
    fn head(&mut self, stored: &StoredEntry, by: Option<String>) {
        let size = self.log.size();
        let bad = |what: String| Bad::exact("heads", format!("size {size}")).what(what);
        let found = match (&stored.head, by) {
            (None, None) => return,
            (None, Some(by)) => {
                Err(format!("it is missing: entry {} says that {by} signed it", stored.number))
            }
            (Some(_), None) => Err(format!("entry {} says nothing of a signed head", stored.number)),
            (Some(note), Some(by)) => self.signed(note, &by).map(|()| by),
        };
        self.heads += u64::from(stored.head.is_some());
        match found {
            Err(what) => self.found.bad.push(bad(what)),
            Ok(by) => {
                let is_trusted = self.trusted.iter().any(|key| key.short_name() == by);
                if is_trusted {
                    self.found.covered = self.found.covered.map(|_| size);
                    self.untrusted = None;
                } else {
                    self.untrusted.get_or_insert((size, by.clone()));
                }
                self.newest = Some((size, by));
            }
        }
    }

    /// Whether a note is the log's head, signed by that key, which may.
    fn signed(&self, note: &str, by: &str) -> Result<(), String> {
        let note: Note = note.parse().map_err(|error| format!("it cannot be read: {error}"))?;
        if note.text() != self.log.head(&self.origin).to_string() {
            return Err("it is not the head of the entries up to it".to_owned());
        }
        let known = self.keys.find(by).ok_or_else(|| format!("{by} is no key of this database"))?;
        if known.revoked.is_some() {
            return Err(format!("{by} was revoked before"));
        }
        match note.verify(std::slice::from_ref(&known.key)) {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("it is not signed by {by}: {error}")),
        }
    }

    fn compare_remembered(&mut self) {
        let Some(since) = self.trust.since.as_ref().filter(|since| since.size == self.log.size()) else {
            return;
        };
        let own = self.log.head(&since.origin);
        if own.root != since.root {
            let what = format!(
                "the first {} entries are not those of the head that was remembered: some were changed or exchanged",
                since.size
            );
            let id = format!("up to number {}", since.size.saturating_sub(1));
            self.found.bad.push(Bad::among("registry", id).what(what));
        }
    }

    fn end(mut self, heads: u64, unentered: Option<String>) -> RegistryFindings {
        let size = self.log.size();
        if size == 0 {
            let bad = Bad::among("registry", "of the database");
            self.found.bad.push(bad.what("it is empty, but every database has one"));
        }
        if let Some(since) = &self.trust.since {
            if since.origin != self.origin {
                let what = format!("the head that was remembered is of another database ({})", since.origin);
                self.found.bad.push(Bad::exact("registry", "number 0").what(what));
            } else if since.size > size {
                let what = format!(
                    "its end was cut off: it had {} entries when the head was remembered, and has {size}",
                    since.size
                );
                let id = format!("number {size}");
                self.found.bad.push(Bad::exact("registry", id).what(what));
            } else {
                self.found.notes.push(format!("contains the head of {} entries", since.size));
            }
        }
        if heads != self.heads {
            let what = format!("{} of them are of no entry", heads.abs_diff(self.heads));
            self.found.bad.push(Bad::among("heads", "of the database").what(what));
        }
        if let Some(run) = unentered {
            let bad = Bad::exact("runs", run);
            self.found.bad.push(bad.what("the registry does not tell of it"));
        }
        self.judge_trust();
        self.found.notes.push(self.summary());
        self.found
    }

    /// Whether those signed who had to.
    fn judge_trust(&mut self) {
        if self.trust.keys.is_empty() {
            return;
        }
        if let Some((size, by)) = self.untrusted.take() {
            let what =
                format!("it is signed by {by}, which is none of the given keys and took the place of none");
            self.found.bad.push(Bad::exact("heads", format!("size {size}")).what(what));
        } else if self.found.covered == Some(0) {
            self.found.unknown.push("no head is signed by a given key".to_owned());
        }
        for given in &self.trust.keys {
            let known = self.keys.find(&given.short_name()).and_then(|known| known.revoked.as_ref());
            if let Some((_, reason)) = known {
                self.found.notes.push(format!("{} was revoked: {reason}", given.short_name()));
            }
        }
    }

    fn summary(&self) -> String {
        let entries = match self.log.size() {
            1 => "1 entry".to_owned(),
            many => format!("{many} entries"),
        };
        match &self.newest {
            None => format!("{entries}, not signed"),
            Some((size, by)) if *size == self.log.size() => format!("{entries}, signed by {by}"),
            Some((size, by)) => format!("{entries}, the first {size} signed by {by}"),
        }
    }
}
