//! Conservation of what forks, expansions, merges and batches make of tokens.
//!
//! Each rule is its text and a query that returns the tokens that break it; `?1` is the run. A batch is named by the first
//! token that it can make. A million records must be checked in about a second: tables are compared side by side in key order
//! (`EXCEPT` with `ORDER BY` merges), and records are looked up one by one only where that leaves some.

/// A rule: what must hold, and how to find what breaks it.
pub(crate) struct TreeRule {
    pub(crate) text: &'static str,
    /// Gives 1 where the rule surely holds, for less than looking for breaches takes. Several rules share one.
    pub(crate) held: Option<&'static str>,
    /// Returns what breaks the rule.
    pub(crate) breaches: &'static str,
}

/// One pass over the links between parents and children. Every link is a good one of a fork, an expansion or a merge;
/// every grouped child, every forked or expanded parent and every coalesced token has one. Asked only where the
/// [`crate::families::Families`] that were counted on the way do not show it.
pub(crate) const FAMILIES: &str = "SELECT l.links = l.of_families + l.of_merges
        AND l.of_families = (SELECT count(*) FROM tokens WHERE run_no = ?1 AND group_no <> token)
        AND l.parents = (SELECT count(*) FROM token_outcomes WHERE run_no = ?1 AND outcome IN (2, 3))
        AND l.of_merges = (SELECT count(*) FROM token_outcomes WHERE run_no = ?1 AND outcome = 4)
    FROM (SELECT (SELECT count(*) FROM token_parents WHERE run_no = ?1) AS links,
            count(CASE WHEN family THEN 1 END) AS of_families, count(CASE WHEN merge THEN 1 END) AS of_merges,
            count(DISTINCT CASE WHEN family THEN parent END) AS parents
        FROM (SELECT p.parent,
                p.ordinal = 0 AND t.group_no = p.parent AND o.outcome IN (2, 3) AND o.group_no = p.parent AS family,
                t.group_no = p.token AND o.outcome = 4 AND o.group_no = p.token AS merge
            FROM token_parents p CROSS JOIN tokens t CROSS JOIN token_outcomes o
            WHERE p.run_no = ?1 AND t.run_no = ?1 AND t.token = p.token
                AND o.run_no = ?1 AND o.token = p.parent AND o.terminal = 1) x) l";

/// One pass over members: each was consumed by its batch's last attempt, which was completed, or went on, or failed
/// there; and as many tokens were consumed at all.
const MEMBERS: &str = "SELECT (SELECT count(*) FROM batch_members WHERE run_no = ?1) = l.members
        AND l.members = l.consumed + l.went_on
        AND l.consumed = (SELECT count(*) FROM token_outcomes WHERE run_no = ?1 AND outcome = 5)
    FROM (SELECT count(*) AS members, count(CASE WHEN consumed THEN 1 END) AS consumed, count(CASE WHEN NOT consumed AND
            (EXISTS (SELECT 1 FROM node_states s WHERE s.run_no = ?1 AND s.token = x.token
                AND (s.step > x.step OR s.step = x.step AND s.status = 3))
            OR EXISTS (SELECT 1 FROM sink_states s WHERE s.run_no = ?1 AND s.token = x.token)) THEN 1 END) AS went_on
        FROM (SELECT m.token, b.step, b.status = 2 AND o.outcome = 5 AND o.batch_no IS m.batch_no AS consumed
            FROM batches b CROSS JOIN batch_members m CROSS JOIN token_outcomes o
            WHERE b.run_no = ?1 AND b.attempt = (SELECT max(l.attempt) FROM batches l
                    WHERE l.run_no = ?1 AND l.batch_no = b.batch_no)
                AND m.run_no = ?1 AND m.batch_no = b.batch_no
                AND o.run_no = ?1 AND o.token = m.token AND o.terminal = 1) x) l";

/// Of tokens that came of other tokens. Nothing breaks them in a run without parents and without tokens in groups.
pub(crate) const FAMILY_RULES: &[TreeRule] = &[
    TreeRule {
        text: "a forked, expanded or coalesced token has children in its group",
        held: Some(FAMILIES),
        breaches: "SELECT token, group_no FROM token_outcomes WHERE run_no = ?1 AND outcome IN (2, 3, 4)
            EXCEPT SELECT p.parent, t.group_no FROM token_parents p CROSS JOIN tokens t ON t.run_no = ?1
                AND t.token = p.token WHERE p.run_no = ?1 ORDER BY 1, 2",
    },
    TreeRule {
        text: "a child of a fork or expansion names its parent as its group",
        held: Some(FAMILIES),
        breaches: "SELECT token, group_no FROM tokens WHERE run_no = ?1 AND group_no <> token
            EXCEPT SELECT token, parent FROM token_parents WHERE run_no = ?1 ORDER BY 1, 2",
    },
    TreeRule {
        text: "a token with children of a fork or expansion was forked or expanded",
        held: Some(FAMILIES),
        breaches:
            "SELECT p.parent FROM token_parents p CROSS JOIN tokens t ON t.run_no = ?1 AND t.token = p.token
                AND t.group_no = p.parent WHERE p.run_no = ?1
            EXCEPT SELECT token FROM token_outcomes WHERE run_no = ?1 AND outcome IN (2, 3) ORDER BY 1",
    },
    TreeRule {
        text: "a token that a merged one came from was coalesced into it",
        held: Some(FAMILIES),
        breaches:
            "SELECT p.parent, p.token FROM token_parents p CROSS JOIN tokens t ON t.run_no = ?1
                AND t.token = p.token AND t.group_no = p.token WHERE p.run_no = ?1
            EXCEPT SELECT token, group_no FROM token_outcomes WHERE run_no = ?1 AND outcome = 4 ORDER BY 1, 2",
    },
    TreeRule {
        text: "every token that a release made came from a token or a batch",
        held: None,
        breaches: "SELECT token FROM tokens WHERE run_no = ?1 AND token >= 36028797018963968
            EXCEPT SELECT token FROM token_parents WHERE run_no = ?1 AND token >= 36028797018963968
            EXCEPT SELECT token FROM batch_outputs WHERE run_no = ?1 ORDER BY 1",
    },
];

/// Of batches. Nothing breaks them in a run without batches, members and outputs of batches, and consumed tokens.
pub(crate) const BATCH_RULES: &[TreeRule] = &[
    TreeRule {
        text: "every batch that took members was flushed",
        held: None,
        breaches: "SELECT m.token FROM batch_members m WHERE m.run_no = ?1 AND m.ordinal = 0 AND NOT EXISTS
            (SELECT 1 FROM batches b WHERE b.run_no = ?1 AND b.batch_no = m.batch_no AND b.status IN (2, 3))",
    },
    TreeRule {
        text: "every batch that was flushed had taken members",
        held: None,
        breaches: "SELECT (34359738368 | b.batch_no) << 20 FROM batches b WHERE b.run_no = ?1 AND NOT EXISTS
            (SELECT 1 FROM batch_members m WHERE m.run_no = ?1 AND m.batch_no = b.batch_no)",
    },
    TreeRule {
        text: "the members of a batch have positions without a gap",
        held: None,
        breaches: "SELECT (34359738368 | batch_no) << 20 FROM batch_members WHERE run_no = ?1
            GROUP BY batch_no HAVING count(*) <> max(ordinal) + 1",
    },
    TreeRule {
        text: "a batch is completed by its last attempt",
        held: None,
        breaches:
            "SELECT (34359738368 | b.batch_no) << 20 FROM batches b WHERE b.run_no = ?1 AND b.status = 2
            AND EXISTS (SELECT 1 FROM batches l WHERE l.run_no = ?1 AND l.batch_no = b.batch_no
                AND l.attempt > b.attempt)",
    },
    TreeRule {
        text: "every flush of a batch is a release of its node",
        held: None,
        breaches: "SELECT (34359738368 | batch_no) << 20, step FROM batches WHERE run_no = ?1
            EXCEPT SELECT (34359738368 | number) << 20, step FROM releases WHERE run_no = ?1 ORDER BY 1, 2",
    },
    TreeRule {
        text: "every member of a batch has a terminal outcome",
        held: Some(MEMBERS),
        breaches: "SELECT token FROM batch_members WHERE run_no = ?1
            EXCEPT SELECT token FROM token_outcomes WHERE run_no = ?1 AND terminal = 1 ORDER BY 1",
    },
    TreeRule {
        text: "a token consumed in a batch is a member of it, and it was completed",
        held: Some(MEMBERS),
        breaches: "SELECT token, batch_no FROM token_outcomes WHERE run_no = ?1 AND outcome = 5
            EXCEPT SELECT m.token, m.batch_no FROM batches b CROSS JOIN batch_members m ON m.run_no = ?1
                AND m.batch_no = b.batch_no WHERE b.run_no = ?1 AND b.status = 2 ORDER BY 1, 2",
    },
    TreeRule {
        text: "a member that its completed batch did not consume went on from there, or failed there",
        held: Some(MEMBERS),
        breaches: "SELECT w.token FROM (SELECT m.token, m.batch_no, b.step FROM batches b
                CROSS JOIN batch_members m ON m.run_no = ?1 AND m.batch_no = b.batch_no
                WHERE b.run_no = ?1 AND b.status = 2
                EXCEPT SELECT o.token, o.batch_no, b.step FROM token_outcomes o
                JOIN batches b ON b.run_no = ?1 AND b.batch_no = o.batch_no AND b.status = 2
                WHERE o.run_no = ?1 AND o.outcome = 5 ORDER BY 1, 2, 3) w
            WHERE NOT EXISTS (SELECT 1 FROM node_states s WHERE s.run_no = ?1 AND s.token = w.token
                    AND s.step = w.step AND s.status = 3)
                AND NOT EXISTS (SELECT 1 FROM node_states s WHERE s.run_no = ?1 AND s.token = w.token
                    AND s.step > w.step)
                AND NOT EXISTS (SELECT 1 FROM sink_states s WHERE s.run_no = ?1 AND s.token = w.token)",
    },
    TreeRule {
        text: "every output of a batch is a token",
        held: None,
        breaches: "SELECT token FROM batch_outputs WHERE run_no = ?1
            EXCEPT SELECT token FROM tokens WHERE run_no = ?1 ORDER BY 1",
    },
    TreeRule {
        text: "every output of a batch is one of a completed batch",
        held: None,
        breaches: "SELECT o.token FROM batch_outputs o WHERE o.run_no = ?1 AND NOT EXISTS
            (SELECT 1 FROM batches b WHERE b.run_no = ?1 AND b.batch_no = o.batch_no AND b.status = 2)",
    },
];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rusqlite::Connection;

    use super::*;
    use crate::census::Census;
    use crate::connect;
    use crate::tally::{Stretch, Tally};

    /// Rows 0 to 3. Row 0 is forked (tokens 1, 2) and merged again (token 3). Rows 1 and 2 are batch 0, which fails once,
    /// consumes row 1, refuses row 2 and makes two tokens. Row 3 goes on from batch 1 and is expanded there.
    const SOUND: &str = "
        INSERT INTO tokens(run_no, token, group_no) VALUES (1, 0, NULL), (1, 1, 0), (1, 2, 0), (1, 3, 3),
            (1, 1 << 20, NULL), (1, 2 << 20, NULL), (1, 3 << 20, NULL),
            (1, 1 << 55, NULL), (1, 1 << 55 | 1, NULL), (1, (1 << 35 | 1) << 20, 3 << 20);
        INSERT INTO token_parents(run_no, token, ordinal, parent) VALUES (1, 1, 0, 0), (1, 2, 0, 0),
            (1, 3, 0, 1), (1, 3, 1, 2), (1, (1 << 35 | 1) << 20, 0, 3 << 20);
        INSERT INTO batches(run_no, batch_no, attempt, step, status) VALUES (1, 0, 0, 2, 3), (1, 0, 1, 2, 2),
            (1, 1, 0, 2, 2);
        INSERT INTO batch_members(run_no, batch_no, ordinal, token) VALUES (1, 0, 0, 1 << 20), (1, 0, 1, 2 << 20),
            (1, 1, 0, 3 << 20);
        INSERT INTO batch_outputs(run_no, batch_no, ordinal, token) VALUES (1, 0, 0, 1 << 55), (1, 0, 1, 1 << 55 | 1);
        INSERT INTO releases(run_no, number, step, epoch, row_index) VALUES (1, 0, 2, 0, 2), (1, 1, 2, 0, 3);
        INSERT INTO node_states(run_no, token, step, status, started_us, duration_us) VALUES (1, 1 << 20, 2, 2, 0, 0),
            (1, 2 << 20, 2, 3, 0, 0), (1, 3 << 20, 2, 2, 0, 0), (1, 3 << 20, 4, 2, 0, 0);
        INSERT INTO sink_states(run_no, token, step, started_us, duration_us) VALUES (1, 3, 5, 0, 0),
            (1, 2 << 20, 5, 0, 0), (1, 1 << 55, 5, 0, 0), (1, 1 << 55 | 1, 5, 0, 0), (1, (1 << 35 | 1) << 20, 5, 0, 0);
        INSERT INTO token_outcomes(run_no, token, outcome, sink, group_no, batch_no) VALUES (1, 0, 2, NULL, 0, NULL),
            (1, 1, 4, NULL, 3, NULL), (1, 2, 4, NULL, 3, NULL), (1, 3, 0, 5, NULL, NULL),
            (1, 1 << 20, 5, NULL, NULL, 0), (1, 2 << 20, 1, 5, NULL, NULL), (1, 3 << 20, 3, NULL, 3 << 20, NULL),
            (1, 1 << 55, 0, 5, NULL, NULL), (1, 1 << 55 | 1, 0, 5, NULL, NULL), (1, (1 << 35 | 1) << 20, 0, 5, NULL, NULL);";

    fn sound() -> (tempfile::TempDir, Connection) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.db");
        let connection = connect::writer(&path, Duration::ZERO, connect::Synchronous::Full).unwrap();
        connection.execute_batch(&format!("PRAGMA foreign_keys = OFF; BEGIN; {SOUND} COMMIT;")).unwrap();
        (folder, connection)
    }

    /// Texts of the rules that are broken, each with what breaks it. None of them is said to hold.
    fn broken(connection: &Connection) -> Vec<(&'static str, Vec<i64>)> {
        let rules = FAMILY_RULES.iter().chain(BATCH_RULES);
        let holds = |rule: &TreeRule| {
            rule.held
                .is_some_and(|held| connection.query_row(held, [1], |row| row.get::<_, bool>(0)).unwrap())
        };
        let of = |rule: &TreeRule| {
            let mut statement = connection.prepare(rule.breaches).unwrap();
            let found =
                statement.query_map([1], |row| row.get(0)).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
            assert!(found.is_empty() || !holds(rule), "{} {found:?}", rule.text);
            let counted = rule.held == Some(FAMILIES) && families_hold(connection);
            assert!(found.is_empty() || !counted, "{} {found:?}", rule.text);
            (rule.text, found)
        };
        rules.map(of).filter(|(_, found): &(_, Vec<i64>)| !found.is_empty()).collect()
    }

    /// What links that were counted on the way show, two rows at a time.
    fn families_hold(connection: &Connection) -> bool {
        let mut tally = Tally::default();
        for stretch in [Stretch { from: 0, to: 2 }, Stretch { from: 2, to: i64::MAX }] {
            tally.add(&Tally::of(connection, 1, stretch).unwrap());
        }
        Census::of(connection.into(), 1, tally).unwrap().families_hold()
    }

    /// Without the row that is expanded by a release: its child lies in another stretch, which shows nothing.
    const NOTHING_ABROAD: &str = "DELETE FROM tokens WHERE group_no = 3 << 20;
        DELETE FROM token_parents WHERE parent = 3 << 20;
        DELETE FROM token_outcomes WHERE group_no = 3 << 20 OR token = (1 << 35 | 1) << 20";

    #[test]
    fn counted_links_show_that_families_are_whole() {
        let (_folder, connection) = sound();
        assert!(!families_hold(&connection));
        connection.execute_batch(NOTHING_ABROAD).unwrap();
        assert!(families_hold(&connection));
    }

    #[test]
    fn counted_links_show_nothing_of_families_that_are_not_whole() {
        let damages = [
            "UPDATE token_outcomes SET group_no = 7 WHERE token = 0",
            "DELETE FROM token_parents WHERE token = 3",
            "DELETE FROM token_parents WHERE token IN (1, 2)",
            "UPDATE tokens SET group_no = 9 WHERE token = 2",
            "UPDATE token_outcomes SET outcome = 8 WHERE token = 0",
            "UPDATE token_outcomes SET outcome = 8 WHERE token = 2",
            "UPDATE token_outcomes SET outcome = 2, group_no = 1 << 20 WHERE token = 1 << 20",
        ];
        for damage in damages {
            let (_folder, connection) = sound();
            connection.execute_batch(NOTHING_ABROAD).unwrap();
            connection.execute_batch(damage).unwrap();
            assert!(!families_hold(&connection), "{damage}");
        }
    }

    #[test]
    fn a_sound_run_breaks_no_rule() {
        let (_folder, connection) = sound();
        assert_eq!(broken(&connection), []);
        for held in [FAMILIES, MEMBERS] {
            assert!(connection.query_row(held, [1], |row| row.get::<_, bool>(0)).unwrap(), "{held}");
        }
    }

    #[test]
    fn another_runs_records_are_none_of_this_ones() {
        let (_folder, connection) = sound();
        let tables =
            ["tokens", "token_parents", "batches", "batch_members", "batch_outputs", "token_outcomes"];
        for table in tables {
            connection.execute_batch(&format!("UPDATE {table} SET run_no = 2")).unwrap();
        }
        assert_eq!(broken(&connection), []);
    }

    /// Every rule is broken by something, and named with what breaks it.
    #[test]
    fn each_rule_finds_what_breaks_it() {
        let cases: &[(&str, &str, i64)] = &[
            ("UPDATE token_outcomes SET group_no = 7 WHERE token = 0", "has children in its group", 0),
            ("DELETE FROM token_parents WHERE token = 3", "has children in its group", 1),
            ("UPDATE tokens SET group_no = 9 WHERE token = 2", "names its parent as its group", 2),
            ("UPDATE token_outcomes SET outcome = 8 WHERE token = 0", "was forked or expanded", 0),
            ("UPDATE token_outcomes SET outcome = 8 WHERE token = 2", "was coalesced into it", 2),
            ("DELETE FROM batch_outputs WHERE ordinal = 1", "came from a token or a batch", 1 << 55 | 1),
            ("UPDATE batches SET status = 1 WHERE batch_no = 1", "that took members was flushed", 3 << 20),
            ("DELETE FROM batch_members WHERE batch_no = 1", "had taken members", (1 << 35 | 1) << 20),
            ("UPDATE batch_members SET ordinal = 5 WHERE ordinal = 1", "without a gap", 1 << 55),
            ("UPDATE batches SET status = 5 - status WHERE batch_no = 0", "by its last attempt", 1 << 55),
            (
                "UPDATE releases SET step = 3 WHERE number = 1",
                "is a release of its node",
                (1 << 35 | 1) << 20,
            ),
            ("DELETE FROM token_outcomes WHERE token = 2 << 20", "has a terminal outcome", 2 << 20),
            ("UPDATE token_outcomes SET batch_no = 1 WHERE outcome = 5", "is a member of it", 1 << 20),
            ("UPDATE batches SET status = 3 WHERE batch_no = 0", "is a member of it", 1 << 20),
            (
                "DELETE FROM node_states WHERE status = 3; DELETE FROM sink_states",
                "did not consume went on",
                2 << 20,
            ),
            ("UPDATE batch_outputs SET token = token + 7 WHERE ordinal = 1", "is a token", 1 << 55 | 8),
            ("UPDATE batches SET status = 3 WHERE batch_no = 0", "is one of a completed batch", 1 << 55),
        ];
        let mut found = std::collections::BTreeSet::new();
        for (damage, rule, token) in cases {
            let (_folder, connection) = sound();
            connection.execute_batch(damage).unwrap();
            let broken = broken(&connection);
            let breach = broken.iter().find(|(text, _)| text.contains(rule));
            let (text, tokens) = breach.unwrap_or_else(|| panic!("{damage}: {broken:?}"));
            assert_eq!(tokens.first(), Some(token), "{damage}: {text}");
            found.insert(*text);
        }
        assert_eq!(found.len(), FAMILY_RULES.len() + BATCH_RULES.len(), "every rule is tested");
    }
}
