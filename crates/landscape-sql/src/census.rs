//! The numbers of a run that show whether its records agree with each other, from one pass over each table.

use futures_util::future::try_join3;
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

/// Connections that a census uses at once.
pub(crate) const CONNECTIONS: usize = 3;

const ROWS: &str = "SELECT count(*), min(row_index), max(row_index) FROM rows WHERE run_no = ?1";

/// Epochs with rows: their rows, the first and the last, and how many of them do not follow on the one before, or have
/// not as many rows as lie between their first and last.
const EPOCHS: &str = "SELECT coalesce(sum(row_count), 0), min(first_row), max(last_row),
    coalesce(sum(last_row - first_row + 1 <> row_count OR first_row <> coalesce(before + 1, first_row)), 0)
    FROM (SELECT first_row, last_row, row_count, lag(last_row) OVER (ORDER BY first_row) AS before
        FROM epochs WHERE run_no = ?1 AND row_count > 0)";

/// All of them, and those that are a row's first.
const TOKENS: &str = "SELECT count(*), count(first), min(first), max(first) FROM (SELECT
    CASE WHEN token & 1048575 = 0 AND token < 1 << 55 THEN token >> 20 END AS first
    FROM tokens WHERE run_no = ?1)";

/// Both tables are in token order, so they are merged, not searched.
const WITHOUT_OUTCOME: &str = "SELECT count(*) FROM (SELECT token FROM tokens WHERE run_no = ?1
    EXCEPT SELECT token FROM token_outcomes WHERE run_no = ?1 AND terminal = 1 ORDER BY 1)";

const OUTCOMES: &str = "SELECT coalesce(sum(terminal), 0), count(*) - coalesce(sum(terminal), 0),
    count(sink), coalesce(sum(sink IS NOT NULL AND outcome IN (0, 1, 6, 7)), 0),
    coalesce(sum(sink IS NULL AND outcome IN (0, 1)), 0), coalesce(sum(outcome IN (2, 3, 4)), 0)
    FROM token_outcomes WHERE run_no = ?1";

const SINK_STATES: &str = "SELECT count(*) FROM sink_states WHERE run_no = ?1 AND status = 2";

const ARRIVALS: &str = "SELECT count(*) FROM token_outcomes o CROSS JOIN sink_states s
    WHERE o.run_no = ?1 AND o.terminal = 1 AND o.sink IS NOT NULL
    AND s.run_no = ?1 AND s.token = o.token AND s.step = o.sink AND s.status = 2";

/// What was counted.
#[derive(Debug)]
pub(crate) struct Census {
    rows: Span,
    epochs: Span,
    /// Epochs that do not lie as they should.
    odd_epochs: i64,
    firsts: Span,
    pub(crate) tokens: i64,
    pub(crate) tokens_without_outcome: i64,
    pub(crate) outcomes: i64,
    pub(crate) outcomes_not_terminal: i64,
    /// Outcomes that name a sink.
    pub(crate) at_sinks: i64,
    /// Those of them whose kind may.
    pub(crate) ending_at_sinks: i64,
    /// Outcomes that should name a sink and do not.
    pub(crate) without_sink: i64,
    /// Outcomes that need children.
    pub(crate) parents: i64,
    /// Completed states at sinks.
    pub(crate) sink_states: i64,
    /// Completed states at the sink that the token's outcome names.
    pub(crate) arrivals: i64,
}

/// How many, from which to which.
#[derive(Debug, PartialEq, Eq)]
struct Span {
    count: i64,
    ends: Option<(i64, i64)>,
}

impl Census {
    /// Counts with all connections at once.
    pub(crate) async fn take(
        [first, second, third]: [&mut SqliteConnection; CONNECTIONS],
        run_no: i64,
    ) -> Result<Self, sqlx::Error> {
        let way = async {
            let rows = one(first, ROWS, run_no).await?;
            let epochs = one(first, EPOCHS, run_no).await?;
            let tokens = one(first, TOKENS, run_no).await?;
            Ok::<_, sqlx::Error>((rows, epochs, tokens))
        };
        let ends = async {
            let without = one(second, WITHOUT_OUTCOME, run_no).await?;
            let outcomes = one(second, OUTCOMES, run_no).await?;
            Ok::<_, sqlx::Error>((without, outcomes))
        };
        let sinks = async {
            let arrivals = one(third, ARRIVALS, run_no).await?;
            let states = one(third, SINK_STATES, run_no).await?;
            Ok::<_, sqlx::Error>((arrivals, states))
        };
        let ((rows, epochs, tokens), (without, outcomes), (arrivals, states)) =
            try_join3(way, ends, sinks).await?;
        Ok(Self {
            rows: Span::read(&rows, 0)?,
            epochs: Span::read(&epochs, 0)?,
            odd_epochs: epochs.try_get(3)?,
            tokens: tokens.try_get(0)?,
            firsts: Span::read(&tokens, 1)?,
            tokens_without_outcome: without.try_get(0)?,
            outcomes: outcomes.try_get(0)?,
            outcomes_not_terminal: outcomes.try_get(1)?,
            at_sinks: outcomes.try_get(2)?,
            ending_at_sinks: outcomes.try_get(3)?,
            without_sink: outcomes.try_get(4)?,
            parents: outcomes.try_get(5)?,
            arrivals: arrivals.try_get(0)?,
            sink_states: states.try_get(0)?,
        })
    }

    /// Rows without a gap, in epochs that follow each other over just these rows.
    pub(crate) fn epochs_are_whole(&self) -> bool {
        self.odd_epochs == 0 && self.rows.has_no_gap() && self.rows == self.epochs
    }

    /// Rows without a gap, and as many first tokens over just these rows.
    pub(crate) fn rows_have_tokens(&self) -> bool {
        self.rows.has_no_gap() && self.rows == self.firsts
    }
}

impl Span {
    fn read(row: &SqliteRow, at: usize) -> Result<Self, sqlx::Error> {
        let (first, last): (Option<i64>, Option<i64>) = (row.try_get(at + 1)?, row.try_get(at + 2)?);
        Ok(Self { count: row.try_get(at)?, ends: first.zip(last) })
    }

    fn has_no_gap(&self) -> bool {
        self.ends.map_or(self.count == 0, |(first, last)| self.count == last - first + 1)
    }
}

async fn one(
    connection: &mut SqliteConnection,
    sql: &'static str,
    run_no: i64,
) -> Result<SqliteRow, sqlx::Error> {
    sqlx::query(sql).bind(run_no).fetch_one(connection).await
}
