//! What an answer says of batches.

use elspeth_contracts::{
    BatchMemberRecord, BatchStatus, Outcome, ReleaseRecord, TokenId, TokenKey, TokenOrigin,
};

use super::assemble::Assembly;
use super::facts::BatchFacts;
use super::{LineageBatch, LineageMember, LineageMembers, LineageMembership, LineageOutcome, LineageSource};
use crate::LandscapeError;

impl Assembly<'_> {
    /// Ids of what the token was made of.
    pub(super) fn parents(&self) -> Vec<TokenId> {
        let id = |token: TokenKey| self.run_id.token_id(token);
        match self.token.made_by.as_ref().and_then(|made_by| self.facts.batches.get(&made_by.batch_no)) {
            Some(batch) => batch.members.iter().map(|member| id(member.token)).collect(),
            None => self.token.parents.iter().map(|parent| id(parent.parent)).collect(),
        }
    }

    /// The batch that made the token.
    pub(super) fn made_by(&self) -> Result<Option<LineageSource>, LandscapeError> {
        let Some(made_by) = &self.token.made_by else { return Ok(None) };
        let Some(batch) = self.facts.batches.get(&made_by.batch_no) else { return Ok(None) };
        let listed = batch.members.last().map_or(0, |member| u64::from(member.ordinal) + 1);
        Ok(Some(LineageSource {
            batch: self.batch(made_by.batch_no, batch)?,
            position: made_by.ordinal,
            outputs: batch.size.outputs,
            members: LineageMembers {
                count: batch.size.members,
                next: (listed > 0 && listed < batch.size.members).then_some(listed),
                tokens: batch.members.iter().map(|member| self.member(member)).collect(),
            },
        }))
    }

    fn member(&self, member: &BatchMemberRecord) -> LineageMember {
        LineageMember {
            position: member.ordinal,
            token_id: self.run_id.token_id(member.token),
            row_index: match member.token.origin() {
                TokenOrigin::Row(row) => Some(row.get()),
                TokenOrigin::Batch(_) => None,
            },
        }
    }

    /// The batches that took the token, those of earlier nodes first.
    pub(super) fn memberships(&self) -> Result<Vec<LineageMembership>, LandscapeError> {
        let mut found = Vec::with_capacity(self.token.memberships.len());
        for member in &self.token.memberships {
            let Some(batch) = self.facts.batches.get(&member.batch_no) else { continue };
            let outputs = batch.outputs.iter().map(|output| self.run_id.token_id(output.token));
            found.push(LineageMembership {
                batch: self.batch(member.batch_no, batch)?,
                position: member.ordinal,
                members: batch.size.members,
                outputs: batch.size.outputs,
                output_tokens: outputs.collect(),
                step: batch.attempts.last().map(|attempt| attempt.step.get()),
            });
        }
        found.sort_by_key(|membership| (membership.step.is_none(), membership.step));
        Ok(found)
    }

    fn batch(&self, number: u64, batch: &BatchFacts) -> Result<LineageBatch, LandscapeError> {
        let last = batch.attempts.last();
        let release: Option<&ReleaseRecord> = self.facts.releases.get(&number);
        Ok(LineageBatch {
            batch: number,
            node: last.map(|attempt| self.name(attempt.step)).transpose()?,
            status: last.map_or(BatchStatus::Draft, |attempt| attempt.status),
            trigger: last.and_then(|attempt| attempt.trigger),
            reason: last.and_then(|attempt| attempt.reason.clone()),
            attempts: batch.attempts.len() as u64,
            flushed_at_row: release.map(|release| release.row.get()),
        })
    }

    /// That a token without outcome waits in a batch, if it does.
    pub(super) fn waiting(&self) -> Option<LineageOutcome> {
        let open = |member: &&BatchMemberRecord| {
            self.facts.batches.get(&member.batch_no).is_some_and(BatchFacts::takes_members)
        };
        let member = self.token.memberships.iter().find(open)?;
        Some(LineageOutcome {
            outcome: Outcome::Buffered,
            sink: None,
            error: None,
            group: None,
            batch: Some(member.batch_no),
        })
    }
}

impl BatchFacts {
    /// Whether no flush was done with.
    pub(super) fn takes_members(&self) -> bool {
        self.attempts.iter().all(|attempt| match attempt.status {
            BatchStatus::Draft | BatchStatus::Executing => true,
            BatchStatus::Completed | BatchStatus::Failed => false,
        })
    }
}
