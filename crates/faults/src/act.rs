use std::fmt;

/// Declares the acts with their names, so that the list cannot lack one.
macro_rules! acts {
    ($($(#[$doc:meta])+ $act:ident = $name:literal,)+) => {
        /// What a run does that is seen from outside, or that makes something durable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Act {
            $($(#[$doc])+ $act,)+
        }

        impl Act {
            /// All of them, in the order in which a run comes to them for the first time.
            pub const ALL: &[Self] = &[$(Self::$act),+];

            /// Its name in `ELSPETH_FAULT`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$act => $name,)+
                }
            }
        }
    };
}

acts! {
    /// The file of a new record gets its name; or one that was left without goes.
    MakeDatabase = "make-database",
    /// The transaction that makes the record's tables.
    CreateTables = "create-tables",
    /// The transaction that registers a run.
    BeginRun = "begin-run",
    /// The transaction by which a run that stopped gets another owner.
    TakeUp = "take-up",
    /// A new staged file is made, with what the target held when it is added to.
    CreateStaged = "create-staged",
    /// A staged file is cut back to what the record knows of.
    CutBack = "cut-back",
    /// The table of markers is made in a sink's database.
    PrepareTable = "table-prepare",
    /// A large body is written into a file with a name of its own.
    WriteBody = "body-write",
    /// That file is made durable.
    SyncBody = "body-sync",
    /// It gets the name of the body.
    RenameBody = "body-rename",
    /// An epoch's decisions go into an open transaction.
    Stage = "stage",
    /// What sinks did goes into the same transaction.
    StageActed = "stage-acted",
    /// Commit A alone.
    CommitA = "commit-a",
    /// Commit A, with commit B of the epoch before.
    CommitAb = "commit-ab",
    /// Commit B alone.
    CommitB = "commit-b",
    /// The record's log is made durable, before sinks act on what was committed.
    SyncLog = "log-sync",
    /// Lines of what is durable in the record go into the journal.
    WriteJournal = "journal-write",
    /// The journal is made durable.
    SyncJournal = "journal-sync",
    /// All sinks act on one epoch.
    ActOnEpoch = "act",
    /// One sink writes rows of an epoch.
    WriteSink = "sink-write",
    /// Bytes go into a staged file.
    WriteStaged = "file-write",
    /// A staged file is made durable.
    SyncStaged = "file-sync",
    /// A sink's database commits an epoch.
    CommitTable = "table-commit",
    /// All sinks publish.
    Publish = "publish",
    /// One sink publishes.
    PublishSink = "sink-publish",
    /// The final form of a staged file is written beside it.
    WriteFinal = "final-write",
    /// A staged file, or its final form, gets the target's name.
    Rename = "rename",
    /// A folder's names are made durable.
    SyncFolder = "folder-sync",
    /// A staged file is removed after its final form was published.
    RemoveStaged = "remove-staged",
    /// A sink's database commits the publication.
    PublishTable = "table-publish",
    /// The publication is recorded.
    RecordPublication = "record-publication",
    /// The transaction that ends a run.
    Seal = "seal",
    /// The record's log is folded into its file.
    FoldLog = "fold-log",
}

/// A place that a process passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Point {
    /// About to do it.
    Before(Act),
    /// Done, and nothing else yet on this thread.
    After(Act),
    /// In the midst of writing to a file: the first half is written.
    HalfWritten,
}

const ACTS: usize = Act::ALL.len();

impl Point {
    /// How many there are.
    pub const COUNT: usize = 2 * ACTS + 1;

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        let edges = Act::ALL.iter().flat_map(|act| [Self::Before(*act), Self::After(*act)]);
        edges.chain([Self::HalfWritten])
    }

    /// Its name in `ELSPETH_FAULT`: `before-commit-ab`.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Before(act) => format!("before-{}", act.name()),
            Self::After(act) => format!("after-{}", act.name()),
            Self::HalfWritten => "half-written".to_owned(),
        }
    }

    /// The point of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|point| point.name() == name)
    }

    /// Its number, below [`Point::COUNT`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Before(act) => 2 * act as usize,
            Self::After(act) => 2 * act as usize + 1,
            Self::HalfWritten => 2 * ACTS,
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_has_a_number_and_a_name_of_its_own() {
        let points: Vec<_> = Point::all().collect();
        assert_eq!(points.len(), Point::COUNT);
        for (number, point) in points.iter().enumerate() {
            assert_eq!(point.index(), number);
            assert_eq!(Point::named(&point.name()), Some(*point));
        }
        assert_eq!(Point::named("before-nothing"), None);
    }
}
