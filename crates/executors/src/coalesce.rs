use std::collections::BTreeMap;

use elspeth_contracts::{ErrorReason, FailureKind};
use elspeth_graph::{CoalescePolicy, Merge};
use elspeth_value::{Row, Value};
use serde_json::json;

/// Decides when the branches of one fork become one row, and makes that row. Pure: it holds no branch.
#[derive(Debug)]
pub struct CoalesceExecutor {
    branches: Vec<String>,
    policy: CoalescePolicy,
    merge: Merge,
}

/// What is known of one branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BranchState {
    /// It can still come.
    Awaited,
    /// It is here.
    Arrived,
    /// It cannot come any more.
    Lost,
}

/// What the policy says.
#[derive(Debug, Clone, PartialEq)]
pub enum Judgement {
    /// Nothing yet.
    Wait,
    /// Merge what is here.
    Merge,
    /// There can be no merge.
    Fail(ErrorReason),
}

/// A merged row.
#[derive(Debug, Clone, PartialEq)]
pub struct MergedRow {
    /// The row.
    pub row: Row,
    /// Fields that several branches gave with different values, with those branches; the last one's was taken.
    pub collisions: BTreeMap<String, Vec<String>>,
}

impl CoalesceExecutor {
    /// An executor for these branches, in settings order.
    #[must_use]
    pub fn new(branches: Vec<String>, policy: CoalescePolicy, merge: Merge) -> Self {
        Self { branches, policy, merge }
    }

    /// How many branches it joins.
    #[must_use]
    pub fn width(&self) -> usize {
        self.branches.len()
    }

    /// What to do when its branches are in these states; `timed_out` when there is no more time to wait.
    #[must_use]
    pub fn judge(&self, branches: &[BranchState], timed_out: bool) -> Judgement {
        let count = |state| branches.iter().filter(|b| **b == state).count();
        let (arrived, lost) = (count(BranchState::Arrived), count(BranchState::Lost));
        let awaited = branches.len() - arrived - lost;
        let settled = timed_out || awaited == 0;
        let wanted = |wanted: usize| {
            if arrived >= wanted {
                Judgement::Merge
            } else if timed_out || arrived + awaited < wanted {
                Judgement::Fail(self.reason(branches, timed_out))
            } else {
                Judgement::Wait
            }
        };
        match self.policy {
            CoalescePolicy::RequireAll => wanted(branches.len()),
            CoalescePolicy::Quorum(quorum) => wanted(quorum as usize),
            CoalescePolicy::First => wanted(1),
            CoalescePolicy::BestEffort if settled => wanted(1),
            CoalescePolicy::BestEffort => Judgement::Wait,
        }
    }

    fn reason(&self, branches: &[BranchState], timed_out: bool) -> ErrorReason {
        let named = |state| {
            let names = self.branches.iter().zip(branches).filter(move |(_, b)| **b == state);
            names.map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        };
        let (lost, awaited) = (named(BranchState::Lost), named(BranchState::Awaited));
        let mut message = format!("`{}` needs other branches than those that arrived", self.policy.as_str());
        if !lost.is_empty() {
            message.push_str(&format!("; lost: {lost}"));
        }
        if timed_out && !awaited.is_empty() {
            message.push_str(&format!("; not there in time: {awaited}"));
        }
        ErrorReason::new(FailureKind::CoalesceFailed, message)
    }

    /// One row of the rows that arrived, given by branch in settings order.
    ///
    /// # Errors
    /// When the branch to select is not among them.
    pub fn merge(&self, arrived: &[(usize, &Row)]) -> Result<MergedRow, ErrorReason> {
        match self.merge {
            Merge::Union => Ok(self.union(arrived)),
            Merge::Nested => {
                let field =
                    |(branch, row): &(usize, &Row)| (self.branches[*branch].as_str().into(), nested(row));
                Ok(MergedRow { row: Row::from_pairs(arrived.iter().map(field)), collisions: BTreeMap::new() })
            }
            Merge::Select(selected) => match arrived.iter().find(|(branch, _)| *branch == selected) {
                Some((_, row)) => Ok(MergedRow { row: (*row).clone(), collisions: BTreeMap::new() }),
                None => {
                    let message =
                        format!("branch `{}`, which is to be taken, did not arrive", self.branches[selected]);
                    Err(ErrorReason::new(FailureKind::CoalesceFailed, message))
                }
            },
        }
    }

    fn union(&self, arrived: &[(usize, &Row)]) -> MergedRow {
        let Some(((first, row), others)) = arrived.split_first() else {
            return MergedRow { row: Row::from_pairs([]), collisions: BTreeMap::new() };
        };
        let mut merged = (*row).clone();
        let mut givers: BTreeMap<&str, (Vec<usize>, bool)> =
            row.iter().map(|(name, _)| (name, (vec![*first], false))).collect();
        for (branch, row) in others {
            for (name, value) in row.iter() {
                let (given_by, differs) = givers.entry(name).or_default();
                given_by.push(*branch);
                *differs |= merged.get(name).is_some_and(|before| before != value);
                merged.set(name, value.clone());
            }
        }
        let collisions =
            givers.into_iter().filter(|(_, (_, differs))| *differs).map(|(name, (branches, _))| {
                (name.to_owned(), branches.into_iter().map(|b| self.branches[b].clone()).collect())
            });
        let collisions = collisions.collect();
        MergedRow { row: merged, collisions }
    }

    /// What the record keeps of a merge or of its failure.
    #[must_use]
    pub fn context(
        &self,
        branches: &[BranchState],
        collisions: &BTreeMap<String, Vec<String>>,
    ) -> serde_json::Value {
        let named = |state| {
            let names = self.branches.iter().zip(branches).filter(move |(_, b)| **b == state);
            names.map(|(name, _)| name.as_str()).collect::<Vec<_>>()
        };
        json!({
            "policy": self.policy.as_str(),
            "merge": self.merge.as_str(),
            "expected": self.branches,
            "arrived": named(BranchState::Arrived),
            "lost": named(BranchState::Lost),
            "collisions": collisions,
        })
    }
}

fn nested(row: &Row) -> Value {
    Value::Map(row.iter().map(|(name, value)| (name.into(), value.clone())).collect())
}

#[cfg(test)]
mod tests {
    use BranchState::{Arrived, Awaited, Lost};

    use super::*;

    fn executor(policy: CoalescePolicy, merge: Merge) -> CoalesceExecutor {
        CoalesceExecutor::new(vec!["a".into(), "b".into(), "c".into()], policy, merge)
    }

    fn judge(policy: CoalescePolicy, branches: [BranchState; 3], timed_out: bool) -> &'static str {
        match executor(policy, Merge::Union).judge(&branches, timed_out) {
            Judgement::Wait => "wait",
            Judgement::Merge => "merge",
            Judgement::Fail(_) => "fail",
        }
    }

    #[test]
    fn policies_decide_as_soon_as_they_can() {
        use CoalescePolicy::{BestEffort, First, Quorum, RequireAll};
        let cases = [
            (RequireAll, [Arrived, Arrived, Awaited], false, "wait"),
            (RequireAll, [Arrived, Arrived, Arrived], false, "merge"),
            (RequireAll, [Awaited, Lost, Awaited], false, "fail"),
            (RequireAll, [Arrived, Arrived, Awaited], true, "fail"),
            (Quorum(2), [Arrived, Awaited, Awaited], false, "wait"),
            (Quorum(2), [Arrived, Lost, Arrived], false, "merge"),
            (Quorum(2), [Arrived, Lost, Lost], false, "fail"),
            (Quorum(2), [Awaited, Lost, Lost], false, "fail"),
            (Quorum(2), [Arrived, Awaited, Lost], true, "fail"),
            (BestEffort, [Arrived, Arrived, Awaited], false, "wait"),
            (BestEffort, [Arrived, Lost, Lost], false, "merge"),
            (BestEffort, [Arrived, Awaited, Awaited], true, "merge"),
            (BestEffort, [Lost, Lost, Lost], false, "fail"),
            (First, [Awaited, Lost, Awaited], false, "wait"),
            (First, [Awaited, Arrived, Awaited], false, "merge"),
            (First, [Lost, Lost, Lost], false, "fail"),
        ];
        for (policy, branches, timed_out, expected) in cases {
            assert_eq!(judge(policy, branches, timed_out), expected, "{policy:?} {branches:?} {timed_out}");
        }
    }

    fn row(pairs: &[(&str, i64)]) -> Row {
        Row::from_pairs(pairs.iter().map(|(name, value)| ((*name).into(), Value::Int(*value))))
    }

    #[test]
    fn in_a_union_the_later_branch_wins_and_differences_are_told() {
        let (a, c) = (row(&[("x", 1), ("y", 2), ("same", 5)]), row(&[("y", 3), ("z", 4), ("same", 5)]));
        let merged = executor(CoalescePolicy::BestEffort, Merge::Union).merge(&[(0, &a), (2, &c)]).unwrap();
        assert_eq!(merged.row, row(&[("x", 1), ("y", 3), ("same", 5), ("z", 4)]));
        assert_eq!(
            merged.collisions,
            BTreeMap::from([("y".to_owned(), vec!["a".to_owned(), "c".to_owned()])])
        );
    }

    #[test]
    fn nested_has_a_field_for_each_branch_that_arrived() {
        let (a, c) = (row(&[("x", 1)]), row(&[("x", 2)]));
        let merged = executor(CoalescePolicy::BestEffort, Merge::Nested).merge(&[(0, &a), (2, &c)]).unwrap();
        assert_eq!(merged.row.to_json(), serde_json::json!({"a": {"x": 1}, "c": {"x": 2}}));
    }

    #[test]
    fn select_needs_its_branch() {
        let (a, c) = (row(&[("x", 1)]), row(&[("x", 2)]));
        let executor = executor(CoalescePolicy::BestEffort, Merge::Select(2));
        assert_eq!(executor.merge(&[(0, &a), (2, &c)]).unwrap().row, c);
        let error = executor.merge(&[(0, &a)]).unwrap_err();
        assert!(error.message.contains("`c`"), "{error:?}");
    }
}
